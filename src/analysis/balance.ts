import { SCOPE_APIS } from '../kernel/masks.js';
import type { FunctionFacts, Path } from '../parse/facts.js';
import { type Effect, run } from './states.js';

/** Something wrong with the saves and restores of one variable. */
export interface Imbalance {
  /** `returns`: a path leaves the function in the scope. `restored`: one restores what it did not save. `saved`: twice. */
  readonly kind: 'returns' | 'restored' | 'saved';
  /** Name of the variable that a save sets. */
  readonly variable: string;
  /** CFG node of the call, or of the return. */
  readonly node: number;
  readonly message: string;
}

/** What is wrong with the saves and restores of a function. A variable is judged by its own calls only. */
export function imbalances(fn: FunctionFacts): Imbalance[] {
  const found: Imbalance[] = [];
  for (const { save, restore } of SCOPE_APIS) {
    const variables = new Set<Path>();
    for (const { op } of fn.cfg)
      if (op.k === 'call' && op.fn === save && /^v:\w+$/.test(op.to)) variables.add(op.to);
    for (const variable of variables) {
      const effects = new Map<number, Effect[]>();
      for (const [node, { op }] of fn.cfg.entries()) {
        if (op.k !== 'call') continue;
        if (op.fn === save && op.to === variable) effects.set(node, [{ act: 'acquire', success: 'void' }]);
        else if (op.fn === restore && op.args[0] === variable)
          effects.set(node, [{ act: 'release', success: 'void' }]);
      }
      const name = variable.slice(2);
      const states = run(fn, effects);
      const add = (kind: Imbalance['kind'], node: number, message: string): void => {
        found.push({ kind, variable: name, node, message });
      };
      for (const [node, [effect]] of effects) {
        const at = states.entry[node];
        if (!at) continue;
        if (effect!.act === 'acquire' && at.high > 0)
          add('saved', node, `${name} is saved again before it is restored`);
        if (effect!.act === 'release' && at.low < 1)
          add('restored', node, `${name} is restored on a path that did not save it`);
      }
      const returns = states.exits.find((e) => e.depth > 0);
      if (returns) add('returns', returns.node, `a path returns without restoring ${name}`);
    }
  }
  return found;
}
