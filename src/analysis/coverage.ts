import type { Edge, Fn, Index, Way } from '../index/link.js';
import type { Api } from '../kernel/types.js';
import type { Locks } from './locks.js';
import { conditionalScopesFor, scopesFor } from './locks.js';
import { Owners } from './owners.js';
import type { Tasks } from './tasks.js';
import { type Condition, Conditions } from './zero.js';

/** A scope that is taken to exist: proposed ones by region, existing ones found in the code. */
export interface OpenScope {
  readonly id: string;
  readonly state: 'existing' | 'proposed';
  /** Open only where the object that was started is a real one, not a stand-in. */
  readonly ifReal?: boolean;
}

/**
 * Members through which only reclaim calls; it runs with PF_MEMALLOC set and does not recurse. But writing to
 * /proc/sys/vm/drop_caches calls them, too, and that is no reclaim (fs/drop_caches.c), so only what takes no lock on the
 * way is excused.
 */
const RECLAIM_ONLY = /^shrinker\.(?:scan_objects|count_objects)$/;

/**
 * Which scopes are open at a CFG node of a function, seen from inside that function only; `zero` are parameters that are 0
 * (see `zero.ts`).
 */
export type ScopesAt = (fn: Fn, node: number, zero?: string) => OpenScope | undefined;

const NO_CONDITIONS: readonly Condition[] = [];

/**
 * Coverage of functions by their callers. Works on the closure of callers of the functions asked for: a
 * function is covered if it has callers and every call of it is inside a scope or in a covered function.
 *
 * A **node** is a function, or a library function while it handles an object of a certain filesystem (see `Owners`): code
 * that all filesystems share has other callers for each. It may also be a function that is asked about for the sake of one of its
 * calls, which some callers can't lead to (see `Conditions`). Nodes of the first kind are numbered as the functions are; the edges given out here lead from node to node.
 */
export class Callers {
  /** Every node from which one of the targets can be reached. */
  readonly closure = new Set<number>();
  /** Ids of the functions that the closure is about. */
  private readonly reached = new Set<number>();
  private readonly owners: Owners;
  /** Function and filesystem of each node of the second kind, and their numbers. */
  private readonly shared: { fn: number; owner: string; conditions: readonly Condition[] }[] = [];
  private readonly conditions: Conditions;
  private readonly numbers = new Map<string, Map<number, number>>();
  private readonly locking = new Map<number, boolean>();
  /** Calls of each node, as the index has them, and the nodes that they come from where those are others. */
  private readonly sameTask = new Map<number, { edges: readonly Edge[]; from?: Int32Array }>();
  /** Ids of functions that call, on behalf of one in the closure, what that one handed to them. */
  readonly between = new Set<number>();

  constructor(
    private readonly index: Index,
    private readonly locks: Locks,
    private readonly tasks: Tasks,
    targets: Iterable<number>,
  ) {
    this.owners = new Owners(index);
    this.conditions = new Conditions(index, locks);
    this.extend(targets);
  }

  /** Adds functions, and all that may call them, to the closure. */
  extend(targets: Iterable<number>): void {
    const queue = [...targets].filter((id) => !this.closure.has(id));
    for (const id of queue) this.closure.add(id);
    for (let i = 0; i < queue.length; i++) {
      this.reached.add(this.functionOf(queue[i]!).id);
      for (const edge of this.callersOf(queue[i]!)) {
        for (const way of edge.inner ?? []) for (const { fn } of way) this.between.add(fn);
        if (this.closure.has(edge.from)) continue;
        this.closure.add(edge.from);
        queue.push(edge.from);
      }
    }
  }

  /** The function that a node is about. */
  functionOf(node: number): Fn {
    const { functions } = this.index;
    return functions[node] ?? functions[this.shared[node - functions.length]!.fn]!;
  }

  private node(fn: number, owner: string, conditions: readonly Condition[]): number {
    if (owner === '' && conditions.length === 0) return fn;
    const key = conditions.reduce((k, { param, at }) => `${k} ${param} ${at?.fn}:${at?.node}`, owner);
    let ofOwner = this.numbers.get(key);
    if (!ofOwner) {
      ofOwner = new Map();
      this.numbers.set(key, ofOwner);
    }
    let node = ofOwner.get(fn);
    if (node === undefined) {
      node = this.index.functions.length + this.shared.length;
      this.shared.push({ fn, owner, conditions });
      ofOwner.set(fn, node);
    }
    return node;
  }

