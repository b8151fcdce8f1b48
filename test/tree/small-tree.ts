import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { type KernelTree, openKernelTree } from '../../src/tree/kernel-tree.js';

/** A directory of its own for the running test, removed when the test ends. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'gfp-scope-test-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes files (names relative to `root`; a string is latin1 bytes) with the directories that they need. */
export function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text, 'latin1');
  }
}

/** The least that is a kernel tree, 6.1.7, with these files in it; removed when the test ends. */
export function smallTree(files: Readonly<Record<string, string>> = {}): KernelTree {
  const root = path.join(temporaryDirectory(), 'linux');
  writeFiles(root, {
    Makefile:
      '# SPDX-License-Identifier: GPL-2.0\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 7\nEXTRAVERSION =\n',
    'include/linux/gfp.h': '#define GFP_KERNEL 0\n',
    ...files,
  });
  return openKernelTree(root);
}
