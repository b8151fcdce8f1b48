import path from 'node:path';
import { TRANSFORMS } from '../../transforms/index.js';
import { lockFree } from '../../transforms/lock-free.js';
import { findingsOf } from '../checks/index.js';
import { newMember } from '../edit/member.js';
import { NO_PLAN, type Plan, planWith } from '../edit/plan.js';
import { BasisNotes } from '../index/basis.js';
import { openCache } from '../index/cache.js';
import { Index } from '../index/link.js';
import {
  filesWithMasks,
  type Keeping,
  type Listed,
  listTree,
  NameSearch,
  parseAll,
  Threads,
} from '../index/load.js';
import { type Fn, isUapi } from '../index/names.js';
import { Witness } from '../index/witness.js';
import { MASKS, SCOPE_APIS } from '../kernel/masks.js';
import type { Api } from '../kernel/types.js';
import { usesFunction } from '../parse/code.js';
import { extractFacts } from '../parse/extract.js';
import type { FileFacts } from '../parse/facts.js';
import { packFacts, unpackFacts } from '../parse/pack.js';
import type { Skipped } from '../tree/files.js';
import { readSource, type Source } from '../tree/files.js';
import { hasKernel, inModule } from '../tree/kernel-tree.js';
import { Macros } from '../tree/macros.js';
import { type Analysis, type AnalyzeOptions, BY_DEFAULT, type Rechecked } from './api.js';
import { Callers } from './callers.js';
import { type AlsoWanted, type Choice, chooseClasses, isCovered } from './choice.js';
import { Cover, existingScopes, type ScopesAt } from './coverage.js';
import { type GivenWait, heldName } from './given-waits.js';
import { KeptResults } from './kept.js';
import { KeptMasks } from './kept-masks.js';
import { Locks } from './locks.js';
import { type Chains, EitherChains, Reclaim } from './reclaim.js';
import { Regions, Takers } from './regions.js';
import type { Report } from './report.js';
import { Servers } from './servers.js';
import { editOf, isWholeMask, type LocatedSite, partsOf, siteId, sitesOf } from './sites.js';
import { Strangers } from './strangers.js';
import { TaskBodies } from './task-bodies.js';
import { Tasks } from './tasks.js';
import { type TightScope, tightScopes } from './tight-scopes.js';
import { NO_TRANSACTIONS, proposeTransactions, type Transaction } from './transactions.js';
import { UnderLocks } from './under-locks.js';
import { buildReport, type Judgement, judging } from './verdict.js';
import { Waits } from './waits.js';

/** What opens and closes scopes. */
const SCOPE_CALLS: ReadonlySet<string> = new Set(SCOPE_APIS.flatMap(({ save, restore }) => [save, restore]));

/** A member that stands in more files than this is not looked for: it would bring half of the tree in. */
const MAX_FILES_OF_MEMBER = 12;

/** Files that use a member on which a proof rests, or that name a function, are all looked at if they are no more than this. */
const MAX_FILES_USING = 40;

/** What there is to know for the masks of one kind. */
export interface Question {
  readonly api: Api;
  /** What the reclaim blocks on that the mask is about: evidence for a scope. */
  readonly chains: Chains;
  /** What any reclaim blocks on that is allowed once the mask is gone. */
  readonly dangers: Chains;
  /** Scopes in the code that are as good as the mask. */
  readonly existing: ScopesAt;
  readonly regions: Regions;
  /** Transactions that could have a scope. */
  readonly begun: readonly Transaction[];
  readonly choice: Choice;
}

/** Everything that was found out about a tree for some paths; what transforms and reports are made from. */
export interface Findings {
  readonly index: Index;
  readonly locks: Locks;
  readonly tasks: Tasks;
  readonly servers: Servers;
  readonly strangers: Strangers;
  readonly underLocks: UnderLocks;
  /** What filesystem reclaim blocks on. */
  readonly reclaim: Reclaim;
  readonly nofs: Question;
  /** Only where a GFP_NOIO is among the sites. */
  readonly noio: Question | undefined;
  readonly callers: Callers;
  /** Coverage by existing scopes, those that need a real object included. */
  readonly ifReal: Cover;
  readonly sites: readonly LocatedSite[];
  /** Scopes of the code around a single call, if these are to go. */
  readonly tight: readonly TightScope[];
  readonly source: (file: string) => string;
  /** The same with more lock classes for NOFS. */
  readonly alsoChoosing: (also: AlsoWanted) => Findings;
}

