import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Argv } from 'yargs';
import { type Baseline, type Compared, compare, parseBaseline, updated } from '../output/check-baseline.js';
import { checkDocument, checkSarif } from '../output/check-document.js';
import { checkText } from '../output/check-text.js';
import { nameShown } from '../output/names.js';
import { counted } from '../output/scan-listing.js';
import { resolvePaths } from '../tree/files.js';
import { InputError } from '../tree/input-error.js';
import { reasonOf } from '../tree/kernel-tree.js';
import { coloured, type Environment, say, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import { type ArgumentsOf, analyzeOptions, treeOf, withPaths } from './options.js';
import { packageVersion } from './version.js';
import { analyzeFor } from './work.js';

export const command = 'check [paths..]';
export const describe = 'Find scopes and masks that are wrong; exits with 1 if there are new ones';

export function builder(parser: Argv) {
  return withPaths(parser)
    .option('format', {
      choices: ['text', 'json', 'sarif'] as const,
      default: 'text' as const,
      requiresArg: true,
      describe: 'For a reader, as one JSON document, or as SARIF 2.1.0',
    })
    .option('baseline', {
      type: 'string',
      requiresArg: true,
      describe: 'File with findings that are known: only others are shown and count',
    })
    .option('update-baseline', {
      type: 'boolean',
      default: false,
      describe: 'Write what is found to the file of --baseline, and exit with 0',
    })
    .check(({ baseline, updateBaseline }) => {
      if (updateBaseline && baseline === undefined)
        throw new Error('--update-baseline needs --baseline FILE');
      return true;
    }, false)
    .example('$0 check fs/ext4', 'What is wrong with the scopes and masks of fs/ext4')
    .example('$0 check --baseline known.json --update-baseline', 'Take all that there is now as known')
    .example('$0 check --baseline known.json --format sarif', 'For CI: what is new since then');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const tree = treeOf(args, environment);
  const paths = resolvePaths(tree, args.paths, environment.cwd);
  const file = args.baseline === undefined ? undefined : path.resolve(environment.cwd, args.baseline);
  const known = file === undefined ? undefined : readBaseline(file, args.baseline!, args.updateBaseline);
  const options = { ...analyzeOptions(args, tree, paths, environment), checks: true };
  const { report } = await analyzeFor(environment, options);
  const findings = report.findings ?? [];
  const isAsked = (shown: string): boolean => {
    const name = nameShown(tree, shown);
    return paths.some((asked) => asked === '' || name === asked || name.startsWith(`${asked}/`));
  };
  if (args.updateBaseline) {
    writeBaseline(file!, args.baseline!, updated(known, findings, isAsked));
    await say(environment, `${args.baseline}: ${counted(findings.length, 'finding')} in the files asked for`);
    return EXIT.done;
  }
  const compared = compare(findings, known, isAsked);
  const text =
    args.format === 'text'
      ? checkText(compared, { colour: coloured(environment.stdout, environment, args.noColor) })
      : `${JSON.stringify(args.format === 'json' ? checkDocument(report.tree, compared) : await sarif(compared), null, 2)}\n`;
  await write(environment.stdout, text);
  return compared.fresh.length > 0 ? EXIT.findings : EXIT.done;
}

async function sarif(compared: Compared): Promise<object> {
  // With the rules comes all that they look into.
  const { RULES } = await import('../checks/index.js');
  return checkSarif(RULES, compared, packageVersion());
}

/** What the file has; `undefined` where there is none and one is to be written. */
function readBaseline(file: string, name: string, mayLack: boolean): Baseline | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (mayLack && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new InputError(`${name}: ${reasonOf(error)}`);
  }
  try {
    return parseBaseline(text);
  } catch (error) {
    throw new InputError(`${name}: not a baseline of gfp-scope: ${(error as Error).message}`);
  }
}

/** The whole file or none of it. */
function writeBaseline(file: string, name: string, baseline: Baseline): void {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, `${JSON.stringify(baseline, null, 2)}\n`, { flag: 'wx' });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new InputError(`${name}: ${reasonOf(error)}`);
  }
}
