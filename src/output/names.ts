import type { Report } from '../analysis/report.js';
import type { FileChange, Plan } from '../edit/plan.js';
import { inModule, type KernelTree, MODULE } from '../tree/kernel-tree.js';

/**
 * How files are shown where a module is analysed against a kernel: those of the module by their path in its directory, so
 * that a patch applies there; those of the kernel behind `linux:`. In a kernel tree alone every file is shown as it is named.
 */
const KERNEL = 'linux:';

type OneOf = Pick<KernelTree, 'module'>;

/** The shown form of a tree-relative name, or of an id that begins with one. */
export function shownName(tree: OneOf, name: string): string {
  if (tree.module === undefined) return name;
  return inModule(name) ? name.slice(MODULE.length + 1) || '.' : `${KERNEL}${name}`;
}

/** The name that is shown so. */
export function nameShown(tree: OneOf, shown: string): string {
  if (tree.module === undefined) return shown;
  return shown.startsWith(KERNEL) ? shown.slice(KERNEL.length) : `${MODULE}/${shown}`;
}

export function shownReport(report: Report): Report {
  if (report.tree.module === undefined) return report;
  const name = (one: string): string => shownName(report.tree, one);
  const named = renamed(report, name);
  return {
    ...named,
    // A reason names scopes by their ids.
    sites: report.sites.map((site, i) => {
      const inText = (text: string): string =>
        site.scopes.reduce((out, id) => out.replaceAll(id, name(id)), text);
      return { ...named.sites[i]!, reason: inText(site.reason), kept: inText(site.kept) };
    }),
  };
}

export function shownPlan(tree: OneOf, plan: Plan): Plan {
  return renamed(plan, (name) => shownName(tree, name));
}

export function shownChanges(tree: OneOf, changes: readonly FileChange[]): FileChange[] {
  return changes.map((change) => ({ ...change, file: shownName(tree, change.file) }));
}

/** What turns a part of a shown plan into shown changes, from what does it for names as they are. */
export function shownRenderer(
  tree: OneOf,
  render: (subset: Plan) => FileChange[],
): (subset: Plan) => FileChange[] {
  return (subset) => shownChanges(tree, render(renamed(subset, (name) => nameShown(tree, name))));
}

/** Members of reports and plans that hold a name or id, or a list of ids. */
const NAMES: ReadonlySet<string> = new Set(['file', 'id', 'site', 'scope', 'scopes']);

function renamed<T>(value: T, rename: (name: string) => string): T {
  const walk = (one: unknown, key: string): unknown => {
    if (typeof one === 'string') return NAMES.has(key) ? rename(one) : one;
    if (Array.isArray(one)) return one.map((item) => walk(item, key));
    if (one === null || typeof one !== 'object') return one;
    return Object.fromEntries(Object.entries(one).map(([k, v]) => [k, walk(v, k)]));
  };
  return walk(value, '') as T;
}