/** Analyses the tree for the sites in the paths asked for, or takes what an earlier run kept of the same. */
export async function analyze(options: AnalyzeOptions): Promise<Analysis> {
  const { tree, paths, cache: folder } = options;
  const listed = listTree(tree, paths);
  if (!folder) return await inThreads(options, listed, undefined);
  const cache = openCache({ folder, tree: tree.root, module: tree.module });
  const witness = new Witness(cache.stats, listed.all);
  if (!cache.stats.isNew) witness.survey();
  const results = new KeptResults(cache, witness, listed, options);
  const anew = () => inThreads(options, listed, { cache, witness });
  const found = results.find(
    sourcesOf((file) => readSource(tree, file)),
    anew,
  );
  if (found) {
    cache.close();
    return found;
  }
  return results.keep(await anew());
}

async function inThreads(
  options: AnalyzeOptions,
  listed: Listed,
  keeping: Keeping | undefined,
): Promise<Analysis> {
  const threads = new Threads(options.jobs, options.signal);
  try {
    return await analyzeIn(threads, options, listed, keeping);
  } finally {
    await threads.close();
  }
}

/** Reads a file of the tree. */
type Reader = (file: string) => Source;

/** Gives the texts of the files of a tree, each as it was when it was asked for first. */
function sourcesOf(readText: Reader): (file: string) => string {
  const texts = new Map<string, string>();
  return (file) => {
    let text = texts.get(file);
    if (text === undefined) {
      const read = readText(file);
      text = 'text' in read ? read.text : '';
      texts.set(file, text);
    }
    return text;
  };
}

async function analyzeIn(
  threads: Threads,
  options: AnalyzeOptions,
  listed: Listed,
  keeping: Keeping | undefined,
): Promise<Analysis> {
  const { tree, paths, onProgress } = options;
  onProgress?.({ phase: 'listing', done: 0, total: 1 });
  const basis = new BasisNotes();
  const readText: Reader = (file) => {
    basis.reads([file]);
    return readSource(tree, file);
  };
  const source = sourcesOf(readText);
  const asked = (file: string): boolean =>
    paths.some((p) => p === '' || file === p || file.startsWith(`${p}/`));
  const { findings, facts, lost, unread, known, skipped } = await findingsIn(
    threads,
    options,
    listed,
    keeping,
    {
      basis,
      readText,
      source,
      asked,
    },
  );
  const mine = [...skipped.filter((s) => asked(s.file)), ...inVain(options.waits ?? [], findings)];
  const { done, judgementOf } = withScopesForOthers(findings, options);
  const built = buildReport(tree, done, judgementOf, mine);
  const report = options.checks ? { ...built, findings: findingsOf(done, built, asked) } : built;
  const plan = planOf(done, report, options);
  basis.reads(known);
  return {
    report,
    plan,
    basis: basis.made(),
    source,
    recheck: (edited, made) => {
      const replaced = new Map(edited.map((f) => [f.file, f]));
      const now = facts.map((f) => replaced.get(f.file) ?? f);
      const index = new Index(now, hasKernel(tree));
      for (const member of lost) index.giveUp(member);
      index.unread(unread);
      const sites = sitesIn(now, asked, options, index);
      const after = study({ index, tasks: new Tasks(index), sites }, asked, options, source);
      return recheck(done, after, made, options);
    },
  };
}

/** What an analysis asks of the files of the tree. */
interface Asking {
  readonly basis: BasisNotes;
  readonly readText: Reader;
  /** The text of a file as it was first. */
  readonly source: (file: string) => string;
  /** Is it among the files asked for? */
  readonly asked: (file: string) => boolean;
}

/** Findings, and what is to be known to make them once more of edited files. */
interface Found {
  readonly findings: Findings;
  readonly facts: readonly FileFacts[];
  /** Members through which functions are called in more files than can be read. */
  readonly lost: ReadonlySet<string>;
  /** Functions that nobody was seen to call and files name that were not read. */
  readonly unread: ReadonlySet<string>;
  readonly known: ReadonlySet<string>;
  readonly skipped: readonly Skipped[];
}

