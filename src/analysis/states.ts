import { LOCK_BY_NAME } from '../kernel/locks.js';
import type { CallOp, FunctionFacts, Op, Path, TestOp } from '../parse/facts.js';
import { setBy } from './sets.js';

/**
 * Path-sensitive run of one two-valued resource (a lock class, or "a scope is open") through the control-flow
 * graph of one function. A state is how deep the resource is held, relative to the caller, together with
 * what is known about the few variables that decide branches: so `if (locked) unlock` balances, and a lock whose
 * acquisition failed is not held on the failure branch.
 */

/**
 * When a call has succeeded, judged by its result. `void`: always. `nonerr`: not negative, no `ERR_PTR`. `null`: 0, where it may be
 * positive in failure, too.
 */
export type Success = 'void' | 'zero' | 'null' | 'nonzero' | 'nonerr' | 'maybe';

export interface Effect {
  readonly act: 'acquire' | 'release';
  readonly success: Success;
  /** Of a release that is made sometimes: when, a flag says that was set where the resource was acquired. */
  readonly recorded?: true;
  /** Of an acquisition that is made sometimes: the variable that is not 0 when it is. */
  readonly on?: Path;
}

/** What is known of a tracked variable: unknown, zero, negative or error, positive, non-zero. */
type Known = 'u' | 'z' | 'n' | 'p' | 'x';

interface State {
  /** -1: dropped what the caller held; 0: as on entry; 1 to `MAX_DEPTH`: acquired here, so often. */
  readonly depth: number;
  /** Result that decides whether the resource was acquired (depth does not count it yet), or ''. */
  readonly pending: Path;
  readonly success: Success;
  /** One of `depth` was not acquired here but found to be there. */
  readonly found: boolean;
  /** What the caller held was dropped, and acquired again: `depth` is one less than what is held. */
  readonly again: boolean;
  /** A character per tracked variable. */
  readonly env: string;
}

/** Effects by the CFG node that has them, in the order given. */
export function byNode(effects: readonly (Effect & { readonly node: number })[]): Map<number, Effect[]> {
  const out = new Map<number, Effect[]>();
  for (const e of effects) {
    const list = out.get(e.node);
    if (list) list.push(e);
    else out.set(e.node, [e]);
  }
  return out;
}

export interface Exit {
  readonly depth: number;
  readonly result: Known;
  /** Set where the returned value itself decides. */
  readonly pending: Success | '';
  /** CFG node of the `return`, or 1. */
  readonly node: number;
}

/** Lowest and highest depth with which a node is entered; a pending acquisition counts as both. */
interface Entry {
  readonly low: number;
  readonly high: number;
  /** Held for certain, by an acquisition here. */
  readonly held: boolean;
}

export interface Run {
  /** By CFG node; undefined: unreached. */
  readonly entry: readonly (Entry | undefined)[];
  readonly exits: readonly Exit[];
}

/** Locks of one class that a function holds at once: the directories and inodes of a rename are four. */
const MAX_DEPTH = 4;
const MAX_STATES = 96;
const MAX_TRACKED = 6;

const PLAIN = /^v:\w+$/;

/** Two paths that are compared stand for one variable, which is not 0 where they are equal: `==v:a v:b`. */
const EQUAL = '==';

/** So many nodes behind a test what is done still depends on it. */
const MAX_GUARDED = 4;

/** What a test tells something of: a path, or two paths that are compared; '' where it is neither. */
function testedBy({ on, rel }: TestOp): Path {
  if (!rel.startsWith('== ')) return rel[0] === '?' || rel[0] === '=' ? '' : on;
  return `${EQUAL}${[on, rel.slice(3)].sort().join(',')}`;
}

/**
 * Variables worth tracking: those returned, flags set to constants and tested, parameters and variables that are set once, tested twice; first of all what is
 * known on entry, and what it is assigned to. `deciding` are those on which it depends whether a call acquires something.
 */
