import yargs, { type ArgumentsCamelCase, type Argv } from 'yargs';
import { InputError } from '../tree/input-error.js';
import * as apply from './apply.js';
import * as cache from './cache.js';
import * as check from './check.js';
import * as completion from './completion.js';
import * as diff from './diff.js';
import { type Environment, say, write } from './environment.js';
import { EXIT, Interrupted } from './exit-codes.js';
import * as explain from './explain.js';
import * as scan from './scan.js';
import * as series from './series.js';
import * as verify from './verify.js';
import { packageVersion } from './version.js';

const USAGE = `$0 <verb> [paths..] [options]

Migrates kernel code from GFP_NOFS and GFP_NOIO to the scope API: opens a scope where a
lock that memory reclaim also takes is acquired, and lets the allocations inside be
GFP_KERNEL. Without a verb it shows what would change (diff).`;

const EPILOGUE = `Exit codes: 0 done; 1 with --exit-code, if there is something; of check, if there are findings, and
of verify, if a patch fails; 2 bad usage or input; 3 a self-check failed; 130 interrupted.`;

/** One verb: `run` gives the exit code. */
interface Verb<T> {
  readonly command: string | string[];
  readonly describe: string;
  readonly builder: (parser: Argv) => Argv<T>;
  readonly run: (args: ArgumentsCamelCase<T>, environment: Environment) => Promise<number>;
}

/** Arguments that may be given more than once. */
const LISTS = new Set(['_', 'paths', 'transform', 'no-transform', 'noTransform', 'to', 'cc']);

/**
 * The program: arguments in, exit code out. Everything that goes wrong is one line on stderr; an exception
 * that nobody expected is an internal error, with its stack if GFP_SCOPE_DEBUG is set.
 */
export async function runCli(argv: readonly string[], environment: Environment): Promise<number> {
  try {
    const chosen = await parse(argv, environment);
    environment.signal.throwIfAborted();
    return await chosen();
  } catch (error) {
    return await fail(error, environment);
  }
}

/** Reads the arguments; what comes back does the work. */
async function parse(argv: readonly string[], environment: Environment): Promise<() => Promise<number>> {
  let chosen: (() => Promise<number>) | undefined;
  let printed = '';

  const parser = yargs()
    .scriptName('gfp-scope')
    .usage(USAGE)
    .epilogue(EPILOGUE)
    .locale('en')
    .wrap(Math.min(environment.stdout.columns ?? 100, 100))
    .parserConfiguration({
      // `--no-color` and `--no-cache` are names, and a path may be a number.
      'boolean-negation': false,
      'parse-positional-numbers': false,
    })
    // Of an option given twice the last counts. (yargs has a setting for that, which keeps only the last path, too.)
    .middleware((args) => {
      for (const [name, value] of Object.entries(args))
        if (Array.isArray(value) && !LISTS.has(name)) args[name] = value.at(-1);
    }, true)
    .version(packageVersion())
    .alias('help', 'h')
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw new InputError(
        `${oneSentence(message ?? error.message)} (gfp-scope --help lists verbs and options)`,
      );
    });
  const add = <T>(verb: Verb<T>) =>
    parser.command(verb.command, verb.describe, verb.builder, (args) => {
      chosen = () => verb.run(args, environment);
    });
  add(diff);
  add(apply);
  add(series);
  add(scan);
  add(check);
  add(verify);
  add(explain);
  add(cache);
  add(completion);

  await parser.parseAsync(plainPaths(argv), {}, (error, _, output) => {
    if (error) throw error;
    printed = output;
  });
  return (
    chosen ??
    (async () => {
      await write(environment.stdout, printed === '' ? '' : `${printed}\n`);
      return EXIT.done;
    })
  );
}

/**
 * The words without `--`: yargs keeps what follows it from the positionals of a verb. A dash at the
 * start of a word after it is no option; `./-x` is the same path.
 */
function plainPaths(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  if (end === -1) return [...argv];
  const paths = argv.slice(end + 1).map((word) => (word.startsWith('-') ? `./${word}` : word));
  return [...argv.slice(0, end), ...paths];
}

/** Says what went wrong, and gives the exit code for it. */
async function fail(error: unknown, environment: Environment): Promise<number> {
  if (error instanceof InputError) {
    await say(environment, `gfp-scope: ${error.message}`);
    return EXIT.input;
  }
  const { signal } = environment;
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    await say(environment, 'gfp-scope: interrupted');
    return reason instanceof Interrupted ? reason.exitCode : EXIT.interrupted;
  }
  const { code, syscall } = error as NodeJS.ErrnoException;
  // Who reads our output has seen enough.
  if (code === 'EPIPE') return EXIT.done;
  if (syscall === 'write') {
    await say(environment, `gfp-scope: cannot write the output: ${oneSentence((error as Error).message)}`);
    return EXIT.input;
  }
  return await failInternally(error, environment);
}

/** Reports a mistake of the program. */
export async function failInternally(error: unknown, environment: Environment): Promise<number> {
  const message = error instanceof Error ? `${error.message || error.name}` : String(error);
  await say(environment, `gfp-scope: internal error: ${oneSentence(message)}`);
  if (environment.env.GFP_SCOPE_DEBUG && error instanceof Error) await say(environment, error.stack ?? '');
  return EXIT.internal;
}

function oneSentence(message: string): string {
  return message.trim().replace(/\s*\n\s*/g, ' ');
}
