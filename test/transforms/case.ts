import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { analyze } from '../../src/analysis/analyze.js';
import { type Analysis, TRANSFORM_NAMES } from '../../src/analysis/api.js';
import { VERDICTS } from '../../src/analysis/report.js';
import { headersOf } from '../../src/cli/work.js';
import { checkedChanges, type Problem } from '../../src/edit/self-check.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** The small kernel tree that every case is put into. */
export const BASE = path.join(FIXTURES, 'lock-scope/base');

/** Where a case's `before.c` stands in that tree. */
export const CASE_FILE = 'fs/examplefs/case.c';

const Expected = z.strictObject({
  options: z
    .strictObject({
      placement: z.enum(['around', 'inside']),
      minimal: z.boolean(),
      transforms: z.array(z.enum(TRANSFORM_NAMES)),
      nolockdep: z.boolean(),
      waits: z.array(
        z.strictObject({
          on: z.string(),
          held: z.strictObject({ takes: z.string(), drops: z.string() }).optional(),
          place: z.string(),
        }),
      ),
    })
    .partial()
    .default({}),
  /** Every site in order; without it each of them is `scopable`. `reason` is a part of the reason given. */
  sites: z
    .array(
      z.strictObject({
        function: z.string().nullable(),
        verdict: z.enum(VERDICTS as [string, ...string[]]),
        reason: z.string().optional(),
      }),
    )
    .optional(),
});

/** The folders of `fixtures/` with cases for transforms. */
export const KINDS = [
  'lock-scope',
  'covered',
  'masks',
  'transaction-scope',
  'task-scope',
  'vmalloc-scope',
  'hoist',
  'plumbing',
  'lock-free',
] as const;

/** A folder in one of these; see the README.md there. */
export interface Case {
  readonly name: string;
  readonly folder: string;
  readonly before: string;
  /** As `before` where nothing is done. */
  readonly after: string;
  /** Other files of the tree that change, as they are afterwards. */
  readonly others: Readonly<Record<string, string>>;
  readonly expected: z.infer<typeof Expected>;
}

export function casesIn(kind: (typeof KINDS)[number]): Case[] {
  const root = path.join(FIXTURES, kind);
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'base')
    .map(({ name }) => readCase(name, path.join(root, name)));
}

function readCase(name: string, folder: string): Case {
  const read = (file: string): string => readFileSync(path.join(folder, file), 'latin1');
  const has = (file: string): boolean => existsSync(path.join(folder, file));
  const before = read('before.c');
  const others: Record<string, string> = {};
  if (has('tree-after')) {
    for (const file of readdirSync(path.join(folder, 'tree-after'), { recursive: true, encoding: 'utf8' }))
      if (/\.[ch]$/.test(file)) others[file] = read(path.join('tree-after', file));
  }
  return {
    name,
    folder,
    before,
    after: has('after.c') ? read('after.c') : before,
    others,
    expected: Expected.parse(has('expected.json') ? JSON.parse(read('expected.json')) : {}),
  };
}

export interface Outcome {
  readonly sites: Analysis['report']['sites'];
  readonly plan: Analysis['plan'];
  readonly problems: readonly Problem[];
  /** The case's file afterwards. */
  readonly after: string;
  /** The other files that change. */
  readonly others: Readonly<Record<string, string>>;
}

/**
 * Puts `text` in the place of the case's `before.c`, and `others` over the tree, and goes the whole way from the
 * tree on disk to the checked changes.
 */
export async function runCase(
  it: Case,
  text: string,
  others: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'gfp-scope-case-')));
  try {
    cpSync(BASE, root, { recursive: true });
    const more = path.join(it.folder, 'tree');
    if (existsSync(more)) cpSync(more, root, { recursive: true });
    for (const [file, content] of Object.entries({ ...others, [CASE_FILE]: text }))
      writeFileSync(path.join(root, file), content, 'latin1');
    const tree = openKernelTree(root);
    const { placement, minimal, transforms, nolockdep, waits } = it.expected.options;
    const analysis = await analyze({
      tree,
      paths: [CASE_FILE],
      jobs: 1,
      ...(placement ? { placement } : {}),
      ...(minimal === undefined ? {} : { minimal }),
      ...(transforms === undefined ? {} : { transforms }),
      ...(nolockdep === undefined ? {} : { nolockdep }),
      ...(waits === undefined
        ? {}
        : { waits: waits.map(({ held, ...one }) => (held ? { ...one, held } : one)) }),
    });
    const { changes, problems } = await checkedChanges(analysis, headersOf(tree));
    const after = new Map(changes.map((change) => [change.file, change.after]));
    const own = after.get(CASE_FILE) ?? text;
    after.delete(CASE_FILE);
    return {
      sites: analysis.report.sites,
      plan: analysis.plan,
      problems,
      after: own,
      others: Object.fromEntries(after),
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
