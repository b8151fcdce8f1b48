import type { Way } from '../index/fates.js';
import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { Api } from '../kernel/types.js';
import type { Callers, Go } from './callers.js';
import type { Locks } from './locks.js';
import { conditionalScopesFor, scopesFor } from './locks.js';

/** A scope that is taken to exist: proposed ones by region, existing ones found in the code. */
export interface OpenScope {
  readonly id: string;
  readonly state: 'existing' | 'proposed';
  /** Open only where the object that was started is a real one, not a stand-in. */
  readonly ifReal?: boolean;
  /** It is to be around the body of a worker or kthread. */
  readonly task?: true;
  /** It is open on some ways to the node, and this one on the others. */
  readonly beside?: OpenScope;
}

/**
 * Which scopes are open at a CFG node of a function, seen from inside that function only; `zero` are parameters that are 0
 * (see `zero.ts`).
 */
export type ScopesAt = (fn: Fn, node: number, zero?: string) => OpenScope | undefined;

/** A scope that a function gets from where it takes the lock to where it drops it. */
export interface LockScope {
  readonly lock: string;
  readonly scope: OpenScope;
}

/**
 * What tells whether a scope is open wherever a certain lock is held: one that is opened on a condition is not surely open, and yet it is
 * if the lock is held that is taken on the same.
 */
export interface LockScopes {
  readonly api: Api;
  /** Those that are proposed. */
  readonly in: (fn: Fn) => readonly LockScope[];
}

/** A scope that is proposed, and a function that has it open. */
interface ProposedScope {
  readonly scope: OpenScope;
  readonly opener: number;
}

/** What is known of a call: outside of any scope, inside of one, or made by reclaim itself. */
const UNKNOWN = 0;
const OUTSIDE = 1;
const IN_SCOPE = 2;
const EXCUSED = 3;

/**
 * Coverage of functions by their callers, certain scopes being there: a function is covered if it has callers and every call
 * of it is inside a scope, made by reclaim itself or in a covered function. Nodes are those of `Callers`; what is asked
 * about must be in its closure.
 */
export class Cover {
  private readonly known = new Map<number, boolean>();
  /** By the number of an edge: what is known of the call. */
  private marks: Uint8Array;
  /** By what a path is to end at: how far below such a one nodes are, see `spread`. */
  private readonly below = new Map<(node: number) => boolean, Uint16Array>();
  private belowScopes: Uint16Array | undefined;
  private open: Uint16Array | undefined;
  private readonly opened = new Numbered<ProposedScope>();
  private proposed: { readonly inScope: Bits; readonly aroundLocks: Bits } | undefined;
  private byPlace = new Int32Array(0);

  constructor(
    readonly callers: Callers,
    private readonly locks: Locks,
    readonly scopes: ScopesAt,
    private readonly around?: LockScopes,
    /** The scopes are those of this one, and these. */
    private readonly beside?: { readonly base: Cover; readonly added: ScopesAt },
  ) {
    this.marks = new Uint8Array(callers.edgeCount);
  }

  /** Coverage by these scopes as well. */
  with(added: ScopesAt, around: LockScopes): Cover {
    const scopes: ScopesAt = (fn, node, zero) => this.scopes(fn, node, zero) ?? added(fn, node, zero);
    return new Cover(this.callers, this.locks, scopes, around, { base: this, added });
  }

  /** Lock classes that the function itself may hold at the node outside of its scopes. */
  heldOutside(fn: Fn, node: number): string[] {
    return this.locks.classes(fn).filter((lock) => this.isOutside(fn, lock, node));
  }

  private isOutside(fn: Fn, lock: string, node: number): boolean {
    const { around, locks } = this;
    if (!around) return locks.mayHold(fn, lock, node);
    return locks.mayHoldOutside(fn, lock, node, around.api) && !around.in(fn).some((s) => s.lock === lock);
  }

  private get index(): Index {
    return this.callers.index;
  }

