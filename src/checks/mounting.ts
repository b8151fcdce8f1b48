import type { Index } from '../index/link.js';

/** Members that make a filesystem's superblock (`struct fs_context_operations`, `struct file_system_type`, 4.12 to 6.19). */
const MOUNTS = ['fs_context_operations.get_tree', 'file_system_type.mount'];

/** Functions that are handed what fills a superblock (fs/super.c, fs/libfs.c). */
const FILLED_BY = /^(?:get_tree_\w+|mount_(?:bdev|nodev|mtd|single|ns|pseudo)|vfs_get_super)$/;

/**
 * Ids of functions that run while a filesystem is mounted and at no other time: those that make its superblock, and what nobody but these calls.
 * Reclaim has nothing of that filesystem then but what these functions made themselves.
 */
export function mounting({ functions, callers, callees, members, escaped }: Index): ReadonlySet<number> {
  const found = new Set<number>(MOUNTS.flatMap((member) => [...members.tableOwners(member).keys()]));
  for (const edges of callers)
    for (const { how, handedTo, to } of edges)
      if (how === 'callback' && FILLED_BY.test(handedTo ?? '')) found.add(to);
  const isOnly = (id: number): boolean =>
    !escaped.has(id) &&
    callers[id]!.length > 0 &&
    callers[id]!.every(({ how, from }) => how === 'call' && found.has(from));
  // What was looked at in vain is looked at again once another of its callers has been found.
  for (const id of found) {
    const { group } = functions[id]!;
    for (const { how, to } of callees[id]!)
      if (how === 'call' && functions[to]!.group === group && isOnly(to)) found.add(to);
  }
  return found;
}
