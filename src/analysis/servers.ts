import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { OF_A_FILESYSTEM_TYPE } from '../kernel/layers.js';
import type { RunsIn } from '../kernel/types.js';
import { ENDING, WAKE_BY_NAME } from '../kernel/waits.js';
import type { Callers } from './callers.js';
import { wayInOwnPart } from './own-part.js';
import type { Reclaim } from './reclaim.js';
import { holderOf } from './strangers.js';
import type { Tasks } from './tasks.js';
import type { Waits } from './waits.js';

const SLEEPS: ReadonlySet<RunsIn | undefined> = new Set(['worker', 'kthread', 'task-work']);
const NEVER_SLEEPS: ReadonlySet<RunsIn | undefined> = new Set(['timer', 'rcu', 'softirq', 'irq']);

/**
 * Workers and kthreads that reclaim may wait for, though it isn't seen to: they end I/O, or wake somebody who waits for the same field as
 * reclaim does. A network filesystem's server on the same machine is such a one, or a driver that keeps its blocks in a file. What is
 * none of these uses a filesystem as a system call does. Looked at is what the worker's own part of the kernel does for it; of
 * a part that serves everybody (the VFS, mm, the block layer), its own file.
 */
export class Servers {
  private readonly answers = new Map<number, boolean>();
  private calls: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  private readonly near = new Map<string, Set<string>>();

  constructor(
    private readonly index: Index,
    private readonly tasks: Tasks,
    private readonly waits: Waits,
    private readonly reclaim: Reclaim,
    private readonly callers: Callers,
  ) {}

  /**
   * Does the function work for that part of the kernel: as code of its own, of a library that it uses, of what all use, or of what
   * the two call by name? Any other comes to it through the VFS only: for a file server, a driver on a file, a cache, one filesystem is
   * as good as another.
   */
  isNear(fn: Fn, group: string): boolean {
    if (fn.group === group || this.index.names.isLibrary(group)) return true;
    if (this.index.names.isLibrary(fn.group) && !this.isOfSome(fn.group)) return true;
    return this.servants(group).has(fn.group) || (this.callsOf.get(fn.group)?.has(group) ?? false);
  }

  /**
   * Is the lock, of those that have a class for each type of filesystem, one of another type? So it is where another filesystem
   * holds it, and that has objects of its own only.
   */
  isOthers(name: string, group: string): boolean {
    const holder = holderOf(name);
    if (holder === undefined || holder === group || !OF_A_FILESYSTEM_TYPE.test(name)) return false;
    const { filesystems } = this.index.names;
    return filesystems.has(holder) && filesystems.has(group) && !this.callers.keepsOthers(holder);
  }

  /** Is it a library of some filesystems (jbd2, netfs), rather than code that all of them use? */
  private isOfSome(group: string): boolean {
    return group.includes('/') && this.index.names.isLibrary(group);
  }

  /**
   * What works for a part of the kernel: what it calls by name, and what libraries among these call in turn. A filesystem in which it shows files
   * (debugfs) does not work for it, nor does what keeps files of its own on any.
   */
  private servants(group: string): ReadonlySet<string> {
    let found = this.near.get(group);
    if (!found) {
      found = new Set<string>();
      const all = new Set([group]);
      for (const one of all) {
        for (const other of this.callsOf.get(one) ?? []) {
          if (this.index.names.filesystems.has(other) || this.callers.keepsOthers(other)) continue;
          found.add(other);
          if (this.isOfSome(other)) all.add(other);
        }
      }
      this.near.set(group, found);
    }
    return found;
  }

  /** By part of the kernel: those of which it calls functions by name. */
  private get callsOf(): ReadonlyMap<string, ReadonlySet<string>> {
    if (this.calls) return this.calls;
    const { callees, functions } = this.index;
    const calls = new Map<string, Set<string>>();
    for (const { id, group } of functions) {
      const mine = calls.get(group) ?? new Set();
      calls.set(group, mine);
      for (const { kind, to } of callees[id]!) if (kind === 'direct') mine.add(functions[to]!.group);
    }
    this.calls = calls;
    return calls;
  }

  /** What may not, allocates nothing that would, whatever the paths say. */
  maySleep(body: Fn): boolean {
    return !NEVER_SLEEPS.has(this.tasks.startedAs(body.id));
  }

  /** May reclaim of some filesystem wait for the task that the function is the body of? */
  mayServe(body: Fn): boolean {
    let answer = this.answers.get(body.id);
    if (answer === undefined) {
      answer = !SLEEPS.has(this.tasks.startedAs(body.id)) || this.serves(body);
      this.answers.set(body.id, answer);
    }
    return answer;
  }

  private serves(body: Fn): boolean {
    const way = wayInOwnPart(this.index, body, (fn, op) => {
      if (ENDING.has(op.fn)) return true;
      const wake = WAKE_BY_NAME.get(op.fn);
      return wake !== undefined && this.reclaim.waitsOn(this.waits.classOf(fn, op.args[wake.arg]));
    });
    return way !== undefined;
  }
}
