import type { ScopePoint, StatementRange } from '../edit/plan.js';
import type { Fn } from '../index/names.js';
import type { FunctionFacts, OpenNode, Path, Statement } from '../parse/facts.js';
import { isScope, type Locks } from './locks.js';
import { byNode, type Effect, type Run, run } from './states.js';

/** Where a scope stands relative to the acquire and release of its lock. */
export type PlacementMode = 'around' | 'inside';

/** A scope that balances on every path of its function. */
export interface Placement {
  readonly mode: PlacementMode;
  readonly saves: readonly ScopePoint[];
  readonly restores: readonly ScopePoint[];
  /** 1 for each CFG node that runs with the scope open on every path. */
  readonly open: Uint8Array;
  /** Conditions alone keep a restore from what was not saved: then the function with both put in, and what they do there. */
  readonly conditional?: WithScope;
}

interface WithScope {
  readonly facts: FunctionFacts;
  readonly effects: ReadonlyMap<number, readonly Effect[]>;
}

export interface Refusal {
  readonly refused: string;
}

/** A point as the search works with it: before or after a statement, by index; after a `return` is once its value is there. */
interface Point {
  readonly at: 'before' | 'after';
  readonly statement: number;
}

/**
 * Finds where to save and restore so that the scope is open whenever `lock` is surely held, or says why there is
 * no such place. Candidates come from the statements that acquire and release; each candidate is then run
 * through the control-flow graph, and only one that balances on every path is returned. If some of the nodes `inside` run
 * under the lock on some paths and without it on others, a scope that is open there in either case is preferred, unless the function
 * begins or ends `others`, which that one might cross.
 */
export function placeScope(
  fn: Fn,
  lock: string,
  locks: Locks,
  prefer: PlacementMode,
  inside: readonly number[] = [],
  others = false,
): Placement | Refusal {
  const tight = placeTight(fn, lock, locks, prefer);
  if (!('refused' in tight) && (others || inside.every((node) => tight.open[node] === 1))) return tight;
  return placeOutside(fn, lock, locks, inside) ?? tight;
}

function placeTight(fn: Fn, lock: string, locks: Locks, prefer: PlacementMode): Placement | Refusal {
  const facts = locks.factsOf(fn);
  if (facts.broken) return { refused: 'the function does not parse' };
  if (facts.isMacro) return { refused: 'the lock is taken in a macro' };
  if (locks.differsByArm(fn, lock))
    return { refused: 'another #if arm releases, returns or jumps in its own way' };
  const given = locks.effects(fn).filter((e) => e.lock === lock);
  const guarded = given.filter((e) => /^(?:un)?guard$/.test(facts.cfg[e.node]!.op.k));
  if (guarded.length > 0 && guarded.length < given.length)
    return { refused: 'the lock is held by guard() and by calls as well' };
  const real = locks.runOf(fn, lock);
  // Functions that take the lock on a condition of their own, and drop it on the same: the scope is there in either case.
  const sometimes = given.some((e) => e.success === 'maybe');
  const effects = given.map((e): NodeEffect => (e.success === 'maybe' ? { ...e, success: 'void' } : e));
  const held = sometimes ? run(facts, byNode(effects)) : real;
  if ([...real.exits, ...held.exits].some((e) => e.depth !== 0 || e.pending !== '')) {
    return { refused: 'the lock is still held, or was dropped for the caller, where the function returns' };
  }
  // Where the block of a guard ends there is no statement to stand behind.
  const modes: PlacementMode[] =
    guarded.length > 0 ? ['inside'] : prefer === 'around' ? ['around', 'inside'] : ['inside', 'around'];
  const acts = new Set(effects.map((e) => e.node));
  const callsUnder = (node: number): boolean =>
    facts.cfg[node]!.op.k === 'call' && (held.entry[node]?.low ?? 0) >= 1;
  let why = 'no save and restore balance on every path';
  for (const mode of modes) {
    for (const hoisted of [true, false]) {
      const points =
        guarded.length > 0
          ? insideGuards(facts, effects, callsUnder)
          : mode === 'around'
            ? around(facts, effects, held, hoisted)
            : inside(facts, effects, held, hoisted);
      if (typeof points === 'string') {
        why = points;
        continue;
      }
      if (points.saves.length === 0) {
        why = 'no statement is entered with the lock surely held';
        continue;
      }
      if (points.restores.length === 0) {
        why = 'the lock is not released by a statement of the function';
        continue;
      }
      const isUnder = (node: number): boolean =>
        !acts.has(node) &&
        ((held.entry[node]?.low ?? 0) >= 1 || (sometimes && (real.entry[node]?.high ?? 0) >= 1));
      const scoped = balances(facts, points.saves, points.restores, isUnder);
      if (typeof scoped === 'string') {
        why = scoped;
        continue;
      }
      return { ...placed(points.saves, points.restores, facts, scoped), mode };
    }
  }
  return { refused: why };
}

