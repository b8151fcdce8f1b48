import type { Fn } from '../index/link.js';
import type { Path } from '../parse/facts.js';

/**
 * Parameters that are 0 or null in a call, by position, as a key: `1,3`; `''` for none. A callee that tests such a parameter
 * takes one side only: `if (!handle) handle = start();`.
 */
export type Zero = string;

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
