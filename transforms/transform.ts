import type { Findings } from '../src/analysis/analyze.js';
import type { AnalyzeOptions, TransformName } from '../src/analysis/api.js';
import type { Report } from '../src/analysis/report.js';
import type { Plan } from '../src/edit/plan.js';

/** One kind of rewrite. A transform is one file; it says what it does, when it applies and when it refuses. */
export interface Transform {
  readonly name: TransformName;
  /** One line for help and reports. */
  readonly summary: string;
  /** @param before what the transforms before it do */
  plan(
    findings: Findings,
    report: Report,
    options: Pick<AnalyzeOptions, 'nolockdep'>,
    before: Plan,
  ): Partial<Plan>;
}
