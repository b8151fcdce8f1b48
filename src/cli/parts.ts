import { type FileChange, type Plan, planWithout } from '../edit/plan.js';
import { moduleName } from '../output/module.js';
import { shownPlan, shownRenderer } from '../output/names.js';
import { counted } from '../output/scan-listing.js';
import { planSeries, type SeriesPart } from '../output/series.js';
import { type Grouping, groupingBy } from '../output/subsystem.js';
import { subjectsOf } from '../tree/git.js';
import { type MaintainersSection, obsoleteIn, ownerOf, readMaintainers } from '../tree/maintainers.js';
import { type Environment, say } from './environment.js';
import { type Checked, headersOf, planLeft } from './work.js';

/** The checked changes of a run cut into patches. */
export interface CheckedSeries {
  readonly parts: readonly SeriesPart[];
  /** What all patches do together, and the files that come of it. */
  readonly plan: Plan;
  readonly changes: readonly FileChange[];
  readonly grouping: Grouping;
  readonly sections: readonly MaintainersSection[];
  /** The masks that could go and stay, since a file is obsolete that they or their scopes are in; by site. */
  readonly leftOut: ReadonlySet<string>;
}

/**
 * Cuts checked changes into patches. Code that MAINTAINERS calls obsolete is left alone, which is said on stderr, unless `obsolete` asks
 * for it.
 */
export async function seriesOf(
  checked: Checked,
  environment: Environment,
  { obsolete }: { readonly obsolete: boolean },
): Promise<CheckedSeries> {
  const { analysis, problems, tree, edited } = checked;
  const sections = readMaintainers(edited.root);
  const grouping = groupingBy(
    (file) => ownerOf(sections, file),
    (files) => subjectsOf(edited, files),
    tree.module === undefined ? undefined : moduleName(tree.module),
  );
  const whole = shownPlan(tree, planLeft(analysis.plan, problems));
  const titles = new Map(
    checked.changes.flatMap(({ file }) => {
      const title = obsolete ? undefined : obsoleteIn(sections, file);
      return title === undefined ? [] : [[file, title] as const];
    }),
  );
  const plan = planWithout(whole, ({ file }) => titles.has(file));
  const left = new Set(plan.downgrades.map(({ site }) => site));
  const leftOut = new Set(whole.downgrades.map(({ site }) => site).filter((site) => !left.has(site)));
  if (titles.size > 0)
    await say(
      environment,
      `gfp-scope: left out, since MAINTAINERS calls it obsolete (${[...new Set(titles.values())].join('; ')}): ` +
        `${counted(whole.scopes.length - plan.scopes.length, 'scope')} and ${counted(leftOut.size, 'mask')}; --obsolete has them`,
    );
  const { renderer } = await environment.loadEngine();
  const render = shownRenderer(tree, renderer(analysis, headersOf(tree)));
  const parts = planSeries(plan, render, analysis.report, grouping);
  return {
    parts,
    plan,
    changes: titles.size === 0 ? checked.changes : render(plan),
    grouping,
    sections,
    leftOut,
  };
}
