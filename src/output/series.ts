import type { Report, Site, Step } from '../analysis/report.js';
import type { TaskReason } from '../analysis/task-bodies.js';
import { contextPhrase, distinct, lockName, takesVerb } from '../edit/comment.js';
import { compareScopes, compareText } from '../edit/order.js';
import type { Downgrade, FileChange, Plan, ScopePlan } from '../edit/plan.js';
import { wrapText } from './mail.js';
import { moduleName } from './module.js';
import { subjectPrefix, subsystemOf } from './subsystem.js';

/** One patch of a series. `changes` apply on top of the patches before it. */
export interface SeriesPatch {
  readonly subject: string;
  /** The commit message below the subject, wrapped; no sign-off. */
  readonly body: string;
  readonly changes: FileChange[];
}

/** The longest subject without its `[PATCH n/m]`: what scripts/checkpatch.pl and the process documents ask for. */
const SUBJECT = 75;

interface ScopeGroup {
  readonly subsystem: string;
  readonly scopes: ScopePlan[];
}

interface DowngradeGroup {
  readonly subsystem: string;
  readonly downgrades: Downgrade[];
  /** The new scopes that prove them; empty if existing scopes or the lack of a lock do. */
  readonly needs: readonly ScopePlan[];
  readonly proof: 'new' | 'existing' | 'lock-free';
}

/**
 * Cuts a plan into patches: the scopes of each lock class in each subsystem, and behind the last scope
 * that they need the flags which these make redundant, by subsystem too.
 *
 * @param render gives the changes to the original files for any part of the plan
 * @returns patches whose changes, one after the other, add up to `render(plan)`; none for an empty plan
 */
export function planPatches(
  plan: Plan,
  render: (subset: Plan) => FileChange[],
  report: Report,
): SeriesPatch[] {
  const module = report.tree.module === undefined ? undefined : moduleName(report.tree.module);
  const groups = scopeGroups(plan.scopes, module);
  const order = new Map(groups.flatMap((group, i) => group.scopes.map((scope) => [scope.id, i] as const)));
  const downgrades = downgradeGroups(plan, order, module);
  const done: { scopes: Set<ScopePlan>; downgrades: Set<Downgrade> } = {
    scopes: new Set(),
    downgrades: new Set(),
  };
  const state = new Map<string, string>();
  const patches: SeriesPatch[] = [];
  const add = (text: (files: readonly string[]) => { subjects: string[]; body: string }): void => {
    const rendered = render({
      scopes: plan.scopes.filter((scope) => done.scopes.has(scope)),
      downgrades: plan.downgrades.filter((downgrade) => done.downgrades.has(downgrade)),
    });
    const changes: FileChange[] = [];
    for (const { file, before, after } of rendered) {
      const previous = state.get(file) ?? before;
      if (previous !== after) changes.push({ file, before: previous, after });
      state.set(file, after);
    }
    if (changes.length === 0) return;
    const { subjects, body } = text(changes.map((c) => c.file));
    const used = new Set(patches.map((p) => p.subject));
    const fitting = subjects.filter((s) => s.length <= SUBJECT);
    const subject = fitting.find((s) => !used.has(s)) ?? fitting[0] ?? shortened(subjects.at(-1)!);
    patches.push({ subject, body: wrapText(body), changes });
  };

  for (const [i, group] of groups.entries()) {
    for (const scope of group.scopes) done.scopes.add(scope);
    add((files) => scopeText(group, subjectPrefix(files, module)));
    for (const group of downgrades.get(i) ?? []) {
      for (const downgrade of group.downgrades) done.downgrades.add(downgrade);
      add((files) => downgradeText(group, subjectPrefix(files, module), report));
    }
  }
  for (const group of downgrades.get(-1) ?? []) {
    for (const downgrade of group.downgrades) done.downgrades.add(downgrade);
    add((files) => downgradeText(group, subjectPrefix(files, module), report));
  }
  return patches;
}

