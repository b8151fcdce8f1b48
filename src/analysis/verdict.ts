import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { OF_A_FILESYSTEM_TYPE } from '../kernel/layers.js';
import type { Api } from '../kernel/types.js';
import type { Skipped } from '../tree/files.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import type { Findings, Question } from './analyze.js';
import { isCovered, scopesOver } from './choice.js';
import {
  Cover,
  existingScopeId,
  type HeldOnEntry,
  lockOfScope,
  type OpenScope,
  scopeId,
} from './coverage.js';
import { conditionalScopesFor, isUnknown, scopesFor } from './locks.js';
import type { Chains, ReclaimChain } from './reclaim.js';
import {
  MAX_PATHS,
  type ReclaimLock,
  type Region,
  type Report,
  type Scope,
  type Site,
  type SitePath,
  type Step,
  type Verdict,
} from './report.js';
import { editOf, type LocatedSite, partsOf, siteId } from './sites.js';
import { heldIn, plainName, type Strangers } from './strangers.js';
import { transactionId } from './transactions.js';
import { holdsOwn } from './under-locks.js';

/** The same function each time it is asked for with the same arguments. */
function once<A extends string[], T>(make: (...args: A) => T): (...args: A) => T {
  const made = new Map<string, T>();
  return (...args) => {
    const key = args.join(' ');
    let found = made.get(key);
    if (found === undefined) {
      found = make(...args);
      made.set(key, found);
    }
    return found;
  };
}

/** A lock, with the part of the kernel that holds it if it has a class for each type of filesystem. */
function nameOf(lock: string, fn: Fn): string {
  return OF_A_FILESYSTEM_TYPE.test(lock) ? heldIn(lock, fn.group) : lock;
}

/** Gives what is to be said of a site, for findings with any more lock classes: what does not depend on these is found out once. */
export function judging(findings: Findings): (chosen: Findings) => (site: LocatedSite) => Judgement {
  const { index, callers, locks, tasks, servers, strangers } = findings;
  const idOf = (node: number): number => callers.functionOf(node).id;
  // What is found out for one of these is kept: each is to be the same function for both kinds of masks.
  const kept = new Map<string, (node: number) => boolean>();
  const ends: Ends = {
    isRoot: (node) => callers.isRoot(node),
    isKept: ({ api, fn }) => {
      const group = api === 'nofs' ? (fn?.group ?? '') : '';
      let found = kept.get(group);
      if (!found) {
        const mayHold = strangers.mayHoldLocksOf(group);
        found = (node) => {
          const id = idOf(node);
          return (
            index.escaped.has(id) && tasks.startedAs(id) === undefined && mayHold(callers.functionOf(node))
          );
        };
        kept.set(group, found);
      }
      return found;
    },
  };
  const isNear = once((group: string) => (node: number) => servers.isNear(callers.functionOf(node), group));
  const surroundings = new Map(
    questionsOf(findings).map((question) => {
      const { api, dangers, choice, existing } = question;
      const unknown = new Map<string, readonly string[]>();
      const interesting = (lock: string, fn: Fn): readonly string[] => {
        if (!isUnknown(lock)) {
          if (dangers.chains(lock).length === 0) return [];
          return [nameOf(lock, fn)];
        }
        if (api === 'noio') return [lock];
        const key = `${fn.id} ${lock}`;
        let found = unknown.get(key);
        if (!found) {
          found = strangers.classesOf(fn, lock);
          unknown.set(key, found);
        }
        return found;
      };
      const best = choice.best.heldOnEntry(interesting);
      const partOf = (task: Fn, group: string): Part | undefined => {
        if (tasks.startedAs(task.id) === undefined) return undefined;
        if (api === 'noio') return 'obstacle';
        if (!servers.maySleep(task)) return task.group === group ? 'obstacle' : undefined;
        const body = question.regions.body(task);
        if (body?.state === 'placeable') return 'scope';
        return body || task.group === group || servers.mayServe(task) ? 'obstacle' : undefined;
      };
      const started = once((part: Part | 'any', group: string) => (node: number) => {
        const fn = callers.functionOf(node);
        const found = partOf(fn, group);
        return part === 'any' ? found !== undefined : found === part;
      });
      const before = new Cover(callers, locks, existing);
      return [api, { ...ends, strangers, before, best, interesting, started, isNear }] as const;
    }),
  );
  return (chosen) => {
    const above = new Map(
      questionsOf(chosen).map((question): [Api, Above] => {
        const around = surroundings.get(question.api)!;
        const { cover } = question.choice;
        const any = once((): Held => {
          const named = (lock: string, fn: Fn): readonly string[] =>
            isUnknown(lock) || !holdsOwn(fn) ? [] : [nameOf(lock, fn)];
          return { interesting: named, onEntry: cover.heldOnEntry(named) };
        });
        return [question.api, { ...around, question, now: cover.heldOnEntry(around.interesting), any }];
      }),
    );
    return (site) =>
      partsOf(site)
        .map((part) => judge(part, chosen, above.get(site.api)!))
        .reduce(both);
  };
}

