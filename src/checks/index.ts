import type { Findings } from '../analysis/analyze.js';
import type { Finding, Report } from '../analysis/report.js';
import { contradictoryMask } from './contradictory-mask.js';
import { crossedScopes } from './crossed-scopes.js';
import { otherTask } from './other-task.js';
import { reclaimUnderLock } from './reclaim-under-lock.js';
import { redundantMask } from './redundant-mask.js';
import { returnInScope } from './return-in-scope.js';
import type { Rule } from './rule.js';
import { unbalancedScope } from './unbalanced-scope.js';
import { vmallocMask } from './vmalloc-mask.js';
import { wrongVariable } from './wrong-variable.js';

/** All rules, those first that find what is wrong for certain. */
export const RULES: readonly Rule[] = [
  returnInScope,
  unbalancedScope,
  wrongVariable,
  crossedScopes,
  otherTask,
  reclaimUnderLock,
  contradictoryMask,
  vmallocMask,
  redundantMask,
];

/** What the rules find in the files asked for, in the order of files and lines. */
export function findingsOf(findings: Findings, report: Report, asked: (file: string) => boolean): Finding[] {
  const functions = findings.index.functions.filter(
    ({ file, facts }) => asked(file.file) && !facts.isMacro && !facts.broken && !facts.arms,
  );
  const context = { findings, report, functions };
  return RULES.flatMap(({ id, level, find }) =>
    find(context).map((found) => ({ rule: id, level, ...found })),
  ).sort(
    (a, b) =>
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
      a.line - b.line ||
      a.column - b.column ||
      (a.rule < b.rule ? -1 : 1),
  );
}
