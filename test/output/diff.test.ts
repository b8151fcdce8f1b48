import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { FileChange } from '../../src/edit/plan.js';
import { fileDiff, quoteName, unifiedDiff } from '../../src/output/diff.js';
import { temporaryDirectory, writeFiles } from '../tree/small-tree.js';

const BEFORE = `// SPDX-License-Identifier: GPL-2.0
#include <linux/fs.h>

struct demo_lock {
	struct mutex lock;
};

static int demo_first(struct demo *d)
{
	int ret;

	mutex_lock(&d->lock);
	d->a = kmalloc(10, GFP_NOFS);
	d->b = 1;
	if (!d->a)
		goto out;
	d->c = 2;
	d->d = 3;
out:
	mutex_unlock(&d->lock);
	return ret;
}

int demo_second(struct demo *d)
{
	d->e = 1;
	d->f = 2;
	d->g = 3;
	d->h = 4;
	d->i = kmalloc(10, GFP_NOFS);
	return 0;
}
`;
const AFTER = BEFORE.replace(
  '#include <linux/fs.h>\n',
  '#include <linux/fs.h>\n#include <linux/sched/mm.h>\n',
)
  .replace('\tmutex_lock', '\tnofs_flags = memalloc_nofs_save();\n\tmutex_lock')
  .replace('\treturn ret', '\tmemalloc_nofs_restore(nofs_flags);\n\treturn ret')
  .replaceAll('GFP_NOFS', 'GFP_KERNEL');

/** Odd files, each with one change: what `git apply` and the bytes have to survive. */
const ODD: readonly (FileChange & { readonly name: string })[] = [
  { name: 'a plain file', file: 'fs/demo/inode.c', before: BEFORE, after: AFTER },
  {
    name: 'CRLF line ends',
    file: 'fs/crlf.c',
    before: BEFORE.replaceAll('\n', '\r\n'),
    after: AFTER.replaceAll('\n', '\r\n'),
  },
  { name: 'no last newline', file: 'fs/end.c', before: 'int a;\nint b;', after: 'int a;\nint c;' },
  { name: 'a last newline gained', file: 'fs/gain.c', before: 'int a;\nint b;', after: 'int a;\nint b;\n' },
  { name: 'a last newline lost', file: 'fs/lose.c', before: 'int a;\nint b;\n', after: 'int a;\nint b;' },
  {
    name: 'no last newline in the context',
    file: 'fs/context.c',
    before: 'int a;\nint b;\nint c;',
    after: 'long a;\nint b;\nint c;',
  },
  {
    name: 'bytes that are no UTF-8, form feeds, lone carriage returns',
    file: 'fs/odd.c',
    before: '/* \xe9\xff\x80 */\n\f\nint a;\rint b;\n\x1b\x7f\nint c;\n',
    after: '/* \xe9\xff\x80 */\n\f\nint a;\rlong b;\n\x1b\x7f\nint c;\n',
  },
  { name: 'an empty file filled', file: 'fs/empty.c', before: '', after: 'int a;\n' },
  { name: 'a file emptied', file: 'fs/emptied.c', before: 'int a;\n', after: '' },
  {
    name: 'a line put before the first',
    file: 'fs/first.c',
    before: 'b\n'.repeat(9),
    after: `a\n${'b\n'.repeat(9)}`,
  },
  { name: 'a space in the name', file: 'fs/a file.c', before: 'int a;\n', after: 'int b;\n' },
  { name: 'a quote and a backslash in the name', file: 'fs/a"b\\c.c', before: 'int a;\n', after: 'int b;\n' },
  { name: 'a name beyond ASCII, with a space', file: 'fs/é a.c', before: 'int a;\n', after: 'int b;\n' },
  { name: 'a tab and a newline in the name', file: 'fs/t\tn\n.c', before: 'int a;\n', after: 'int b;\n' },
];

