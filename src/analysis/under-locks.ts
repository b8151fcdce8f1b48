import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import {
  pointerCalled,
  type Signature,
  Signatures,
  signatureOf,
  writtenSignature,
} from '../index/signatures.js';
import type { CallOp, Path } from '../parse/facts.js';
import type { Flags, HandedFlags } from './flags.js';
import { isUnknown, type Locks } from './locks.js';
import type { Reclaim } from './reclaim.js';
import type { Takers } from './regions.js';
import type { Step } from './report.js';
import type { Tasks } from './tasks.js';
import type { Waits } from './waits.js';

/** A call through a pointer. */
export interface PointerCall {
  readonly fn: Fn;
  readonly node: number;
  readonly op: CallOp;
  readonly target: Path;
  /** What it says of types. Many calls look the same. */
  readonly shape: string;
}

/** How the holder of one lock comes to wait for another. */
export interface Behind {
  /** The lock that is held. */
  readonly under: string;
  /** The function that holds it first; the last step acquires the other lock. */
  readonly steps: readonly Step[];
}

/** What runs while a lock may be held which reclaim of a filesystem takes. */
export interface Under {
  /** Calls through pointers, one of each shape. */
  readonly calls: readonly PointerCall[];
  /**
   * Locks that are waited for there, and those that are waited for under these in turn. Who holds one of them may wait for ever for
   * reclaim: it waits for the reclaim lock, whose holder waits for him.
   */
  readonly behind: ReadonlyMap<string, Behind>;
}

/** A function that runs under the locks, by which call it came to that. */
interface Visited {
  readonly fn: Fn;
  /** The lock; of what is called the caller's is meant. */
  readonly under: string;
  readonly from: Visited | undefined;
  readonly edge: Edge | undefined;
  /** What its caller hands in, where the function tests it. */
  readonly given: readonly HandedFlags[];
  /** It is mm's or the block layer's, or a function of a header on their behalf: their locks are no filesystem's. */
  readonly isBelow: boolean;
}

const BELOW = /^(?:mm|block)$/;
const HEADER = /^include(?:\/|$)/;

/** May a lock that a function of that part of the kernel holds be a filesystem's? */
export function holdsOwn({ group }: Fn): boolean {
  return !BELOW.test(group);
}

/**
 * What runs under the locks that reclaim takes is found downwards from where they are taken, as reclaim itself is followed (see `Reclaim.follows`).
 */
export class UnderLocks {
  private readonly found = new Map<string, Under>();
  private readonly made = new Map<number, readonly PointerCall[]>();
  /** By shape of a call, then by function: does it fit? */
  private readonly fitting = new Map<string, Map<number, boolean>>();
  /** By function: locks that it is handed and takes. */
  private readonly params = new Map<number, readonly string[]>();
  private readonly signatures: Signatures;
  private readonly flags: Flags;

  constructor(
    private readonly index: Index,
    private readonly locks: Locks,
    private readonly tasks: Tasks,
    private readonly waits: Waits,
    private readonly reclaim: Reclaim,
    private readonly takers: Takers,
  ) {
    this.signatures = new Signatures(index.names, index.types);
    this.flags = locks.flags;
  }

  find(group: string): Under {
    let found = this.found.get(group);
    if (!found) {
      found = this.search(group);
      this.found.set(group, found);
    }
    return found;
  }

  private search(group: string): Under {
    const { index, locks, reclaim, tasks, waits } = this;
    const away = [...index.escaped]
      .map((id) => index.functions[id]!)
      .filter((fn) => !fn.facts.isMacro && reclaim.isNear(group, fn.group));
    const calls: PointerCall[] = [];
    const shapes = new Set<string>();
    const behind = new Map<string, Behind>();
    const queue: Visited[] = [];
    const seen = new Set<string>();
    /** Seen without regard to what is handed in. */
    const plain = new Set<number>();
    const come = (from: Visited, edge: Edge): void => {
      const fn = index.functions[edge.to]!;
      const isBelow = BELOW.test(fn.group) || (from.isBelow && HEADER.test(fn.group));
      const key = fn.id * 2 + Number(isBelow);
      if (plain.has(key)) return;
      const given = this.flags.given(from.fn, edge, from.given);
      if (given.length === 0) plain.add(key);
      else {
        const handed = [key, ...given.map(({ param, values }) => `${param} ${values.join()}`)].join(' ');
        if (seen.has(handed)) return;
        seen.add(handed);
      }
      queue.push({ fn, under: from.under, from, edge, given, isBelow });
    };
    const wanted = [...reclaim.endangeringLocks(group)];
    const held = new Set(wanted);
    const waitFor = (at: Visited, node: number, lock: string): void => {
      if (at.isBelow || held.has(lock) || isUnknown(lock)) return;
      held.add(lock);
      wanted.push(lock);
      behind.set(lock, { under: at.under, steps: this.stepsTo(at, node) });
    };
    const visit = (at: Visited, runs: (node: number) => boolean): void => {
      const { fn } = at;
      const isFollowed = (edge: Edge): boolean =>
        edge.kind !== 'name' && !edge.kept && edge.how !== 'through' && !tasks.leavesTask(edge);
      for (const edge of index.callees[fn.id]!) {
        if (!isFollowed(edge) || !runs(edge.node) || !reclaim.follows(group, edge)) continue;
        come(at, edge);
        for (const lock of this.handedTo(edge)) waitFor(at, edge.node, lock);
      }
      const goTo = (to: number, node: number): void =>
        come(at, { from: fn.id, to, node, kind: 'typed', how: 'pointer', via: '' });
      for (const wait of waits.in(fn)) {
        if (!runs(wait.node)) continue;
        for (const to of [...wait.work, ...(wait.field ? waits.tasksThatEnd(wait.on) : [])])
          if (reclaim.isNear(group, index.functions[to]!.group)) goTo(to, wait.node);
      }
      for (const call of this.callsOf(fn)) {
        if (shapes.has(call.shape) || !runs(call.node)) continue;
        shapes.add(call.shape);
        calls.push(call);
        for (const other of away) if (this.fits(call, other)) goTo(other.id, call.node);
      }
      for (const { node, lock, blocking } of locks.acquisitions(fn))
        if (blocking && runs(node)) waitFor(at, node, lock);
    };
    for (const lock of wanted) {
      for (const fn of this.takers.of(lock)) {
        const isNear = !behind.has(lock) || (holdsOwn(fn) && reclaim.isNear(group, fn.group));
        const start = { from: undefined, edge: undefined, given: [] };
        const at = { ...start, fn, under: lock, isBelow: !holdsOwn(fn) };
        if (isNear) visit(at, (node) => locks.mayHold(fn, lock, node));
      }
      for (const at of queue) {
        const nodes = at.given.length > 0 ? this.flags.reachable(at.fn, at.given, 'known') : undefined;
        visit(at, (node) => nodes?.has(node) ?? true);
      }
      queue.length = 0;
    }
    return { calls, behind };
  }

