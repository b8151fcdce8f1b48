import type { Argv } from 'yargs';
import { cacheFolder, cacheInfo, clearCache } from '../index/cache.js';
import { InputError } from '../tree/input-error.js';
import { reasonOf } from '../tree/kernel-tree.js';
import { type Environment, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import type { ArgumentsOf } from './options.js';

export const command = 'cache <action>';
export const describe = 'Show or clear what was kept of earlier runs';

export function builder(parser: Argv) {
  return parser
    .positional('action', {
      choices: ['info', 'clear'] as const,
      demandOption: true,
      describe: 'Say where it is and how large, or remove it',
    })
    .example('$0 cache info', 'Folder, files and size')
    .example('$0 cache clear', 'Read everything anew the next time');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const folder = cacheFolder(environment.env);
  await write(environment.stdout, args.action === 'info' ? info(folder) : clear(folder));
  return EXIT.done;
}

function info(folder: string): string {
  const { files, bytes, usable } = cacheInfo(folder);
  return [
    `folder  ${folder}`,
    `files   ${files}`,
    `size    ${sizeInWords(bytes)}`,
    `usable  ${sizeInWords(usable)} (the rest is of other versions)`,
    '',
  ].join('\n');
}

function clear(folder: string): string {
  try {
    const { files, bytes } = clearCache(folder);
    return `removed ${files} ${files === 1 ? 'file' : 'files'}, ${sizeInWords(bytes)}, from ${folder}\n`;
  } catch (error) {
    throw new InputError(`cannot clear the cache ${folder}: ${reasonOf(error)}`);
  }
}

function sizeInWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
