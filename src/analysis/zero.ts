import type { Way } from '../index/fates.js';
import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { Path } from '../parse/facts.js';
import { setBy } from './sets.js';
import { run } from './states.js';

/**
 * Parameters that are 0 or null in a call, by position, as a key: `1,3`; `''` for none. A callee that tests such a parameter
 * takes one side only: `if (!handle) handle = start();`.
 */
export type Zero = string;

/** Which of the parameters that the callee tests get a 0. */
export function zeroIn(to: Fn, args: readonly Path[]): Zero {
  return args.includes('#0') ? to.facts.testedParams.filter((i) => args[i] === '#0').join() : '';
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

const NO_CONDITIONS: readonly Condition[] = [];
const NO_EFFECTS = new Map<number, never>();

/** Goes up from calls and notes what a 0 in a caller's arguments would mean for them. */
export class Conditions {
  /** By function and node of the call. */
  private readonly ofCalls = new Map<number, Map<number, readonly Condition[]>>();
  /** By function: the tested parameters that a call hands a 0 to. */
  private readonly zeros = new Map<number, readonly number[]>();
  private readonly mayBe = new Map<string, boolean>();
  /** By function: node, position, and parameter of the function that is handed on or -1 for a 0, one after the other. */
  private readonly handed = new Map<number, Int32Array>();

  constructor(private readonly index: Index) {}

  /** What the conditions on the callee say of the call that it is asked about for: not made, or made there. */
  met(edge: Edge, conditions: readonly Condition[]): 'not made' | Way[number] | undefined {
    if (conditions.length === 0) return undefined;
    const met = conditions.filter(({ param }) => this.handedTo(edge, param) === -1);
    if (met.some(({ at }) => !at)) return 'not made';
    const at = met[0]?.at;
    if (!at) return undefined;
    const same = met.filter((c) => c.at!.fn === at.fn && c.at!.node === at.node);
    const zero = new Set(same.map((c) => Number(c.at!.zero)));
    return { ...at, zero: [...zero].sort((a, b) => a - b).join() };
  }

  /** The conditions on the caller: its own, and those on the callee for parameters that it hands on. */
  above(edge: Edge, conditions: readonly Condition[]): readonly Condition[] {
    const own = this.own(edge);
    if (conditions.length === 0) return own;
    const fn = this.index.functions[edge.from]!;
    const out = [...own];
    for (const { param, at } of conditions) {
      const handedOn = this.handedTo(edge, param);
      if (handedOn === undefined || handedOn < 0 || out.some((c) => c.param === handedOn)) continue;
      if (!this.mayBeZero(fn, handedOn) || isAssigned(fn, pathOf(fn, handedOn))) continue;
      out.push(at ? { param: handedOn, at } : { param: handedOn });
    }
    return out;
  }

  private own({ from, node }: Edge): readonly Condition[] {
    const fn = this.index.functions[from]!;
    if (fn.facts.testedParams.length === 0) return NO_CONDITIONS;
    let zeros = this.zeros.get(from);
    if (!zeros) {
      zeros = fn.facts.testedParams.filter((param) => this.mayBeZero(fn, param));
      this.zeros.set(from, zeros);
    }
    if (zeros.length === 0) return NO_CONDITIONS;
    const ofFunction = this.ofCalls.get(from) ?? new Map<number, readonly Condition[]>();
    this.ofCalls.set(from, ofFunction);
    let mine = ofFunction.get(node);
    if (!mine) {
      mine = zeros.flatMap((param): Condition[] => {
        const path = pathOf(fn, param);
        if (!run(fn.facts, NO_EFFECTS, undefined, [path]).entry[node]) return [{ param }];
        // Where nothing comes in the function makes one.
        return isAssigned(fn, path) ? [{ param, at: { fn: from, node, zero: String(param) } }] : [];
      });
      if (mine.length === 0) mine = NO_CONDITIONS;
      ofFunction.set(node, mine);
    }
    return mine;
  }

  /** Does a call hand a 0 to the parameter? */
  private mayBeZero(fn: Fn, param: number): boolean {
    const key = `${fn.id} ${param}`;
    let answer = this.mayBe.get(key);
    if (answer === undefined) {
      // Recursion brings none that is not found without it.
      this.mayBe.set(key, false);
      answer = this.index.callers[fn.id]!.some((edge) => {
        const handed = this.handedTo(edge, param);
        if (handed === undefined) return false;
        return handed < 0 || this.mayBeZero(this.index.functions[edge.from]!, handed);
      });
      this.mayBe.set(key, answer);
    }
    return answer;
  }

  /**
   * What the caller hands to the parameter: -1 for a 0, one of its own parameters, or undefined for anything else. A
   * callback gets other arguments than the call that hands it on.
   */
  private handedTo({ from, node, how }: Edge, position: number): number | undefined {
    if (how === 'callback' || how === 'through') return undefined;
    let handed = this.handed.get(from);
    if (!handed) {
      const { params, calls } = this.index.functions[from]!.facts;
      const places = new Map<Path, number>([
        ['#0', -1],
        ...params.map(([name], i) => [`v:${name}`, i] as const),
      ]);
      handed = Int32Array.from(
        calls.flatMap(([at, { args }]) =>
          args.flatMap((arg, i) => {
            const place = places.get(arg);
            return place === undefined ? [] : [at, i, place];
          }),
        ),
      );
      this.handed.set(from, handed);
    }
    for (let i = 0; i < handed.length; i += 3)
      if (handed[i] === node && handed[i + 1] === position) return handed[i + 2];
    return undefined;
  }
}

function pathOf(fn: Fn, param: number): Path {
  return `v:${fn.facts.params[param]![0]}`;
}

function isAssigned(fn: Fn, variable: Path): boolean {
  return fn.facts.cfg.some(
    ({ op }) => setBy(op).includes(variable) || (op.k === 'call' && op.args.includes(`&${variable}`)),
  );
}
