import { cpSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';
import { BASE } from '../transforms/case.js';
import { temporaryDirectory, writeFiles } from '../tree/small-tree.js';

/** What is said of the one mask in `example_fill()`, with these files beside the small tree. */
async function judged(files: Readonly<Record<string, string>>): Promise<string[]> {
  const root = path.join(temporaryDirectory(), 'linux');
  cpSync(BASE, root, { recursive: true });
  writeFiles(root, {
    'lib/fill.c':
      '#include <linux/slab.h>\n\nvoid *example_fill(void)\n{\n\treturn kmalloc(8, GFP_NOFS);\n}\n',
    ...files,
  });
  const { report } = await analyze({ tree: openKernelTree(root), paths: ['lib'], jobs: 1 });
  return report.sites.map(({ verdict, reason }) => `${verdict}: ${reason}`);
}

const caller = (n: number): Record<string, string> => ({
  [`drivers/char/c${n}.c`]: `void *c${n}(void)\n{\n\treturn example_fill();\n}\n`,
});

describe('a function that nobody was seen to call', () => {
  it('has no lock above it where no file names it', async () => {
    expect(await judged({})).toEqual([
      'lock-free: outside of any scope from example_fill(); no reclaim lock is held on the way',
    ]);
  });

  it('has the callers that a file outside of the core has', async () => {
    const locks =
      '#include <linux/mutex.h>\n#include "../../fs/examplefs/example.h"\n\n' +
      'void *c0(struct example_sb_info *sbi)\n{\n\tvoid *p;\n\n\tmutex_lock(&sbi->lock);\n\tp = example_fill();\n\tmutex_unlock(&sbi->lock);\n\treturn p;\n}\n';
    const [said] = await judged({ 'drivers/char/c0.c': locks });
    expect(said).not.toMatch(/^lock-free/);
  });

  it('has callers that are not known where many files name it', async () => {
    const many = Object.assign({}, ...Array.from({ length: 13 }, (_, n) => caller(n)));
    expect(await judged(many)).toEqual([
      'opaque: not every caller of example_fill() is known: not all files that name it were read',
    ]);
  });

  it('has them as well above a caller that was read', async () => {
    const many = Object.assign(
      {},
      ...Array.from({ length: 13 }, (_, n) => ({
        [`drivers/char/d${n}.c`]: `void *d${n}(void)\n{\n\treturn c0();\n}\n`,
      })),
    );
    const [said] = await judged({ ...caller(0), ...many });
    expect(said).toBe('opaque: not every caller of c0() is known: not all files that name it were read');
  });

  it.each([
    ['declare it', 'extern void *NAME(void);\n'],
    ['speak of it', '/* See NAME(). */\n'],
  ])('has no callers in files that only %s', async (_, text) => {
    const many = (name: string): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: 13 }, (_, n) => [`drivers/char/d${n}.h`, text.replace('NAME', name)]),
      );
    const said = (name: string): string =>
      `lock-free: outside of any scope from ${name}(); no reclaim lock is held on the way`;
    expect(await judged(many('example_fill'))).toEqual([said('example_fill')]);
    expect(await judged({ ...caller(0), ...many('c0') })).toEqual([said('c0')]);
  });
});
