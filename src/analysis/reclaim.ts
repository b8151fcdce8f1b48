import type { Edge, Fn, Index } from '../index/link.js';
import { LAYERS } from '../kernel/layers.js';
import { RECLAIM_ENTRIES } from '../kernel/reclaim-contexts.js';
import type { Api, ReclaimEntry } from '../kernel/types.js';
import { isUnknown, type Locks } from './locks.js';
import type { Step } from './report.js';
import type { Tasks } from './tasks.js';

/** One way in which reclaim comes to block on a lock class. */
export interface ReclaimChain {
  readonly lock: string;
  readonly entry: ReclaimEntry;
  /** The filesystem (or other part of the kernel) whose tables the chain goes through. */
  readonly group: string;
  /** Reclaim entry first; the last step is the function that calls the lock primitive. */
  readonly steps: readonly Step[];
}

/** Parts of the kernel that a chain may run through on its way to a lock. */
const SHARED_LAYERS = /^(?:fs|mm|include|block)$/;

interface Reached {
  readonly fn: number;
  readonly from: Reached | undefined;
  readonly edge: Edge | undefined;
}

/**
 * Lock classes that reclaim blocks on, with their chains. One search for each part of the kernel that has
 * entries: a call through an operation table leads to that part's own functions or a library's, never to
 * another filesystem's. Edges known by field name only are not evidence and are not followed.
 */
export class Reclaim {
  private readonly byLock = new Map<string, ReclaimChain[]>();

  constructor(
    private readonly index: Index,
    private readonly locks: Locks,
    private readonly tasks: Tasks,
    readonly api: Api,
  ) {
    const ends = new Set(LAYERS.filter((l) => l.ends.includes(api)).map((l) => l.name));
    const entries = RECLAIM_ENTRIES.filter((e) => e.api === api);
    const groups = new Map<string, { entry: ReclaimEntry; fn: number }[]>();
    for (const entry of entries) {
      for (const [fn, owners] of index.tableOwners(`${entry.table}.${entry.field}`)) {
        for (const owner of owners) {
          const list = groups.get(owner);
          if (list) list.push({ entry, fn });
          else groups.set(owner, [{ entry, fn }]);
        }
      }
    }
    for (const [group, list] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const found = new Set<string>();
      for (const rare of [false, true]) {
        const starts = list.filter(({ entry }) => (entry.rare ?? false) === rare);
        this.search(group, starts, ends, found);
      }
    }
    for (const chains of this.byLock.values()) {
      chains.sort(
        (a, b) =>
          Number(a.entry.rare ?? false) - Number(b.entry.rare ?? false) ||
          a.steps.length - b.steps.length ||
          (a.group < b.group ? -1 : 1),
      );
    }
  }

  private search(
    group: string,
    starts: readonly { entry: ReclaimEntry; fn: number }[],
    ends: ReadonlySet<string>,
    found: Set<string>,
  ): void {
    const entryOf = new Map<number, ReclaimEntry>();
    const seen = new Set<number>();
    const queue: Reached[] = [];
    for (const { entry, fn } of starts) {
      if (seen.has(fn)) continue;
      seen.add(fn);
      entryOf.set(fn, entry);
      queue.push({ fn, from: undefined, edge: undefined });
    }
    for (let i = 0; i < queue.length; i++) {
      const at = queue[i]!;
      const fn = this.index.functions[at.fn]!;
      for (const a of this.locks.acquisitions(fn)) {
        if (!a.direct || !a.blocking || found.has(a.lock) || isUnknown(a.lock)) continue;
        if (!this.heldByCallers(at)) continue;
        found.add(a.lock);
        this.record(a.lock, a.node, at, group, entryOf);
      }
      for (const edge of this.index.callees[at.fn]!) {
        if (edge.kind === 'name' || edge.how === 'through' || seen.has(edge.to)) continue;
        const to = this.index.functions[edge.to]!;
        if (ends.has(to.facts.name) || this.tasks.leavesTask(edge)) continue;
        if (!this.allowed(group, edge, to)) continue;
        seen.add(edge.to);
        queue.push({ fn: edge.to, from: at, edge });
      }
    }
  }

  private allowed(group: string, edge: Edge, to: Fn): boolean {
    // The scheduler, timers, crypto and the like take no lock that a filesystem holds.
    if (to.group !== group && !SHARED_LAYERS.test(to.group) && !this.sharedFilesystemCode(to.group))
      return false;
    if (edge.how !== 'table') return to.group === group || this.index.isLibrary(to.group);
    const owners = this.index.tableOwners(edge.via).get(edge.to);
    if (owners?.has(group)) return true;
    // Its own table comes first; a library's only where it has none for that member.
    if (this.index.ownsTable(group, edge.via)) return false;
    return owners !== undefined && [...owners].some((o) => this.index.isLibrary(o));
  }

  private sharedFilesystemCode(group: string): boolean {
    return group.startsWith('fs/') && this.index.isLibrary(group);
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
    entryOf: ReadonlyMap<number, ReclaimEntry>,
  ): void {
    const steps: Step[] = [];
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
      edge = r.edge;
      first = r.fn;
      if (r.from && r.edge) line = this.index.lineOf(this.index.functions[r.from.fn]!, r.edge.node);
    }
    const entry = entryOf.get(first);
    if (!entry) return;
    const chain: ReclaimChain = { lock, entry, group, steps };
    const list = this.byLock.get(lock);
    if (list) list.push(chain);
    else this.byLock.set(lock, [chain]);
  }

  /** Every reclaim lock, sorted by name. */
  get reclaimLocks(): string[] {
    return [...this.byLock.keys()].sort();
  }

  /** All chains to the class, shortest first. */
  chains(lock: string): readonly ReclaimChain[] {
    return this.byLock.get(lock) ?? [];
  }

  /**
   * The chain that matters to code of `group`: its own filesystem's, for library code any. Another filesystem's
   * reclaim does not take a lock that this one holds.
   */
  chainFor(lock: string, group: string): ReclaimChain | undefined {
    const chains = this.chains(lock);
    return (
      chains.find((c) => c.group === group) ??
      (this.index.isLibrary(group) ? chains[0] : chains.find((c) => this.index.isLibrary(c.group)))
    );
  }
}
