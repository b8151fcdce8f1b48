import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FileChange } from '../../src/edit/plan.js';
import { applyChanges, type FileSystem } from '../../src/output/apply.js';
import { InputError } from '../../src/tree/input-error.js';
import type { KernelTree } from '../../src/tree/kernel-tree.js';
import { smallTree, temporaryDirectory, writeFiles } from '../tree/small-tree.js';

const CHANGES: readonly FileChange[] = [
  { file: 'fs/demo/a.c', before: 'int a;\n', after: 'long a;\n' },
  { file: 'fs/demo/b.c', before: '/* \xff\xe9 */\r\nint b;', after: '/* \xff\xe9 */\r\nlong b;' },
  { file: 'mm/c.c', before: 'int c;\n', after: 'long c;\n' },
];

function treeWith(changes: readonly FileChange[]): KernelTree {
  return smallTree(Object.fromEntries(changes.map(({ file, before }) => [file, before])));
}

/** What is in the files now, and that nothing else lies beside them. */
function contents(tree: KernelTree): string[] {
  expect(readdirSync(path.join(tree.root, 'fs/demo'))).toEqual(['a.c', 'b.c']);
  expect(readdirSync(path.join(tree.root, 'mm'))).toEqual(['c.c']);
  return CHANGES.map(({ file }) => readFileSync(path.join(tree.root, file), 'latin1'));
}