  /** `OUTSIDE`, `IN_SCOPE` or `EXCUSED`: what is known of one of the edges of a node. */
  private mark(node: number, place: number): number {
    const number = this.callers.edgeNumber(node) + place;
    if (this.marks.length < this.callers.edgeCount) {
      const marks = new Uint8Array(this.callers.edgeCount);
      marks.set(this.marks);
      this.marks = marks;
    }
    let mark = this.marks[number]!;
    if (mark === UNKNOWN) {
      mark = this.markAnew(node, place);
      this.marks[number] = mark;
    }
    return mark;
  }

  private markAnew(node: number, place: number): number {
    const { callers, beside } = this;
    const edge = callers.edges(node)[place]!;
    if (!beside || edge.inner?.length)
      return this.scopeAt(edge) ? IN_SCOPE : callers.isExcused(edge, this.locks) ? EXCUSED : OUTSIDE;
    const mark = beside.base.mark(node, place);
    return beside.added(callers.functionOf(edge.from), edge.node) ? IN_SCOPE : mark;
  }

  /** The scope in which the call is made: open where it stands, or on every way on which a callback comes to run. */
  private scopeAt(edge: Edge): OpenScope | undefined {
    const here = this.scopes(this.callers.functionOf(edge.from), edge.node);
    if (here || !edge.inner || edge.inner.length === 0) return here;
    const found = edge.inner.map((way) => this.scopeOnWay(way));
    return found.every((s) => s !== undefined) ? found[0] : undefined;
  }

  /** The call, and those on the ways on which a callback comes to run outside of scopes. */
  private onTheWay({ from, node, inner = [] }: Edge): { readonly fn: number; readonly node: number }[] {
    return [{ fn: from, node }, ...inner.filter((way) => !this.scopeOnWay(way)).flat()];
  }

  private scopeOnWay(way: Way): OpenScope | undefined {
    for (const { fn, node, zero } of way) {
      const scope = this.scopes(this.index.functions[fn]!, node, zero);
      if (scope) return scope;
    }
    return undefined;
  }

  /** Does the function run inside of scopes only? Found by need: up over calls outside of any scope, until a root is met. */
  covered(target: number): boolean {
    const answer = this.known.get(target);
    if (answer !== undefined) return answer;
    const { callers, known } = this;
    const isOutside = (node: number): boolean => callers.isRoot(node) || known.get(node) === false;
    if (isOutside(target)) {
      known.set(target, false);
      return false;
    }
    const met = [target];
    const path = callers.walk(target, (_, place, at, from) => {
      if (this.mark(at, place) !== OUTSIDE || known.get(from)) return 'off';
      met.push(from);
      return isOutside(from) ? 'end' : 'on';
    });
    // All that the root comes through is outside of scopes, too.
    if (path) for (const { from, to } of path) known.set(from, false).set(to, false);
    else for (const node of met) known.set(node, true);
    return path === undefined;
  }

  /** Ids of the functions found to be covered so far: what the proofs given out rest on. */
  proven(): number[] {
    const nodes = [...this.known].filter(([, covered]) => covered).map(([node]) => node);
    return [...new Set(nodes.map((node) => this.callers.functionOf(node).id))];
  }

  /**
   * From a function up over calls outside any scope to the nearest that `ends` holds for, by default one that nobody
   * calls, and over functions that `within` holds for. Outermost first; undefined if there is none. What was found out for `ends`
   * is kept: to be the same function each time, with the same `within`.
   */
  pathTo(
    target: number,
    ends: (node: number) => boolean,
    within: (node: number) => boolean = () => true,
  ): Edge[] | undefined {
    if (ends(target) && within(target)) return [];
    let below = this.below.get(ends);
    if (!below) {
      below = this.spread(ends, (mark) => mark === OUTSIDE, within);
      this.below.set(ends, below);
    }
    const { callers } = this;
    const { place } = callers.downwards;
    const path: Edge[] = [];
    for (let at = target; ; ) {
      // Of those that are nearest to an end the first.
      let nearest = Number.POSITIVE_INFINITY;
      let call = -1;
      const end = callers.callsEnd(at);
      for (let c = callers.callsBegin(at); c < end; c += 2) {
        const far = below[place[callers.callFrom(c)]!]!;
        if (far === 0 || far >= nearest || this.mark(at, callers.callPlace(c)) !== OUTSIDE) continue;
        nearest = far;
        call = c;
      }
      if (call < 0) return undefined;
      const from = callers.callFrom(call);
      path.push({ ...callers.edges(at)[callers.callPlace(call)]!, from, to: at });
      if (nearest === 1) return path.reverse();
      at = from;
    }
  }

