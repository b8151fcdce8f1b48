import path from 'node:path';
import type { Argv } from 'yargs';
import { formatSeries } from '../output/series-files.js';
import { isUnbuilt, verifyText } from '../output/verify-text.js';
import { InputError } from '../tree/input-error.js';
import { readPatches, type VerifyPatch } from '../verify/patches.js';
import { verify } from '../verify/verify.js';
import { type Environment, say, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import { type ArgumentsOf, FORMAT, OBSOLETE, treeOf, withPaths } from './options.js';
import { seriesOf } from './parts.js';
import { progressDisplay } from './progress.js';
import { packageVersion } from './version.js';
import { type Checked, changesFor, gitModeIn, headersOf, summaryOf } from './work.js';

export const command = 'verify [paths..]';
export const describe = 'Build each prefix of the series in a scratch copy, and run checkpatch and sparse';

/** Who sends the mails that are made here for checkpatch alone. */
const NOBODY = { name: 'A U Thor', email: 'author@example.com' };

export function builder(parser: Argv) {
  return withPaths(parser)
    .option('config', {
      type: 'string',
      default: 'allmodconfig',
      requiresArg: true,
      describe: 'What to configure the kernel with: a target of its Makefile, or a file',
    })
    .option('obsolete', OBSOLETE)
    .option('format', FORMAT)
    .example('$0 verify fs/quota', 'The changes to fs/quota, patch by patch')
    .example('$0 verify series outgoing', 'The patches in the directory outgoing')
    .example('$0 verify --config defconfig fs/ext4', 'With another configuration');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const tree = treeOf(args, environment);
  if (tree.module !== undefined || tree.root === '')
    throw new InputError(
      'verify: a module is not built; give the kernel tree that has the code (--tree DIR)',
    );
  const [word, directory, ...more] = args.paths;
  const isSeries = word === 'series' && directory !== undefined && more.length === 0;
  const patches = isSeries
    ? readPatches(path.resolve(environment.cwd, directory), headersOf(tree))
    : await patchesFor(args, environment);
  if (patches.length === 0) {
    await write(environment.stdout, args.format === 'json' ? '{"patches":[]}\n' : 'no changes\n');
    return EXIT.done;
  }
  const config = /\//.test(args.config) ? path.resolve(environment.cwd, args.config) : args.config;
  const progress = progressDisplay(environment.stderr);
  const { jobs } = args;
  try {
    // The copy is taken away whatever signal comes.
    const result = await environment.uninterrupted(() =>
      verify(tree, patches, { config, jobs, signal: environment.signal, onProgress: progress.update }),
    );
    progress.stop();
    const text = args.format === 'json' ? `${JSON.stringify(result, null, 2)}\n` : verifyText(result);
    await write(environment.stdout, text);
    const passes = result.patches.every(({ ok }) => ok) && !result.patches.every(isUnbuilt);
    return passes ? EXIT.done : EXIT.findings;
  } finally {
    progress.stop();
  }
}

/** The patches that `series` would write for the paths. */
async function patchesFor(
  args: ArgumentsOf<typeof builder>,
  environment: Environment,
): Promise<VerifyPatch[]> {
  const checked: Checked = await changesFor(environment, args);
  await say(environment, summaryOf(checked));
  const { parts } = await seriesOf(checked, environment, args);
  if (parts.length === 0) return [];
  const all = parts.flatMap((part) => part.patches);
  const mails = formatSeries(all, {
    from: NOBODY,
    date: new Date(),
    version: packageVersion(),
    signOff: true,
    mode: gitModeIn(checked.edited),
  });
  // The first is the cover letter.
  return all.map(({ subject, changes: files }, i) => ({
    subject,
    files: new Map(files.map(({ file, after }) => [file, after])),
    mail: mails[i + 1]!.content,
  }));
}
