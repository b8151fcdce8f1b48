import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesMentioning, listFiles, readSource, resolvePath, resolvePaths } from '../../src/tree/files.js';
import { withModule } from '../../src/tree/kernel-tree.js';
import { smallTree, temporaryDirectory, writeFiles } from './small-tree.js';

describe('paths as a person gives them', () => {
  const files = { 'fs/demo/a.c': '', 'fs/demo/b.c': '', 'drivers/fs/x.c': '' };

  it('are relative to the top of the tree from anywhere', () => {
    const tree = smallTree(files);
    expect(resolvePaths(tree, ['fs/demo/b.c', 'fs/demo/'], temporaryDirectory())).toEqual([
      'fs/demo',
      'fs/demo/b.c',
    ]);
  });

  it('are relative to the current directory inside the tree, which goes first', () => {
    const tree = smallTree(files);
    const drivers = path.join(tree.root, 'drivers');
    expect(resolvePath(tree, 'fs', drivers)).toBe('drivers/fs');
    expect(resolvePath(tree, '../fs', drivers)).toBe('fs');
    expect(resolvePath(tree, 'fs/demo', drivers)).toBe('fs/demo');
    expect(resolvePath(tree, '.', drivers)).toBe('drivers');
  });

  it('may be absolute', () => {
    const tree = smallTree(files);
    expect(resolvePath(tree, path.join(tree.root, 'fs/demo/a.c'), '/')).toBe('fs/demo/a.c');
    expect(resolvePath(tree, tree.root, '/')).toBe('');
  });

  it('mean the tree where the same name stands in a current directory outside of it', () => {
    const tree = smallTree(files);
    const elsewhere = temporaryDirectory();
    mkdirSync(path.join(elsewhere, 'fs'));
    expect(resolvePath(tree, 'fs', elsewhere)).toBe('fs');
  });

  it('mean the whole tree if there are none', () => {
    const tree = smallTree(files);
    expect(resolvePaths(tree, [], path.join(tree.root, 'fs'))).toEqual(['']);
  });

  it('are listed once, however often they are given', () => {
    const tree = smallTree(files);
    expect(resolvePaths(tree, ['fs', './fs/', path.join(tree.root, 'fs')], tree.root)).toEqual(['fs']);
  });

  it('must exist', () => {
    const tree = smallTree(files);
    expect(() => resolvePath(tree, 'fs/nosuch', tree.root)).toThrow(/^fs\/nosuch: no such file or directory/);
    expect(() => resolvePath(tree, 'fs/demo/a.c/x', tree.root)).toThrow(/not a directory/);
    expect(() => resolvePath(tree, '', tree.root)).toThrow('empty path');
  });

  it('must be in the tree', () => {
    const tree = smallTree(files);
    const outside = temporaryDirectory();
    expect(() => resolvePath(tree, outside, tree.root)).toThrow(
      `${outside} is outside of the kernel tree ${tree.root}`,
    );
    expect(() => resolvePath(tree, '..', tree.root)).toThrow('.. is outside of the kernel tree');
    // A sibling whose name begins like the tree's is no part of it.
    mkdirSync(`${tree.root}-next`);
    expect(() => resolvePath(tree, `${tree.root}-next`, '/')).toThrow('is outside of the kernel tree');
  });

  it('may begin with two dots inside the tree', () => {
    const tree = smallTree({ '..odd/a.c': '' });
    expect(resolvePath(tree, '..odd', tree.root)).toBe('..odd');
  });

  it('follow a symbolic link inside the tree, to the name of what it points to', () => {
    const tree = smallTree(files);
    symlinkSync('demo', path.join(tree.root, 'fs/alias'));
    expect(resolvePath(tree, 'fs/alias/a.c', tree.root)).toBe('fs/demo/a.c');
  });

  it('must not lead out of the tree through a symbolic link', () => {
    const tree = smallTree(files);
    const outside = temporaryDirectory();
    writeFiles(outside, { 'a.c': '' });
    symlinkSync(outside, path.join(tree.root, 'fs/out'));
    expect(() => resolvePath(tree, 'fs/out/a.c', tree.root)).toThrow(
      `fs/out/a.c leads out of the kernel tree ${tree.root} through a symbolic link`,
    );
  });

  it('may point in circles, which is said', () => {
    const tree = smallTree(files);
    symlinkSync('loop', path.join(tree.root, 'fs/loop'));
    expect(() => resolvePath(tree, 'fs/loop', tree.root)).toThrow(/too many levels of symbolic links/);
  });
});