function trackedVariables(
  facts: FunctionFacts,
  zero: readonly Path[],
  deciding: readonly Path[],
  guards: ReadonlySet<Path>,
): Path[] {
  const returned = new Set<Path>(zero);
  const constants = new Map<Path, number>();
  const assigned = new Set<Path>();
  const tested = new Map<Path, number>();
  const sets = new Map<Path, number>();
  for (const { op } of facts.cfg) {
    for (const to of setBy(op)) sets.set(to, (sets.get(to) ?? 0) + 1);
    if (op.k === 'ret' && /^v:\w+$/.test(op.value)) returned.add(op.value);
    else if (op.k === 'set') {
      assigned.add(op.to);
      if (zero.includes(op.from) && /^v:\w+$/.test(op.to)) returned.add(op.to);
      if (op.from[0] === '#') constants.set(op.to, (constants.get(op.to) ?? 0) + 1);
    } else if (op.k === 'call' && op.to !== '') assigned.add(op.to);
    else if (op.k === 'test') {
      const what = testedBy(op);
      if (what !== '') tested.set(what, (tested.get(what) ?? 0) + 1);
    }
  }
  const out = [...returned];
  const params = new Set(facts.params.map(([name]) => `v:${name}`));
  const isSteady = (path: Path): boolean => {
    const root = /^v:\w+/.exec(path)?.[0] ?? '';
    if (/^v:[A-Z0-9_]+$/.test(root)) return true;
    return params.has(root) ? !sets.has(root) : sets.get(root) === 1 && !constants.has(root);
  };
  out.push(...deciding.filter((path) => isSteady(path) && !returned.has(path)));
  for (const [path, n] of tested) {
    if (path.startsWith(EQUAL)) {
      const both = path.slice(EQUAL.length).split(',');
      if (n >= 2 && both.every((one) => /^v:[\w ]+$/.test(one) && isSteady(one))) out.push(path);
      continue;
    }
    if (out.includes(path) || !/^v:[\w ]+$/.test(path)) continue;
    if (constants.has(path) || (n >= 2 && (!assigned.has(path) || sets.get(path) === 1))) out.push(path);
  }
  if (out.length <= MAX_TRACKED) return out;
  const rank = (path: Path): number => (zero.includes(path) ? 0 : guards.has(path) ? 1 : 2);
  const kept = new Set([...out].sort((a, b) => rank(a) - rank(b)).slice(0, MAX_TRACKED));
  return out.filter((path) => kept.has(path));
}

const NO_PATHS: readonly Path[] = [];

/** The paths that a call may write to: those whose address it is handed, and those that a macro sets. */
function writtenBy({ args, sets }: CallOp): readonly Path[] {
  let out = sets ?? NO_PATHS;
  for (const arg of args) if (arg[0] === '&') out = [...out, arg.slice(1)];
  return out;
}

const VALUE: Readonly<Record<string, Known>> = { '#0': 'z', '#neg': 'n', '#err': 'n', '#pos': 'p' };

/** What a test tells: the value known on the true and on the false side, `''` where that side is impossible. */
function refine(known: Known, rel: string, holds: boolean): Known | '' {
  switch (rel) {
    case 'nz':
      if (holds) return known === 'z' ? '' : known === 'u' ? 'x' : known;
      return known === 'u' || known === 'z' ? 'z' : '';
    case 'neg':
    case 'err':
      if (holds) return known === 'z' || known === 'p' ? '' : 'n';
      return known === 'n' ? '' : known === 'x' && rel === 'neg' ? 'p' : known;
    case '=neg':
      if (holds) return known === 'z' || known === 'p' ? '' : 'n';
      return known;
    case 'err or object':
      if (holds) return known === 'z' || known === 'p' ? '' : 'n';
      return known === 'n' || known === 'z' ? '' : 'p';
    case 'errnull':
      if (holds) return known === 'p' ? '' : known;
      return known === 'n' || known === 'z' ? '' : 'p';
    case 'pos':
      if (holds) return known === 'z' || known === 'n' ? '' : 'p';
      return known === 'p' ? '' : known;
    default:
      return known;
  }
}

