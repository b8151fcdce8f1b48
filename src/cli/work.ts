import { statSync } from 'node:fs';
import type { Analysis, AnalyzeOptions } from '../analysis/api.js';
import { VERDICTS } from '../analysis/report.js';
import { type Plan, planWithout, type Removal } from '../edit/plan.js';
import { isNewerThanRead, NEWEST_READ } from '../kernel/read-from.js';
import { shownChanges, shownName, shownReport } from '../output/names.js';
import { countByVerdict } from '../output/scan-document.js';
import { counted } from '../output/scan-listing.js';
import { readSource, resolvePaths } from '../tree/files.js';
import { hasKernel, type KernelTree, placeOf, topOf } from '../tree/kernel-tree.js';
import { type CheckedChanges, type Environment, type Problem, say } from './environment.js';
import { analyzeOptions, type CommonArguments, treeOf } from './options.js';
import { progressDisplay } from './progress.js';

/** What the verbs have in common: the analysis of the paths asked for, and the checked changes. */

/** `changes` and the report have names as they are shown, the plan and `problems` as the analysis has them. */
export interface Checked extends CheckedChanges {
  readonly tree: KernelTree;
  /** Where the files to change are: the tree, or the module as a tree of its own. */
  readonly edited: KernelTree;
  readonly analysis: Analysis;
}

/** Runs the analysis with progress on stderr, and names there what it skipped. The report is as it is shown. */
export async function analyzeFor(environment: Environment, options: AnalyzeOptions): Promise<Analysis> {
  const { analyze } = await environment.loadEngine();
  const progress = progressDisplay(environment.stderr);
  let analysis: Analysis;
  try {
    analysis = await analyze({ ...options, onProgress: progress.update, signal: environment.signal });
  } finally {
    progress.stop();
  }
  environment.signal.throwIfAborted();
  const report = shownReport(analysis.report);
  for (const { file, reason } of report.skipped)
    await say(environment, `gfp-scope: skipped ${file}: ${reason}`);
  if (!hasKernel(options.tree))
    await say(
      environment,
      `gfp-scope: no kernel ${options.tree.root === '' ? 'tree' : 'sources in the tree'}: what the kernel calls or takes is not known (--tree DIR)`,
    );
  if (isNewerThanRead(options.tree.version))
    await say(
      environment,
      `gfp-scope: Linux ${options.tree.version} is newer than ${NEWEST_READ}: what came after that is not known`,
    );
  return { ...analysis, report };
}

/** Analyses the paths of the arguments and makes the changes; what the self-check threw away is said on stderr. */
export async function changesFor(
  environment: Environment,
  args: CommonArguments & { readonly paths: readonly string[] },
): Promise<Checked> {
  const tree = treeOf(args, environment);
  const paths = resolvePaths(tree, args.paths, environment.cwd);
  const analysis = await analyzeFor(environment, analyzeOptions(args, tree, paths, environment));
  const { checkedChanges } = await environment.loadEngine();
  const { changes, problems } = await checkedChanges(analysis, headersOf(tree));
  for (const problem of problems)
    await say(
      environment,
      `gfp-scope: self-check failed: ${shownName(tree, problem.file)}: ${problem.function}: ${problem.message}; ` +
        'its edits are left out',
    );
  const real = changes.filter(({ before, after }) => before !== after);
  const edited = { root: topOf(tree), version: tree.version };
  return { tree, edited, analysis, changes: shownChanges(tree, real), problems };
}

/** The plan without the functions whose edits the self-check threw away. */
export function planLeft(plan: Plan, problems: readonly Problem[]): Plan {
  const dropped = new Set(problems.map((problem) => `${problem.file}\0${problem.function}`));
  return planWithout(plan, (edit) => dropped.has(`${edit.file}\0${edit.function}`));
}

/** What the changes do, and what the sites are, in a line each. */
export function summaryOf({ analysis, changes, problems }: Checked): string {
  const { report } = analysis;
  const plan = planLeft(analysis.plan, problems);
  const counts = countByVerdict(report.sites);
  const verdicts = VERDICTS.filter((verdict) => counts[verdict] > 0).map(
    (verdict) => `${counts[verdict]} ${verdict}`,
  );
  const sites = report.sites.length;
  const done =
    changes.length === 0
      ? 'no changes'
      : `${editsOf(plan)
          .join(', ')
          .replace(/, ([^,]*)$/, ' and $1')} in ${counted(changes.length, 'file')}`;
  const found = sites === 0 ? 'no sites' : `${counted(sites, 'site')}: ${verdicts.join(', ')}`;
  return `${done}\n${found}`;
}

function editsOf({ scopes, downgrades, removals }: Plan): string[] {
  const removed = (kind: Removal['kind'], what: string): string[] => {
    const number = removals.filter((removal) => removal.kind === kind).length;
    return number > 0 ? [`${counted(number, what)} removed`] : [];
  };
  return [
    counted(scopes.length, 'scope'),
    counted(downgrades.length, 'downgraded mask'),
    ...removed('scope', 'inner scope'),
    ...removed('parameter', 'parameter'),
  ];
}

/** Gives the text of a file of the tree, `undefined` if there is none. */
export function headersOf(tree: KernelTree): (file: string) => string | undefined {
  return (file) => {
    const source = readSource(tree, file);
    return 'text' in source ? source.text : undefined;
  };
}

/** Gives the mode of a file of the tree as git keeps it. */
export function gitModeIn(tree: KernelTree): (file: string) => string {
  return (file) => (statSync(placeOf(tree, file)).mode & 0o100 ? '100755' : '100644');
}