  /**
   * The same to the nearest call at which one of the locks may be held; `held` is what `heldOnEntry` gave for them, and `interesting`
   * what it was given.
   */
  pathToHolder(
    target: number,
    wanted: readonly string[],
    held: HeldOnEntry,
    interesting: (lock: string, fn: Fn) => readonly string[],
  ): Edge[] | undefined {
    const { callers } = this;
    const isUnder = held.under(wanted);
    const mayBeHeld = held.atCall(wanted);
    const isWanted = new Set(wanted);
    const open = this.outside();
    const { place } = callers.downwards;
    return callers.walk(target, (edge, call, at, from) => {
      if (this.mark(at, call) !== OUTSIDE || open[place[from]!] === 0) return 'off';
      const fn = callers.functionOf(from);
      const holds =
        mayBeHeld(at, call) &&
        this.heldOutside(fn, edge.node).some((lock) => interesting(lock, fn).some((l) => isWanted.has(l)));
      return holds ? 'end' : isUnder(from) ? 'on' : 'off';
    });
  }

  /** The function and all that call it outside of any scope, directly or not, over functions that `within` holds for. */
  outsideAbove(target: number, within: (node: number) => boolean = () => true): number[] {
    const out = [target];
    this.callers.walk(target, (_, place, at, from) => {
      if (this.mark(at, place) !== OUTSIDE || !within(from)) return 'off';
      out.push(from);
      return 'on';
    });
    return out;
  }

  /** The calls inside a scope that are nearest above a function: they are what covers it. At most `limit`, nearest first. */
  coveringCalls(
    target: number,
    limit = Number.POSITIVE_INFINITY,
  ): { edge: Edge; scope: OpenScope; path: Edge[] }[] {
    const out: { edge: Edge; scope: OpenScope; path: Edge[] }[] = [];
    this.walkToScopes(target, (edge, path) => {
      out.push({ edge, scope: this.scopeAt(edge)!, path: path() });
      return out.length >= limit ? 'end' : 'off';
    });
    return out;
  }

  /**
   * The proposed scopes in which some callers of the function are: those that are open at the nearest calls in a scope, and those around
   * locks that the function may hold at the nodes, or others where they call it outside of any scope, since these locks count as held in one.
   */
  proposedFor(target: number, nodes: readonly number[]): ProposedScope[] {
    this.proposed ??= this.proposedAbove();
    const { inScope, aroundLocks } = this.proposed;
    const here = nodes.flatMap((node) => this.aroundLocks(target, node));
    const numbers = new Set([...inScope.of(target), ...aroundLocks.of(target), ...here]);
    return [...numbers].sort((a, b) => a - b).map((n) => this.opened.all[n]!);
  }

  private proposedAbove(): { readonly inScope: Bits; readonly aroundLocks: Bits } {
    const inScope = this.perCall((edge, mark) => {
      const scope = mark === IN_SCOPE ? this.scopeAt(edge) : undefined;
      return scope?.state === 'proposed' ? [this.numberOf(scope, edge.from)] : [];
    });
    const aroundLocks = this.perCall((edge, mark) =>
      mark === OUTSIDE ? this.onTheWay(edge).flatMap(({ fn, node }) => this.aroundLocks(fn, node)) : [],
    );
    const { nodes } = this.callers.downwards;
    for (const node of nodes) {
      inScope(node);
      aroundLocks(node);
    }
    const size = this.opened.all.length;
    return {
      inScope: this.sweep(inScope, size, (mark) => mark !== IN_SCOPE),
      aroundLocks: this.sweep(aroundLocks, size, (mark) => mark === OUTSIDE),
    };
  }

  private numberOf(scope: OpenScope, opener: number): number {
    return this.opened.number(`${scope.id} ${opener}`, { scope, opener });
  }

