import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import {
  CREATORS,
  LAYERS,
  OF_A_FILESYSTEM_TYPE,
  ON_ANOTHER_FILESYSTEM,
  OPTIONAL_LIBRARIES,
  VFS_TABLES,
} from '../kernel/layers.js';
import { PSEUDO_LOCKS, type PseudoLock } from '../kernel/pseudo-locks.js';
import { PSEUDO_FILESYSTEM, RECLAIM_ENTRIES } from '../kernel/reclaim-contexts.js';
import type { Api, ReclaimEntry } from '../kernel/types.js';
import type { Certainty, Flags, HandedFlags } from './flags.js';
import { type GivenWait, heldName } from './given-waits.js';
import { Going } from './going.js';
import { isUnknown, type Locks } from './locks.js';
import type { Step } from './report.js';
import { isState } from './state-locks.js';
import type { Tasks } from './tasks.js';
import { type Wait, Waits } from './waits.js';

/** One way in which reclaim comes to block on a lock class. */
export interface ReclaimChain {
  readonly lock: string;
  readonly entry: ReclaimEntry;
  /** The filesystem (or other part of the kernel) whose tables the chain goes through. */
  readonly group: string;
  /** For a filesystem that is one file of what all share (binfmt_misc), which the others are not concerned with: that file. */
  readonly only?: string;
  /**
   * The lock is one of the inode that reclaim gets rid of, or of what embeds it. That has no user left: no other task holds
   * it, so nobody waits for ever. lockdep knows the class only and may report it all the same.
   */
  readonly going: boolean;
  /** False where a constant argument seems to keep reclaim away from the acquire: withholds, but is no evidence. */
  readonly believable: boolean;
  /** What a reader must know to judge the chain. */
  readonly notes: readonly string[];
  /** Reclaim entry first; the last step is the function that calls the lock primitive. */
  readonly steps: readonly Step[];
}

/**
 * Reclaim blocks on a field until somebody wakes it. That is a lock whose holder is whoever is to wake it, and which
 * code that is cannot be told from the wait.
 */
export interface ReclaimWait {
  /** The field, named as a lock class is. */
  readonly on: string;
  readonly entry: ReclaimEntry;
  readonly group: string;
  /** As for a chain; the last step is the function that waits. */
  readonly steps: readonly Step[];
  /** Names of the functions that end the wait, sorted. */
  readonly wakers: readonly string[];
}

/** Which lock classes reclaim blocks on, and how it comes to them. */
export interface Chains {
  /** All chains to the class, best first. */
  chains(lock: string): readonly ReclaimChain[];
  /** The best of those that matter to code of `group`. */
  chainFor(lock: string, group: string): ReclaimChain | undefined;
  /** May a task that holds the lock wait for ever for reclaim? */
  endangers(lock: string, group: string): boolean;
  /** How reclaim comes to wait for a worker or kthread, if it does. */
  waitForTask(task: number): ReclaimWait | undefined;
}

/** Chains of IO, and those of filesystem reclaim: `GFP_KERNEL` in place of `GFP_NOIO` allows both. */
export class EitherChains implements Chains {
  constructor(
    private readonly io: Chains,
    private readonly fs: Chains,
  ) {}

  chains(lock: string): readonly ReclaimChain[] {
    return [...this.io.chains(lock), ...this.fs.chains(lock)];
  }

  chainFor(lock: string, group: string): ReclaimChain | undefined {
    return this.io.chainFor(lock, group) ?? this.fs.chainFor(lock, group);
  }

  endangers(lock: string, group: string): boolean {
    // There are no going inodes below a filesystem.
    return this.io.chainFor(lock, group) !== undefined || this.fs.endangers(lock, group);
  }

  waitForTask(task: number): ReclaimWait | undefined {
    return this.io.waitForTask(task) ?? this.fs.waitForTask(task);
  }
}