/** Reads files until all have been read that matter. */
async function findingsIn(
  threads: Threads,
  options: AnalyzeOptions,
  listed: Listed,
  keeping: Keeping | undefined,
  { basis, readText, source, asked }: Asking,
): Promise<Found> {
  const { tree, onProgress, signal } = options;
  const masked = await filesWithMasks(tree, listed.asked, threads, keeping);
  // Scopes that cover no site may be wrong, too.
  const scoped = options.checks
    ? await new NameSearch(tree, listed.asked, threads, keeping).find(SCOPE_CALLS)
    : new Map();
  if (options.checks) for (const name of SCOPE_CALLS) basis.hasAll(name);
  const known = new Set([
    ...listed.core,
    ...masked,
    ...[...scoped.values()].flat(),
    ...masked.flatMap((file) => ownHeaders(file, readText)),
  ]);
  const first = await parseAll(tree, [...known], threads, onProgress, keeping);
  const skipped = [...listed.skipped, ...first.skipped];
  let facts = [...first.facts];

  // What stands for a mask is known only now: the files asked for are read again where they use it.
  const flags = new Set(facts.flatMap((f) => f.maskFlags.map((m) => m.flag)));
  // A flag that becomes another flag before it becomes a mask is known by its name.
  const relayed = MASKS.filter(
    ({ name, form, source: header }) => form === 'flag' && source(header).includes(name),
  );
  for (const { name } of relayed) flags.add(name);
  const word = new RegExp(`\\b(?:${[...flags].join('|')})\\b`);
  const relay = new RegExp(`&\\s*(?:${relayed.map(({ name }) => name).join('|')})\\b`);
  if (flags.size > 0) {
    facts = facts.map((f) => {
      if (!asked(f.file) && (relayed.length < 2 || !/^(?:mm|fs|include)\//.test(f.file))) return f;
      const again = readText(f.file);
      return 'text' in again && (asked(f.file) ? word : relay).test(again.text)
        ? unpackFacts(packFacts(extractFacts(f.file, again.text, 'fast', flags)))
        : f;
    });
  }

  const rest = listed.rest.filter((file) => !known.has(file));
  const read = async (files: readonly string[]): Promise<readonly FileFacts[]> => {
    const fresh = [...new Set(files)].filter((file) => !known.has(file));
    for (const file of fresh) known.add(file);
    return fresh.length === 0 ? [] : (await parseAll(tree, fresh, threads, onProgress, keeping)).facts;
  };
  onProgress?.({ phase: 'analysing', done: 0, total: 1 });
  // Threads look through the rest for all names that may be asked for while this one finds out for which it asks.
  const names = new Set<string>();
  for (const file of facts) {
    // The kernel calls no function of a module by name.
    if (!inModule(file.file)) for (const fn of file.functions) if (!fn.isStatic) names.add(fn.name);
    for (const entry of file.tables) names.add(entry.field);
    for (const fn of file.functions)
      for (const [to] of fn.references) if (to.includes(' ')) names.add(to.slice(to.lastIndexOf(' ') + 1));
  }
  const finder = new NameSearch(tree, rest, threads, keeping);
  const search = finder.find(names);
  // Until it is awaited below nobody else looks at its failure.
  search.catch(() => {});
  const start = new Index(facts, hasKernel(tree));
  const uncalled = uncalledAbove(start, new Tasks(start), sitesIn(facts, asked, options, start));
  const named = new Map(await search);
  /** Looks for names that came in with files which were read. */
  const lookFor = async (wanted: Iterable<string>): Promise<void> => {
    const fresh = new Set([...wanted].filter((name) => !names.has(name)));
    for (const name of fresh) names.add(name);
    for (const [name, files] of await finder.find(fresh)) named.set(name, files);
  };
  // Who calls what nobody was seen to call, if that is no name of everybody's; once, since each brings new ones in.
  const filesOf = (name: string): readonly string[] => named.get(name) ?? [];
  const few = (name: string): readonly string[] => {
    const files = filesOf(name);
    const more = files.length - MAX_FILES_OF_MEMBER;
    if (more > 0) basis.hasTooMany(name, files, more);
    else basis.hasAll(name);
    return more > 0 ? [] : files;
  };
  const callers = [
    ...[...uncalled.fields].flatMap((field) => {
      const files = few(field);
      return files.length > 0 ? files : few(`->${field}`);
    }),
    ...[...uncalled.functions].flatMap(few),
  ];
  const macros = new Macros(tree, readText);
  /** Files in which the name of what a proof rests on stands for something else. */
  let aside: FileFacts[] = [];
  /** Reads files and those that they include. */
  const bring = async (files: readonly string[]): Promise<readonly FileFacts[]> => {
    const fresh = files.filter((file) => !known.has(file));
    const found = await read(fresh.flatMap((file) => [file, ...ownHeaders(file, readText)]));
    facts.push(...found);
    return found;
  };
  /** Reads the files that may call one of the functions, and those that may call what calls these there. */
  const bringCallers = async (functions: ReadonlySet<string>): Promise<boolean> => {
    const all = new Set(functions);
    let isNew = false;
    for (let next: ReadonlySet<string> = functions; next.size > 0; ) {
      await lookFor(next);
      for (const name of next) basis.hasAll(name);
      aside.push(...(await read([...next].flatMap(filesOf))));
      const [using, others] = split(aside, (f) => usesAny(f, all, macros));
      aside = others;
      facts.push(...using, ...(await read(using.flatMap((f) => ownHeaders(f.file, readText)))));
      isNew ||= using.length > 0;
      next = new Set(using.flatMap((f) => callersIn(f, all)).filter((name) => !all.has(name)));
      for (const name of next) all.add(name);
    }
    return isNew;
  };
  await bring(callers);
  // Their memory is wanted for what follows; should more files come in, new ones are made.
  await threads.close();

  const calling = new Map<string, boolean>();
  /** May code of a file that was not read call a function, or does it only declare it or speak of it? */
  const mayCall = (file: string, name: string): boolean => {
    const key = `${file} ${name}`;
    let answer = calling.get(key);
    if (answer === undefined) {
      const text = isUapi(file) ? { text: '' } : readText(file);
      answer = !('text' in text) || usesFunction(text.text, name);
      calling.set(key, answer);
    }
    return answer;
  };
  const lost = new Set<string>();
  const unread = new Set<string>();
  /** By member on which a proof rests: the files that use it. */
  const users = new Map<string, readonly string[]>();
  /** The tree as far as it was read, for the time being. */
  const linked = async (): Promise<Linked> => {
    const index = new Index(facts, hasKernel(tree));
    for (const member of lost) index.giveUp(member);
    const tasks = new Tasks(index);
    const sites = sitesIn(facts, asked, options, index);
    const { functions } = uncalledAbove(index, tasks, sites);
    await lookFor(functions);
    for (const name of functions) {
      const naming = filesOf(name).filter((file) => !known.has(file));
      const others = naming.length > MAX_FILES_USING ? naming : naming.filter((file) => mayCall(file, name));
      if (others.length > 0) unread.add(name);
      if (others.length > 0) basis.hasTooMany(name, others, others.length);
      else basis.hasAll(name);
    }
    index.unread(unread);
    return { index, tasks, sites };
  };
  /** The findings, if all files have been read that matter to them; those that turn out to matter are read. */
  const attempt = async (): Promise<Findings | undefined> => {
    signal?.throwIfAborted();
    onProgress?.({ phase: 'analysing', done: 0, total: 1 });
    const findings = study(await linked(), asked, options, source);
    // A function that seems covered is so only if the rest of the tree does not call it.
    const proven = new Set<string>();
    for (const id of proofs(findings)) {
      const fn = findings.index.functions[id]!;
      if (!fn.facts.isStatic && !inModule(fn.file.file)) proven.add(fn.facts.name);
    }
    const isNew = await bringCallers(proven);
    // What is stored in a member is called through it.
    const given = lost.size;
    for (const member of membersOf(findings)) {
      if (lost.has(member) || users.has(member)) continue;
      const use = `->${fieldOf(member)}`;
      const usedIn = filesOf(use);
      const using = usedIn.filter((file) => knows(findings.index, file, member, readText));
      if (using.length <= MAX_FILES_USING) {
        users.set(member, using);
        basis.hasAll(use);
      } else {
        lost.add(member);
        basis.hasTooMany(use, usedIn, using.length - MAX_FILES_USING);
      }
    }
    const through = await bring([...users.values()].flat());
    await threads.close();
    return isNew || through.length > 0 || lost.size > given ? undefined : findings;
  };
  // What an attempt found out is gone before the next one.
  let findings: Findings | undefined;
  while (!findings) findings = await attempt();
  return { findings, facts, lost, unread, known, skipped };
}

/** A site that some callers reach without a scope: locks that others hold there, and transactions in which they may be. */
interface Need {
  readonly site: LocatedSite;
  readonly locks: readonly string[];
  readonly begun: readonly string[];
}

/** Findings with the classes that are chosen in the end, and what is to be said of a site then. */
interface Settled {
  readonly done: Findings;
  readonly judgementOf: (site: LocatedSite) => Judgement;
}

/**
 * With `lock-free`, classes get a scope, too, that some callers of a site hold and others do not: no cover comes of it, but then no lock
 * is held outside of scopes. So do transactions in which some callers are. Only classes stay that serve a site so.
 */
function withScopesForOthers(
  findings: Findings,
  { transforms = BY_DEFAULT }: AnalyzeOptions,
  judgingOf = judging(findings),
): Settled {
  const settled = (done: Findings): Settled => ({ done, judgementOf: oncePer(judgingOf(done)) });
  let now = settled(findings);
  if (!transforms.includes(lockFree.name)) return now;
  const also = new Map<string, number>();
  let left = findings.sites.filter(
    (s) => s.api === 'nofs' && editOf(findings.index, s) !== undefined && isWholeMask(s.facts.flag),
  );
  // A scope for one site may leave another with fewer locks that others hold there.
  for (;;) {
    const before = also.size;
    const needs = left.flatMap((site): Need[] => {
      const { verdict, paths, isStuck } = now.judgementOf(site);
      const [path] = paths;
      if (verdict !== 'partial' || isStuck || !path) return [];
      const locks = path.outcome === 'lock-free' ? path.locks : [];
      const begun = findings.nofs.begun.flatMap((t) => (t.group === site.fn?.group ? [t.lock] : []));
      return [{ site, locks, begun }];
    });
    left = needs.map(({ site }) => site);
    const free = new Set<LocatedSite>();
    // With a scope in its transactions a site may need none of locks.
    for (const classes of [({ begun }: Need) => begun, ({ locks }: Need) => locks]) {
      const found = servingAll(
        (more) => judgingOf(findings.alsoChoosing(more)),
        needs.filter(({ site }) => !free.has(site)),
        classes,
        also,
      );
      for (const [lock, sites] of found.classes) also.set(lock, sites);
      for (const site of found.free) free.add(site);
    }
    if (also.size === before) return now;
    now = settled(findings.alsoChoosing(also));
  }
}

function oncePer<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const found = made.get(key) ?? make(key);
    made.set(key, found);
    return found;
  };
}

