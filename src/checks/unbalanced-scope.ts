import { type Imbalance, imbalances } from '../analysis/balance.js';
import type { Fn } from '../index/names.js';
import type { CallOp } from '../parse/facts.js';
import { at, type CheckContext, type Found, type Rule } from './rule.js';

/** Imbalances of variables that the function keeps to itself: what is handed on is restored by somebody else. */
export function imbalancesIn({ functions }: CheckContext, kinds: readonly Imbalance['kind'][]): Found[] {
  return functions.flatMap((fn) =>
    imbalances(fn.facts)
      .filter(
        ({ kind, variable }) => kinds.includes(kind) && isOwn(fn, variable) && !isConditional(fn, variable),
      )
      .map(({ node, message }) => at(fn, node, message)),
  );
}

/**
 * Is there a save on a condition that a restore does not stand under? That may be restored on the same condition, written in another
 * way: which paths go together can't be told.
 */
function isConditional({ facts }: Fn, variable: string): boolean {
  const statements = (isOfApi: RegExp, isVariable: (op: CallOp) => boolean): number[] =>
    facts.calls.flatMap(([node, op]) =>
      isOfApi.test(op.fn) && isVariable(op) ? [facts.cfg[node]!.statement] : [],
    );
  const saves = statements(/^memalloc_\w+_save$/, (op) => op.to === `v:${variable}`);
  const restores = statements(/^memalloc_\w+_restore$/, (op) => op.args[0] === `v:${variable}`);
  const branches = (statement: number): number[] => {
    const out: number[] = [];
    for (
      let s = statement, up = facts.statements[s]?.parent ?? -1;
      up >= 0;
      s = up, up = facts.statements[s]!.parent
    )
      if (/^(?:if|loop|switch)$/.test(facts.statements[up]!.kind)) out.push(s);
    return out;
  };
  return saves.some((save) => branches(save).some((arm) => restores.some((r) => !branches(r).includes(arm))));
}

/** Is the variable a local one whose value is handed to restores only? */
export function isOwn({ facts }: Fn, variable: string): boolean {
  if (!facts.locals.some(([name]) => name === variable)) return false;
  const path = `v:${variable}`;
  return facts.cfg.every(({ op }) => {
    if (op.k === 'set') return op.from !== path && op.from !== `&${path}`;
    if (op.k === 'ret') return op.value !== path;
    if (op.k !== 'call' || /^memalloc_\w+_restore$/.test(op.fn)) return true;
    return !op.args.some((arg) => arg === path || arg === `&${path}`);
  });
}

export const unbalancedScope: Rule = {
  id: 'unbalanced-scope',
  level: 'error',
  title: 'A scope is restored on a path that did not save it, or saved twice',
  help: 'The flags of the task are then set from a variable without a value, or stay set. Save and restore once on each path.',
  find: (context) => imbalancesIn(context, ['restored', 'saved']),
};
