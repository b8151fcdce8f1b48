import type { Index } from '../index/link.js';
import { FILLED_BY, MOUNT_MEMBERS } from '../kernel/layers.js';

const MAKES_SUPERBLOCK = MOUNT_MEMBERS.filter(({ member }) => !member.endsWith('.kill_sb'));
const FILLS = new Set(FILLED_BY.map(({ name }) => name));

/**
 * Ids of functions that run while a filesystem is mounted and at no other time: those that make its superblock, and what nobody but these calls.
 * Reclaim has nothing of that filesystem then but what these functions made themselves.
 */
export function mounting({ functions, callers, callees, members, escaped }: Index): ReadonlySet<number> {
  const found = new Set<number>(
    MAKES_SUPERBLOCK.flatMap(({ member }) => [...members.tableOwners(member).keys()]),
  );
  for (const edges of callers)
    for (const { how, handedTo, to } of edges)
      if (how === 'callback' && FILLS.has(handedTo ?? '')) found.add(to);
  const isOnly = (id: number): boolean =>
    !escaped.has(id) &&
    callers[id]!.length > 0 &&
    callers[id]!.every(({ how, from }) => how === 'call' && found.has(from));
  for (const id of found) {
    const { group } = functions[id]!;
    for (const { how, to } of callees[id]!)
      if (how === 'call' && functions[to]!.group === group && isOnly(to)) found.add(to);
  }
  return found;
}
