import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { describeKernel } from '../kernel-trees.js';
import { startProgram } from '../program.js';

const AUDIT = path.resolve(import.meta.dirname, '../audit/audit.py');
const EXPLAINED = path.resolve(import.meta.dirname, '../audit/explained-6.12.json');

/** More than there are: every site that may lose its mask is looked at, none by chance. */
const SAMPLE = 100_000;

describeKernel('6.12', 'the audit of a whole tree by text and ctags', (tree) => {
  it('agrees on every site that is said to be in a scope, but for those explained', {
    timeout: 900_000,
  }, async () => {
    const ran = await startProgram('/', ['scan', '--tree', tree, '--format', 'json']);
    expect(ran.status, ran.stderr).toBe(0);
    const folder = mkdtempSync(path.join(tmpdir(), 'gfp-scope-audit-'));
    try {
      const scan = path.join(folder, 'scan.json');
      writeFileSync(scan, ran.stdout, 'latin1');
      const args = [AUDIT, '--sample', `${SAMPLE}`, '--seed', '1', scan, tree, '--explained', EXPLAINED];
      const audit = spawnSync('python3', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
      const found = JSON.parse(audit.stdout) as {
        sites: number;
        unread: string[];
        disagreements: Record<string, string[]>;
      };
      const explained = Object.keys(JSON.parse(readFileSync(EXPLAINED, 'utf8')));
      // The chain of each disagreement is shown where one is new.
      const unexplained = Object.entries(found.disagreements).filter(([site]) => !explained.includes(site));
      expect(unexplained).toEqual([]);
      expect(explained.filter((site) => found.disagreements[site] === undefined)).toEqual([]);
      expect(audit.status, audit.stderr).toBe(0);
      expect(found.unread).toEqual([]);
      expect(found.sites).toBeGreaterThan(150);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