  /** Does the edge run the callee in the caller's task? */
  isCaller(edge: Edge): boolean {
    return edge.how !== 'through' && !this.tasks.leavesTask(edge);
  }

  /** The scope in which the call is made: open where it stands, or on every way on which a callback comes to run. */
  scopeAt(edge: Edge, scopes: ScopesAt): OpenScope | undefined {
    const here = scopes(this.functionOf(edge.from), edge.node);
    if (here || !edge.inner || edge.inner.length === 0) return here;
    const found = edge.inner.map((way) => this.scopeOnWay(way, scopes));
    return found.every((s) => s !== undefined) ? found[0] : undefined;
  }

  private scopeOnWay(way: Way, scopes: ScopesAt): OpenScope | undefined {
    for (const { fn, node, zero } of way) {
      const scope = scopes(this.index.functions[fn]!, node, zero);
      if (scope) return scope;
    }
    return undefined;
  }

  /** The calls of a node in the same task, by nodes. */
  callersOf(node: number): readonly Edge[] {
    let mine = this.sameTask.get(node);
    if (!mine) {
      const { owner = '', conditions = NO_CONDITIONS } =
        this.shared[node - this.index.functions.length] ?? {};
      const edges: Edge[] = [];
      const from: number[] = [];
      for (const edge of this.index.callers[this.functionOf(node).id]!) {
        const above = this.isCaller(edge) ? this.owners.above(edge, owner) : undefined;
        if (above === undefined) continue;
        const met = this.conditions.met(edge, conditions);
        if (met === 'not made') continue;
        edges.push(met ? { ...edge, inner: [[met]] } : edge);
        from.push(this.node(edge.from, above, this.conditions.above(edge, conditions)));
      }
      const same = edges.every((edge, i) => edge.to === node && edge.from === from[i]);
      mine = same ? { edges } : { edges, from: Int32Array.from(from) };
      this.sameTask.set(node, mine);
    }
    const { edges, from } = mine;
    // There are many nodes of the second kind: their edges are made when asked for.
    return from ? edges.map((edge, i) => ({ ...edge, from: from[i]!, to: node })) : edges;
  }

  /** Nobody is known to call it from inside of a task: a root of paths. */
  isRoot(node: number): boolean {
    const { id } = this.functionOf(node);
    if (this.tasks.startedAs(id) !== undefined || this.index.escaped.has(id)) return true;
    return !this.index.callers[id]!.some((e) => this.isCaller(e)) && !this.isUnused(id);
  }

  isUnused(id: number): boolean {
    const { facts, file } = this.index.functions[id]!;
    // A header's macro or inline function that nothing uses never runs.
    const optional = facts.isMacro || (facts.isInline && file.file.endsWith('.h'));
    return optional && this.index.callers[id]!.length === 0 && !this.index.addressTaken.has(id);
  }

  /** Is a lock waited for by the function, or by what it calls on the way to the functions asked for? */
  private takesLocks(node: number): boolean {
    const { id } = this.functionOf(node);
    let answer = this.locking.get(id);
    if (answer === undefined) {
      const below = new Set([id]);
      for (const at of below) {
        for (const edge of this.index.callees[at]!) {
          if (this.reached.has(edge.to) && this.isCaller(edge)) below.add(edge.to);
        }
      }
      answer = [...below].some((at) =>
        this.locks.acquisitions(this.index.functions[at]!).some((a) => a.blocking),
      );
      this.locking.set(id, answer);
    }
    return answer;
  }

  /** Is the call inside a scope, or made by reclaim itself? */
  isOpenEdge(edge: Edge, scopes: ScopesAt): boolean {
    if (RECLAIM_ONLY.test(edge.via) && !this.takesLocks(edge.to)) return true;
    return this.scopeAt(edge, scopes) !== undefined;
  }