/** How many `if`s a save or restore is moved out of, and over how many statements a restore then. */
const MAX_LIFTED = 2;
const MAX_MOVED_ON = 4;

/**
 * Around the conditions on which the lock is taken and dropped: `if (wait) lock(); … if (wait) unlock();`. The scope is open whether or
 * not they hold, so it covers what others reach without the lock.
 */
function placeOutside(fn: Fn, lock: string, locks: Locks, inside: readonly number[]): Placement | undefined {
  const facts = locks.factsOf(fn);
  if (facts.broken || facts.isMacro || inside.length === 0 || locks.differsByArm(fn, lock)) return undefined;
  // What starts and ends scopes itself need not leave this one open, for all that is seen: what was started may be a stand-in.
  if (locks.effects(fn).some((e) => isScope(e.lock))) return undefined;
  const effects = locks.effects(fn).filter((e) => e.lock === lock);
  const isInside = new Set(inside);
  const pointsOf = (act: Effect['act'], at: Point['at'], levels: number): Point[] => {
    const statements = effects
      .filter((e) => e.act === act)
      .map((e) => outOf(facts, element(facts, e.node), levels));
    return [...new Set(statements)].map((statement) => ({ at, statement }));
  };
  for (let out = 1; out <= MAX_LIFTED; out++) {
    const saves = pointsOf('acquire', 'before', out);
    for (let back = 1; back <= MAX_LIFTED; back++) {
      let restores = pointsOf('release', 'after', back);
      for (let on = 0; on <= MAX_MOVED_ON && restores.length > 0; on++) {
        if ([...saves, ...restores].some((p) => p.statement < 0)) break;
        const scoped = balances(facts, saves, restores, (node) => isInside.has(node));
        if (typeof scoped !== 'string' && !scoped.conditional) return placed(saves, restores, facts, scoped);
        // An error may go around the one release there is, to a label behind it.
        const [last, ...others] = restores;
        const next = others.length === 0 ? nextInList(facts, last!.statement) : -1;
        restores = next < 0 ? [] : [{ at: 'after', statement: next }];
      }
    }
  }
  return undefined;
}

/** The statement behind another one in the same list, labels left out; -1 where there is none or it is a `return`. */
function nextInList({ statements }: FunctionFacts, statement: number): number {
  const listOf = (i: number): number => {
    let up = statements[i]!.parent;
    while (up >= 0 && /^(?:label|case)$/.test(statements[up]!.kind)) up = statements[up]!.parent;
    return up;
  };
  const list = listOf(statement);
  const { end } = statements[statement]!;
  const next = statements.findIndex(
    (s, i) => s.start >= end && !/^(?:label|case)$/.test(s.kind) && listOf(i) === list,
  );
  return next >= 0 && statements[next]!.kind === 'return' ? -1 : next;
}

/** The `if` around a statement, or the one around that; the statement itself where there is none. */
function outOf(facts: FunctionFacts, statement: number, levels: number): number {
  let out = statement;
  for (let up = statement, left = levels; up >= 0 && left > 0; ) {
    up = facts.statements[up]!.parent;
    if (up >= 0 && facts.statements[up]!.kind === 'if') {
      out = up;
      left--;
    }
  }
  return out;
}

/** Is it the `if` behind an `else`? Nothing can be put between the two. */
function isElseIf({ statements }: FunctionFacts, statement: number): boolean {
  const own = statements[statement];
  return (
    own?.kind === 'if' &&
    statements[own.parent]?.kind === 'if' &&
    statements.some((arm) => arm.parent === own.parent && arm.start < own.start)
  );
}

/**
 * Finds where to save and restore so that all calls of a function that `matters` holds for are in the scope: from the first
 * statement after the declarations, or the first behind early returns, to every return.
 */
