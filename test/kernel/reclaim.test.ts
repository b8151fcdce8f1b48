import { beforeAll, expect, it } from 'vitest';
import type { Reclaim } from '../../src/analysis/reclaim.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';
import { describeKernel, KERNEL_VERSIONS } from '../kernel-trees.js';

/** By the built program: its threads run the built parser. */
async function reclaimOf(root: string): Promise<Reclaim> {
  const built = (module: string): string => new URL(`../../dist/src/${module}`, import.meta.url).href;
  const { listTree, parseAll, Threads }: typeof import('../../src/index/load.js') = await import(
    built('index/load.js')
  );
  const { Index }: typeof import('../../src/index/link.js') = await import(built('index/link.js'));
  const { Locks }: typeof import('../../src/analysis/locks.js') = await import(built('analysis/locks.js'));
  const { Tasks }: typeof import('../../src/analysis/tasks.js') = await import(built('analysis/tasks.js'));
  const reclaim: typeof import('../../src/analysis/reclaim.js') = await import(built('analysis/reclaim.js'));
  const tree = openKernelTree(root);
  const threads = new Threads(2);
  const { facts } = await parseAll(tree, listTree(tree, ['fs']).core, threads);
  await threads.close();
  const index = new Index(facts);
  return new reclaim.Reclaim(index, new Locks(index), new Tasks(index), 'nofs');
}

for (const version of KERNEL_VERSIONS) {
  describeKernel(version, 'reclaim locks', (tree) => {
    let reclaim: Reclaim;
    beforeAll(async () => {
      reclaim = await reclaimOf(tree);
    }, 900_000);

    it.each([
      ['fs/ext4', 'ext4_inode_info.i_data_sem'],
      ['fs/ext4', 'quota_info.dqio_sem'],
      ['fs/ext4', 'dquot.dq_lock'],
      ['fs/xfs', 'xfs_dquot.q_qlock'],
      ['fs/xfs', 'xfs_quotainfo.qi_tree_lock'],
      ['fs/udf', 'udf_inode_info.i_data_sem'],
      ['fs/btrfs', 'btrfs_delayed_node.mutex'],
    ])('%s: %s, by a chain without an edge known by name only', (group, lock) => {
      const chain = reclaim.chainsOf(group).find((c) => c.lock === lock);
      expect(chain?.believable).toBe(true);
      expect(chain!.steps.map((s) => s.edge)).not.toContain('name');
    });

    it('does not go into another filesystem, nor into unmounting', () => {
      const steps = reclaim.chainsOf('fs/xfs').flatMap((c) => c.steps);
      // What all filesystems use (the marks of an inode are freed with it: __destroy_inode()) is none of the others.
      const shared = /^fs\/(?:iomap|notify|quota)\//;
      expect(steps.filter((s) => /^fs\/(?!xfs\/)[^/]+\//.test(s.file) && !shared.test(s.file))).toEqual([]);
      expect(steps.map((s) => s.function)).not.toContain('generic_shutdown_super');
    });
  });
}
