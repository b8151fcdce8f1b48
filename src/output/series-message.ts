import type { Region, Report, Site, Step } from '../analysis/report.js';
import type { TaskReason } from '../analysis/task-bodies.js';
import { contextPhrase, distinct, lockName, routeText, takesVerb } from '../edit/comment.js';
import { compareText } from '../edit/order.js';
import type { KeptValue, ParameterRemoval, Plan, Removal, ScopePlan, ScopeRemoval } from '../edit/plan.js';
import { wrapText } from './mail.js';
import { counted } from './scan-listing.js';
import type { DowngradeGroup, ScopeGroup } from './series.js';

/** The words of one patch. A paragraph of the body that is indented is a list and is not wrapped. */
export interface Message {
  /** From the one that says most to the one that says least; the first that fits and is not taken is used. */
  readonly subjects: readonly string[];
  readonly body: string;
}

/** The longest line of a message, as scripts/checkpatch.pl counts. */
const WIDTH = 75;

/** A list in a message is no longer; who wants all of it runs `explain`. */
const LONGEST_LIST = 16;

/** How a text names the scopes of a lock: by its field, of a transaction without an article. */
function nameOf({ lock }: Pick<ScopePlan, 'lock'>): string {
  return lockName({ lock, lockText: '' }).replace(/^a /, '');
}

/** How subjects name a lock: the field; then its class, should that be needed to tell two patches apart. */
function lockNames(scope: Pick<ScopePlan, 'lock'>): string[] {
  const name = nameOf(scope);
  return name === scope.lock ? [name] : [name, scope.lock];
}

/** The message of a patch that opens the scopes of one class. */
export function scopeMessage(group: ScopeGroup, prefix: string, report: Report, plan: Plan): Message {
  const scope = group.scopes[0]!;
  const api = scope.api.toUpperCase();
  if (scope.task) return taskMessage(scope, scope.task, prefix, report, plan);
  if (scope.unheeded !== undefined) return unheededMessage(group.scopes, scope.unheeded, prefix);
  if (scope.kept) return transactionMessage(group.scopes, scope.kept, prefix, report, plan);
  const several = group.scopes.length > 1;
  const isLock = takesVerb(scope) === 'takes';
  const subjects = lockNames(scope).map(
    (lock) =>
      `${prefix}: open ${several ? `${api} scopes` : `a ${api} scope`} ${isLock ? `where ${lock} is taken` : `around ${lockName(scope)}`}`,
  );
  subjects.push(`${prefix}: ${api} scopes for ${scope.lock}`);

  const chain = group.scopes.map((s) => s.reclaim).find((c) => c.length > 0) ?? [];
  const verb = takesVerb(scope);
  const paragraphs = [
    `Memory reclaim ${verb} ${scope.lock}${contextPhrase(scope.context)}${chain.length > 0 ? ':' : '.'}`,
  ];
  if (chain.length > 0) paragraphs.push(chainList(chain));

  const covered = coveredBy(group.scopes, report, plan);
  const holder = covered.length > 0 ? scopeOf(covered[0]!, group.scopes) : scope;
  paragraphs.push(
    `${holder.function}() holds ${lockName({ lock: scope.lock, lockText: '' })} across allocations. One that ` +
      `${entersReclaim(scope)} could come back to ` +
      `${chain.length > 0 ? `${chain.at(-1)!.function}()` : 'where reclaim takes it'} and wait there for its own task.`,
  );
  paragraphs.push(
    `Open ${several ? `${api} scopes` : `a ${api} scope`} ${isLock ? 'where the lock is taken' : 'where that begins'}, in:`,
    placeList(group.scopes, report),
  );
  paragraphs.push(...coverage(covered, group.scopes));
  paragraphs.push(...otherRegions(scope, group.scopes, report));
  return { subjects, body: paragraphs.join('\n\n') };
}

