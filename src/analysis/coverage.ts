import type { Edge, Fn, Index, Way } from '../index/link.js';
import type { Api } from '../kernel/types.js';
import type { Callers } from './callers.js';
import type { Locks } from './locks.js';
import { conditionalScopesFor, scopesFor } from './locks.js';

/** A scope that is taken to exist: proposed ones by region, existing ones found in the code. */
export interface OpenScope {
  readonly id: string;
  readonly state: 'existing' | 'proposed';
  /** Open only where the object that was started is a real one, not a stand-in. */
  readonly ifReal?: boolean;
}

/**
 * Which scopes are open at a CFG node of a function, seen from inside that function only; `zero` are parameters that are 0
 * (see `zero.ts`).
 */
export type ScopesAt = (fn: Fn, node: number, zero?: string) => OpenScope | undefined;

/** What is known of a call: outside of any scope, inside of one, or made by reclaim itself. */
const OUTSIDE = 0;
const IN_SCOPE = 1;
const EXCUSED = 2;

/**
 * Coverage of functions by their callers, certain scopes being there: a function is covered if it has callers and every call
 * of it is inside a scope, made by reclaim itself or in a covered function. Nodes are those of `Callers`; what is asked
 * about must be in its closure.
 */
export class Cover {
  private readonly known = new Map<number, boolean>();
  /** By `Callers.edgesOf`: what is known of each of the calls. */
  private readonly marks = new Map<number, Uint8Array>();

  constructor(
    readonly callers: Callers,
    private readonly locks: Locks,
    readonly scopes: ScopesAt,
  ) {}

  private get index(): Index {
    return this.callers.index;
  }

  /** `OUTSIDE`, `IN_SCOPE` or `EXCUSED` of each of the edges of a node. */
  private marksOf(node: number): Uint8Array {
    const id = this.callers.edgesOf(node);
    let marks = this.marks.get(id);
    if (!marks) {
      marks = Uint8Array.from(this.callers.edges(node), (edge) =>
        this.scopeAt(edge) ? IN_SCOPE : this.callers.isExcused(edge, this.locks) ? EXCUSED : OUTSIDE,
      );
      this.marks.set(id, marks);
    }
    return marks;
  }

