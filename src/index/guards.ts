import { GUARD_CLASS_BY_NAME } from '../kernel/guards.js';
import type { FileFacts, GuardOp, Path } from '../parse/facts.js';
import type { GuardFacts } from '../parse/guards.js';
import { directoryGroup } from './names.js';

/** What a guard calls where it is made or dropped, with its arguments. */
export interface GuardCall {
  readonly fn: string;
  readonly args: readonly Path[];
}

/** The guards of a tree, by class: those that the kernel's headers have in every version are knowledge (`kernel/guards.ts`). */
export class Guards {
  /** With the files that define them: two may have one of the same name. */
  private readonly byClass = new Map<string, { file: string; guard: GuardFacts }[]>();

  constructor(files: Iterable<FileFacts>) {
    for (const { file, guards } of files) {
      for (const guard of guards) {
        if (GUARD_CLASS_BY_NAME.has(guard[0])) continue;
        const known = this.byClass.get(guard[0]);
        if (known) known.push({ file, guard });
        else this.byClass.set(guard[0], [{ file, guard }]);
      }
    }
  }

  /** The definition that a file sees: its own, one of its part of the kernel, or any. */
  private seenBy(file: string, cls: string): GuardFacts | undefined {
    const all = this.byClass.get(cls) ?? [];
    const group = directoryGroup(file);
    const nearest =
      all.find((one) => one.file === file) ?? all.find((one) => directoryGroup(one.file) === group) ?? all[0];
    return nearest?.guard;
  }

  /** Is there a class of them in the file's functions? */
  isIn({ guarded }: FileFacts): boolean {
    return guarded.some((cls) => this.byClass.has(cls));
  }

  /** What the guard calls at the node; undefined for a class that is not the tree's own, or does more than a call. */
  callAt(op: GuardOp, file: string): GuardCall | undefined {
    const guard = this.seenBy(file, op.cls);
    if (!guard) return undefined;
    const [, lock, own, base] = guard;
    // Of a class that is knowledge this is one with a condition: what takes its lock is a primitive, and says whose it is.
    const unlock = own || this.seenBy(file, base)?.[2] || (GUARD_CLASS_BY_NAME.has(base) ? lock : '');
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
