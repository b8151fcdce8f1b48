import type { Argv } from 'yargs';
import { unifiedDiff } from '../output/diff.js';
import { coloured, type Environment, say, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import { type ArgumentsOf, EXIT_CODE, withPaths } from './options.js';
import { changesFor, gitModeIn, summaryOf } from './work.js';

export const command = ['diff [paths..]', '$0'];
export const describe = 'Show what would change, as a unified diff; write nothing';

export function builder(parser: Argv) {
  return withPaths(parser)
    .option('exit-code', EXIT_CODE('changes'))
    .example('$0 fs/quota', 'What would change in fs/quota of the tree around here')
    .example('$0 diff --tree ~/linux fs/ext4 fs/jbd2', 'The same in another tree, for two directories')
    .example('$0 diff fs/quota | git apply --check', 'See that it applies')
    .example('$0 diff --exit-code fs/quota', 'Exit with 1 if there is something left to do');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const checked = await changesFor(environment, args);
  const diff = unifiedDiff(checked.changes, {
    colour: coloured(environment.stdout, environment, args.noColor),
    mode: gitModeIn(checked.edited),
  });
  await write(environment.stdout, diff, 'latin1');
  await say(environment, summaryOf(checked));
  if (checked.problems.length > 0) return EXIT.internal;
  return args.exitCode && checked.changes.length > 0 ? EXIT.findings : EXIT.done;
}
