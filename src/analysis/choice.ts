import type { Fn } from '../index/names.js';
import type { Api } from '../kernel/types.js';
import type { Callers } from './callers.js';
import { Cover, type LockScope, type OpenScope, type ScopesAt, scopeId } from './coverage.js';
import { isUnknown, type Locks } from './locks.js';
import type { Chains } from './reclaim.js';
import { overlap, type RegionOf, type Regions, SHARED } from './regions.js';
import type { LocatedSite } from './sites.js';
import {
  type Begun,
  begunOf,
  type ProposedTransactions,
  runBeside,
  type Transaction,
} from './transactions.js';

/** A class whose regions are this many times the sites that need it is scoped only where those sites need it. */
const WIDESPREAD = 4;

/** A lock class that was chosen, and the regions of it that get a scope. */
export interface ChosenClass {
  readonly lock: string;
  readonly regions: readonly RegionOf[];
  /** Only the regions that convertible sites need are edited: the class is spread too wide, or `minimal`. */
  readonly neededOnly: boolean;
  /** Why each region of the class that is not edited is left alone, by `file function`. */
  readonly left: ReadonlyMap<string, string>;
}

export interface Choice {
  readonly classes: readonly ChosenClass[];
  readonly transactions: readonly Transaction[];
  /** Coverage by existing and chosen scopes together. */
  readonly cover: Cover;
  /** Coverage if every region of every candidate class had a scope: what is outside of this can't be helped. */
  readonly best: Cover;
  /** Why each candidate class was chosen, or another one in its place: a sentence, by class. */
  readonly why: ReadonlyMap<string, string>;
}

/** What may have a scope, and whether only those regions that sites need. */
export interface ChoiceOptions {
  readonly minimal: boolean;
  readonly locks: boolean;
  readonly tasks: boolean;
  readonly transactions: ProposedTransactions;
}

/**
 * Classes that no site needs for its cover, with the number of sites that are reached without a lock, too, and would be free of
 * locks outside of scopes if all regions of these classes had one.
 */
export type AlsoWanted = ReadonlyMap<string, number>;

/** By class of which only some regions count: these. */
type Restricted = ReadonlyMap<string, ReadonlySet<RegionOf>>;

/**
 * Chooses lock classes so that every site that can be covered is, at the fewest edited regions: starts from all
 * reclaim locks that are held on the way to a site and takes them away again, the most expensive first, as
 * long as no site loses its cover. Gives the choice with further classes.
 */
