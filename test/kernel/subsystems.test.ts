import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/analysis/report.js';
import type { FileChange } from '../../src/edit/plan.js';
import type { Problem } from '../../src/edit/self-check.js';
import { unifiedDiff } from '../../src/output/diff.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';
import { describeKernel, KERNEL_VERSIONS } from '../kernel-trees.js';
import { blanked, maskWords } from './mask-words.js';

const PATHS = ['fs/ext4', 'fs/jbd2', 'fs/ocfs2', 'fs/udf', 'fs/gfs2'];

/** One analysis for all tests of a kernel, by the built program: its threads run the built parser. */
async function convert(
  root: string,
): Promise<{ report: Report; changes: FileChange[]; problems: Problem[] }> {
  const built = (module: string): string => new URL(`../../dist/src/${module}`, import.meta.url).href;
  const { analyze }: typeof import('../../src/analysis/analyze.js') = await import(
    built('analysis/analyze.js')
  );
  const { checkedChanges }: typeof import('../../src/edit/self-check.js') = await import(
    built('edit/self-check.js')
  );
  const { headersOf }: typeof import('../../src/cli/work.js') = await import(built('cli/work.js'));
  const tree = openKernelTree(root);
  const analysis = await analyze({ tree, paths: PATHS, jobs: availableParallelism() });
  return { report: analysis.report, ...(await checkedChanges(analysis, headersOf(tree))) };
}

for (const version of KERNEL_VERSIONS) {
  describeKernel(version, PATHS.join(' '), (tree) => {
    let result: Awaited<ReturnType<typeof convert>>;
    beforeAll(async () => {
      result = await convert(tree);
    }, 900_000);

    it('no edit fails the self-check', () => {
      expect(result.problems).toEqual([]);
    });

    it('the diff is one that git apply takes', () => {
      const diff = unifiedDiff(result.changes);
      expect(result.changes.length).toBeGreaterThan(10);
      const options = { cwd: tree, env: { ...process.env, GIT_CEILING_DIRECTORIES: tree } };
      execFileSync('git', ['apply', '--check', '-'], { ...options, input: Buffer.from(diff, 'latin1') });
    });

    it('every GFP_NOFS and GFP_NOIO in code is a site, once', () => {
      const words = maskWords(tree, PATHS);
      expect(words.length).toBeGreaterThan(150);
      const sites = result.report.sites.filter((site) => /^GFP_NO(?:FS|IO)$/.test(site.flag));
      expect(sites.map((site) => site.id).sort()).toEqual(words);
    });

    it('every site has a verdict with a reason, and scopes that exist', () => {
      const scopes = new Set(result.report.scopes.map((scope) => scope.id));
      for (const site of result.report.sites) {
        expect(site.reason, site.id).not.toBe('');
        for (const scope of site.scopes) expect(scopes, site.id).toContain(scope);
        const rests = site.verdict === 'scopable' && site.scopes.length === 0;
        expect(rests, `${site.id} is scopable by no scope`).toBe(false);
      }
    });

    it('changes nothing but masks, scopes with what keeps their values, their comments and includes', () => {
      for (const { file, before, after } of result.changes) {
        const left = (text: string): string[] =>
          blanked(text)
            .replace(/\bGFP_(?:NOFS|NOIO|KERNEL)\b/g, 'GFP')
            .replace(/\bmapping_gfp_constraint\(([^;]*?),\s*~__GFP_FS\)/g, 'mapping_gfp_mask($1)')
            // `return f();` may have become `ret = f(); return ret;`, with a restore in between.
            .replace(
              /\b(\w+) = ([^;{}]*;)\s*(?:memalloc_no(?:fs|io)_restore\([^;]*;\s*)*return \1;/g,
              'return $2',
            )
            .split('\n')
            .map((line) => line.trim())
            .filter(
              (line) =>
                !/^$|\bmemalloc_no(?:fs|io)_|^#include <linux\/sched\/mm\.h>$/.test(line) &&
                !/^unsigned int (?:\w+_)?no(?:fs|io)_flags\d*(?: = 0)?;$|^nofs_flags\d* = \w+->\w+_nofs_flags;$/.test(
                  line,
                ) &&
                !/^(?!return\b)[\w ]+ \**ret;$/.test(line),
            )
            .map((line) => line.replace(/[{}]/g, '').trim())
            .filter((line) => line !== '');
        expect(left(after), file).toEqual(left(before));
      }
    });
  });
}

describe('the reader of mask words', () => {
  it('sees code and nothing else', () => {
    const text = `a = GFP_NOFS; /* GFP_NOFS\n */ b("GFP_NOIO\\"", 'x'); // GFP_NOIO\n#error don't GFP_NOFS\nGFP_NOIO\n`;
    expect(blanked(text).match(/GFP_\w+/g)).toEqual(['GFP_NOFS', 'GFP_NOIO']);
  });
});
