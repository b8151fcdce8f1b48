import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scanSchema } from '../../src/output/scan-document.js';
import { temporaryDirectory, writeFiles } from '../tree/small-tree.js';
import { realSession } from './session.js';

const BASE = fileURLToPath(new URL('../../fixtures/lock-scope/base', import.meta.url));
const OUTFS = fileURLToPath(new URL('../../fixtures/module/outfs', import.meta.url));

/** The program, with a module and a kernel beside each other in the current directory. */
function setting() {
  const top = temporaryDirectory();
  cpSync(BASE, path.join(top, 'linux'), { recursive: true });
  cpSync(OUTFS, path.join(top, 'outfs'), { recursive: true });
  const run = (args: readonly string[], cwd = '.') => realSession(path.join(top, cwd), args);
  return { top, run };
}

const WITH = ['--no-cache', '--tree', 'linux', '--module', 'outfs'];
const ALONE = ['--no-cache', '--module', 'outfs'];
const NO_KERNEL = 'gfp-scope: no kernel tree: what the kernel calls or takes is not known (--tree DIR)\n';

/** Every file below a directory with its contents. */
function contents(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter(
    (name) => !name.startsWith('.git') && statSync(path.join(directory, name)).isFile(),
  );
  return Object.fromEntries(files.map((name) => [name, readFileSync(path.join(directory, name), 'latin1')]));
}

function git(cwd: string, ...args: string[]): void {
  const as = [
    '-c',
    'user.name=A U Thor',
    '-c',
    'user.email=author@example.com',
    '-c',
    'commit.gpgsign=false',
  ];
  execFileSync('git', [...as, ...args], { cwd, stdio: 'pipe' });
}

