import { SCOPE_APIS } from '../kernel/masks.js';
import { at, type Rule } from './rule.js';

export const wrongVariable: Rule = {
  id: 'wrong-variable',
  level: 'error',
  title: 'A restore gets another value than that of its save',
  help: 'A restore takes what the save of the same kind returned, and nothing else.',
  find: ({ functions }) =>
    functions.flatMap((fn) => {
      /** By variable: the functions that saved into it. */
      const savedBy = new Map<string, Set<string>>();
      for (const [, op] of fn.facts.calls) {
        if (op.to === '' || !SCOPE_APIS.some(({ save }) => save === op.fn)) continue;
        savedBy.set(op.to, (savedBy.get(op.to) ?? new Set()).add(op.fn));
      }
      return fn.facts.calls.flatMap(([node, op]) => {
        const api = SCOPE_APIS.find(({ restore }) => restore === op.fn);
        const variable = /^v:(\w+)$/.exec(op.args[0] ?? '')?.[1];
        if (!api || variable === undefined) return [];
        const savers = savedBy.get(op.args[0]!);
        if (savers && !savers.has(api.save))
          return [
            at(fn, node, `${op.fn}() gets ${variable}, which ${[...savers].join('() and ')}() returned`),
          ];
        // What is set in another way, or comes from the caller, may be the right value.
        const isLocal = fn.facts.locals.some(([name]) => name === variable);
        const isSet = fn.facts.cfg.some(({ op: other }) =>
          other.k === 'call'
            ? other.to === `v:${variable}` || other.args.includes(`&v:${variable}`)
            : other.k === 'set' && other.to === `v:${variable}` && other.from[0] !== '#',
        );
        if (savers || !isLocal || isSet) return [];
        return [at(fn, node, `${op.fn}() gets ${variable}, which no save was assigned to`)];
      });
    }),
};
