import type { Findings } from '../src/analysis/analyze.js';
import type { TightScope } from '../src/analysis/tight-scopes.js';
import type { ScopeRemoval } from '../src/edit/plan.js';
import { unwrapEdits } from '../src/edit/unwrap.js';
import { scopesAround } from './scopes.js';
import type { Transform } from './transform.js';

/**
 * Takes scopes away that are wrapped tightly around a single call, where every path to them is inside of another scope: one of the
 * code, or one that the other transforms open where the lock is taken.
 *
 * Opt-in (`--hoist`). The locks that are held around such a call get their scopes for its sake as they do for a mask. Refuses scopes whose
 * variable has another use, that are not whole lines, or across an `#if`.
 */
export const hoist: Transform = {
  name: 'hoist',
  summary: 'take scopes away that are around a single call, inside of wider ones',
  plan: (findings) => ({ removals: findings.tight.flatMap((scope) => removalOf(scope, findings) ?? []) }),
};

function removalOf(tight: TightScope, findings: Findings): ScopeRemoval | undefined {
  const scopes = scopesAround(tight, findings);
  if (scopes.length === 0) return undefined;
  const { fn, variable, statements, calls, api, id } = tight;
  const [save, , restore] = statements.map((i) => fn.facts.statements[i]!);
  const body = { start: fn.facts.bodyStart, end: fn.facts.end };
  const found = unwrapEdits(findings.source(fn.file.file), body, variable, save!, restore!);
  const last = fn.facts.cfg[calls.at(-1)!]!.op;
  if (!found || last.k !== 'call') return undefined;
  return {
    kind: 'scope',
    file: fn.file.file,
    function: fn.facts.name,
    id,
    api,
    call: last.fn,
    sites: [],
    scopes,
    ...found,
  };
}
