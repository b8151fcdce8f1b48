import type { ScopePlan } from './plan.js';

/**
 * The order in which scopes get their variables, and in which a series introduces them: those of transactions, which
 * others lie in, then by lock class, then place. Both must agree, so that a patch which adds a class never renames a variable of an earlier one.
 */
export function compareScopes(a: ScopePlan, b: ScopePlan): number {
  return (
    Number(b.kept !== undefined) - Number(a.kept !== undefined) ||
    compareText(a.lock, b.lock) ||
    compareText(a.api, b.api) ||
    compareText(a.file, b.file) ||
    scopeSpan(a).start - scopeSpan(b).start ||
    compareText(a.id, b.id)
  );
}

/** Plain code unit order, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** From the first save or restore of a scope to the last, as offsets of the statements they stand at. */
export function scopeSpan(scope: ScopePlan): { start: number; end: number } {
  const offsets = [...scope.saves, ...scope.restores].map((p) =>
    p.at === 'before' ? p.statement.start : p.statement.end,
  );
  return { start: Math.min(...offsets), end: Math.max(...offsets) };
}
