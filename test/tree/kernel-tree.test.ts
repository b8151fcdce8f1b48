import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/tree/input-error.js';
import {
  findKernelTree,
  openKernelTree,
  placeOf,
  versionFromMakefile,
  withModule,
} from '../../src/tree/kernel-tree.js';
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

describe('a kernel from before the scope API', () => {
  const makefile = (version: string) => {
    const [major, minor] = version.split('.');
    return `VERSION = ${major}\nPATCHLEVEL = ${minor}\nSUBLEVEL = 0\nEXTRAVERSION =\n`;
  };
  const header = 'include/linux/sched/mm.h';
  const SCOPES = 'static inline unsigned int memalloc_nofs_save(void);\n';

  it.each([
    ['4.11', {}],
    ['3.10', {}],
    ['4.11', { [header]: 'static inline unsigned int memalloc_noio_save(void);\n' }],
    ['6.1', { [header]: 'void mmdrop(struct mm_struct *mm);\n' }],
  ])('is refused: %s with %j', (version, files) => {
    expect(() => smallTree({ Makefile: makefile(version), ...files })).toThrow(
      /: Linux [\d.]+ has no memalloc_nofs_save\(\) in include\/linux\/sched\/mm\.h; .* from 4\.12 on$/,
    );
  });

  it.each([
    ['4.12', {}],
    ['4.11', { [header]: SCOPES }],
    ['5.4', {}],
  ])('is told by its header, where that is there: %s with %j', (version, files) => {
    expect(smallTree({ Makefile: makefile(version), ...files }).version).toBe(`${version}.0`);
  });

  it('is not passed over in favour of a tree around it', () => {
    const outer = smallTree({ 'old/Makefile': makefile('4.4'), 'old/include/linux/gfp.h': '' });
    expect(() => findKernelTree(path.join(outer.root, 'old'))).toThrow(/Linux 4\.4\.0 has no/);
  });
});

describe('a module beside a tree', () => {
  it('is a directory of its own, symbolic links resolved', () => {
    const tree = smallTree();
    const directory = temporaryDirectory();
    writeFiles(directory, { 'demo/a.c': '' });
    symlinkSync(path.join(directory, 'demo'), path.join(directory, 'link'));
    const module = path.join(directory, 'demo');
    expect(withModule(tree, path.join(directory, 'link'))).toEqual({ ...tree, module, headersOnly: true });
    const whole = smallTree({ 'mm/vmscan.c': '' });
    expect(withModule(whole, module)).toEqual({ ...whole, module });
    expect(withModule(undefined, module)).toEqual({ root: '', version: '', module });
  });

  it('is refused inside of the tree, around it, and where there is no directory', () => {
    const tree = smallTree({ 'fs/demo/a.c': '' });
    const inside = path.join(tree.root, 'fs/demo');
    expect(() => withModule(tree, inside)).toThrow(
      `--module ${inside}: inside of the kernel tree ${tree.root}; give it as a path instead`,
    );
    expect(() => withModule(tree, tree.root)).toThrow(/give it as a path instead$/);
    const around = path.dirname(tree.root);
    expect(() => withModule(tree, around)).toThrow(`the kernel tree ${tree.root} is inside of it`);
    expect(() => withModule(tree, '/none/demo')).toThrow('/none/demo: no such file or directory');
    const file = path.join(inside, 'a.c');
    expect(() => withModule(tree, file)).toThrow(`${file}: not a directory`);
  });

  it('has names that no file of the tree has', () => {
    const tree = withModule(smallTree(), temporaryDirectory());
    expect(placeOf(tree, 'fs/inode.c')).toBe(`${tree.root}/fs/inode.c`);
    expect(placeOf(tree, 'module:/fs/inode.c')).toBe(`${tree.module}/fs/inode.c`);
    expect(placeOf(tree, 'module:')).toBe(tree.module);
    const alone = { root: '', module: tree.module! };
    expect(placeOf(alone, 'include/linux/fs.h')).toBe('');
    expect(placeOf(alone, 'module:/a.c')).toBe(`${tree.module}/a.c`);
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