describe('the files under a path', () => {
  it('are the .c and .h files, in the order of their bytes', () => {
    const tree = smallTree({
      'fs/b/z.c': '',
      'fs/b.c': '',
      'fs/B.h': '',
      'fs/a/Kconfig': '',
      'fs/a/y.S': '',
      'fs/a/x.h': '',
      'fs/é.c': '',
    });
    expect(listFiles(tree, ['fs'])).toEqual({
      files: ['fs/B.h', 'fs/a/x.h', 'fs/b.c', 'fs/b/z.c', 'fs/é.c'],
      skipped: [],
    });
  });

  it('are listed once where paths overlap', () => {
    const tree = smallTree({ 'fs/a.c': '', 'fs/b.c': '' });
    expect(listFiles(tree, ['fs/b.c', 'fs', '']).files).toEqual(['fs/a.c', 'fs/b.c', 'include/linux/gfp.h']);
  });

  it('are those of the module only where the module is asked for', () => {
    const tree = smallTree({ 'fs/a.c': '', 'module:/b.c': '' });
    const module = path.join(temporaryDirectory(), 'demo');
    writeFiles(module, { 'fs/a.c': '', 'c.h': '' });
    const both = withModule(tree, module);
    expect(listFiles(both, ['']).files).toEqual(['fs/a.c', 'include/linux/gfp.h']);
    expect(listFiles(both, ['module:']).files).toEqual(['module:/c.h', 'module:/fs/a.c']);
    expect(resolvePaths(both, [], '/')).toEqual(['module:']);
    expect(resolvePaths(both, ['fs/a.c', '.'], module)).toEqual(['module:', 'module:/fs/a.c']);
    expect(() => resolvePaths(both, [path.join(tree.root, 'fs/a.c')], module)).toThrow(
      `is outside of the module ${module}`,
    );
  });

  it('are not looked for in hidden directories', () => {
    const tree = smallTree({ '.git/a.c': '', 'fs/.tmp/b.c': '', 'fs/c.c': '' });
    expect(listFiles(tree, ['fs', '.']).files).not.toContain('.git/a.c');
    expect(listFiles(tree, ['fs']).files).toEqual(['fs/c.c']);
  });

  it('do not include what is behind a symbolic link; a link with the name of a C file is named', () => {
    const tree = smallTree({ 'fs/a.c': '' });
    const outside = temporaryDirectory();
    writeFiles(outside, { 'secret.c': '' });
    symlinkSync(outside, path.join(tree.root, 'fs/out'));
    symlinkSync(path.join(outside, 'secret.c'), path.join(tree.root, 'fs/link.c'));
    expect(listFiles(tree, ['fs'])).toEqual({
      files: ['fs/a.c'],
      skipped: [{ file: 'fs/link.c', reason: 'symbolic link' }],
    });
  });

  it('say nothing of a symbolic link that is another name of a file that they include', () => {
    const tree = smallTree({ 'fs/a.c': '', 'mm/b.c': '' });
    symlinkSync('../mm/b.c', path.join(tree.root, 'fs/b.c'));
    symlinkSync('none.c', path.join(tree.root, 'fs/c.c'));
    const dangling = { file: 'fs/c.c', reason: 'symbolic link' };
    expect(listFiles(tree, ['fs', 'mm'])).toEqual({ files: ['fs/a.c', 'mm/b.c'], skipped: [dangling] });
    expect(listFiles(tree, ['fs'])).toEqual({
      files: ['fs/a.c'],
      skipped: [{ file: 'fs/b.c', reason: 'symbolic link to mm/b.c' }, dangling],
    });
  });

  it('leave out a file that is asked for but no C, and say so', () => {
    const tree = smallTree({ 'fs/Kconfig': '', 'fs/a.c': '' });
    expect(listFiles(tree, ['fs/Kconfig', 'fs/a.c'])).toEqual({
      files: ['fs/a.c'],
      skipped: [{ file: 'fs/Kconfig', reason: 'not a .c or .h file' }],
    });
  });

  it('leave out what is gone by now, and say so', () => {
    const tree = smallTree({ 'fs/a.c': '' });
    rmSync(path.join(tree.root, 'fs'), { recursive: true });
    expect(listFiles(tree, ['fs'])).toEqual({
      files: [],
      skipped: [{ file: 'fs', reason: 'no such file or directory' }],
    });
  });

  // Root may enter any directory.
  it.skipIf(process.getuid?.() === 0)('leave out a directory that may not be read, and say so', () => {
    const tree = smallTree({ 'fs/a.c': '', 'fs/locked/b.c': '' });
    chmodSync(path.join(tree.root, 'fs/locked'), 0);
    expect(listFiles(tree, ['fs'])).toEqual({
      files: ['fs/a.c'],
      skipped: [{ file: 'fs/locked', reason: 'permission denied' }],
    });
    chmodSync(path.join(tree.root, 'fs/locked'), 0o755);
  });
});

describe('reading a file', () => {
  it('gives its bytes, one char each', () => {
    const tree = smallTree();
    const bytes = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1));
    writeFileSync(path.join(tree.root, 'odd.c'), bytes);
    const source = readSource(tree, 'odd.c');
    expect('text' in source && Buffer.from(source.text, 'latin1').equals(bytes)).toBe(true);
  });

  it('skips a binary file by name', () => {
    const tree = smallTree({ 'fs/blob.c': 'int a;\0int b;\n' });
    expect(readSource(tree, 'fs/blob.c')).toEqual({ skipped: { file: 'fs/blob.c', reason: 'binary file' } });
  });

  it('skips by name what cannot be read', () => {
    const tree = smallTree();
    mkdirSync(path.join(tree.root, 'fs/dir.c'), { recursive: true });
    expect(readSource(tree, 'fs/gone.c')).toEqual({
      skipped: { file: 'fs/gone.c', reason: 'no such file or directory' },
    });
    expect(readSource(tree, 'fs/dir.c')).toEqual({
      skipped: { file: 'fs/dir.c', reason: 'illegal operation on a directory' },
    });
  });
});

describe('files that mention a word', () => {
  it('have it as a whole word', () => {
    const tree = smallTree({
      'fs/a.c': 'int demo_alloc(void);',
      'fs/b.c': 'int my_demo_alloc(void);',
      'fs/c.c': 'demo_alloc',
      'fs/d.c': 'demo_alloc2()',
    });
    const { files } = listFiles(tree, ['fs']);
    expect(filesMentioning(tree, 'demo_alloc', files)).toEqual(['fs/a.c', 'fs/c.c']);
    expect(filesMentioning(tree, 'demo.alloc', files)).toEqual([]);
  });
});
