import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { InputError } from './input-error.js';

const SCOPE_HEADER = 'include/linux/sched/mm.h';
/** Without it a tree is no more than what distributions install for building modules. */
const RECLAIM = 'mm/vmscan.c';

/**
 * A Linux source tree on disk, alone or with an out-of-tree module that is built against it. The files of the module are
 * named as if its directory were mounted in the tree as `module:`, a name that nothing in a kernel has.
 */
export interface KernelTree {
  /** Absolute path of its top directory, symbolic links resolved; '' where a module is all that there is. */
  readonly root: string;
  /** As `make kernelversion` prints it: `6.1.192`, `6.12.0-rc3`; '' without a kernel. */
  readonly version: string;
  /** Absolute path of the module's directory, symbolic links resolved. */
  readonly module?: string;
  /** With a module only: the tree has headers to build against, and not the sources of what calls the module. */
  readonly headersOnly?: true;
}

/** Is there a kernel whose calls can be seen? */
export function hasKernel({ root, headersOnly }: KernelTree): boolean {
  return root !== '' && headersOnly === undefined;
}

/** The directory of a tree that the module's files are in; as a path, the whole module. */
export const MODULE = 'module:';

/** Does a tree-relative name mean a file of the module? */
export function inModule(file: string): boolean {
  return file.startsWith(MODULE);
}

/** Where a tree-relative name lies on disk, absolute; '' (which names no file) for one of a kernel that is not there. */
export function placeOf({ root, module = '' }: Pick<KernelTree, 'root' | 'module'>, file: string): string {
  const [top, name] = inModule(file) ? [module, file.slice(MODULE.length + 1)] : [root, file];
  return top === '' || name === '' ? top : `${top}/${name}`;
}

/** The directory whose files are asked about and edited: that of the module, else the whole tree. */
export function topOf({ root, module }: KernelTree): string {
  return module ?? root;
}

/**
 * The kernel tree whose top directory is `directory`.
 * @throws InputError if there is no such directory, it is not the top of a kernel tree, or that kernel has no scopes.
 */
export function openKernelTree(directory: string): KernelTree {
  const root = realDirectory(directory);
  const version = versionOf(root);
  if (version === undefined)
    throw new InputError(
      `${directory}: not the top of a kernel tree (no Makefile with VERSION and PATCHLEVEL beside include/linux)`,
    );
  return withScopes(root, version);
}

/**
 * The kernel tree that `from` is in: the nearest directory, upwards from it, that is the top of one.
 * @throws InputError if there is none.
 */
export function findKernelTree(from: string): KernelTree {
  const found = kernelTreeAround(from);
  if (!found) throw new InputError(`${from} is not in a kernel tree; say which one with --tree DIR`);
  return found;
}

/** The same; undefined if there is none. */
export function kernelTreeAround(from: string): KernelTree | undefined {
  const start = realpathSync(from);
  for (let directory = start; ; directory = path.dirname(directory)) {
    const version = versionOf(directory);
    if (version !== undefined) return withScopes(directory, version);
    if (directory === path.dirname(directory)) return undefined;
  }
}

/**
 * A kernel tree with an out-of-tree module, or (`kernel` undefined) the module alone.
 * @throws InputError if there is no such directory, or it is in the kernel tree or around it.
 */
export function withModule(kernel: KernelTree | undefined, directory: string): KernelTree {
  const module = realDirectory(directory);
  if (kernel && isBelow(module, kernel.root))
    throw new InputError(
      `--module ${directory}: inside of the kernel tree ${kernel.root}; give it as a path instead`,
    );
  if (kernel && isBelow(kernel.root, module))
    throw new InputError(`--module ${directory}: the kernel tree ${kernel.root} is inside of it`);
  if (!kernel) return { root: '', version: '', module };
  const { root, version } = kernel;
  return existsSync(path.join(root, RECLAIM))
    ? { root, version, module }
    : { root, version, module, headersOnly: true };
}

function isBelow(directory: string, top: string): boolean {
  return directory === top || directory.startsWith(top === '/' ? top : `${top}/`);
}

function realDirectory(directory: string): string {
  try {
    const real = realpathSync(directory);
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    throw new InputError(`${directory}: ${reasonOf(error)}`);
  }
  throw new InputError(`${directory}: not a directory`);
}

/**
 * The scopes came with 4.12. A kernel that an older version number stands on may have them all the same; one of which the
 * header is there without them has not.
 */
function withScopes(root: string, version: string): KernelTree {
  let header: string | undefined;
  try {
    header = readFileSync(path.join(root, SCOPE_HEADER), 'latin1');
  } catch {
    // A part of a tree may go without; no kernel before 4.11 has the file.
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (
    header === undefined ? major > 4 || (major === 4 && minor >= 12) : header.includes('memalloc_nofs_save')
  )
    return { root, version };
  throw new InputError(
    `${root}: Linux ${version} has no memalloc_nofs_save() in ${SCOPE_HEADER}; the scope API is there from 4.12 on`,
  );
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
