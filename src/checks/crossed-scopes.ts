import { type Effect, run } from '../analysis/states.js';
import type { Fn } from '../index/names.js';
import { SCOPE_APIS } from '../kernel/masks.js';
import { at, type Found, type Rule } from './rule.js';

/** A variable of a function with the nodes that save into it and restore from it. */
interface Pair {
  readonly variable: string;
  readonly saves: readonly number[];
  readonly restores: readonly number[];
}

function pairsOf(fn: Fn): Pair[] {
  return SCOPE_APIS.flatMap(({ save, restore }) => {
    const variables = new Set(
      fn.facts.calls.flatMap(([, op]) => (op.fn === save && op.to !== '' ? [op.to] : [])),
    );
    return [...variables].map((variable) => ({
      variable,
      saves: fn.facts.calls.flatMap(([node, op]) => (op.fn === save && op.to === variable ? [node] : [])),
      restores: fn.facts.calls.flatMap(([node, op]) =>
        op.fn === restore && op.args[0] === variable ? [node] : [],
      ),
    }));
  });
}

function openOf(fn: Fn, { saves, restores }: Pair): (node: number) => boolean {
  const effects = new Map<number, Effect[]>();
  for (const node of saves) effects.set(node, [{ act: 'acquire', success: 'void' }]);
  for (const node of restores) effects.set(node, [{ act: 'release', success: 'void' }]);
  const { entry } = run(fn.facts, effects);
  return (node) => (entry[node]?.low ?? 0) >= 1;
}

export const crossedScopes: Rule = {
  id: 'crossed-scopes',
  level: 'error',
  title: 'The outer of two scopes is restored first',
  help: 'The inner restore then puts back the flags as they were in the outer scope, which stays open. Restore in the reverse order of the saves.',
  find: ({ functions }) =>
    functions.flatMap((fn) => {
      const pairs = pairsOf(fn);
      if (pairs.length < 2) return [];
      const isOpen = new Map(pairs.map((pair) => [pair, openOf(fn, pair)]));
      return pairs.flatMap((outer) =>
        pairs.flatMap((inner): Found[] => {
          if (inner === outer || !inner.saves.some(isOpen.get(outer)!)) return [];
          const crossing = outer.restores.find(isOpen.get(inner)!);
          if (crossing === undefined) return [];
          const [a, b] = [outer.variable, inner.variable].map((path) =>
            path.slice(path.lastIndexOf(' ') + 1).replace(/^v:/, ''),
          );
          return [at(fn, crossing, `${a} is restored while ${b}, which was saved after it, is not`)];
        }),
      );
    }),
};
