import { z } from 'zod';
import type { ReclaimLock, Report, Scope, Site, SitePath, Step } from '../analysis/report.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import { scopeEntry, scopeSchema, siteEntry, siteSchema, treeEntry, treeSchema } from './scan-document.js';

/** What `explain` is asked about. Lines and columns are 1-based. */
export type Target =
  | { readonly kind: 'place'; readonly file: string; readonly line: number; readonly column?: number }
  /** A function or a lock class. */
  | { readonly kind: 'name'; readonly name: string };

/** The part of a report that answers for a target. */
export interface Explanation {
  /** The target as it was asked for. */
  readonly asked: string;
  readonly tree: KernelTree;
  readonly sites: readonly Site[];
  /** Scopes that the target is, or that cover its sites. */
  readonly scopes: readonly Scope[];
  /** The reclaim locks that these scopes, and the paths to these sites, are about. */
  readonly locks: readonly ReclaimLock[];
  /**
   * Functions on the paths to the sites, and those that the target is or stands in: of a lock that is not the subject itself their regions
   * are of interest. `undefined` if a lock is.
   */
  readonly near: ReadonlySet<string> | undefined;
}

/**
 * Picks from a report what there is to say about a target: the sites at the place or in the function, or for which the function is what
 * stands in the way, the scopes there, and the reclaim locks that both are about; for a lock class, its chain and regions and
 * all sites that have to do with it. A lock class may be given by its last part alone (`dqio_sem`).
 * `undefined` if the report knows nothing of it.
 */
export function explanationOf(report: Report, target: Target, asked: string): Explanation | undefined {
  const byPlace = (place: { file: string; line: number; column?: number }) =>
    target.kind === 'place' &&
    place.file === target.file &&
    place.line === target.line &&
    (target.column === undefined || place.column === undefined || place.column === target.column);
  const byFunction = (item: { function: string | null }) =>
    target.kind === 'name' && item.function === target.name;
  const classes = target.kind === 'name' ? classesNamed(report, target.name) : new Set<string>();

  const ownScopes = report.scopes.filter(
    (scope) => byPlace(scope) || byFunction(scope) || classes.has(scope.lock),
  );
  const ownIds = new Set(ownScopes.map((scope) => scope.id));
  const concerns = (site: Site) =>
    classes.size > 0 &&
    (site.scopes.some((id) => ownIds.has(id)) ||
      site.paths.some((path) => path.locks.some((lock) => classes.has(lock))));
  const stuckIn = (site: Site) =>
    target.kind === 'name' &&
    site.paths.some(
      ({ outcome, steps }) =>
        (outcome === 'lock-held' || outcome === 'unknown') && steps[0]?.function === target.name,
    );
  const sites = report.sites.filter(
    (site) => byPlace(site) || byFunction(site) || concerns(site) || stuckIn(site),
  );

  const cited = new Set(
    sites.flatMap((site) => [...site.scopes, ...site.paths.map((path) => path.scope ?? '')]),
  );
  const scopes = report.scopes.filter((scope) => ownIds.has(scope.id) || cited.has(scope.id));

  // A lock class that was asked for is the whole subject; others that its sites meet are left out.
  const about =
    classes.size > 0
      ? classes
      : new Set([
          ...scopes.map((scope) => scope.lock),
          ...sites.flatMap((site) => site.paths.flatMap((path) => path.locks)),
        ]);
  const locks = report.locks.filter(
    (lock) => about.has(lock.lock) || lock.regions.some((region) => byPlace(region) || byFunction(region)),
  );
  if (sites.length === 0 && scopes.length === 0 && locks.length === 0) return undefined;
  const near = new Set([
    ...sites.flatMap((site) => site.paths.flatMap((path) => path.steps.map((step) => step.function))),
    ...scopes.map((scope) => scope.function),
    ...locks.flatMap((lock) =>
      lock.regions.flatMap((region) => (byPlace(region) || byFunction(region) ? [region.function] : [])),
    ),
  ]);
  return { asked, tree: report.tree, sites, scopes, locks, near: classes.size > 0 ? undefined : near };
}