/** Parts of the kernel that a chain may run through on its way to a lock. */
const SHARED_LAYERS = /^(?:fs|mm|include|block)$/;

/** Best first: common before rare, short before long. */
function byQuality(a: ReclaimChain, b: ReclaimChain): number {
  return (
    Number(b.believable) - Number(a.believable) ||
    Number(a.going) - Number(b.going) ||
    Number(a.entry.rare ?? false) - Number(b.entry.rare ?? false) ||
    a.steps.length - b.steps.length ||
    (a.group < b.group ? -1 : a.group > b.group ? 1 : 0) ||
    (a.lock < b.lock ? -1 : 1)
  );
}

/**
 * A file of fs/ or mm/ that registers a filesystem (pipes, namespaces, shmem) is no library, though its directory is:
 * what it sets in its tables is for its own inodes.
 */
function isFilesystem(fn: Fn): boolean {
  return fn.file.globals.some(([, type]) => type === 'file_system_type');
}

interface Reached {
  readonly fn: number;
  /** The variable that is the inode which goes, where it is known. */
  readonly going: string | undefined;
  readonly from: Reached | undefined;
  readonly edge: Edge | undefined;
  /** What its caller hands in, where the function tests it. */
  readonly given: readonly HandedFlags[];
  /** It works on files of another filesystem, on behalf of the one that reclaim is in. */
  readonly elsewhere: boolean;
  /** It is not called but waited for. */
  readonly waited?: true;
}

/**
 * Lock classes that reclaim blocks on, with their chains. One search for each part of the kernel that has
 * entries: a call through an operation table leads to that part's own functions or a library's, never to
 * another filesystem's. Edges known by field name only are not evidence and are not followed.
 */
export class Reclaim implements Chains {
  private readonly byLock = new Map<string, ReclaimChain[]>();
  private readonly waited = new Map<string, ReclaimWait>();
  /** By filesystem and function that puts an object into the task: how reclaim comes there. */
  private readonly begun = new Map<string, Pick<ReclaimChain, 'entry' | 'steps'>>();
  /** By worker or kthread that reclaim waits for: the best way to such a wait. */
  private readonly awaited = new Map<number, ReclaimWait>();
  /** Whatever is waited for, by hardware or tasks, in code that all share, too. */
  private readonly waitedOn = new Set<string>();
  /** By filesystem: locks of unknown class that its reclaim takes. */
  private readonly unknown = new Map<string, Set<string>>();
  /** What the user says of waits, by field, and of which of those reclaim of a filesystem comes to that nobody holds up. */
  private readonly given: ReadonlyMap<string, GivenWait>;
  private readonly excused = new Map<string, Set<GivenWait>>();
  private readonly endangering = new Map<string, readonly string[]>();
  private readonly going: Going;
  private readonly flags: Flags;
  /** By file: does it make a filesystem at whose inodes no shrinker gets? */
  private readonly pseudo = new Map<string, boolean>();
  /** Functions at which no chain goes on. */
  private readonly ends: ReadonlySet<string>;
  /** Functions that make what reclaim only gets rid of. */
  private readonly creators = new Set<number>();