/** Of the classes of the needs those with which, beside `also`, each serves a site that is lock-free then; and these sites. */
function servingAll(
  judgingAlso: (also: AlsoWanted) => (site: LocatedSite) => Judgement,
  needs: readonly Need[],
  classes: (need: Need) => readonly string[],
  also: AlsoWanted,
): { classes: AlsoWanted; free: readonly LocatedSite[] } {
  for (let left = needs; ; ) {
    const more = new Map<string, number>();
    for (const need of left)
      for (const lock of classes(need)) if (!also.has(lock)) more.set(lock, (more.get(lock) ?? 0) + 1);
    if (more.size === 0) return { classes: more, free: [] };
    const judgementOf = judgingAlso(new Map([...also, ...more]));
    left = left.filter(({ site }) => judgementOf(site).verdict === 'lock-free');
    if ([...more.keys()].every((lock) => left.some((need) => classes(need).includes(lock))))
      return { classes: more, free: left.map(({ site }) => site) };
  }
}

/**
 * May one of the functions be meant in the file? A name that it defines itself, or that is a macro of a header, means that; in a
 * comment it means nothing.
 */
function usesAny(file: FileFacts, names: ReadonlySet<string>, macros: Macros): boolean {
  const own = new Set(file.functions.map((fn) => fn.name));
  const isMeant = (name: string): boolean =>
    names.has(name) && !own.has(name) && !macros.seenBy(file.file, name);
  return (
    file.mentions.some(isMeant) ||
    file.entered.some(isMeant) ||
    file.tables.some((entry) => isMeant(entry.fn)) ||
    file.functions.some(
      (fn) =>
        fn.broken ||
        fn.references.some(([, name]) => isMeant(name)) ||
        fn.calls.some(([, op]) => [op.fn, ...op.args].some((path) => path.split(/\W/).some(isMeant))),
    )
  );
}

