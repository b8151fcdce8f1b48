import { expect, it } from 'vitest';
import { DEFAULT_DIRS, measure } from '../../bench/parse-coverage.mjs';
import { mendPasses } from '../../src/parse/mend.js';
import { describeKernel, KERNEL_VERSIONS } from '../kernel-trees.js';

for (const version of KERNEL_VERSIONS) {
  describeKernel(version, 'functions that parse once mended', (tree) => {
    it('all that hold a GFP_NOFS or GFP_NOIO, and 99.9% of the rest', { timeout: 240_000 }, () => {
      const { total, failures } = measure(tree, DEFAULT_DIRS, { mendPasses });
      // A scan that finds nothing would pass.
      expect(total.functions).toBeGreaterThan(45_000);
      expect(total.siteFunctions).toBeGreaterThan(1_000);
      expect(failures.filter((f) => f.site).map((f) => `${f.file}:${f.line}:${f.name}`)).toEqual([]);
      expect(total.whole / total.functions).toBeGreaterThan(0.999);
    });
  });
}
