import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeKernel, KERNEL_VERSIONS } from '../kernel-trees.js';
import { startProgram } from '../program.js';

const COUNTER = fileURLToPath(new URL('count-masks.py', import.meta.url));

/** Masks that the independent count knows. The clearing forms (`~__GFP_FS`) and flags such as `FGP_NOFS` are sites too. */
const WORDS = new Set(['GFP_NOFS', 'GFP_NOIO']);

const VERDICTS = new Set(['covered', 'scopable', 'lock-free', 'partial', 'task', 'opaque']);

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
  describeKernel(version, 'the whole tree', (tree) => {
    it('every mask in code has one verdict, as many as an independent count finds', {
      timeout: 600_000,
    }, async () => {
      const counted = spawnSync('python3', [COUNTER, tree], { encoding: 'utf8' });
      expect(counted.status, counted.stderr).toBe(0);
      const expected = JSON.parse(counted.stdout) as Record<string, number>;
      const total = Object.values(expected).reduce((a, b) => a + b, 0);
      expect(total).toBeGreaterThan(1500);

      const ran = await startProgram('/', ['scan', '--tree', tree, '--format', 'json']);
      expect(ran.status, ran.stderr).toBe(0);
      const { sites } = JSON.parse(ran.stdout) as Document;
      expect(new Set(sites.map((s) => s.id)).size).toBe(sites.length);
      expect(sites.filter((s) => !VERDICTS.has(s.verdict) || s.reason === '')).toEqual([]);
      const found: Record<string, number> = {};
      for (const { file, flag } of sites) if (WORDS.has(flag)) found[file] = (found[file] ?? 0) + 1;
      expect(found).toEqual(expected);
      expect(sites.filter((s) => /does not parse/.test(s.reason)).map((s) => s.id)).toEqual([]);
    });
  });
}