export function placeAroundBody(fn: Fn, matters: (node: number) => boolean): Placement | Refusal {
  const { facts } = fn;
  if (facts.broken) return { refused: 'the function does not parse' };
  if (facts.isMacro) return { refused: 'it is a macro' };
  const list = inBody(facts);
  const nodesOf = (i: number): number[] => {
    const { from, to } = facts.statements[i]!;
    return Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k);
  };
  const starts = list.filter((i) => facts.statements[i]!.kind !== 'declaration' && nodesOf(i).length > 0);
  const first = starts.findIndex((i) => nodesOf(i).some(matters));
  if (first < 0) return { refused: 'nothing allocates but its declarations' };
  const returns = (i: number): boolean => nodesOf(i).some((n) => facts.cfg[n]!.op.k === 'ret');
  const early = starts.findLastIndex((i, k) => k < first && returns(i)) + 1;
  let why = '';
  for (const start of new Set([early, 0])) {
    const saves: Point[] = [{ at: 'before', statement: starts[start]! }];
    const restores = exitsBehind(facts, facts.statements[starts[start]!]!.start, starts.at(-1)!, matters);
    const scoped = balances(facts, saves, restores, matters);
    if (typeof scoped === 'string') {
      why = scoped;
      continue;
    }
    return placed(saves, restores, facts, scoped);
  }
  return { refused: why };
}

/** The statements of the body, by index. */
function inBody(facts: FunctionFacts): number[] {
  const all = [...facts.statements.keys()];
  const top = all.filter((i) => facts.statements[i]!.parent === -1);
  const body = top.length === 1 && facts.statements[top[0]!]!.kind === 'block' ? top[0]! : -1;
  return all.filter((i) => facts.statements[i]!.parent === body && i !== body);
}

/** The points where a function is left by what stands behind an offset: its returns, and the end of its last statement. */
function exitsBehind(
  facts: FunctionFacts,
  offset: number,
  lastOne: number,
  matters: (node: number) => boolean,
): Point[] {
  const restores: Point[] = [...facts.statements.keys()]
    .filter((i) => facts.statements[i]!.kind === 'return' && facts.statements[i]!.start > offset)
    .map((statement) => atReturn(facts, statement, matters));
  let last = lastOne;
  while (facts.statements[last]!.kind === 'label') {
    const inner = facts.statements.findIndex((s) => s.parent === last);
    if (inner < 0) break;
    last = inner;
  }
  return facts.statements[last]!.kind === 'return'
    ? restores
    : [...restores, { at: 'after', statement: last }];
}

/** Where a scope ends that a `return` leaves: before it, or once its value is there where something that `matters` is done for that. */
function atReturn(facts: FunctionFacts, statement: number, matters: (node: number) => boolean): Point {
  const { from, to } = facts.statements[statement]!;
  for (let node = from; node < to; node++) if (matters(node)) return { at: 'after', statement };
  return { at: 'before', statement };
}

function placed(
  saves: readonly Point[],
  restores: readonly Point[],
  facts: FunctionFacts,
  scoped: Pick<Placement, 'open' | 'conditional'>,
): Placement {
  const pointOf = (p: Point): ScopePoint => ({
    at: p.at,
    statement: rangeOf(facts.statements[p.statement]!),
  });
  return { mode: 'around', saves: saves.map(pointOf), restores: restores.map(pointOf), ...scoped };
}

/**
 * Finds where to restore what is there from a statement on: before every `return` that comes after it, and behind the last statement.
 */
export function placeFrom(fn: Fn, node: number): Placement | Refusal {
  const { facts } = fn;
  const from = facts.cfg[node]!.statement;
  const save: Point = { at: 'before', statement: from };
  const restores = exitsBehind(facts, facts.statements[from]!.start, inBody(facts).at(-1)!, () => false);
  const scoped = balances(facts, [save], restores, () => false);
  return typeof scoped === 'string' ? { refused: scoped } : placed([save], restores, facts, scoped);
}

/** The point where the object is there that the call allocates into a variable: behind the test for null, if one follows. */
export function placeAfter(fn: Fn, node: number, object: Path): ScopePoint | undefined {
  const { statements, cfg } = fn.facts;
  const own = cfg[node]!.statement;
  const next = cfg[node]!.next[0] ?? -1;
  const test = cfg[next]?.op;
  if (test?.k !== 'test' || test.on !== object)
    return statements[own]?.kind === 'expression'
      ? { at: 'after', statement: rangeOf(statements[own]!) }
      : undefined;
  const check = cfg[next]!.statement;
  const { from, to } = statements[check] ?? { from: 0, to: 0 };
  // The one arm that there is leaves: what comes behind has the object.
  const isInside = (n: number): boolean => n >= from && n < to;
  const [there, missing] = cfg[next]!.next;
  if (test.rel !== 'nz' || statements[check]?.kind !== 'if' || there === undefined || isInside(there))
    return undefined;
  const arm = new Set([missing!]);
  for (const n of arm) for (const to of cfg[n]!.next) if (isInside(to)) arm.add(to);
  if ([...arm].some((n) => cfg[n]!.next.includes(there))) return undefined;
  return { at: 'after', statement: rangeOf(statements[check]!) };
}

