import { z } from 'zod';
import { type Report, type Scope, type Site, VERDICTS, type Verdict } from '../analysis/report.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import { limitsOf, moduleName } from './module.js';

/**
 * `scan --format json`: the shape, and the value made from a report. `docs/scan.schema.json` is this
 * schema published; a field that is added, renamed or given another meaning is a new version of it.
 */
const line = z.int().positive().describe('1-based');

const place = {
  file: z
    .string()
    .min(1)
    .describe(
      'Path from the top of the kernel tree, with / between the parts; with a module, from the top of that, or behind linux: from the top of the kernel tree',
    ),
  line,
};

const verdict = z.enum(VERDICTS as readonly [Verdict, ...Verdict[]]);

export const siteSchema = z.strictObject({
  id: z.string().min(1).describe('Names the site in this document and for `explain`: file:line:column'),
  ...place,
  column: z.int().positive().describe('1-based, in bytes'),
  function: z.string().nullable().describe('null outside functions'),
  flag: z.string().min(1).describe('Text of the mask: GFP_NOFS, GFP_NOIO, ~__GFP_FS, …'),
  call: z.string().nullable().describe('The call that the mask is an argument of; null if it is none'),
  verdict,
  reason: z.string(),
  scopes: z.array(z.string()).describe('Ids of the scopes that cover the site'),
  kept: z
    .string()
    .describe(
      'Why the mask stays although the verdict would have it dropped; empty if nothing speaks against it',
    ),
});

export const scopeSchema = z.strictObject({
  id: z.string().min(1),
  file: place.file,
  function: z.string(),
  line,
  api: z.enum(['nofs', 'noio']),
  lock: z
    .string()
    .describe('Lock class around which the scope stands, e.g. quota_info.dqio_sem; empty if there is none'),
  kind: z.enum(['lock', 'transaction', 'task', 'vmalloc']),
  state: z.enum(['existing', 'proposed']),
  reclaim: z
    .array(z.strictObject({ function: z.string(), ...place }))
    .describe(
      'Calls from the entry of memory reclaim to the acquire of the lock; empty for an existing scope',
    ),
  opens: z
    .array(z.strictObject({ function: z.string(), ...place }))
    .describe('Calls that open an existing scope, down to the save; empty for a proposed scope'),
});

export const treeSchema = z.strictObject({
  version: z.string().describe('Version of the kernel, e.g. 6.1.192; empty without one'),
  module: z
    .string()
    .nullable()
    .describe("Name of the out-of-tree module's directory, from which paths count; null if there is none"),
  limits: z
    .array(z.string())
    .describe(
      'What is less certain because there is no kernel, or one that is newer than what is known, a sentence each; empty where all is well',
    ),
});

export const scanSchema = z
  .strictObject({
    schema: z.literal('gfp-scope/scan@1'),
    tree: treeSchema,
    sites: z.array(siteSchema),
    scopes: z.array(scopeSchema),
    summary: z.strictObject({
      sites: z.int().nonnegative(),
      byVerdict: z.strictObject(
        Object.fromEntries(VERDICTS.map((name) => [name, z.int().nonnegative()])) as Record<
          Verdict,
          z.ZodInt
        >,
      ),
    }),
  })
  .meta({ title: 'gfp-scope scan --format json' });

export type ScanDocument = z.infer<typeof scanSchema>;

/** The report as the document that `scan --format json` prints, in the report's order. */
export function scanDocument(report: Report): ScanDocument {
  return {
    schema: 'gfp-scope/scan@1',
    tree: treeEntry(report.tree),
    sites: report.sites.map(siteEntry),
    scopes: report.scopes.map(scopeEntry),
    summary: { sites: report.sites.length, byVerdict: countByVerdict(report.sites) },
  };
}

/** What was read, as the documents have it. */
export function treeEntry(tree: KernelTree): z.infer<typeof treeSchema> {
  const module = tree.module === undefined ? null : moduleName(tree.module);
  return { version: tree.version, module, limits: [...limitsOf(tree)] };
}

/** One site as the documents have it. */
export function siteEntry(site: Site): z.infer<typeof siteSchema> {
  return {
    id: site.id,
    file: site.file,
    line: site.line,
    column: site.column,
    function: site.function,
    flag: site.flag,
    call: site.call,
    verdict: site.verdict,
    reason: site.reason,
    scopes: [...site.scopes],
    kept: site.kept,
  };
}

/** One scope as the documents have it. */
export function scopeEntry(scope: Scope): z.infer<typeof scopeSchema> {
  return {
    id: scope.id,
    file: scope.file,
    function: scope.function,
    line: scope.line,
    api: scope.api,
    lock: scope.lock,
    kind: scope.kind,
    state: scope.state,
    opens: scope.opens.map((step) => ({ function: step.function, file: step.file, line: step.line })),
    reclaim: scope.reclaim.map((step) => ({ function: step.function, file: step.file, line: step.line })),
  };
}

/** How many sites have each verdict; zero where none has. */
export function countByVerdict(sites: readonly Site[]): Record<Verdict, number> {
  const counts = Object.fromEntries(VERDICTS.map((name) => [name, 0])) as Record<Verdict, number>;
  for (const site of sites) counts[site.verdict]++;
  return counts;
}
