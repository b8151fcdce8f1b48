import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';
import { temporaryDirectory } from '../tree/small-tree.js';

const TREE = fileURLToPath(new URL('../../fixtures/old-kernel', import.meta.url));

describe('a kernel in the style of 4.14', async () => {
  const { report } = await analyze({ tree: openKernelTree(TREE), paths: [''], jobs: 1 });
  const site = (file: string, line: string) => {
    const number =
      readFileSync(`${TREE}/${file}`, 'latin1')
        .split('\n')
        .findIndex((l) => l.includes(line)) + 1;
    return report.sites.find((s) => s.file === file && s.line === number);
  };
  const lock = (name: string) => report.locks.find((l) => l.lock === name);

  it('is taken for what it is', () => {
    expect(report.tree.version).toBe('4.14.0');
  });

  it('has reclaim release pages through the members of that time', () => {
    expect(lock('oldfs_sb_info.page_lock')).toMatchObject({ entry: 'address_space_operations.releasepage' });
    expect(site('fs/oldfs/inode.c', 'kmalloc(16')).toMatchObject({ verdict: 'scopable' });
  });

  it('has shrinkers that are static objects', () => {
    expect(lock('oldfs_sb_info.cache_lock')).toMatchObject({ entry: 'shrinker.scan_objects' });
    expect(site('fs/oldfs/inode.c', 'kmalloc(32')).toMatchObject({ verdict: 'scopable' });
  });

  it('swaps through direct_IO where the filesystem handles its swap files, and only there', () => {
    expect(lock('oldfs_sb_info.io_lock')).toMatchObject({ entry: 'address_space_operations.direct_IO' });
    expect(site('fs/oldfs/inode.c', 'kmalloc(64')).toMatchObject({ verdict: 'scopable' });
    expect(site('fs/bmapfs/inode.c', 'kmalloc(8')).toMatchObject({ verdict: 'lock-free' });
  });

  it('does not where the kernel has a member for that', async () => {
    const root = path.join(temporaryDirectory(), 'linux');
    cpSync(TREE, root, { recursive: true });
    const header = path.join(root, 'include/linux/fs.h');
    const text = readFileSync(header, 'latin1');
    const newer = text.replace(/^\tint \(\*swap_activate\)/m, '\tint (*swap_rw)(struct kiocb *);\n$&');
    expect(newer).not.toBe(text);
    writeFileSync(header, newer, 'latin1');
    const again = await analyze({ tree: openKernelTree(root), paths: ['fs/oldfs'], jobs: 1 });
    expect(again.report.locks.map((l) => l.lock)).not.toContain('oldfs_sb_info.io_lock');
  });

  it('gives a mapping its mask without the bit', () => {
    expect(site('fs/oldfs/inode.c', '~__GFP_FS')).toMatchObject({ flag: '~__GFP_FS', verdict: 'scopable' });
  });

  it('runs what a timer is set up with in no task', () => {
    expect(site('fs/oldfs/inode.c', 'kmalloc(8')).toMatchObject({
      verdict: 'task',
      reason: expect.stringContaining('runs as a timer'),
    });
  });
});
