import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/cli/environment.js';
import { Interrupted } from '../../src/cli/exit-codes.js';
import type { FileChange, Plan } from '../../src/edit/plan.js';
import { openCache } from '../../src/index/cache.js';
import { REPORT } from '../output/scan-report.js';
import { smallTree, temporaryDirectory, writeFiles } from '../tree/small-tree.js';
import { CHANGE, Kept, session } from './session.js';

const PROBLEM = { file: 'fs/demo/inode.c', function: 'demo_fill', message: 'a save without a restore' };

const SUMMARY = '0 scopes and 1 downgraded mask in 1 file\n1 site: 1 covered\n';

const DIFF = `diff --git a/fs/demo/dir.c b/fs/demo/dir.c
index 5a1b2c..
--- a/fs/demo/dir.c
+++ b/fs/demo/dir.c
@@ -1,5 +1,5 @@
 /* \xe9 */
 int demo_add(struct demo *d)
 {
-	return demo_grow(d, GFP_NOFS);
+	return demo_grow(d, GFP_KERNEL);
 }
`;

/** A diff without the names of its blobs. */
function withoutIndex(diff: string): string {
  return diff.replace(/^index .*$/m, 'index 5a1b2c..');
}

describe('diff', () => {
  it.each([[['diff', 'fs/demo']], [['fs/demo']], [['diff']], [[]]])(
    'is what %j does: bytes on stdout, the summary on stderr, nothing written',
    async (argv) => {
      const { code, bytes, stderr, tree } = await session(argv);
      expect(withoutIndex(bytes)).toBe(DIFF);
      expect(bytes).toMatch(/^index [0-9a-f]{12}\.\.[0-9a-f]{12} 100644$/m);
      expect(stderr).toBe(SUMMARY);
      expect(code).toBe(0);
      expect(readFileSync(path.join(tree.root, CHANGE.file), 'latin1')).toBe(CHANGE.before);
    },
  );

  it('is coloured on a terminal, and says the same', async () => {
    const { stdout } = await session(['diff'], { stdout: new Kept(true) });
    expect(stdout).toContain('\x1b[32m+');
    expect(withoutIndex(stripVTControlCharacters(stdout))).toBe(
      DIFF.replace('\xe9', Buffer.from('\xe9', 'latin1').toString('utf8')),
    );
  });

  it.each([
    ['--no-color', ['diff', '--no-color'], {}],
    ['NO_COLOR', ['diff'], { NO_COLOR: '1' }],
    ['TERM=dumb', ['diff'], { TERM: 'dumb' }],
  ])('is not coloured with %s', async (_, argv, env) => {
    const { bytes } = await session(argv, { stdout: new Kept(true), env });
    expect(withoutIndex(bytes)).toBe(DIFF);
  });

  it('is coloured with an empty NO_COLOR, which means nothing', async () => {
    const { stdout } = await session(['diff'], { stdout: new Kept(true), env: { NO_COLOR: '' } });
    expect(stdout).toContain('\x1b[32m+');
  });

  it('exits with 1 for changes if asked to', async () => {
    expect((await session(['diff', '--exit-code'])).code).toBe(1);
    const none = { engine: { checkedChanges: () => ({ changes: [], problems: [] }) } };
    const { code, stdout, stderr } = await session(['diff', '--exit-code'], none);
    expect([code, stdout, stderr]).toEqual([0, '', 'no changes\n1 site: 1 covered\n']);
  });

  it('takes a change that changes nothing for none', async () => {
    const same = { ...CHANGE, after: CHANGE.before };
    const { code, stdout } = await session(['diff', '--exit-code'], {
      engine: { checkedChanges: () => ({ changes: [same], problems: [] }) },
    });
    expect([code, stdout]).toEqual([0, '']);
  });

  it('exits with 3 after a failed self-check, names the function and shows the rest', async () => {
    const { code, bytes, stderr } = await session(['diff', '--exit-code'], {
      engine: { checkedChanges: () => ({ changes: [CHANGE], problems: [PROBLEM] }) },
    });
    expect(code).toBe(3);
    expect(withoutIndex(bytes)).toBe(DIFF);
    expect(stderr).toBe(
      'gfp-scope: self-check failed: fs/demo/inode.c: demo_fill: a save without a restore; its edits are left out\n' +
        SUMMARY,
    );
  });

  it('counts in its summary only what is left after the self-check', async () => {
    const scope = (id: string, name: string): Plan['scopes'][number] => ({
      id,
      file: 'fs/demo/inode.c',
      function: name,
      body: { start: 0, end: 1 },
      api: 'nofs',
      lock: 'demo.sem',
      lockText: 'd->sem',
      reclaim: [],
      context: 'evicting an inode',
      saves: [],
      restores: [],
    });
    const downgrade = (name: string, scopes: string[]): Plan['downgrades'][number] => ({
      site: 's',
      file: 'fs/demo/dir.c',
      function: name,
      start: 0,
      end: 1,
      replacement: 'GFP_KERNEL',
      scopes,
      transform: 't',
    });
    const plan: Plan = {
      removals: [],
      scopes: [scope('one', 'demo_fill'), scope('two', 'demo_read'), scope('three', 'demo_write')],
      downgrades: [
        downgrade('demo_a', ['one']),
        downgrade('demo_b', ['two']),
        downgrade('demo_c', ['two', 'three']),
      ],
    };
    const { stderr } = await session(['diff'], {
      plan,
      engine: { checkedChanges: () => ({ changes: [CHANGE], problems: [PROBLEM] }) },
    });
    expect(stderr).toContain('2 scopes and 2 downgraded masks in 1 file\n');
  });

  it('hands the headers of the tree to the self-check', async () => {
    const read: (string | undefined)[] = [];
    await session(['diff'], {
      engine: {
        checkedChanges: (_, readHeader) => {
          read.push(readHeader('include/linux/gfp.h'), readHeader('include/linux/none.h'));
          return { changes: [], problems: [] };
        },
      },
    });
    expect(read).toEqual(['#define GFP_KERNEL 0\n', undefined]);
  });

  it('names on stderr what was skipped', async () => {
    const skipped = [{ file: 'fs/demo/blob.c', reason: 'binary file' }];
    const { code, stderr } = await session(['diff'], { report: { skipped } });
    expect(stderr).toBe(`gfp-scope: skipped fs/demo/blob.c: binary file\n${SUMMARY}`);
    expect(code).toBe(0);
  });
});