/** The message of a patch that opens a scope for as long as a transaction. */
function transactionMessage(
  scopes: readonly ScopePlan[],
  { place }: KeptValue,
  prefix: string,
  report: Report,
  plan: Plan,
): Message {
  const { api, lock, reclaim, context } = scopes[0]!;
  const namesOf = (isStart: boolean): string =>
    sentence(
      [
        ...new Set(
          scopes.flatMap((s) => ((s.kept?.does === 'start') === isStart ? [`${s.function}()`] : [])),
        ),
      ],
      'and',
    );
  const proving = scopes.filter((s) => report.scopes.some(({ id }) => id === s.id));
  return {
    subjects: [
      `${prefix}: run transactions in a ${api.toUpperCase()} scope`,
      `${prefix}: keep a ${api.toUpperCase()} scope in ${lock}`,
    ],
    body: [
      `Memory reclaim starts transactions itself${contextPhrase(context)}:`,
      chainList(reclaim),
      `To start one may mean to wait for those that are open. An allocation in a transaction that ${entersReclaim(scopes[0]!)} ` +
        'could come back there and wait for its own task.',
      `Open a ${api.toUpperCase()} scope for as long as there is a handle: save in ${namesOf(true)}, and restore in ${namesOf(false)}. ` +
        `What the save returned is kept in the handle, as ${/\w+$/.exec(place)![0]}.`,
      ...coverage(coveredBy(proving, report, plan), proving),
    ].join('\n\n'),
  };
}

/** The message of a patch that opens scopes around calls of an allocator that does not honour its mask. */
function unheededMessage(scopes: readonly ScopePlan[], allocator: string, prefix: string): Message {
  const api = scopes[0]!.api.toUpperCase();
  const several = scopes.length > 1;
  const names = [...new Set(scopes.map((scope) => `${scope.function}()`))];
  return {
    subjects: [
      ...(names.length === 1 ? [`${prefix}: open a ${api} scope around ${allocator}() in ${names[0]}`] : []),
      `${prefix}: open ${several ? `${api} scopes` : `a ${api} scope`} around ${allocator}()`,
    ],
    body:
      `${allocator}() allocates the pages with the mask that it is given, but the page tables for them with GFP_KERNEL, whatever the mask ` +
      `says. So GFP_${api} does not keep reclaim from recursing in ${sentence(names, 'and')}.\n\n` +
      `Open ${several ? `${api} scopes` : `a ${api} scope`} around the call${several ? 's' : ''}: every allocation of the task honours that.`,
  };
}

function entersReclaim({ api }: Pick<ScopePlan, 'api'>): string {
  return api === 'nofs' ? 'enters filesystem reclaim' : 'starts IO to reclaim memory';
}

/** The sites that the plan drops inside these scopes, in the order of their places. */
function coveredBy(scopes: readonly ScopePlan[], report: Report, plan: Plan): Site[] {
  const ids = new Set(scopes.map((scope) => scope.id));
  const dropped = new Set(plan.downgrades.map((downgrade) => downgrade.site));
  return report.sites.filter((site) => dropped.has(site.id) && site.scopes.some((id) => ids.has(id)));
}

function scopeOf(site: Site, scopes: readonly ScopePlan[]): ScopePlan {
  return scopes.find((scope) => site.scopes.includes(scope.id)) ?? scopes[0]!;
}

/** Which masks the scopes make redundant, and which of them none. */
function coverage(covered: readonly Site[], scopes: readonly ScopePlan[]): string[] {
  const many = scopes.length > 1;
  if (covered.length === 0) {
    return [
      `No mask is dropped for ${many ? 'these scopes' : 'this scope'} alone: ${many ? 'they make' : 'it makes'} the rule hold ` +
        `wherever ${lockName({ lock: scopes[0]!.lock, lockText: '' })} is held.`,
    ];
  }
  const names = functionsOf(covered);
  const idle = scopes.filter((scope) => !covered.some((site) => site.scopes.includes(scope.id)));
  const paragraphs = [
    `${many ? 'They cover' : 'It covers'} ${counted(covered.length, 'allocation')} that ${
      covered.length === 1 ? 'has' : 'have'
    } a mask of ${covered.length === 1 ? 'its' : 'their'} own today, in ${sentence(names, 'and')}.`,
  ];
  if (idle.length > 0)
    paragraphs.push(
      `Below ${sentence(
        idle.map((scope) => `${scope.function}()`),
        'and',
      )} no mask changes; ${
        idle.length === 1 ? 'the scope is' : 'the scopes are'
      } there for whatever will be called with the lock held.`,
    );
  return paragraphs;
}

