import { GUARD_CLASS_BY_NAME } from '../kernel/guards.js';
import type { FileFacts, GuardOp, Path } from '../parse/facts.js';
import type { GuardFacts } from '../parse/guards.js';

/** What a guard calls where it is made or dropped, with its arguments. */
export interface GuardCall {
  readonly fn: string;
  readonly args: readonly Path[];
}

/** The guards of a tree, by class: those that the kernel's headers have in every version are knowledge (`kernel/guards.ts`). */
export class Guards {
  private readonly byClass = new Map<string, GuardFacts>();

  constructor(files: Iterable<FileFacts>) {
    for (const { guards } of files) {
      for (const guard of guards)
        if (!GUARD_CLASS_BY_NAME.has(guard[0]) && !this.byClass.has(guard[0]))
          this.byClass.set(guard[0], guard);
    }
  }

  /** Is there a class of them in the file's functions? */
  isIn({ guarded }: FileFacts): boolean {
    return guarded.some((cls) => this.byClass.has(cls));
  }

  /** What the guard calls at the node; undefined for a class that is not the tree's own, or does more than a call. */
  callAt(op: GuardOp): GuardCall | undefined {
    const guard = this.byClass.get(op.cls);
    if (!guard) return undefined;
    const [, lock, own, base] = guard;
    // Of a class that is knowledge this is one with a condition: what takes its lock is a primitive, and says whose it is.
    const unlock = own || this.byClass.get(base)?.[2] || (GUARD_CLASS_BY_NAME.has(base) ? lock : '');
    const [, fn, list] = /^(\w+) ?\((.*)\)$/.exec(op.k === 'guard' ? lock : unlock) ?? [];
    if (fn === undefined) return undefined;
    const args = list!.trim() === '' ? [] : list!.split(',');
    return { fn, args: args.map((arg) => argumentOf(arg.trim(), op.arg)) };
  }
}

/** The path of an argument in which `_T` stands for what the guard is given. */
function argumentOf(text: string, given: Path): Path {
  const [, ofGuard, members] = /^&?(_T)?((?:(?:->|\.)?\w+)*)$/.exec(text) ?? [];
  if (members === undefined) return '';
  const fields = members.replace(/->|\./g, ' ');
  if (ofGuard) return fields === '' ? given : `${given.replace(/^&/, '')}${fields}`;
  const root = fields.trim();
  return root === '' ? '' : `${text.startsWith('&') && !root.includes(' ') ? '&' : ''}v:${root}`;
}
