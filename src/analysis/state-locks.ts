import type { Index } from '../index/link.js';
import { directoryGroup, type Fn } from '../index/names.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import { WAIT_BY_NAME, WAITS_UNTIL, WRITE_NAMES } from '../kernel/waits.js';
import type { CfgNode, Op, Path } from '../parse/facts.js';

/** What a node does to such a class. A wait for it begins and ends at its node. */
export interface StateEffect {
  readonly lock: string;
  readonly node: number;
  readonly act: 'acquire' | 'release';
  readonly blocking: boolean;
}

/** A member and the values with which somebody waits until it has another. */
interface State {
  readonly struct: string;
  /** The part of the kernel that defines the struct, in a file of its own. */
  readonly group: string;
  readonly member: string;
  readonly queue: string;
  readonly waits: readonly { readonly fn: Fn; readonly node: number }[];
  /** Zero and what is not zero are told apart, or names of constants; a name may stand for zero. */
  readonly numbers: boolean;
  isBusy(value: Path): boolean;
}

/** What is known of the member: nothing, or that its value is one that is waited for, or none. */
type Known = 'busy' | 'idle' | 'either';

const NAME = /^v:[A-Z][A-Z0-9_]*$/;
const NUMBER = /^#(?:0|pos)$/;

const INITIALISES = /^(?:__)?init_s?wait_?queue_?head$/;

/**
 * States that are waited for like locks: `wait_event(x->queue, x->state != BUSY)`. Who sets such a value keeps all others waiting until the
 * member has another one; so that is an acquisition, the other a release, and the wait both at once. Only members that are set to constants
 * everywhere are understood, each in code of the part of the kernel that defines the struct. What sets a value that it is known to have, and what
 * a function sets in an object whose queue it initialises, changes nothing for anybody.
 */
export function stateEffects(index: Index): Map<number, StateEffect[]> {
  const out = new Map<number, StateEffect[]>();
  const put = (fn: Fn, effect: StateEffect): void => {
    const list = out.get(fn.id);
    if (list) list.push(effect);
    else out.set(fn.id, [effect]);
  };
  const states = statesWaitedFor(index);
  const setters = settersOf(index, states);
  for (const state of states) {
    const sets = setters.get(state);
    if (!sets) continue;
    const lock = stateClass(state.struct, state.member);
    for (const fn of new Set(sets.map((set) => set.fn))) {
      const mine = sets.filter((set) => set.fn === fn);
      const known = knownIn(index, fn, state, mine, new Set(sets.map((set) => set.fn.id)));
      for (const { node, value } of mine) {
        const now = state.isBusy(value) ? 'busy' : 'idle';
        if (known[node] === now) continue;
        put(fn, { lock, node, act: now === 'busy' ? 'acquire' : 'release', blocking: false });
      }
    }
    for (const { fn, node } of state.waits) {
      put(fn, { lock, node, act: 'acquire', blocking: true });
      put(fn, { lock, node, act: 'release', blocking: false });
    }
  }
  return out;
}

/** With a blank, so that reclaim is said to wait for it. */
const BUSY = 'a busy ';

function stateClass(struct: string, member: string): string {
  return `${BUSY}${struct}.${member}`;
}

export function isState(lock: string): boolean {
  return lock.startsWith(BUSY);
}

function statesWaitedFor(index: Index): State[] {
  const states = new Map<string, State>();
  for (const fn of index.functions) {
    for (const [node, op] of fn.facts.calls) {
      const arg = WAITS_UNTIL.has(op.fn) ? WAIT_BY_NAME.get(op.fn)?.arg : undefined;
      const queue =
        arg === undefined ? undefined : /^(.*) (\w+)$/.exec(op.args[arg]?.replace(/^&/, '') ?? '');
      if (!queue) continue;
      const condition = conditionBefore(fn, node, queue[1]!);
      const struct = condition ? index.types.typeOf(fn, queue[1]!) : '';
      if (!condition || struct === '') continue;
      const key = `${struct} ${condition.member}`;
      const known = states.get(key);
      const { member, numbers, isBusy } = condition;
      const [group, ...more] = new Set(index.names.definitionsOf(struct).map(directoryGroup));
      if (group === undefined || more.length > 0 || group === 'include') continue;
      // Who asks in two ways is not followed.
      if (known && (known.numbers !== numbers || known.queue !== queue[2])) continue;
      states.set(key, {
        struct,
        group,
        member,
        queue: queue[2]!,
        numbers,
        waits: [...(known?.waits ?? []), { fn, node }],
        isBusy: (value) => known?.isBusy(value) === true || isBusy(value),
      });
    }
  }
  // What begins busy nobody is seen to begin.
  return [...states.values()].filter(({ numbers, isBusy }) => !numbers || !isBusy('#0'));
}

/** The tests in front of a wait, if they compare one member of the object with constants and nothing else. */
function conditionBefore(
  { facts: { cfg } }: Fn,
  wait: number,
  object: Path,
): Pick<State, 'member' | 'numbers' | 'isBusy'> | undefined {
  let first = wait;
  while (first > 0 && cfg[first - 1]!.statement === cfg[wait]!.statement) first--;
  const tests = cfg.slice(first, wait).filter(({ op }) => op.k !== 'nop');
  const [member, ...others] = new Set(tests.map(({ op }) => memberTested(op, object)));
  const [numbers, ...mixed] = new Set(tests.map(({ op }) => op.k === 'test' && op.rel === 'nz'));
  if (!member || numbers === undefined || others.length + mixed.length > 0) return undefined;
  const isBusy = (value: Path): boolean => {
    let at = first;
    while (at >= first && at < wait) {
      const { op, next } = cfg[at]!;
      const to = next[op.k === 'test' && !holds(op.rel, value) ? 1 : 0]!;
      // A condition that goes round is not followed: whoever asks may wait.
      if (to <= at) return true;
      at = to;
    }
    return at === wait;
  };
  return { member, numbers, isBusy };
}

