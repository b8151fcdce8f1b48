import { Cover } from '../analysis/coverage.js';
import type { HandedFlags } from '../analysis/flags.js';
import type { ReclaimChain } from '../analysis/reclaim.js';
import type { Step } from '../analysis/report.js';
import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { gfpArgument, maskByDefault } from '../kernel/allocators.js';
import { FLAG_RESTORERS, SCOPE_CALLS } from '../kernel/masks.js';
import type { CallOp } from '../parse/facts.js';
import { mounting } from './mounting.js';
import { isOnError } from './on-error.js';
import { at, type CheckContext, type Found, type Rule } from './rule.js';

/** Masks that let direct reclaim enter filesystems (include/linux/gfp_types.h, 6.12). */
const ENTERS_FS =
  /^(?:~v:)?(?:v:)?(?:\w+\|)*GFP_(?:KERNEL|KERNEL_ACCOUNT|USER|HIGHUSER|HIGHUSER_MOVABLE)(?:\|\w+)*$/;

/**
 * With these a filesystem uses files of another one (fs/read_write.c, fs/open.c, 6.12): what comes behind them is that one's, and
 * comes back to the first only in an analysis that can't tell them apart.
 */
const STACKING = /^(?:kernel_(?:write|read)|vfs_\w+|dentry_open|filp_open)$/;

/** lockdep has a class of these for each kind of filesystem (`struct file_system_type`), and some filesystems for each kind of inode. */
const OF_EVERY_INODE = /^(?:inode|super_block|sb_writers|address_space)\./;

/**
 * Direct reclaim leaves dirty pages of files to kswapd, and direct compaction does (shrink_folio_list(), mm/vmscan.c;
 * fallback_migrate_folio(), mm/migrate.c, 6.12); few swap to a file.
 */
const BY_FEW = /^address_space_operations\.(?:writepage|swap_rw|direct_IO)$/;

/** Calls between the function that takes the lock and the one that allocates, and steps from reclaim to the lock: the longer, the less likely. */
const MAX_CALLS = 4;
const MAX_STEPS = 8;

const RESTORES = new Set([
  ...Object.values(SCOPE_CALLS).map(({ restore }) => restore),
  ...FLAG_RESTORERS.map(({ name }) => name),
]);

/** A lock that is surely held, with the chain by which reclaim comes to it. */
interface Held {
  readonly lock: string;
  readonly holder: Fn;
  readonly chain: ReclaimChain;
}

/** A function that runs while the lock is held. */
interface Visited {
  readonly held: Held;
  readonly fn: Fn;
  readonly from: Visited | undefined;
  readonly edge: Edge | undefined;
  /** What its caller hands in, where the function tests it. */
  readonly given: readonly HandedFlags[];
  readonly calls: number;
}

/** A chain that a reader would take for evidence: common, through the code's own filesystem, to a lock that it may share with another task. */
function isEvidence(index: Index, chain: ReclaimChain, fn: Fn): boolean {
  return (
    chain.group === fn.group &&
    chain.believable &&
    !chain.going &&
    !chain.entry.rare &&
    !BY_FEW.test(`${chain.entry.table}.${chain.entry.field}`) &&
    !OF_EVERY_INODE.test(chain.lock) &&
    !chain.steps.some((step) => STACKING.test(step.function) || isOnError(index, step))
  );
}

/** Is it a lock of each inode? Reclaim may take that of another one, and who holds which is known in one function at most. */
function isOfInode({ names }: Index, lock: string): boolean {
  const struct = lock.slice(0, Math.max(0, lock.indexOf('.')));
  return (
    /_(?:inode(?:_info)?|vnode)$/.test(struct) &&
    ['inode', 'netfs_inode'].some((type) => names.hasMember(struct, type))
  );
}

/** May the call enter filesystems in direct reclaim, whatever its callers do? */
function entersReclaim(op: CallOp): boolean {
  const mask = op.args[gfpArgument(op.fn, op.args.length) ?? -1] ?? maskByDefault(op.fn) ?? '';
  return ENTERS_FS.test(mask) && !mask.includes('__GFP_NOLOCKDEP');
}

