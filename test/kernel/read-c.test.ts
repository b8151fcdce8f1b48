import { expect, it } from 'vitest';
import { extractFacts } from '../../src/parse/extract.js';
import { mendPasses } from '../../src/parse/mend.js';
import { packFacts, unpackFacts } from '../../src/parse/pack.js';
import { readCst } from '../../src/parse/read-c.js';
import { listFiles, readSource } from '../../src/tree/files.js';
import { describeKernel, KERNEL_VERSIONS } from '../kernel-trees.js';

/** Every so-manieth file is compared. */
const STEP = 25;

for (const version of KERNEL_VERSIONS) {
  describeKernel(version, 'the own reader against tree-sitter', (root) => {
    it('says the same of the functions, but for a few in a thousand', { timeout: 240_000 }, () => {
      const tree = { root, version };
      const files = listFiles(tree, ['fs', 'mm', 'block', 'drivers/md', 'include/linux']).files;
      const different: string[] = [];
      let functions = 0;
      let texts = 0;
      let notUnderstood = 0;
      for (const file of files.filter((_, i) => i % STEP === 0)) {
        const source = readSource(tree, file);
        if (!('text' in source)) continue;
        texts++;
        if (!readCst(mendPasses(source.text)[0]!.text)) notUnderstood++;
        const exact = extractFacts(file, source.text, 'exact');
        // What the program works with has been packed.
        const fast = unpackFacts(packFacts(extractFacts(file, source.text, 'fast')));
        expect(fast.lines).toEqual(exact.lines);
        expect(fast.functions.map((f) => f.name)).toEqual(exact.functions.map((f) => f.name));
        for (const [i, was] of exact.functions.entries()) {
          functions++;
          const now = fast.functions[i]!;
          expect(now.calls.map(([, op]) => op)).toEqual(
            now.cfg.flatMap(({ op }) => (op.k === 'call' ? [op] : [])),
          );
          const same =
            JSON.stringify([was.cfg, was.sites, was.params, was.locals, was.value]) ===
            JSON.stringify([now.cfg, now.sites, now.params, now.locals, now.value]);
          if (!same) different.push(`${file}:${was.line} ${was.name}`);
        }
      }
      expect(texts).toBeGreaterThan(100);
      expect(functions).toBeGreaterThan(1500);
      expect(notUnderstood / texts).toBeLessThan(0.02);
      expect(different.length / functions, different.join('\n')).toBeLessThan(0.006);
    });
  });
}