function shortened(subject: string): string {
  const cut = subject.slice(0, SUBJECT + 1);
  return cut.length <= SUBJECT ? cut : cut.slice(0, Math.max(cut.lastIndexOf(' '), 1)).slice(0, SUBJECT);
}

/** In the order of the renderer's variables, see `compareScopes`: class by class, then by subsystem. */
function scopeGroups(scopes: readonly ScopePlan[], module: string | undefined): ScopeGroup[] {
  const groups = new Map<string, ScopeGroup>();
  const bySubsystem = (a: ScopePlan, b: ScopePlan): number =>
    compareText(a.lock, b.lock) ||
    compareText(a.api, b.api) ||
    compareText(subsystemOf(a.file, module), subsystemOf(b.file, module)) ||
    compareScopes(a, b);
  for (const scope of [...scopes].sort(bySubsystem)) {
    const subsystem = subsystemOf(scope.file, module);
    const key = [scope.lock, scope.api, subsystem].join('\n');
    const group = groups.get(key);
    if (group) group.scopes.push(scope);
    else groups.set(key, { subsystem, scopes: [scope] });
  }
  return [...groups.values()];
}

/** By the place in the series of the last scope that they need; -1 for those that need none of it. */
function downgradeGroups(
  plan: Plan,
  order: ReadonlyMap<string, number>,
  module: string | undefined,
): Map<number, DowngradeGroup[]> {
  const scopes = new Map(plan.scopes.map((scope) => [scope.id, scope]));
  const groups = new Map<string, DowngradeGroup & { last: number; found: Set<ScopePlan> }>();
  for (const downgrade of plan.downgrades) {
    const needs = downgrade.scopes.flatMap((id) => scopes.get(id) ?? []);
    const last = Math.max(-1, ...needs.map((scope) => order.get(scope.id)!));
    const proof = needs.length > 0 ? 'new' : downgrade.scopes.length > 0 ? 'existing' : 'lock-free';
    const subsystem = subsystemOf(downgrade.file, module);
    const key = [last, proof, subsystem].join('\n');
    let group = groups.get(key);
    if (!group) {
      group = { subsystem, downgrades: [], needs: [], proof, last, found: new Set() };
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
  for (const group of sorted) {
    const needs = plan.scopes.filter((scope) => group.found.has(scope));
    byPlace.set(group.last, [...(byPlace.get(group.last) ?? []), { ...group, needs }]);
  }
  return byPlace;
}

/** How a subject names a lock: the field; then its class, should that be needed to tell two patches apart. */
function lockNames(scope: ScopePlan): string[] {
  const name = lockName({ lock: scope.lock, lockText: '' });
  return name === scope.lock ? [name] : [name, scope.lock];
}

function scopeText(group: ScopeGroup, prefix: string): { subjects: string[]; body: string } {
  const scope = group.scopes[0]!;
  const api = scope.api.toUpperCase();
  const several = group.scopes.length > 1;
  if (scope.task) return taskText(scope, scope.task, prefix);
  const taken = takesVerb(scope) === 'takes' ? 'is taken' : 'is begun';
  const subjects = lockNames(scope).map(
    (lock) => `${prefix}: open ${several ? `${api} scopes` : `a ${api} scope`} where ${lock} ${taken}`,
  );
  subjects.push(`${prefix}: ${api} scopes for ${scope.lock}`);

  const chain = group.scopes.map((s) => s.reclaim).find((c) => c.length > 0) ?? [];
  const verb = takesVerb(scope);
  const danger =
    scope.api === 'nofs'
      ? 'enters filesystem reclaim can therefore end up waiting for the lock that its own task holds'
      : 'starts IO to reclaim memory can therefore end up waiting for the lock that its own task holds';
  const paragraphs = [
    `Memory reclaim ${verb} ${scope.lock}${contextPhrase(scope.context)}${chain.length > 0 ? ':' : '.'}`,
  ];
  if (chain.length > 0) paragraphs.push(chainText(chain));
  paragraphs.push(
    `An allocation under it which ${danger}. Open a ${api} scope around the regions that take it, so that ` +
      `every allocation inside, in whatever function, is implicitly GFP_${api}, and say there why.`,
    several ? 'The regions are in:' : 'The region is in:',
    placeList(group.scopes),
  );
  return { subjects, body: paragraphs.join('\n\n') };
}

/** The message of a scope around the body of a worker or kthread. */
function taskText(scope: ScopePlan, task: TaskReason, prefix: string): { subjects: string[]; body: string } {
  const api = scope.api.toUpperCase();
  const name = `${scope.function}()`;
  const danger = scope.api === 'nofs' ? 'enter filesystem reclaim' : 'start IO to reclaim memory';
  const when = contextPhrase(scope.context);
  const because = {
    waited: [`Memory reclaim waits for ${name}${when}:`, chainText(task.steps)],
    flushed: [
      `${task.by?.function}() waits for ${name} with ${task.on} held, which memory reclaim takes${when}:`,
      chainText(task.steps),
    ],
    queue: [
      `${name} runs on ${task.on}, which is made with WQ_MEM_RECLAIM: memory reclaim may wait for what is queued there.`,
      placeList(task.steps),
    ],
  }[task.how];
  const body = [
    ...because,
    `An allocation in it must not ${danger} therefore. Run it in a ${api} scope, so that every allocation inside, in ` +
      `whatever function, is implicitly GFP_${api}, and say there why.`,
  ];
  return { subjects: [`${prefix}: run ${name} in a ${api} scope`], body: body.join('\n\n') };
}

/** The chain as an indented list, one function a line with its file. */
function chainText(chain: readonly Step[]): string {
  const steps = distinct(chain);
  const names = steps.map((step, i) => `${i === 0 ? '' : '-> '}${step.function}()`);
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name, i) => `  ${name.padEnd(width)}  ${steps[i]!.file}`).join('\n');
}