describe('what the analysis is asked', () => {
  it('is what the options say', async () => {
    const argv = [
      'scan',
      '--jobs',
      '3',
      '--placement',
      'inside',
      '--minimal',
      '--lock-free',
      '--api',
      'noio',
      'fs',
      'fs/demo/dir.c',
    ];
    const { asked, tree } = await session(argv);
    expect(asked[0]).toMatchObject({
      tree,
      paths: ['fs', 'fs/demo/dir.c'],
      jobs: 3,
      placement: 'inside',
      minimal: true,
      transforms: [
        'lock-scope',
        'transaction-scope',
        'task-scope',
        'covered',
        'masks',
        'lock-free',
        'vmalloc-scope',
      ],
      api: 'noio',
    });
  });

  it('has its defaults: the whole tree, scopes around locks at every region, no lock-free sites', async () => {
    const { asked } = await session(['scan']);
    expect(asked[0]).toMatchObject({
      paths: [''],
      placement: 'around',
      minimal: false,
      transforms: ['lock-scope', 'transaction-scope', 'task-scope', 'covered', 'masks', 'vmalloc-scope'],
      api: 'both',
    });
    expect(asked[0]!.jobs).toBeGreaterThanOrEqual(1);
  });

  it.each<[string[], string[]]>([
    [['--transform', 'covered', 'fs'], ['covered']],
    [
      ['--transform', 'task-scope', '--transform', 'covered', 'fs'],
      ['task-scope', 'covered'],
    ],
    [['--transform', 'lock-free', 'fs'], ['lock-free']],
    [
      ['--transform', 'covered', '--plumbing', '--hoist', 'fs'],
      ['covered', 'hoist', 'plumbing'],
    ],
    [
      ['--no-transform', 'task-scope', 'fs'],
      ['lock-scope', 'transaction-scope', 'covered', 'masks', 'vmalloc-scope'],
    ],
    [
      ['--no-transform', 'covered', '--no-transform', 'lock-scope', '--lock-free', 'fs'],
      ['transaction-scope', 'task-scope', 'masks', 'lock-free', 'vmalloc-scope'],
    ],
  ])('makes the rewrites that are asked for: %j', async (argv, transforms) => {
    const { asked } = await session(['diff', ...argv]);
    expect(asked[0]).toMatchObject({ paths: ['fs'], transforms });
  });

  it('knows no other rewrite', async () => {
    const { code, stderr } = await session(['diff', '--transform', 'wrap']);
    expect(code).toBe(2);
    expect(stderr).toContain('lock-scope');
  });

  it('takes the tree around the current directory, or the one that is named', async () => {
    const tree = smallTree({ 'fs/demo/dir.c': CHANGE.before });
    const inside = await session(['scan', 'dir.c'], { tree, cwd: path.join(tree.root, 'fs/demo') });
    expect(inside.asked[0]).toMatchObject({ tree, paths: ['fs/demo/dir.c'] });
    const elsewhere = temporaryDirectory();
    const named = await session(['scan', '--tree', tree.root, 'fs/demo'], { tree, cwd: elsewhere });
    expect(named.asked[0]).toMatchObject({ tree, paths: ['fs/demo'] });
    const relative = await session(['scan', '--tree', '../..', 'fs'], {
      tree,
      cwd: path.join(tree.root, 'fs/demo'),
    });
    expect(relative.asked[0]).toMatchObject({ tree, paths: ['fs'] });
  });

  it('lets the last of two options count, and takes numbers and dashes for names', async () => {
    const tree = smallTree({ '42/a.c': '', '-odd/b.c': '' });
    const { asked } = await session(['scan', '-j', '1', '-j', '2', '42', '--', '-odd'], { tree });
    expect(asked[0]).toMatchObject({ jobs: 2, paths: ['-odd', '42'] });
  });
});

describe('apply', () => {
  it('writes the changes and says what they are', async () => {
    const { code, stdout, stderr, tree } = await session(['apply', 'fs/demo']);
    expect([code, stdout, stderr]).toEqual([0, '', SUMMARY]);
    expect(readFileSync(path.join(tree.root, CHANGE.file), 'latin1')).toBe(CHANGE.after);
  });

  it('exits with 2 and changes nothing if a file changed meanwhile', async () => {
    const tree = smallTree({ [CHANGE.file]: 'int other;\n' });
    const { code, stderr } = await session(['apply'], { tree });
    expect(code).toBe(2);
    expect(stderr).toBe(
      'gfp-scope: fs/demo/dir.c: changed since it was read; run again; all files are as they were\n',
    );
    expect(readFileSync(path.join(tree.root, CHANGE.file), 'latin1')).toBe('int other;\n');
  });

  it('refuses uncommitted changes, unless forced', async () => {
    const tree = smallTree({ [CHANGE.file]: CHANGE.before, '.git': 'gitdir: /nonexistent\n' });
    const refused = await session(['apply'], { tree });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^gfp-scope: cannot ask git .*\n$/);
    expect((await session(['apply', '--force'], { tree })).code).toBe(0);
    expect(readFileSync(path.join(tree.root, CHANGE.file), 'latin1')).toBe(CHANGE.after);
  });

  it('exits with 3 after a failed self-check, with the rest applied', async () => {
    const { code, tree } = await session(['apply'], {
      engine: { checkedChanges: () => ({ changes: [CHANGE], problems: [PROBLEM] }) },
    });
    expect(code).toBe(3);
    expect(readFileSync(path.join(tree.root, CHANGE.file), 'latin1')).toBe(CHANGE.after);
  });

  it('exits with 1 for changes if asked to', async () => {
    expect((await session(['apply', '--exit-code'])).code).toBe(1);
  });
});