export function chooseClasses(
  sites: readonly LocatedSite[],
  callers: Callers,
  existing: ScopesAt,
  locks: Locks,
  chains: Chains,
  regions: Regions,
  functions: readonly Fn[],
  { minimal, locks: useLocks, tasks: useTasks, transactions: begun }: ChoiceOptions,
): (also: AlsoWanted) => Choice {
  const base = new Cover(callers, locks, existing);
  const relevant = sites.filter((s) => s.fn && s.nodes.length > 0 && !isCovered(s, base));

  // Candidate classes: reclaim locks with a region that can be scoped, above or around a site, and tasks that reclaim depends on.
  const candidates = new Set<string>();
  const bodies = new Set<string>();
  const groups = new Set(relevant.map((s) => s.fn!.group));
  const around = new Set([...callers.closure].map((node) => callers.functionOf(node).id));
  for (const id of new Set([...around, ...callers.between])) {
    const fn = functions[id]!;
    for (const lock of useLocks ? locks.classes(fn) : []) {
      if (candidates.has(lock) || isUnknown(lock)) continue;
      if (chains.chainFor(lock, fn.group) && regions.region(fn, lock)?.state === 'placeable')
        candidates.add(lock);
    }
    // A scope in a worker that all filesystems share, for one filesystem's sake, would bind the others too.
    const isOthers = SHARED.test(fn.group) && !groups.has(fn.group);
    const body = useTasks && !isOthers ? regions.body(fn) : undefined;
    if (body?.state === 'placeable') {
      candidates.add(body.lock);
      bodies.add(body.lock);
    }
  }
  const cost = new Map<string, number>();
  const transactions = new Map(
    begun.transactions.flatMap((t) => (groups.has(t.group) ? [[t.lock, t] as const] : [])),
  );
  for (const lock of candidates)
    cost.set(lock, regions.all(lock).filter((r) => r.state === 'placeable').length);

  const restricted = new Map<string, ReadonlySet<RegionOf>>();
  const eligible = new Map<string, readonly RegionOf[]>();
  for (const lock of candidates)
    eligible.set(
      lock,
      regions
        .all(lock)
        .filter((r) => r.state === 'placeable' && (r.task || chains.chainFor(lock, r.fn.group))),
    );
  // The classes change while they are chosen, and a cover asks late.
  const begunIn = (classes: ReadonlySet<string>): Begun => begunOf(begun, new Set(classes));
  const coverBy = (classes: ReadonlySet<string>, only: Restricted = restricted): Cover =>
    coverOf(base, begunIn(classes), regionsOf(classes, only, eligible, cost), regions.api);
  const locksAlone = transactions.size > 0 ? coverBy(candidates) : undefined;
  for (const [lock, { pieces, group }] of transactions) {
    candidates.add(lock);
    cost.set(lock, pieces.length);
    eligible.set(lock, []);
    const crosses = ({ fn, placement }: RegionOf): boolean =>
      fn.group === group && begun.crosses(fn, placement!);
    const crossed = [...candidates].filter((other) => eligible.get(other)!.some(crosses));
    if (crossed.length === 0) continue;
    // Of a region and a transaction that cross one can have a scope: more sites count.
    const whole = crossed.map((other) => [other, eligible.get(other)!] as const);
    for (const [other, all] of whole)
      eligible.set(
        other,
        all.filter((r) => !crosses(r)),
      );
    const then = coverBy(candidates);
    const mine = relevant.filter((s) => s.fn!.group === group);
    const gained = mine.filter((s) => isCovered(s, then)).length;
    if (gained >= mine.filter((s) => isCovered(s, locksAlone!)).length) continue;
    for (const [other, all] of whole) eligible.set(other, all);
    candidates.delete(lock);
    transactions.delete(lock);
  }
  const best = coverBy(candidates);
  const convertible = new Set(relevant.filter((s) => isCovered(s, best)));
  const wanted = new Set(candidates);
  // Of two that cost the same the inner one stays; a task is the outermost.
  const depth = new Map(
    [...candidates].map((lock) => [lock, bodies.has(lock) ? -1 : depthOf(lock, candidates, locks, regions)]),
  );
  const order = [...candidates].sort(
    (a, b) => cost.get(b)! - cost.get(a)! || depth.get(a)! - depth.get(b)! || (a < b ? -1 : 1),
  );
  // A class on which no site rests can go without a look.
  const over = new Map<LocatedSite, readonly OpenScope[]>();
  const rest = (all: readonly LocatedSite[], cover: Cover): void => {
    for (const site of all) over.set(site, scopesOver(site, cover));
  };
  rest(sites, best);
  const reasons = new Map<string, string>();
  const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  for (const lock of order) {
    const inAll = counted(cost.get(lock)!, 'region');
    reasons.set(
      lock,
      `Not chosen: with ${inAll} the most expensive of the classes left, and every site is covered without it.`,
    );
    wanted.delete(lock);
    const resting = sites.filter((s) => over.get(s)!.some(({ id }) => id.endsWith(`:${lock}`)));
    if (resting.length === 0) continue;
    const without = coverBy(wanted);
    // What only this class can cover, all cheaper ones being there.
    const lost = resting.filter((s) => convertible.has(s) && !isCovered(s, without));
    if (lost.length === 0) {
      rest(resting, without);
      continue;
    }
    wanted.add(lock);
    const missing = `${counted(lost.length, 'site')} ${lost.length === 1 ? 'has' : 'have'} no cover without it`;
    reasons.set(lock, `Chosen: ${missing}, all cheaper classes being there; ${inAll} can have a scope.`);
    if (transactions.has(lock)) continue;
    // Sites under a more distant scope would rest on it, too.
    if (!minimal && cost.get(lock)! <= WIDESPREAD * (resting.length + 1)) continue;
    const isNeeded = (r: RegionOf): boolean => {
      const id = r.state === 'placeable' ? scopeId(r.fn, lock) : '';
      return lost.some((site) => mayEditFor(site, r) && over.get(site)!.some((scope) => scope.id === id));
    };
    const needed = new Set(regions.all(lock).filter(isNeeded));
    restricted.set(lock, needed);
    reasons.set(
      lock,
      needed.size === 0
        ? `Not chosen: ${missing}, but only code that all filesystems share could have the scopes.`
        : `Chosen where sites need it only (${needed.size} of ${inAll}): ${missing}, and it is held in too many places besides.`,
    );
    // What only shared code could cover stays as it is.
    const after = coverBy(wanted);
    for (const site of resting) if (!isCovered(site, after)) convertible.delete(site);
    if (needed.size === 0) wanted.delete(lock);
    rest(resting, needed.size === 0 ? without : after);
  }
  const isOpen = (scopes: ScopesAt, { fn, placement }: RegionOf): boolean =>
    placement!.open.every((open, node) => open === 0 || scopes(fn, node) !== undefined);
  const withClasses = (also: AlsoWanted): Choice => {
    const chosen = new Set(wanted);
    const only = new Map(restricted);
    const why = new Map(reasons);
    for (let left = [...also].sort(([a], [b]) => (a < b ? -1 : 1)); ; ) {
      const { scopes } = coverBy(chosen, only);
      // What lies in scopes already is edited for nobody.
      const next = left.find(([lock, wanting]) => {
        if (!candidates.has(lock) || (chosen.has(lock) && !only.has(lock))) return false;
        const places = regions.all(lock).filter((r) => r.state === 'placeable' && !isOpen(scopes, r));
        // Scopes in shared code for the sake of masks that protect nothing would bind others.
        return places.length <= WIDESPREAD * (wanting + 1) && !places.some((r) => SHARED.test(r.fn.group));
      });
      if (!next) break;
      const [lock, wanting] = next;
      left = left.filter((other) => other !== next);
      chosen.add(lock);
      only.delete(lock);
      const places = counted(cost.get(lock)!, 'region');
      why.set(
        lock,
        `Chosen: with scopes in its ${places} no lock is held outside of a scope at ${counted(wanting, 'site')} that some callers reach without one.`,
      );
    }
    const kept = [...transactions].flatMap(([lock, transaction]) => (chosen.has(lock) ? [transaction] : []));
    const settled = (isWanted: (r: RegionOf) => boolean): Omit<Choice, 'transactions' | 'best' | 'why'> => {
      const picked = new Map<string, { regions: RegionOf[]; neededOnly: boolean }>();
      for (const lock of [...chosen].sort()) {
        const all = regions.all(lock).filter((r) => r.state === 'placeable' && isWanted(r));
        const some = only.get(lock);
        const list = some ? all.filter((r) => some.has(r)) : all;
        if (list.length > 0) picked.set(lock, { regions: list, neededOnly: some !== undefined });
      }
      return settle(picked, regions, base, begunIn(chosen), (r) =>
        kept.some(({ group }) => group === r.fn.group && begun.crosses(r.fn, r.placement!)),
      );
    };
    // Most of what takes a lock for its caller is called in a scope of that, or of what holds the lock further up.
    const { cover } = settled((r) => !r.handedOver);
    const outside = new Set(
      [...callers.closure].filter((node) => !cover.covered(node)).map((node) => callers.functionOf(node).id),
    );
    const isWanted = ({ fn, handedOver }: RegionOf): boolean => !handedOver || outside.has(fn.id);
    return { ...settled(isWanted), transactions: kept, best, why };
  };
  return withClasses;
}