/** The lock classes of a report that a person may mean by `name`. */
function classesNamed(report: Report, name: string): Set<string> {
  const all = new Set([
    ...report.locks.map((lock) => lock.lock),
    ...report.scopes.map((scope) => scope.lock),
  ]);
  // The class of a scope around no lock is empty.
  all.delete('');
  if (all.has(name)) return new Set([name]);
  return new Set([...all].filter((lock) => lock.endsWith(`.${name}`)));
}

/** The sites of the report in a file that are nearest to a line, nearest first: what may have been meant. */
export function nearestSites(report: Report, file: string, line: number, count: number): Site[] {
  return report.sites
    .filter((site) => site.file === file)
    .sort(
      (a, b) => Math.abs(a.line - line) - Math.abs(b.line - line) || a.line - b.line || a.column - b.column,
    )
    .slice(0, count);
}

const line = z.int().positive().describe('1-based');

const stepSchema = z.strictObject({
  function: z.string(),
  file: z.string(),
  line: line.describe('1-based: the call of the next step, or the acquire'),
  edge: z
    .enum(['direct', 'typed', 'name'])
    .nullable()
    .describe('How the next step was found; null on the last'),
});

const pathSchema = z.strictObject({
  steps: z.array(stepSchema).describe('Outermost function first'),
  outcome: z.enum(['existing', 'proposed', 'lock-free', 'lock-held', 'unknown']),
  scope: z.string().nullable(),
  locks: z.array(z.string()).describe('Lock classes held on the way'),
});

/** `explain --format json`: the shape; `docs/explain.schema.json` is this schema published. */
export const explainSchema = z
  .strictObject({
    schema: z.literal('gfp-scope/explain@1'),
    tree: treeSchema,
    target: z.string().describe('What was asked for, as it was given'),
    sites: z.array(siteSchema.extend({ paths: z.array(pathSchema) })),
    scopes: z.array(scopeSchema),
    locks: z.array(
      z.strictObject({
        lock: z.string().describe('Lock class'),
        api: z.enum(['nofs', 'noio']),
        entry: z.string().describe('Where memory reclaim enters, e.g. super_operations.evict_inode'),
        context: z.string().describe('What reclaim does there'),
        chain: z.array(stepSchema),
        choice: z.string().describe('Why the class was chosen or not; empty where it was no candidate'),
        regions: z.array(
          z.strictObject({
            file: z.string(),
            function: z.string(),
            line,
            state: z.enum(['proposed', 'existing', 'no-alloc', 'refused', 'not-chosen']),
            reason: z.string(),
          }),
        ),
      }),
    ),
  })
  .meta({ title: 'gfp-scope explain --format json' });

export type ExplainDocument = z.infer<typeof explainSchema>;

export function explainDocument(explanation: Explanation): ExplainDocument {
  return {
    schema: 'gfp-scope/explain@1',
    tree: treeEntry(explanation.tree),
    target: explanation.asked,
    sites: explanation.sites.map((site) => ({ ...siteEntry(site), paths: site.paths.map(pathEntry) })),
    scopes: explanation.scopes.map(scopeEntry),
    locks: explanation.locks.map((lock) => ({
      lock: lock.lock,
      api: lock.api,
      entry: lock.entry,
      context: lock.context,
      chain: lock.chain.map(stepEntry),
      choice: lock.choice,
      regions: lock.regions.map(({ file, function: name, line, state, reason }) => ({
        file,
        function: name,
        line,
        state,
        reason,
      })),
    })),
  };
}

function pathEntry(path: SitePath): z.infer<typeof pathSchema> {
  return {
    steps: path.steps.map(stepEntry),
    outcome: path.outcome,
    scope: path.scope ?? null,
    locks: [...path.locks],
  };
}

function stepEntry(step: Step): z.infer<typeof stepSchema> {
  return { function: step.function, file: step.file, line: step.line, edge: step.edge ?? null };
}