  /** Numbers of the proposed scopes around locks that the function may hold at the node. */
  private aroundLocks(id: number, node: number): number[] {
    const fn = this.callers.functionOf(id);
    return (this.around?.in(fn) ?? []).flatMap(({ lock, scope }) =>
      this.locks.mayHold(fn, lock, node) ? [this.numberOf(scope, id)] : [],
    );
  }

  private walkToScopes(target: number, meet: (edge: Edge, path: () => Edge[]) => Go): void {
    const { callers } = this;
    // Of a covered function every way up ends in a scope; else there may be few of these among many others.
    let isBelow = (_: number): boolean => true;
    if (!this.covered(target)) {
      this.belowScopes ??= this.spread(
        (node) => this.isUnderScope(node),
        (mark) => mark !== IN_SCOPE,
      );
      const { place } = callers.downwards;
      isBelow = (node) => this.belowScopes![place[node]!] !== 0;
    }
    callers.walk(target, (edge, place, at, from, path) => {
      if (this.mark(at, place) !== IN_SCOPE) return isBelow(from) ? 'on' : 'off';
      return meet(edge, path);
    });
  }

  /** Is one of the calls of the node in a scope? */
  private isUnderScope(node: number): boolean {
    const end = this.callers.callsEnd(node);
    for (let c = this.callers.callsBegin(node); c < end; c += 2)
      if (this.mark(node, this.callers.callPlace(c)) === IN_SCOPE) return true;
    return false;
  }

  /** By place: where the marks of the node's edges begin, which are all known then. */
  private marksByPlace(): Int32Array {
    const { callers } = this;
    const { nodes } = callers.downwards;
    if (this.byPlace.length !== nodes.length) {
      this.byPlace = Int32Array.from(nodes, (node) => callers.edgeNumber(node));
      for (const node of nodes) {
        const end = callers.callsEnd(node);
        for (let c = callers.callsBegin(node); c < end; c += 2) this.mark(node, callers.callPlace(c));
      }
    }
    return this.byPlace;
  }

  /** By place: not 0 for the nodes to which some path leads that is in no scope. */
  private outside(): Uint16Array {
    this.open ??= this.spread(
      (node) => this.callers.isRoot(node),
      (mark) => mark !== IN_SCOPE,
    );
    return this.open;
  }

  /**
   * By place: 1 for the nodes that `starts` holds for, and for all that is called from them over calls with such marks one more than the
   * number of these calls, on the shortest way; 0 for all others.
   */
  private spread(
    starts: (node: number) => boolean,
    through: (mark: number) => boolean,
    within: (node: number) => boolean = () => true,
  ): Uint16Array {
    const { nodes, starts: first, into, via } = this.callers.downwards;
    const begins = this.marksByPlace();
    const { marks } = this;
    const out = new Uint16Array(nodes.length);
    const queue: number[] = [];
    for (const [i, node] of nodes.entries()) {
      if (!starts(node) || !within(node)) continue;
      out[i] = 1;
      queue.push(i);
    }
    for (let q = 0; q < queue.length; q++) {
      const at = queue[q]!;
      for (let e = first[at]!; e < first[at + 1]!; e++) {
        const to = into[e]!;
        if (out[to] !== 0 || !through(marks[begins[to]! + via[e]!]!) || !within(nodes[to]!)) continue;
        out[to] = out[at]! + 1;
        queue.push(to);
      }
    }
    return out;
  }

