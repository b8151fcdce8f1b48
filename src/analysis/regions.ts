import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { gfpArgument, KEPT_MASKS, MASKLESS_ALLOCATORS } from '../kernel/allocators.js';
import { LAYER_BY_NAME } from '../kernel/layers.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import type { Api } from '../kernel/types.js';
import type { FunctionFacts } from '../parse/facts.js';
import { inModule } from '../tree/kernel-tree.js';
import type { ScopesAt } from './coverage.js';
import { isUnknown, type Locks, scopeClass } from './locks.js';
import {
  type Placement,
  type PlacementMode,
  placeAroundBody,
  placeScope,
  type Refusal,
} from './placement.js';
import type { Region } from './report.js';
import { type Effect, run } from './states.js';
import type { TaskBodies, TaskReason } from './task-bodies.js';
import type { Tasks } from './tasks.js';

const MASKLESS = new Set([
  ...MASKLESS_ALLOCATORS.map((a) => a.name),
  ...KEPT_MASKS.flatMap((k) => k.allocates),
]);
/** These only keep a mask. */
const KEEPING = new Set(KEPT_MASKS.map((k) => k.init));

/** Parts of the kernel that every filesystem runs through. */
export const SHARED = /^(?:fs|mm|include|kernel|block|lib|security|ipc)$/;

/** A region of a lock class in one function, or the body of a task, and what can be done with it. */
export interface RegionOf {
  readonly fn: Fn;
  readonly lock: string;
  /** Set where it is the body of a worker or kthread: why reclaim depends on that. */
  readonly task?: TaskReason;
  /** CFG node of the first acquire; the first one in its scope if the lock is handed over. */
  readonly node: number;
  /** The function may leave the lock held for its caller. Its body gets a scope if what it does under the lock is in none otherwise. */
  readonly handedOver?: true;
  readonly state: 'placeable' | Exclude<Region['state'], 'proposed' | 'not-chosen'>;
  readonly reason: string;
  readonly placement: Placement | undefined;
}

/** Whoever is handed a mask allocates, wherever that is. */
function isHandedMask({ facts }: Fn, node: number): boolean {
  return facts.sites.some((site) => site.node === node && site.context === 'arg');
}

/** Who takes which lock, and from where an allocator can be reached. */
export class Takers {
  private readonly byLock = new Map<string, Fn[]>();
  private readonly allocating: Set<number>;

  constructor(
    readonly index: Index,
    readonly locks: Locks,
    private readonly tasks: Tasks,
  ) {
    for (const fn of index.functions) {
      for (const lock of new Set(locks.acquisitions(fn).map((a) => a.lock))) {
        if (isUnknown(lock)) continue;
        const list = this.byLock.get(lock);
        if (list) list.push(fn);
        else this.byLock.set(lock, [fn]);
      }
    }
    this.allocating = this.findAllocating();
  }

  of(lock: string): readonly Fn[] {
    return this.byLock.get(lock) ?? [];
  }

  /** Functions from which an allocator can be reached in the same task. */
  private findAllocating(): Set<number> {
    const found = new Set<number>();
    const queue: number[] = [];
    for (const fn of this.index.functions) {
      if (fn.facts.calls.some(([node, op]) => isAllocator(op.fn, op.args.length) || isHandedMask(fn, node))) {
        found.add(fn.id);
        queue.push(fn.id);
      }
    }
    for (let i = 0; i < queue.length; i++) {
      const fn = this.index.functions[queue[i]!]!;
      // Every function may be preempted, print or fault: what only those lead to is not the caller's doing.
      if (fn.group === 'kernel' || LAYER_BY_NAME.has(fn.facts.name)) continue;
      for (const edge of this.index.callers[queue[i]!]!) {
        if (found.has(edge.from) || edge.kind === 'name' || this.tasks.leavesTask(edge)) continue;
        found.add(edge.from);
        queue.push(edge.from);
      }
    }
    return found;
  }

  /** Can an allocator be reached from a node of a function? */
  allocatesAt(fn: Fn, node: number): boolean {
    const { op } = fn.facts.cfg[node]!;
    if (op.k !== 'call' || LOCK_BY_NAME.has(op.fn)) return false;
    if (isAllocator(op.fn, op.args.length) || isHandedMask(fn, node)) return true;
    return this.index.callees[fn.id]!.some(
      (e) => e.node === node && this.allocating.has(e.to) && !this.tasks.leavesTask(e),
    );
  }
}

