import type { Argv } from 'yargs';
import { cacheFolder, cacheInfo, clearCache } from '../index/cache.js';
import { type Environment, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import type { ArgumentsOf } from './options.js';

export const command = 'cache <action>';
export const describe = 'Say what is kept of earlier runs, or remove it';

export function builder(parser: Argv) {
  return parser
    .positional('action', {
      choices: ['info', 'clear'] as const,
      demandOption: true,
      describe: 'info: where and how much; clear: remove it',
    })
    .example('$0 cache info', 'Where it is, and how large')
    .example('$0 cache clear', 'Start afresh');
}

export async function run(
  { action }: ArgumentsOf<typeof builder>,
  environment: Environment,
): Promise<number> {
  const folder = cacheFolder(environment.env);
  const { files, bytes, usable } = cacheInfo(folder);
  const size = (n: number): string => `${(n / 1e6).toFixed(1)} MB`;
  if (action === 'clear') clearCache(folder);
  const text =
    action === 'clear'
      ? `removed ${files} files, ${size(bytes)}, from ${folder}`
      : `${folder}\n${files} files, ${size(bytes)}, of which this program can use ${size(usable)}`;
  await write(environment.stdout, `${text}\n`);
  return EXIT.done;
}
