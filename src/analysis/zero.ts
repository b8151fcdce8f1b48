import type { Edge, Fn, Index, Way } from '../index/link.js';
import type { Path } from '../parse/facts.js';
import { run } from './states.js';

/**
 * Parameters that are 0 or null in a call, by position, as a key: `1,3`; `''` for none. A callee that tests such a parameter
 * takes one side only: `if (!handle) handle = start();`.
 */
export type Zero = string;

const NO_EFFECTS = new Map<number, never>();

const tested = new WeakMap<Fn['facts'], readonly number[]>();

/** Positions of the parameters that decide a branch of the function by being 0 or not, first of all or by way of a variable. */
export function testedParams(fn: Fn): readonly number[] {
  let mine = tested.get(fn.facts);
  if (!mine) {
    const { cfg, params } = fn.facts;
    const on = new Set<Path>();
    for (const { op } of cfg) {
      if (op.k === 'test' && (op.rel !== '?' || op.flags)) on.add(op.on);
    }
    for (const { op } of cfg) if (op.k === 'set' && on.has(op.to) && op.from[0] === 'v') on.add(op.from);
    mine = params.flatMap(([name], i) => (on.has(`v:${name}`) ? [i] : []));
    tested.set(fn.facts, mine);
  }
  return mine;
}

/** Which of the parameters that the callee tests get a 0. */
export function zeroIn(to: Fn, args: readonly Path[]): Zero {
  return args.includes('#0') ? testedParams(to).filter((i) => args[i] === '#0').join() : '';
}

/** The paths of those parameters. */
export function zeroPaths(fn: Fn, zero: Zero): Path[] {
  return zero === '' ? [] : zero.split(',').map((i) => `v:${fn.facts.params[Number(i)]![0]}`);
}

/**
 * What a 0 for a parameter means for one call further down: it isn't made at all, or (`at`) it is made there, where the
 * function may have opened a scope just because of that 0.
 */
export interface Condition {
  readonly param: number;
  readonly at?: Way[number];
}

/** Goes up from calls and notes what a 0 in a caller's arguments would mean for them. */
export class Conditions {
  private readonly ofCall = new Map<string, readonly Condition[]>();
  private readonly handed = new Map<string, boolean>();

  constructor(private readonly index: Index) {}

  /** What the conditions on the callee say of the call that it is asked about for: not made, or made there. */
  met(edge: Edge, conditions: readonly Condition[]): 'not made' | Way[number] | undefined {
    if (conditions.length === 0) return undefined;
    const args = this.args(edge);
    const met = conditions.filter(({ param }) => args[param] === '#0');
    if (met.some(({ at }) => !at)) return 'not made';
    const at = met[0]?.at;
    if (!at) return undefined;
    const same = met.flatMap((c) => (c.at!.fn === at.fn && c.at!.node === at.node ? [Number(c.at!.zero)] : []));
    return { ...at, zero: [...new Set(same)].sort((a, b) => a - b).join() };
  }

  /** The conditions on the caller: its own, and those on the callee for parameters that it hands on. */
  above(edge: Edge, conditions: readonly Condition[]): readonly Condition[] {
    const own = this.own(edge);
    if (conditions.length === 0) return own;
    const fn = this.index.functions[edge.from]!;
    const args = this.args(edge);
    const out = [...own];
    for (const { param, at } of conditions) {
      const handedOn = fn.facts.params.findIndex(([name]) => args[param] === `v:${name}`);
      if (handedOn < 0 || isAssigned(fn, args[param]!) || !this.mayBeZero(fn, handedOn)) continue;
      if (!out.some((c) => c.param === handedOn)) out.push(at ? { param: handedOn, at } : { param: handedOn });
    }
    return out;
  }

  private own({ from, node }: Edge): readonly Condition[] {
    const key = `${from} ${node}`;
    let mine = this.ofCall.get(key);
    if (!mine) {
      const fn = this.index.functions[from]!;
      mine = testedParams(fn).flatMap((param): Condition[] => {
        if (!this.mayBeZero(fn, param)) return [];
        const path: Path = `v:${fn.facts.params[param]![0]}`;
        if (!run(fn.facts, NO_EFFECTS, undefined, [path]).entry[node]) return [{ param }];
        // Where nothing comes in the function makes one.
        return isAssigned(fn, path) ? [{ param, at: { fn: from, node, zero: String(param) } }] : [];
      });
      this.ofCall.set(key, mine);
    }
    return mine;
  }

  /** Does a call hand a 0 to the parameter? */
  private mayBeZero(fn: Fn, param: number): boolean {
    const key = `${fn.id} ${param}`;
    let answer = this.handed.get(key);
    if (answer === undefined) {
      // Recursion brings none that is not found without it.
      this.handed.set(key, false);
      answer = this.index.callers[fn.id]!.some((edge) => {
        const arg = this.args(edge)[param];
        if (arg === undefined || arg === '') return false;
        if (arg === '#0') return true;
        const caller = this.index.functions[edge.from]!;
        const handedOn = caller.facts.params.findIndex(([name]) => arg === `v:${name}`);
        return handedOn >= 0 && this.mayBeZero(caller, handedOn);
      });
      this.handed.set(key, answer);
    }
    return answer;
  }

  /** The arguments of a call; none of a callback, which gets others than the call that hands it on. */
  private args({ from, node, how }: Edge): readonly Path[] {
    if (how === 'callback' || how === 'through') return [];
    const { op } = this.index.functions[from]!.facts.cfg[node]!;
    return op.k === 'call' ? op.args : [];
  }
}

function isAssigned(fn: Fn, variable: Path): boolean {
  return fn.facts.cfg.some(
    ({ op }) =>
      ((op.k === 'set' || op.k === 'call') && op.to === variable) ||
      (op.k === 'call' && op.args.includes(`&${variable}`)),
  );
}
