import type { Fn } from '../index/names.js';
import { SCOPE_APIS } from '../kernel/masks.js';
import type { Path } from '../parse/facts.js';
import { at, type Rule } from './rule.js';

export const otherTask: Rule = {
  id: 'other-task',
  level: 'error',
  title: 'A scope is saved in one task and restored in another',
  help: 'A scope is a flag of the task that saved it: a worker, timer or callback that restores it changes its own flags and leaves those of the first set.',
  find: ({ findings: { index, tasks, callers }, functions }) => {
    /** Struct and member that a path ends in. */
    const member = (fn: Fn, path: Path): string => {
      const cut = path.lastIndexOf(' ');
      const type = cut < 0 ? '' : index.types.typeOf(fn, path.slice(0, cut));
      return type === '' ? '' : `${type}.${path.slice(cut + 1)}`;
    };
    const savedIn = new Map<string, Fn[]>();
    for (const fn of index.functions) {
      if (!fn.facts.locks) continue;
      for (const [, op] of fn.facts.calls) {
        if (!SCOPE_APIS.some(({ save }) => save === op.fn)) continue;
        const where = member(fn, op.to);
        if (where !== '') savedIn.set(where, [...(savedIn.get(where) ?? []), fn]);
      }
    }
    /** Functions that start a task of their own and from which the function is called in that. */
    const tasksOf = (fn: Fn): { started: Set<number>; called: boolean } => {
      callers.extend([fn.id]);
      const started = new Set<number>();
      let called = false;
      const seen = new Set([fn.id]);
      for (const id of seen) {
        if (tasks.startedAs(id) !== undefined) started.add(id);
        const before = index.callers[id]!.filter((e) => e.how !== 'through' && !tasks.leavesTask(e));
        if (before.length === 0 && !started.has(id)) called = true;
        for (const { from } of before) seen.add(from);
      }
      return { started, called };
    };
    return functions.flatMap((fn) =>
      fn.facts.calls.flatMap(([node, op]) => {
        if (!SCOPE_APIS.some(({ restore }) => restore === op.fn)) return [];
        const where = member(fn, op.args[0] ?? '');
        const savers = where === '' ? [] : (savedIn.get(where) ?? []);
        if (savers.length === 0 || savers.includes(fn)) return [];
        const here = tasksOf(fn);
        if (here.called || here.started.size === 0) return [];
        // All that restores it runs as certain tasks: none of those saved it.
        const isSame = savers.some((saver) => [...tasksOf(saver).started].some((id) => here.started.has(id)));
        if (isSame) return [];
        const task = index.functions[[...here.started][0]!]!.facts.name;
        return [
          at(
            fn,
            node,
            `${where} is restored in the task of ${task}(), and saved in ${savers[0]!.facts.name}() in another`,
            [{ function: savers[0]!.facts.name, file: savers[0]!.file.file, line: savers[0]!.facts.line }],
          ),
        ];
      }),
    );
  },
};