function questionsOf({ nofs, noio }: Findings): Question[] {
  return noio ? [nofs, noio] : [nofs];
}

/** Turns findings into the report: a verdict with a reason and paths for every site. */
export function buildReport(
  tree: KernelTree,
  findings: Findings,
  judgementOf: (site: LocatedSite) => Judgement,
  skipped: readonly Skipped[],
): Report {
  const { index } = findings;
  const questions = questionsOf(findings);
  const existingIds = new Map<string, Scope>();
  const seen = (id: string, fn: Fn): void => {
    if (existingIds.has(id)) return;
    existingIds.set(id, {
      id,
      file: fn.file.file,
      function: fn.facts.name,
      line: Number(id.slice(id.lastIndexOf(':') + 1)),
      api: apiOf(findings, fn, id),
      lock: '',
      kind: 'lock',
      state: 'existing',
      reclaim: [],
      opens: opensOf(findings, fn, id),
    });
  };

  const sites = findings.sites.map((site): Site => {
    const { isStuck: _, ...judged } = judgementOf(site);
    for (const path of judged.paths) {
      if (path.outcome !== 'existing' || path.scope === undefined || existingIds.has(path.scope)) continue;
      // Mostly the first step; a callee on the way where it opens the scope for its caller.
      const fns = path.steps.flatMap((step) => index.names.lookup(step.function, step.file).slice(0, 1));
      const fn = fns.find((f) => opensOf(findings, f, path.scope!).length > 0) ?? fns[0];
      if (fn) seen(path.scope, fn);
    }
    const fn = site.fn;
    return {
      id: siteId(site),
      file: site.file.file,
      line: site.line,
      column: site.column,
      start: site.facts.start,
      end: site.facts.end,
      edit: editOf(index, site) ?? null,
      function: fn ? fn.facts.name : null,
      flag: site.facts.flag,
      api: site.api,
      call: site.facts.call === '' ? null : site.facts.call,
      kept: '',
      ...judged,
    };
  });

  const proposed = questions.flatMap(({ api, chains, choice }) =>
    choice.classes.flatMap((chosen) =>
      chosen.regions.map(
        (r): Scope => ({
          id: scopeId(r.fn, chosen.lock),
          file: r.fn.file.file,
          function: r.fn.facts.name,
          line: r.task ? r.fn.facts.line : index.lineOf(r.fn, r.node),
          api,
          lock: chosen.lock,
          kind: r.task ? 'task' : 'lock',
          state: 'proposed',
          reclaim: r.task ? r.task.steps : (bestChain(chains, chosen.lock, r.fn.group)?.steps ?? []),
          opens: [],
        }),
      ),
    ),
  );
  const begun = findings.nofs.choice.transactions.map((transaction): Scope => {
    const { fn, node } = transaction.pieces.find(({ does }) => does === 'start')!;
    return {
      id: transactionId(transaction),
      file: fn.file.file,
      function: fn.facts.name,
      line: index.lineOf(fn, node),
      api: 'nofs',
      lock: transaction.lock,
      kind: 'transaction',
      state: 'proposed',
      reclaim: transaction.chain.steps,
      opens: [],
    };
  });
  /** Lock classes, and the part of the kernel whose chain matters: that of the first site or region. */
  const named = new Map<string, string>();
  const name = (lock: string, group: string): void => {
    if (!named.has(lock)) named.set(lock, group);
  };
  for (const { choice } of questions)
    for (const c of choice.classes) for (const r of c.regions) if (!r.task) name(c.lock, r.fn.group);
  for (const [i, s] of sites.entries())
    for (const p of s.paths) for (const lock of p.locks) name(lock, findings.sites[i]!.fn?.group ?? '');
  const reported = [...named]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([lock, group]) => reportedLock(lock, group, findings, questions));
  const order = (a: { file: string; line: number }, b: { file: string; line: number }): number =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line;
  return {
    tree,
    sites,
    scopes: [...existingIds.values(), ...proposed, ...begun].sort(order),
    locks: reported,
    unresolved: index.unresolved.length,
    skipped,
  };
}

