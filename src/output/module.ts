import path from 'node:path';
import { isNewerThanRead, NEWEST_READ } from '../kernel/read-from.js';
import { hasKernel, type KernelTree } from '../tree/kernel-tree.js';

/** What is analysed, for a reader: `Linux 6.12.1`, `demofs, a module for Linux 6.12.1`. */
export function whatIsRead(tree: KernelTree): string {
  const { module, root, version } = tree;
  if (module === undefined) return `Linux ${version}`;
  let kernel = 'without a kernel tree';
  if (root !== '') kernel = `${hasKernel(tree) ? 'for' : 'with the headers of'} Linux ${version}`;
  return `${moduleName(module)}, a module ${kernel}`;
}

/** A module goes by the name of its directory. */
export function moduleName(module: string): string {
  return path.basename(module) || 'module';
}

/** What is less certain where the sources of the kernel are not there, or are newer than what is known, a sentence each; none where all is well. */
export function limitsOf(tree: KernelTree): readonly string[] {
  const newer = isNewerThanRead(tree.version) ? [TOO_NEW] : [];
  if (hasKernel(tree)) return newer;
  return tree.root === '' ? [...NO_SOURCES, NO_HEADERS] : [...newer, ...NO_SOURCES];
}

const TOO_NEW = `The kernel is newer than ${NEWEST_READ}, the newest one whose interfaces were read: a lock, an allocator or an entry of reclaim that is newer still is not known.`;

const NO_SOURCES: readonly string[] = [
  'No caller in the kernel is seen: what is exported, stored in a table or member of a kernel type, or handed to a kernel function counts as called from anywhere, in no scope.',
  "Of the kernel's reclaim only the calls into the module's own tables are known, not what they come to through kernel functions: no site is lock-free, and locks may lack a scope that the kernel would show them to need.",
  'A mask that is handed to a kernel function that is no known allocator is opaque.',
];

const NO_HEADERS =
  "The kernel's types and macros are not known: a lock that is reached through them has no class.";