/** Names of the functions of a file that other files may name and that call one of those, over others of the file as well. */
function callersIn({ functions }: FileFacts, names: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (let before = -1; found.size > before; ) {
    before = found.size;
    for (const { name, calls } of functions)
      if (calls.some(([, op]) => names.has(op.fn) || found.has(op.fn))) found.add(name);
  }
  return functions.flatMap(({ name, isStatic }) => (found.has(name) && !isStatic ? [name] : []));
}

function split<T>(all: readonly T[], goesFirst: (one: T) => boolean): [T[], T[]] {
  const out: [T[], T[]] = [[], []];
  for (const one of all) out[goesFirst(one) ? 0 : 1].push(one);
  return out;
}

function planOf(findings: Findings, report: Report, options: AnalyzeOptions): Plan {
  const { transforms = BY_DEFAULT } = options;
  const chosen = TRANSFORMS.filter((t) => transforms.includes(t.name));
  return chosen.reduce((before, t) => planWith(before, t.plan(findings, report, options, before)), NO_PLAN);
}

/** What is wrong after an edit: see `Analysis.recheck`. */
function recheck(before: Findings, after: Findings, done: Plan, options: AnalyzeOptions): Rechecked[] {
  const problems: Rechecked[] = [];
  /** By kind of mask: what the scopes in the edited code cover. */
  const covers = new Map<Api, Cover>();
  const byId = new Map(before.sites.map((s) => [siteId(s), partsOf(s)]));
  const functions = byPlace(after.index.functions);
  const place = new Map([...byPlace(before.index.functions)].map(([key, fn]) => [fn, key]));
  const targets = new Set<number>();
  const all = done.downgrades.flatMap((d) =>
    (byId.get(d.site) ?? []).flatMap((site) => {
      const now = site.fn && functions.get(place.get(site.fn) ?? '');
      if (!site.fn || !now) return [];
      targets.add(now.id);
      const { api, nodes, fn: was } = site;
      const isFree = d.transform === lockFree.name;
      return [{ site, isFree, api, nodes, was, now, what: 'whose mask was dropped' }];
    }),
  );
  const [free, downgraded] = split(all, ({ isFree }) => isFree);
  const byScope = new Map(before.tight.map((tight) => [tight.id, tight]));
  const unwrapped = done.removals.flatMap((removal) => {
    const tight = removal.kind === 'scope' ? byScope.get(removal.id) : undefined;
    const now = tight && functions.get(place.get(tight.fn) ?? '');
    if (!tight || !now) return [];
    targets.add(now.id);
    return [{ api: tight.api, nodes: tight.calls, was: tight.fn, now, what: 'whose scope was taken away' }];
  });
  after.callers.extend(targets);
  for (const { api, nodes, was, now, what } of [...downgraded, ...unwrapped]) {
    const cover =
      covers.get(api) ?? new Cover(after.callers, after.locks, existingScopes(after.index, after.locks, api));
    covers.set(api, cover);
    for (const node of nodes) {
      const at = sameCall(was, node, now);
      if (at >= 0 && (cover.scopes(now, at) || cover.covered(now.id))) continue;
      problems.push({
        file: now.file.file,
        function: now.facts.name,
        message: `after the edit an allocation ${what} is outside of a scope`,
      });
    }
  }
  // What was dropped for want of a lock may be in no scope.
  const judgingOf = judging(after);
  const judgementOf = free.length > 0 ? judgingOf(after) : undefined;
  for (const { site, nodes, was, now } of free) {
    const at = nodes.map((node) => sameCall(was, node, now)).filter((node) => node >= 0);
    const judged = judgementOf!({ ...site, fn: now, nodes: at });
    if (judged.verdict === 'lock-free' || judged.verdict === 'covered') continue;
    problems.push({
      file: now.file.file,
      function: now.facts.name,
      message: `after the edit an allocation whose mask was dropped may be made under a reclaim lock: ${judged.reason}`,
    });
  }
  const second = withScopesForOthers(after, options, judgingOf);
  const built = buildReport({ root: '', version: '' }, second.done, second.judgementOf, []);
  const again = planOf(second.done, built, options);
  for (const left of [...again.scopes, ...again.downgrades, ...again.removals]) {
    problems.push({
      file: left.file,
      function: left.function ?? '',
      message: 'a second run would change it again',
    });
  }
  return problems;
}

