import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Finding } from '../analysis/report.js';
import type { Rule } from '../checks/rule.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import type { Compared } from './check-baseline.js';
import { treeEntry, treeSchema } from './scan-document.js';

const place = { file: z.string().min(1), line: z.int().positive().describe('1-based') };

/** `check --format json`; `docs/check.schema.json` is this schema published. */
export const checkSchema = z
  .strictObject({
    schema: z.literal('gfp-scope/check@1'),
    tree: treeSchema,
    findings: z
      .array(
        z.strictObject({
          rule: z.string().min(1),
          level: z.enum(['error', 'warning', 'note']),
          ...place,
          column: z.int().positive().describe('1-based, in bytes'),
          function: z.string().nullable().describe('null outside functions'),
          message: z.string(),
          related: z
            .array(z.strictObject({ function: z.string(), ...place }))
            .describe(
              'The chain of a possible deadlock, reclaim entry first, or other places that belong to it',
            ),
        }),
      )
      .describe('Those that the baseline does not have, by file, line and column'),
    summary: z.strictObject({
      new: z.int().min(0),
      known: z.int().min(0).describe('Found again of those in the baseline'),
      gone: z.int().min(0).describe('In the baseline, in files asked for, and not found any more'),
    }),
  })
  .meta({ title: 'gfp-scope check --format json' });

export type CheckDocument = z.infer<typeof checkSchema>;

export function checkDocument(tree: KernelTree, { fresh, known, gone }: Compared): CheckDocument {
  return {
    schema: 'gfp-scope/check@1',
    tree: treeEntry(tree),
    findings: fresh.map(({ related, ...finding }) => ({
      ...finding,
      related: related.map(({ function: name, file, line }) => ({ function: name, file, line })),
    })),
    summary: { new: fresh.length, known, gone },
  };
}

/**
 * The findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/): one run, paths relative to `SRCROOT`, columns
 * in bytes as the source is read.
 */
export function checkSarif(rules: readonly Rule[], { fresh }: Compared, version: string): object {
  const location = (one: { file: string; line: number }, more: object = {}) => ({
    physicalLocation: {
      artifactLocation: { uri: one.file.split('/').map(encodeURIComponent).join('/'), uriBaseId: 'SRCROOT' },
      region: { startLine: one.line, ...more },
    },
  });
  const seen = new Map<string, number>();
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'gfp-scope',
            version,
            rules: rules.map(({ id, level, title, help }) => ({
              id,
              shortDescription: { text: `${title}.` },
              help: { text: help },
              defaultConfiguration: { level },
            })),
          },
        },
        originalUriBaseIds: { SRCROOT: { description: { text: 'Top of the tree that was checked.' } } },
        results: fresh.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: rules.findIndex(({ id }) => id === finding.rule),
          level: finding.level,
          message: { text: finding.message },
          locations: [
            {
              ...location(finding, { startColumn: finding.column }),
              ...(finding.function === null
                ? {}
                : { logicalLocations: [{ name: finding.function, kind: 'function' }] }),
            },
          ],
          ...(finding.related.length === 0
            ? {}
            : {
                codeFlows: [
                  {
                    threadFlows: [
                      {
                        locations: finding.related.map((step) => ({
                          location: { ...location(step), message: { text: `${step.function}()` } },
                        })),
                      },
                    ],
                  },
                ],
              }),
          partialFingerprints: { 'gfpScope/v1': fingerprint(finding, seen) },
        })),
      },
    ],
  };
}

/** Equal for the same finding on another line; those that are alike are numbered. */
function fingerprint({ rule, file, function: name, message }: Finding, seen: Map<string, number>): string {
  const key = JSON.stringify([rule, file, name, message]);
  const n = (seen.get(key) ?? 0) + 1;
  seen.set(key, n);
  return createHash('sha256').update(`${key} ${n}`).digest('hex').slice(0, 32);
}