/** Did the acquisition succeed, given a test of its result? undefined: the test does not tell. */
function decided(success: Success, rel: string, holds: boolean): boolean | undefined {
  switch (rel) {
    case 'nz':
      if (success === 'zero' || success === 'null') return !holds;
      if (success === 'nonzero') return holds;
      if (success === 'nonerr') return holds ? undefined : true;
      return undefined;
    case 'neg':
    case 'err':
      if (success === 'zero' || success === 'nonerr') return !holds;
      return success === 'null' && holds ? false : undefined;
    case '=neg':
      return holds && ['zero', 'null', 'nonerr'].includes(success) ? false : undefined;
    case 'err or object':
    case 'errnull':
      return !holds;
    default:
      return undefined;
  }
}

/** Is a result of this kind a success? undefined: can't be told. */
function succeeded(success: Success, known: Known): boolean | undefined {
  if (known === 'u') return undefined;
  switch (success) {
    case 'zero':
    case 'null':
      return known === 'z';
    case 'nonzero':
      return known !== 'z';
    case 'nonerr':
      return known === 'x' ? undefined : known !== 'n';
    default:
      return undefined;
  }
}

/** Runs of each function, by what is asked: the same are asked for more than once, and again after an edit elsewhere. */
const runs = new WeakMap<FunctionFacts, Map<string, Run>>();

/**
 * Runs `effects` (CFG node → what it does to the resource, in order) through the function.
 * `open` names tests of an object on whose true side the resource is held already although nothing here acquired it, and nodes
 * that get such an object for certain: who returns the object hands the resource on, and who is at a node that counts
 * another user of it, too. `zero` are the parameters that are 0 or null on entry.
 */
export function run(
  facts: FunctionFacts,
  effects: ReadonlyMap<number, readonly Effect[]>,
  open?: ReadonlySet<number>,
  zero: readonly Path[] = [],
): Run {
  let question = '';
  for (const [node, list] of effects)
    for (const { act, success, recorded, on } of list)
      question += `${node}${act}${success}${recorded ?? ''}${on ?? ''} `;
  if (open) question += [...open].join();
  question += zero.join();
  let mine = runs.get(facts);
  if (!mine) {
    mine = new Map();
    runs.set(facts, mine);
  }
  let found = mine.get(question);
  if (!found) {
    const deciding = [...effects.values()].flatMap((list) => list.flatMap(({ on }) => on ?? []));
    const tracked = trackedVariables(facts, zero, [...new Set(deciding)], guardsOf(facts, effects));
    // Where there are too many states, the variables that matter least are left out.
    for (let n = tracked.length; !found; n >>= 1)
      found = attempt(facts, effects, tracked.slice(0, n), open, zero);
    mine.set(question, found);
  }
  return found;
}

/** What is tested right before something is done to the resource: on it depends whether that is done. */
function guardsOf({ cfg }: FunctionFacts, effects: ReadonlyMap<number, readonly Effect[]>): Set<Path> {
  const guards = new Set<Path>();
  for (const { op, next } of cfg) {
    if (op.k !== 'test') continue;
    for (let at of next) {
      for (let steps = 0; steps < MAX_GUARDED && at > 1 && !effects.has(at); steps++) {
        const node = cfg[at]!;
        at = node.op.k === 'test' || node.next.length !== 1 ? -1 : node.next[0]!;
      }
      if (at > 1 && effects.has(at)) guards.add(testedBy(op));
    }
  }
  return guards;
}

/** Does nobody look at the result of the call, while what it acquires is released on every way from there? Then it does not fail. */
function isTrusted(
  { cfg }: FunctionFacts,
  node: number,
  effects: ReadonlyMap<number, readonly Effect[]>,
): boolean {
  const { op, next } = cfg[node]!;
  if (op.k !== 'call' || op.to !== '') return false;
  const result = `@${node}`;
  const seen = new Set(next);
  for (const at of seen) {
    const { op: later, next: then } = cfg[at]!;
    if (at === 1 || objectOf(later) === result || (later.k === 'ret' && later.value === result)) return false;
    if (effects.get(at)?.some(({ act }) => act === 'release')) continue;
    for (const to of then) if (to >= 0) seen.add(to);
  }
  return true;
}

/** How a node may be entered, one object for each kind: there are few kinds and many nodes. */
const ENTRIES = new Map<number, Entry>();