  /**
   * Lock classes that may be held on entry of each function on paths outside any scope. `interesting` gives the
   * names of those that are followed.
   */
  heldOnEntry(interesting: (lock: string, fn: Fn) => readonly string[]): HeldOnEntry {
    const { callers, index, locks } = this;
    const names = new Numbered<string>();
    const classes = new Map<number, readonly string[]>();
    const heldAt = (id: number, node: number): number[] => {
      const fn = index.functions[id]!;
      let mine = classes.get(id);
      if (!mine) {
        mine = locks.classes(fn).filter((lock) => interesting(lock, fn).length > 0);
        classes.set(id, mine);
      }
      return mine
        .filter((lock) => this.isOutside(fn, lock, node))
        .flatMap((lock) => interesting(lock, fn).map((name) => names.number(name, name)));
    };
    const atCalls = this.perCall((edge, mark) =>
      mark === IN_SCOPE ? [] : this.onTheWay(edge).flatMap(({ fn, node }) => heldAt(fn, node)),
    );
    const { nodes } = callers.downwards;
    for (const node of nodes) atCalls(node);
    const open = this.outside();
    const held = this.sweep(
      atCalls,
      names.all.length,
      (mark) => mark !== IN_SCOPE,
      (place) => open[place] !== 0,
    );
    return new HeldOnEntry(names, held, atCalls);
  }

  /** Gives the numbers at each call of a node, by place of the edge, those without left out. */
  private perCall(numbers: (edge: Edge, mark: number) => readonly number[]): AtCalls {
    const { callers } = this;
    // Nodes with the same edges have the same.
    const known = new Map<number, ReadonlyMap<number, readonly number[]>>();
    return (node) => {
      const id = callers.edgesOf(node);
      let all = known.get(id);
      if (!all) {
        const found = new Map<number, readonly number[]>();
        for (const [place, edge] of callers.edges(node).entries()) {
          const mine = numbers(edge, this.mark(node, place));
          if (mine.length > 0) found.set(place, mine);
        }
        all = found;
        known.set(id, all);
      }
      return all;
    };
  }

  /**
   * The numbers below `size` at calls of each node, and at those that lead to one of these over calls with such marks, from places that
   * `isFrom` holds for.
   */
  private sweep(
    atCalls: AtCalls,
    size: number,
    through: (mark: number) => boolean,
    isFrom: (place: number) => boolean = () => true,
  ): Bits {
    const { callers } = this;
    const { nodes, place, starts, into, via } = callers.downwards;
    const bits = new Bits(size, place, nodes.length);
    const { words, set } = bits;
    const dirty = new Uint8Array(nodes.length);
    const begins = this.marksByPlace();
    const { marks } = this;
    for (const [i, node] of nodes.entries()) {
      const at = atCalls(node);
      if (at.size === 0) continue;
      const end = callers.callsEnd(node);
      for (let c = callers.callsBegin(node); c < end; c += 2) {
        if (!isFrom(place[callers.callFrom(c)]!)) continue;
        for (const n of at.get(callers.callPlace(c)) ?? []) {
          set[i * words + (n >> 5)]! |= 1 << (n & 31);
          dirty[i] = 1;
        }
      }
    }
    // Callers came into the closure after what they call: from the other end most of it is done in one sweep.
    for (let more = true; more; ) {
      more = false;
      for (let i = nodes.length - 1; i >= 0; i--) {
        if (dirty[i] === 0) continue;
        dirty[i] = 0;
        if (!isFrom(i)) continue;
        for (let e = starts[i]!; e < starts[i + 1]!; e++) {
          const to = into[e]!;
          if (!through(marks[begins[to]! + via[e]!]!)) continue;
          for (let w = 0; w < words; w++) {
            const mine = set[i * words + w]!;
            if (mine === 0) continue;
            const before = set[to * words + w]!;
            const after = (before | mine) >>> 0;
            if (after === before) continue;
            set[to * words + w] = after;
            dirty[to] = 1;
            if (to > i) more = true;
          }
        }
      }
    }
    return bits;
  }
}

/** Of a node: numbers at its calls, by place of the edge. */
type AtCalls = (node: number) => ReadonlyMap<number, readonly number[]>;

/** Things and their numbers, in the order in which they were first met. */
class Numbered<T> {
  readonly all: T[] = [];
  private readonly numbers = new Map<string, number>();

  number(name: string, thing: T): number {
    let n = this.numbers.get(name);
    if (n === undefined) {
      n = this.all.length;
      this.all.push(thing);
      this.numbers.set(name, n);
    }
    return n;
  }

  find(name: string): number | undefined {
    return this.numbers.get(name);
  }
}

