import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { GUARD_CLASS_BY_NAME } from '../kernel/guards.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import {
  FLAG_RESTORER_BY_NAME,
  FLAG_SETTER_BY_NAME,
  SCOPE_APIS,
  SCOPE_BY_TASK_FLAG,
} from '../kernel/masks.js';
import { PSEUDO_BY_CALL, PSEUDO_LOCKS } from '../kernel/pseudo-locks.js';
import type { Api, LockPrimitive } from '../kernel/types.js';
import type { CallOp, CfgNode, FunctionFacts, Path } from '../parse/facts.js';
import { TASK_FLAGS } from '../parse/facts.js';
import { ErrorPointers } from './error-pointers.js';
import { Flags, type HandedFlags, TRUE } from './flags.js';
import { type GivenWait, givenActs, successOf } from './given-waits.js';
import { Rolled } from './rolled.js';
import { isSetIn } from './sets.js';
import { StandIns } from './stand-ins.js';
import { isState, stateEffects } from './state-locks.js';
import { byNode, type Effect, type Exit, netEffect, type Run, run, type Success } from './states.js';
import { TaskHeld } from './task-held.js';
import { type Zero, zeroIn, zeroPaths } from './zero.js';

/** Scope calls by name. The pseudo lock class `<save>` stands for "a scope of that kind is open". */
const SCOPE_CALL = new Map<string, { scope: string; act: 'acquire' | 'release' }>();
for (const { save, restore } of SCOPE_APIS) {
  SCOPE_CALL.set(save, { scope: `<${save}>`, act: 'acquire' });
  SCOPE_CALL.set(restore, { scope: `<${save}>`, act: 'release' });
}