  constructor(
    private readonly index: Index,
    private readonly locks: Locks,
    private readonly tasks: Tasks,
    readonly api: Api,
    private readonly waits: Waits = new Waits(index, tasks),
    given: readonly GivenWait[] = [],
  ) {
    this.given = new Map(given.map((one) => [one.on, one]));
    this.going = new Going(index);
    this.flags = locks.flags;
    this.ends = new Set(LAYERS.filter((l) => l.ends.includes(api)).map((l) => l.name));
    for (const creator of CREATORS.filter((c) => c.ends.includes(api))) {
      for (const made of index.names.byName.get(creator.name) ?? []) {
        for (const edge of index.callers[made.id]!) if (edge.how === 'call') this.creators.add(edge.from);
      }
    }
    const isReplaced = ({ table, replacedBy }: ReclaimEntry): boolean =>
      replacedBy !== undefined && index.names.fieldType(table, replacedBy, '') !== '';
    const entries = RECLAIM_ENTRIES.filter((e) => e.api === api && !isReplaced(e));
    const groups = new Map<string, { entry: ReclaimEntry; fn: number }[]>();
    for (const entry of entries) {
      for (const [fn, owners] of index.members.tableOwners(`${entry.table}.${entry.field}`)) {
        if (this.isOutOfReach(`${entry.table}.${entry.field}`, index.functions[fn]!)) continue;
        for (const owner of owners) {
          if (entry.beside !== undefined && !index.members.ownsTable(owner, `${entry.table}.${entry.beside}`))
            continue;
          const { file } = this.index.functions[fn]!;
          const only =
            this.index.names.isLibrary(owner) && isFilesystem(this.index.functions[fn]!) ? file.file : '';
          const key = `${owner} ${only}`;
          const list = groups.get(key);
          if (list) list.push({ entry, fn });
          else groups.set(key, [{ entry, fn }]);
        }
      }
    }
    for (const [key, list] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const [group, only] = key.split(' ') as [string, string];
      const found = new Set<string>();
      const start = (rare: boolean) => list.filter(({ entry }) => (entry.rare ?? false) === rare);
      this.search(group, only, start(false), found, 'guessed');
      this.search(group, only, start(true), found, 'guessed');
      // What only comes out where names of flags are no proof is poor evidence, but withholds all the same.
      this.search(group, only, [...start(false), ...start(true)], found, 'known');
    }
    for (const pseudo of PSEUDO_LOCKS) if (pseudo.api === api) this.recordPseudo(pseudo);
    for (const chains of this.byLock.values()) {
      chains.sort(byQuality);
    }
  }

  /** IO waits in those functions, whatever way it comes there. */
  private recordPseudo({ name: lock, api, blocks, context, sources }: PseudoLock): void {
    for (const block of blocks) {
      const fn = this.index.names.byName.get(block)?.find((f) => !f.facts.isMacro);
      if (!fn) continue;
      const steps = [{ function: block, file: fn.file.file, line: fn.facts.line }];
      const entry = { table: 'bio', field: 'submission', api, source: sources[0]!, context };
      const chain = { lock, group: fn.group, entry, steps, notes: [], going: false, believable: true };
      this.byLock.set(lock, [...(this.byLock.get(lock) ?? []), chain]);
    }
  }