function entryOf(low: number, high: number, held: boolean): Entry {
  const key = (low * 16 + high) * 2 + Number(held);
  let found = ENTRIES.get(key);
  if (!found) {
    found = { low, high, held };
    ENTRIES.set(key, found);
  }
  return found;
}

/** Does the operation get at a member of what the variable points to? */
function follows(op: Op, variable: Path): boolean {
  const isMember = (path: Path): boolean => path.startsWith(variable) && path[variable.length] === ' ';
  if (op.k === 'set') return isMember(op.to) || isMember(op.from);
  if (op.k === 'call') return isMember(op.to) || op.args.some(isMember);
  return op.k === 'test' && isMember(op.on);
}

/** The variable that an operation tests or sets, or of which it compares a member; '' where there is none. */
export function objectOf(op: Op): Path {
  if (op.k === 'test' && op.rel.startsWith('== ')) return op.on.replace(/ .*/, '');
  return op.k === 'test' ? op.on : op.k === 'set' || op.k === 'call' ? op.to : '';
}

function attempt(
  facts: FunctionFacts,
  effects: ReadonlyMap<number, readonly Effect[]>,
  tracked: readonly Path[],
  open: ReadonlySet<number> | undefined,
  zero: readonly Path[],
): Run | undefined {
  const { cfg } = facts;
  const slot = new Map(tracked.map((path, i) => [path, i]));
  const objects = new Set([...(open ?? [])].map((node) => objectOf(cfg[node]!.op)));
  const equal = tracked.filter((path) => path.startsWith(EQUAL));
  const tests = cfg.map(({ op }) => (op.k === 'test' ? testedBy(op) : ''));
  /** By node: the variables through which it gets at a member, so that they point somewhere. */
  const plain = tracked.filter((path) => PLAIN.test(path));
  const followed = cfg.map(({ op }) =>
    plain.length > 0 ? plain.filter((path) => follows(op, path)) : NO_PATHS,
  );
  const opens = [...effects.values()].some((list) => list.some(({ act }) => act === 'acquire'));
  /** Of states that are alike there is one, so that they can be compared as objects. */
  const alike = new Map<string, State>();
  const ones = new Set<State>();
  const seen: (State[] | undefined)[] = new Array(cfg.length);
  const exits = new Map<string, Exit>();
  const work: [number, State][] = [];
  let overflow = false;

  const push = (node: number, given: State): void => {
    let states = seen[node];
    if (!states) {
      states = [];
      seen[node] = states;
    }
    if (states.includes(given)) return;
    let state = given;
    if (!ones.has(given)) {
      const key = `${given.depth}|${given.pending}|${given.success}|${given.found}|${given.again}|${given.env}`;
      const known = alike.get(key);
      if (known && states.includes(known)) return;
      if (!known) {
        alike.set(key, given);
        ones.add(given);
      } else state = known;
    }
    if (states.length >= MAX_STATES) {
      overflow = true;
      return;
    }
    states.push(state);
    work.push([node, state]);
  };
  const know = (state: State, path: Path, value: Known): State => {
    const i = slot.get(path);
    if (i === undefined || state.env[i] === value) return state;
    return { ...state, env: state.env.slice(0, i) + value + state.env.slice(i + 1) };
  };
  const knownOf = (state: State, path: Path): Known => {
    const constant = VALUE[path];
    if (constant !== undefined) return constant;
    const i = slot.get(path);
    return i === undefined ? 'u' : (state.env[i] as Known);
  };
  const settle = (state: State, held: boolean): State => ({
    ...state,
    depth: held ? Math.min(MAX_DEPTH, state.depth + 1) : state.depth,
    again: state.again || (held && state.depth < 0),
    pending: '',
    success: 'void',
  });
  const find = (state: State): State => (state.depth < 1 ? { ...state, depth: 1, found: true } : state);
  /** Who counts another user of what was found ends that again, like one that it has acquired. */
  const count = (state: State): State => (state.found ? { ...state, found: false } : state);
  /** Both outcomes of an acquisition that nobody looked at. */
  const either = (state: State): State[] =>
    state.pending === '' ? [state] : [settle(state, true), settle(state, false)];
  /** The variable is overwritten: a pending result that it held can't be asked any more. */
  const overwrite = (states: State[], path: Path): State[] =>
    path === '' ? states : states.flatMap((s) => (s.pending === path ? either(s) : [s]));
  /** What was compared with it, or with a member of it, may differ now. */
  const forget = (states: State[], path: Path): State[] =>
    equal
      .filter((both) =>
        both
          .slice(EQUAL.length)
          .split(',')
          .some((p) => p === path || p.startsWith(`${path} `)),
      )
      .reduce((all, both) => all.map((s) => know(s, both, 'u')), states);

  const env = tracked.map((path) => (zero.includes(path) ? 'z' : 'u')).join('');
  push(0, { depth: 0, pending: '', success: 'void', found: false, again: false, env });
  for (let item = work.pop(); item; item = work.pop()) {
    const [node, entered] = item;
    const { op, next } = cfg[node]!;
    let state = entered;
    for (const path of followed[node]!) if (/[ux]/.test(knownOf(state, path))) state = know(state, path, 'p');
    if (node === 1) {
      for (const s of either(state)) {
        const depth = s.found ? s.depth - 1 : s.depth;
        exits.set(`1|${depth}|u`, { depth, result: 'u', pending: '', node: 1 });
      }
      continue;
    }
    let states: State[] = [state];
    if (op.k === 'test' && next.length === 2) {
      for (let side = 0; side < 2; side++) {
        const holds = side === 0;
        let s: State | undefined = state;
        if (state.pending !== '' && state.pending === op.on) {
          const verdict = decided(state.success, op.rel, holds);
          if (verdict !== undefined) s = settle(state, verdict);
        }
        const compared = tests[node]!.startsWith(EQUAL);
        const on = compared ? tests[node]! : op.on;
        const before = knownOf(s, on);
        // No flag is set in a variable that is 0.
        if (holds && op.flags && before === 'z') continue;
        const known = refine(before, compared ? 'nz' : op.rel, holds);
        if (known === '') continue;
        if (slot.has(on)) s = know(s, on, known);
        if (holds && open?.has(node)) s = find(s);
        push(next[side]!, s);
      }
      continue;
    }
    const acts = effects.get(node);
    if (op.k === 'set') {
      if (state.pending === op.to || slot.has(op.to))
        states = overwrite(states, op.to).map((s) =>
          know(s, op.to, op.isAddress ? 'p' : knownOf(s, op.from)),
        );
      states = forget(states, op.to);
    } else if (op.k === 'call') {
      const isConcerned = tracked.length > 0 || state.pending !== '';
      for (const path of isConcerned ? writtenBy(op) : NO_PATHS)
        states = forget(overwrite(states, path), path).map((s) => know(s, path, 'u'));
      if (op.to !== '' && (state.pending !== '' || slot.has(op.to)))
        states = overwrite(states, op.to).map((s) => know(s, op.to, 'u'));
      if (op.to !== '') states = forget(states, op.to);
    }
    for (const effect of acts ?? []) {
      states = states.flatMap((s): State[] => {
        if (effect.act === 'release') {
          // A release that happens only sometimes mirrors an acquisition that did: it never drops the caller's.
          const floor = effect.success === 'maybe' ? Math.min(0, s.depth) : -1;
          // What was found is the caller's, unless it may have been opened here after all.
          const left = (e: State): number => (e.found && e.depth === 1 && !opens ? -1 : e.depth - 1);
          const after = either(s).map((e) => ({
            ...e,
            depth: Math.max(floor, left(e)),
            found: e.found && e.depth > 1,
            again: e.again && e.depth > 0,
          }));
          if (effect.recorded && !opens && s.depth <= 0) after.push({ ...s, depth: -1 });
          return after;
        }
        const { on } = effect;
        if (on !== undefined && slot.has(on)) {
          return either(s).map((e) => {
            const told = succeeded('nonzero', knownOf(e, on));
            return told === undefined ? { ...e, pending: on, success: 'nonzero' } : settle(e, told);
          });
        }
        if (effect.success === 'void' || isTrusted(facts, node, effects))
          return either(s).map((e) => settle(e, true));
        if (effect.success === 'maybe') return either(s).flatMap((e) => [settle(e, true), settle(e, false)]);
        const to = op.k === 'call' && op.to !== '' ? op.to : `@${node}`;
        return either(s).map((e) => ({ ...e, pending: to, success: effect.success }));
      });
    }
    // What a lock is taken through points somewhere.
    if (op.k === 'call' && acts) {
      const through = op.args[LOCK_BY_NAME.get(op.fn)?.arg ?? -1];
      if (through !== undefined && slot.has(through)) states = states.map((s) => know(s, through, 'x'));
    }
    if (open?.has(node)) states = states.map(op.k === 'set' && op.adds ? count : find);
    if (op.k === 'ret') {
      for (const s of states) {
        let result = knownOf(s, op.value);
        let pending: Success | '' = '';
        let settled = [s];
        if (s.pending !== '' && s.pending === op.value) {
          const told = succeeded(s.success, result);
          if (told === undefined) {
            pending = s.success;
            result = 'u';
          } else settled = [settle(s, told)];
        } else settled = either(s);
        for (const e of settled) {
          const depth = e.found && !objects.has(op.value) ? e.depth - 1 : e.depth;
          exits.set(`${node}|${depth}|${result}|${pending}`, { depth, result, pending, node });
        }
      }
      continue;
    }
    for (const to of next) for (const s of states) push(to, s);
  }
  if (overflow && tracked.length > 0) return undefined;
  const entry = Array.from(seen, (states) => {
    if (!states) return undefined;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const s of states) {
      low = Math.min(low, s.depth);
      high = Math.max(high, s.pending === '' ? s.depth : s.depth + 1);
    }
    return entryOf(
      low,
      high,
      states.every((s) => s.depth > 0 || s.again),
    );
  });
  return { entry, exits: [...exits.values()] };
}