/** `  function()  file`, each function once. */
function placeList(places: readonly { function: string | null; file: string }[], note = ''): string {
  const names = [
    ...new Set(places.map((p) => `${p.function === null ? '(file)' : `${p.function}()`}\n${p.file}`)),
  ];
  const rows = names.map((name) => name.split('\n') as [string, string]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, file]) => `  ${name.padEnd(width)}  ${file}${note}`).join('\n');
}

function downgradeText(
  group: DowngradeGroup,
  prefix: string,
  report: Report,
): { subjects: string[]; body: string } {
  const sites = new Map(report.sites.map((site) => [site.id, site]));
  const flags = [...new Set(group.downgrades.map((d) => sites.get(d.site)?.flag))];
  const known = flags.length === 1 ? flags[0] : undefined;
  const api = group.needs[0]?.api ?? sites.get(group.downgrades[0]!.site)?.api ?? 'nofs';
  const flag = known ?? `${api.toUpperCase()} masks`;
  const locks = [...new Set(group.needs.map((scope) => scope.lock))];
  const proofs: string[] = [];
  let because: string;
  if (group.proof === 'new') {
    if (locks.length === 1)
      for (const name of lockNames(group.needs[0]!)) proofs.push(`inside the ${name} scopes`);
    proofs.push('inside the new scopes');
    const scopes = group.needs.some((s) => s.task) ? 'one of the scopes of' : 'a scope on';
    because = `Every known path to these allocations is now inside ${scopes} ${sentenceList(locks)}`;
  } else if (group.proof === 'existing') {
    proofs.push('inside existing scopes');
    because = 'Every known path to these allocations is inside a scope that is there already';
  } else {
    proofs.push('where no reclaim lock is held', 'without a lock');
    because = 'No known path to these allocations holds a lock that memory reclaim takes';
  }
  const subjects = proofs.map((proof) => `${prefix}: drop ${flag} ${proof}`);
  subjects.push(`${prefix}: drop redundant ${flag}`);
  const redundant =
    group.proof === 'lock-free'
      ? 'so there is nothing that the mask keeps reclaim away from.'
      : 'so the mask at the call says nothing more. The reason for it is told once, where the scope opens.';
  const rows = group.downgrades.map((d) => ({
    place: `${d.function === null ? '(file)' : `${d.function}()`}  ${d.file}`,
    what: `${sites.get(d.site)?.flag ?? 'mask'} -> ${d.replacement}`,
  }));
  const count = new Map<string, number>();
  for (const row of rows) {
    const key = `  ${row.place}\n      ${row.what}`;
    count.set(key, (count.get(key) ?? 0) + 1);
  }
  const list = [...count].map(([key, n]) => (n === 1 ? key : `${key}, ${n} times`)).join('\n');
  return { subjects, body: `${because}, ${redundant}\n\n${list}` };
}

