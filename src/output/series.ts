import type { Report } from '../analysis/report.js';
import { compareScopes, compareText } from '../edit/order.js';
import type { Downgrade, FileChange, Plan, Removal, ScopePlan } from '../edit/plan.js';
import { wrapText } from './mail.js';
import { moduleName } from './module.js';
import { downgradeMessage, type Message, removalMessage, scopeMessage } from './series-message.js';
import { type Grouping, groupingBy } from './subsystem.js';

/** One patch of a series. `changes` apply on top of the patches before it. */
export interface SeriesPatch {
  readonly subject: string;
  /** The commit message below the subject, wrapped; no trailers. */
  readonly body: string;
  readonly changes: FileChange[];
}

/** The patches for one subsystem, a complete series by themselves. */
export interface SeriesPart {
  /** Undefined for what rests on scopes of a subsystem that the file is not of; it comes behind all others. */
  readonly subsystem: string | undefined;
  /** The other parts that have to be there before it, by their subsystems. None for the part of a subsystem. */
  readonly after: readonly string[];
  /** What of the plan its patches do. */
  readonly plan: Plan;
  readonly patches: readonly SeriesPatch[];
}

/** The longest subject without its `[PATCH n/m]`: what scripts/checkpatch.pl and the process documents ask for. */
export const SUBJECT = 75;

/** The scopes of one class in one subsystem. */
export interface ScopeGroup {
  readonly scopes: readonly ScopePlan[];
}

/** Masks of one subsystem that a patch drops. */
export interface DowngradeGroup {
  readonly downgrades: readonly Downgrade[];
  /** The new scopes that prove them, or leave no other path under a lock; empty if existing scopes or the lack of a lock do. */
  readonly needs: readonly ScopePlan[];
  readonly proof: 'new' | 'existing' | 'lock-free';
}

/** The grouping by path alone. */
export function groupingByPath(report: Report): Grouping {
  const { module } = report.tree;
  return groupingBy(
    () => undefined,
    () => [],
    module === undefined ? undefined : moduleName(module),
  );
}

/**
 * Cuts a plan into patches, subsystem by subsystem: the scopes of each lock class, and behind the last class that they need
 * the masks which these make redundant; then those that scopes from before make redundant, and parameters that nobody needs any more. A mask that needs a scope of another
 * subsystem is dropped in a part of its own at the end. So the parts of subsystems can be applied in any order, each may be cut off
 * after any patch, and whatever is applied, each mask that is gone has its scopes.
 *
 * @param render gives the changes to the original files for any part of the plan
 * @returns parts whose changes, one after the other, add up to `render(plan)`; none for an empty plan
 */
export function planSeries(
  plan: Plan,
  render: (subset: Plan) => FileChange[],
  report: Report,
  grouping: Grouping = groupingByPath(report),
): SeriesPart[] {
  const done: Record<'scopes', Set<ScopePlan>> &
    Record<'downgrades', Set<Downgrade>> &
    Record<'removals', Set<Removal>> = {
    scopes: new Set(),
    downgrades: new Set(),
    removals: new Set(),
  };
  const state = new Map<string, string>();
  const used = new Set<string>();
  const subsystemOf = remembered(grouping.subsystemOf);
  const prefixOf = (changes: readonly FileChange[]) => grouping.prefixOf(changes.map((c) => c.file));

  const patchOf = (message: (prefix: string) => Message): SeriesPatch[] => {
    const rendered = render({
      scopes: plan.scopes.filter((scope) => done.scopes.has(scope)),
      downgrades: plan.downgrades.filter((downgrade) => done.downgrades.has(downgrade)),
      removals: plan.removals.filter((removal) => done.removals.has(removal)),
    });
    const changes: FileChange[] = [];
    for (const { file, before, after } of rendered) {
      const previous = state.get(file) ?? before;
      if (previous !== after) changes.push({ file, before: previous, after });
      state.set(file, after);
    }
    if (changes.length === 0) return [];
    const { subjects, body } = message(prefixOf(changes));
    const fitting = subjects.filter((s) => s.length <= SUBJECT);
    const subject = fitting.find((s) => !used.has(s)) ?? fitting[0] ?? shortened(subjects.at(-1)!);
    used.add(subject);
    return [{ subject, body: wrapText(body), changes }];
  };

  return partsOf(plan, subsystemOf).map((part) => {
    const groups = scopeGroups(part.plan.scopes);
    const downgrades = downgradeGroups(part.plan, plan, groups, subsystemOf);
    const patches: SeriesPatch[] = [];
    const drop = (place: number): void => {
      for (const group of downgrades.get(place) ?? []) {
        for (const downgrade of group.downgrades) done.downgrades.add(downgrade);
        patches.push(...patchOf((prefix) => downgradeMessage(group, prefix, report)));
      }
    };
    for (const [i, group] of groups.entries()) {
      for (const scope of group.scopes) done.scopes.add(scope);
      patches.push(...patchOf((prefix) => scopeMessage(group, prefix, report, plan)));
      drop(i);
    }
    drop(-1);
    for (const removal of part.plan.removals) {
      done.removals.add(removal);
      patches.push(...patchOf((prefix) => removalMessage(removal, prefix, report, plan)));
    }
    return { ...part, patches };
  });
}

function remembered(ask: (file: string) => string): (file: string) => string {
  const known = new Map<string, string>();
  return (file) => {
    const answer = known.get(file) ?? ask(file);
    known.set(file, answer);
    return answer;
  };
}

