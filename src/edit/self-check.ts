import { createHash } from 'node:crypto';
import type { Analysis } from '../analysis/api.js';
import { imbalances } from '../analysis/balance.js';
import { withObjects } from '../analysis/error-pointers.js';
import { extractFacts } from '../parse/extract.js';
import type { FileFacts, FunctionFacts } from '../parse/facts.js';
import { createIncludeResolver } from './includes.js';
import { type FileChange, type Plan, planWithout, sizeOf } from './plan.js';
import { EditRefused } from './refusal.js';
import { renderPlan } from './render.js';

/** A function whose edits were thrown away, and why. */
export interface Problem {
  readonly file: string;
  readonly function: string;
  readonly message: string;
}

/**
 * Renders the plan of an analysis and checks the result as `docs/architecture.md` says: it parses as well as before,
 * every save meets one restore of its own variable on every path, no name is shadowed, no allocation whose mask was
 * dropped is outside of a scope, and a second run finds nothing to do. Functions that fail are left out
 * and named; what is returned has passed.
 */
export async function checkedChanges(
  analysis: Analysis,
  readHeader: (file: string) => string | undefined,
): Promise<{ changes: FileChange[]; problems: Problem[] }> {
  const once = analysis.once ?? (async (_, work) => await work());
  const includes = createIncludeResolver(readHeader);
  const problems = new Map<string, Problem>();
  let plan = analysis.plan;
  /** Leaves out the functions that were not left out already; tells whether there were such. */
  const drop = (found: readonly Problem[]): boolean => {
    const fresh = found.filter((p) => !problems.has(placeOfEdit(p)));
    for (const p of fresh) problems.set(placeOfEdit(p), p);
    const left = without(plan, fresh);
    const isLess = sizeOf(left) < sizeOf(plan);
    plan = left;
    return isLess;
  };
  for (;;) {
    let changes: FileChange[];
    try {
      changes = renderPlan(plan, (file) => analysis.source(file), includes);
    } catch (error) {
      if (!(error instanceof EditRefused)) throw error;
      const { file, functionName, reason } = error;
      if (!drop([{ file, function: functionName ?? '', message: reason }])) throw error;
      continue;
    }
    const found =
      changes.length === 0
        ? []
        : await once(`self-check ${digestOf(changes, plan)}`, () => failures(analysis, changes, plan));
    // What is not there can't be left out: a second run finds what was left out again, or more.
    if (!drop(found)) return { changes, problems: [...problems.values()] };
  }
}

function placeOfEdit({ file, function: name }: { file: string; function: string | null }): string {
  return `${file}\0${name ?? ''}`;
}

/** What is wrong with the edited files; with the whole only if each by itself is right. */
async function failures(analysis: Analysis, changes: readonly FileChange[], plan: Plan): Promise<Problem[]> {
  const after = new Map(changes.map((c) => [c.file, extractFacts(c.file, c.after, 'exact')]));
  const local = changes.flatMap((c) => checkFile(c, after.get(c.file)!, plan));
  return local.length > 0 ? local : await analysis.recheck([...after.values()], plan);
}

function digestOf(changes: readonly FileChange[], plan: Plan): string {
  return createHash('sha256')
    .update(JSON.stringify([changes, plan]))
    .digest('hex');
}

/** The plan without what is in the functions named, and without what rests on that. */
export function without(plan: Plan, dropped: readonly Problem[]): Plan {
  const gone = new Set(dropped.map(placeOfEdit));
  return planWithout(plan, (edit) => gone.has(placeOfEdit(edit)));
}

function checkFile(change: FileChange, after: FileFacts, plan: Plan): Problem[] {
  const before = extractFacts(change.file, change.before, 'exact');
  const problems: Problem[] = [];
  const problem = (name: string, message: string): void => {
    problems.push({ file: change.file, function: name, message });
  };
  const edited = new Set<string>();
  for (const edit of [...plan.scopes, ...plan.downgrades, ...plan.removals]) {
    if (edit.file === change.file) edited.add(edit.function ?? '');
  }
  const wholeBefore = before.functions.filter((f) => !f.broken).map((f) => f.name);
  const wholeAfter = after.functions.filter((f) => !f.broken).map((f) => f.name);
  const lostMember = plan.scopes.find(
    ({ kept, lock }) =>
      kept?.file === change.file &&
      !hasMember(after, lock.replace(/^struct /, ''), kept.place.slice(kept.place.search(/\w+$/))),
  );
  if (lostMember) return [{ ...lostMember, message: `the new member of ${lostMember.lock} does not parse` }];
  if (wholeBefore.length !== wholeAfter.length) {
    const lost = wholeBefore.filter((name) => !wholeAfter.includes(name));
    const blamed = lost.filter((name) => edited.has(name));
    for (const name of blamed.length > 0 ? blamed : [...edited])
      problem(name, 'the edited text does not parse');
    return problems;
  }
  const scopes = plan.scopes.filter((s) => s.file === change.file);
  const removals = plan.removals.filter((s) => s.file === change.file);
  const scoped = new Set([...scopes, ...removals].map((s) => s.function));
  for (const fn of after.functions) {
    // Another arm of an `#if` may not parse; that a function which did parses still is seen above.
    if (!scoped.has(fn.name) || fn.broken) continue;
    const was = before.functions.find((f) => f.name === fn.name);
    const objects = scopes.flatMap((s) => (s.function === fn.name ? (s.objects ?? []) : []));
    const known = withObjects(fn, (name) => objects.includes(name));
    const wrong = imbalances(known)[0]?.message ?? shadowed(fn, was);
    if (wrong) problem(fn.name, wrong);
  }
  return problems;
}

function hasMember({ structs }: FileFacts, tag: string, name: string): boolean {
  return structs.some(([of, fields]) => of === tag && fields.some(([field]) => field === name));
}

/** A name that the edit declared must be new to the function. */
function shadowed(fn: FunctionFacts, was: FunctionFacts | undefined): string {
  const old = new Set((was ? [...was.params, ...was.locals] : []).map(([name]) => name));
  const added = fn.locals.map(([name]) => name).filter((name) => !old.has(name));
  const twice = added.find((name, i) => added.indexOf(name) !== i);
  return twice === undefined ? '' : `${twice} is declared twice`;
}
