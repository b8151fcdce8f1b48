import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { analyze } from '../../src/analysis/analyze.js';
import type { Finding } from '../../src/analysis/report.js';
import { contradiction } from '../../src/checks/contradictory-mask.js';
import { RULES } from '../../src/checks/index.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';
import { BASE, CASE_FILE } from '../transforms/case.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures/checks/', import.meta.url));

const expected = z
  .record(z.string(), z.array(z.tuple([z.string(), z.string(), z.string()])))
  .parse(JSON.parse(readFileSync(path.join(FIXTURES, 'expected.json'), 'utf8')));

/** What is found in a fixture that stands for the case's file; `more` are others, by their place in the tree. */
async function findingsIn(fixture: string, more: Readonly<Record<string, string>> = {}): Promise<Finding[]> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'gfp-scope-check-')));
  try {
    cpSync(BASE, root, { recursive: true });
    for (const [to, from] of Object.entries({ [CASE_FILE]: fixture, ...more })) {
      mkdirSync(path.dirname(path.join(root, to)), { recursive: true });
      cpSync(path.join(FIXTURES, from), path.join(root, to));
    }
    const { report } = await analyze({
      tree: openKernelTree(root),
      paths: [CASE_FILE],
      jobs: 1,
      checks: true,
    });
    return [...report.findings!];
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const shown = (findings: readonly Finding[]): unknown =>
  findings.map((found) => [found.function, found.rule, found.message]);

describe('check', () => {
  it.each(['scopes.c', 'masks.c', 'reclaim.c', 'callees.c', 'tasks.c'])(
    'finds what is wrong in %s, and nothing else',
    async (name) => {
      expect(shown(await findingsIn(name))).toEqual(expected[name]);
    },
  );

  it('finds masks that vmalloc ignores, in a tree where it does', async () => {
    const ignores = { 'mm/vmalloc.c': 'vmalloc-ignores.c' };
    expect(shown(await findingsIn('vmalloc.c', ignores))).toEqual(expected['vmalloc.c']);
    for (const honours of ['vmalloc-honours.c', 'vmalloc-honours-in-a-helper.c'])
      expect(await findingsIn('vmalloc.c', { 'mm/vmalloc.c': honours })).toEqual([]);
    // Of a tree without it nothing is known.
    expect(await findingsIn('vmalloc.c')).toEqual([]);
  });

  it('names the place to the byte, and the chain of a deadlock', async () => {
    const [found] = await findingsIn('reclaim.c');
    expect(found).toMatchObject({ file: CASE_FILE, line: 10, column: 16, level: 'warning' });
    expect(found!.related.map((step) => [step.function, step.file])).toEqual([
      ['example_evict_inode', 'fs/examplefs/super.c'],
      ['example_forget', 'fs/examplefs/super.c'],
    ]);
  });

  it('has a fixture for each rule', () => {
    const found = new Set(Object.values(expected).flatMap((list) => list.map(([, rule]) => rule)));
    expect([...found].sort()).toEqual(RULES.map(({ id }) => id).sort());
  });

  it('does not look where it was not asked to', async () => {
    const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'gfp-scope-check-')));
    try {
      cpSync(BASE, root, { recursive: true });
      cpSync(path.join(FIXTURES, 'reclaim.c'), path.join(root, CASE_FILE));
      const asked = { tree: openKernelTree(root), paths: ['mm'], jobs: 1 };
      expect((await analyze({ ...asked, checks: true })).report.findings).toEqual([]);
      expect((await analyze(asked)).report.findings).toBeUndefined();
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});

describe('masks that contradict each other', () => {
  it.each([
    [['GFP_KERNEL', '__GFP_NOFAIL'], ''],
    [['GFP_KERNEL', 'GFP_NOFS'], 'GFP_NOFS has no effect beside GFP_KERNEL'],
    [['GFP_ATOMIC', 'GFP_KERNEL', '__GFP_ZERO'], 'GFP_ATOMIC has no effect beside GFP_KERNEL'],
    [['GFP_NOIO', '__GFP_FS'], '__GFP_FS is what GFP_NOIO leaves out'],
    [['GFP_NOWAIT', '__GFP_DIRECT_RECLAIM'], '__GFP_DIRECT_RECLAIM is what GFP_NOWAIT leaves out'],
    [['GFP_NOFS', '__GFP_IO'], ''],
  ])('%j: %s', (constants, why) => {
    expect(contradiction(constants)).toBe(why);
  });
});
