import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory, writeFiles } from '../tree/small-tree.js';
import { realSession } from './session.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures/lock-scope/', import.meta.url));
const CASE = 'fs/examplefs/case.c';

/** Objects are empty files; a source says in comments what its compiler would: WARN_ME, BREAK_ME. */
const MAKEFILE = `# SPDX-License-Identifier: GPL-2.0
VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 7
EXTRAVERSION =

MAKEFLAGS += --no-builtin-rules
.PHONY: FORCE allmodconfig olddefconfig noconfig prepare

allmodconfig:
	@echo "made by $@" > $(O)/.config
olddefconfig:
	@cat $(O)/.config
noconfig:
	@echo "no such thing" >&2; false
prepare:
	@test -f $(O)/.config
%.o: FORCE
	@sh scripts/compile.sh $@ $(O)
FORCE:
	@:
`;

const COMPILE = `source=\${1%.o}.c
mkdir -p "$2/\${1%/*}"
grep -n WARN_ME $source | sed "s|^\\([0-9]*\\):.*|$PWD/$source:\\1:1: warning: marked [-Wmarked]|" >&2
if grep -q BREAK_ME $source; then
	echo "$PWD/$source:1:1: error: broken" >&2
	exit 1
fi
touch "$2/$1"
`;

/** Complains of a mail in which its word stands. */
const CHECKPATCH = `#!/usr/bin/perl
open(my $mail, '<', $ARGV[-1]);
my $found = grep { /MAIL_WARNS/ } <$mail>;
print "$ARGV[-1]:7: WARNING:FAKE: the word is there\\n" if $found;
exit($found ? 1 : 0);
`;

let top: string;
let tree: string;
let env: Record<'TMPDIR' | 'PATH', string | undefined>;

beforeEach(() => {
  top = temporaryDirectory();
  tree = path.join(top, 'linux');
  cpSync(path.join(FIXTURES, 'base'), tree, { recursive: true });
  cpSync(path.join(FIXTURES, 'wrapper-pair/before.c'), path.join(tree, CASE));
  writeFiles(tree, {
    Makefile: MAKEFILE,
    'scripts/compile.sh': COMPILE,
    'scripts/checkpatch.pl': CHECKPATCH,
  });
  mkdirSync(path.join(top, 'tmp'));
  env = { TMPDIR: process.env.TMPDIR, PATH: process.env.PATH };
  process.env.TMPDIR = path.join(top, 'tmp');
});

afterEach(() => {
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  expect(readdirSync(path.join(top, 'tmp'))).toEqual([]);
});

const git = (...args: string[]): string => execFileSync('git', args, { cwd: tree, encoding: 'utf8' });

function commitTree(): void {
  git('init', '--quiet', '.');
  git('add', '--all');
  git('-c', 'user.name=A', '-c', 'user.email=a@example.com', 'commit', '--quiet', '--message', 'tree');
}

const verify = (...args: string[]) => realSession(tree, ['verify', '--no-cache', ...args]);

/** Writes the series for the case, and gives the names of its patches. */
async function series(): Promise<string[]> {
  const argv = [
    'series',
    '--no-cache',
    '-o',
    path.join(top, 'out'),
    '--from',
    'A U Thor <author@example.com>',
    'fs/examplefs',
  ];
  expect(await realSession(tree, argv)).toMatchObject({ status: 0 });
  const names = readdirSync(path.join(top, 'out')).filter((name) => !name.startsWith('0000-'));
  return names.map((name) => path.join(top, 'out', name));
}

/** Puts a word behind the added line in which `text` stands. */
function mark(patch: string, text: string, word: string): void {
  const lines = readFileSync(patch, 'latin1').split('\n');
  const i = lines.findIndex((line) => line.startsWith('+') && line.includes(text));
  expect(i).toBeGreaterThan(0);
  lines[i] += ` /* ${word} */`;
  writeFileSync(patch, lines.join('\n'), 'latin1');
}

