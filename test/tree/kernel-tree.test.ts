import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/tree/input-error.js';
import { findKernelTree, openKernelTree, versionFromMakefile } from '../../src/tree/kernel-tree.js';
import { smallTree, temporaryDirectory, writeFiles } from './small-tree.js';

describe('the version of a kernel tree', () => {
  it.each([
    ['VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 192\nEXTRAVERSION =\nNAME = Curry\n', '6.1.192'],
    ['VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n', '6.12.0-rc3'],
    ['# a comment\nVERSION=7\nPATCHLEVEL=0\n', '7.0'],
    ['VERSION = 6\r\nPATCHLEVEL = 1\r\nSUBLEVEL = 2\r\n', '6.1.2'],
  ])('is what make kernelversion says: %j', (makefile, version) => {
    expect(versionFromMakefile(makefile)).toBe(version);
  });

  it.each(['', 'all:\n\ttrue\n', 'VERSION = 1.0\nPATCHLEVEL = x\n', 'MYVERSION = 6\nPATCHLEVEL = 1\n'])(
    'is unknown for another Makefile: %j',
    (makefile) => {
      expect(versionFromMakefile(makefile)).toBeUndefined();
    },
  );
});

describe('opening a tree', () => {
  it('gives the top with symbolic links resolved, and the version', () => {
    const tree = smallTree();
    const link = path.join(temporaryDirectory(), 'link');
    symlinkSync(tree.root, link);
    expect(openKernelTree(link)).toEqual({ root: tree.root, version: '6.1.7' });
  });

  it('names a directory that does not exist', () => {
    const missing = path.join(temporaryDirectory(), 'linux');
    expect(() => openKernelTree(missing)).toThrow(new InputError(`${missing}: no such file or directory`));
  });

  it('refuses a file', () => {
    const file = path.join(smallTree().root, 'Makefile');
    expect(() => openKernelTree(file)).toThrow(new InputError(`${file}: not a directory`));
  });

  it('refuses the inside of a tree and any other directory', () => {
    const tree = smallTree({ 'fs/Makefile': 'obj-y += a.o\n' });
    expect(() => openKernelTree(path.join(tree.root, 'fs'))).toThrow(/not the top of a kernel tree/);
    expect(() => openKernelTree(temporaryDirectory())).toThrow(/not the top of a kernel tree/);
  });

  it('refuses a project that has a version but no kernel headers', () => {
    const directory = temporaryDirectory();
    writeFiles(directory, { Makefile: 'VERSION = 3\nPATCHLEVEL = 2\n' });
    expect(() => openKernelTree(directory)).toThrow(InputError);
  });
});

describe('finding the tree that a directory is in', () => {
  it('takes the nearest parent that is one', () => {
    const outer = smallTree();
    const inner = path.join(outer.root, 'vendor/linux');
    writeFiles(inner, {
      Makefile: 'VERSION = 5\nPATCHLEVEL = 4\nSUBLEVEL = 1\n',
      'include/linux/gfp.h': '',
      'fs/ext4/Makefile': '',
    });
    expect(findKernelTree(path.join(inner, 'fs/ext4'))).toEqual({ root: inner, version: '5.4.1' });
    expect(findKernelTree(inner).root).toBe(inner);
    expect(findKernelTree(path.join(outer.root, 'vendor')).root).toBe(outer.root);
  });

  it('says what to do where there is none', () => {
    const directory = path.join(temporaryDirectory(), 'src');
    mkdirSync(directory);
    expect(() => findKernelTree(directory)).toThrow(
      /is not in a kernel tree; say which one with --tree DIR$/,
    );
  });
});