const gitIn =
  (root: string) =>
  (...args: string[]): string =>
    execFileSync('git', ['-C', root, '-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], {
      encoding: 'utf8',
      env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
    });

describe('series', () => {
  const series = ['series', '--from', 'A. Hacker <hacker@example.org>', '-o', 'out'];
  const env = { SOURCE_DATE_EPOCH: '1700000000' };

  it('writes the patches, and lists the files as git format-patch does', async () => {
    const { code, stdout, stderr, tree } = await session([...series, '--signoff', 'fs/demo'], { env });
    const files = stdout.trimEnd().split('\n');
    expect(files).toEqual(['out/0000-cover-letter.patch', expect.stringMatching(/^out\/0001-.*\.patch$/)]);
    expect([code, stderr]).toEqual([0, SUMMARY]);
    const patch = readFileSync(path.join(tree.root, files[1]!), 'latin1');
    expect(patch).toContain(
      'From: "A. Hacker" <hacker@example.org>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\n',
    );
    expect(patch).toContain('Signed-off-by: A. Hacker <hacker@example.org>\n');
    expect(withoutIndex(patch)).toContain(DIFF);
    expect(readFileSync(path.join(tree.root, files[0]!), 'latin1')).toContain('[PATCH 0/1] ');
  });

  it('is taken by git am on the tree', async () => {
    const tree = smallTree({ [CHANGE.file]: CHANGE.before });
    const git = gitIn(tree.root);
    git('init', '-q');
    git('add', '-A');
    git('commit', '-q', '-m', 'start');
    const { stdout } = await session(series, { tree, env });
    git('am', '-q', stdout.trimEnd().split('\n')[1]!);
    expect(readFileSync(path.join(tree.root, CHANGE.file), 'latin1')).toBe(CHANGE.after);
  });

  it('does not write into a directory with other files, unless forced', async () => {
    const tree = smallTree({ [CHANGE.file]: CHANGE.before, 'out/notes': 'mine\n' });
    const refused = await session(series, { tree, env });
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/^gfp-scope: [^\n]*\n$/);
    expect((await session([...series, '--force'], { tree, env })).code).toBe(0);
    expect(readFileSync(path.join(tree.root, 'out/notes'), 'utf8')).toBe('mine\n');
  });

  it('must come to what was checked', async () => {
    const other = { ...CHANGE, after: 'int other;\n' };
    const { code, stdout, stderr } = await session(series, {
      env,
      engine: { checkedChanges: () => ({ changes: [other], problems: [] }) },
    });
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toBe(
      'gfp-scope: internal error: the series does not come to the checked changes in fs/demo/dir.c\n',
    );
  });

  it('takes one name and address', async () => {
    const { code, stderr } = await session(['series', '-o', 'out', '--from', 'hacker@example.org']);
    expect([code, stderr]).toEqual([
      2,
      'gfp-scope: --from: hacker@example.org: not of the form "NAME <EMAIL>"\n',
    ]);
  });

  it('addresses the mails to whom the options and MAINTAINERS name', async () => {
    const tree = smallTree({
      [CHANGE.file]: CHANGE.before,
      MAINTAINERS:
        'DEMO\nM:\tJ\xf6rg "D" D\xf6 <joerg@example.org>\nL:\tdemo@example.org (open list)\nF:\tfs/demo/\n',
    });
    const to = [
      '--to',
      'A, B <ab@example.org>',
      '--to',
      'list@example.org',
      '--cc',
      '"C, D" <cd@example.org>',
    ];
    const read = (stdout: string) =>
      stdout
        .trimEnd()
        .split('\n')
        .map((file) => readFileSync(path.join(tree.root, file), 'latin1'));
    const named = await session([...series, ...to], { tree, env });
    for (const mail of read(named.stdout))
      expect(mail).toContain(
        [
          'To: "A, B" <ab@example.org>,',
          '    list@example.org',
          'Cc: "C, D" <cd@example.org>,',
          '    =?UTF-8?q?J=C3=B6rg=20=22D=22=20D=C3=B6?= <joerg@example.org>,',
          '    demo@example.org',
          '',
        ].join('\n'),
      );
    const alone = await session([...series, '--cc', 'cd@example.org', '--no-recipients'], { tree, env });
    for (const mail of read(alone.stdout)) expect(mail).toMatch(/\nCc: cd@example\.org\n(?:MIME|\n)/);
  });

  it('says which round it is, what it answers, and what for', async () => {
    const options = [
      '-v',
      '3',
      '--rfc',
      '--subject-prefix',
      'PATCH demo',
      '--in-reply-to',
      '<a.b@example.org>',
    ];
    const { stdout, tree } = await session([...series, ...options], { env });
    const files = stdout.trimEnd().split('\n');
    expect(files).toEqual(['out/v3-0000-cover-letter.patch', expect.stringMatching(/^out\/v3-0001-/)]);
    const [cover, patch] = files.map((file) => readFileSync(path.join(tree.root, file), 'latin1'));
    expect(cover).toContain('\nIn-Reply-To: <a.b@example.org>\nReferences: <a.b@example.org>\nFrom: ');
    expect(cover).toContain('\nSubject: [RFC PATCH demo v3 0/1] ');
    expect(patch).toContain('\nSubject: [RFC PATCH demo v3 1/1] ');
    expect(patch).toMatch(/\nIn-Reply-To: <cover-.*>\nReferences: <a\.b@example\.org>\n\t<cover-.*>\n/);
  });

  it('leaves alone what is obsolete, unless asked for', async () => {
    const tree = smallTree({
      [CHANGE.file]: CHANGE.before,
      MAINTAINERS: 'OTHER\nS:\tMaintained\nF:\tfs/\n\nDEMO\nS:\tObsolete\nF:\tfs/demo/\n',
    });
    const { code, stdout, stderr } = await session([...series, '--exit-code'], { tree, env });
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(
      /^gfp-scope: left out, since MAINTAINERS calls it obsolete \(DEMO\): \d scopes? and \d masks?; --obsolete has them\n/m,
    );
    const forced = await session([...series, '--exit-code', '--obsolete'], { tree, env });
    expect([forced.code, forced.stderr]).toEqual([1, SUMMARY]);
    expect(forced.stdout.split('\n')).toContain('out/0000-cover-letter.patch');
  });

  it('puts the series of each subsystem into a folder', async () => {
    const tree = smallTree({
      [CHANGE.file]: CHANGE.before,
      MAINTAINERS: 'DEMO FILE SYSTEM\nL:\tdemo@example.org\nF:\tfs/demo/\n',
    });
    expect((await session(series, { tree, env })).stdout.split('\n')).toContain(
      'out/0000-cover-letter.patch',
    );
    const { stdout } = await session([...series, '--split', 'subsystem'], { tree, env });
    const folder = 'out/demo-file-system/';
    expect(stdout.trimEnd().split('\n')).toEqual([
      `${folder}0000-cover-letter.patch`,
      expect.stringMatching(`^${folder}0001-`),
    ]);
    expect(readFileSync(path.join(tree.root, folder, '0000-cover-letter.patch'), 'latin1')).toContain(
      '[PATCH 0/1]',
    );
    // The whole series that was there before is gone.
    expect(existsSync(path.join(tree.root, 'out/0000-cover-letter.patch'))).toBe(false);
  });

  it('begins subjects as the history of the files does', async () => {
    const tree = smallTree({ [CHANGE.file]: CHANGE.before, 'fs/other.c': '' });
    const git = gitIn(tree.root);
    git('init', '-q');
    git('add', '-A');
    git('commit', '-q', '-m', 'start');
    for (const [file, subject] of [
      [CHANGE.file, 'demofs: one'],
      [CHANGE.file, 'demofs: two'],
      [CHANGE.file, 'Revert "demo: three"'],
      [CHANGE.file, 'demofs: four'],
      ...Array.from({ length: 9 }, (_, i) => ['fs/other.c', `fs: ${i}`] as const),
    ] as const) {
      const text = readFileSync(path.join(tree.root, file), 'latin1');
      writeFileSync(path.join(tree.root, file), `${text}\n`, 'latin1');
      git('commit', '-q', '-a', '-m', subject);
    }
    const { stdout } = await session(series, { tree, env });
    expect(stdout).toContain('out/0001-demofs-drop-GFP_NOFS-');
  });

  it.each([
    [['-v', '0'], '--reroll-count: 0: not a whole number from 1 on'],
    [['--reroll-count', '2b'], '--reroll-count: 2b: not a whole number from 1 on'],
    [['--in-reply-to', '<a> <b>'], '--in-reply-to: <a> <b>: not a Message-ID'],
    [['--subject-prefix', 'PATCH]'], '--subject-prefix: PATCH]: not plain ASCII without brackets'],
    [['--to', 'nobody'], '--to: nobody: not of the form "NAME <EMAIL>" or EMAIL'],
    [['--cc', 'a@b.c, d@e.f'], '--cc: a@b.c, d@e.f: not of the form "NAME <EMAIL>" or EMAIL'],
    [['--cc', 'A <a@b.c>\nX: y'], expect.stringMatching(/^--cc: /)],
    [['--base', 'auto'], expect.stringMatching(/^--base auto: fatal: not a git repository/)],
  ])('refuses %j', async (options, message) => {
    const { code, stdout, stderr, tree } = await session([...series, ...options], { env });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.replace(/^gfp-scope: |\n$/g, '')).toEqual(message);
    expect(existsSync(path.join(tree.root, 'out'))).toBe(false);
  });

  it('names the commit that it applies to, if that has the files as they are', async () => {
    const tree = smallTree({ [CHANGE.file]: CHANGE.before });
    const git = gitIn(tree.root);
    git('init', '-q');
    const untracked = await session([...series, '--base', 'auto'], { tree, env });
    expect([untracked.code, untracked.stderr]).toEqual([2, expect.stringContaining('--base auto: ')]);
    git('add', '-A');
    git('commit', '-q', '-m', 'start');
    const head = git('rev-parse', 'HEAD').trim();
    for (const name of ['auto', 'HEAD', head]) {
      const { stdout } = await session([...series, '--base', name], { tree, env });
      const cover = readFileSync(path.join(tree.root, stdout.split('\n')[0]!), 'latin1');
      expect(cover).toMatch(new RegExp(`changed.*\\n+base-commit: ${head}\\n-- \\ngfp-scope `));
    }
    writeFileSync(path.join(tree.root, CHANGE.file), `${CHANGE.before}\n`, 'latin1');
    const changed = await session([...series, '--base', 'HEAD'], { tree, env });
    expect([changed.code, changed.stderr]).toEqual([
      2,
      `gfp-scope: --base HEAD: ${CHANGE.file} in the work tree is not as in ${head.slice(0, 12)}\n`,
    ]);
    git('rm', '-q', '--cached', CHANGE.file);
    git('commit', '-q', '-m', 'without');
    expect((await session([...series, '--base', 'auto'], { tree, env })).stderr).toContain('is not as in');
    expect((await session([...series, '--base', '--all'], { tree, env })).code).toBe(2);
  });

  it('writes none if there is nothing to change', async () => {
    const { code, stdout, stderr } = await session(['series', '-o', 'out'], {
      engine: { checkedChanges: () => ({ changes: [], problems: [] }) },
    });
    expect([code, stdout, stderr]).toEqual([0, '', 'no changes\n1 site: 1 covered\n']);
  });

  it('exits with 3 after a failed self-check, and with 1 for changes if asked to', async () => {
    const checkedChanges = () => ({ changes: [CHANGE], problems: [PROBLEM] });
    expect((await session(series, { env, engine: { checkedChanges } })).code).toBe(3);
    expect((await session([...series, '--exit-code'], { env })).code).toBe(1);
  });

  /** A repository with the tree in a folder of it, and the session's changes to two files with names that need care. */
  function repositoryWith(attributes = '') {
    const tree = smallTree({ [ODD[0].file]: ODD[0].before, [ODD[1].file]: ODD[1].before });
    const top = path.dirname(tree.root);
    writeFileSync(path.join(top, '.gitattributes'), attributes);
    const git = gitIn(tree.root);
    git('-C', top, 'init', '-q', '-b', 'main');
    git('add', '-A', top);
    git('commit', '-q', '-m', 'start');
    // Something staged, something changed, something untracked: none of the series' business.
    writeFiles(tree.root, { staged: 's\n', untracked: 'u\n', 'include/linux/gfp.h': 'changed\n' });
    git('add', 'staged');
    const state = () => [
      readFileSync(path.join(top, '.git/index'), 'latin1'),
      readFileSync(path.join(top, '.git/HEAD'), 'latin1'),
      git('status', '--porcelain'),
      git('rev-parse', 'main'),
    ];
    return { tree, git, state };
  }

  const ODD = ['fs/demo/a "b" \u00f6.c', 'fs/demo/crlf.c'].map((file, i) => ({
    ...CHANGE,
    file,
    before: i === 0 ? CHANGE.before : CHANGE.before.replaceAll('\n', '\r\n'),
    after: i === 0 ? CHANGE.after : CHANGE.after.replaceAll('\n', '\r\n'),
  })) as [FileChange, FileChange];
  const odd: Partial<Engine> = {
    checkedChanges: () => ({ changes: ODD, problems: [] }),
    renderer: () => (subset) => (subset.downgrades.length > 0 ? ODD : []),
  };
  const branch = ['series', '--from', 'A. \u00d6. Hacker <hacker@example.org>', '--branch', 'topic/scopes'];

  it.each([
    ['as they are', ''],
    ['with line ends that git converts', '*.c text eol=crlf\n'],
  ])('commits to a new branch and touches nothing else, files %s', async (_, attributes) => {
    const { tree, git, state } = repositoryWith(attributes);
    const before = state();
    const { code, stdout } = await session([...branch, '-s', '-o', 'out'], { tree, env, engine: odd });
    expect(code).toBe(0);
    rmSync(path.join(tree.root, 'out'), { recursive: true });
    expect(state()).toEqual(before);
    const log = git('log', '--format=%h %s', '--abbrev=12', 'main..topic/scopes');
    expect(stdout.split('\n').slice(2).join('\n')).toBe(log);
    expect(git('log', '-1', '--format=%an <%ae> %ad|%b', '--date=raw', 'topic/scopes')).toMatch(
      /^A\. \u00d6\. Hacker <hacker@example\.org> 1700000000 \+0000\|[\s\S]*\n\nGenerated-with: gfp-scope [\d.]+\nSigned-off-by: A\. \u00d6\. Hacker <hacker@example\.org>\n+$/,
    );
    git('reset', '-q', '--hard', 'topic/scopes');
    for (const { file, after } of ODD)
      expect(readFileSync(path.join(tree.root, file), 'latin1')).toBe(
        attributes === '' ? after : after.replace(/\r?\n/g, '\r\n'),
      );
    expect(git('diff', '--name-only', '-z', 'ORIG_HEAD').split('\0').filter(Boolean).sort()).toEqual(
      ODD.map(({ file }) => `linux/${file}`).sort(),
    );
  });

  it('commits nothing where it would not fit', async () => {
    const { tree, git, state } = repositoryWith();
    const refused = async (...args: string[]) => {
      const before = [...state(), git('for-each-ref')];
      const { code, stdout, stderr } = await session([...branch, ...args], { tree, env, engine: odd });
      expect([code, stdout]).toEqual([2, '']);
      expect([...state(), git('for-each-ref')]).toEqual(before);
      return stderr;
    };
    for (const name of ['a..b', '-x', '@{-1}', ''])
      expect(await refused(`--branch=${name}`)).toContain(`--branch ${name}: not a name for a branch`);
    git('branch', 'topic/scopes');
    expect(await refused()).toBe('gfp-scope: --branch topic/scopes: the branch exists\n');
    git('branch', '-D', 'topic/scopes');
    git('branch', 'topic');
    expect(await refused()).toContain('--branch topic/scopes: ');
    git('branch', '-D', 'topic');
    // A directory that cannot be had keeps the branch from being made.
    expect(await refused('-o', 'Makefile')).toContain('cannot write the series');
    writeFileSync(path.join(tree.root, ODD[1].file), 'changed\n');
    expect(await refused()).toContain(`${ODD[1].file} in the work tree is not as in `);
    git('add', '-A');
    expect(await refused()).toContain(`${ODD[1].file} in the work tree is not as in `);
  });

  it('must be told where to', async () => {
    const { code, stderr } = await session(['series', 'fs/demo']);
    expect(code).toBe(2);
    expect(stderr).toContain('with --output-directory DIR or --branch NAME');
  });
});

