import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { LEAVES } from '../kernel/layers.js';
import type { Locks } from './locks.js';
import { Owners } from './owners.js';
import type { Tasks } from './tasks.js';
import { type Condition, Conditions } from './zero.js';

/** Where the functions are that every part of the kernel may call. */
const CORE = /^(?:mm|kernel|include|lib)(?:\/|$)/;

const NO_CONDITIONS: readonly Condition[] = [];

/**
 * Members through which only reclaim calls; it runs with PF_MEMALLOC set and does not recurse. But writing to
 * /proc/sys/vm/drop_caches calls them, too, and that is no reclaim (fs/drop_caches.c), so only what takes no lock on the
 * way is excused.
 */
const RECLAIM_ONLY = /^shrinker\.(?:scan_objects|count_objects)$/;

/** What to do about a call that a walk has met: go on from where it is made, leave it, or end the walk with it. */
export type Go = 'on' | 'off' | 'end';

/**
 * Says of a call how to go on. Gets the edge, its place in `edges` of the node, the nodes that it leads to and comes from,
 * and its path.
 */
export type Meet = (edge: Edge, place: number, to: number, from: number, path: () => Edge[]) => Go;

/** The closure the other way round: nodes by their places in it, which calls lead from each, and where to. */
export interface Downwards {
  readonly nodes: readonly number[];
  /** Place of each node; -1: not in the closure. */
  readonly place: Int32Array;
  /** Where the calls of a place begin in `into` and `via`; they end where the next one's begin. */
  readonly starts: Int32Array;
  /** Place of the node that the call leads to, and the place of its edge in `callers` of that one's function. */
  readonly into: Int32Array;
  readonly via: Int32Array;
}

/**
 * Who calls the functions asked for, and who calls those, up to the last.
 *
 * A **node** is a function, or a library function while it handles an object of a certain filesystem (see `Owners`): code
 * that all filesystems share has other callers for each. It may also be a function that is asked about for the sake of one of its
 * calls, to which not all of its callers lead (see `Conditions`). Nodes of the first kind are numbered as the functions are; the edges given out here lead from node to node.
 */
export class Callers {
  /** Every node from which one of the targets can be reached. */
  readonly closure = new Set<number>();
  /** How many edges there are, see `edgeNumber`. */
  edgeCount = 0;
  /** Ids of functions that call, on behalf of one in the closure, what that one handed to them. */
  readonly between = new Set<number>();
  /** Ids of the functions that the closure is about. */
  private readonly reached = new Set<number>();
  private readonly owners: Owners;
  /** Function and filesystem of each node of the second kind, and their numbers. */
  private readonly shared: { fn: number; owner: string; conditions: readonly Condition[] }[] = [];
  private readonly conditions: Conditions;
  /** By node: the edges of the index, those that lead to a call on a condition with that call. */
  private readonly conditional = new Map<number, readonly Edge[]>();
  /** By filesystem, then by function: the number of the node without conditions, 0 where there is none yet. */
  private readonly numbers = new Map<string, Int32Array>();
  /** By filesystem and conditions, then by function: the others. */
  private readonly conditionalNumbers = new Map<string, Map<number, number>>();
  private readonly named = new WeakMap<readonly Condition[], string>();
  /** By function: the places in `callers` of the calls in the same task. */
  private readonly sameTask: (Int32Array | undefined)[];
  private readonly locking = new Map<number, boolean>();
  /** Of all nodes asked for, one behind the other: place of the edge in `callers` of the function, node it comes from. */
  private links = new Int32Array(1 << 16);
  private linked = 0;
  /** By node: where its links begin, plus 1, and end; 0 where it was not asked for. */
  private begins = new Int32Array(0);
  private ends = new Int32Array(0);
  /** By function: the number of its first edge, and last that of all; numbers of edges on conditions follow. */
  private readonly firstEdge: Int32Array;
  private readonly firstConditional = new Map<number, number>();
  /** By function: 0 not asked yet, 1 a root, 2 none. */
  private readonly roots: Uint8Array;
  private down: Downwards | undefined;
  /** The walk in which each node was met last. */
  private met = new Int32Array(0);
  private walks = 0;

