import { describe, expect, it } from 'vitest';
import type { Report, Site } from '../../src/analysis/report.js';
import type { Plan } from '../../src/edit/plan.js';
import { findingsDocument, heldPaths } from '../../src/output/findings-document.js';
import { REPORT } from './scan-report.js';

const PLAN: Plan = { scopes: [], downgrades: [], removals: [] };
const PARTIAL = REPORT.sites.find(({ verdict }) => verdict === 'partial')!;

/** The report with these sites only. */
function withSites(...changes: Partial<Site>[]): Report {
  const reason = 'demo_fill() may hold demo_inode.map_sem and no scope can be placed there';
  return { ...REPORT, sites: changes.map((change) => ({ ...PARTIAL, reason, ...change })) };
}

describe('the paths that are shown', () => {
  it('one of each lock class, the shortest', () => {
    const [long] = PARTIAL.paths;
    const short = { ...long!, steps: long!.steps.slice(1) };
    const report = withSites({ id: 'a' }, { id: 'b', paths: [short] });
    expect(heldPaths(report, 10).map(({ site }) => site.id)).toEqual(['b']);
  });

  it('none by an edge known by name only, and none with a lock of another part of the kernel', () => {
    const [first] = PARTIAL.paths;
    const guessed = { ...first!, steps: first!.steps.map((step) => ({ ...step, edge: 'name' as const })) };
    expect(heldPaths(withSites({ paths: [guessed] }), 10)).toEqual([]);
    expect(heldPaths(withSites({ file: 'fs/other/inode.c' }), 10)).toEqual([]);
  });
});

describe('the document', () => {
  const report = withSites({}, { id: 'b', verdict: 'opaque', reason: 'the mask is stored in a structure' });
  const paths = heldPaths(report, 10);

  it('counts verdicts by subsystem and obstacles by what is behind them', () => {
    const text = findingsDocument(report, PLAN, 'Intro.', paths, new Map());
    expect(text).toContain('| fs/demo | 2 |  |  |  | 1 |  | 1 | 1 |');
    expect(text).toContain('| a reclaim lock may be held, and no scope can be placed | 1 |');
    expect(text).toContain('| `demo_inode.map_sem` | 1 | fs/demo |');
    expect(text).toContain('| `a structure` | 1 | fs/demo |');
  });

  it('counts the masks that each transform drops, and those that stay', () => {
    const { id, file, function: name, start, end } = report.sites[0]!;
    const downgrade = { site: id, file, function: name, start, end, replacement: 'GFP_KERNEL', scopes: [] };
    const plan: Plan = { scopes: [], downgrades: [{ ...downgrade, transform: 'task-scope' }], removals: [] };
    const text = findingsDocument(report, plan, 'Intro.', paths, new Map());
    expect(text).toContain('| | sites | task-scope | left |');
    expect(text).toContain('| fs/demo | 2 | 1 | 1 |');
  });

  it('has the path, the chain and the judgement of each', () => {
    const note = { real: false, why: 'It is another inode.' };
    const text = findingsDocument(report, PLAN, 'Intro.', paths, new Map([[PARTIAL.id, note]]));
    expect(text).toContain('### 1. demo_read() under `demo_inode.map_sem`');
    expect(text).toContain('- path: demo_fill() fs/demo/inode.c:90 → demo_read() fs/demo/inode.c:105');
    expect(text).toContain('→ demo_evict_inode() fs/demo/super.c:20 → demo_truncate() fs/demo/inode.c:200');
    expect(text).toContain('*False.* It is another inode.');
    expect(findingsDocument(report, PLAN, 'Intro.', paths, new Map())).toContain('Not read yet.');
  });
});
