import { cpSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import type { AnalyzeOptions } from '../../src/analysis/api.js';
import { openKernelTree, withModule } from '../../src/tree/kernel-tree.js';
import { temporaryDirectory, writeFiles } from '../tree/small-tree.js';

const BASE = fileURLToPath(new URL('../../fixtures/lock-scope/base', import.meta.url));
const OUTFS = fileURLToPath(new URL('../../fixtures/module/outfs', import.meta.url));

/** Copies of the kernel and of the module, side by side, with more files in either. */
function setting(kernel: Record<string, string> = {}, module: Record<string, string> = {}) {
  const top = temporaryDirectory();
  const linux = path.join(top, 'linux');
  const outfs = path.join(top, 'outfs');
  cpSync(BASE, linux, { recursive: true });
  cpSync(OUTFS, outfs, { recursive: true });
  writeFiles(linux, kernel);
  writeFiles(outfs, module);
  return { top, linux, outfs };
}

async function analysed(linux: string | undefined, module: string, more: Partial<AnalyzeOptions> = {}) {
  const tree = withModule(linux === undefined ? undefined : openKernelTree(linux), module);
  const { report, plan } = await analyze({ tree, paths: ['module:'], jobs: 1, ...more });
  const verdicts = Object.fromEntries(
    report.sites.map((s) => [`${s.file} ${s.function} ${s.call}`, s.verdict] as const),
  );
  const reason = (fn: string, call?: string) =>
    report.sites.find((s) => s.function === fn && (call === undefined || s.call === call))?.reason;
  return { report, plan, verdicts, reason };
}

const VERDICTS = {
  'module:/fs/inode.c outfs_new_note kzalloc': 'scopable',
  'module:/fs/inode.c outfs_resize kcalloc': 'opaque',
  'module:/fs/inode.c iput kmalloc': 'scopable',
  'module:/fs/ioctl.c outfs_ioctl kmalloc': 'lock-free',
  'module:/fs/ioctl.c outfs_ioctl outside_of_this': 'opaque',
};

describe('a module against a kernel', () => {
  it('has verdicts for its own sites only', async () => {
    const { linux, outfs } = setting({
      'fs/examplefs/case.c': 'void example(void)\n{\n\tkmalloc(1, GFP_NOFS);\n}\n',
    });
    const { verdicts, reason } = await analysed(linux, outfs);
    expect(verdicts).toEqual(VERDICTS);
    expect(reason('outfs_resize')).toMatch(/it is exported to other modules$/);
    expect(reason('outfs_ioctl', 'outside_of_this')).toBe(
      'outside_of_this() is declared nowhere in the kernel or the module',
    );
  });

  it('can be asked for in part', async () => {
    const { linux, outfs } = setting();
    const { verdicts } = await analysed(linux, outfs, { paths: ['module:/fs/inode.c'] });
    expect(Object.keys(verdicts)).toEqual(Object.keys(VERDICTS).slice(0, 3));
  });

  it('is called by the kernel through tables, and by no name', async () => {
    const { linux, outfs } = setting({
      'fs/other.c':
        '#include <linux/fs.h>\nvoid outfs_new_note(struct inode *inode);\n' +
        'void other(struct inode *inode)\n{\n\toutfs_new_note(inode);\n\tiput(inode);\n}\n',
    });
    const { verdicts, report } = await analysed(linux, outfs);
    expect(verdicts).toEqual(VERDICTS);
    const free = report.sites.find((s) => s.verdict === 'lock-free')!;
    expect(free.paths[0]!.steps.map((s) => [s.file, s.function, s.edge])).toEqual([
      ['fs/ioctl.c', 'vfs_ioctl', 'typed'],
      ['module:/fs/ioctl.c', 'outfs_ioctl', undefined],
    ]);
  });

  it('links to its own definitions first, and to the kernel for the rest', async () => {
    const given = { 'extra.c': 'void outfs_keep(void *p)\n{\n\tkernel_keeps(p, GFP_NOFS);\n}\n' };
    const { linux, outfs } = setting(
      {
        'include/linux/keep.h': 'void kernel_keeps(struct keeper *k, gfp_t gfp);\n',
        'fs/keep.c': 'void kernel_keeps(struct keeper *k, gfp_t gfp)\n{\n\tk->gfp = gfp;\n}\n',
      },
      given,
    );
    const { reason } = await analysed(linux, outfs);
    expect(reason('outfs_keep')).toBe('kernel_keeps() keeps the mask for later');
    const own = setting(
      { 'fs/keep.c': 'void kernel_keeps(struct keeper *k, gfp_t gfp)\n{\n\tk->gfp = gfp;\n}\n' },
      { ...given, 'keep.c': 'void kernel_keeps(void *p, gfp_t gfp)\n{\n\tkmalloc(8, gfp);\n}\n' },
    );
    expect((await analysed(own.linux, own.outfs)).reason('outfs_keep')).not.toMatch(/keeps the mask/);
  });

  it('means what its macros say, which the kernel does not see', async () => {
    const keeps = 'void kernel_keeps(struct keeper *k, gfp_t gfp)\n{\n\tk->gfp = gfp;\n}\n';
    const { linux, outfs } = setting(
      { 'fs/keep.c': keeps },
      {
        'compat.h':
          '#define kernel_keeps outfs_takes\nstatic inline void outfs_takes(void *p, gfp_t gfp)\n{\n\tkmalloc(8, gfp);\n}\n',
        'extra.c': '#include "compat.h"\nvoid outfs_keep(void *p)\n{\n\tkernel_keeps(p, GFP_NOFS);\n}\n',
      },
    );
    expect((await analysed(linux, outfs)).reason('outfs_keep')).not.toMatch(/keeps the mask/);
  });

  it('is not mixed up with the version of it that is in the kernel, and that is not edited', async () => {
    const { linux, outfs } = setting();
    cpSync(OUTFS, path.join(linux, 'fs/outfs'), { recursive: true });
    const { verdicts, plan, report } = await analysed(linux, outfs);
    expect(verdicts).toEqual(VERDICTS);
    expect(plan.scopes.map((s) => [s.file, s.function])).toEqual([['module:/fs/ioctl.c', 'outfs_ioctl']]);
    expect(plan.downgrades.every((d) => d.file.startsWith('module:/'))).toBe(true);
    const regions = report.locks.find((l) => l.lock === 'outfs_sb_info.lock')!.regions;
    expect(regions.find((r) => r.file === 'fs/outfs/fs/ioctl.c')).toMatchObject({
      state: 'refused',
      reason: 'the kernel that the module is for is not edited',
    });
  });

  it('need not be a filesystem', async () => {
    const { linux, outfs } = setting();
    writeFiles(outfs, {
      'super.c': readFileSync(path.join(outfs, 'super.c'), 'latin1').replace(
        /static struct file_system_type[^;]*;/,
        '',
      ),
    });
    const { verdicts } = await analysed(linux, outfs);
    expect(verdicts['module:/fs/inode.c outfs_new_note kzalloc']).toBe('scopable');
  });
});

describe('a module without a kernel', () => {
  it('has scopes where all callers are its own, and the kernel may call the rest from anywhere', async () => {
    const { outfs } = setting();
    const { verdicts, reason } = await analysed(undefined, outfs);
    expect(verdicts).toEqual({ ...VERDICTS, 'module:/fs/ioctl.c outfs_ioctl kmalloc': 'opaque' });
    expect(reason('outfs_ioctl', 'kmalloc')).toMatch(
      /not every caller of outfs_ioctl\(\) is known: its address is kept, and the kernel was not read/,
    );
    expect(reason('outfs_ioctl', 'outside_of_this')).toBe(
      'what outside_of_this() does with the mask is not known without the kernel',
    );
  });

  const rooted = (body: string) => ({ 'extra.c': `#include "outfs.h"\n\n${body}` });
  const holder = (call: string) =>
    `void outfs_hold(struct outfs_sb_info *sbi)\n{\n\tmutex_lock(&sbi->lock);\n\t${call};\n\tmutex_unlock(&sbi->lock);\n}\n`;
  const alone =
    'static void outfs_alone(struct outfs_sb_info *sbi)\n{\n\tsbi->table = kmalloc(4, GFP_NOFS);\n}\n';

  it.each([
    ['nobody else can call', alone + holder('outfs_alone(sbi)'), 'scopable'],
    [
      'a macro of the kernel makes a table of',
      `${alone}DEFINE_KERNEL_ATTRIBUTE(outfs_alone);\n${holder('outfs_alone(sbi)')}`,
      'opaque',
    ],
    [
      'a macro of the kernel makes the name of',
      `${alone.replace('outfs_alone', 'stats_show')}DEFINE_KERNEL_ATTRIBUTE(stats);\n${holder('stats_show(sbi)')}`,
      'opaque',
    ],
    [
      'the module calls through a table of the kernel',
      `${alone}static const struct kernel_ops outfs_ops = {\n\t.run = outfs_alone,\n};\n` +
        `void outfs_hold(struct outfs_sb_info *sbi, struct kernel_ops *ops)\n{\n\tmutex_lock(&sbi->lock);\n\tops->run(sbi);\n\tmutex_unlock(&sbi->lock);\n}\n`,
      'opaque',
    ],
    [
      'the module calls through a table of its own',
      `struct outfs_ops {\n\tvoid (*run)(struct outfs_sb_info *sbi);\n};\n` +
        `${alone}static const struct outfs_ops outfs_ops = {\n\t.run = outfs_alone,\n};\n` +
        `void outfs_hold(struct outfs_sb_info *sbi, struct outfs_ops *ops)\n{\n\tmutex_lock(&sbi->lock);\n\tops->run(sbi);\n\tmutex_unlock(&sbi->lock);\n}\n`,
      'scopable',
    ],
    [
      'is handed to the kernel',
      `${alone}${holder('outfs_alone(sbi)')}void outfs_give(void)\n{\n\tkernel_calls_later(outfs_alone);\n}\n`,
      'opaque',
    ],
  ])('a function that %s', async (_, body, verdict) => {
    const { outfs } = setting({}, rooted(body));
    const { verdicts } = await analysed(undefined, outfs);
    const [found] = Object.entries(verdicts).filter(([site]) => site.startsWith('module:/extra.c'));
    expect(found?.[1]).toBe(verdict);
  });

  it('is no better off with headers alone, but for the types', async () => {
    const { linux, outfs } = setting(
      {},
      rooted(
        `${alone}static const struct file_operations outfs_ops = {\n\t.unlocked_ioctl = outfs_alone,\n};\n` +
          `void outfs_hold(struct outfs_sb_info *sbi, struct file *file)\n{\n\tmutex_lock(&sbi->lock);\n\tfile->f_op->unlocked_ioctl(sbi);\n\tmutex_unlock(&sbi->lock);\n}\n`,
      ),
    );
    for (const sources of ['fs', 'mm']) rmSync(path.join(linux, sources), { recursive: true });
    const { verdicts, report } = await analysed(linux, outfs);
    expect(report.tree).toMatchObject({ version: '6.12.0', headersOnly: true });
    expect(verdicts).toEqual({
      ...VERDICTS,
      'module:/fs/ioctl.c outfs_ioctl kmalloc': 'opaque',
      'module:/extra.c outfs_alone kmalloc': 'opaque',
    });
  });

  it('does not guess the class of a lock from the one struct of its own that has such a member', async () => {
    const { outfs } = setting(
      {},
      rooted(
        'void outfs_foreign(void)\n{\n\tmutex_lock(&kernel_thing()->lock);\n\tkernel_thing()->p = kmalloc(4, GFP_NOFS);\n\tmutex_unlock(&kernel_thing()->lock);\n}\n',
      ),
    );
    const { verdicts, plan } = await analysed(undefined, outfs);
    expect(verdicts['module:/extra.c outfs_foreign kmalloc']).toBe('opaque');
    expect(plan.scopes.map((s) => s.function)).toEqual(['outfs_ioctl']);
  });
});