function rangeOf(s: Statement): StatementRange {
  return { start: s.start, end: s.end };
}

type Points = { saves: Point[]; restores: Point[] };
type NodeEffect = Effect & { readonly node: number; readonly direct: boolean };

/** The statement of a node as an element of a statement list: never a label, never a block. */
function element(facts: FunctionFacts, node: number): number {
  return facts.cfg[node]!.statement;
}

function around(
  facts: FunctionFacts,
  effects: readonly NodeEffect[],
  held: Run,
  hoisted: boolean,
): Points | string {
  const saves: Point[] = [];
  const restores: Point[] = [];
  for (const e of effects) {
    const s = element(facts, e.node);
    const kind = facts.statements[s]?.kind;
    if (e.act === 'acquire') {
      if (e.success !== 'void') return 'the lock is acquired conditionally';
      if ((held.entry[e.node]?.high ?? 0) > 0) continue; // nested in a region of the same class
      if (kind !== 'expression') return 'the lock is not acquired by a statement of its own';
      saves.push({ at: 'before', statement: s });
    } else {
      if ((held.entry[e.node]?.low ?? 1) > 1) continue;
      if (kind !== 'expression' && kind !== 'return')
        return 'the lock is not released by a statement of its own';
      restores.push({ at: 'after', statement: s });
    }
  }
  return hoisted ? { saves: hoist(facts, saves), restores: hoist(facts, restores) } : { saves, restores };
}

/** The nearest statement, from `s` outwards, whose kind does not match; -1 if there is none. */
function climb(facts: FunctionFacts, s: number, kinds: RegExp): number {
  let up = s;
  while (up >= 0 && kinds.test(facts.statements[up]!.kind)) up = facts.statements[up]!.parent;
  return up;
}

function inside(
  facts: FunctionFacts,
  effects: readonly NodeEffect[],
  held: Run,
  hoisted: boolean,
): Points | string {
  const enters = (s: Statement): number =>
    s.to > s.from ? (held.entry[s.from]?.low ?? Number.NaN) : Number.NaN;
  const saves: Point[] = [];
  /** Nodes that some path comes to without the lock, or just as it gets it. */
  const fresh = new Set(facts.cfg.flatMap(({ next }, at) => ((held.entry[at]?.low ?? 1) < 1 ? next : [])));
  // Statements that are entered with the lock surely held, and not from others that are.
  for (const [i, s] of facts.statements.entries()) {
    if (!(enters(s) >= 1) || !fresh.has(s.from) || /^(?:label|block|case)$/.test(s.kind)) continue;
    // Labels and cases stand in the list of their block; a block is entered with its first statement.
    const list = climb(facts, s.parent, /^(?:label|case)$/);
    const parent = facts.statements[climb(facts, list, /^(?:block|label|case)$/)];
    if (!(parent !== undefined && parent.to > parent.from && enters(parent) >= 1))
      saves.push({ at: 'before', statement: i });
  }
  const restores: Point[] = [];
  for (const e of effects) {
    if (e.act !== 'release' || (held.entry[e.node]?.low ?? 1) > 1) continue;
    const s = element(facts, e.node);
    if (s < 0) return 'the lock is released outside any statement';
    // What a function that releases the lock does before that is still under it.
    const after = !e.direct && /^(?:expression|return)$/.test(facts.statements[s]!.kind);
    restores.push({ at: after ? 'after' : 'before', statement: s });
  }
  // Locked and unlocked at once (to wait for its holder): nothing runs in between.
  const empty = new Set(
    restores
      .filter((r) => r.at === 'before' && saves.some((p) => p.statement === r.statement))
      .map((r) => r.statement),
  );
  const kept = (p: Point): boolean => !empty.has(p.statement);
  const ends = restores.filter(kept);
  return { saves: saves.filter(kept), restores: hoisted ? hoist(facts, ends) : ends };
}