function proposed({ fn, lock, task }: RegionOf): OpenScope {
  return { id: scopeId(fn, lock), state: 'proposed', ...(task ? { task: true } : {}) };
}

/** How many of the other classes may be held, in one function, where a class is taken. */
function depthOf(lock: string, others: ReadonlySet<string>, locks: Locks, regions: Regions): number {
  let depth = 0;
  for (const { fn, node } of regions.all(lock)) {
    const outer = locks.classes(fn).filter((c) => c !== lock && others.has(c) && locks.mayHold(fn, c, node));
    depth = Math.max(depth, outer.length);
  }
  return depth;
}

/** A scope in code that all filesystems share (the VFS, mm) for one filesystem's sake would bind the others too. */
function mayEditFor(site: LocatedSite, { fn }: RegionOf): boolean {
  return fn.group === site.fn?.group || !SHARED.test(fn.group);
}

/** Regions of one function that lie in each other need one scope; regions that cross can't both have one. */
function settle(
  picked: ReadonlyMap<string, { regions: RegionOf[]; neededOnly: boolean }>,
  regions: Regions,
  base: Cover,
  begun: Begun,
  crossesTransaction: (r: RegionOf) => boolean,
): Omit<Choice, 'transactions' | 'best' | 'why'> {
  const byFunction = new Map<number, RegionOf[]>();
  for (const { regions: list } of picked.values()) {
    for (const r of list) {
      const same = byFunction.get(r.fn.id);
      if (same) same.push(r);
      else byFunction.set(r.fn.id, [r]);
    }
  }
  const kept = new Map<number, RegionOf[]>();
  const dropped = new Map<string, string>();
  for (const [id, list] of byFunction) {
    const size = (r: RegionOf): number => r.placement!.open.reduce((a, b) => a + b, 0);
    const accepted: RegionOf[] = [];
    for (const r of [...list].sort((a, b) => size(b) - size(a) || (a.lock < b.lock ? -1 : 1))) {
      const open = r.placement!.open;
      const around = open.map((_, i) => (begun.at(r.fn, i) ? 1 : 0));
      const isWithin = overlap(open, around) === 'within';
      if (isWithin || crossesTransaction(r)) {
        dropped.set(
          `${id} ${r.lock}`,
          isWithin ? 'inside the scope of a transaction' : 'its region crosses the scope of a transaction',
        );
        continue;
      }
      const outer = accepted.find((a) => overlap(open, a.placement!.open) === 'within');
      if (outer) dropped.set(`${id} ${r.lock}`, `inside the scope of ${outer.lock}`);
      else if (accepted.some((a) => overlap(open, a.placement!.open) === 'crossing')) {
        dropped.set(`${id} ${r.lock}`, 'its region crosses that of another chosen lock');
      } else accepted.push(r);
    }
    kept.set(id, accepted);
  }
  const classes: ChosenClass[] = [];
  for (const [lock, { regions: list, neededOnly }] of picked) {
    const mine = list.filter((r) => kept.get(r.fn.id)!.includes(r));
    const left = new Map<string, string>();
    for (const r of regions.all(lock)) {
      if (mine.includes(r)) continue;
      const why =
        dropped.get(`${r.fn.id} ${lock}`) ??
        (r.state === 'placeable' ? 'no site asked for needs it' : r.reason);
      left.set(`${r.fn.file.file} ${r.fn.facts.name}`, why);
    }
    classes.push({ lock, regions: mine, neededOnly, left });
  }
  const cover = coverOf(base, begun, kept, regions.api);
  return { classes: classes.filter((c) => c.regions.length > 0), cover };
}