/** Sets of numbers below `size`, one for each node: `words` words of 32 bits for each place. */
class Bits {
  readonly words: number;
  readonly set: Uint32Array;

  constructor(
    size: number,
    private readonly place: Int32Array,
    places: number,
  ) {
    this.words = (size + 31) >> 5;
    this.set = new Uint32Array(places * this.words);
  }

  of(node: number): number[] {
    const out: number[] = [];
    const at = this.begin(node);
    for (let w = 0; at >= 0 && w < this.words; w++)
      for (let left = this.set[at + w]!; left !== 0; left &= left - 1)
        out.push(w * 32 + 31 - Math.clz32(left & -left));
    return out;
  }

  /** Tells whether one of the numbers is in the set of a node. */
  anyOf(numbers: readonly number[]): (node: number) => boolean {
    const mask = new Uint32Array(this.words);
    for (const n of numbers) mask[n >> 5]! |= 1 << (n & 31);
    const used = [...mask.keys()].filter((w) => mask[w] !== 0);
    return (node) => {
      const at = this.begin(node);
      return at >= 0 && used.some((w) => (this.set[at + w]! & mask[w]!) !== 0);
    };
  }

  private begin(node: number): number {
    return (this.place[node] ?? -1) * this.words;
  }
}

/** Lock classes that may be held on entry of each node. */
export class HeldOnEntry {
  constructor(
    private readonly names: Numbered<string>,
    private readonly held: Bits,
    /** The classes that are held at calls, or on the way of a callback. */
    private readonly atCalls: AtCalls,
  ) {}

  of(node: number): ReadonlySet<string> {
    return new Set(this.held.of(node).map((n) => this.names.all[n]!));
  }

  /** Tells whether one of the classes may be held at a call, or on the way of a callback. */
  atCall(wanted: readonly string[]): (node: number, place: number) => boolean {
    const numbers = new Set(this.numbersOf(wanted));
    return (node, place) =>
      this.atCalls(node)
        .get(place)
        ?.some((n) => numbers.has(n)) ?? false;
  }

  /** Tells whether one of the classes may be held on entry of a node. */
  under(wanted: readonly string[]): (node: number) => boolean {
    return this.held.anyOf(this.numbersOf(wanted));
  }

  private numbersOf(names: readonly string[]): number[] {
    return names.flatMap((name) => this.names.find(name) ?? []);
  }
}

/**
 * Scopes that the code has already: the id names the function in which the scope is open. With `ifReal` those count
 * too that are open only if what was started is a real object (a handle, where there is a journal).
 */
export function existingScopes(index: Index, locks: Locks, api: Api, ifReal = false): ScopesAt {
  const surely = scopesFor(api);
  const kinds = ifReal ? [...surely, ...conditionalScopesFor(api)] : surely;
  const cache = new Map<number, readonly string[]>();
  const scopes = new Map<string, OpenScope>();
  return (fn, node, zero) => {
    let mine = cache.get(fn.id);
    if (!mine) {
      mine = kinds.filter((kind) => locks.has(fn, kind));
      cache.set(fn.id, mine);
    }
    for (const kind of mine) {
      if (!locks.mustHold(fn, kind, node, zero)) continue;
      const id = existingScopeId(index, fn, locks.opener(fn, kind, node));
      const key = `${id} ${surely.includes(kind)}`;
      let scope = scopes.get(key);
      if (!scope) {
        scope = surely.includes(kind) ? { id, state: 'existing' } : { id, state: 'existing', ifReal: true };
        scopes.set(key, scope);
      }
      return scope;
    }
    return undefined;
  };
}

/** Names a proposed scope: where it is, and for which lock. */
export function scopeId(fn: Fn, lock: string): string {
  return `${fn.file.file}:${fn.facts.name}:${lock}`;
}

/** The lock in such a name. */
export function lockOfScope(id: string): string {
  return id.slice(id.lastIndexOf(':') + 1);
}

/** `file:line` of the call that opens the scope. */
export function existingScopeId(index: Index, fn: Fn, opener: number | undefined): string {
  return `${fn.file.file}:${index.lineOf(fn, opener ?? 0)}`;
}
