import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';

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