  constructor(
    readonly index: Index,
    private readonly tasks: Tasks,
    targets: Iterable<number>,
  ) {
    this.owners = new Owners(index, (edge) => this.isCaller(edge));
    this.firstEdge = new Int32Array(index.functions.length);
    for (const [id, edges] of index.callers.entries()) {
      this.firstEdge[id] = this.edgeCount;
      this.edgeCount += edges.length;
    }
    this.roots = new Uint8Array(index.functions.length);
    this.sameTask = index.functions.map(() => undefined);
    this.conditions = new Conditions(index);
    this.extend(targets);
  }

  /** Adds functions, and all that may call them, to the closure. */
  extend(targets: Iterable<number>): void {
    const queue = [...targets].filter((id) => !this.closure.has(id));
    for (const id of queue) this.closure.add(id);
    for (let i = 0; i < queue.length; i++) {
      const { id } = this.functionOf(queue[i]!);
      this.reached.add(id);
      const end = this.callsEnd(queue[i]!);
      const edges = this.index.callers[id]!;
      for (let c = this.callsBegin(queue[i]!); c < end; c += 2) {
        const { inner } = edges[this.links[c]!]!;
        if (inner) for (const way of inner) for (const { fn } of way) this.between.add(fn);
        const from = this.links[c + 1]!;
        if (this.closure.has(from)) continue;
        this.closure.add(from);
        queue.push(from);
      }
    }
    this.met = new Int32Array(this.size);
    this.down = undefined;
  }

  get downwards(): Downwards {
    if (this.down) return this.down;
    const nodes = [...this.closure];
    const place = new Int32Array(this.size).fill(-1);
    for (const [i, node] of nodes.entries()) place[node] = i;
    const starts = new Int32Array(nodes.length + 1);
    for (const node of nodes) {
      const end = this.callsEnd(node);
      for (let c = this.callsBegin(node); c < end; c += 2) starts[place[this.links[c + 1]!]!]!++;
    }
    for (let i = 0, sum = 0; i <= nodes.length; i++) starts[i] = sum += starts[i]!;
    const into = new Int32Array(starts[nodes.length]!);
    const via = new Int32Array(starts[nodes.length]!);
    for (const [i, node] of nodes.entries()) {
      const end = this.callsEnd(node);
      for (let c = this.callsBegin(node); c < end; c += 2) {
        const at = --starts[place[this.links[c + 1]!]!]!;
        into[at] = i;
        via[at] = this.links[c]!;
      }
    }
    this.down = { nodes, place, starts, into, via };
    return this.down;
  }

  /** The function that a node is about. */
  functionOf(node: number): Fn {
    const { functions } = this.index;
    return functions[node] ?? functions[this.shared[node - functions.length]!.fn]!;
  }

  /** One more than the highest number that a node has. */
  get size(): number {
    return this.index.functions.length + this.shared.length;
  }

  private node(fn: number, owner: string, conditions: readonly Condition[]): number {
    if (owner === '' && conditions.length === 0) return fn;
    if (conditions.length === 0) {
      let plain = this.numbers.get(owner);
      if (!plain) {
        plain = new Int32Array(this.index.functions.length);
        this.numbers.set(owner, plain);
      }
      if (plain[fn] === 0) plain[fn] = this.added(fn, owner, conditions);
      return plain[fn]!;
    }
    const key = `${owner}${this.nameOf(conditions)}`;
    let ofOwner = this.conditionalNumbers.get(key);
    if (!ofOwner) {
      ofOwner = new Map();
      this.conditionalNumbers.set(key, ofOwner);
    }
    let node = ofOwner.get(fn);
    if (node === undefined) {
      node = this.added(fn, owner, conditions);
      ofOwner.set(fn, node);
    }
    return node;
  }

