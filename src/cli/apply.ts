import type { Argv } from 'yargs';
import { applyChanges } from '../output/apply.js';
import { type Environment, say } from './environment.js';
import { EXIT } from './exit-codes.js';
import { type ArgumentsOf, EXIT_CODE, withPaths } from './options.js';
import { changesFor, summaryOf } from './work.js';

export const command = 'apply [paths..]';
export const describe = 'Make the changes in place: all of them, or none';

export function builder(parser: Argv) {
  return withPaths(parser)
    .option('force', {
      type: 'boolean',
      default: false,
      describe: 'Write even where git has uncommitted changes in the files concerned',
    })
    .option('exit-code', EXIT_CODE('changes'))
    .example('$0 apply fs/quota', 'Change the files of fs/quota')
    .example(
      '$0 apply --tree ~/linux --placement inside fs/udf',
      'Scopes just inside their locks, in another tree',
    )
    .example('$0 apply --force fs/quota', 'On top of changes that are not committed');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const checked = await changesFor(environment, args);
  const { signal } = environment;
  await environment.uninterrupted(async () => {
    await applyChanges(checked.edited, checked.changes, { force: args.force, signal });
    await say(environment, summaryOf(checked));
  });
  if (checked.problems.length > 0) return EXIT.internal;
  return args.exitCode && checked.changes.length > 0 ? EXIT.findings : EXIT.done;
}