function bestChain(chains: Chains, lock: string, group: string): ReclaimChain | undefined {
  return chains.chainFor(lock, group) ?? chains.chains(lock)[0];
}

/** A lock class with its chain and its regions; of the question for which scopes are to be placed, else the first that has a chain. */
function reportedLock(
  lock: string,
  group: string,
  { index }: Findings,
  questions: readonly Question[],
): ReclaimLock[] {
  const chosenBy = (q: Question) => q.choice.classes.find((c) => c.lock === lock);
  const question =
    questions.find(chosenBy) ?? questions.find((q) => bestChain(q.chains, lock, group) !== undefined);
  const chain = question && bestChain(question.chains, lock, group);
  if (!question || !chain) return [];
  const chosen = chosenBy(question);
  const isProposed = new Set(questions.flatMap((q) => chosenBy(q)?.regions.map((r) => r.fn) ?? []));
  return [
    {
      lock,
      api: chain.entry.api,
      entry: `${chain.entry.table}.${chain.entry.field}`,
      context: chain.entry.context,
      chain: chain.steps,
      choice: question.choice.why.get(lock) ?? '',
      regions: question.regions.all(lock).map((r): Region => {
        const left = chosen?.left.get(`${r.fn.file.file} ${r.fn.facts.name}`);
        const state = isProposed.has(r.fn) ? 'proposed' : r.state === 'placeable' ? 'not-chosen' : r.state;
        return {
          file: r.fn.file.file,
          function: r.fn.facts.name,
          line: index.lineOf(r.fn, r.node),
          state,
          reason: state === 'proposed' ? '' : (left ?? (r.reason || 'the lock class was not chosen')),
        };
      }),
    },
  ];
}

/** The kind of a scope that the code has. */
function apiOf({ index, locks }: Findings, fn: Fn, id: string): Api {
  const opens = (kind: string): boolean =>
    locks.opening(fn, kind, (node) => existingScopeId(index, fn, node) === id).length > 0;
  return [...scopesFor('noio'), ...conditionalScopesFor('noio')].some(opens) ? 'noio' : 'nofs';
}

/** Where a path may end. */
interface Ends {
  readonly isRoot: (node: number) => boolean;
  /** For a site: its address is kept, and callers that aren't known may hold a lock which matters there. */
  readonly isKept: (site: LocatedSite) => (node: number) => boolean;
}

/** Calls to the site from where a lock is held, and the lock. */
interface Holder {
  readonly way: readonly Edge[];
  readonly lock: string;
}

/** Names of certain locks, and where these may be held. */
interface Held {
  readonly interesting: (lock: string, fn: Fn) => readonly string[];
  readonly onEntry: HeldOnEntry;
}

/** What is above the functions of the closure: ends of paths, and lock classes that may be held there outside of scopes. */
interface Above extends Ends {
  readonly strangers: Strangers;
  readonly question: Question;
  /** Coverage by the scopes of the code as it is. */
  readonly before: Cover;
  /** Outside of the scopes that are there or proposed. */
  readonly now: HeldOnEntry;
  /** Outside of all possible scopes. */
  readonly best: HeldOnEntry;
  /** Names of a lock that a function takes, as they are in both: none if no reclaim takes it. */
  readonly interesting: (lock: string, fn: Fn) => readonly string[];
  /** The same as `now`, of all locks whose class is known. */
  readonly any: () => Held;
  /** Is it the body of a worker or kthread that plays such a part for code of that group? */
  readonly started: (part: Part | 'any', group: string) => (node: number) => boolean;
  /** Does it work for code of that group, rather than on it from another part of the kernel, through the VFS? */
  readonly isNear: (group: string) => (node: number) => boolean;
}

/**
 * What the body of a worker or kthread means for the sites below it: an `obstacle`, since reclaim may wait for the task and no
 * scope can be placed, or a `scope` that can be. A worker that plays no part is as good as a system call.
 */
type Part = 'obstacle' | 'scope';

export interface Judgement {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly scopes: string[];
  readonly kept?: string;
  readonly given?: readonly string[];
  readonly paths: SitePath[];
  /** Said of what no scope could cover: other choices of scopes change nothing. */
  readonly isStuck?: true;
}

