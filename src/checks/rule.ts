import type { Findings } from '../analysis/analyze.js';
import type { Finding, Report } from '../analysis/report.js';
import type { Fn } from '../index/names.js';
import { lineAt } from '../parse/facts.js';

/** One thing that `check` looks for. Each is a file in `src/checks/`. */
export interface Rule {
  /** Stable name: `return-in-scope`. */
  readonly id: string;
  readonly level: Finding['level'];
  /** What it finds, a sentence without a full stop. */
  readonly title: string;
  /** Why that is wrong and what to do, a sentence or two. */
  readonly help: string;
  /** Findings in the functions and at the sites that were asked for, in any order. */
  find(context: CheckContext): Found[];
}

/** A finding before the rule's name and level are put to it. */
export type Found = Omit<Finding, 'rule' | 'level'>;

export interface CheckContext {
  readonly findings: Findings;
  readonly report: Report;
  /** Functions of the files asked for that can be judged: no macros, none that did not parse, each once. */
  readonly functions: readonly Fn[];
}

/** A finding at a CFG node of a function. */
export function at(fn: Fn, node: number, message: string, related: Finding['related'] = []): Found {
  const op = fn.facts.cfg[node]?.op;
  const statement = fn.facts.statements[fn.facts.cfg[node]?.statement ?? -1];
  const offset = op && 'start' in op ? op.start : (statement?.start ?? fn.facts.start);
  const line = lineAt(fn.file.lines, offset);
  return {
    file: fn.file.file,
    line,
    column: offset - fn.file.lines[line - 1]! + 1,
    function: fn.facts.name,
    message,
    related,
  };
}
