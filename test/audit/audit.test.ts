import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { scanDocument } from '../../src/output/scan-document.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const DEMO = path.join(ROOT, 'fixtures/demo');

/** Why the two may differ on a site; one that is not there any more fails the test. */
const EXPLAINED = JSON.parse(
  readFileSync(path.join(ROOT, 'test/audit/explained-demo.json'), 'utf8'),
) as Record<string, string>;

/** Sites on which the audit differs from a scan document of the example filesystem. */
function disagreements(document: unknown): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'gfp-scope-audit-'));
  try {
    const scan = path.join(folder, 'scan.json');
    writeFileSync(scan, JSON.stringify(document));
    const audit = path.join(ROOT, 'test/audit/audit.py');
    const run = spawnSync('python3', [audit, scan, DEMO], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(run.stderr);
    return Object.keys(JSON.parse(run.stdout).disagreements);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the audit by text and ctags', () => {
  it('agrees on the example filesystem, and no longer once its scopes are taken away', async () => {
    const { report } = await analyze({ tree: openKernelTree(DEMO), paths: ['fs/demofs'], jobs: 1 });
    const document = scanDocument(report);
    expect(document.summary.byVerdict.scopable).toBeGreaterThan(0);
    expect(disagreements(document)).toEqual(Object.keys(EXPLAINED));
    expect(disagreements({ ...document, scopes: [] }).length).toBeGreaterThan(Object.keys(EXPLAINED).length);
  });
});