/** Other fields that reclaim waits for, as many as a reason names. */
const MAX_OTHERS = 5;

/** Best first. */
const BY_MERIT: readonly Verdict[] = ['covered', 'scopable', 'lock-free', 'task', 'partial', 'opaque'];

/** Of a mask that takes effect in several places: the worst that is said of one of them. */
function both(a: Judgement, b: Judgement): Judgement {
  const worse = BY_MERIT.indexOf(b.verdict) > BY_MERIT.indexOf(a.verdict) ? b : a;
  return {
    ...worse,
    scopes: [...new Set([...a.scopes, ...b.scopes])],
    paths: [...a.paths, ...b.paths].slice(0, MAX_PATHS),
  };
}

function judge(site: LocatedSite, findings: Findings, above: Above): Judgement {
  const { index, callers, reclaim, tasks, servers } = findings;
  const { before } = above;
  const { chains, dangers, choice } = above.question;
  const { cover: after, best } = choice;
  const { fn } = site;
  const none = { scopes: [] as string[], paths: [] as SitePath[] };
  if (!fn || site.nodes.length === 0) return { verdict: 'opaque', reason: site.unclear, ...none };

  const inHandle = site.api === 'nofs' ? judgeInHandle(site, findings, before, after) : undefined;
  if (inHandle) return inHandle;
  const { scopes } = after;
  const over = scopesOver(site, after);
  const paths = pathsInScopes(site, fn, findings, after);
  // The scope that stands nearest is what the site rests on: a lock's own scope is better evidence than a distant
  // caller's, so a site below a lock that gets one is `scopable` even if all of today's callers have a scope.
  const ids = over.map((s) => s.id);
  if (over.length > 0 && over.every((s) => s.state === 'existing') && isCovered(site, before)) {
    return {
      verdict: 'covered',
      reason: `every path is inside a scope already (${ids[0]})`,
      scopes: ids,
      paths,
    };
  }
  if (over.length > 0 && isCovered(site, after)) {
    const added = over.filter((s) => s.state === 'proposed');
    const classes = [...new Set(added.map(({ id }) => lockOfScope(id)))];
    const reason =
      editOf(findings.index, site) === undefined
        ? `every path holds ${classes.join(' or ')}, which gets a scope; this form of the mask is kept`
        : `every path is in a scope once ${classes.join(' and ')} ${classes.length > 1 ? 'have' : 'has'} one`;
    return { verdict: added.some((s) => s.task) ? 'task' : 'scopable', reason, scopes: ids, paths };
  }

  // Some path is outside of every scope. What stands in the way is what no scope could cover.
  const node = site.nodes.find((n) => !scopes(fn, n)) ?? site.nodes[0]!;
  const path = after.pathTo(fn.id, above.isRoot);
  if (!path) {
    return callers.runsInReclaim(fn.id)
      ? {
          verdict: 'covered',
          reason: 'only reclaim itself runs it, and that does not recurse',
          scopes: [],
          paths,
        }
      : { verdict: 'opaque', reason: 'no caller of the function is known', ...none, paths };
  }
  const heldHere = (cover: Cover): string[] =>
    site.nodes.flatMap((n) => (cover.scopes(fn, n) ? [] : cover.heldOutside(fn, n)));
  const locksUnder = (
    cover: Cover,
    interesting: Held['interesting'],
    onEntry: ReadonlySet<string> | undefined,
  ): string[] => {
    const here = heldHere(cover).flatMap((lock) => interesting(lock, fn));
    return [...new Set([...here, ...(onEntry ?? [])])].sort();
  };
  // What reclaim takes of an inode that has no user left is worth a scope, for lockdep, but nobody waits for it.
  const isReclaimLock = (name: string): boolean =>
    dangers.endangers(plainName(name), fn.group) && !servers.isOthers(name, fn.group);
  const isNoio = site.api === 'noio';
  const now = locksUnder(after, above.interesting, above.now.of(fn.id));
  const stuck = locksUnder(best, above.interesting, above.best.of(fn.id)).filter(isReclaimLock);
  const top = (way: readonly Edge[]): string => callers.functionOf(way[0]?.from ?? fn.id).facts.name;
  const answer = (
    verdict: Verdict,
    outcome: SitePath['outcome'],
    way: readonly Edge[],
    reason: string,
    on: readonly string[] = [],
  ): Judgement => ({
    verdict,
    reason,
    scopes: ids,
    paths: [{ steps: steps(findings, way, fn, node), outcome, locks: on }, ...paths].slice(0, MAX_PATHS),
  });
  /** The nearest place, the site's own function first, in which one of the locks may be held. */
  const nearest = (cover: Cover, wanted: readonly string[], { interesting, onEntry }: Held): Holder => {
    const own = heldHere(cover).find((lock) => interesting(lock, fn).some((name) => wanted.includes(name)));
    if (own !== undefined) return { way: [], lock: own };
    const way = cover.pathToHolder(fn.id, wanted, onEntry, interesting) ?? path;
    return { way, lock: heldAt(cover, way[0], wanted, interesting) ?? plainName(wanted[0]!) };
  };
  const holder = (cover: Cover, wanted: readonly string[]): Holder => {
    const { interesting } = above;
    return nearest(cover, wanted, { interesting, onEntry: cover === best ? above.best : above.now });
  };
  const plain = (names: readonly string[]): string[] => [...new Set(names.map(plainName))];
  const inAll = (names: readonly string[]): string => {
    const n = plain(names).length;
    return n > 1 ? `; in all ${n} reclaim locks may be held` : '';
  };

  const away = best.pathTo(fn.id, above.isKept(site));
  // Of the two obstacles the nearer one is named.
  const stuckAt = stuck.length > 0 ? holder(best, stuck) : undefined;
  if (away && (!stuckAt || away.length < stuckAt.way.length)) {
    const { id } = callers.functionOf(away[0]?.from ?? fn.id);
    const reason = `not every caller of ${top(away)}() is known: ${index.whyEscaped(id)}`;
    return answer('opaque', 'unknown', away, reason);
  }
  if (stuckAt) {
    const { way, lock } = stuckAt;
    const reason = isNoio
      ? `${top(way)}() may hold ${lock}, on which ${chains.chainFor(lock, fn.group) ? 'IO' : 'reclaim'} blocks, and no scope can be placed there${inAll(stuck)}`
      : `${top(way)}() may hold ${lock} and no scope can be placed there${inAll(stuck)}`;
    return { ...answer('partial', 'lock-held', way, reason, plain(stuck)), isStuck: true };
  }
  const [unknown] = now.filter(
    (lock) => isUnknown(lock) && (isNoio || above.strangers.mayMatter(lock, fn.group)),
  );
  if (unknown !== undefined) {
    return answer(
      'opaque',
      'unknown',
      path,
      `a lock may be held whose class is not known: ${writtenAs(unknown)}`,
    );
  }
  const reclaimLocks = now.filter(isReclaimLock);
  /** Scopes could be placed at all of them, but no site needs these: see `withScopesForOthers()`. */
  const underOthers = (bodies: readonly string[]): Judgement | undefined => {
    const all = [...plain(reclaimLocks), ...bodies];
    if (all.length === 0) return undefined;
    const free = best.pathTo(fn.id, above.isRoot) ?? path;
    const others = reclaimLocks.length > 0 ? `under ${holder(after, reclaimLocks).lock}` : `in ${bodies[0]}`;
    const reason = `${top(free)}() comes here in no scope and under no reclaim lock, others ${others}${inAll(reclaimLocks)}`;
    return answer('partial', 'lock-free', free, reason, all);
  };
  const isSure = !isNoio && index.hasKernel;
  const first = isSure ? undefined : underOthers([]);
  if (first) return first;
  const isNear = isNoio ? undefined : above.isNear(fn.group);
  const task = after.pathTo(fn.id, above.started('obstacle', fn.group), isNear);
  if (task) {
    const started = callers.functionOf(task[0]?.from ?? fn.id);
    const runs = tasks.startedAs(started.id);
    const body = above.question.regions.body(started);
    const kept =
      body?.state === 'refused'
        ? `no scope can be placed around it: ${body.reason}`
        : body
          ? 'others come here outside of it'
          : 'nothing is known to make reclaim wait for it';
    const reason = `reached from ${top(task)}(), which runs as a ${runs}; ${kept}`;
    return { ...answer('task', 'lock-free', task, reason), kept };
  }
  if (isNoio) {
    const reason = `outside of any NOIO scope from ${top(path)}(); no lock on which IO blocks is known to be held, but a queue may be frozen or a device suspended`;
    return answer('opaque', 'unknown', path, reason);
  }
  if (!index.hasKernel) {
    const reason = `outside of any scope from ${top(path)}(); which locks reclaim takes is not known without the kernel`;
    return answer('opaque', 'unknown', path, reason);
  }
  const wait = reclaim.waitFor(fn.group);
  if (wait) {
    const end = wait.steps.at(-1)!;
    const others = reclaim.waitsOf(fn.group).flatMap(({ on }) => (on === wait.on ? [] : [on]));
    const rest = others.length > MAX_OTHERS ? ` and ${others.length - MAX_OTHERS} more` : '';
    const likewise = others.length === 0 ? '' : `; likewise ${others.slice(0, MAX_OTHERS).join(', ')}${rest}`;
    const who = wait.wakers.length > 0 ? `${wait.wakers[0]}() is to wake it` : 'nobody was seen who wakes it';
    return answer(
      'opaque',
      'unknown',
      path,
      `reclaim waits for ${wait.on} in ${end.function}(), ${who}, and what that one holds up is not known${likewise}`,
    );
  }
  const isBody = above.started('scope', fn.group);
  const bodies = after.pathTo(fn.id, isBody, isNear)
    ? after
        .outsideAbove(fn.id, isNear)
        .filter(isBody)
        .map((at) => above.question.regions.body(callers.functionOf(at))!.lock)
    : [];
  const last = underOthers([...new Set(bodies)].sort());
  if (last) return last;
  const { behind } = findings.underLocks.find(fn.group);
  const crossed = locksUnder(after, above.any().interesting, above.any().onEntry.of(fn.id)).filter(
    (name) => behind.has(plainName(name)) && !servers.isOthers(name, fn.group),
  );
  if (crossed.length > 0) {
    const { way, lock } = nearest(after, crossed, above.any());
    const { under, steps: order } = behind.get(lock)!;
    let taken = under;
    for (let at = behind.get(taken); at; at = behind.get(taken)) taken = at.under;
    const waits = order.map((step) => `${step.function}() ${step.file}:${step.line}`).join(' → ');
    const blocks = taken === under ? '' : `; who holds ${taken} waits for ${under}`;
    const reason = `${top(way)}() may hold ${lock}, for which a holder of ${under} may wait: ${waits}${blocks}; reclaim blocks on ${taken}`;
    return answer('partial', 'lock-held', way, reason, plain(crossed));
  }
  const [reported] = plain(now).filter((lock) => dangers.chainFor(lock, fn.group)?.going);
  const lockdep =
    reported === undefined
      ? ''
      : `; lockdep may report ${reported}, which reclaim takes of inodes that have no user left`;
  const foreign = after.pathTo(fn.id, above.started('any', fn.group));
  const elsewhere =
    foreign === undefined
      ? ''
      : `; tasks for which reclaim may wait come here from other parts of the kernel, through the VFS: ${top(foreign)}() for one`;
  const excused = reclaim.excusedOf(fn.group);
  const asGiven =
    excused.length === 0
      ? ''
      : `; that nobody holds up ${excused.map(({ on }) => on).join(' or ')} is given (${excused.map(({ place }) => place).join(', ')})`;
  const reason = `outside of any scope from ${top(path)}(); no reclaim lock is held on the way${lockdep}${elsewhere}${asGiven}`;
  // Any in code that works for it: under that other locks may be held. Elsewhere those around its own locks.
  const matters = ({ id }: OpenScope, opener: Fn): boolean =>
    servers.isNear(opener, fn.group) || isReclaimLock(heldIn(lockOfScope(id), opener.group));
  const free = answer('lock-free', 'lock-free', path, reason, reported === undefined ? [] : [reported]);
  // What some callers hold has scopes that are proposed: it rests on these.
  const resting = after
    .proposedFor(fn.id, site.nodes)
    .flatMap(({ scope, opener }) => (matters(scope, callers.functionOf(opener)) ? [scope.id] : []))
    .sort();
  const fromElsewhere = foreign && {
    steps: steps(findings, foreign, fn, node),
    outcome: 'lock-free' as const,
    locks: [],
  };
  return {
    ...free,
    ...(excused.length === 0 ? {} : { given: excused.map(({ on }) => on) }),
    scopes: [...new Set([...ids, ...resting])],
    paths: [
      ...free.paths.slice(0, 1),
      ...(fromElsewhere ? [fromElsewhere] : []),
      ...free.paths.slice(1),
    ].slice(0, MAX_PATHS),
  };
}

