import path from 'node:path';
import type { KernelTree } from '../tree/kernel-tree.js';

/** What is analysed, for a reader: `Linux 6.12.1`, `demofs, a module for Linux 6.12.1`. */
export function whatIsRead({ module, root, version }: KernelTree): string {
  if (module === undefined) return `Linux ${version}`;
  return `${moduleName(module)}, a module ${root === '' ? 'without a kernel tree' : `for Linux ${version}`}`;
}

/** A module goes by the name of its directory. */
export function moduleName(module: string): string {
  return path.basename(module) || 'module';
}

/** What is less certain where a module is analysed without a kernel, a sentence each; none otherwise. */
export function limitsOf({ module, root }: KernelTree): readonly string[] {
  return module !== undefined && root === '' ? WITHOUT_KERNEL : [];
}

const WITHOUT_KERNEL: readonly string[] = [
  'No caller in the kernel is seen: what is exported, stored in a table or member of a kernel type, or handed to a kernel function counts as called from anywhere, in no scope.',
  "Of the kernel's reclaim only the calls into the module's own tables are known, not what they come to through kernel functions: no site is lock-free, and locks may lack a scope that the kernel would show them to need.",
  "The kernel's types and macros are not known: a lock that is reached through them has no class, and a mask that is handed to a kernel function that is no known allocator is opaque.",
];