describe('scan', () => {
  it('lists the sites', async () => {
    const { code, stdout, stderr } = await session(['scan', 'fs/demo']);
    expect(stdout).toContain('fs/demo/dir.c:4:22  covered  GFP_NOFS  demo_add  every path is in a scope\n');
    expect(stdout).toContain('1 site in 1 file of Linux 6.1.7\n');
    expect([code, stderr]).toEqual([0, '']);
  });

  it('says that a kernel is newer than what is known', async () => {
    const makefile = { Makefile: 'VERSION = 7\nPATCHLEVEL = 1\nSUBLEVEL = 2\n' };
    const tree = smallTree({ ...makefile, [CHANGE.file]: CHANGE.before });
    const { code, stdout, stderr } = await session(['scan', 'fs/demo'], { tree });
    expect(stdout).toContain('The kernel is newer than 6.19, ');
    expect(stderr).toBe('gfp-scope: Linux 7.1.2 is newer than 6.19: what came after that is not known\n');
    expect(code).toBe(0);
  });

  it('gives one JSON document', async () => {
    const { code, stdout } = await session(['scan', '--format', 'json', 'fs/demo']);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'gfp-scope/scan@1',
      tree: { version: '6.1.7' },
      sites: [{ id: 'fs/demo/dir.c:4:22' }],
      summary: { sites: 1 },
    });
    expect(code).toBe(0);
  });

  it('is coloured on a terminal, the JSON never', async () => {
    expect((await session(['scan'], { stdout: new Kept(true) })).stdout).toContain('\x1b[32mcovered');
    const json = await session(['scan', '--format', 'json'], { stdout: new Kept(true) });
    expect(json.stdout).not.toContain('\x1b');
  });

  it('exits with 1 for sites if asked to', async () => {
    expect((await session(['scan', '--exit-code'])).code).toBe(1);
    expect((await session(['scan', '--exit-code'], { report: { sites: [] } })).code).toBe(0);
  });

  it('does not ask for edits', async () => {
    const { code } = await session(['scan'], {
      engine: {
        checkedChanges: () => {
          throw new Error('not asked for');
        },
      },
    });
    expect(code).toBe(0);
  });
});