  /** Locks that the call hands to what takes them: `count(&sbi->lock)`. */
  private handedTo({ from, to, node, how }: Edge): string[] {
    const fn = this.index.functions[from]!;
    const taken = how === 'call' ? this.takenParams(this.index.functions[to]!) : [];
    return taken.map((lock) => this.locks.handedIn(fn, node, lock)).filter((lock) => lock !== '');
  }

  /** Locks that the function is handed and waits for, itself or in what it hands them on to. */
  private takenParams(fn: Fn): readonly string[] {
    let found = this.params.get(fn.id);
    if (!found) {
      // Recursion adds none.
      this.params.set(fn.id, []);
      const own = this.locks.acquisitions(fn).flatMap((a) => (a.blocking ? [a.lock] : []));
      const handsOn =
        fn.facts.params.length > 0 && fn.facts.calls.some(([, op]) => op.args.some(isOfParam(fn)));
      const further = handsOn ? this.index.callees[fn.id]!.flatMap((edge) => this.handedTo(edge)) : [];
      found = [...new Set([...own, ...further])].filter((lock) => lock.startsWith('param:'));
      this.params.set(fn.id, found);
    }
    return found;
  }

  private stepsTo(at: Visited, node: number): Step[] {
    const { index } = this;
    const stepAt = (fn: Fn, line: number): Step => ({
      function: fn.facts.name,
      file: fn.file.file,
      line: index.lineOf(fn, line),
    });
    const out = [stepAt(at.fn, node)];
    for (let { from, edge } = at; from && edge; { from, edge } = from)
      out.unshift({ ...stepAt(from.fn, edge.node), edge: edge.kind });
    return out;
  }

  /** Calls through pointers that a function makes. */
  private callsOf(fn: Fn): readonly PointerCall[] {
    let found = this.made.get(fn.id);
    if (!found) {
      const { index } = this;
      // What mm calls so are constructors, walkers and the like.
      const calls = fn.group === 'mm' ? [] : fn.facts.calls;
      found = calls.flatMap(([node, op]) => {
        const target = pointerCalled(index.types, fn, op);
        if (target === '' || index.members.isTable(fn, target)) return [];
        const call = { fn, node, op, target };
        return [{ ...call, shape: this.shapeOf(call) }];
      });
      this.made.set(fn.id, found);
    }
    return found;
  }

  private shapeOf(call: Omit<PointerCall, 'shape'>): string {
    const { fn, op } = call;
    const declared = this.declared(call);
    if (declared) return declared.map(({ params, result }) => `${params.join()} ${result}`).join(';');
    return `?${op.args.map((arg) => this.signatures.given(fn, arg)).join()} ${op.to === '' ? '' : '='}`;
  }

  /**
   * Types by the declaration of the pointer, or of what it is known to point to; where its struct is not known, by all members of
   * that name.
   */
  private declared({ fn, node, op, target }: Omit<PointerCall, 'shape'>): readonly Signature[] | undefined {
    const { index } = this;
    const own = writtenSignature(index.types.typeOf(fn, target));
    if (own) return [own];
    const edge = index.callees[fn.id]!.find(
      (e) => e.node === node && e.kind === 'typed' && e.how === 'table',
    );
    if (edge) return [signatureOf(index.functions[edge.to]!)];
    const cut = target.lastIndexOf(' ');
    if (cut < 0 || index.types.typeOf(fn, target.slice(0, cut)) !== '') return undefined;
    const all = [...index.names.memberTypes(target.slice(cut + 1))]
      .flatMap((type) => writtenSignature(type) ?? [])
      .filter(({ params }) => params.length === op.args.length);
    return all.length > 0 ? all : undefined;
  }

  /** May the function be what is called, by the number of its parameters and by types? */
  fits(call: PointerCall, to: Fn): boolean {
    const known = this.fitting.get(call.shape) ?? new Map<number, boolean>();
    this.fitting.set(call.shape, known);
    let answer = known.get(to.id);
    if (answer === undefined) {
      const declared = this.declared(call);
      answer = declared
        ? declared.some((pointer) => this.signatures.areAlike(pointer, to))
        : this.signatures.takes(to, call.fn, call.op);
      known.set(to.id, answer);
    }
    return answer;
  }
}

/** Is a path a parameter of the function, or what that points to, or the address of it? */
function isOfParam({ facts }: Fn): (path: Path) => boolean {
  const params = new Set(facts.params.map(([name]) => name));
  return (path) => params.has(/^&?v:(\w+)/.exec(path)?.[1] ?? '');
}