/** A git repository with the files as they are before, committed. */
function repository(changes: readonly FileChange[]): string {
  const root = temporaryDirectory();
  writeFiles(root, { '.gitattributes': '*.c diff=cpp\n' });
  for (const change of changes) writeFiles(root, { [change.file]: change.before });
  git(root, 'init', '-q');
  git(root, 'add', '-A');
  git(root, '-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '-q', '-m', 'start');
  return root;
}

function git(root: string, ...args: string[]): string {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  return execFileSync('git', ['-C', root, ...args], { encoding: 'latin1', env });
}

describe('a diff', () => {
  it.each(ODD)('is what git diff writes: $name', (change) => {
    const root = repository([change]);
    writeFiles(root, { [change.file]: change.after });
    expect(fileDiff(change, { mode: () => '100644' })).toBe(git(root, 'diff', '--abbrev=12'));
  });

  it.each(ODD)('is taken by git apply, to the byte: $name', (change) => {
    const root = repository([change]);
    const patch = Buffer.from(fileDiff(change, { mode: () => '100644' }), 'latin1');
    for (const check of [['--check'], []]) {
      const applied = spawnSync('git', ['apply', ...check, '-'], {
        cwd: root,
        input: patch,
        encoding: 'utf8',
      });
      expect([applied.status, applied.stderr]).toEqual([0, expect.not.stringContaining('error')]);
    }
    expect(readFileSync(path.join(root, change.file), 'latin1')).toBe(change.after);
  });

  it('has all files, one after the other, in the order given', () => {
    const root = repository(ODD);
    expect(unifiedDiff(ODD)).toBe(ODD.map((change) => fileDiff(change)).join(''));
    const applied = spawnSync('git', ['apply', '-'], {
      cwd: root,
      input: Buffer.from(unifiedDiff(ODD), 'latin1'),
      encoding: 'utf8',
    });
    expect(applied.status).toBe(0);
    for (const change of ODD) expect(readFileSync(path.join(root, change.file), 'latin1')).toBe(change.after);
  });

  it('leaves out a file that did not change', () => {
    expect(unifiedDiff([{ file: 'fs/same.c', before: BEFORE, after: BEFORE }])).toBe('');
  });

  it('names the mode that the file has', () => {
    const change = { file: 'fs/run.c', before: 'int a;\n', after: 'int b;\n' };
    const root = repository([]);
    writeFiles(root, { 'fs/run.c': change.before });
    chmodSync(path.join(root, 'fs/run.c'), 0o755);
    git(root, 'add', '-A');
    writeFiles(root, { 'fs/run.c': change.after });
    expect(fileDiff(change, { mode: () => '100755' })).toBe(git(root, 'diff', '--abbrev=12'));
  });

  it('cuts a long heading where git does, and takes no label for a function', () => {
    const long = `static int demo_${'x'.repeat(60)}(struct demo *d, int second)`;
    const before = `${long}\n{\n\ta;\n\tb;\nout:\nerr: /* why */\n\tc;\n\td;\n\te;\n\tf;\n}\n`;
    const change = { file: 'fs/a.c', before, after: before.replace('\tf;', '\tg;') };
    const root = repository([change]);
    writeFiles(root, { 'fs/a.c': change.after });
    const diff = fileDiff(change, { mode: () => '100644' });
    expect(diff).toBe(git(root, 'diff', '--abbrev=12'));
    expect(diff).toContain(`@@ ${long.slice(0, 80)}\n`);
  });

  it('is coloured line by line, and says the same without the colours', () => {
    const change = { file: 'fs/a.c', before: BEFORE, after: AFTER };
    const coloured = fileDiff(change, { colour: true });
    expect(coloured).toContain('\x1b[1mdiff --git a/fs/a.c b/fs/a.c\x1b[22m\n');
    expect(coloured).toContain('\x1b[32m+#include <linux/sched/mm.h>\x1b[39m\n');
    expect(coloured).toContain('\x1b[31m-\td->a = kmalloc(10, GFP_NOFS);\x1b[39m\n');
    expect(coloured).toContain('\x1b[36m@@ -9,8 +10,9 @@\x1b[39m static int demo_first(struct demo *d)\n');
    expect(stripVTControlCharacters(coloured)).toBe(fileDiff(change));
    expect(fileDiff(change)).not.toContain('\x1b');
  });
});

describe('a name in a diff', () => {
  it.each([
    ['fs/a.c', 'fs/a.c'],
    ['fs/a b.c', 'fs/a b.c'],
    ["fs/it's.c", "fs/it's.c"],
    ['fs/a"b.c', '"fs/a\\"b.c"'],
    ['a\\b', '"a\\\\b"'],
    ['é', '"\\303\\251"'],
    ['\x01\x7f\t', '"\\001\\177\\t"'],
  ])('%j is quoted as git quotes it', (name, quoted) => {
    expect(quoteName(name)).toBe(quoted);
  });
});