  private nameOf(conditions: readonly Condition[]): string {
    let name = this.named.get(conditions);
    if (name === undefined) {
      name = conditions.reduce((all, { param, at }) => `${all} ${param} ${at?.fn}:${at?.node}`, '');
      this.named.set(conditions, name);
    }
    return name;
  }

  private added(fn: number, owner: string, conditions: readonly Condition[]): number {
    const node = this.size;
    this.shared.push({ fn, owner, conditions });
    return node;
  }

  /** Does the edge run the callee in the caller's task? */
  isCaller(edge: Edge): boolean {
    return edge.how !== 'through' && !this.tasks.leavesTask(edge) && !this.isLeaf(edge.from);
  }

  /** Does that part of the kernel keep files or paths that it opened by name? */
  keepsOthers(group: string): boolean {
    return this.owners.keepsOthers(group);
  }

  /** Does what a function calls come to none of the functions asked about for the sake of its own caller? */
  private isLeaf(id: number): boolean {
    const { facts, group } = this.index.functions[id]!;
    return LEAVES.has(facts.name) && CORE.test(group);
  }

  /** Where the calls of a node in the same task begin in `callPlace` and `callFrom`; they stand there at every second place. */
  callsBegin(node: number): number {
    if (node >= this.begins.length) {
      const size = Math.max(this.size, this.begins.length * 2);
      this.begins = grown(this.begins, size);
      this.ends = grown(this.ends, size);
    }
    if (this.begins[node] === 0) this.link(node);
    return this.begins[node]! - 1;
  }

  callsEnd(node: number): number {
    this.callsBegin(node);
    return this.ends[node]!;
  }

  /** Of a call: the place of the edge in `edges` of the node. */
  callPlace(call: number): number {
    return this.links[call]!;
  }

  /** Of a call: the node that it comes from. */
  callFrom(call: number): number {
    return this.links[call + 1]!;
  }

  private link(node: number): void {
    const { owner = '', conditions = NO_CONDITIONS } = this.shared[node - this.index.functions.length] ?? {};
    const { id } = this.functionOf(node);
    const edges = this.index.callers[id]!;
    let conditional: Edge[] | undefined;
    const places = this.inSameTask(id);
    const begin = this.linked;
    if (begin + places.length * 2 > this.links.length)
      this.links = grown(this.links, Math.max(this.links.length * 2, begin + places.length * 2));
    for (const place of places) {
      const edge = edges[place]!;
      const above = this.owners.above(edge, owner);
      if (above === undefined) continue;
      const met = this.conditions.met(edge, conditions);
      if (met === 'not made') continue;
      if (met) {
        conditional ??= [...edges];
        conditional[place] = { ...edge, inner: [[met]] };
      }
      this.links[this.linked++] = place;
      this.links[this.linked++] = this.node(edge.from, above, this.conditions.above(edge, conditions));
    }
    if (conditional) {
      this.conditional.set(node, conditional);
      this.firstConditional.set(node, this.edgeCount);
      this.edgeCount += conditional.length;
    }
    this.begins[node] = begin + 1;
    this.ends[node] = this.linked;
  }

  private inSameTask(id: number): Int32Array {
    let places = this.sameTask[id];
    if (!places) {
      const edges = this.index.callers[id]!;
      places = Int32Array.from(edges.keys()).filter((place) => this.isCaller(edges[place]!));
      this.sameTask[id] = places;
    }
    return places;
  }

  /** The edges that `callPlace` gives places of: those of the index, or with what is known on a condition. */
  edges(node: number): readonly Edge[] {
    return this.conditional.get(node) ?? this.index.callers[this.functionOf(node).id]!;
  }

  /** The number of the first of its `edges`; the others follow. Nodes with the same edges have the same numbers. */
  edgeNumber(node: number): number {
    return this.firstConditional.get(node) ?? this.firstEdge[this.functionOf(node).id]!;
  }

