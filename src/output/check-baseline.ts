import { z } from 'zod';
import type { Finding } from '../analysis/report.js';

const SCHEMA = 'gfp-scope/baseline@1';

/**
 * The findings that were there when the baseline was written. One is known by its rule, file, function and message, which name no
 * line, and by how often it occurs: code may move, and a second one of the same kind is new.
 */
const baselineSchema = z.strictObject({
  schema: z.literal(SCHEMA),
  findings: z.array(
    z.strictObject({
      rule: z.string().min(1),
      file: z.string().min(1),
      function: z.string().nullable(),
      message: z.string(),
      count: z.int().positive(),
    }),
  ),
});

export type Baseline = z.infer<typeof baselineSchema>;

/** Findings held against a baseline. */
export interface Compared {
  /** Those that it does not have, in their order. */
  readonly fresh: readonly Finding[];
  /** How many it has. */
  readonly known: number;
  /** How many of the baseline were not found in the files asked for. */
  readonly gone: number;
}

const keyOf = (one: Pick<Finding, 'rule' | 'file' | 'function' | 'message'>): string =>
  JSON.stringify([one.rule, one.file, one.function, one.message]);

/** Reads the text of a baseline. @throws Error that says what is wrong with it */
export function parseBaseline(text: string): Baseline {
  const parsed = baselineSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${issue!.path.join('.') || 'the document'}: ${issue!.message}`);
}

export function baselineOf(findings: readonly Finding[]): Baseline {
  const counts = new Map<string, Baseline['findings'][number]>();
  for (const finding of findings) {
    const { rule, file, function: name, message } = finding;
    const key = keyOf(finding);
    counts.set(key, { rule, file, function: name, message, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { schema: SCHEMA, findings: sorted.map(([, finding]) => finding) };
}

/** `isAsked` says of a file whether this run has looked at it. */
export function compare(
  findings: readonly Finding[],
  baseline: Baseline | undefined,
  isAsked: (file: string) => boolean,
): Compared {
  const left = new Map((baseline?.findings ?? []).map((finding) => [keyOf(finding), finding.count]));
  const fresh = findings.filter((finding) => {
    const key = keyOf(finding);
    const count = left.get(key) ?? 0;
    if (count > 0) left.set(key, count - 1);
    return count === 0;
  });
  const gone = (baseline?.findings ?? []).reduce(
    (sum, finding) => sum + (isAsked(finding.file) ? left.get(keyOf(finding))! : 0),
    0,
  );
  return { fresh, known: findings.length - fresh.length, gone };
}

/** The baseline with what was found now in the files asked for, and what it had of other files. */
export function updated(
  baseline: Baseline | undefined,
  findings: readonly Finding[],
  isAsked: (file: string) => boolean,
): Baseline {
  const others = (baseline?.findings ?? []).filter(({ file }) => !isAsked(file));
  const all = [...others, ...baselineOf(findings).findings];
  return { schema: SCHEMA, findings: all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) };
}