/** Functions by what an edit leaves as it is: file, name, and which of its name in the file. */
function byPlace(functions: readonly Fn[]): Map<string, Fn> {
  const out = new Map<string, Fn>();
  for (const fn of functions) {
    const key = `${fn.file.file} ${fn.facts.name} ${fn.facts.isMacro}`;
    let n = 0;
    while (out.has(`${key} ${n}`)) n++;
    out.set(`${key} ${n}`, fn);
  }
  return out;
}

/** The node of the edited function that is the same call: the edit adds scope calls and nothing else. */
function sameCall(was: Fn, node: number, now: Fn): number {
  const op = was.facts.cfg[node]!.op;
  if (op.k !== 'call') return -1;
  const same = (fn: Fn): number[] =>
    [...fn.facts.cfg.keys()].filter((i) => {
      const other = fn.facts.cfg[i]!.op;
      return other.k === 'call' && other.fn === op.fn && other.target === op.target;
    });
  return same(now)[same(was).indexOf(node)] ?? -1;
}

function fieldOf(member: string): string {
  return member.slice(member.lastIndexOf('.') + 1);
}

/** The members through which functions are called whose callers the proofs rest on. */
function membersOf({ index, nofs, noio, ifReal }: Findings): Set<string> {
  const covers = [nofs.choice.cover, ifReal, ...(noio ? [noio.choice.cover] : [])];
  return new Set(covers.flatMap((cover) => cover.proven()).flatMap((id) => index.members.membersOf(id)));
}