  /**
   * Lock classes that may be held on entry of each function on paths outside any scope. `interesting` limits
   * the classes followed.
   */
  heldOnEntry(cover: Cover, interesting: (lock: string) => boolean): (id: number) => ReadonlySet<string> {
    const names: string[] = [];
    const numbers = new Map<string, number>();
    const numberOf = (lock: string): number => {
      let n = numbers.get(lock);
      if (n === undefined) {
        n = names.length;
        names.push(lock);
        numbers.set(lock, n);
      }
      return n;
    };
    /** Nodes that a node hands on to what it holds, and which classes are held in a call of a node for certain: pairs. */
    const steps = new Map<number, number[]>();
    const adds: number[] = [];
    const classes = new Map<number, readonly string[]>();
    for (const to of this.closure) {
      for (const edge of this.callersOf(to)) {
        if (this.scopeAt(edge, cover.scopes)) continue;
        const fn = this.functionOf(edge.from);
        let mine = classes.get(fn.id);
        if (!mine) {
          mine = this.locks.classes(fn).filter(interesting);
          classes.set(fn.id, mine);
        }
        for (const lock of mine) if (this.locks.mayHold(fn, lock, edge.node)) adds.push(to, numberOf(lock));
        for (const way of edge.inner ?? [])
          for (const lock of this.heldOnWay(way, cover, interesting)) adds.push(to, numberOf(lock));
        const list = steps.get(edge.from);
        if (list) list.push(to);
        else steps.set(edge.from, [to]);
      }
    }
    // A bit for each class.
    const words = (names.length + 31) >> 5;
    const place = new Map([...this.closure].map((id, i) => [id, i * words]));
    const held = new Uint32Array(this.closure.size * words);
    // Callers came into the closure after what they call: from the other end most of it is done in one sweep.
    const order = [...this.closure].reverse().flatMap((from) => {
      const list = steps.get(from);
      return list ? [{ at: place.get(from)!, into: Int32Array.from(list, (to) => place.get(to)!) }] : [];
    });
    for (let i = 0; i < adds.length; i += 2) {
      held[place.get(adds[i]!)! + (adds[i + 1]! >> 5)]! |= 1 << (adds[i + 1]! & 31);
    }
    for (let changed = true; changed; ) {
      changed = false;
      for (const { at, into } of order) {
        for (let w = 0; w < words; w++) {
          const mine = held[at + w]!;
          if (mine === 0) continue;
          for (const to of into) {
            const before = held[to + w]!;
            const after = (before | mine) >>> 0;
            if (after === before) continue;
            held[to + w] = after;
            changed = true;
          }
        }
      }
    }
    return (id) => {
      const at = place.get(id);
      return new Set(
        at === undefined ? [] : names.filter((_, n) => (held[at + (n >> 5)]! & (1 << (n & 31))) !== 0),
      );
    };
  }

  private heldOnWay(way: Way, cover: Cover, interesting: (lock: string) => boolean): string[] {
    if (this.scopeOnWay(way, cover.scopes)) return [];
    return way.flatMap(({ fn: id, node }) => {
      const fn = this.index.functions[id]!;
      return this.locks.classes(fn).filter((lock) => interesting(lock) && this.locks.mayHold(fn, lock, node));
    });
  }

  /**
   * From a function up over calls outside any scope to the nearest function that nobody calls (or for which `ends`
   * holds). Outermost first; undefined if there is none (all runs are covered).
   */
  pathToRoot(
    target: number,
    scopes: ScopesAt,
    ends: (id: number) => boolean = (id) => this.isRoot(id),
  ): Edge[] | undefined {
    return this.pathUp(target, scopes, (edge) => ends(edge.from), ends(target));
  }

  /** The same to the nearest call at which one of the locks may be held. */
  pathToHolder(target: number, scopes: ScopesAt, isOne: (lock: string) => boolean): Edge[] | undefined {
    return this.pathUp(target, scopes, ({ from, node }) => {
      const fn = this.functionOf(from);
      return this.locks.classes(fn).some((lock) => isOne(lock) && this.locks.mayHold(fn, lock, node));
    });
  }