  private search(
    group: string,
    only: string,
    starts: readonly { entry: ReclaimEntry; fn: number }[],
    found: Set<string>,
    certainty: Certainty,
  ): void {
    const entryOf = new Map<number, ReclaimEntry>();
    const seen = new Set<string>();
    const key = (fn: number, given: readonly HandedFlags[] = [], going?: string): string =>
      `${fn}${given.map((g) => ` ${g.param} ${g.values.join()}`).join('')}${going === undefined ? '' : ` ${going}`}`;
    /** Whether it has been seen like that, or without regard to what is handed in, or to where that is. */
    const isSeen = (one: Reached): boolean => {
      if (isSeenPlain(one.fn, one.elsewhere)) return true;
      if (one.given.length === 0 && one.going === undefined) return false;
      const keys = [
        key(one.fn, one.given),
        key(one.fn, undefined, one.going),
        key(one.fn, one.given, one.going),
      ];
      return keys.some((k) => seen.has(k) || (one.elsewhere && seen.has(`${k} elsewhere`)));
    };
    /** Functions seen without regard to what is handed in: with the calls that stay at the filesystem itself, and with the others. */
    const plain = { here: new Set<number>(), elsewhere: new Set<number>() };
    const isSeenPlain = (fn: number, elsewhere: boolean): boolean =>
      plain.here.has(fn) || (elsewhere && plain.elsewhere.has(fn));
    const add = (one: Reached): void => {
      if (one.given.length === 0 && one.going === undefined)
        (one.elsewhere ? plain.elsewhere : plain.here).add(one.fn);
      seen.add(`${key(one.fn, one.given, one.going)}${one.elsewhere ? ' elsewhere' : ''}`);
      queue.push(one);
    };
    const queue: Reached[] = [];
    for (const { entry, fn } of starts) {
      const going = this.going.entry(entry, this.index.functions[fn]!);
      if (seen.has(key(fn, undefined, going))) continue;
      entryOf.set(fn, entry);
      add({ fn, going, from: undefined, edge: undefined, given: [], elsewhere: false });
    }
    for (let i = 0; i < queue.length; i++) {
      const at = queue[i]!;
      const fn = this.index.functions[at.fn]!;
      const nodes = at.given.length > 0 ? this.flags.reachable(fn, at.given, certainty) : undefined;
      const runs = (node: number): boolean => !nodes || nodes.has(node);
      for (const a of this.locks.acquisitions(fn)) {
        if (!runs(a.node)) continue;
        if ((!a.direct && !this.namedHere(fn, a.node, a.lock)) || !a.blocking) continue;
        if (isUnknown(a.lock)) {
          if (this.heldByCallers(at))
            this.unknown.set(group, (this.unknown.get(group) ?? new Set()).add(a.lock));
          continue;
        }
        if (at.elsewhere && OF_A_FILESYSTEM_TYPE.test(a.lock)) continue;
        const going = this.going.lock(fn, a.node, a.lock, at.going);
        const known = going ? `${a.lock} of what goes` : a.lock;
        if (found.has(a.lock) || found.has(known) || !this.heldByCallers(at)) continue;
        found.add(known);
        this.record(a.lock, a.node, at, group, only, entryOf, certainty === 'guessed', going);
      }
      if (fn.facts.setsCurrent) this.recordBegin(fn, at, group, entryOf);
      for (const wait of this.waits.in(fn)) {
        if (!runs(wait.node)) continue;
        if (!SHARED_LAYERS.test(fn.group) || !wait.isOneOfMany) this.waitedOn.add(wait.on);
        const isOwn = (task: number): boolean => {
          const { group: other } = this.index.functions[task]!;
          return other === group || this.index.names.isLibrary(other);
        };
        for (const task of [...wait.work, ...(wait.field ? this.waits.tasksThatEnd(wait.on) : [])])
          if (isOwn(task) && !this.awaited.has(task)) this.recordTask(task, wait, at, group, entryOf);
        for (const to of wait.work) {
          const edge: Edge = { from: at.fn, to, node: wait.node, kind: 'typed', how: 'pointer', via: '' };
          const going = this.going.fromList(this.index.functions[to]!);
          const { elsewhere } = at;
          const one: Reached = { fn: to, going, from: at, edge, given: [], elsewhere, waited: true };
          if (!isSeen(one) && isOwn(to)) add(one);
        }
        // The waits of the VFS, of mm and of the block layer are theirs, and for pages and buffers.
        if (
          wait.field &&
          !wait.isForOwnWork &&
          !SHARED_LAYERS.test(fn.group) &&
          !this.waits.endsInInterrupt(wait.on) &&
          !this.isForState(fn, wait.node)
        ) {
          const given = this.given.get(wait.on);
          const lock = heldName(wait.on);
          if (!given) this.recordWait(wait.on, wait.node, at, group, entryOf);
          else if (!given.held) this.excused.set(group, (this.excused.get(group) ?? new Set()).add(given));
          else if (!found.has(lock)) {
            found.add(lock);
            this.record(lock, wait.node, at, group, only, entryOf, certainty === 'guessed', false);
          }
        }
      }
      for (const edge of this.index.callees[at.fn]!) {
        if (edge.kind === 'name' || edge.kept || edge.how === 'through' || !runs(edge.node)) continue;
        const elsewhere = at.elsewhere || ON_ANOTHER_FILESYSTEM.test(edge.via);
        if (isSeenPlain(edge.to, elsewhere)) continue;
        const to = this.index.functions[edge.to]!;
        if (this.ends.has(to.facts.name) || this.creators.has(to.id) || this.tasks.leavesTask(edge)) continue;
        if (!this.allowed(group, edge, to, at.elsewhere)) continue;
        const given = this.flags.given(fn, edge, at.given);
        const going = this.going.handedOn(fn, edge, at.going);
        const one: Reached = { fn: edge.to, going, from: at, edge, given, elsewhere };
        if (!isSeen(one)) add(one);
      }
    }
  }