/** What of the lock class stays without a new scope in the files of the patch, and why. */
function otherRegions(scope: ScopePlan, scopes: readonly ScopePlan[], report: Report): string[] {
  const files = new Set(scopes.map((s) => s.file));
  const lock = report.locks.find((l) => l.lock === scope.lock && l.api === scope.api);
  const regions = (lock?.regions ?? []).filter((region) => files.has(region.file));
  const among = (state: Region['state']) => [
    ...new Set(regions.filter((region) => region.state === state).map((region) => `${region.function}()`)),
  ];
  const paragraphs: string[] = [];
  const existing = among('existing');
  if (existing.length > 0)
    paragraphs.push(
      `${sentence(existing, 'and')} ${existing.length === 1 ? 'takes' : 'take'} the lock inside a scope already.`,
    );
  const idle = among('no-alloc');
  if (idle.length > 0)
    paragraphs.push(
      `Nothing is allocated with the lock held by ${sentence(idle, 'or')}, which ${
        idle.length === 1 ? 'stays as it is' : 'stay as they are'
      }.`,
    );
  for (const region of regions.filter(({ state }) => state === 'refused'))
    paragraphs.push(`${region.function}() gets none: ${region.reason}.`);
  return paragraphs;
}

/** The message of a scope around the body of a worker or kthread. */
function taskMessage(
  scope: ScopePlan,
  task: TaskReason,
  prefix: string,
  report: Report,
  plan: Plan,
): Message {
  const api = scope.api.toUpperCase();
  const name = `${scope.function}()`;
  const when = contextPhrase(scope.context);
  const last = task.steps.at(-1)?.function;
  const because = {
    waited: [
      `Memory reclaim waits for ${name}${when}:`,
      chainList(task.steps),
      `An allocation in ${name} that ${entersReclaim(scope)} could come back to ${last}() and wait for itself.`,
    ],
    flushed: [
      `${task.by?.function}() waits for ${name} with ${task.on} held, which memory reclaim takes${when}:`,
      chainList(task.steps),
      `An allocation in ${name} that ${entersReclaim(scope)} could wait in ${last}() for the lock, and its holder for ${name}.`,
    ],
    queue: [
      `${name} runs on ${task.on}, which is made with WQ_MEM_RECLAIM: memory reclaim may wait for what is queued there.`,
      placeList(task.steps, report),
    ],
    ends: [
      `${name} ends I/O with ${task.on}:`,
      chainList(task.steps),
      'Memory reclaim waits for pages that are locked or under writeback, so it may wait for this task.',
    ],
  }[task.how];
  const covered = coveredBy([scope], report, plan);
  const masks =
    covered.length === 0
      ? 'no mask in it changes.'
      : `${counted(covered.length, 'allocation')} below it, in ${sentence(functionsOf(covered), 'and')}, ` +
        `${covered.length === 1 ? 'needs no mask of its own' : 'need no masks of their own'} then.`;
  return {
    subjects: [`${prefix}: run ${name} in a ${api} scope`],
    body: [...because, `Run it in a ${api} scope; ${masks}`].join('\n\n'),
  };
}

/** The chain as an indented list, one function a line with its place. */
function chainList(chain: readonly Step[]): string {
  const steps = distinct(chain);
  return rows(
    steps.map(({ function: name, file, line }, i) => [`${i === 0 ? '' : '-> '}${name}()`, `${file}:${line}`]),
  );
}