/** The parts without their patches, those of subsystems by name. */
function partsOf(
  plan: Plan,
  subsystemOf: (file: string) => string,
): Pick<SeriesPart, 'subsystem' | 'after' | 'plan'>[] {
  const scopes = new Map(plan.scopes.map((scope) => [scope.id, scope]));
  interface Part extends Plan {
    readonly scopes: ScopePlan[];
    readonly downgrades: Downgrade[];
    readonly removals: Removal[];
  }
  const parts = new Map<string, Part>();
  const partFor = (file: string) => {
    const subsystem = subsystemOf(file);
    const part = parts.get(subsystem) ?? { scopes: [], downgrades: [], removals: [] };
    parts.set(subsystem, part);
    return part;
  };
  for (const scope of plan.scopes) partFor(scope.file).scopes.push(scope);
  const across: Downgrade[] = [];
  const after = new Set<string>();
  for (const downgrade of plan.downgrades) {
    const needs = downgrade.scopes.flatMap((id) => scopes.get(id)?.file ?? []).map(subsystemOf);
    const own = subsystemOf(downgrade.file);
    if (needs.every((subsystem) => subsystem === own)) partFor(downgrade.file).downgrades.push(downgrade);
    else {
      across.push(downgrade);
      // Its file is edited by the part of its subsystem first.
      for (const subsystem of [...needs, own]) after.add(subsystem);
    }
  }
  // One that needs a mask which is dropped at the end comes behind that.
  const late = new Set(across.map(({ site }) => site));
  const behind = plan.removals.filter(
    (removal) =>
      removal.sites.some((site) => late.has(site)) ||
      removal.scopes.some((id) => {
        const file = scopes.get(id)?.file;
        return file !== undefined && subsystemOf(file) !== subsystemOf(removal.file);
      }),
  );
  for (const { file, scopes: needs } of behind)
    for (const other of [file, ...needs.flatMap((id) => scopes.get(id)?.file ?? [])])
      after.add(subsystemOf(other));
  for (const removal of plan.removals)
    if (!behind.includes(removal)) partFor(removal.file).removals.push(removal);
  const sorted = [...parts].sort(([a], [b]) => compareText(a, b));
  const named = sorted.map(([subsystem, part]) => ({ subsystem, after: [], plan: part }));
  if (across.length === 0 && behind.length === 0) return named;
  const before = sorted.map(([subsystem]) => subsystem).filter((subsystem) => after.has(subsystem));
  return [
    ...named,
    { subsystem: undefined, after: before, plan: { scopes: [], downgrades: across, removals: behind } },
  ];
}

/** The beginning of a subject that is too long, up to a word that fits. */
export function shortened(subject: string): string {
  const cut = subject.slice(0, SUBJECT + 1);
  return cut.length <= SUBJECT ? cut : cut.slice(0, Math.max(cut.lastIndexOf(' '), 1)).slice(0, SUBJECT);
}

/** Class by class in the order of the renderer's variables, see `compareScopes`. */
function scopeGroups(scopes: readonly ScopePlan[]): ScopeGroup[] {
  const groups = new Map<string, ScopePlan[]>();
  for (const scope of [...scopes].sort(compareScopes)) {
    const key = `${scope.lock}\n${scope.api}`;
    const group = groups.get(key);
    if (group) group.push(scope);
    else groups.set(key, [scope]);
  }
  return [...groups.values()].map((scopes) => ({ scopes }));
}

/** The masks of a part by the place of the last group of scopes that they need; -1 for those that need none of the part. */
function downgradeGroups(
  part: Plan,
  plan: Plan,
  order: readonly ScopeGroup[],
  subsystemOf: (file: string) => string,
): Map<number, DowngradeGroup[]> {
  const places = new Map(order.flatMap((group, i) => group.scopes.map((scope) => [scope.id, i] as const)));
  const scopes = new Map(plan.scopes.map((scope) => [scope.id, scope]));
  const groups = new Map<
    string,
    Omit<DowngradeGroup, 'needs'> & {
      readonly downgrades: Downgrade[];
      readonly subsystem: string;
      readonly last: number;
      readonly found: Set<ScopePlan>;
    }
  >();
  for (const downgrade of part.downgrades) {
    const needs = downgrade.scopes.flatMap((id) => scopes.get(id) ?? []);
    const last = Math.max(-1, ...needs.map((scope) => places.get(scope.id) ?? -1));
    const isFree = downgrade.transform === 'lock-free';
    const proof = isFree ? 'lock-free' : needs.length > 0 ? 'new' : 'existing';
    const subsystem = subsystemOf(downgrade.file);
    const key = [last, proof, subsystem].join('\n');
    let group = groups.get(key);
    if (!group) {
      group = { downgrades: [], proof, subsystem, last, found: new Set() };
      groups.set(key, group);
    }
    group.downgrades.push(downgrade);
    for (const scope of needs) group.found.add(scope);
  }
  const proofs = ['new', 'existing', 'lock-free'];
  const sorted = [...groups.values()].sort(
    (a, b) => proofs.indexOf(a.proof) - proofs.indexOf(b.proof) || compareText(a.subsystem, b.subsystem),
  );
  const byPlace = new Map<number, DowngradeGroup[]>();
  for (const { downgrades, proof, last, found } of sorted) {
    const needs = plan.scopes.filter((scope) => found.has(scope)).sort(compareScopes);
    byPlace.set(last, [...(byPlace.get(last) ?? []), { downgrades, proof, needs }]);
  }
  return byPlace;
}