describe('--module with a kernel tree', () => {
  it('scan gives paths in the module, and says what for', async () => {
    const { run } = setting();
    const { status, stdout, stderr } = await run(['scan', ...WITH]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.match(/^\S+:\d+:\d+ +\S+/gm)).toEqual([
      'fs/inode.c:14:44  scopable',
      'fs/inode.c:20:40  opaque',
      'fs/inode.c:30:27  scopable',
      'fs/ioctl.c:12:22  lock-free',
      'fs/ioctl.c:21:23  opaque',
    ]);
    expect(stdout).toContain('5 sites in 2 files of outfs, a module for Linux 6.12.0\n');
    expect(stdout).not.toContain('module:');
  });

  it('scan takes paths below the module, from here and from its top', async () => {
    const { run } = setting();
    const files = async (args: string[], cwd?: string) => {
      const { status, stdout } = await run(['scan', '--format', 'json', '--no-cache', ...args], cwd);
      expect(status).toBe(0);
      return new Set(JSON.parse(stdout).sites.map((site: { file: string }) => site.file));
    };
    const one = new Set(['fs/ioctl.c']);
    expect(await files(['--tree', 'linux', '--module', 'outfs', 'fs/ioctl.c'])).toEqual(one);
    expect(await files(['--tree', 'linux', '--module', 'outfs', 'outfs/fs/ioctl.c'])).toEqual(one);
    expect(await files(['--tree', '../linux', '--module', '.', 'fs/ioctl.c'], 'outfs')).toEqual(one);
    // Around here is a kernel.
    expect(await files(['--module', '../outfs', 'fs/ioctl.c'], 'linux')).toEqual(one);
  });

  it('explain tells the files of the kernel from those of the module', async () => {
    const { run } = setting();
    const place = await run(['explain', ...WITH, 'fs/ioctl.c:12']);
    expect([place.status, place.stderr]).toEqual([0, '']);
    expect(place.stdout).toMatch(/^ +vfs_ioctl +linux:fs\/ioctl\.c:\d+ +calls outfs_ioctl/m);
    expect(place.stdout).toMatch(/^ +outfs_ioctl +fs\/ioctl\.c:12$/m);
    const lock = await run(['explain', ...WITH, 'outfs_sb_info.lock']);
    expect(lock.stdout).toMatch(/^ +outfs_evict_inode +super\.c:\d+ +acquires outfs_sb_info\.lock$/m);
    expect(lock.stdout).toMatch(/^ +fs\/ioctl\.c:13 +outfs_ioctl +scope proposed$/m);
    expect(await run(['explain', ...WITH, 'fs/ioctl.c:1'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /^gfp-scope: fs\/ioctl\.c:1: no site.*nearest sites are on line 12, 21\n$/,
      ),
    });
  });

  it('diff applies in the module with patch and git', async () => {
    const { run, top } = setting();
    const { status, stdout, stderr } = await run(['diff', ...WITH]);
    expect([status, stderr]).toEqual([
      0,
      '1 scope and 2 downgraded masks in 2 files\n5 sites: 2 scopable, 1 lock-free, 2 opaque\n',
    ]);
    const outfs = path.join(top, 'outfs');
    execFileSync('patch', ['-p1', '--dry-run'], { cwd: outfs, input: Buffer.from(stdout, 'latin1') });
    git(outfs, 'init', '-q');
    execFileSync('git', ['apply', '-'], { cwd: outfs, input: Buffer.from(stdout, 'latin1') });
    expect(readFileSync(path.join(outfs, 'fs/ioctl.c'), 'latin1')).toContain('memalloc_nofs_save();');
  });

  it('apply writes what diff shows in the module, nothing in the kernel, and then has nothing to do', async () => {
    const { run, top } = setting();
    const kernel = contents(path.join(top, 'linux'));
    expect((await run(['apply', ...WITH])).status).toBe(0);
    const after = contents(path.join(top, 'outfs'));
    const changed = Object.entries(contents(OUTFS)).filter(([name, text]) => after[name] !== text);
    expect(changed.map(([name]) => name)).toEqual(['fs/inode.c', 'fs/ioctl.c']);
    expect(contents(path.join(top, 'linux'))).toEqual(kernel);
    const again = await run(['diff', '--exit-code', ...WITH]);
    expect([again.status, again.stdout]).toEqual([0, '']);
  });

  it('apply asks the git around the module', async () => {
    const { run, top } = setting();
    const outfs = path.join(top, 'outfs');
    git(outfs, 'init', '-q');
    expect(await run(['apply', ...WITH])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/uncommitted changes in fs\/inode\.c, fs\/ioctl\.c: nothing was written/),
    });
    expect(contents(outfs)).toEqual(contents(OUTFS));
  });

  it('series applies in a repository of the module, under its name', async () => {
    const { run, top } = setting();
    const outfs = path.join(top, 'outfs');
    git(outfs, 'init', '-q', '-b', 'main');
    git(outfs, 'add', '.');
    git(outfs, 'commit', '-q', '-m', 'The module');
    const series = await run(['series', ...WITH, '-o', 'out', '--from', 'A U Thor <author@example.com>']);
    expect(series.status).toBe(0);
    const patches = series.stdout.trim().split('\n');
    expect(patches.map((name) => path.basename(name))).toEqual([
      '0000-cover-letter.patch',
      expect.stringMatching(/^0001-outfs-open-a-NOFS-scope-where-outfs_sb_info\.lock-is/),
      expect.stringMatching(/^0002-outfs-drop-GFP_NOFS-inside-the-outfs_sb_info\.lock-/),
    ]);
    for (const name of patches.slice(1)) git(outfs, 'am', '-q', path.join(top, name));
    const series2 = contents(outfs);
    git(outfs, 'reset', '-q', '--hard', 'HEAD~2');
    expect((await run(['apply', ...WITH])).status).toBe(0);
    expect(contents(outfs)).toEqual(series2);
  });

  it('keeps what it found, and finds out where the module or the kernel is another one', async () => {
    const { run, top } = setting();
    cpSync(path.join(top, 'outfs'), path.join(top, 'more/outfs'), { recursive: true });
    const home = path.join(top, 'home');
    mkdirSync(home);
    const scan = async (module: string) => {
      const args = ['scan', '--tree', 'linux', '--module', module, '--format', 'json'];
      const { stdout } = await realSession(top, args, { XDG_CACHE_HOME: home });
      expect((await run([...args, '--no-cache'])).stdout).toBe(stdout);
      return JSON.parse(stdout).summary.sites;
    };
    expect([await scan('outfs'), await scan('outfs'), await scan('more/outfs')]).toEqual([5, 5, 5]);
    expect(
      readdirSync(path.join(home, 'gfp-scope/facts')).filter((name) => name.startsWith('r-')),
    ).not.toEqual([]);
    // How the files looked is known for each of the two.
    const kept = readdirSync(path.join(home, 'gfp-scope/facts'));
    expect(kept.filter((name) => name.startsWith('s-'))).toHaveLength(2);
    appendFileSync(
      path.join(top, 'more/outfs/super.c'),
      'void *more(void)\n{\n\treturn kmalloc(1, GFP_NOFS);\n}\n',
    );
    expect([await scan('outfs'), await scan('more/outfs'), await scan('outfs')]).toEqual([5, 6, 5]);
    appendFileSync(path.join(top, 'linux/fs/ioctl.c'), 'void outside_of_this(void *p, gfp_t gfp);\n');
    expect(await scan('outfs')).toBe(5);
  });

  it.each([
    ['a missing directory', ['--module', 'none'], /^gfp-scope: \S+\/none: no such file or directory\n$/],
    ['a file', ['--module', 'outfs/super.c'], /^gfp-scope: \S+\/outfs\/super\.c: not a directory\n$/],
    ['no name', ['--module', ''], /^gfp-scope: --module: empty path\n$/],
    [
      'a directory of the kernel',
      ['--module', 'linux/fs/examplefs'],
      /^gfp-scope: --module \S+: inside of the kernel tree \S+\/linux; give it as a path instead\n$/,
    ],
    ['no C file', ['--module', 'empty'], /^gfp-scope: --module empty: no \.c file in it\n$/],
    [
      'a path in the kernel',
      ['--module', 'outfs', 'linux/fs/inode.c'],
      /is outside of the module \S+\/outfs\n$/,
    ],
  ])('ends with 2 for %s', async (_, args, message) => {
    const { run, top } = setting();
    writeFiles(top, { 'empty/notes.txt': '', 'empty/a.h': '' });
    for (const verb of ['scan', 'diff', 'apply']) {
      const { status, stdout, stderr } = await run([verb, '--no-cache', '--tree', 'linux', ...args]);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(message);
    }
  });
});