describe('explain', () => {
  const tree = () =>
    smallTree({
      'fs/demo/dir.c': `/* demo_add_entry */\n${'\n'.repeat(50)}`,
      'fs/demo/inode.c': 'demo_inode.map_sem; demo_inode->map_sem;\n',
      'fs/demo/journal.c': 'int demo_commit;\n',
      'fs/other/a.c': 'demo_add_entry_more\n',
    });

  it('says why, for a line', async () => {
    const { code, stdout, asked } = await session(['explain', 'fs/demo/dir.c:12'], {
      tree: tree(),
      report: REPORT,
    });
    expect(code).toBe(0);
    expect(stdout).toContain('fs/demo/dir.c:12:33: GFP_NOFS in demo_add_entry, argument of kmalloc\n');
    expect(stdout).toContain('Filesystem reclaim takes this lock while evicting an inode');
    expect(asked[0]!.paths).toEqual(['fs/demo/dir.c']);
  });

  it('takes a line and a column, and a file from here', async () => {
    const small = tree();
    const { stdout, asked } = await session(['explain', 'dir.c:12:33'], {
      tree: small,
      cwd: path.join(small.root, 'fs/demo'),
      report: REPORT,
    });
    expect(stdout).toContain('fs/demo/dir.c:12:33');
    expect(asked[0]!.paths).toEqual(['fs/demo/dir.c']);
  });

  it('looks for a function where it is mentioned', async () => {
    const { code, asked } = await session(['explain', 'demo_add_entry'], { tree: tree(), report: REPORT });
    expect(asked[0]!.paths).toEqual(['fs/demo/dir.c']);
    expect(code).toBe(0);
  });

  it('looks for a lock class where its member is mentioned, under the paths', async () => {
    const { code, stdout, asked } = await session(['explain', 'demo_inode.map_sem', 'fs'], {
      tree: tree(),
      report: REPORT,
    });
    expect(asked[0]!.paths).toEqual(['fs']);
    expect(stdout).toContain('Held in 2 regions:');
    expect(code).toBe(0);
  });

  it('looks for a lock class where its member is mentioned', async () => {
    const { code, asked } = await session(['explain', 'map_sem'], { tree: tree(), report: REPORT });
    expect(asked[0]!.paths).toEqual(['fs/demo/inode.c']);
    expect(code).toBe(0);
  });

  it.each(['a frozen queue', 'a busy demo_inode.state', 'demo_inode.map_sem[WRITE]'])(
    'takes %s for a lock class',
    async (name) => {
      const { code, stderr, asked } = await session(['explain', name], {
        tree: tree(),
        report: { ...REPORT, skipped: [] },
      });
      expect([code, stderr]).toEqual([
        2,
        `gfp-scope: ${name}: no site, scope or reclaim lock has to do with it\n`,
      ]);
      expect(asked[0]!.paths).toEqual(name.startsWith('a ') ? [''] : ['fs/demo/inode.c']);
    },
  );

  it('says of a line what a scan of the paths says', async () => {
    const { asked } = await session(['explain', 'fs/demo/dir.c:12', 'fs/demo', 'fs/other'], {
      tree: tree(),
      report: REPORT,
    });
    expect(asked[0]!.paths).toEqual(['fs/demo', 'fs/other']);
  });

  it('gives one JSON document', async () => {
    const { stdout } = await session(['explain', '--format', 'json', 'fs/demo/dir.c:12'], {
      tree: tree(),
      report: REPORT,
    });
    expect(JSON.parse(stdout)).toMatchObject({ schema: 'gfp-scope/explain@1', target: 'fs/demo/dir.c:12' });
  });

  it.each([
    [
      'fs/demo/dir.c:13',
      'fs/demo/dir.c:13: no site, scope or region of a reclaim lock here; the nearest sites are on line 12',
    ],
    [
      'fs/demo/journal.c:1',
      'fs/demo/journal.c:1: no site, scope or region of a reclaim lock here; the nearest sites are on line 60',
    ],
    ['fs/demo/dir.c:0', 'fs/demo/dir.c:0: lines and columns count from 1'],
    ['fs/demo/dir.c', 'fs/demo/dir.c: give a line, FILE:LINE'],
    ['Makefile:1', 'Makefile: not a .c or .h file'],
    ['demo_none', 'demo_none: mentioned in no file of the tree'],
    ['demo_add_entry_more', 'demo_add_entry_more: no site, scope or reclaim lock has to do with it'],
    ['no name', 'no name: neither FILE:LINE nor the name of a function or a lock class'],
  ])('says what is wrong with %s', async (target, message) => {
    const { code, stdout, stderr } = await session(['explain', target], {
      tree: tree(),
      report: { ...REPORT, skipped: [] },
    });
    expect([code, stdout, stderr]).toEqual([2, '', `gfp-scope: ${message}\n`]);
  });

  it('says that a line is not under the paths', async () => {
    const { code, stderr } = await session(['explain', 'fs/demo/dir.c:12', 'fs/other'], {
      tree: tree(),
      report: REPORT,
    });
    expect([code, stderr]).toEqual([2, 'gfp-scope: fs/demo/dir.c: not under these paths\n']);
  });

  it('says why a file that was asked about was skipped', async () => {
    const { code, stderr } = await session(['explain', 'fs/demo/blob.c:1'], {
      tree: smallTree({ 'fs/demo/blob.c': '\0' }),
      report: REPORT,
    });
    expect(code).toBe(2);
    expect(stderr).toContain('gfp-scope: fs/demo/blob.c: binary file\n');
  });
});