describe('verify', () => {
  it('builds each prefix, and leaves nothing behind in the repository', async () => {
    commitTree();
    const before = [
      git('status', '--porcelain'),
      git('rev-parse', 'HEAD'),
      readFileSync(path.join(tree, CASE), 'latin1'),
    ];
    const { status, stdout } = await verify('fs/examplefs');
    expect(stdout).toMatch(
      /^ok +1\/1 +0 +[-0] +0\/0\/0 +1 examplefs: open a NOFS scope .*\nok +1\/1 +0 +[-0] +0\/0\/0 +2 examplefs: drop/m,
    );
    expect(stdout).toContain(
      '2 patches: every prefix passes; 1 object built with allmodconfig in a work tree of HEAD\n',
    );
    expect(status).toBe(0);
    expect([
      git('status', '--porcelain'),
      git('rev-parse', 'HEAD'),
      readFileSync(path.join(tree, CASE), 'latin1'),
    ]).toEqual(before);
    expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1);
    expect(git('branch', '--list').trim()).toMatch(/^\* \S+$/);
  });

  it('takes along what is not committed', async () => {
    commitTree();
    appendFileSync(path.join(tree, 'fs/examplefs/example.h'), '/* BREAK_ME */\n');
    appendFileSync(path.join(tree, CASE), '/* WARN_ME: was there before */\n');
    const { status, stdout } = await verify('fs/examplefs');
    expect(stdout).toContain('in a work tree of HEAD with what is not committed (2 files)');
    expect(status).toBe(0);
  });

  it('does without git, and writes through no hard link', async () => {
    const before = readFileSync(path.join(tree, CASE), 'latin1');
    const { status, stdout } = await verify('fs/examplefs');
    expect(stdout).toMatch(/built with allmodconfig in a copy/);
    expect(status).toBe(0);
    expect(readFileSync(path.join(tree, CASE), 'latin1')).toBe(before);
  });

  it('verifies the mails of a series', async () => {
    await series();
    const { status, stdout } = await verify('series', path.join(top, 'out'));
    expect(stdout).toContain('2 patches: every prefix passes');
    expect(status).toBe(0);
  });

  it('names the patch that brings a warning', async () => {
    const [, second] = await series();
    mark(second!, 'GFP_KERNEL', 'WARN_ME');
    const { status, stdout } = await verify('series', path.join(top, 'out'));
    expect(stdout).toMatch(/^ok .*1 examplefs: open.*\nFAILS +1\/1 +1 /m);
    expect(stdout).toMatch(
      /^2 examplefs: drop .*\n {2}fs\/examplefs\/case\.c: warning: marked \[-Wmarked\]$/m,
    );
    expect(stdout).toContain('2 patches: 1 fail');
    expect(status).toBe(1);
  });

  it('sees a prefix that does not compile, though the whole does', async () => {
    const [first, second] = await series();
    mark(first!, 'memalloc_nofs_save', 'BREAK_ME');
    // The second takes it out again.
    const text = readFileSync(second!, 'latin1');
    const marked = text.replace(/^ (.*memalloc_nofs_save\(\);)$/m, '-$1 /* BREAK_ME */\n+$1');
    expect(marked).not.toBe(text);
    writeFileSync(second!, marked, 'latin1');
    const { status, stdout } = await verify('series', path.join(top, 'out'));
    expect(stdout).toMatch(/^FAILS +0\/1 .*1 examplefs: open.*\nok +1\/1 .*2 examplefs: drop/m);
    expect(stdout).toContain('fs/examplefs/case.o does not compile any more');
    expect(status).toBe(1);
  });

  it('counts an object as not built that was not before', async () => {
    appendFileSync(path.join(tree, CASE), '/* BREAK_ME */\n');
    const { status, stdout } = await verify('fs/examplefs');
    expect(stdout).toMatch(/^unbuilt +0\/1 /m);
    expect(stdout).toContain('2 patches: 2 not built; 0 objects built');
    expect(stdout).toContain('Not built without the patches either (allmodconfig):\n  fs/examplefs/case.o\n');
    expect(status).toBe(1);
  });

  it('fails for what checkpatch warns of', async () => {
    const [first] = await series();
    writeFileSync(first!, readFileSync(first!, 'latin1').replace('\n---\n', '\nMAIL_WARNS\n---\n'), 'latin1');
    const { status, stdout } = await verify('series', path.join(top, 'out'));
    expect(stdout).toMatch(/^FAILS .* 0\/1\/0 +1 /m);
    expect(stdout).toContain('  WARNING:FAKE: the word is there\n');
    expect(status).toBe(1);
  });

  it('does without perl', async () => {
    const bin = path.join(top, 'bin');
    mkdirSync(bin);
    for (const name of ['sh', 'make', 'git', 'cp', 'grep', 'sed', 'mkdir', 'touch'])
      symlinkSync(
        realpathSync(execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()),
        path.join(bin, name),
      );
    process.env.PATH = bin;
    const { status, stdout } = await verify('fs/examplefs');
    expect(stdout).toMatch(/^ok +1\/1 +0 +- +- +1 /m);
    expect(status).toBe(0);
  });

  it('is one document with --format json', async () => {
    const { status, stdout } = await verify('--format', 'json', 'fs/examplefs');
    expect(JSON.parse(stdout).patches.map((patch: { ok: boolean }) => patch.ok)).toEqual([true, true]);
    expect(status).toBe(0);
  });

  it('takes a file as the configuration', async () => {
    writeFileSync(path.join(top, 'my.config'), 'CONFIG_EXAMPLE_FS=y\n');
    expect(await verify('--config', '../my.config', 'fs/examplefs')).toMatchObject({ status: 0 });
  });

  it('says that there is nothing to verify', async () => {
    expect(await verify('mm')).toMatchObject({ status: 0, stdout: 'no changes\n' });
  });

  it.each([
    [['--config', '../no.config', 'fs/examplefs'], /no\.config: no such file/],
    [['--config', 'noconfig', 'fs/examplefs'], /make noconfig fails: no such thing/],
    [['series', '/nowhere/out'], /\/nowhere\/out: /],
    [['series', 'fs'], /fs: no patches in it/],
  ])('%j is bad input', async (argv, message) => {
    const { status, stderr } = await verify(...argv);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });

  it('names the patch and the file that do not go together', async () => {
    const [first] = await series();
    rmSync(first!);
    const { status, stderr } = await verify('series', path.join(top, 'out'));
    expect(stderr).toMatch(/0002-.*\.patch: does not apply to fs\/examplefs\/case\.c/);
    expect(status).toBe(2);
  });
});