/** Behind each `guard()`, or in the body of a `scoped_guard()`, and before whatever leaves that block. */
function insideGuards(
  facts: FunctionFacts,
  effects: readonly NodeEffect[],
  matters: (node: number) => boolean,
): Points | string {
  const { statements, cfg } = facts;
  const inner = (block: number): number[] =>
    [...statements.keys()].filter((i) => statements[i]!.parent === block);
  const saves: Point[] = [];
  const restores: Point[] = [];
  for (const { act, node } of effects) {
    const s = element(facts, node);
    if (act === 'acquire') {
      const isScoped = statements[s]?.kind === 'if';
      const body = isScoped ? inner(s)[0] : undefined;
      if (isScoped && body === undefined) return 'the lock is held for an empty block';
      saves.push(body === undefined ? { at: 'after', statement: s } : { at: 'before', statement: body });
      continue;
    }
    // What drops the lock on the way of a `goto` belongs to no statement.
    let at = node;
    while (cfg[at]!.statement < 0) {
      at = cfg.findIndex(({ next }) => next.includes(at));
      if (at < 0) return 'it is not known where the lock is dropped';
    }
    const left = element(facts, at);
    const { kind } = statements[left]!;
    if (kind === 'return') restores.push(atReturn(facts, left, matters));
    else if (kind === 'jump') restores.push({ at: 'before', statement: left });
    else if (kind === 'block') restores.push({ at: 'after', statement: inner(left).at(-1)! });
    else restores.push({ at: 'after', statement: inner(left)[0]! });
  }
  return { saves, restores };
}

/** Points in the arms of one `if` become one point at that `if`. */
function hoist(facts: FunctionFacts, points: readonly Point[]): Point[] {
  const out = [...points];
  for (let again = true; again; ) {
    again = false;
    for (let i = 0; i < out.length && !again; i++) {
      for (let j = i + 1; j < out.length && !again; j++) {
        const common = commonIf(facts, out[i]!.statement, out[j]!.statement);
        if (common < 0) continue;
        const rest = out.filter((_, k) => k !== i && k !== j && !within(facts, out[k]!.statement, common));
        out.splice(0, out.length, { at: out[i]!.at, statement: common }, ...rest);
        again = true;
      }
    }
  }
  return out;
}

function within(facts: FunctionFacts, s: number, ancestor: number): boolean {
  for (let a = s; a >= 0; a = facts.statements[a]!.parent) if (a === ancestor) return true;
  return false;
}

/** The `if` of which the two statements stand in different arms, or -1. */
function commonIf(facts: FunctionFacts, a: number, b: number): number {
  let childA = a;
  for (let up = facts.statements[a]!.parent; up >= 0; childA = up, up = facts.statements[up]!.parent) {
    if (!within(facts, b, up)) continue;
    if (facts.statements[up]!.kind !== 'if') return -1;
    return within(facts, b, childA) ? -1 : up;
  }
  return -1;
}

/**
 * Runs the function with the saves and restores put in. Returns which nodes have the scope open, and whether that rests on conditions, or what is wrong: a path that does
 * not balance, or a call that `belongs` inside and is not.
 */
function balances(
  facts: FunctionFacts,
  saves: readonly Point[],
  restores: readonly Point[],
  belongs: (node: number) => boolean,
): Pick<Placement, 'open' | 'conditional'> | string {
  if ([...saves, ...restores].some((p) => isElseIf(facts, p.statement)))
    return 'there is no place between an else and its if';
  const scoped = scopedAt(facts, saves, restores);
  if (typeof scoped === 'string') return scoped;
  const { open, conditional, reached } = scoped;
  // Nothing that may run under the lock may run outside of the scope.
  const isLeft = (node: number): boolean =>
    reached[node] === 1 && open[node] === 0 && facts.cfg[node]!.op.k === 'call' && belongs(node);
  if (reached.some((_, node) => isLeft(node))) return 'a call would be left outside of the scope';
  return { open, ...(conditional ? { conditional } : {}) };
}

interface Scoped extends Pick<Placement, 'open' | 'conditional'> {
  /** By CFG node: 1 if it may run. */
  readonly reached: Uint8Array;
}

/** By function, then by places: they are tried for more than one lock, and again after an edit elsewhere. */
const tried = new WeakMap<FunctionFacts, Map<string, Scoped | string>>();

function scopedAt(
  facts: FunctionFacts,
  saves: readonly Point[],
  restores: readonly Point[],
): Scoped | string {
  const named = (points: readonly Point[]): string => points.map((p) => `${p.at}${p.statement}`).join();
  const key = `${named(saves)} ${named(restores)}`;
  const mine = tried.get(facts) ?? new Map<string, Scoped | string>();
  tried.set(facts, mine);
  const found = mine.get(key) ?? scopedAnew(facts, saves, restores);
  mine.set(key, found);
  return found;
}

