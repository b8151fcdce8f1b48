import path from 'node:path';
import type { Argv } from 'yargs';
import { type Environment, say, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import { type ArgumentsOf, EXIT_CODE, withPaths } from './options.js';
import { changesFor, summaryOf } from './work.js';

export const command = 'series [paths..]';
export const describe = 'Write the changes as a patch series with a cover letter, for git am';

export function builder(parser: Argv) {
  return withPaths(parser)
    .option('output-directory', {
      type: 'string',
      alias: 'o',
      requiresArg: true,
      demandOption: true,
      describe: 'Where to put 0000-cover-letter.patch, 0001-….patch and so on',
    })
    .option('exit-code', EXIT_CODE('changes'))
    .example('$0 series -o outgoing fs/quota', 'The patches for fs/quota, in outgoing')
    .example('git am outgoing/000[1-9]-*.patch', 'Apply them, without the cover letter');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const checked = await changesFor(environment, args);
  if (checked.changes.length > 0) {
    const { writeSeries } = await environment.loadEngine();
    const directory = path.resolve(environment.cwd, args.outputDirectory);
    const files = await writeSeries({ ...checked, directory });
    // As git format-patch does: what was written, one name a line.
    const names = files.map((file) => path.join(args.outputDirectory, path.relative(directory, file)));
    await write(environment.stdout, names.map((name) => `${name}\n`).join(''));
  }
  await say(environment, summaryOf(checked));
  if (checked.problems.length > 0) return EXIT.internal;
  return args.exitCode && checked.changes.length > 0 ? EXIT.findings : EXIT.done;
}