describe('an error', () => {
  it.each([
    [
      'a path that does not exist',
      ['scan', 'fs/none'],
      /^gfp-scope: fs\/none: no such file or directory \(.*\)\n$/,
    ],
    ['a path outside of the tree', ['scan', '/'], /^gfp-scope: \/ is outside of the kernel tree .*\n$/],
    [
      'a tree that does not exist',
      ['scan', '--tree', '/none/linux'],
      /^gfp-scope: \/none\/linux: no such file or directory\n$/,
    ],
    ['a tree that is none', ['scan', '--tree', 'fs'], /^gfp-scope: .*: not the top of a kernel tree .*\n$/],
    ['an empty tree', ['scan', '--tree', ''], /^gfp-scope: --tree: empty path\n$/],
    ['an unknown option', ['scan', '--frobnicate'], /^gfp-scope: Unknown argument: frobnicate .*\n$/],
    ['an option of another verb', ['diff', '--format', 'json'], /^gfp-scope: Unknown argument: format .*\n$/],
    ['a misspelt verb', ['scna'], /^gfp-scope: scna: no such file or directory .*\n$/],
    [
      'a wrong choice',
      ['scan', '--format', 'xml'],
      /^gfp-scope: Invalid values: Argument: format, Given: "xml".*\n$/,
    ],
    ['no value', ['scan', '--tree'], /^gfp-scope: Not enough arguments following: tree .*\n$/],
    ['no thread', ['scan', '--jobs', '0'], /^gfp-scope: --jobs must be a whole number, at least 1 .*\n$/],
    [
      'half a thread',
      ['scan', '--jobs', '1.5'],
      /^gfp-scope: --jobs must be a whole number, at least 1 .*\n$/,
    ],
    [
      'a word of threads',
      ['scan', '--jobs', 'many'],
      /^gfp-scope: --jobs must be a whole number, at least 1 .*\n$/,
    ],
    ['nothing to explain', ['explain'], /^gfp-scope: Not enough non-option arguments.*\n$/],
    ['an unknown shell', ['completion', 'tcsh'], /^gfp-scope: Invalid values: Argument: shell.*\n$/],
  ])('of input is one line and exit code 2: %s', async (_, argv, message) => {
    const { code, stdout, stderr, asked } = await session(argv);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(asked).toEqual([]);
  });

  const failing = {
    engine: {
      analyze: async () => {
        throw new TypeError('x is not a function\n  at all');
      },
    },
  };

  it('of the program is one line without a stack, and exit code 3', async () => {
    const { code, stdout, stderr } = await session(['scan'], failing);
    expect([code, stdout, stderr]).toEqual([
      3,
      '',
      'gfp-scope: internal error: x is not a function at all\n',
    ]);
  });

  it('of the program has its stack with GFP_SCOPE_DEBUG', async () => {
    const { code, stderr } = await session(['scan'], { ...failing, env: { GFP_SCOPE_DEBUG: '1' } });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^gfp-scope: internal error: .*\nTypeError: [\s\S]*verbs\.test\.ts/);
  });

  const refusing = (code: string) =>
    Object.assign(
      new Writable({
        write: (_chunk, _encoding, done) =>
          done(Object.assign(new Error(`${code}: no, write`), { code, syscall: 'write' })),
      }).on('error', () => {}),
      { isTTY: false },
    );

  it('of a closed pipe is none', async () => {
    const { code, stderr } = await session(['scan'], { stdout: refusing('EPIPE') });
    expect([code, stderr]).toEqual([0, '']);
  });

  it('of a full disk behind stdout is named', async () => {
    const { code, stderr } = await session(['scan'], { stdout: refusing('ENOSPC') });
    expect([code, stderr]).toEqual([2, 'gfp-scope: cannot write the output: ENOSPC: no, write\n']);
  });
});