function scopedAnew(
  facts: FunctionFacts,
  saves: readonly Point[],
  restores: readonly Point[],
): Scoped | string {
  const cfg: OpenNode[] = facts.cfg.map((n) => ({ ...n, next: [...n.next] }));
  const effects = new Map<number, Effect[]>();
  /** The statements that the inserted nodes stand at. */
  const inserted = new Map<number, Statement>();
  const put = (point: Point, act: Effect['act']): boolean => {
    const s = facts.statements[point.statement]!;
    if (s.to <= s.from) return false;
    const at = cfg.length;
    const isInside = (n: number): boolean => n >= s.from && n < s.to;
    let any = false;
    if (point.at === 'before') {
      cfg.push({ op: { k: 'nop' }, next: [s.from], statement: -1 });
      // What jumps to a label comes in behind what stands before it.
      const passes = (i: number): boolean =>
        s.kind === 'label' && facts.statements[cfg[i]!.statement]?.kind === 'jump';
      for (const [i, node] of cfg.entries()) {
        if (i === at || isInside(i) || passes(i)) continue;
        node.next.forEach((to, k) => {
          if (to === s.from) {
            node.next[k] = at;
            any = true;
          }
        });
      }
    } else if (s.kind === 'return') {
      // The value is there, and the function is not left yet.
      const leaves = (n: number): boolean => isInside(n) && cfg[n]!.op.k === 'ret';
      const target = Array.from({ length: s.to - s.from }, (_, k) => s.from + k).find(leaves) ?? -1;
      if (target < 0) return false;
      for (const [i, node] of cfg.entries()) {
        if (!isInside(i) && !inserted.has(i)) continue;
        node.next.forEach((to, k) => {
          if (to !== target) return;
          node.next[k] = at;
          any = true;
        });
      }
      cfg.push({ op: { k: 'nop' }, next: [target], statement: -1 });
    } else {
      let target = -1;
      const isOf = (n: number): boolean => {
        const inner = inserted.get(n);
        return (
          isInside(n) || (inner !== undefined && inner !== s && inner.from >= s.from && inner.to <= s.to)
        );
      };
      for (const [i, node] of cfg.entries()) {
        const jump = node.op.k === 'ret' || facts.statements[node.statement]?.kind === 'jump';
        if (jump || !isOf(i)) continue;
        node.next.forEach((to, k) => {
          if (isOf(to)) return;
          if (target >= 0 && target !== to) target = -2;
          else if (target !== -2) target = to;
          node.next[k] = at;
          any = true;
        });
      }
      if (target < 0) return false;
      cfg.push({ op: { k: 'nop' }, next: [target], statement: -1 });
    }
    inserted.set(at, s);
    effects.set(at, [{ act, success: 'void' }]);
    return any;
  };
  // At one place a restore stands before a save; putting saves in first leaves them nearest to the statement.
  for (const p of saves) if (!put(p, 'acquire')) return 'no place for the save';
  for (const p of restores) if (!put(p, 'release')) return 'no place for the restore';
  const scoped = Object.create(facts, { cfg: { value: cfg } }) as FunctionFacts;
  const scope = run(scoped, effects);
  for (const [node, [effect]] of effects) {
    const at = scope.entry[node];
    if (!at) continue;
    if (effect!.act === 'acquire' && at.high > 0) return 'a path would save twice';
    if (effect!.act === 'release' && at.low < 1) return 'a path would restore what it did not save';
  }
  if (scope.exits.some((e) => e.depth !== 0)) return 'a path would return inside the scope';
  const entries = scope.entry.slice(0, facts.cfg.length);
  const reached = Uint8Array.from(entries, (at) => (at ? 1 : 0));
  const open = Uint8Array.from(entries, (at) => (at && at.low >= 1 ? 1 : 0));
  const unsaved = new Set([0]);
  const isSave = (node: number): boolean => effects.get(node)?.[0]?.act === 'acquire';
  for (const node of unsaved) if (!isSave(node)) for (const to of cfg[node]!.next) unsaved.add(to);
  const conditional = [...unsaved].some((node) => effects.get(node)?.[0]?.act === 'release');
  return { open, reached, ...(conditional ? { conditional: { facts: scoped, effects } } : {}) };
}
