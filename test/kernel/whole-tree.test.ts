import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeKernel, KERNEL_VERSIONS } from '../kernel-trees.js';
import { startProgram } from '../program.js';

const COUNTER = fileURLToPath(new URL('count-masks.py', import.meta.url));
const AUDIT = fileURLToPath(new URL('../audit/audit.py', import.meta.url));
const EXPLAINED = fileURLToPath(new URL('../audit/explained-6.12.json', import.meta.url));

/** Masks that the independent count knows. The clearing forms (`~__GFP_FS`) and flags such as `FGP_NOFS` are sites too. */
const WORDS = new Set(['GFP_NOFS', 'GFP_NOIO']);

const VERDICTS = new Set(['covered', 'scopable', 'lock-free', 'partial', 'task', 'opaque']);

/** More than there are: every site that may lose its mask is looked at, none by chance. */
const SAMPLE = 100_000;

interface Document {
  readonly sites: readonly {
    readonly id: string;
    readonly file: string;
    readonly flag: string;
    readonly verdict: string;
    readonly reason: string;
  }[];
}

for (const version of KERNEL_VERSIONS) {
  describeKernel(version, 'a scan of the whole tree', (tree) => {
    let folder: string;
    let scan: string;

    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'gfp-scope-scan-'));
      scan = path.join(folder, 'scan.json');
      const ran = await startProgram('/', ['scan', '--tree', tree, '--format', 'json']);
      expect(ran.status, ran.stderr).toBe(0);
      writeFileSync(scan, ran.stdout, 'latin1');
    }, 1_200_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('gives every mask in code one verdict, as many as an independent count finds', {
      timeout: 300_000,
    }, () => {
      const counted = spawnSync('python3', [COUNTER, tree], { encoding: 'utf8' });
      expect(counted.status, counted.stderr).toBe(0);
      const expected = JSON.parse(counted.stdout) as Record<string, number>;
      const total = Object.values(expected).reduce((a, b) => a + b, 0);
      expect(total).toBeGreaterThan(1500);

      const { sites } = JSON.parse(readFileSync(scan, 'latin1')) as Document;
      expect(new Set(sites.map((s) => s.id)).size).toBe(sites.length);
      expect(sites.filter((s) => !VERDICTS.has(s.verdict) || s.reason === '')).toEqual([]);
      const found: Record<string, number> = {};
      for (const { file, flag } of sites) if (WORDS.has(flag)) found[file] = (found[file] ?? 0) + 1;
      expect(found).toEqual(expected);
      expect(sites.filter((s) => /does not parse/.test(s.reason)).map((s) => s.id)).toEqual([]);
    });

    if (version === '6.12')
      it('agrees with the audit by text and ctags on every site in a scope, but for those explained', {
        timeout: 600_000,
      }, () => {
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
      });
  });
}