export const reclaimUnderLock: Rule = {
  id: 'reclaim-under-lock',
  level: 'warning',
  title: 'An allocation that may enter reclaim under a lock that reclaim takes',
  help: 'Direct reclaim may block on the lock that the task itself holds: a deadlock. Open a scope where the lock is taken. The way from there to the allocation is shown, then the chain from the reclaim entry.',
  find: (context) => {
    const { locks, nofs, callers, index } = context.findings;
    const atMount = mounting(index);
    const keepers = scopeKeepers(index);
    /** Does the function work on an object with whose start a scope was opened? That may be in no call that is seen. */
    const hasScope = (fn: Fn): boolean =>
      fn.facts.params.some(([name]) => keepers.has(index.types.typeOf(fn, `v:${name}`)));
    const held = index.functions.flatMap((holder): Held[] => {
      if (holder.facts.isMacro || holder.facts.broken || holder.facts.arms) return [];
      if (atMount.has(holder.id) || hasScope(holder)) return [];
      return locks.classes(holder).flatMap((lock) => {
        const chain = nofs.chains.chains(lock).find((one) => isEvidence(index, one, holder));
        return chain ? [{ lock, holder, chain }] : [];
      });
    });
    const cover = new Cover(callers, locks, nofs.existing);
    const isCovered = (fn: Fn): boolean => {
      if (hasScope(fn)) return true;
      callers.extend([fn.id]);
      return cover.covered(fn.id);
    };
    return under(
      context,
      held.filter(({ holder }) => !isCovered(holder)),
      isCovered,
    );
  },
};

/** Structs with a member from which a scope is restored: `memalloc_nofs_restore(handle->saved)`. */
function scopeKeepers({ functions, types }: Index): ReadonlySet<string> {
  const found = new Set<string>();
  for (const fn of functions)
    for (const [, op] of fn.facts.calls) {
      const [, object] = (RESTORES.has(op.fn) && /^&?(.*) \w+$/.exec(op.args[0] ?? '')) || [];
      if (object !== undefined) found.add(types.typeOf(fn, object));
    }
  found.delete('');
  return found;
}

/** The allocations that are reached while one of the locks is held, outside of scopes; of each the shortest way to it. */
function under(
  { findings, functions }: CheckContext,
  held: readonly Held[],
  isCovered: (fn: Fn) => boolean,
): Found[] {
  const { locks, nofs, index, tasks } = findings;
  const { flags } = locks;
  const asked = new Set(functions);
  const found = new Map<string, Found>();
  const seen = new Set<string>();
  const told = new Set<string>();
  const queue: Visited[] = held.map((at) => ({
    held: at,
    fn: at.holder,
    from: undefined,
    edge: undefined,
    given: [],
    calls: 0,
  }));
  for (const at of queue) {
    const { fn } = at;
    const { lock, holder } = at.held;
    const runs = at.given.length > 0 ? flags.reachable(fn, at.given, 'known') : undefined;
    const isUnder = (node: number): boolean =>
      (runs?.has(node) ?? true) &&
      !nofs.existing(fn, node) &&
      (fn !== holder || locks.mustHold(fn, lock, node));
    // One scope around the lock serves all that is called there: the nearest allocation stands for the others.
    const isFirst = fn === holder || !told.has(`${lock} ${holder.id}`);
    if (asked.has(fn) && isFirst)
      for (const [node, op] of fn.facts.calls) {
        const key = `${fn.id} ${node}`;
        if (found.has(key) || !entersReclaim(op) || !isUnder(node)) continue;
        found.set(key, finding(at, node, op));
        if (fn === holder) continue;
        told.add(`${lock} ${holder.id}`);
        break;
      }
    const isFar = at.calls === MAX_CALLS || at.held.chain.steps.length > MAX_STEPS;
    if (isFar || isOfInode(index, lock)) continue;
    for (const edge of index.callees[fn.id]!) {
      const to = index.functions[edge.to]!;
      const key = `${lock} ${edge.to}`;
      if (edge.kind !== 'direct' || edge.how !== 'call' || edge.kept || to.group !== holder.group) continue;
      if (tasks.leavesTask(edge) || to.facts.broken || to.facts.arms) continue;
      // What takes the lock itself, or drops it for its caller, is not called with this one.
      if (seen.has(key) || !isUnder(edge.node) || locks.classes(to).includes(lock)) continue;
      if (isCovered(to)) continue;
      seen.add(key);
      const given = flags.given(fn, edge, at.given);
      queue.push({ held: at.held, fn: to, from: at, edge, given, calls: at.calls + 1 });
    }
  }
  return [...found.values()];

  function finding(from: Visited, node: number, op: CallOp): Found {
    const { lock, chain, holder } = from.held;
    const by = from.fn === holder ? '' : `, held by ${holder.facts.name}(),`;
    return at(
      from.fn,
      node,
      `${op.fn}() may enter reclaim, which takes ${lock}${by} while ${chain.entry.context}`,
      [...stepsTo(from), ...chain.steps],
    );
  }

  /** The calls from the function that takes the lock to the one that allocates. */
  function stepsTo(visited: Visited): Step[] {
    const out: Step[] = [];
    for (let { from, edge } = visited; from && edge; { from, edge } = from)
      out.unshift({
        function: from.fn.facts.name,
        file: from.fn.file.file,
        line: index.lineOf(from.fn, edge.node),
        edge: edge.kind,
      });
    return out;
  }
}