/**
 * What calling the function does to the resource, from its exits; undefined where it leaves it as it was.
 * A mixture that its result does not explain is `maybe`. Of a `scope` is asked whether it is open for certain: a function that
 * opens none and may close one does (it counts how often it was started), and where one may be open in spite of
 * failure it isn't.
 */
export function netEffect(
  exits: readonly Exit[],
  returnsPointer: boolean,
  scope?: { readonly opensHere: boolean },
): Effect | undefined {
  if (exits.length === 0) return undefined;
  const low = Math.min(...exits.map((e) => e.depth));
  const high = Math.max(...exits.map((e) => e.depth));
  const handed = exits.filter((e) => e.pending !== '');
  if (low === 0 && high === 0 && handed.length === 0) return undefined;
  if (low < 0 && (!scope || (high <= 0 && handed.length === 0))) {
    return { act: 'release', success: high < 0 || scope?.opensHere === false ? 'void' : 'maybe' };
  }
  const held = new Set(exits.filter((e) => e.depth > 0 && e.pending === '').map((e) => e.result));
  const free = new Set(exits.filter((e) => e.depth <= 0 && e.pending === '').map((e) => e.result));
  const given = new Set(handed.map((e) => e.pending));
  if (given.size > 1) return { act: 'acquire', success: 'maybe' };
  if (free.size === 0 && given.size === 0) return { act: 'acquire', success: 'void' };
  const order: Success[] = returnsPointer ? ['nonerr', 'nonzero', 'zero'] : ['zero', 'nonzero', 'nonerr'];
  const candidates = given.size === 1 ? ([...given] as Success[]) : order;
  const isFree = (success: Success): boolean => [...free].every((k) => succeeded(success, k) === false);
  const isHeld = (success: Success): boolean =>
    [...held].every(
      (k) => succeeded(success, k) === true || ((k === 'u' || k === 'x') && success === 'nonerr'),
    );
  const fits =
    candidates.find((s) => isFree(s) && isHeld(s)) ?? (scope ? candidates.find(isFree) : undefined);
  if (fits === 'zero' && free.has('p')) return { act: 'acquire', success: 'null' };
  return { act: 'acquire', success: fits ?? 'maybe' };
}