/** The paths to a site that end in a scope. */
function pathsInScopes(site: LocatedSite, fn: Fn, findings: Findings, cover: Cover): SitePath[] {
  const { index } = findings;
  return site.nodes.flatMap((node): SitePath[] => {
    const here = cover.scopes(fn, node);
    if (here) return [{ steps: [stepAt(index, fn, node)], outcome: here.state, scope: here.id, locks: [] }];
    return cover.coveringCalls(fn.id, MAX_PATHS).map(({ path, scope }) => ({
      steps: steps(findings, path, fn, node),
      outcome: scope.state,
      scope: scope.id,
      locks: [],
    }));
  });
}

/**
 * A site that is in a scope on every path, on some of them only if what was started is a real object. Where the
 * stand-in is used instead there is no scope, so the mask goes only if scopes that are proposed cover it without.
 */
function judgeInHandle(
  site: LocatedSite,
  findings: Findings,
  before: Cover,
  after: Cover,
): Judgement | undefined {
  const { fn } = site;
  const { ifReal } = findings;
  if (!fn || !isCovered(site, ifReal)) return undefined;
  const over = scopesOver(site, ifReal);
  const started = over.find((s) => s.ifReal);
  // What is in a scope in any case is judged as any other site.
  if (!started || isCovered(site, before)) return undefined;
  const paths = pathsInScopes(site, fn, findings, ifReal);
  const reason = `every path is inside a scope already, if what is started at ${started.id} is a real object`;
  const ids = over.map((s) => s.id);
  if (!isCovered(site, after)) {
    const kept = 'without a real object no scope is open: the mask stays';
    return { verdict: 'covered', reason: `${reason}; ${kept}`, kept, scopes: ids, paths };
  }
  const otherwise = scopesOver(site, after).map((s) => s.id);
  return {
    verdict: 'covered',
    reason: `${reason}, else once ${otherwise[0]} is there`,
    scopes: [...new Set([...ids, ...otherwise])],
    paths: [...paths, ...pathsInScopes(site, fn, findings, after)].slice(0, MAX_PATHS),
  };
}