/** The member of the object that is compared with a constant; '' for anything else. */
function memberTested(op: Op, object: Path): string {
  if (op.k !== 'test' || op.flags || !(op.rel === 'nz' || NAME.test(op.rel.replace(/^== /, '')))) return '';
  const member = op.on.startsWith(`${object} `) ? op.on.slice(object.length + 1) : '';
  return /^\w+$/.test(member) ? member : '';
}

function holds(rel: string, value: Path): boolean {
  return rel === 'nz' ? value !== '#0' : rel.slice('== '.length) === value;
}

interface Setting {
  readonly fn: Fn;
  readonly node: number;
  readonly object: Path;
  readonly value: Path;
}

/** Where the members get their values; without those that get what is no constant. */
function settersOf(index: Index, states: readonly State[]): Map<State, Setting[]> {
  const byGroup = new Map<string, State[]>();
  for (const state of states) byGroup.set(state.group, [...(byGroup.get(state.group) ?? []), state]);
  const out = new Map<State, Setting[]>();
  const givenUp = new Set<State>();
  for (const fn of index.functions) {
    const ours = byGroup.get(fn.group);
    for (const [node, { op }] of ours ? fn.facts.cfg.entries() : []) {
      const set = settingOf(op);
      const cut = set ? set.to.lastIndexOf(' ') : -1;
      if (!set || cut < 0) continue;
      const object = set.to.slice(0, cut);
      for (const state of ours!) {
        if (state.member !== set.to.slice(cut + 1)) continue;
        const owner = index.types.typeOf(fn, object);
        if (owner !== '' && owner !== state.struct) continue;
        if (owner === '' || !(state.numbers ? NUMBER : NAME).test(set.value)) givenUp.add(state);
        else if (!isNew(fn, state, object))
          out.set(state, [...(out.get(state) ?? []), { fn, node, object, value: set.value }]);
      }
    }
  }
  for (const state of givenUp) out.delete(state);
  return out;
}

/** The path that gets a value, and what; by assignment, or by a macro that writes once. */
function settingOf(op: Op): { to: Path; value: Path } | undefined {
  if (op.k === 'set') return { to: op.to, value: op.adds ? '' : op.from };
  if (op.k !== 'call') return undefined;
  if (WRITE_NAMES.has(op.fn)) return { to: op.args[0] ?? '', value: op.args[1] ?? '' };
  if (/xchg|^atomic|_bit$/.test(op.fn))
    return { to: op.args.find((arg) => arg.includes(' ')) ?? '', value: '' };
  return op.to === '' ? undefined : { to: op.to, value: '' };
}

/** Does the function initialise the queue of that object? */
function isNew(fn: Fn, { queue }: State, object: Path): boolean {
  return fn.facts.calls.some(
    ([, op]) => INITIALISES.test(op.fn) && op.args[0]?.replace(/^&/, '') === `${object} ${queue}`,
  );
}

/** By node, what is known of the member before it. Who lets go of a lock, or calls what sets it, knows nothing any more. */
function knownIn(
  index: Index,
  fn: Fn,
  state: State,
  sets: readonly Setting[],
  setting: ReadonlySet<number>,
): (Known | undefined)[] {
  const { cfg } = fn.facts;
  const [object, ...others] = new Set(sets.map((set) => set.object));
  if (object === undefined || others.length > 0) return [];
  const known = new Array<Known | undefined>(cfg.length);
  const forgets = new Set(index.callees[fn.id]!.filter(({ to }) => setting.has(to)).map(({ node }) => node));
  const work: [number, Known][] = [[0, 'either']];
  for (let item = work.pop(); item; item = work.pop()) {
    const [node, given] = item;
    const before = known[node];
    const now = before === undefined || before === given ? given : 'either';
    if (now === before) continue;
    known[node] = now;
    const { next } = cfg[node]!;
    for (const [side, to] of next.entries())
      if (to >= 0)
        work.push([
          to,
          after(cfg[node]!, node, side, now, `${object} ${state.member}`, state, sets, forgets),
        ]);
  }
  return known;
}

function after(
  { op, next }: CfgNode,
  node: number,
  side: number,
  before: Known,
  member: Path,
  state: State,
  sets: readonly Setting[],
  forgets: ReadonlySet<number>,
): Known {
  const set = sets.find((one) => one.node === node);
  if (set) return state.isBusy(set.value) ? 'busy' : 'idle';
  if (op.k === 'test' && next.length === 2 && op.on === member) {
    const zero = side === 0 ? '#pos' : '#0';
    const value = op.rel === 'nz' ? zero : side === 0 ? op.rel.replace(/^== /, '') : '';
    if ((state.numbers ? NUMBER : NAME).test(value)) return state.isBusy(value) ? 'busy' : 'idle';
  }
  if (forgets.has(node)) return 'either';
  return op.k === 'call' && LOCK_BY_NAME.get(op.fn)?.action === 'release' ? 'either' : before;
}
