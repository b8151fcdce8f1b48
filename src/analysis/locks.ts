import type { Edge, Fn, Index } from '../index/link.js';
import { GUARD_CLASS_BY_NAME } from '../kernel/guards.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import { SCOPE_APIS } from '../kernel/masks.js';
import type { Api, LockPrimitive } from '../kernel/types.js';
import { Flags, type HandedFlags } from './flags.js';
import { type Effect, type Exit, netEffect, type Run, run, type Success } from './states.js';
import { TaskHeld } from './task-held.js';

/** Scope calls by name. The pseudo lock class `<save>` stands for "a scope of that kind is open". */
const SCOPE_CALL = new Map<string, { scope: string; act: 'acquire' | 'release' }>();
for (const { save, restore } of SCOPE_APIS) {
  SCOPE_CALL.set(save, { scope: `<${save}>`, act: 'acquire' });
  SCOPE_CALL.set(restore, { scope: `<${save}>`, act: 'release' });
}

/** The pseudo classes of scopes under which `api`'s masks are redundant. */
export function scopesFor(api: Api): string[] {
  return SCOPE_APIS.filter((s) => s.covers.includes(api)).map((s) => `<${s.save}>`);
}

/**
 * Ends the pseudo class "a scope of that kind is open, if the object that was started is a real one": a start function
 * may hand out a stand-in instead (ext4 without a journal) that the rest of the code takes for a handle.
 */
const IF_REAL = '~';

/** The pseudo classes of scopes that are open where a started object is a real one. */
export function conditionalScopesFor(api: Api): string[] {
  return scopesFor(api).map((scope) => `${scope}${IF_REAL}`);
}

/** Starts the name of a lock whose class can't be told; its path follows. */
const UNKNOWN = '?';

/** Is it a lock that a caller handed in, or one whose class can't be told at all? */
export function isUnknown(lock: string): boolean {
  return lock.startsWith(UNKNOWN) || lock.startsWith('param:');
}

/** One acquisition in a function, made there or in what it calls there. */
export interface Acquisition {
  readonly fn: Fn;
  readonly node: number;
  readonly lock: string;
  /** Waits for the lock; false for a trylock. */
  readonly blocking: boolean;
  /** The call is the primitive itself, not a function that leaves the lock held. */
  readonly direct: boolean;
}

interface NodeEffect extends Effect {
  readonly lock: string;
  readonly node: number;
  readonly blocking: boolean;
  readonly direct: boolean;
  /** Calls between the function and the primitive. */
  readonly hops: number;
}

/** What calling a function does to a lock class. */
interface Summary extends Effect {
  readonly blocking: boolean;
  readonly hops: number;
}

const SUCCESS: Readonly<Record<LockPrimitive['success'], Success>> = {
  void: 'void',
  zero: 'zero',
  nonzero: 'nonzero',
};

/**
 * How far an acquisition that only may have happened is followed into callers. Wrappers are shallow; beyond that it
 * is the analysis that could not tell, and every caller of every caller would seem to hold the lock.
 */
const MAX_UNCERTAIN_HOPS = 2;

/** Rounds of the fixed point that one function may take part in; recursion through locks is rare and shallow. */
const MAX_ROUNDS = 6;

/** Which locks each function takes, drops, and leaves held for its caller. */
export class Locks {
  private readonly own = new Map<number, NodeEffect[]>();
  private readonly summaries = new Map<number, Map<string, Summary>>();
  /** By function, then by lock class. */
  private readonly runs = new Map<number, Map<string, Run>>();
  private readonly combined = new Map<number, NodeEffect[]>();

  private readonly flags: Flags;
  /** Summaries for a constant flag; null: the class is left as it was. */
  private readonly variants = new Map<string, Summary | null>();
  private readonly classesOf = new Map<number, readonly string[]>();
  private readonly acquisitionsOf = new Map<number, readonly Acquisition[]>();

  private readonly taskHeld: TaskHeld;
  private summarising = true;

  constructor(private readonly index: Index) {
    this.taskHeld = new TaskHeld(index);
    this.flags = new Flags(index);
    for (const fn of index.functions) {
      const effects = this.direct(fn);
      if (effects.length > 0) this.own.set(fn.id, effects);
    }
    this.summarise();
  }