function sentenceList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** The text of the cover letter: why, a table of the lock classes, what stays. */
export function seriesCover(plan: Plan, report: Report): { subject: string; body: string } {
  const files = [...new Set([...plan.scopes, ...plan.downgrades].map((edit) => edit.file))].sort(compareText);
  const module = report.tree.module === undefined ? undefined : moduleName(report.tree.module);
  const subsystems = [...new Set(files.map((file) => subsystemOf(file, module)))];
  const prefix = subsystems.length === 1 ? subjectPrefix(files, module) : commonFolder(subsystems);
  const apis = [...new Set(plan.scopes.map((scope) => scope.api.toUpperCase()))];
  const subject = shortened(
    plan.scopes.length > 0
      ? `${prefix}: open ${apis.join(' and ')} scopes where reclaim's locks are taken`
      : `${prefix}: drop allocation masks that scopes make redundant`,
  );
  const downgraded = new Set(plan.downgrades.map((d) => d.site));
  const header = ['lock class', 'api', 'scopes', 'sites before', 'after'];
  const rows = scopeClasses(plan.scopes).map(([lock, api, scopes]) => {
    const ids = new Set(scopes.map((s) => s.id));
    const under = report.sites.filter((site: Site) => site.scopes.some((id) => ids.has(id)));
    const left = under.filter((site) => !downgraded.has(site.id));
    return [lock, api.toUpperCase(), scopes.length, under.length, left.length].map(String);
  });
  const total = report.sites.length;
  const paragraphs = [
    'A mask at an allocating call cannot say what it is there for: GFP_NOFS and GFP_NOIO protect a lock that ' +
      'memory reclaim takes too, and the lock is often taken far up the call chain. The scope API says it where ' +
      'the lock is taken (Documentation/core-api/gfp_mask-from-fs-io.rst), and holds for every allocation below.',
  ];
  if (rows.length > 0) {
    paragraphs.push(
      'This series opens scopes for these lock classes, then drops the masks that they make redundant. ' +
        '"Sites" are the masks in the files looked at that are inside these scopes:',
      table([header, ...rows]),
    );
  } else paragraphs.push('This series drops the masks that are redundant.');
  paragraphs.push(
    `Of ${total} site${total === 1 ? '' : 's'} in all, ${downgraded.size} ${downgraded.size === 1 ? 'is' : 'are'} ` +
      `converted and ${total - downgraded.size} ${total - downgraded.size === 1 ? 'stays' : 'stay'}.`,
  );
  return { subject, body: wrapText(paragraphs.join('\n\n')) };
}

function scopeClasses(scopes: readonly ScopePlan[]): [string, ScopePlan['api'], ScopePlan[]][] {
  const classes = new Map<string, [string, ScopePlan['api'], ScopePlan[]]>();
  for (const scope of [...scopes].sort(compareScopes)) {
    const key = `${scope.lock}\n${scope.api}`;
    const known = classes.get(key);
    if (known) known[2].push(scope);
    else classes.set(key, [scope.lock, scope.api, [scope]]);
  }
  return [...classes.values()];
}

function commonFolder(subsystems: readonly string[]): string {
  const tops = new Set(subsystems.map((s) => s.split('/')[0]!));
  return tops.size === 1 ? [...tops][0]! : 'treewide';
}

/** Columns of text on the left, of numbers on the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)));
      return `  ${cells.join('  ').trimEnd()}`;
    })
    .join('\n');
}