/** Regions of lock classes over the whole tree, and bodies of tasks, with regard to scopes that are there. */
export class Regions {
  private readonly cache = new Map<string, RegionOf | undefined>();
  private readonly byLock = new Map<string, readonly RegionOf[]>();
  private readonly bodies = new Map<number, RegionOf | undefined>();

  constructor(
    private readonly takers: Takers,
    readonly api: Api,
    private readonly existing: ScopesAt,
    private readonly prefer: PlacementMode,
    private readonly reasons: TaskBodies,
    /** Does the function begin or end a transaction that could have a scope? */
    private readonly inTransactions: (fn: Fn) => boolean,
  ) {}

  private get index(): Index {
    return this.takers.index;
  }

  private get locks(): Locks {
    return this.takers.locks;
  }

  /** The body of a worker or kthread that reclaim depends on. */
  body(fn: Fn): RegionOf | undefined {
    if (this.bodies.has(fn.id)) return this.bodies.get(fn.id);
    const region = this.bodyOf(fn);
    this.bodies.set(fn.id, region);
    if (region) this.byLock.set(region.lock, [region]);
    return region;
  }

  private bodyOf(fn: Fn): RegionOf | undefined {
    if (fn.facts.isMacro || fn.facts.arms) return undefined;
    const task = this.reasons.why(fn);
    if (!task) return undefined;
    const matters = (node: number): boolean => this.takers.allocatesAt(fn, node);
    const inside = [...fn.facts.cfg.keys()].filter(matters);
    const result = (state: RegionOf['state'], reason: string, placement?: Placement): RegionOf => ({
      fn,
      lock: this.reasons.classOf(fn),
      task,
      node: 0,
      state,
      reason,
      placement,
    });
    return this.settle(fn, inside, () => placeAroundBody(fn, matters), result);
  }

  /** Every region of the class in the tree: functions that take it and leave it balanced. */
  all(lock: string): readonly RegionOf[] {
    let found = this.byLock.get(lock);
    if (!found) {
      found = this.takers
        .of(lock)
        .map((fn) => this.region(fn, lock))
        .filter((r) => r !== undefined);
      this.byLock.set(lock, found);
    }
    return found;
  }

  /** The region of the class in one function; undefined where the function passes the lock on to its caller. */
  region(fn: Fn, lock: string): RegionOf | undefined {
    const key = `${fn.id} ${lock}`;
    if (this.cache.has(key)) return this.cache.get(key);
    const acquisitions = this.locks.acquisitions(fn).filter((a) => a.lock === lock);
    const first = acquisitions[0];
    if (!first || fn.facts.isMacro || fn.facts.arms) return undefined;
    const net = this.locks.netEffect(fn, lock);
    // Recursion adds none.
    this.cache.set(key, undefined);
    const taken = (): RegionOf =>
      this.judge(fn, lock, first.node, (inside) =>
        placeScope(fn, lock, this.locks, this.prefer, inside, this.inTransactions(fn)),
      );
    let region: RegionOf | undefined;
    if (net === undefined) region = taken();
    else if (net.success === 'maybe' && this.locks.drops(fn, lock)) {
      // It could not be told that what was taken is dropped; a scope may balance all the same.
      region = taken();
      if (region.state !== 'placeable') region = undefined;
    }
    if (!region && net?.act === 'acquire' && !this.isAroundCalls(fn, lock))
      region = this.handedOver(fn, lock, first.node);
    this.cache.set(key, region);
    return region;
  }

  /** Are all calls of a function that takes the lock for its caller in a scope of that caller's region? */
  private isAroundCalls(fn: Fn, lock: string): boolean {
    return this.index.callers[fn.id]!.every((edge) => {
      const at = edge.how === 'call' ? this.region(this.index.functions[edge.from]!, lock) : undefined;
      return at?.placement?.open[edge.node] === 1;
    });
  }