  /** Effects of the function's own primitives and guards. */
  private direct(fn: Fn): NodeEffect[] {
    const out: NodeEffect[] = [];
    if (!fn.facts.locks) return out;
    if (LOCK_BY_NAME.has(fn.facts.name) || SCOPE_CALL.has(fn.facts.name)) return out;
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      if (op.k === 'call' && op.fn !== '') {
        const scope = SCOPE_CALL.get(op.fn);
        if (scope) {
          for (const lock of [scope.scope, `${scope.scope}${IF_REAL}`]) {
            out.push({ lock, node, act: scope.act, success: 'void', blocking: false, direct: true, hops: 0 });
          }
          continue;
        }
        const primitive = LOCK_BY_NAME.get(op.fn);
        if (!primitive || primitive.action === 'downgrade') continue;
        const receiver = op.args[primitive.arg] ?? '';
        const lock = this.index.lockClass(fn, receiver) || `${UNKNOWN}${receiver}`;
        out.push({
          lock,
          node,
          act: primitive.action === 'release' ? 'release' : 'acquire',
          success: SUCCESS[primitive.success],
          blocking: primitive.action === 'acquire',
          direct: true,
          hops: 0,
        });
      } else if (op.k === 'guard' || op.k === 'unguard') {
        const guard = GUARD_CLASS_BY_NAME.get(op.cls);
        if (!guard) continue;
        const lock = this.index.lockClass(fn, op.arg) || `${UNKNOWN}${op.arg}`;
        out.push({
          lock,
          node,
          act: op.k === 'guard' ? 'acquire' : 'release',
          success: 'void',
          blocking: guard.action === 'acquire',
          direct: true,
          hops: 0,
        });
      }
    }
    return out;
  }

  private summarise(): void {
    const rounds = new Map<number, number>();
    const queue = [...this.own.keys()];
    const queued = new Set(queue);
    for (let i = 0; i < queue.length; i++) {
      const id = queue[i]!;
      queued.delete(id);
      const round = (rounds.get(id) ?? 0) + 1;
      if (round > MAX_ROUNDS) continue;
      rounds.set(id, round);
      const fn = this.index.functions[id]!;
      this.combined.delete(id);
      const summary = this.summarize(fn);
      const before = this.summaries.get(id);
      if (sameSummary(before, summary)) continue;
      this.summaries.set(id, summary);
      for (const edge of this.index.callers[id]!) {
        if (edge.how !== 'call' || queued.has(edge.from)) continue;
        queued.add(edge.from);
        queue.push(edge.from);
      }
    }
    this.summarising = false;
    this.runs.clear();
    this.combined.clear();
  }

  private summarize(fn: Fn): Map<string, Summary> {
    const out = new Map<string, Summary>();
    const effects = this.effects(fn);
    for (const lock of new Set(effects.map((e) => e.lock))) {
      this.runs.get(fn.id)?.delete(lock);
      const { exits } = this.runOf(fn, lock);
      const net = netEffect(
        lock.endsWith(IF_REAL) ? this.realOnly(fn, exits) : exits,
        fn.facts.returnType !== 'int' && fn.facts.returnType !== 'bool',
      );
      if (!net) continue;
      const mine = effects.filter((e) => e.lock === lock);
      const hops = Math.min(...mine.map((e) => e.hops));
      if (net.act === 'acquire' && net.success === 'maybe') {
        // A scope counts only where it is surely open.
        if (lock[0] === '<' || hops >= MAX_UNCERTAIN_HOPS) continue;
      }
      out.set(lock, { ...net, hops, blocking: mine.some((e) => e.blocking) });
    }
    return out;
  }

  /** Exits without those that hand out a stand-in; all of them if nothing real is started on any. */
  private realOnly(fn: Fn, exits: readonly Exit[]): readonly Exit[] {
    if (!exits.some((e) => e.depth > 0 || e.pending !== '')) return exits;
    return exits.filter((e) => e.depth !== 0 || e.pending !== '' || !this.returnsStandIn(fn, e.node));
  }

  /** Does the `return` hand on what a function returned that put it into the task (`current->F`)? */
  private returnsStandIn(fn: Fn, node: number): boolean {
    const { op } = fn.facts.cfg[node]!;
    if (op.k !== 'ret') return false;
    const { value } = op;
    const made = this.index.callees[fn.id]!.filter((edge) => {
      const from = fn.facts.cfg[edge.node]!.op;
      return edge.how === 'call' && from.k === 'call' && (from.to === value || `@${edge.node}` === value);
    });
    return (
      made.length > 0 && made.every((edge) => this.taskHeld.storesObject(this.index.functions[edge.to]!))
    );
  }

  /** The calls that open the scope in the function, from the one in the function itself to the save: see `Scope.opens`. */
  opening(fn: Fn, scope: string): { fn: Fn; node: number }[] {
    const out: { fn: Fn; node: number }[] = [];
    const met = new Set<number>();
    for (let at: Fn | undefined = fn; at && !met.has(at.id); ) {
      met.add(at.id);
      const opens = this.effects(at)
        .filter((e) => e.lock === scope && e.act === 'acquire')
        .sort((a, b) => a.hops - b.hops)[0];
      if (!opens) return out;
      out.push({ fn: at, node: opens.node });
      if (opens.direct) return out;
      const hops = (id: number): number =>
        this.summaries.get(id)?.get(scope)?.hops ?? Number.POSITIVE_INFINITY;
      const next: Edge[] = this.index.callees[at.id]!.filter(
        (e) =>
          e.node === opens.node &&
          e.how === 'call' &&
          this.summaries.get(e.to)?.get(scope)?.act === 'acquire',
      ).sort((a, b) => hops(a.to) - hops(b.to));
      at = next[0] && this.index.functions[next[0].to];
    }
    return out;
  }

  /** Every effect in the function, its callees' net effects included, in CFG order. */
  effects(fn: Fn): readonly NodeEffect[] {
    let all = this.combined.get(fn.id);
    if (all) return all;
    all = [...(this.own.get(fn.id) ?? [])];
    const taken = new Set(all.map((e) => e.node));
    const atNode = new Map<number, Map<string, Summary[]>>();
    const targets = new Map<number, number>();
    for (const edge of this.index.callees[fn.id]!) {
      if (edge.how !== 'call' || taken.has(edge.node) || edge.to === fn.id) continue;
      targets.set(edge.node, (targets.get(edge.node) ?? 0) + 1);
      const summary = this.summaries.get(edge.to);
      if (!summary) continue;
      const op = fn.facts.cfg[edge.node]!.op;
      const flags =
        op.k === 'call' ? this.flags.handed(fn, this.index.functions[edge.to]!, op.args, 'named') : undefined;
      for (const [key, whole] of summary) {
        const effect = flags ? this.withFlags(edge.to, key, whole, flags) : whole;
        if (!effect) continue;
        const lock = op.k === 'call' ? this.instantiate(fn, key, op.args) : key;
        if (lock === '') continue;
        const locks = atNode.get(edge.node) ?? new Map<string, Summary[]>();
        atNode.set(edge.node, locks.set(lock, [...(locks.get(lock) ?? []), effect]));
      }
    }
    for (const [node, locks] of atNode) {
      for (const [lock, found] of locks) {
        // Several definitions of one name (stubs, architectures): what they do not agree on is uncertain.
        const agreed =
          found.length === targets.get(node) &&
          found.every((e) => e.act === found[0]!.act && e.success === found[0]!.success);
        const success: Success = agreed ? found[0]!.success : 'maybe';
        all.push({
          lock,
          node,
          act: found[0]!.act,
          success,
          blocking: found.some((e) => e.blocking),
          direct: false,
          hops: Math.min(...found.map((e) => e.hops)) + 1,
        });
      }
    }
    all.sort((a, b) => a.node - b.node);
    this.combined.set(fn.id, all);
    return all;
  }

  /** What calling the function with one of those flags does to the class: the same for each of them, or uncertain. */
  private withFlags(
    id: number,
    lock: string,
    whole: Summary,
    { param, values }: HandedFlags,
  ): Summary | undefined {
    const fn = this.index.functions[id]!;
    const each = values.map((value) => this.withFlag(fn, lock, whole, param, value));
    const [first] = each;
    if (each.every((e) => e?.act === first?.act && e?.success === first?.success)) return first;
    const some = each.find((e) => e !== undefined)!;
    return { ...some, success: 'maybe' };
  }

  private withFlag(fn: Fn, lock: string, whole: Summary, param: string, value: string): Summary | undefined {
    const key = `${fn.id} ${lock} ${param} ${value}`;
    const known = this.variants.get(key);
    if (known !== undefined) return known ?? undefined;
    const exits = run(this.flags.applied(fn, param, value, 'named'), this.byNode(fn, lock)).exits;
    const net = netEffect(exits, fn.facts.returnType !== 'int' && fn.facts.returnType !== 'bool');
    const answer = net && { ...whole, ...net };
    if (!this.summarising) this.variants.set(key, answer ?? null);
    return answer;
  }

  /** A lock that a function got from its caller, as the caller knows it. */
  private instantiate(caller: Fn, key: string, args: readonly string[]): string {
    const match = /^param:(\d+)(?: (.*))?$/.exec(key);
    if (!match) return key;
    const arg = args[Number(match[1])] ?? '';
    if (match[2]?.startsWith('#')) return this.index.elementClass(caller, match[2].slice(1), arg);
    if (arg === '') return '';
    return this.index.lockClass(
      caller,
      match[2] === undefined ? arg : `${arg.replace(/^&/, '')} ${match[2]}`,
    );
  }

  /** States of one lock class (or scope class) through the function. */
  runOf(fn: Fn, lock: string): Run {
    let mine = this.runs.get(fn.id);
    if (!mine) {
      mine = new Map();
      this.runs.set(fn.id, mine);
    }
    let found = mine.get(lock);
    if (!found) {
      found = run(
        fn.facts,
        this.byNode(fn, lock),
        // While nothing is known yet, a function that finds its own object again is trusted to have left it open.
        lock[0] === '<'
          ? this.taskHeld.tests(fn, (f) => (this.summarising && f === fn) || this.leavesOpen(f, lock))
          : undefined,
      );
      mine.set(lock, found);
    }
    return found;
  }

  private byNode(fn: Fn, lock: string): Map<number, Effect[]> {
    const byNode = new Map<number, Effect[]>();
    for (const e of this.effects(fn)) {
      if (e.lock !== lock) continue;
      const list = byNode.get(e.node);
      if (list) list.push(e);
      else byNode.set(e.node, [e]);
    }
    return byNode;
  }

  /** Does the function return with the scope open when it succeeds? */
  private leavesOpen(fn: Fn, scope: string): boolean {
    const net = this.summaries.get(fn.id)?.get(scope);
    return net?.act === 'acquire' && net.success !== 'maybe';
  }

  /**
   * Does another reading of the function, with other `#if` arms alive, return, jump, or act on the class in those arms?
   * A scope put in by the first reading need not balance there.
   */
  differsByArm(fn: Fn, lock: string): boolean {
    const others = this.index
      .lookup(fn.facts.name, fn.file.file)
      .filter((f) => f.facts.arms !== undefined && f.facts.start === fn.facts.start);
    return others.some((other) => {
      const { cfg, statements, arms } = other.facts;
      const inArm = (start: number): boolean => arms!.some((a) => a.start <= start && start < a.end);
      const leaves = statements.some((s) => (s.kind === 'return' || s.kind === 'jump') && inArm(s.start));
      return (
        leaves ||
        this.effects(other).some((e) => {
          const { op } = cfg[e.node]!;
          return e.lock === lock && 'start' in op && inArm(op.start);
        })
      );
    });
  }

  /** Lock classes (no scopes) that the function acquires or drops somewhere. */
  classes(fn: Fn): readonly string[] {
    let mine = this.classesOf.get(fn.id);
    if (!mine) {
      mine = [...new Set(this.effects(fn).map((e) => e.lock))].filter((lock) => lock[0] !== '<');
      this.classesOf.set(fn.id, mine);
    }
    return mine;
  }

  /** Acquisitions of lock classes in the function. */
  acquisitions(fn: Fn): readonly Acquisition[] {
    let mine = this.acquisitionsOf.get(fn.id);
    if (!mine) {
      mine = this.effects(fn)
        .filter((e) => e.act === 'acquire' && e.lock[0] !== '<')
        .map((e) => ({ fn, node: e.node, lock: e.lock, blocking: e.blocking, direct: e.direct }));
      this.acquisitionsOf.set(fn.id, mine);
    }
    return mine;
  }

  /** What calling the function does to the class, seen from its caller. */
  netEffect(fn: Fn, lock: string): Effect | undefined {
    return this.summaries.get(fn.id)?.get(lock);
  }

  /** Is the resource surely held (or the scope surely open) when the node runs? */
  mustHold(fn: Fn, lock: string, node: number): boolean {
    const at = this.runOf(fn, lock).entry[node];
    return at !== undefined && at.low >= 1;
  }

  /** May the class be held when the node runs? */
  mayHold(fn: Fn, lock: string, node: number): boolean {
    const at = this.runOf(fn, lock).entry[node];
    return at !== undefined && at.high >= 1;
  }

  /** Has the function possibly dropped what its caller held when the node runs? */
  mayHaveDropped(fn: Fn, lock: string, node: number): boolean {
    const at = this.runOf(fn, lock).entry[node];
    return at !== undefined && at.low < 0;
  }

  has(fn: Fn, lock: string): boolean {
    return this.effects(fn).some((e) => e.lock === lock);
  }
}

function sameSummary(a: ReadonlyMap<string, Summary> | undefined, b: ReadonlyMap<string, Summary>): boolean {
  if (!a) return b.size === 0;
  if (a.size !== b.size) return false;
  for (const [lock, effect] of b) {
    const other = a.get(lock);
    if (
      !other ||
      other.act !== effect.act ||
      other.success !== effect.success ||
      other.blocking !== effect.blocking
    ) {
      return false;
    }
  }
  return true;
}