/** The pseudo class "a scope of that kind is open". */
export function scopeClass(api: Api): string {
  return `<memalloc_${api}_save>`;
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

const PSEUDO_NAMES: ReadonlySet<string> = new Set(PSEUDO_LOCKS.map(({ name }) => name));

/** Is it such a pseudo class rather than a lock? */
export function isScope(lock: string): boolean {
  return lock[0] === '<';
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

/** A save or restore that is to be put at a node. */
export interface ScopeEffect {
  readonly api: Api;
  readonly node: number;
  readonly act: Effect['act'];
  /** Of a save: what the node's own result is where it is made; absent: always. */
  readonly success?: Success;
}

interface NodeEffect extends Effect {
  readonly lock: string;
  readonly node: number;
  readonly blocking: boolean;
  readonly direct: boolean;
  /** Calls between the function and the primitive. */
  readonly hops: number;
  readonly ends?: boolean;
}

/** What calling a function does to a lock class. */
interface Summary extends Effect {
  /** Acquires it if that parameter is not 0, and only then. */
  readonly takenIf?: number;
  readonly blocking: boolean;
  readonly hops: number;
  /** Closes the scope for certain: see `Locks.isInside`. */
  readonly ends?: boolean;
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

/** The same for scopes. It only says that what is closed may have been opened in the same function: see `netEffect`. */
const MAX_UNCERTAIN_SCOPE_HOPS = 4;

const ENTRY: ReadonlySet<number> = new Set([0]);

/** Rounds of the fixed point that one function may take part in; recursion through locks is rare and shallow. */
const MAX_ROUNDS = 6;

/** Which locks each function takes, drops, and leaves held for its caller. */
export class Locks {
  private readonly own = new Map<number, NodeEffect[]>();
  private readonly summaries = new Map<number, Map<string, Summary>>();
  /** The same where certain parameters are 0, as callers asked for it: by function, then by those parameters. */
  private readonly zeroSummaries = new Map<number, Map<Zero, Map<string, Summary>>>();
  /** By function, then by lock class and the parameters that are 0. */
  private readonly runs = new Map<number, Map<string, Run>>();
  private readonly combined = new Map<number, NodeEffect[]>();

  readonly flags: Flags;
  /** Summaries for a constant flag; null: the class is left as it was. */
  private readonly variants = new Map<string, Summary | null>();
  private readonly classesOf = new Map<number, readonly string[]>();
  private readonly acquisitionsOf = new Map<number, readonly Acquisition[]>();

  private readonly taskHeld: TaskHeld;
  private readonly errorPointers: ErrorPointers;
  private readonly standIns: StandIns;
  private readonly rolled: Rolled;
  private readonly makers: readonly Fn[];
  private readonly groupsWithStandIns = new Map<string, boolean>();
  private summarising = true;
  /** What calls of functions do that the user has named. */
  private readonly acts: ReturnType<typeof givenActs>;

  /**
   * With `more`, what `before` found out is taken over, and nodes of functions save or restore, too, as proposed scopes would.
   */
  constructor(
    private readonly index: Index,
    more?: { readonly before: Locks; readonly effects: ReadonlyMap<number, readonly ScopeEffect[]> },
    given: readonly GivenWait[] = [],
  ) {
    this.acts = more?.before.acts ?? givenActs(given);
    this.taskHeld = more?.before.taskHeld ?? new TaskHeld(index);
    this.errorPointers = more?.before.errorPointers ?? new ErrorPointers(index);
    this.flags = more?.before.flags ?? new Flags(index);
    if (more) {
      for (const [id, effects] of more.before.own) this.own.set(id, effects);
      for (const [id, summary] of more.before.summaries) this.summaries.set(id, summary);
      for (const [id, variants] of more.before.zeroSummaries) this.zeroSummaries.set(id, new Map(variants));
      for (const [id, effects] of more.effects) {
        const proposed = effects.flatMap(({ api, node, act, success }) =>
          scopeEffects(scopeClass(api), node, act, success),
        );
        this.own.set(id, [...(this.own.get(id) ?? []), ...proposed]);
      }
    } else {
      const states = stateEffects(index);
      for (const fn of index.functions) {
        const effects = this.direct(fn);
        for (const effect of states.get(fn.id) ?? [])
          effects.push({ ...effect, success: 'void', direct: true, hops: 0 });
        if (effects.length > 0) this.own.set(fn.id, effects);
      }
    }
    this.rolled = new Rolled(
      index,
      index.functions.filter((fn) =>
        this.own.get(fn.id)?.some((e) => isScope(e.lock) && e.act === 'release'),
      ),
    );
    this.makers = index.functions.filter((fn) => this.makesStandIn(fn));
    this.standIns = new StandIns(index, this.makers, (fn, node) => this.returnsStandIn(fn, node));
    this.summarise([...(more?.effects ?? this.own).keys()]);
    if (!more) this.giveUpStates();
  }

  /** A state that a task ends which did not begin it is handed from task to task: what runs meanwhile is not seen. */
  private giveUpStates(): void {
    const { functions, callers } = this.index;
    const handedOn = new Set<string>();
    for (const [id, summary] of this.summaries)
      for (const [lock, { act, success }] of summary) {
        if (!isState(lock) || act !== 'release' || functions[id]!.facts.isMacro) continue;
        const edges = callers[id]!;
        // What ends it sometimes is not followed into its callers.
        if (
          success === 'maybe' ||
          edges.length === 0 ||
          edges.some(({ how, kind }) => how !== 'call' || kind === 'name')
        )
          handedOn.add(lock);
      }
    if (handedOn.size === 0) return;
    for (const [id, effects] of this.own)
      if (effects.some((e) => handedOn.has(e.lock)))
        this.own.set(
          id,
          effects.filter((e) => !handedOn.has(e.lock)),
        );
    for (const summary of this.summaries.values()) for (const lock of handedOn) summary.delete(lock);
    for (const variants of this.zeroSummaries.values())
      for (const summary of variants.values()) for (const lock of handedOn) summary.delete(lock);
    this.combined.clear();
    this.runs.clear();
  }

  /** Is it held by calls of functions that may besides act on locks? */
  private isNoLock(lock: string): boolean {
    return PSEUDO_NAMES.has(lock) || [...this.acts.values()].some((act) => act.lock === lock);
  }

  private actsAsGiven({ facts }: Fn): boolean {
    return this.acts.size > 0 && facts.calls.some(([, op]) => this.acts.has(op.fn));
  }

  /** Effects of the function's own primitives and guards. */
  private direct(fn: Fn): NodeEffect[] {
    if (!fn.facts.locks && !this.actsAsGiven(fn)) return [];
    if (LOCK_BY_NAME.has(fn.facts.name) || SCOPE_CALL.has(fn.facts.name)) return [];
    const out = scopesByHand(fn);
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      if (op.k === 'call' && op.fn !== '') {
        const scope = SCOPE_CALL.get(op.fn);
        if (scope) {
          out.push(...scopeEffects(scope.scope, node, scope.act));
          continue;
        }
        const pseudo = PSEUDO_BY_CALL.get(op.fn);
        if (pseudo) {
          const { lock, act } = pseudo;
          const isVoid = act === 'acquire' && this.index.names.returnType(op.fn, fn.file.file) === 'void';
          const success = isVoid ? 'void' : pseudo.success;
          out.push({ lock, node, act, success, blocking: true, direct: true, hops: 0 });
          continue;
        }
        const given = this.acts.get(op.fn);
        if (given) {
          const success =
            given.act === 'release' ? 'void' : successOf(this.index.names.returnType(op.fn, fn.file.file));
          out.push({ ...given, node, success, blocking: true, direct: true, hops: 0 });
          continue;
        }
        const primitive = LOCK_BY_NAME.get(op.fn);
        if (!primitive || primitive.action === 'downgrade') continue;
        const receiver = op.args[primitive.arg] ?? '';
        const lock = this.index.locks.lockClass(fn, receiver) || `${UNKNOWN}${receiver}`;
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
        const call = guard ? undefined : this.index.guards.callAt(op, fn.file.file);
        const action = guard?.action ?? LOCK_BY_NAME.get(call?.fn ?? '')?.action;
        if (action === undefined) continue;
        const receiver = call ? (call.args[0] ?? '') : op.arg;
        const lock = this.index.locks.lockClass(fn, receiver) || `${UNKNOWN}${receiver}`;
        out.push({
          lock,
          node,
          act: op.k === 'guard' ? 'acquire' : 'release',
          success: 'void',
          blocking: action === 'acquire',
          direct: true,
          hops: 0,
        });
      }
    }
    return out;
  }

  private summarise(changed: readonly number[]): void {
    const rounds = new Map<number, number>();
    // What rolled objects leave open is asked of all that is called there, and what a start function finds, of the others that put such
    // an object into the task: it is known at the end only.
    const late = [...this.rolled.functions, ...this.taskHeld.finding];
    const queue = [...changed];
    const queued = new Set(queue);
    for (let i = 0; i < queue.length || late.length > 0; i++) {
      if (i === queue.length) queue.push(...late.splice(0));
      const id = queue[i]!;
      queued.delete(id);
      const round = (rounds.get(id) ?? 0) + 1;
      if (round > MAX_ROUNDS) continue;
      rounds.set(id, round);
      const fn = this.index.functions[id]!;
      this.combined.delete(id);
      this.runs.delete(id);
      const summary = this.summarize(fn);
      const isFirst = !this.summaries.has(id);
      let same = sameSummary(this.summaries.get(id), summary);
      this.summaries.set(id, summary);
      const variants = this.zeroSummaries.get(id);
      for (const [zero, before] of variants ?? []) {
        const now = this.summarize(fn, zero);
        variants!.set(zero, now);
        same &&= sameSummary(before, now);
      }
      if (same && (!isFirst || fn.facts.testedParams.length === 0)) continue;
      const isReleasing = [...summary.values()].some(isSureRelease);
      for (const edge of this.index.callers[id]!) {
        const matters = edge.how === 'call' || (isReleasing && isFilled(edge) && this.own.has(edge.from));
        if (!matters || queued.has(edge.from)) continue;
        // What the function leaves as it was it may change where a parameter is 0.
        if (same && this.zeroAt(edge) === '') continue;
        queued.add(edge.from);
        queue.push(edge.from);
      }
    }
    this.summarising = false;
    this.runs.clear();
    this.combined.clear();
  }

  /** Which parameters are 0 in the call. */
  private zeroAt({ from, to, node }: Edge): Zero {
    const { op } = this.index.functions[from]!.facts.cfg[node]!;
    return op.k === 'call' ? zeroIn(this.index.functions[to]!, op.args) : '';
  }

  private summarize(fn: Fn, zero: Zero = ''): Map<string, Summary> {
    const out = new Map<string, Summary>();
    const effects = this.effects(fn);
    for (const lock of new Set(effects.map((e) => e.lock))) {
      const { exits } = this.runOf(fn, lock, zero);
      const net = netEffect(
        lock.endsWith(IF_REAL) ? this.realOnly(fn, exits) : exits,
        fn.facts.returnType !== 'int' && fn.facts.returnType !== 'bool',
        this.asScope(fn, lock),
      );
      if (!net) continue;
      const mine = effects.filter((e) => e.lock === lock);
      const hops = Math.min(...mine.map((e) => e.hops));
      // What is started and ended if it is a real object leaves other scopes as they were.
      const startsIfReal = !mine.some((e) => e.act === 'acquire') && net.success === 'maybe';
      if (isScope(lock) && net.act === 'release' && startsIfReal) continue;
      const uncertain = net.act === 'acquire' && net.success === 'maybe';
      if (uncertain && isScope(lock) && this.keepsValue(fn, mine)) continue;
      if (uncertain && hops >= (isScope(lock) ? MAX_UNCERTAIN_SCOPE_HOPS : MAX_UNCERTAIN_HOPS)) continue;
      const blocking = mine.some((e) => e.blocking);
      const takenIf = uncertain && !isScope(lock) ? this.takenIf(fn, lock, zero) : undefined;
      out.set(lock, {
        ...net,
        ...(takenIf === undefined ? {} : { takenIf }),
        hops,
        blocking,
        ...(this.ends(fn, lock, zero) ? { ends: true } : {}),
        ...(net.act === 'release' && net.success === 'maybe' && this.isRecorded(fn, lock, mine)
          ? { recorded: true }
          : {}),
      });
    }
    return out;
  }

  /** The parameter that is not 0 where the function leaves the lock held, and is 0 where it does not: `if (wait) mutex_lock(…)`. */
  private takenIf(fn: Fn, lock: string, zero: Zero): number | undefined {
    if (zero !== '') return undefined;
    const effects = this.byNode(fn, lock);
    return fn.facts.testedParams.find((position) => {
      const [name] = fn.facts.params[position]!;
      const path = `v:${name}`;
      if (isSetIn(fn.facts, path)) return false;
      const without = run(this.factsFor(fn, lock), effects, undefined, [path]).exits;
      if (without.some((e) => e.depth !== 0 || e.pending !== '')) return false;
      const { exits } = run(this.flags.applied(fn, name, TRUE, 'known'), effects);
      return exits.length > 0 && exits.every((e) => e.depth > 0 && e.pending === '');
    });
  }

  /**
   * Is the lock dropped if a flag in an object says so, one that is set where the lock is taken (`op->flags |= LOCKED`)? Then it isn't
   * held any more afterwards, for callers of callers as well.
   */
  private isRecorded(fn: Fn, lock: string, effects: readonly NodeEffect[]): boolean {
    if (isScope(lock) || effects.some((e) => e.act === 'acquire' || (!e.direct && !e.recorded))) return false;
    if (!effects.some((e) => e.direct)) return true;
    const flags = new Set<string>();
    const cfg = fn.facts.cfg.map((node): CfgNode => {
      const { op, next } = node;
      if (op.k !== 'test' || !op.flags || !op.on.includes(' ')) return node;
      for (const flag of op.flags) flags.add(`${lastMember(op.on)} ${flag}`);
      return { ...node, op: { k: 'nop' }, next: next.slice(0, 1) };
    });
    const flagged = Object.create(fn.facts, { cfg: { value: cfg } }) as FunctionFacts;
    const { exits } = run(flagged, this.byNode(fn, lock));
    return exits.every((e) => e.depth < 0) && this.setsWhereTaken(fn.group, lock, flags);
  }

  /** Does every function that takes the lock, before it leaves it held, set one of the flags, and is of that part of the kernel? */
  private setsWhereTaken(group: string, lock: string, flags: ReadonlySet<string>): boolean {
    let takers = 0;
    for (const [id, all] of this.own) {
      const mine = all.filter((e) => e.lock === lock);
      const fn = this.index.functions[id]!;
      if (!mine.some((e) => e.act === 'acquire')) continue;
      const effects = byNode(mine);
      const isKept = (): boolean => run(fn.facts, effects).exits.some((e) => e.depth > 0 || e.pending !== '');
      if (!isKept()) continue;
      // What is noted down counts as dropped: nothing else may be left.
      for (const [node, { op }] of fn.facts.cfg.entries())
        if (op.k === 'set' && op.adds?.some((flag) => flags.has(`${lastMember(op.to)} ${flag}`)))
          effects.set(node, [{ act: 'release', success: 'void' }]);
      if (fn.group !== group || isKept()) return false;
      takers++;
    }
    return takers > 0;
  }

  /**
   * Does the function keep what each of its saves returned to itself? A scope that is open on some of its paths then is a mistake
   * (see `checks/return-in-scope.ts`) and nothing that its callers could close.
   */
  private keepsValue(fn: Fn, effects: readonly NodeEffect[]): boolean {
    const { cfg } = fn.facts;
    return effects.every((e) => {
      if (e.act === 'release') return true;
      const { op } = cfg[e.node]!;
      return (
        e.direct &&
        op.k === 'call' &&
        this.index.types.isLocal(fn, op.to.slice(2)) &&
        !cfg.some((n) => n.op.k === 'ret' && n.op.value === op.to)
      );
    });
  }

  /** Does the function close a scope on every path, that of an object of its caller, and open none? */
  private ends(fn: Fn, lock: string, zero: Zero): boolean {
    if (!isScope(lock)) return false;
    const mine = this.effects(fn).filter((e) => e.lock === lock);
    if (!mine.every((e) => e.act === 'release' && (e.direct || e.ends))) return false;
    const { exits } = run(this.rolled.owned(fn), this.byNode(fn, lock), undefined, zeroPaths(fn, zero));
    return exits.length > 0 && exits.every((e) => e.depth < 0);
  }

  /**
   * A restore gets what the save before it in that task returned. So a function that closes a scope on every path and opened
   * none is inside of that from its first line on, whoever calls it: who ends a transaction has started it.
   */
  private isInside(fn: Fn, lock: string): boolean {
    return !this.summarising && this.summaries.get(fn.id)?.get(lock)?.ends === true;
  }

  /** Tests of the function behind which a scope is open that was opened with an object of the task. */
  private foundOpen(fn: Fn, lock: string): ReadonlySet<number> | undefined {
    if (!isScope(lock)) return undefined;
    if (this.isInside(fn, lock)) return ENTRY;
    return this.taskHeld.tests(
      fn,
      // While nothing is known yet, a function that finds its own object again is trusted to have left it open.
      (f) => (this.summarising && f === fn) || this.leavesOpen(f, lock),
      (f) => lock.endsWith(IF_REAL) && this.makesStandIn(f) && this.hasStandIns(f.group),
      (f, node) => this.effects(f).some((e) => e.node === node && e.lock === lock && e.act === 'release'),
    );
  }

  private asScope(fn: Fn, lock: string): { opensHere: boolean } | undefined {
    if (!isScope(lock)) return undefined;
    const surely = lock.replace(IF_REAL, '');
    return {
      opensHere: this.effects(fn).some((e) => e.act === 'acquire' && e.lock.replace(IF_REAL, '') === surely),
    };
  }

  /** What calling the function with 0 for those parameters does. */
  private summaryOf(fn: Fn, zero: Zero): ReadonlyMap<string, Summary> | undefined {
    if (zero === '') return this.summaries.get(fn.id);
    let mine = this.zeroSummaries.get(fn.id);
    if (!mine) {
      mine = new Map();
      this.zeroSummaries.set(fn.id, mine);
    }
    let found = mine.get(zero);
    if (!found) {
      // Recursion adds nothing.
      mine.set(zero, new Map());
      found = this.summarize(fn, zero);
      mine.set(zero, found);
    }
    return found;
  }

  /** Exits without those that hand out a stand-in; all of them if nothing real is started on any. */
  private realOnly(fn: Fn, exits: readonly Exit[]): readonly Exit[] {
    if (!exits.some((e) => e.depth > 0 || e.pending !== '')) return exits;
    return exits.filter((e) => e.depth !== 0 || e.pending !== '' || !this.returnsStandIn(fn, e.node));
  }

  /** Does the function put an object into the task and open no scope for it? */
  private makesStandIn(fn: Fn): boolean {
    return (
      this.taskHeld.storesObject(fn) && !this.effects(fn).some((e) => isScope(e.lock) && e.act === 'acquire')
    );
  }

  /**
   * Has that part of the kernel a start function that hands out either a stand-in or an object with a scope? Else what is
   * put into the task without a scope is a real object.
   */
  private hasStandIns(group: string): boolean {
    let answer = this.summarising ? undefined : this.groupsWithStandIns.get(group);
    if (answer === undefined) {
      answer = this.makers.some(
        (maker) =>
          maker.group === group &&
          this.makesStandIn(maker) &&
          this.index.callers[maker.id]!.some(
            ({ from, node, how }) =>
              how === 'call' &&
              this.effects(this.index.functions[from]!).some(
                (e) => isScope(e.lock) && e.act === 'acquire' && e.node !== node,
              ),
          ),
      );
      this.groupsWithStandIns.set(group, answer);
    }
    return answer;
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
    return made.length > 0 && made.every((edge) => this.makesStandIn(this.index.functions[edge.to]!));
  }

  /** Nodes of the function that surely open the scope, or find it open, in order of place. */
  private openers(fn: Fn, scope: string): number[] {
    const opens = this.effects(fn).flatMap((e) => (isOpener(e, scope) ? [e.node] : []));
    return opens.length > 0 ? opens : [...(this.foundOpen(fn, scope) ?? [])];
  }

  /** The one that stands nearest before a node, or else the first. */
  opener(fn: Fn, scope: string, node: number): number | undefined {
    const all = this.openers(fn, scope);
    return all.findLast((at) => at <= node) ?? all[0];
  }

  /**
   * The calls that open the scope in the function where `starts` holds of the first one, from that to the save: see `Scope.opens`.
   * Where it was found open, the first is the test, and the others are those of a function that puts the object into the task.
   */
  opening(fn: Fn, scope: string, starts: (node: number) => boolean): { fn: Fn; node: number }[] {
    const out: { fn: Fn; node: number }[] = [];
    const met = new Set<number>();
    let node = this.openers(fn, scope).find(starts);
    for (let at: Fn | undefined = fn; at && node !== undefined && !met.has(at.id); ) {
      met.add(at.id);
      const opens: NodeEffect | undefined = this.effects(at).find(
        (e) => e.node === node && e.lock === scope && e.act === 'acquire',
      );
      out.push({ fn: at, node });
      if (opens?.direct) return out;
      const hops = (edge: Edge): number => {
        const net = this.summaryOf(this.index.functions[edge.to]!, this.zeroAt(edge))?.get(scope);
        return net?.act === 'acquire' ? net.hops : Number.POSITIVE_INFINITY;
      };
      const [next]: Edge[] = this.index.callees[at.id]!.filter(
        (e) => e.node === node && e.how === 'call' && hops(e) < Number.POSITIVE_INFINITY,
      ).sort((a, b) => hops(a) - hops(b));
      at = opens
        ? next && this.index.functions[next.to]
        : this.taskHeld.storesFound(at, node).find((f) => this.leavesOpen(f, scope));
      // The call nearest to the save.
      node =
        at &&
        this.effects(at)
          .filter((e) => e.lock === scope && e.act === 'acquire')
          .sort((a, b) => a.hops - b.hops)[0]?.node;
    }
    return out;
  }

  /** Every effect in the function, its callees' net effects included, in CFG order. */
  effects(fn: Fn): readonly NodeEffect[] {
    let all = this.combined.get(fn.id);
    if (all) return all;
    all = [...(this.own.get(fn.id) ?? [])];
    const taken = new Map(all.map((e) => [e.node, e.lock]));
    const atNode = new Map<number, Map<string, Summary[]>>();
    const targets = new Map<number, number>();
    for (const edge of this.index.callees[fn.id]!) {
      const own = taken.get(edge.node);
      if (edge.how !== 'call' || edge.to === fn.id || (own !== undefined && !this.isNoLock(own))) continue;
      targets.set(edge.node, (targets.get(edge.node) ?? 0) + 1);
      // Only what acts on a lock somewhere can do so in one of its branches.
      if (!this.summaries.has(edge.to)) continue;
      const op = fn.facts.cfg[edge.node]!.op;
      const to = this.index.functions[edge.to]!;
      const zero = op.k === 'call' ? zeroIn(to, op.args) : '';
      const summary = this.summaryOf(to, zero)!;
      const flags = op.k === 'call' ? this.flags.handed(fn, to, op.args, 'named') : undefined;
      for (const [key, whole] of summary) {
        const effect = flags ? this.withFlags(to, key, whole, flags, zero) : whole;
        // What is known of a primitive is not asked of its body; a scope that it opens is.
        if (!effect || (own !== undefined && !isScope(key))) continue;
        if (
          isScope(key) &&
          effect.act === 'release' &&
          this.rolled.leavesOpen(fn, edge.node, to, (f) => this.acting(f, key))
        )
          continue;
        const lock = this.instantiate(fn, key, this.argumentsAt(fn, edge.node));
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
        const closes = isScope(lock) && found.some((e) => e.act === 'release');
        const success: Success = agreed ? found[0]!.success : closes ? 'void' : 'maybe';
        const { takenIf } = found[0]!;
        const { op } = fn.facts.cfg[node]!;
        const on =
          takenIf !== undefined && agreed && op.k === 'call' && found.every((e) => e.takenIf === takenIf)
            ? op.args[takenIf]
            : undefined;
        all.push({
          lock,
          node,
          act: closes ? 'release' : found[0]!.act,
          success: on === TRUE ? 'void' : success,
          blocking: found.some((e) => e.blocking),
          direct: false,
          hops: Math.min(...found.map((e) => e.hops)) + 1,
          ...(agreed && found.every((e) => e.ends) ? { ends: true } : {}),
          ...(agreed && found.every((e) => e.recorded) ? { recorded: true } : {}),
          ...(on !== undefined && /^v:\w+$/.test(on) ? { on } : {}),
        });
      }
    }
    all.push(...this.releasedThroughTables(fn));
    all = all.filter((e) => !this.endsOwnObject(fn, e, all!)).sort((a, b) => a.node - b.node);
    this.combined.set(fn.id, all);
    return all;
  }

  /**
   * Locks that the function takes itself and that what it calls through an operation table drops, whichever function that is. One that was not
   * seen does so as well: the caller could not know otherwise.
   */
  private releasedThroughTables(fn: Fn): NodeEffect[] {
    const own = new Set(this.own.get(fn.id)?.flatMap((e) => (e.act === 'acquire' ? [e.lock] : [])));
    if (own.size === 0) return [];
    const called = new Map<number, (ReadonlyMap<string, Summary> | undefined)[]>();
    for (const edge of this.index.callees[fn.id]!) {
      if (!isFilled(edge)) continue;
      const same = called.get(edge.node);
      const summary = this.summaries.get(edge.to);
      if (same) same.push(summary);
      else called.set(edge.node, [summary]);
    }
    return [...called].flatMap(([node, summaries]) =>
      [...own].flatMap((lock): NodeEffect[] => {
        const found = summaries.map((summary) => summary?.get(lock));
        if (isUnknown(lock) || isScope(lock) || !found.every((e) => e && isSureRelease(e))) return [];
        const hops = Math.min(...found.map((e) => e!.hops)) + 1;
        return [{ lock, node, act: 'release', success: 'void', blocking: false, direct: false, hops }];
      }),
    );
  }

  /**
   * Does the call close at most the scope of an object that the function itself started, a real one or a stand-in? Other scopes stay open
   * then, provided that none is open there that was opened in between.
   */
  private endsOwnObject(fn: Fn, { lock, node, act }: NodeEffect, all: readonly NodeEffect[]): boolean {
    if (!isScope(lock) || lock.endsWith(IF_REAL) || act !== 'release') return false;
    const opening = (scope: string): NodeEffect[] =>
      all.filter((e) => e.lock === scope && e.act === 'acquire');
    const plain = opening(lock);
    const surely = new Set(plain.flatMap((e) => (e.success === 'maybe' ? [] : [e.node])));
    const starts = opening(`${lock}${IF_REAL}`).flatMap((e) => (surely.has(e.node) ? [] : [e.node]));
    const { cfg } = fn.facts;
    const { op: end } = cfg[node]!;
    if (starts.length === 0 || end.k !== 'call') return false;
    const object = end.args.find((arg) => starts.some((at) => (cfg[at]!.op as CallOp).to === arg));
    if (object === undefined || !/^v:\w+$/.test(object)) return false;
    const own = starts.filter((at) => (cfg[at]!.op as CallOp).to === object);
    const isOwn = cfg.every(({ op }, at) =>
      op.k === 'set'
        ? op.to !== object || op.from === '#0'
        : op.k !== 'call' || op.to !== object || own.includes(at),
    );
    return (
      isOwn &&
      fn.facts.params.every(([name]) => `v:${name}` !== object) &&
      !staysOpen(
        cfg,
        own,
        node,
        new Set(plain.flatMap((e) => (own.includes(e.node) ? [] : [e.node]))),
        new Set(all.flatMap((e) => (e.lock === lock && e.act === 'release' && e.direct ? [e.node] : []))),
      )
    );
  }

  /** Nodes that act on the scope, with the functions that are called there; where it is the function's own doing, none. */
  private acting(fn: Fn, scope: string): ReadonlyMap<number, readonly Fn[]> {
    const out = new Map<number, readonly Fn[]>();
    for (const e of this.effects(fn)) {
      if (e.lock !== scope) continue;
      const callees = e.direct
        ? []
        : this.index.callees[fn.id]!.filter((c) => c.node === e.node && c.how === 'call');
      out.set(
        e.node,
        callees.map((c) => this.index.functions[c.to]!),
      );
    }
    return out;
  }

  /** What calling the function with one of those flags does to the class: the same for each of them, or uncertain. */
  private withFlags(
    fn: Fn,
    lock: string,
    whole: Summary,
    { param, values }: HandedFlags,
    zero: Zero,
  ): Summary | undefined {
    const each = values.map((value) => this.withFlag(fn, lock, whole, param, value, zero));
    const [first] = each;
    if (each.every((e) => e?.act === first?.act && e?.success === first?.success)) return first;
    const some = each.find((e) => e !== undefined)!;
    return { ...some, success: 'maybe' };
  }

  private withFlag(
    fn: Fn,
    lock: string,
    whole: Summary,
    param: string,
    value: string,
    zero: Zero,
  ): Summary | undefined {
    const key = `${fn.id} ${lock} ${param} ${value} ${zero}`;
    const known = this.variants.get(key);
    if (known !== undefined) return known ?? undefined;
    const facts = this.flags.applied(fn, param, value, 'named');
    const { exits } = run(facts, this.byNode(fn, lock), undefined, zeroPaths(fn, zero));
    const net = netEffect(
      exits,
      fn.facts.returnType !== 'int' && fn.facts.returnType !== 'bool',
      this.asScope(fn, lock),
    );
    const answer = net && { ...whole, ...net, ends: false };
    if (!this.summarising) this.variants.set(key, answer ?? null);
    return answer;
  }

  /** The class of a lock that a call hands to a parameter of what it calls; '' where it can't be told. */
  handedIn(caller: Fn, node: number, lock: string): string {
    const args = this.argumentsAt(caller, node);
    return args.length > 0 ? this.instantiate(caller, lock, args) : '';
  }

  /** What is handed over at a call, or by a guard. */
  private argumentsAt({ facts, file }: Fn, node: number): readonly Path[] {
    const { op } = facts.cfg[node]!;
    if (op.k === 'call') return op.args;
    return (
      (op.k === 'guard' || op.k === 'unguard' ? this.index.guards.callAt(op, file.file)?.args : undefined) ??
      []
    );
  }

  /** A lock that a function got from its caller, as the caller knows it. */
  private instantiate(caller: Fn, key: string, args: readonly string[]): string {
    const match = /^param:(\d+)(?: (.*))?$/.exec(key);
    if (!match) return key;
    const arg = args[Number(match[1])] ?? '';
    if (match[2]?.startsWith('##'))
      return arg === '' ? '' : this.index.locks.lockClass(caller, `${arg}${match[2].slice(2)}`);
    if (match[2]?.startsWith('#')) return this.index.locks.elementClass(caller, match[2].slice(1), arg);
    if (arg === '') return '';
    return this.index.locks.lockClass(
      caller,
      match[2] === undefined ? arg : `${arg.replace(/^&/, '')} ${match[2]}`,
    );
  }

  /** States of one lock class (or scope class) through the function, where the parameters `zero` are 0. */
  runOf(fn: Fn, lock: string, zero: Zero = ''): Run {
    let mine = this.runs.get(fn.id);
    if (!mine) {
      mine = new Map();
      this.runs.set(fn.id, mine);
    }
    const key = zero === '' ? lock : `${lock} ${zero}`;
    let found = mine.get(key);
    if (!found) {
      found = run(
        this.factsFor(fn, lock),
        this.byNode(fn, lock),
        this.foundOpen(fn, lock),
        zeroPaths(fn, zero),
      );
      mine.set(key, found);
    }
    return found;
  }

  /** The function's facts, with what is known of results that are errors or objects. */
  factsOf(fn: Fn): FunctionFacts {
    return this.errorPointers.factsOf(fn);
  }

  /** Names of the functions that `factsOf` rests on. */
  objectsIn(fn: Fn): readonly string[] {
    return this.errorPointers.namesIn(fn);
  }

  private factsFor(fn: Fn, lock: string): FunctionFacts {
    return lock.endsWith(IF_REAL) && this.hasStandIns(fn.group)
      ? this.standIns.without(fn)
      : this.factsOf(fn);
  }

  private byNode(fn: Fn, lock: string): Map<number, Effect[]> {
    return byNode(this.effects(fn).filter((e) => e.lock === lock));
  }

  /** Does the function return with the scope open when it succeeds? */
  private leavesOpen(fn: Fn, scope: string): boolean {
    const net = this.summaries.get(fn.id)?.get(scope);
    return net?.act === 'acquire' && net.success !== 'maybe';
  }

  /**
   * Does another reading of the function, with other `#if` arms alive, jump or act on the class in those arms, or return there
   * while the class may be held? A scope put in by the first reading need not balance there.
   */
  differsByArm(fn: Fn, lock: string): boolean {
    const others = this.index.names
      .lookup(fn.facts.name, fn.file.file)
      .filter((f) => f.facts.arms !== undefined && f.facts.bodyStart === fn.facts.bodyStart);
    return others.some((other) => {
      const { cfg, statements, arms } = other.facts;
      const inArm = (start: number): boolean => arms!.some((a) => a.start <= start && start < a.end);
      const leaves = statements.some(
        (s, i) =>
          (s.kind === 'return' || s.kind === 'jump') &&
          inArm(s.start) &&
          (s.kind === 'jump' ||
            cfg.some((node, at) => node.statement === i && this.mayHold(other, lock, at))),
      );
      return (
        leaves ||
        this.effects(other).some((e) => {
          const { op } = cfg[e.node]!;
          return e.lock === lock && 'start' in op && inArm(op.start);
        })
      );
    });
  }

  /** Is what the member has been in `current->F` before, or null? */
  isPutBack(fn: Fn, member: Path, field: string): boolean {
    return this.taskHeld.isPutBack(fn, member, field);
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

  /** Is there a place where the function drops the lock? */
  drops(fn: Fn, lock: string): boolean {
    return this.effects(fn).some((e) => e.lock === lock && e.act === 'release');
  }

  /** What calling the function does to the class, seen from its caller. */
  netEffect(fn: Fn, lock: string): Effect | undefined {
    return this.summaries.get(fn.id)?.get(lock);
  }

  /** Is the resource surely held (or the scope surely open) when the node runs? */
  mustHold(fn: Fn, lock: string, node: number, zero: Zero = ''): boolean {
    return this.runOf(fn, lock, zero).entry[node]?.held === true;
  }

  /** May the class be held when the node runs? */
  mayHold(fn: Fn, lock: string, node: number): boolean {
    const at = this.runOf(fn, lock).entry[node];
    return at !== undefined && at.high >= 1;
  }

  /**
   * May the class be held when the node runs, outside of the scopes that the function opens itself? What is counted is how many more locks are
   * held than scopes are open: where both depend on the same condition none is. A scope that what is called here may have closed is closed.
   */
  mayHoldOutside(fn: Fn, lock: string, node: number, api: Api): boolean {
    if (!this.mayHold(fn, lock, node)) return false;
    const kinds = scopesFor(api);
    const all = this.effects(fn);
    const saves = all.filter((e) => e.act === 'acquire' && e.direct && kinds.includes(e.lock));
    if (saves.length === 0) return true;
    const restores = all.filter((e) => e.act === 'release' && kinds.includes(e.lock));
    const mine = this.runs.get(fn.id)!;
    const key = `${lock} outside ${api}`;
    let found = mine.get(key);
    if (!found) {
      const counted = [
        ...all.filter((e) => e.lock === lock),
        ...saves.map((e): NodeEffect => ({ ...e, act: 'release', success: 'void' })),
        ...restores.map((e): NodeEffect => ({ ...e, act: 'acquire', success: 'void' })),
      ];
      found = run(this.factsOf(fn), byNode(counted));
      mine.set(key, found);
    }
    const at = found.entry[node];
    return at === undefined || at.high >= 1;
  }

  /** Has the function possibly dropped what its caller held when the node runs? */
  mayHaveDropped(fn: Fn, lock: string, node: number): boolean {
    const at = this.runOf(fn, lock).entry[node];
    return at !== undefined && at.low < 0;
  }

  /** Does the function act on the class, or find a scope of that kind open? */
  has(fn: Fn, lock: string): boolean {
    return this.effects(fn).some((e) => e.lock === lock) || this.foundOpen(fn, lock) !== undefined;
  }
}

/** A scope that is opened is open whether or not the object of it is a real one. */
function scopeEffects(
  scope: string,
  node: number,
  act: Effect['act'],
  success: Success = 'void',
): NodeEffect[] {
  return [scope, `${scope}${IF_REAL}`].map((lock) => ({
    lock,
    node,
    act,
    success,
    blocking: false,
    direct: true,
    hops: 0,
  }));
}

/** Scopes that a function opens and closes by the flags of the task: `current->flags |= PF_MEMALLOC_NOFS`. */
function scopesByHand({ facts }: Fn): NodeEffect[] {
  if (FLAG_SETTER_BY_NAME.has(facts.name) || FLAG_RESTORER_BY_NAME.has(facts.name)) return [];
  const of = (flags: readonly string[]): string[] =>
    flags.flatMap((flag) => SCOPE_BY_TASK_FLAG.get(flag) ?? []).map((save) => `<${save}>`);
  const inArgument = ({ args }: CallOp, at: number): string[] =>
    args[at]?.startsWith('v:') ? of(args[at].slice(2).split('|')) : [];
  const out: NodeEffect[] = [];
  const set = new Set<string>();
  const backs: number[] = [];
  for (const [node, { op }] of facts.cfg.entries()) {
    let opens: string[] = [];
    if ((op.k === 'set' || op.k === 'call') && op.to === TASK_FLAGS) {
      if (op.k === 'set' && op.adds) opens = of(op.adds);
      else backs.push(node);
    } else if (op.k === 'call') {
      const setter = FLAG_SETTER_BY_NAME.get(op.fn);
      const restorer = FLAG_RESTORER_BY_NAME.get(op.fn);
      if (setter?.flagsArg !== undefined) opens = inArgument(op, setter.flagsArg);
      if (restorer?.flagsArg !== undefined)
        for (const scope of inArgument(op, restorer.flagsArg))
          out.push(...scopeEffects(scope, node, 'release'));
      else if (restorer) backs.push(node);
    }
    for (const scope of opens) {
      set.add(scope);
      out.push(...scopeEffects(scope, node, 'acquire'));
    }
  }
  for (const node of backs) for (const scope of set) out.push(...scopeEffects(scope, node, 'release'));
  return out;
}

function isOpener(e: NodeEffect, scope: string): boolean {
  return e.lock === scope && e.act === 'acquire' && e.success !== 'maybe';
}

/** With the blank before it; of a plain variable: all of it. */
function lastMember(path: Path): string {
  return path.slice(Math.max(0, path.lastIndexOf(' ')));
}

/** Is it a call through an operation table of the receiver's type? */
function isFilled({ how, kind }: Edge): boolean {
  return how === 'table' && kind === 'typed';
}

function isSureRelease({ act, success }: Effect): boolean {
  return act === 'release' && success === 'void';
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
      other.ends !== effect.ends ||
      other.recorded !== effect.recorded ||
      other.takenIf !== effect.takenIf ||
      other.blocking !== effect.blocking
    ) {
      return false;
    }
  }
  return true;
}

/** On some way from the last one of `from` to `end`, is more opened than closed? */
function staysOpen(
  cfg: FunctionFacts['cfg'],
  from: readonly number[],
  end: number,
  opens: ReadonlySet<number>,
  closes: ReadonlySet<number>,
): boolean {
  const seen = new Set(from.map((node) => `${node} 0`));
  for (const state of seen) {
    const [node, before] = state.split(' ').map(Number) as [number, number];
    if (node === end && before > 0) return true;
    const depth = before + Number(opens.has(node)) - Number(before > 0 && closes.has(node));
    if (node === end) continue;
    // In a loop that opens one each time.
    if (depth > opens.size) return true;
    for (const to of cfg[node]!.next) if (to >= 0) seen.add(`${to} ${from.includes(to) ? 0 : depth}`);
  }
  return false;
}