  /** The scope in which the call is made: open where it stands, or on every way on which a callback comes to run. */
  private scopeAt(edge: Edge): OpenScope | undefined {
    const here = this.scopes(this.callers.functionOf(edge.from), edge.node);
    if (here || !edge.inner || edge.inner.length === 0) return here;
    const found = edge.inner.map((way) => this.scopeOnWay(way));
    return found.every((s) => s !== undefined) ? found[0] : undefined;
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
      if (this.marksOf(at)[place] !== OUTSIDE || known.get(from)) return 'off';
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
   * From a function up over calls outside any scope to the nearest function that nobody calls (or for which `ends`
   * holds). Outermost first; undefined if there is none (all runs are covered).
   */
  pathToRoot(
    target: number,
    ends: (node: number) => boolean = (node) => this.callers.isRoot(node),
  ): Edge[] | undefined {
    return ends(target) ? [] : this.pathUp(target, (_, from) => ends(from));
  }

  /** The same to the nearest call at which one of the locks may be held. */
  pathToHolder(target: number, isOne: (lock: string) => boolean): Edge[] | undefined {
    const { callers, locks } = this;
    return this.pathUp(target, ({ node }, from) => {
      const fn = callers.functionOf(from);
      return locks.classes(fn).some((lock) => isOne(lock) && locks.mayHold(fn, lock, node));
    });
  }

  private pathUp(target: number, ends: (edge: Edge, from: number) => boolean): Edge[] | undefined {
    return this.callers.walk(target, (edge, place, at, from) => {
      if (this.marksOf(at)[place] !== OUTSIDE) return 'off';
      return ends(edge, from) ? 'end' : 'on';
    });
  }

  /** The calls inside a scope that are nearest above a function: they are what covers it. At most `limit`, nearest first. */
  coveringCalls(
    target: number,
    limit = Number.POSITIVE_INFINITY,
  ): { edge: Edge; scope: OpenScope; path: Edge[] }[] {
    const out: { edge: Edge; scope: OpenScope; path: Edge[] }[] = [];
    this.callers.walk(target, (edge, place, at, _, path) => {
      if (this.marksOf(at)[place] !== IN_SCOPE) return 'on';
      out.push({ edge, scope: this.scopeAt(edge)!, path: path() });
      return out.length >= limit ? 'end' : 'off';
    });
    return out;
  }

  /**
   * Lock classes that may be held on entry of each function on paths outside any scope. `interesting` limits
   * the classes followed.
   */
  heldOnEntry(interesting: (lock: string) => boolean): (node: number) => ReadonlySet<string> {
    const { callers, index, locks } = this;
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
    const classes = new Map<number, readonly string[]>();
    const heldAt = (id: number, node: number): number[] => {
      const fn = index.functions[id]!;
      let mine = classes.get(id);
      if (!mine) {
        mine = locks.classes(fn).filter(interesting);
        classes.set(id, mine);
      }
      return mine.filter((lock) => locks.mayHold(fn, lock, node)).map(numberOf);
    };
    /** By `Callers.edgesOf` and call: numbers of the classes that are held there. */
    const atCalls = new Map<number, readonly (readonly number[])[]>();
    const heldAtCalls = (at: number): readonly (readonly number[])[] => {
      const id = callers.edgesOf(at);
      let all = atCalls.get(id);
      if (!all) {
        const marks = this.marksOf(at);
        all = callers.edges(at).map((edge, place) => {
          if (marks[place] === IN_SCOPE) return [];
          const ways = (edge.inner ?? []).filter((way) => !this.scopeOnWay(way)).flat();
          return [{ fn: edge.from, node: edge.node }, ...ways].flatMap(({ fn, node }) => heldAt(fn, node));
        });
        atCalls.set(id, all);
      }
      return all;
    };
    const order = [...callers.closure];
    const place = new Int32Array(callers.size).fill(-1);
    for (const [i, node] of order.entries()) place[node] = i;
    /** Calls outside of scopes by places of the nodes they lead from: where each one's begin, and where they lead to. */
    const starts = new Int32Array(order.length + 1);
    const each = (visit: (to: number, from: number) => void): void => {
      for (const [i, node] of order.entries()) {
        const marks = this.marksOf(node);
        const calls = callers.calls(node);
        for (let c = 0; c < calls.length; c += 2)
          if (marks[calls[c]!] !== IN_SCOPE) visit(i, place[calls[c + 1]!]!);
      }
    };
    each((_, from) => {
      starts[from]!++;
    });
    for (let i = 0, sum = 0; i <= order.length; i++) starts[i] = sum += starts[i]!;
    const into = new Int32Array(starts[order.length]!);
    each((to, from) => {
      into[--starts[from]!] = to;
    });
    // A bit for each class.
    for (const node of order) heldAtCalls(node);
    const words = (names.length + 31) >> 5;
    const held = new Uint32Array(order.length * words);
    const dirty = new Uint8Array(order.length);
    for (const [i, node] of order.entries()) {
      const calls = callers.calls(node);
      const at = heldAtCalls(node);
      for (let c = 0; c < calls.length; c += 2) {
        for (const n of at[calls[c]!]!) {
          held[i * words + (n >> 5)]! |= 1 << (n & 31);
          dirty[i] = 1;
        }
      }
    }
    // Callers came into the closure after what they call: from the other end most of it is done in one sweep.
    for (let more = true; more; ) {
      more = false;
      for (let i = order.length - 1; i >= 0; i--) {
        if (dirty[i] === 0) continue;
        dirty[i] = 0;
        for (let e = starts[i]!; e < starts[i + 1]!; e++) {
          const to = into[e]!;
          for (let w = 0; w < words; w++) {
            const before = held[to * words + w]!;
            const after = (before | held[i * words + w]!) >>> 0;
            if (after === before) continue;
            held[to * words + w] = after;
            dirty[to] = 1;
            if (to > i) more = true;
          }
        }
      }
    }
    return (node) => {
      const at = (place[node] ?? -1) * words;
      return new Set(at < 0 ? [] : names.filter((_, n) => (held[at + (n >> 5)]! & (1 << (n & 31))) !== 0));
    };
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
      const id = existingScopeId(index, fn, locks.opener(fn, kind, node));
      return surely.includes(kind) ? { id, state: 'existing' } : { id, state: 'existing', ifReal: true };
    }
    return undefined;
  };
}

/** `file:line` of the call that opens the scope. */
export function existingScopeId(index: Index, fn: Fn, opener: number | undefined): string {
  return `${fn.file.file}:${index.lineOf(fn, opener ?? 0)}`;
}