describe('an interruption', () => {
  it.each([[130], [143]])('ends the analysis with exit code %i', async (exitCode) => {
    const controller = new AbortController();
    const { code, stdout, stderr } = await session(['diff'], {
      signal: controller.signal,
      engine: {
        analyze: ({ signal }) =>
          new Promise((_, reject) => {
            signal!.addEventListener('abort', () => reject(signal!.reason));
            controller.abort(new Interrupted(exitCode));
          }),
      },
    });
    expect([code, stdout, stderr]).toEqual([exitCode, '', 'gfp-scope: interrupted\n']);
  });

  it('between the analysis and the renames leaves the files alone', async () => {
    const controller = new AbortController();
    const { code, tree } = await session(['apply'], {
      signal: controller.signal,
      engine: {
        checkedChanges: () => {
          controller.abort(new Interrupted());
          return { changes: [CHANGE], problems: [] };
        },
      },
    });
    expect(code).toBe(130);
    expect(readFileSync(path.join(tree.root, CHANGE.file), 'latin1')).toBe(CHANGE.before);
  });
});

describe('cache', () => {
  /** A cache directory with one fact of this program in its cache, and something of the person's beside it. */
  function kept() {
    const xdg = temporaryDirectory();
    const env = { XDG_CACHE_HOME: xdg };
    writeFiles(xdg, { 'gfp-scope/kernels/linux/Makefile': 'VERSION = 6\n' });
    const folder = path.join(xdg, 'gfp-scope/facts');
    const cache = openCache({ folder, tree: '/linux' });
    cache.facts.put('one', Buffer.alloc(3000));
    cache.close();
    return { env, folder, xdg };
  }

  it('info says where it is and how large', async () => {
    const { env, folder } = kept();
    const { code, stdout, stderr } = await session(['cache', 'info'], { env });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(
      `folder  ${folder}\nfiles   1\nsize    3.0 KiB\nusable  3.0 KiB (the rest is of other versions)\n`,
    );
  });

  it('clear removes it and nothing else; what is not there is cleared, too', async () => {
    const { env, folder, xdg } = kept();
    const first = await session(['cache', 'clear'], { env });
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toBe(`removed 1 file, 3.0 KiB, from ${folder}\n`);
    expect(existsSync(folder)).toBe(false);
    expect(readFileSync(path.join(xdg, 'gfp-scope/kernels/linux/Makefile'), 'utf8')).toBe('VERSION = 6\n');
    const again = await session(['cache', 'clear'], { env });
    expect([again.code, again.stdout]).toEqual([0, `removed 0 files, 0 bytes, from ${folder}\n`]);
    expect((await session(['cache', 'info'], { env })).stdout).toContain('files   0\n');
  });

  it.each([[['cache']], [['cache', 'shrink']]])('%j is an error', async (argv) => {
    const { code, stdout, stderr } = await session(argv);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^gfp-scope: .*\n$/);
  });

  it.each(['diff', 'apply --force', 'series --from A<a@b.c> -o out', 'scan', 'explain demo_add'])(
    '%s hands its folder to the analysis, or none with --no-cache',
    async (line) => {
      const env = { XDG_CACHE_HOME: '/some/cache' };
      const argv = line.split(' ');
      const used = await session(argv, { env });
      expect(used.asked[0]).toMatchObject({ cache: '/some/cache/gfp-scope/facts' });
      const unused = await session([...argv, '--no-cache'], { env });
      expect(unused.asked[0]).toMatchObject({ cache: false });
    },
  );
});