/** `  function()  file:line`, each function once; the line of a scope is that of its save. */
function placeList(
  places: readonly { id?: string; function: string; file: string; line?: number }[],
  report: Report,
): string {
  const lines = new Map(report.scopes.map((scope) => [scope.id, scope.line]));
  const seen = new Map<string, [string, string]>();
  for (const place of places) {
    const line = place.line ?? lines.get(place.id ?? '');
    const key = `${place.function} ${place.file}`;
    if (!seen.has(key))
      seen.set(key, [`${place.function}()`, `${place.file}${line === undefined ? '' : `:${line}`}`]);
  }
  return rows([...seen.values()]);
}

/** Two columns, indented; a row that would be too wide goes without the alignment, or over two lines. */
function rows(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([left]) => left.length));
  return pairs
    .map(([left, right]) => {
      const aligned = `  ${left.padEnd(width)}  ${right}`;
      if (aligned.length <= WIDTH) return aligned;
      const plain = `  ${left}  ${right}`;
      return plain.length <= WIDTH ? plain : `  ${left}\n      ${right}`;
    })
    .join('\n');
}

function functionsOf(sites: readonly Site[]): string[] {
  return [...new Set(sites.map(({ function: name, file }) => (name === null ? file : `${name}()`)))];
}

/** The message of a patch that drops masks. */
export function downgradeMessage(group: DowngradeGroup, prefix: string, report: Report): Message {
  const byId = new Map(report.sites.map((site) => [site.id, site]));
  const sites = group.downgrades.flatMap((downgrade) => byId.get(downgrade.site) ?? []);
  const flags = [...new Set(sites.map((site) => site.flag))];
  const api = group.needs[0]?.api ?? sites[0]?.api ?? 'nofs';
  const kind = flags.length === 1 ? flags[0]! : api.toUpperCase();
  const flag = flags.length === 1 ? kind : `${kind} masks`;
  const subjects = proofsOf(group, sites, report).map((proof) => `${prefix}: drop ${flag} ${proof}`);
  subjects.push(`${prefix}: drop redundant ${flag}`);
  const paragraphs =
    group.proof === 'lock-free' ? lockFree(sites, kind, group) : entrances(sites, kind, group, report);
  return { subjects, body: paragraphs.join('\n\n') };
}

/** The message of a patch that takes something away which nobody needs any more. */
export function removalMessage(removal: Removal, prefix: string, report: Report, plan: Plan): Message {
  return removal.kind === 'parameter'
    ? parameterMessage(removal, prefix, report)
    : unwrapMessage(removal, prefix, report, plan);
}

function unwrapMessage(
  { function: name, api, call, scopes }: ScopeRemoval,
  prefix: string,
  report: Report,
  plan: Plan,
): Message {
  const fresh = new Map(plan.scopes.map((scope) => [scope.id, scope]));
  const known = new Map(report.scopes.map((scope) => [scope.id, scope]));
  const kinds = new Map<string, string[]>();
  for (const id of scopes) {
    const kind = kindOf(id, fresh, known);
    if (!kind) continue;
    const names = kinds.get(kind.what) ?? [];
    if (!names.includes(`${kind.function}()`)) kinds.set(kind.what, [...names, `${kind.function}()`]);
  }
  const insides = kinds.size > 0 ? insidesOf(kinds) : ['another one'];
  const scope = `${api.toUpperCase()} scope`;
  return {
    subjects: [
      `${prefix}: remove the ${scope} around ${call}() in ${name}()`,
      `${prefix}: remove the ${scope} in ${name}()`,
    ],
    body:
      `${name}() opens a ${scope} around ${call}() alone, which tells nobody what it is that reclaim must not come back to. Every path ` +
      `to it is inside ${sentence(insides, 'or')}, where that is said. Remove the inner one.`,
  };
}