  private pathUp(
    target: number,
    scopes: ScopesAt,
    ends: (edge: Edge) => boolean,
    atOnce = false,
  ): Edge[] | undefined {
    if (atOnce) return [];
    const from = new Map<number, Edge | undefined>([[target, undefined]]);
    for (const [id] of from) {
      for (const edge of this.callersOf(id)) {
        if (this.isOpenEdge(edge, scopes)) continue;
        if (ends(edge)) {
          const path = [edge];
          for (let e = from.get(edge.to); e; e = from.get(e.to)) path.push(e);
          return path;
        }
        if (!from.has(edge.from)) from.set(edge.from, edge);
      }
    }
    return undefined;
  }

  /** Does reclaim call the function, or one of those above it? */
  runsInReclaim(target: number): boolean {
    const met = new Set([target]);
    for (const id of met) {
      for (const edge of this.callersOf(id)) {
        if (RECLAIM_ONLY.test(edge.via)) return true;
        met.add(edge.from);
      }
    }
    return false;
  }

  /** The calls inside a scope that are nearest above a function: they are what covers it. At most `limit`, nearest first. */
  coveringCalls(
    target: number,
    scopes: ScopesAt,
    limit = Number.POSITIVE_INFINITY,
  ): { edge: Edge; scope: OpenScope; path: Edge[] }[] {
    const out: { edge: Edge; scope: OpenScope; path: Edge[] }[] = [];
    const from = new Map<number, Edge | undefined>([[target, undefined]]);
    for (const [id] of from) {
      for (const edge of this.callersOf(id)) {
        const scope = this.scopeAt(edge, scopes);
        if (scope) {
          const path: Edge[] = [edge];
          for (let e = from.get(id); e; e = from.get(e.to)) path.push(e);
          out.push({ edge, scope, path });
          if (out.length >= limit) return out;
        } else if (!from.has(edge.from)) {
          from.set(edge.from, edge);
        }
      }
    }
    return out;
  }
}

/**
 * Which functions run only inside scopes, found by need: up from a function over calls outside of any scope; if that
 * meets no root, then every function met is covered.
 */
export class Cover {
  private readonly known = new Map<number, boolean>();

  constructor(
    readonly callers: Callers,
    readonly scopes: ScopesAt,
  ) {}

  covered(id: number): boolean {
    const answer = this.known.get(id);
    if (answer !== undefined) return answer;
    const met = new Set([id]);
    for (const at of met) {
      if (this.callers.isRoot(at) || this.known.get(at) === false) {
        this.known.set(id, false);
        return false;
      }
      if (this.known.get(at)) continue;
      for (const edge of this.callers.callersOf(at)) {
        if (!this.callers.isOpenEdge(edge, this.scopes)) met.add(edge.from);
      }
    }
    for (const at of met) this.known.set(at, true);
    return true;
  }

  /** Ids of the functions found to be covered so far: what the proofs given out rest on. */
  proven(): number[] {
    const nodes = [...this.known].filter(([, covered]) => covered).map(([node]) => node);
    return [...new Set(nodes.map((node) => this.callers.functionOf(node).id))];
  }
}

/**
 * Scopes that the code has already: the id names the function in which the scope is open. With `ifReal` those count
 * too that are open only if what was started is a real object (a handle, where there is a journal).
 */
export function existingScopes(index: Index, locks: Locks, api: Api, ifReal = false): ScopesAt {
  const surely = scopesFor(api);
  const kinds = ifReal ? [...surely, ...conditionalScopesFor(api)] : surely;
  const cache = new Map<number, string[]>();
  return (fn, node, zero) => {
    let mine = cache.get(fn.id);
    if (!mine) {
      mine = kinds.filter((kind) => locks.has(fn, kind));
      cache.set(fn.id, mine);
    }
    for (const kind of mine) {
      if (!locks.mustHold(fn, kind, node, zero)) continue;
      const id = existingScopeId(index, locks, fn, kind);
      return surely.includes(kind) ? { id, state: 'existing' } : { id, state: 'existing', ifReal: true };
    }
    return undefined;
  };
}

/** `file:line` of the call that opens the scope. */
export function existingScopeId(index: Index, locks: Locks, fn: Fn, kind: string): string {
  return `${fn.file.file}:${index.lineOf(fn, locks.opening(fn, kind)[0]?.node ?? 0)}`;
}