describe('help', () => {
  it.each([
    [[]],
    [['diff']],
    [['apply']],
    [['series']],
    [['scan']],
    [['explain']],
    [['cache']],
    [['completion']],
  ])('has examples: %j --help', async (verb) => {
    const { code, stdout, stderr } = await session([...verb, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Examples:\n +(gfp-scope|source)/m);
    for (const text of stdout.split('\n')) expect(text.length).toBeLessThanOrEqual(100);
  });

  it('lists every verb and the exit codes', async () => {
    const { stdout } = await session(['--help']);
    for (const verb of ['diff', 'apply', 'series', 'scan', 'explain', 'cache', 'completion'])
      expect(stdout).toContain(`gfp-scope ${verb} `);
    expect(stdout).toContain('Exit codes: 0 done');
  });

  it('is shown whatever else is asked', async () => {
    const { code, stdout, asked } = await session(['apply', '--help', 'fs/none']);
    expect(code).toBe(0);
    expect(stdout).toContain('gfp-scope apply');
    expect(asked).toEqual([]);
  });

  it('knows the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const { code, stdout } = await session(['--version']);
    expect([code, stdout]).toEqual([0, `${version}\n`]);
  });
});

describe('every option and verb', () => {
  it('is in docs/cli.md', async () => {
    const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    for (const verb of ['diff', 'apply', 'series', 'scan', 'explain', 'cache', 'completion']) {
      expect(page).toMatch(new RegExp(`^## .*\`${verb}`, 'm'));
      const { stdout } = await session([verb, '--help']);
      const options = stdout.slice(stdout.indexOf('Options:'), stdout.indexOf('Examples:'));
      for (const [option] of options.matchAll(/--[a-z-]+/g)) expect(page).toContain(`\`${option}`);
    }
  });
});

it('leaves a tree given with a trailing slash alone but for the change', async () => {
  const tree = smallTree({ [CHANGE.file]: CHANGE.before });
  writeFiles(tree.root, { 'fs/demo/other.c': 'int other;\n' });
  const { code } = await session(['apply', '--tree', `${tree.root}/`], { tree });
  expect(code).toBe(0);
  expect(readFileSync(path.join(tree.root, 'fs/demo/other.c'), 'utf8')).toBe('int other;\n');
});