function parameterMessage(
  { function: name, parameter, calls, sites }: ParameterRemoval,
  prefix: string,
  report: Report,
): Message {
  const dropped = new Set(sites);
  const callers = functionsOf(report.sites.filter((site) => dropped.has(site.id)));
  const all =
    calls === 1
      ? `The only call of ${name}() passes`
      : `${calls === 2 ? 'Both' : `All ${calls}`} calls of ${name}() pass`;
  const since =
    sites.length < calls ? ` that ${sentence(callers, 'and')} ${callers.length > 1 ? 'do' : 'does'}` : '';
  return {
    subjects: [
      `${prefix}: remove the ${parameter} parameter of ${name}()`,
      `${prefix}: remove a parameter of ${name}()`,
    ],
    body:
      `${all} GFP_KERNEL now${since}. So the parameter says nothing any more: ` +
      'remove it, and let the function allocate with GFP_KERNEL by itself.\n\nNo functional change.',
  };
}

/** What a subject says of the proof. */
function proofsOf(group: DowngradeGroup, sites: readonly Site[], report: Report): string[] {
  if (group.proof === 'lock-free') return ['where no reclaim lock is held', 'without a lock'];
  if (group.proof === 'existing') {
    const opener = commonOpener(sites, report);
    return [...(opener === undefined ? [] : [`in the scopes of ${opener}()`]), 'inside existing scopes'];
  }
  const scopes = group.needs.length === 1 ? 'scope' : 'scopes';
  const classes = [...new Map(group.needs.map((scope) => [scope.lock, scope])).values()];
  if (classes.every((scope) => scope.task))
    return [
      `in ${sentence(
        classes.map((scope) => `${scope.function}()`),
        'and',
      )}`,
      `inside the new task ${scopes}`,
    ];
  if (classes.every((scope) => scope.kept)) return ['in transactions', 'inside the new transaction scopes'];
  const names = classes.map(lockNames);
  const [only, ...others] = functionsOf(sites);
  return [
    `inside the ${sentence(
      names.map(([name]) => name!),
      'and',
    )} ${scopes}`,
    `inside the ${sentence(
      names.map((forms) => forms.at(-1)!),
      'and',
    )} ${scopes}`,
    ...(only !== undefined && others.length === 0 ? [`in ${only}`] : []),
    `inside the new ${scopes}`,
  ];
}

/** The function, outermost of several, by which all existing scopes around these sites are opened. */
function commonOpener(sites: readonly Site[], report: Report): string | undefined {
  const byId = new Map(report.scopes.map((scope) => [scope.id, scope]));
  const ids = [...new Set(sites.flatMap((site) => site.scopes))];
  const openers = ids.map((id) => (byId.get(id)?.opens ?? []).slice(1).map((step) => step.function));
  return openers[0]?.find((name) => openers.every((names) => names.includes(name)));
}

/** The sites by the scopes that all ways to them lead into, a paragraph for those with the same, and an example of a way. */
function entrances(sites: readonly Site[], flag: string, group: DowngradeGroup, report: Report): string[] {
  const fresh = new Map(group.needs.map((scope) => [scope.id, scope]));
  const known = new Map(report.scopes.map((scope) => [scope.id, scope]));
  const own = new Map<string, Site[]>();
  const entered = new Map<string, { sites: Site[]; kinds: Map<string, string[]> }>();
  for (const site of sites) {
    const kinds = new Map<string, string[]>();
    for (const id of site.scopes) {
      const kind = kindOf(id, fresh, known);
      if (!kind) continue;
      const name = `${kind.function}()`;
      const names = kinds.get(kind.what) ?? [];
      if (!names.includes(name)) kinds.set(kind.what, [...names, name]);
    }
    const [only] = kinds;
    if (only && kinds.size === 1 && only[1].join() === `${site.function}()`) {
      own.set(only[0], [...(own.get(only[0]) ?? []), site]);
      continue;
    }
    const key = [...site.scopes].sort(compareText).join('\n');
    const some = entered.get(key) ?? { sites: [], kinds };
    some.sites.push(site);
    entered.set(key, some);
  }

  const paragraphs: string[] = [];
  for (const { sites, kinds } of entered.values()) {
    const many = sites.length > 1;
    const subject =
      paragraphs.length === 0 ? `The ${flag} allocation${many ? 's' : ''} in` : many ? 'Those in' : 'That in';
    const reached = `${subject} ${sentence(functionsOf(sites), 'and')} ${many ? 'are' : 'is'} reached only inside`;
    const insides = insidesOf(kinds);
    const way = sites.flatMap((site) => site.paths).find(({ steps }) => steps.length > 2);
    const example = way && routeText(distinct(way.steps), 6);
    if (insides.length > 1) {
      paragraphs.push(`${reached}:`, insides.map(listItem).join('\n'));
      if (example !== undefined) paragraphs.push(`For instance ${example}.`);
    } else {
      const lead = many || [...kinds.values()].flat().length > 1 ? ', for instance' : ':';
      paragraphs.push(`${reached} ${insides.join('')}${example === undefined ? '' : `${lead} ${example}`}.`);
    }
  }
  for (const [what, some] of own) {
    const names = functionsOf(some);
    const many = names.length > 1;
    paragraphs.push(
      `${sentence(names, 'and')} ${many ? 'allocate' : 'allocates'} with ${/^NO(?:FS|IO)$/.test(flag) ? `a ${flag} mask` : flag} inside ${
        many ? 'their' : 'its'
      } own ${what}${many ? 's' : ''}.`,
    );
  }
  return paragraphs;
}