/** By function: the regions of the given classes that can have a scope. */
function regionsOf(
  classes: ReadonlySet<string>,
  restricted: Restricted,
  eligible: ReadonlyMap<string, readonly RegionOf[]>,
  cost: ReadonlyMap<string, number>,
): ReadonlyMap<number, readonly RegionOf[]> {
  const perFunction = new Map<number, RegionOf[]>();
  for (const lock of classes) {
    const only = restricted.get(lock);
    for (const r of eligible.get(lock)!) {
      if (only?.has(r) === false) continue;
      const list = perFunction.get(r.fn.id);
      if (list) list.push(r);
      else perFunction.set(r.fn.id, [r]);
    }
  }
  // Where several regions overlap, the class with the fewest is the one to rest on.
  for (const list of perFunction.values()) list.sort((a, b) => cost.get(a.lock)! - cost.get(b.lock)!);
  return perFunction;
}

/** Coverage by the scopes of `base`, and by one around each of the regions. */
function coverOf(
  base: Cover,
  begun: Begun,
  regions: ReadonlyMap<number, readonly RegionOf[]>,
  api: Api,
): Cover {
  const added: ScopesAt = (fn, node, zero) => openAt(regions.get(fn.id) ?? [], begun, fn, node, zero);
  const around = new Map<number, readonly LockScope[]>();
  const aroundLocksOf = ({ id }: Fn): readonly LockScope[] => {
    let found = around.get(id);
    if (!found) {
      const own = (regions.get(id) ?? []).filter((r) => !r.handedOver);
      found = own.map((r) => ({ lock: r.lock, scope: proposed(r) }));
      around.set(id, found);
    }
    return found;
  };
  return base.with(added, { api, in: aroundLocksOf });
}

/** The scope at a node: of one of the regions, of a transaction, or of one of them on each way there. */
function openAt(
  regions: readonly RegionOf[],
  begun: Begun,
  fn: Fn,
  node: number,
  zero: string | undefined,
): OpenScope | undefined {
  const region = regions.find((r) => r.placement!.open[node] === 1);
  if (region) return proposed(region);
  const found = begun.at(fn, node, zero);
  const along = !found && regions.some((r) => r.placement!.conditional) ? begun.along(fn) : undefined;
  if (!along) return found;
  const beside = regions.find((r) => runBeside(along, r.placement!)?.entry[node]?.held === true);
  return beside && { ...proposed(beside), beside: along.scope };
}

/** Is the site inside a scope at every place where it takes effect? */
export function isCovered(site: LocatedSite, cover: Cover): boolean {
  const { fn } = site;
  if (!fn || site.nodes.length === 0) return false;
  return site.nodes.every((node) => cover.scopes(fn, node) !== undefined || cover.covered(fn.id));
}

/** The scopes that cover a site: those around it, or those around the nearest calls above. */
export function scopesOver(site: LocatedSite, cover: Cover): OpenScope[] {
  const { fn } = site;
  if (!fn) return [];
  const found = new Map<string, OpenScope>();
  let above = false;
  const add = (scope: OpenScope): void => {
    found.set(scope.id, scope);
    if (scope.beside) add(scope.beside);
  };
  for (const node of site.nodes) {
    const here = cover.scopes(fn, node);
    if (here) add(here);
    else above = true;
  }
  if (above && cover.covered(fn.id)) for (const { scope } of cover.coveringCalls(fn.id)) add(scope);
  return [...found.values()];
}
