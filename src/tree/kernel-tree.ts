import { readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { InputError } from './input-error.js';

/** A Linux source tree on disk. */
export interface KernelTree {
  /** Absolute path of its top directory, symbolic links resolved. */
  readonly root: string;
  /** As `make kernelversion` prints it: `6.1.192`, `6.12.0-rc3`. */
  readonly version: string;
}

/**
 * The kernel tree whose top directory is `directory`.
 * @throws InputError if there is no such directory or it is not the top of a kernel tree.
 */
export function openKernelTree(directory: string): KernelTree {
  let root: string;
  try {
    root = realpathSync(directory);
    if (!statSync(root).isDirectory()) throw new InputError(`${directory}: not a directory`);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${directory}: ${reasonOf(error)}`);
  }
  const version = versionOf(root);
  if (version === undefined)
    throw new InputError(
      `${directory}: not the top of a kernel tree (no Makefile with VERSION and PATCHLEVEL beside include/linux)`,
    );
  return { root, version };
}

/**
 * The kernel tree that `from` is in: the nearest directory, upwards from it, that is the top of one.
 * @throws InputError if there is none.
 */
export function findKernelTree(from: string): KernelTree {
  const start = realpathSync(from);
  for (let directory = start; ; directory = path.dirname(directory)) {
    const version = versionOf(directory);
    if (version !== undefined) return { root: directory, version };
    if (directory === path.dirname(directory)) break;
  }
  throw new InputError(`${from} is not in a kernel tree; say which one with --tree DIR`);
}

/**
 * Kernel version from the text of a top Makefile, or `undefined` if it does not set one.
 * The assignments are the first lines of the kernel's `Makefile`.
 */
export function versionFromMakefile(makefile: string): string | undefined {
  const value = (name: string) =>
    new RegExp(`^${name}[ \\t]*=[ \\t]*(.*?)[ \\t\\r]*$`, 'm').exec(makefile)?.[1];
  const version = value('VERSION');
  const patchlevel = value('PATCHLEVEL');
  if (!version || !patchlevel || !/^\d+$/.test(version) || !/^\d+$/.test(patchlevel)) return undefined;
  return `${version}.${patchlevel}${value('SUBLEVEL') ? `.${value('SUBLEVEL')}` : ''}${value('EXTRAVERSION') ?? ''}`;
}

/** Version of the kernel tree whose top is `directory`; `undefined` if it is not one. */
function versionOf(directory: string): string | undefined {
  try {
    if (!statSync(path.join(directory, 'include/linux')).isDirectory()) return undefined;
    return versionFromMakefile(readFileSync(path.join(directory, 'Makefile'), 'latin1'));
  } catch {
    return undefined;
  }
}

/** The reason in a system error, in words: `no such file or directory`. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'no such file or directory';
    case 'ENOTDIR':
      return 'not a directory';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'ELOOP':
      return 'too many levels of symbolic links';
    case 'ENOSPC':
      return 'no space left on device';
    case 'EROFS':
      return 'read-only file system';
    default:
      // Node writes `EIO: i/o error, read '/path'`: the path is named by the caller already.
      return /^[A-Z0-9]+: ([^,]+)/.exec(message ?? '')?.[1] ?? message ?? String(error);
  }
}