  /** The lock is taken further down, but which one it is the arguments of this call say. */
  private namedHere(fn: Fn, node: number, lock: string): boolean {
    return this.index.callees[fn.id]!.every((edge) => {
      const to = this.index.functions[edge.to]!;
      return edge.node !== node || !this.locks.has(to, lock);
    });
  }

  /** Is it for inodes or dentries of a filesystem at which no shrinker gets? */
  private isOutOfReach(member: string, { file }: Fn): boolean {
    if (!PSEUDO_FILESYSTEM.tables.test(member)) return false;
    let answer = this.pseudo.get(file.file);
    if (answer === undefined) {
      const { makes, hashes } = PSEUDO_FILESYSTEM;
      const calls = file.functions.flatMap((fn) => fn.calls.map(([, op]) => op.fn));
      answer = calls.includes(makes) && !calls.some((name) => hashes.test(name));
      this.pseudo.set(file.file, answer);
    }
    return answer;
  }

  /** Is code of a part of the kernel within what is looked at for a filesystem: its own, the VFS, mm, libraries of filesystems? */
  isNear(group: string, other: string): boolean {
    return other === group || SHARED_LAYERS.test(other) || this.sharedFilesystemCode(other);
  }

  /** Does a search for the filesystem's locks go on to what is called? */
  follows(group: string, edge: Edge): boolean {
    const to = this.index.functions[edge.to]!;
    return !this.ends.has(to.facts.name) && this.allowed(group, edge, to, false);
  }

  private allowed(group: string, edge: Edge, to: Fn, elsewhere: boolean): boolean {
    // The scheduler, timers, crypto and the like take no lock that a filesystem holds.
    if (!this.isNear(group, to.group)) return false;
    const needs = OPTIONAL_LIBRARIES.find((l) => l.group === to.group);
    if (needs && group !== to.group && !this.index.members.setsTable(group, needs.table)) return false;
    if (edge.via === '') return to.group === group || this.index.names.isLibrary(to.group);
    if (this.isOutOfReach(edge.via, to)) return false;
    // The files there are another filesystem's.
    if (elsewhere && VFS_TABLES.test(edge.via)) return false;
    const owners = this.index.members.tableOwners(edge.via).get(edge.to);
    const isOneFile = to.facts.isStatic && isFilesystem(to);
    // What all share leads to none of the filesystems that are a file among it.
    if (owners?.has(group))
      return (
        !(isOneFile && this.index.names.isLibrary(group)) || this.index.functions[edge.from]!.file === to.file
      );
    // Its own table comes first; a library's only where it has none for that member.
    if (this.index.members.ownsTable(group, edge.via)) return false;
    return owners !== undefined && [...owners].some((o) => this.index.names.isLibrary(o)) && !isOneFile;
  }

  private recordWait(
    on: string,
    node: number,
    at: Reached,
    group: string,
    entryOf: ReadonlyMap<number, ReclaimEntry>,
  ): void {
    const key = `${group} ${on}`;
    if (this.waited.has(key)) return;
    const way = this.way(node, at, entryOf);
    if (!way) return;
    const wakers = this.waits.wakers(on).map((id) => this.index.functions[id]!.facts.name);
    this.waited.set(key, { on, group, ...way, wakers: [...new Set(wakers)].sort() });
  }