  /** What a function does under a lock that it takes for its caller: the caller's scope begins behind it. */
  private handedOver(fn: Fn, lock: string, node: number): RegionOf | undefined {
    // What all filesystems share gets none for the sake of one.
    if (SHARED.test(fn.group)) return undefined;
    const isUnder = (at: number): boolean =>
      this.locks.mayHold(fn, lock, at) && this.takers.allocatesAt(fn, at);
    const region = this.judge(fn, lock, node, () => placeAroundBody(fn, isUnder));
    if (region.state === 'no-alloc') return undefined;
    const { open } = region.placement ?? {};
    return { ...region, handedOver: true, node: open ? open.indexOf(1) : node };
  }

  private judge(
    fn: Fn,
    lock: string,
    node: number,
    place: (inside: readonly number[]) => Placement | Refusal,
  ): RegionOf {
    const result = (state: RegionOf['state'], reason: string, placement?: Placement): RegionOf => ({
      fn,
      lock,
      node,
      state,
      reason,
      placement,
    });
    const inside: number[] = [];
    for (let i = 0; i < fn.facts.cfg.length; i++) {
      if (this.locks.mayHold(fn, lock, i) && this.takers.allocatesAt(fn, i)) inside.push(i);
    }
    if (inside.length === 0) return result('no-alloc', 'no allocation is reached under the lock');
    return this.settle(fn, inside, () => place(inside), result);
  }

  private settle(
    fn: Fn,
    inside: readonly number[],
    place: () => Placement | Refusal,
    result: (state: RegionOf['state'], reason: string, placement?: Placement) => RegionOf,
  ): RegionOf {
    if (inside.every((n) => this.existing(fn, n))) return result('existing', 'a scope is open there already');
    if (this.index.names.hasModule && !inModule(fn.file.file))
      return result('refused', 'the kernel that the module is for is not edited');
    const placed = place();
    if ('refused' in placed) return result('refused', placed.refused);
    const there = placed.open.map((_, i) => (this.existing(fn, i) ? 1 : 0));
    const overlaps = overlap(placed.open, there) === 'crossing' && overlap(there, placed.open) === 'crossing';
    if (overlaps || crosses(this.locks, fn, placed.open, this.api))
      return result('refused', 'its region crosses a scope that is there already');
    return result('placeable', '', placed);
  }
}

/**
 * Do scopes of that kind which the function, or what it calls, opens and closes cross one that is open at these nodes? From where that is
 * opened to where it is closed each of them must be closed that was opened, and no other: a restore would put back what was before the other.
 */
export function crosses(locks: Locks, fn: Fn, open: Uint8Array, api: Api): boolean {
  // What may have been opened for all that is known is no start of anything: nobody is seen to close it either.
  const effects = new Map<number, Effect[]>();
  for (const e of locks.effects(fn))
    if (open[e.node] === 1 && e.lock === scopeClass(api) && !(e.act === 'acquire' && e.success === 'maybe'))
      effects.set(e.node, [...(effects.get(e.node) ?? []), e]);
  if (effects.size === 0) return false;
  // Every way out of it is an exit, where nothing may be left and nothing be closed.
  const cfg = fn.facts.cfg.map((node) => ({ ...node, next: [...node.next] }));
  for (const [at, { next }] of fn.facts.cfg.entries())
    for (const [side, to] of next.entries()) {
      if (to < 0 || open[at] !== 1 || open[to] === 1) continue;
      cfg[at]!.next[side] = cfg.length;
      cfg.push({ op: { k: 'nop' }, next: [to, 1], statement: -1 });
    }
  const withExits = Object.create(fn.facts, { cfg: { value: cfg } }) as FunctionFacts;
  return run(withExits, effects).exits.some((e) => e.depth !== 0 || e.pending !== '');
}

/** How the nodes of `a` lie to those of `b`. */
export function overlap(a: Uint8Array, b: Uint8Array): 'none' | 'within' | 'crossing' {
  let both = 0;
  let only = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== 1) continue;
    if (b[i] === 1) both++;
    else only++;
  }
  return both === 0 ? 'none' : only === 0 ? 'within' : 'crossing';
}

function isAllocator(name: string, args: number): boolean {
  if (name === '' || KEEPING.has(name)) return false;
  return gfpArgument(name, args) !== undefined || MASKLESS.has(name);
}
