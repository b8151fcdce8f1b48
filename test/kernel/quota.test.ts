import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { describeKernel } from '../kernel-trees.js';
import { type Ran, startProgram } from '../program.js';
import { maskWords } from './mask-words.js';

const OWN = fileURLToPath(new URL('upstream.json', import.meta.url));

const Upstream = z.object({
  conversions: z.array(
    z.object({
      file: z.string(),
      scoped: z.array(z.string()),
      downgraded: z.record(z.string(), z.number()),
    }),
  ),
});

/** What upstream did in fs/quota by hand between the two kernels. */
function upstream(): z.infer<typeof Upstream>['conversions'] {
  const text = readFileSync(OWN, 'utf8');
  return Upstream.parse(JSON.parse(text)).conversions.filter(({ file }) => file.startsWith('fs/quota/'));
}

/** What the kernel's own build needs; `make tools` installs it. */
const MISSING_TOOLS = ['gcc', 'make', 'flex', 'bison', 'bc', 'git'].filter(
  (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
);

interface Document {
  readonly sites: {
    id: string;
    file: string;
    function: string | null;
    flag: string;
    verdict: string;
    scopes: string[];
  }[];
  readonly scopes: { id: string; file: string; function: string; lock: string; state: string }[];
}

describeKernel('6.1', 'fs/quota', (tree) => {
  let scratch: string;
  let copy: string;
  let scan: Ran;
  let series: Ran;
  let document: Document;

  beforeAll(async () => {
    // Beside the tree: a hard link can't leave its filesystem.
    scratch = mkdtempSync(path.join(path.dirname(tree), '.quota-test-'));
    copy = path.join(scratch, 'linux');
    execFileSync('cp', ['-al', tree, copy]);
    [scan, series] = await Promise.all([
      startProgram(tree, ['scan', '--tree', tree, '--format', 'json', 'fs/quota']),
      startProgram(tree, [
        'series',
        ...['--tree', tree, '-o', path.join(scratch, 'outgoing')],
        ...['--signoff', '--from', 'A U Thor <author@example.com>', 'fs/quota'],
      ]),
    ]);
    expect(scan).toMatchObject({ status: 0, stderr: '' });
    expect(series.status).toBe(0);
    document = JSON.parse(scan.stdout);
  }, 600_000);

  afterAll(() => {
    if (scratch) rmSync(scratch, { recursive: true, force: true });
  });

  it('proposes a scope on dqio_sem wherever upstream put one in quota_v1.c and quota_v2.c', () => {
    const wanted = upstream().flatMap(({ file, scoped }) => scoped.map((name) => `${file} ${name}`));
    const proposed = document.scopes
      .filter((s) => s.state === 'proposed' && s.lock === 'quota_info.dqio_sem')
      .map((s) => `${s.file} ${s.function}`);
    expect(wanted).toHaveLength(8);
    expect(proposed.filter((place) => /quota_v[12]\.c /.test(place)).sort()).toEqual(wanted.sort());
  });

  it('finds every site scopable that upstream downgraded', () => {
    let count = 0;
    for (const { file, downgraded } of upstream()) {
      for (const [name, times] of Object.entries(downgraded)) {
        const sites = document.sites.filter((site) => site.file === file && site.function === name);
        const scopable = sites.filter((site) => site.verdict === 'scopable');
        expect(scopable.length, `${file} ${name}`).toBeGreaterThanOrEqual(times);
        for (const site of scopable) {
          const ids = document.scopes.map((scope) => scope.id);
          expect(site.scopes.length).toBeGreaterThan(0);
          for (const id of site.scopes) expect(ids).toContain(id);
        }
        count += times;
      }
    }
    expect(count).toBe(13);
  });

  it('names every GFP_NOFS and GFP_NOIO in code, once', () => {
    const words = maskWords(tree, ['fs/quota']);
    expect(words.length).toBeGreaterThan(13);
    const sites = document.sites.filter((site) => /^GFP_NO(?:FS|IO)$/.test(site.flag));
    expect(sites.map((site) => site.id).sort()).toEqual(words);
  });

  it.skipIf(MISSING_TOOLS.length > 0 && !process.env.CI)(
    `apply: every prefix compiles without a new warning; the series comes to the same; nothing is left to do${
      MISSING_TOOLS.length > 0 ? ` (missing: ${MISSING_TOOLS.join(', ')})` : ''
    }`,
    { timeout: 900_000 },
    async () => {
      const changed = changedBy(path.join(scratch, 'outgoing'));
      expect(changed.length).toBeGreaterThan(2);
      const originals = changed.map((file) => digest(path.join(tree, file)));

      const verifying = startProgram(tree, [
        ...['verify', 'series', path.join(scratch, 'outgoing'), '--tree', tree],
        ...['--format', 'json', '--jobs', String(availableParallelism())],
      ]);
      const applied = await startProgram(copy, ['apply', '--tree', copy, 'fs/quota']);
      expect(applied.status).toBe(0);
      // The copy has its files in common with the tree; new contents must be new files.
      expect(changed.map((file) => digest(path.join(tree, file)))).toEqual(originals);
      expect(changed.filter((_, i) => digest(path.join(copy, changed[i]!)) === originals[i])).toEqual([]);

      const again = await startProgram(copy, ['diff', '--exit-code', '--tree', copy, 'fs/quota']);
      expect(again).toMatchObject({ status: 0, stdout: '' });

      const { status, stdout, stderr } = await verifying;
      expect([status, stderr]).toEqual([0, '']);
      const verified = JSON.parse(stdout);
      const objects = changed.filter((file) => file.endsWith('.c')).map((file) => file.replace(/c$/, 'o'));
      const made = verified.patches.flatMap((patch: { made: string[] }) => patch.made);
      expect([...new Set(made)].sort()).toEqual(objects);
      expect(verified.unbuilt).toEqual([]);
      for (const patch of verified.patches) {
        expect(patch).toMatchObject({ ok: true, broken: [], warnings: [] });
        expect(patch.made).toEqual(patch.objects);
      }
      expect(changed.map((file) => digest(path.join(tree, file)))).toEqual(originals);

      const repository = path.join(scratch, 'git');
      commitFiles(repository, tree, changed);
      const patches = readdirSync(path.join(scratch, 'outgoing')).filter((name) => !name.startsWith('0000'));
      git(repository, 'am', '-q', ...patches.sort().map((name) => path.join(scratch, 'outgoing', name)));
      for (const file of changed)
        expect(digest(path.join(repository, file)), file).toBe(digest(path.join(copy, file)));
      const touched = git(repository, 'diff', '--name-only', `HEAD~${patches.length}`).trim().split('\n');
      expect(touched.sort()).toEqual(changed);
    },
  );
});

describeKernel('6.12', 'fs/quota', (tree) => {
  it('has its scopes on dqio_sem already: none is proposed again', { timeout: 600_000 }, async () => {
    const { status, stdout, stderr } = await startProgram(tree, ['diff', '--tree', tree, 'fs/quota']);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^\d+ sites?: /m);
    const added = stdout.split('\n').filter((line) => line.startsWith('+'));
    expect(added.filter((line) => line.includes('dqio_sem'))).toEqual([]);
  });
});

/** The files that a series changes. */
function changedBy(directory: string): string[] {
  const files = new Set<string>();
  for (const name of readdirSync(directory)) {
    for (const [, file] of readFileSync(path.join(directory, name), 'latin1').matchAll(/^\+\+\+ b\/(.*)$/gm))
      files.add(file!);
  }
  return [...files].sort();
}

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function git(cwd: string, ...args: string[]): string {
  const as = [
    '-c',
    'user.name=A U Thor',
    '-c',
    'user.email=author@example.com',
    '-c',
    'commit.gpgsign=false',
  ];
  return execFileSync('git', [...as, ...args], { cwd, encoding: 'latin1', stdio: 'pipe' });
}

/** A git repository with those files of the tree. */
function commitFiles(repository: string, tree: string, files: readonly string[]): void {
  mkdirSync(repository);
  git(repository, 'init', '-q', '-b', 'main');
  for (const file of files) {
    mkdirSync(path.dirname(path.join(repository, file)), { recursive: true });
    writeFileSync(path.join(repository, file), readFileSync(path.join(tree, file)));
  }
  git(repository, 'add', '.');
  git(repository, 'commit', '-q', '-m', 'As released');
}