  private recordTask(
    task: number,
    { on, node }: Wait,
    at: Reached,
    group: string,
    entryOf: ReadonlyMap<number, ReclaimEntry>,
  ): void {
    const way = this.way(node, at, entryOf);
    if (way) this.awaited.set(task, { on, group, ...way, wakers: [] });
  }

  /** How reclaim comes to wait for a worker or kthread, if it does. */
  waitForTask(task: number): ReclaimWait | undefined {
    return this.awaited.get(task);
  }

  /** Is it a wait for a state of which it is known who holds it up? */
  private isForState(fn: Fn, node: number): boolean {
    return this.locks.acquisitions(fn).some((a) => a.node === node && a.blocking && isState(a.lock));
  }

  private recordBegin(fn: Fn, at: Reached, group: string, entryOf: ReadonlyMap<number, ReclaimEntry>): void {
    const key = `${group} ${fn.id}`;
    if (at.elsewhere || this.begun.has(key)) return;
    const stores = fn.facts.cfg.findIndex(({ op }) => op.k === 'set' && op.to.startsWith('v:current '));
    const way = this.way(Math.max(0, stores), at, entryOf);
    if (way) this.begun.set(key, way);
  }

  /** How reclaim of a filesystem comes to a function that puts an object into the task (`current->F`), if it does. */
  chainToBegin(fn: Fn, group: string): Pick<ReclaimChain, 'entry' | 'steps'> | undefined {
    return this.begun.get(`${group} ${fn.id}`);
  }

  private sharedFilesystemCode(group: string): boolean {
    return group.startsWith('fs/') && this.index.names.isLibrary(group);
  }

  /** The allocator's and mm's own locks are not locks that a caller of the allocator can hold. */
  private heldByCallers(at: Reached): boolean {
    for (let r: Reached | undefined = at; r; r = r.from) {
      const { group } = this.index.functions[r.fn]!;
      if (group !== 'include') return !/^(?:mm|kernel|lib|init|arch)/.test(group);
    }
    return false;
  }

  private record(
    lock: string,
    node: number,
    at: Reached,
    group: string,
    only: string,
    entryOf: ReadonlyMap<number, ReclaimEntry>,
    believable: boolean,
    going: boolean,
  ): void {
    const way = this.way(node, at, entryOf);
    if (!way) return;
    if (going) {
      way.notes.push('that of the inode itself, which has no user left; lockdep sees one class');
    }
    const chain = { lock, group, ...(only === '' ? {} : { only }), ...way, going, believable };
    const list = this.byLock.get(lock);
    if (list) list.push(chain);
    else this.byLock.set(lock, [chain]);
  }

  private way(
    node: number,
    at: Reached,
    entryOf: ReadonlyMap<number, ReclaimEntry>,
  ): { entry: ReclaimEntry; steps: Step[]; notes: string[] } | undefined {
    const steps: Step[] = [];
    const notes: string[] = [];
    let line = this.index.lineOf(this.index.functions[at.fn]!, node);
    let edge: Edge | undefined;
    let first = at.fn;
    for (let r: Reached | undefined = at; r; r = r.from) {
      const fn = this.index.functions[r.fn]!;
      if (!fn.facts.isMacro) {
        steps.unshift({
          function: fn.facts.name,
          file: fn.file.file,
          line,
          ...(edge ? { edge: edge.kind } : {}),
        });
      }
      if (r.waited) notes.unshift(`waits for ${fn.facts.name}() in another task`);
      edge = r.edge;
      first = r.fn;
      if (r.from && r.edge) line = this.index.lineOf(this.index.functions[r.from.fn]!, r.edge.node);
    }
    const entry = entryOf.get(first);
    return entry && { entry, steps, notes };
  }