  /** Nodes with the same edges have the same number. */
  edgesOf(node: number): number {
    return this.conditional.has(node) ? node : this.functionOf(node).id;
  }

  /** Nobody is known to call it from inside of a task: a root of paths. */
  isRoot(node: number): boolean {
    const { id } = this.functionOf(node);
    if (this.roots[id] === 0) this.roots[id] = this.isRootFunction(id) ? 1 : 2;
    return this.roots[id] === 1;
  }

  private isRootFunction(id: number): boolean {
    const { escaped, entered } = this.index;
    if (this.tasks.startedAs(id) !== undefined || escaped.has(id) || entered.has(id)) return true;
    return this.inSameTask(id).length === 0 && !this.isUnused(id);
  }

  isUnused(id: number): boolean {
    const { facts, file } = this.index.functions[id]!;
    // A header's macro or inline function that nothing uses never runs.
    const optional = facts.isMacro || (facts.isInline && file.file.endsWith('.h'));
    return optional && this.index.callers[id]!.length === 0 && !this.index.addressTaken.has(id);
  }

  /** Does reclaim alone make the call, and does it wait for no lock on the way to the functions asked for? */
  isExcused(edge: Edge, locks: Locks): boolean {
    return RECLAIM_ONLY.test(edge.via) && !this.takesLocks(edge.to, locks);
  }

  private takesLocks(id: number, locks: Locks): boolean {
    let answer = this.locking.get(id);
    if (answer === undefined) {
      const below = new Set([id]);
      answer = false;
      for (const at of below) {
        answer = locks.acquisitions(this.index.functions[at]!).some((a) => a.blocking);
        if (answer) break;
        for (const edge of this.index.callees[at]!) {
          if (this.reached.has(edge.to) && this.isCaller(edge)) below.add(edge.to);
        }
      }
      this.locking.set(id, answer);
    }
    return answer;
  }

  /**
   * Walks up from a node of the closure over its calls and theirs, nearest first. Returns the path of the call that ended
   * the walk, outermost call first. No other walk may begin inside of `meet`.
   */
  walk(target: number, meet: Meet): Edge[] | undefined {
    const walk = ++this.walks;
    const nodes = [target];
    /** The call over which each node was met: edge, and place in `nodes` of where it leads to. */
    const over: (Edge | undefined)[] = [undefined];
    const back = [-1];
    this.met[target] = walk;
    /** The call that is met: edge, where it comes from, and the place in `nodes` of where it leads to. */
    let edge: Edge;
    let from = -1;
    let n = 0;
    const path = (): Edge[] => {
      const out = [{ ...edge, from, to: nodes[n]! }];
      for (let m = n; back[m]! >= 0; m = back[m]!)
        out.push({ ...over[m]!, from: nodes[m]!, to: nodes[back[m]!]! });
      return out;
    };
    for (; n < nodes.length; n++) {
      const at = nodes[n]!;
      const end = this.callsEnd(at);
      const edges = this.edges(at);
      for (let c = this.callsBegin(at); c < end; c += 2) {
        const place = this.links[c]!;
        edge = edges[place]!;
        from = this.links[c + 1]!;
        const go = meet(edge, place, at, from, path);
        if (go === 'off') continue;
        if (go === 'end') return path();
        if (this.met[from] === walk) continue;
        this.met[from] = walk;
        nodes.push(from);
        over.push(edge);
        back.push(n);
      }
    }
    return undefined;
  }

  /** Does reclaim call the function, or one of those above it? */
  runsInReclaim(target: number): boolean {
    return this.walk(target, (edge) => (RECLAIM_ONLY.test(edge.via) ? 'end' : 'on')) !== undefined;
  }
}

function grown(array: Int32Array<ArrayBuffer>, size: number): Int32Array<ArrayBuffer> {
  const out = new Int32Array(size);
  out.set(array);
  return out;
}