const BEFORE = CHANGES.map(({ before }) => before);
const AFTER = CHANGES.map(({ after }) => after);

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}, somewhere`), { code });
}

/** The real file system, but the `nth` call of `operation` fails. */
function failing(operation: 'open' | 'link' | 'rename', nth: number, error: Error): FileSystem {
  let calls = 0;
  const real = { open: nodeFs.open, link: nodeFs.link, rename: nodeFs.rename }[operation] as (
    ...args: unknown[]
  ) => Promise<unknown>;
  return {
    ...nodeFs,
    [operation]: async (...args: unknown[]) => {
      if (++calls === nth) throw error;
      return await real(...args);
    },
  };
}

describe('applying changes', () => {
  it('writes every file, to the byte, and leaves nothing else behind', async () => {
    const tree = treeWith(CHANGES);
    await applyChanges(tree, CHANGES);
    expect(contents(tree)).toEqual(AFTER);
  });

  it('keeps the mode of a file', async () => {
    const tree = treeWith(CHANGES);
    chmodSync(path.join(tree.root, 'fs/demo/a.c'), 0o755);
    chmodSync(path.join(tree.root, 'mm/c.c'), 0o640);
    await applyChanges(tree, CHANGES);
    expect(statSync(path.join(tree.root, 'fs/demo/a.c')).mode & 0o7777).toBe(0o755);
    expect(statSync(path.join(tree.root, 'mm/c.c')).mode & 0o7777).toBe(0o640);
  });

  it('does not touch a file whose contents stay', async () => {
    const tree = treeWith(CHANGES);
    const { ino, mtimeMs } = statSync(path.join(tree.root, 'fs/demo/a.c'));
    await applyChanges(tree, [{ file: 'fs/demo/a.c', before: 'int a;\n', after: 'int a;\n' }]);
    expect(statSync(path.join(tree.root, 'fs/demo/a.c'))).toMatchObject({ ino, mtimeMs });
  });

  it('has nothing to do for no changes', async () => {
    await expect(applyChanges(smallTree(), [])).resolves.toBeUndefined();
  });
});

describe('a file that changed since it was read', () => {
  it('stops everything before anything is written', async () => {
    const tree = treeWith(CHANGES);
    writeFiles(tree.root, { 'mm/c.c': 'short c;\n' });
    await expect(applyChanges(tree, CHANGES)).rejects.toThrow(
      new InputError('mm/c.c: changed since it was read; run again; all files are as they were'),
    );
    expect(contents(tree)).toEqual([BEFORE[0], BEFORE[1], 'short c;\n']);
  });

  it('is noticed even while the others are being written', async () => {
    const tree = treeWith(CHANGES);
    const fs: FileSystem = {
      ...nodeFs,
      rename: (async (from, to) => {
        // An editor saves the last file just when the first one is put in place.
        writeFiles(tree.root, { 'mm/c.c': 'short c;\n' });
        return await nodeFs.rename(from, to);
      }) as FileSystem['rename'],
    };
    await expect(applyChanges(tree, CHANGES, { fs })).rejects.toThrow('mm/c.c: changed since it was read');
    expect(contents(tree)).toEqual([BEFORE[0], BEFORE[1], 'short c;\n']);
  });

  it('may be gone', async () => {
    const tree = treeWith(CHANGES);
    renameSync(path.join(tree.root, 'fs/demo/b.c'), path.join(tree.root, 'fs/b.c'));
    await expect(applyChanges(tree, CHANGES)).rejects.toThrow(
      'fs/demo/b.c: no such file or directory; all files are as they were',
    );
    expect(readFileSync(path.join(tree.root, 'fs/demo/a.c'), 'latin1')).toBe(BEFORE[0]);
  });
});

describe('a failure in the middle', () => {
  it.each([
    ['open', 1, 'fs/demo/a.c'],
    ['open', 3, 'mm/c.c'],
    ['link', 1, 'fs/demo/a.c'],
    ['link', 2, 'fs/demo/b.c'],
    ['rename', 1, 'fs/demo/a.c'],
    ['rename', 2, 'fs/demo/b.c'],
    ['rename', 3, 'mm/c.c'],
  ] as const)('of %s number %i leaves every file as it was, and says so', async (operation, nth, file) => {
    const tree = treeWith(CHANGES);
    const inodes = CHANGES.map((change) => statSync(path.join(tree.root, change.file)).ino);
    const fs = failing(operation, nth, systemError('EIO', 'i/o error'));
    await expect(applyChanges(tree, CHANGES, { fs })).rejects.toThrow(
      new InputError(`${file}: i/o error; all files are as they were`),
    );
    expect(contents(tree)).toEqual(BEFORE);
    expect(CHANGES.map((change) => statSync(path.join(tree.root, change.file)).ino)).toEqual(inodes);
  });

  it('may be a directory in which nothing can be written', async () => {
    const tree = treeWith(CHANGES);
    const fs = failing('open', 2, systemError('EACCES', 'permission denied'));
    await expect(applyChanges(tree, CHANGES, { fs })).rejects.toThrow(
      'fs/demo/b.c: permission denied; all files are as they were',
    );
    expect(contents(tree)).toEqual(BEFORE);
  });

  // Root may write anywhere.
  it.skipIf(process.getuid?.() === 0)('may be a read-only directory', async () => {
    const tree = treeWith(CHANGES);
    chmodSync(path.join(tree.root, 'mm'), 0o555);
    try {
      await expect(applyChanges(tree, CHANGES)).rejects.toThrow('mm/c.c: permission denied');
    } finally {
      chmodSync(path.join(tree.root, 'mm'), 0o755);
    }
    expect(contents(tree)).toEqual(BEFORE);
  });

  it('may be a full disk, half way through the contents', async () => {
    const tree = treeWith(CHANGES);
    const fs: FileSystem = {
      ...nodeFs,
      open: (async (file: string, flags: string, mode: number) => {
        const handle = await nodeFs.open(file, flags, mode);
        if (file.startsWith(path.join(tree.root, 'mm')))
          handle.writeFile = async () => {
            await handle.write('lo');
            throw systemError('ENOSPC', 'no space left on device');
          };
        return handle;
      }) as FileSystem['open'],
    };
    await expect(applyChanges(tree, CHANGES, { fs })).rejects.toThrow('mm/c.c: no space left on device');
    expect(contents(tree)).toEqual(BEFORE);
  });

  it('that cannot be taken back either names the file and where its contents are', async () => {
    const tree = treeWith(CHANGES);
    let calls = 0;
    const fs: FileSystem = {
      ...nodeFs,
      rename: (async (from, to) => {
        // The first file is put in place; nothing can be renamed any more after that.
        if (++calls > 1) throw systemError('EROFS', 'read-only file system');
        return await nodeFs.rename(from, to);
      }) as FileSystem['rename'],
    };
    const failure = await applyChanges(tree, CHANGES, { fs }).catch((error: Error) => error.message);
    const kept = `fs/demo/.gfp-scope-${process.pid}-0.old`;
    expect(failure).toBe(
      'fs/demo/b.c: read-only file system; could not put back fs/demo/a.c ' +
        `(its former contents are in ${kept}); all other files are as they were`,
    );
    expect(readFileSync(path.join(tree.root, kept), 'latin1')).toBe(BEFORE[0]);
    expect(readFileSync(path.join(tree.root, 'fs/demo/b.c'), 'latin1')).toBe(BEFORE[1]);
    expect(readFileSync(path.join(tree.root, 'mm/c.c'), 'latin1')).toBe(BEFORE[2]);
  });
});

describe('a file system without hard links', () => {
  const noLinks: FileSystem = {
    ...nodeFs,
    link: async () => {
      throw systemError('EPERM', 'operation not permitted');
    },
  };

  it('gets the changes', async () => {
    const tree = treeWith(CHANGES);
    await applyChanges(tree, CHANGES, { fs: noLinks });
    expect(contents(tree)).toEqual(AFTER);
  });

  it('gets its old contents back after a failure', async () => {
    const tree = treeWith(CHANGES);
    const fs = { ...failing('rename', 3, systemError('EIO', 'i/o error')), link: noLinks.link };
    await expect(applyChanges(tree, CHANGES, { fs })).rejects.toThrow('mm/c.c: i/o error');
    expect(contents(tree)).toEqual(BEFORE);
  });
});

describe('an interruption', () => {
  it('takes back what was done', async () => {
    const tree = treeWith(CHANGES);
    const controller = new AbortController();
    const fs: FileSystem = {
      ...nodeFs,
      rename: (async (from, to) => {
        await nodeFs.rename(from, to);
        controller.abort(new Error('interrupted'));
      }) as FileSystem['rename'],
    };
    await expect(applyChanges(tree, CHANGES, { fs, signal: controller.signal })).rejects.toThrow(
      'interrupted',
    );
    expect(contents(tree)).toEqual(BEFORE);
  });
});

describe('symbolic links', () => {
  it('inside the tree are followed: the file behind changes, the link stays', async () => {
    const tree = treeWith(CHANGES);
    symlinkSync('../mm/c.c', path.join(tree.root, 'fs/link.c'));
    await applyChanges(tree, [{ file: 'fs/link.c', before: 'int c;\n', after: 'long c;\n' }]);
    expect(lstatSync(path.join(tree.root, 'fs/link.c')).isSymbolicLink()).toBe(true);
    expect(readFileSync(path.join(tree.root, 'mm/c.c'), 'latin1')).toBe('long c;\n');
  });

  it('out of the tree are not, be it the file', async () => {
    const tree = treeWith(CHANGES);
    const outside = path.join(temporaryDirectory(), 'x.c');
    writeFileSync(outside, 'int x;\n');
    symlinkSync(outside, path.join(tree.root, 'mm/x.c'));
    const change = { file: 'mm/x.c', before: 'int x;\n', after: 'long x;\n' };
    await expect(applyChanges(tree, [CHANGES[0]!, change])).rejects.toThrow(
      'mm/x.c: a symbolic link leads out of the kernel tree from here; all files are as they were',
    );
    expect(readFileSync(outside, 'utf8')).toBe('int x;\n');
    expect(readFileSync(path.join(tree.root, 'fs/demo/a.c'), 'latin1')).toBe(BEFORE[0]);
  });

  it('out of the tree are not, be it a directory on the way that was swapped for a link', async () => {
    const tree = treeWith(CHANGES);
    const outside = path.join(temporaryDirectory(), 'mm');
    renameSync(path.join(tree.root, 'mm'), outside);
    symlinkSync(outside, path.join(tree.root, 'mm'));
    await expect(applyChanges(tree, CHANGES)).rejects.toThrow('mm/c.c: a symbolic link leads out');
    expect(readFileSync(path.join(outside, 'c.c'), 'latin1')).toBe(BEFORE[2]);
    expect(readdirSync(outside)).toEqual(['c.c']);
  });

  it('are no matter where the target is no file at all', async () => {
    const tree = treeWith(CHANGES);
    mkdirSync(path.join(tree.root, 'mm/d.c'));
    await expect(applyChanges(tree, [{ file: 'mm/d.c', before: '', after: 'x' }])).rejects.toThrow(
      'mm/d.c: not a regular file',
    );
  });
});

describe('a git work tree', () => {
  function commit(tree: KernelTree, root = tree.root): void {
    for (const args of [
      ['init', '-q'],
      ['add', '-A'],
      ['commit', '-q', '-m', 'start'],
    ])
      execFileSync('git', ['-C', root, '-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], {
        env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
      });
  }

  it('takes the changes if the files concerned are committed', async () => {
    const tree = treeWith([...CHANGES, { file: 'mm/other.h', before: '', after: '' }]);
    commit(tree);
    writeFiles(tree.root, { 'mm/other.h': 'int other;\n' });
    await applyChanges(tree, CHANGES);
    expect(readFileSync(path.join(tree.root, 'mm/c.c'), 'latin1')).toBe('long c;\n');
  });

  it.each([
    ['changed', (tree: KernelTree) => writeFiles(tree.root, { 'mm/c.c': 'int  c;\n' })],
    [
      'staged',
      (tree: KernelTree) => {
        writeFiles(tree.root, { 'mm/c.c': 'int  c;\n' });
        execFileSync('git', ['-C', tree.root, 'add', 'mm/c.c']);
      },
    ],
    [
      'untracked',
      (tree: KernelTree) => execFileSync('git', ['-C', tree.root, 'rm', '-q', '--cached', 'mm/c.c']),
    ],
  ])('refuses them if one of the files is %s', async (_, change) => {
    const tree = treeWith(CHANGES);
    commit(tree);
    change(tree);
    const changes = CHANGES.map((c) => ({
      ...c,
      before: readFileSync(path.join(tree.root, c.file), 'latin1'),
    }));
    await expect(applyChanges(tree, changes)).rejects.toThrow(
      new InputError('uncommitted changes in mm/c.c: nothing was written; commit them or use --force'),
    );
    expect(readFileSync(path.join(tree.root, 'fs/demo/a.c'), 'latin1')).toBe(BEFORE[0]);

    await applyChanges(tree, changes, { force: true });
    expect(readFileSync(path.join(tree.root, 'mm/c.c'), 'latin1')).toBe('long c;\n');
  });

  it('may hold the kernel tree in a subdirectory', async () => {
    const tree = treeWith(CHANGES);
    commit(tree, path.dirname(tree.root));
    writeFiles(tree.root, { 'mm/c.c': 'int  c;\n' });
    await expect(applyChanges(tree, [{ ...CHANGES[2]!, before: 'int  c;\n' }])).rejects.toThrow(
      'uncommitted changes in mm/c.c:',
    );
    await applyChanges(tree, CHANGES.slice(0, 2));
    expect(readFileSync(path.join(tree.root, 'fs/demo/a.c'), 'latin1')).toBe(AFTER[0]);
  });

  it('does not take a name for a pattern', async () => {
    const odd = { file: 'mm/[ab].c', before: 'int a;\n', after: 'int b;\n' };
    const tree = treeWith([odd, { file: 'mm/a.c', before: '', after: '' }]);
    commit(tree);
    writeFiles(tree.root, { 'mm/a.c': 'int changed;\n' });
    await applyChanges(tree, [odd]);
    expect(readFileSync(path.join(tree.root, odd.file), 'latin1')).toBe('int b;\n');
  });

  it('that git cannot read is refused unless forced', async () => {
    const tree = treeWith(CHANGES);
    writeFiles(tree.root, { '.git': 'gitdir: /nonexistent\n' });
    await expect(applyChanges(tree, CHANGES)).rejects.toThrow(/cannot ask git .*--force does without/);
    expect(contents(tree)).toEqual(BEFORE);
    await applyChanges(tree, CHANGES, { force: true });
    expect(existsSync(path.join(tree.root, '.git'))).toBe(true);
    expect(contents(tree)).toEqual(AFTER);
  });
});