  /** Locks of unknown class that reclaim of a filesystem takes, or of any. */
  unknownOf(group?: string): string[] {
    return [...this.unknown].flatMap(([of, all]) => (group === undefined || of === group ? [...all] : []));
  }

  /** Locks whose holders may wait for ever for reclaim of the filesystem. */
  endangeringLocks(group: string): readonly string[] {
    let found = this.endangering.get(group);
    if (!found) {
      found = this.reclaimLocks.filter((lock) => this.endangers(lock, group));
      this.endangering.set(group, found);
    }
    return found;
  }

  /** Every reclaim lock, sorted by name. */
  get reclaimLocks(): string[] {
    return [...this.byLock.keys()].sort();
  }

  /** One chain for each lock class that reclaim blocks on in that part of the kernel, best first. */
  chainsOf(group: string): ReclaimChain[] {
    return [...this.byLock.values()]
      .flatMap((chains) => chains.filter((c) => c.group === group))
      .sort(byQuality);
  }

  /** The best chain to each lock class that is acquired in that part of the kernel, whoever's reclaim it is. */
  chainsInto(group: string): ReclaimChain[] {
    const out: ReclaimChain[] = [];
    for (const chains of this.byLock.values()) {
      const found = chains.find((c) => c.steps.at(-1)?.file.startsWith(`${group}/`));
      if (found) out.push(found);
    }
    return out.sort(byQuality);
  }

  /** A wait that matters to code of `group`: of its own filesystem's reclaim, for library code of any that is there. */
  waitFor(group: string): ReclaimWait | undefined {
    const own = this.waitsOf(group)[0];
    if (own || !this.index.names.isLibrary(group)) return own;
    return [...this.waited.values()].find((w) => w.steps.at(-1)?.file.startsWith(`${group}/`));
  }

  /** What the user says nobody holds up, and reclaim of that filesystem waits for. */
  excusedOf(group: string): readonly GivenWait[] {
    const own = this.excused.get(group);
    if (own || !this.index.names.isLibrary(group)) return [...(own ?? [])];
    return [...new Set([...this.excused.values()].flatMap((some) => [...some]))];
  }

  /** Does any filesystem's reclaim wait for it, whoever ends that? */
  waitsOn(on: string): boolean {
    return this.waitedOn.has(on);
  }

  /** What else reclaim waits for in that part of the kernel: fields that some task is to wake. Sorted by name. */
  waitsOf(group: string): ReclaimWait[] {
    return [...this.waited.values()].filter((w) => w.group === group).sort((a, b) => (a.on < b.on ? -1 : 1));
  }

  /** All chains to the class, best first. */
  chains(lock: string): readonly ReclaimChain[] {
    return this.byLock.get(lock) ?? [];
  }

  /**
   * The chains that matter to code of `group`: its own filesystem's, for library code any. Another filesystem's
   * reclaim does not take a lock that this one holds.
   */
  private chainsFor(lock: string, group: string): readonly ReclaimChain[] {
    const chains = this.chains(lock);
    if (this.index.names.isLibrary(group)) return chains;
    const own = chains.filter((c) => c.group === group);
    return own.length > 0
      ? own
      : chains.filter((c) => c.only === undefined && this.index.names.isLibrary(c.group));
  }

  /** The best of them, a chain of the group's own first. */
  chainFor(lock: string, group: string): ReclaimChain | undefined {
    const chains = this.chainsFor(lock, group);
    return chains.find((c) => c.group === group) ?? chains[0];
  }

  /**
   * May a task that holds the lock wait for ever for reclaim? Not so where reclaim takes it of going inodes only. Code outside of
   * filesystems (net/ceph, net/rxrpc) runs on behalf of any.
   */
  endangers(lock: string, group: string): boolean {
    const chains = group.startsWith('fs/') ? this.chainsFor(lock, group) : this.chains(lock);
    return chains.some((chain) => !chain.going);
  }
}
