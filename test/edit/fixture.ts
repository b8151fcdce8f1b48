import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { createIncludeResolver, type IncludeResolver } from '../../src/edit/includes.js';
import type { Downgrade, Plan, ScopePlan, ScopePoint, StatementRange } from '../../src/edit/plan.js';

/** Folders of one idiom each, see the README.md there. */
const ROOT = fileURLToPath(new URL('../../fixtures/edit/', import.meta.url));

const Point = z.union([z.strictObject({ before: z.string() }), z.strictObject({ after: z.string() })]);

const PlanFile = z.strictObject({
  /** Path of the file in the tree; its name alone matters to `#include "…"`. */
  file: z.string().default('fs/demo/demo.c'),
  scopes: z
    .array(
      z.strictObject({
        function: z.string(),
        api: z.enum(['nofs', 'noio']).default('nofs'),
        lock: z.string().default('demo_info.log_sem'),
        lockText: z.string().default('&info->log_sem'),
        context: z.string().default('evicting an inode'),
        /** `function` or `function@file`, reclaim entry first. */
        reclaim: z.array(z.string()).default(['demo_evict_inode', 'demo_forget@fs/demo/log.c']),
        saves: z.array(Point),
        restores: z.array(Point),
      }),
    )
    .default([]),
  downgrades: z
    .array(z.strictObject({ function: z.string(), text: z.string(), replacement: z.string() }))
    .default([]),
  /** Headers of the tree by path. Without it the file is taken to get the scope header already. */
  tree: z.record(z.string(), z.string()).optional(),
  /** Where the plan must be refused: the line and the reason. */
  refused: z.strictObject({ line: z.number(), reason: z.string() }).optional(),
});

export interface Fixture {
  readonly name: string;
  readonly file: string;
  readonly before: string;
  readonly after: string | undefined;
  readonly refused: { line: number; reason: string } | undefined;
  /** The plan for a text that differs from `before` at most in its line ends. */
  plan(text: string): Plan;
  includes(text: string): IncludeResolver;
}

export function editFixtures(): Fixture[] {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const read = (file: string): string => readFileSync(join(ROOT, name, file), 'latin1');
      const parsed = PlanFile.parse(JSON.parse(read('plan.json')));
      return {
        name,
        file: parsed.file,
        before: read('before.c'),
        after: existsSync(join(ROOT, name, 'after.c')) ? read('after.c') : undefined,
        refused: parsed.refused,
        plan: (text) => planOf(parsed, text),
        includes: (text) => {
          const { tree } = parsed;
          if (!tree) return { provides: () => true };
          return createIncludeResolver((path) => (path === parsed.file ? text : tree[path]));
        },
      };
    });
}

function planOf(parsed: z.infer<typeof PlanFile>, text: string): Plan {
  const scopes = parsed.scopes.map((scope, i): ScopePlan => {
    const body = bodyOf(text, scope.function);
    const point = (p: z.infer<typeof Point>): ScopePoint =>
      'before' in p
        ? { at: 'before', statement: placeOf(text, body, p.before) }
        : { at: 'after', statement: placeOf(text, body, p.after) };
    return {
      ...scope,
      id: `${parsed.file}:${scope.function}:${scope.lock}#${i + 1}`,
      file: parsed.file,
      body,
      reclaim: scope.reclaim.map((step) => {
        const [name, file = 'fs/demo/demo.c'] = step.split('@');
        return { function: name!, file, line: 1 };
      }),
      saves: scope.saves.map(point),
      restores: scope.restores.map(point),
    };
  });
  const downgrades = parsed.downgrades.map((downgrade): Downgrade => {
    const range = placeOf(text, bodyOf(text, downgrade.function), downgrade.text);
    return {
      ...range,
      site: `${parsed.file}:${range.start}`,
      file: parsed.file,
      function: downgrade.function,
      replacement: downgrade.replacement,
      scopes: scopes.map((s) => s.id),
      transform: 'fixture',
    };
  });
  return { scopes, downgrades, removals: [] };
}

/** The `{…}` of a function whose name stands in a line that begins in the first column. */
export function bodyOf(text: string, name: string): StatementRange {
  const head = new RegExp(`^(?:\\w.*\\W)?${name}\\((?:[^;{}]|\\r?\\n)*?\\)[^;{}]*\\{`, 'm').exec(text);
  if (!head) throw new Error(`no function ${name} in the fixture`);
  const start = head.index + head[0].length - 1;
  const lineEnd = text.indexOf('\n', start);
  if (/\}\r?$/.test(text.slice(start, lineEnd))) return { start, end: text.lastIndexOf('}', lineEnd) + 1 };
  return { start, end: text.indexOf('\n}', start) + 2 };
}

function placeOf(text: string, body: StatementRange, place: string): StatementRange {
  if (place === 'body') return body;
  const [, wanted, nth = '1'] = /^([\s\S]*?)(?:#(\d+))?$/.exec(place)!;
  // Line ends are those of the text.
  const search = text.includes('\r\n') ? wanted!.replaceAll('\n', '\r\n') : wanted!;
  let at = body.start - 1;
  for (let i = 0; i < Number(nth); i++) {
    at = text.indexOf(search, at + 1);
    if (at < 0 || at >= body.end) throw new Error(`'${place}' is not in the function`);
  }
  const again = text.indexOf(search, at + 1);
  if (!place.includes('#') && again >= 0 && again < body.end) throw new Error(`'${place}' is not unique`);
  return { start: at, end: at + search.length };
}