/** The calls that open an existing scope, from that in the function to the save itself. */
function opensOf({ index, locks }: Findings, fn: Fn, id: string): Step[] {
  const kinds = (['nofs', 'noio'] as const).flatMap((api) => [
    ...scopesFor(api),
    ...conditionalScopesFor(api),
  ]);
  const ways = kinds.map((kind) =>
    locks.opening(fn, kind, (node) => existingScopeId(index, fn, node) === id),
  );
  const way = ways.find((w) => w.length > 0) ?? [];
  const out: Step[] = way.map((at, i) => ({
    ...stepAt(index, at.fn, at.node),
    ...(i < way.length - 1 ? { edge: 'direct' as const } : {}),
  }));
  return out;
}

/** One of the locks that may be held where a call is made. */
function heldAt(
  cover: Cover,
  edge: Edge | undefined,
  wanted: readonly string[],
  interesting: Above['interesting'],
): string | undefined {
  if (!edge) return undefined;
  const fn = cover.callers.functionOf(edge.from);
  return cover
    .heldOutside(fn, edge.node)
    .find((lock) => interesting(lock, fn).some((name) => wanted.includes(name)));
}

/** `?v:sbi locks`, `param:0 lock` for a reader: `sbi->locks`, `lock of argument 1`. */
function writtenAs(name: string): string {
  const unknown = plainName(name);
  const param = /^param:(\d+)(?: (.*))?$/.exec(unknown);
  if (param) {
    const argument = `argument ${Number(param[1]) + 1}`;
    return param[2] === undefined ? argument : `${param[2].replaceAll(' ', '.')} of ${argument}`;
  }
  const path = unknown
    .slice(1)
    .replace(/\b[vct]:/g, '')
    .replaceAll(' ', '->');
  return path === '' ? 'an expression' : path;
}

function stepAt(index: Index, fn: Fn, node: number): Step {
  return { function: fn.facts.name, file: fn.file.file, line: index.lineOf(fn, node) };
}

/** A path of calls, outermost first, and the site itself. */
function steps({ index, callers }: Findings, path: readonly Edge[], fn: Fn, node: number): Step[] {
  const out: Step[] = path.map((edge) => ({
    ...stepAt(index, callers.functionOf(edge.from), edge.node),
    edge: edge.kind,
  }));
  out.push(stepAt(index, fn, node));
  return out;
}