/** Which function has a scope, and what kind of scope it is. */
function kindOf(
  id: string,
  fresh: ReadonlyMap<string, ScopePlan>,
  known: ReadonlyMap<string, Report['scopes'][number]>,
): { function: string; what: string } | undefined {
  const added = fresh.get(id);
  if (added?.task) return { function: added.function, what: 'new task scope' };
  if (added) return { function: added.function, what: `new ${nameOf(added)} scope` };
  const scope = known.get(id);
  const opener = scope?.opens[1]?.function ?? `memalloc_${scope?.api}_save`;
  return scope && { function: scope.function, what: `${opener}() scope` };
}

/** The scopes of functions by their kind, in words. */
function insidesOf(kinds: ReadonlyMap<string, readonly string[]>): string[] {
  return [...kinds].map(
    ([what, names]) => `the ${what}${names.length > 1 ? 's' : ''} of ${sentence(names, 'and')}`,
  );
}

/** A point of a list, wrapped with the text below itself. */
function listItem(text: string): string {
  return wrapText(text, WIDTH - 4)
    .replace(/^/gm, '    ')
    .replace(/^ {4}/, '  - ');
}

function lockFree(sites: readonly Site[], flag: string, { needs }: DowngradeGroup): string[] {
  const starts = new Map<string, [string, string]>();
  for (const { steps, outcome } of sites.flatMap((site) => site.paths)) {
    const first = steps[0];
    if (first && outcome === 'lock-free')
      starts.set(`${first.function} ${first.file}`, [`${first.function}()`, first.file]);
  }
  const classes = [...new Set(needs.map(({ lock }) => lock))];
  const others =
    classes.length === 0
      ? 'No path'
      : `Some callers hold ${sentence(classes, 'or')}: these are in a scope now. No other path`;
  const none = `${others} to ${sentence(functionsOf(sites), 'and')} holds a lock that memory reclaim takes, so there is nothing that ${flag} keeps reclaim away from.`;
  const given = [...new Set(sites.flatMap((site) => site.given ?? []))];
  const granted =
    given.length === 0
      ? []
      : [`This takes for granted that no task which may wait for reclaim holds up ${sentence(given, 'or')}.`];
  const shown = starts.size === 0 ? [none] : [`${none} The paths begin in:`, capped([...starts.values()])];
  return [...shown, ...granted];
}

function capped(pairs: readonly [string, string][]): string {
  if (pairs.length <= LONGEST_LIST) return rows(pairs);
  const shown = pairs.slice(0, LONGEST_LIST - 1);
  return `${rows(shown)}\n  and ${pairs.length - shown.length} more`;
}

/** `a, b and c`; of many the first. */
function sentence(words: readonly string[], last: 'and' | 'or'): string {
  if (words.length > LONGEST_LIST)
    return `${words.slice(0, LONGEST_LIST - 1).join(', ')} and ${words.length - LONGEST_LIST + 1} more`;
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