describe('--module without a kernel tree', () => {
  it('scan says what is less certain, in the listing and in the document', async () => {
    const { run } = setting();
    const text = await run(['scan', ...ALONE]);
    expect([text.status, text.stderr]).toEqual([0, NO_KERNEL]);
    expect(text.stdout).toContain('of outfs, a module without a kernel tree\n');
    const json = await run(['scan', ...ALONE, '--format', 'json']);
    const document = scanSchema.parse(JSON.parse(json.stdout));
    expect(document.tree).toMatchObject({ version: '', module: 'outfs' });
    expect(document.tree.limits).toHaveLength(4);
    for (const limit of document.tree.limits) expect(text.stdout).toContain(`${limit}\n`);
    expect(document.summary.byVerdict).toMatchObject({ scopable: 2, opaque: 3, 'lock-free': 0 });
  });

  it('and with headers alone: the tree is none', async () => {
    const { run, top } = setting();
    for (const sources of ['fs', 'mm']) rmSync(path.join(top, 'linux', sources), { recursive: true });
    const { status, stdout, stderr } = await run(['scan', ...WITH]);
    expect([status, stderr]).toEqual([0, NO_KERNEL.replace('kernel tree', 'kernel sources in the tree')]);
    expect(stdout).toContain('of outfs, a module with the headers of Linux 6.12.0\n');
  });

  it('changes what has all callers in the module, with every verb', async () => {
    const { run, top } = setting();
    const diff = await run(['diff', ...ALONE]);
    expect(diff.stderr).toBe(
      `${NO_KERNEL}1 scope and 2 downgraded masks in 2 files\n5 sites: 2 scopable, 3 opaque\n`,
    );
    expect(diff.stdout).toContain('+#include <linux/sched/mm.h>');
    const explained = await run(['explain', ...ALONE, 'outfs_new_note']);
    expect(explained.stdout).toMatch(
      /^ +scopable: every path is in a scope once outfs_sb_info\.lock has one$/m,
    );
    const series = await run(['series', ...ALONE, '-o', 'out', '--from', 'A U Thor <author@example.com>']);
    expect(series.status).toBe(0);
    expect((await run(['apply', ...ALONE])).status).toBe(0);
    const by = execFileSync('patch', ['-R', '-p1', '--dry-run'], {
      cwd: path.join(top, 'outfs'),
      input: Buffer.from(diff.stdout, 'latin1'),
    });
    expect(by.toString()).toMatch(/ioctl/);
  });

  it('is not what happens where the tree that was named is missing or too old', async () => {
    const { run, top } = setting();
    expect((await run(['scan', '--tree', 'none', '--module', 'outfs'])).status).toBe(2);
    writeFiles(top, { 'old/Makefile': 'VERSION = 4\nPATCHLEVEL = 4\n', 'old/include/linux/gfp.h': '' });
    expect(await run(['scan', '--tree', 'old', '--module', 'outfs'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/Linux 4\.4 has no memalloc_nofs_save\(\)/),
    });
  });

  it('and without --module there must be a tree', async () => {
    const { run } = setting();
    expect(await run(['scan', '--no-cache', 'outfs'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/is not in a kernel tree; say which one with --tree DIR\n$/),
    });
  });
});