/** May code of a file know the struct that a member is of? */
function knows(index: Index, file: string, member: string, readText: Reader): boolean {
  const definitions = index.names.definitionsOf(member.slice(0, member.lastIndexOf('.')));
  if (definitions.length === 0 || definitions.includes(file)) return true;
  // A struct of a .c file is known there alone; one of a header that is not for all, below its folder and where that is included.
  const headers = definitions.filter((at) => !at.endsWith('.c'));
  if (headers.some((at) => /(?:^|\/)include\//.test(at) || file.startsWith(`${path.dirname(at)}/`)))
    return true;
  const source = readText(file);
  return 'text' in source && headers.some((at) => source.text.includes(`/${path.basename(at)}`));
}

/** The functions whose callers the proofs rest on: each covered site's own, and those above it up to the scopes. */
function proofs({ sites, tight, nofs, noio, ifReal }: Findings): number[] {
  const covers = [nofs.choice.cover, ifReal, ...(noio ? [noio.choice.cover] : [])];
  const own = [...sites.flatMap(partsOf), ...tight.map(({ site }) => site)]
    .filter((s) => s.fn && covers.map((c) => isCovered(s, c)).some(Boolean))
    .map((s) => s.fn!.id);
  return [...new Set([...own, ...covers.flatMap((c) => c.proven())])];
}

/** Members in which functions above the sites are stored, and names of those that other files may name, if nobody was seen to call these. */
function uncalledAbove(
  index: Index,
  tasks: Tasks,
  sites: readonly LocatedSite[],
): { readonly fields: ReadonlySet<string>; readonly functions: ReadonlySet<string> } {
  const fields = new Set<string>();
  const functions = new Set<string>();
  const above = new Set(sites.flatMap(partsOf).flatMap((s) => s.fn?.id ?? []));
  for (const id of above) {
    for (const field of index.uncalled.get(id) ?? []) fields.add(field);
    const { facts: fn, file } = index.functions[id]!;
    if (index.callers[id]!.length === 0 && !fn.isStatic && !inModule(file.file)) functions.add(fn.name);
    for (const edge of index.callers[id]!)
      if (edge.how !== 'through' && !tasks.leavesTask(edge)) above.add(edge.from);
  }
  return { fields, functions };
}

/** The headers that a file includes from its own directory: without them the types of what it calls are not known. */
function ownHeaders(file: string, readText: Reader): string[] {
  const read = readText(file);
  if (!('text' in read)) return [];
  const directory = path.dirname(file);
  return [...read.text.matchAll(/^[ \t]*#[ \t]*include[ \t]*"([^"]+)"/gm)]
    .map((match) => path.join(directory, match[1]!))
    .filter((header) => !header.startsWith('..') && 'text' in readText(header));
}

function sitesIn(
  facts: readonly FileFacts[],
  asked: (file: string) => boolean,
  { api = 'both' }: AnalyzeOptions,
  index: Index,
): LocatedSite[] {
  const kept = new KeptMasks(index);
  const byFile = new Map<string, Fn[]>();
  for (const fn of index.functions) {
    const list = byFile.get(fn.file.file);
    if (list) list.push(fn);
    else byFile.set(fn.file.file, [fn]);
  }
  return facts
    .filter((f) => asked(f.file))
    .flatMap((f) => sitesOf(index, kept, f, byFile.get(f.file) ?? []))
    .filter((s) => api === 'both' || s.api === api);
}

/** What is given about waits and names nothing that is there. */
function inVain(waits: readonly GivenWait[], { index, reclaim, noio }: Findings): Skipped[] {
  return waits.flatMap(({ on, held, place: file }) => {
    const isThere = reclaim.waitsOn(on) || (noio?.chains.chains(heldName(on)).length ?? 0) > 0;
    if (!isThere) return [{ file, reason: `reclaim waits for no ${on}` }];
    const missing = held && [held.takes, held.drops].find((name) => !index.names.byName.has(name));
    return missing === undefined ? [] : [{ file, reason: `no function ${missing}() was read` }];
  });
}

function callersOf(sites: readonly LocatedSite[], index: Index, tasks: Tasks): Callers {
  const targets = new Set(sites.flatMap((s) => (s.fn ? [s.fn.id] : [])));
  return new Callers(index, tasks, targets);
}

/** A tree that was read, and the sites in the files asked for. */
interface Linked {
  readonly index: Index;
  readonly tasks: Tasks;
  readonly sites: readonly LocatedSite[];
}

function study(
  { index, tasks, sites }: Linked,
  asked: (file: string) => boolean,
  options: AnalyzeOptions,
  source: (file: string) => string,
): Findings {
  const given = options.waits ?? [];
  const locks = new Locks(index, undefined, given);
  const waits = new Waits(index, tasks);
  const reclaim = new Reclaim(index, locks, tasks, 'nofs', waits, given);
  const takers = new Takers(index, locks, tasks);
  const underLocks = new UnderLocks(index, locks, tasks, waits, reclaim, takers);
  const parts = sites.flatMap(partsOf);
  const { minimal = false, transforms = BY_DEFAULT } = options;
  const tight = transforms.includes('hoist') ? tightScopes(index, locks, tasks, asked) : [];
  const callers = callersOf([...parts, ...tight.map(({ site }) => site)], index, tasks);
  // What would need no scope of its own if it were not for these may get one.
  const misplaced = tight.filter(({ inPlace }) => !inPlace);
  const hoisted = new Set(misplaced.map(({ id }) => id));
  /** `more` are scopes that are proposed already. */
  const ask = (
    api: Api,
    chains: Chains,
    dangers: Chains,
    more?: ScopesAt,
  ): ((also?: AlsoWanted) => Question) => {
    const existing = existingScopes(index, locks, api);
    const there: ScopesAt = more
      ? (fn, node, zero) => existing(fn, node, zero) ?? more(fn, node, zero)
      : existing;
    const bodies = new TaskBodies(index, locks, tasks, waits, chains);
    const staying: ScopesAt = (fn, node, zero) => {
      const scope = there(fn, node, zero);
      return scope && hoisted.has(scope.id) ? undefined : scope;
    };
    const transactions =
      api === 'nofs' && transforms.includes('transaction-scope')
        ? proposeTransactions(index, locks, reclaim, (file, tag) =>
            newMember(source(file), tag, 'nofs_flags'),
          )
        : NO_TRANSACTIONS;
    const regions = new Regions(
      takers,
      api,
      staying,
      options.placement ?? 'around',
      bodies,
      (fn) => transactions.along(fn) !== undefined,
    );
    // Only masks that a scope can replace call for one.
    const wanting = [...parts, ...misplaced.map(({ site }) => site)].filter(
      (s) =>
        s.api === api &&
        editOf(index, s) !== undefined &&
        (isWholeMask(s.facts.flag) || transforms.includes('masks')),
    );
    const choose = chooseClasses(wanting, callers, there, locks, chains, regions, index.functions, {
      minimal,
      locks: transforms.includes('lock-scope'),
      tasks: transforms.includes('task-scope'),
      transactions,
    });
    const { transactions: begun } = transactions;
    return (also = new Map()) => ({ api, chains, dangers, existing, regions, begun, choice: choose(also) });
  };
  // A NOIO scope is as good as a NOFS scope, so these come first.
  const io = [...sites, ...tight].some((s) => s.api === 'noio')
    ? new Reclaim(index, locks, tasks, 'noio', waits, given)
    : undefined;
  const noio = io && ask('noio', io, new EitherChains(io, reclaim))();
  const nofs = ask('nofs', reclaim, reclaim, noio?.choice.cover.scopes);
  const ifReal = new Cover(callers, locks, existingScopes(index, locks, 'nofs', true));
  const alsoChoosing: Findings['alsoChoosing'] = (also) => ({ ...findings, nofs: nofs(also) });
  const findings: Findings = {
    index,
    locks,
    tasks,
    servers: new Servers(index, tasks, waits, reclaim, callers),
    strangers: new Strangers(index, locks, reclaim, underLocks),
    underLocks,
    reclaim,
    nofs: nofs(),
    noio,
    callers,
    ifReal,
    sites,
    tight,
    source,
    alsoChoosing,
  };
  return findings;
}
