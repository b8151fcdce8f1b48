import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { ENDING, FOR_RECLAIM } from '../kernel/waits.js';
import type { Locks } from './locks.js';
import { isUnknown } from './locks.js';
import { type CallAt, wayInOwnPart } from './own-part.js';
import type { Chains } from './reclaim.js';
import type { Step } from './report.js';
import type { Tasks } from './tasks.js';
import type { Waits } from './waits.js';

/** Why memory reclaim depends on what a worker or kthread does. */
export interface TaskReason {
  /**
   * `waited`: reclaim waits for it. `flushed`: who holds a lock that reclaim takes waits for it. `queue`: it is queued on a workqueue
   * that is declared to be on the way of reclaim. `ends`: it ends I/O.
   */
  readonly how: 'waited' | 'flushed' | 'queue' | 'ends';
  /** The lock class for `flushed`, the class of the workqueue for `queue`, what ends the I/O for `ends`; `''` for `waited`. */
  readonly on: string;
  /** From the entry of reclaim to where it waits, or takes the lock; for `queue` where that is made and where it is used, for `ends` from the body to the call. */
  readonly steps: readonly Step[];
  /** What reclaim does at the head of the chain; `''` for `queue` and `ends`. */
  readonly context: string;
  /** For `flushed`: who waits under the lock. */
  readonly by?: Step;
}

/** Workers and kthreads whose body is a critical section for reclaim. */
export class TaskBodies {
  private readonly flushed = new Map<
    number,
    { readonly lock: string; readonly at: Step; readonly group: string }
  >();

  constructor(
    private readonly index: Index,
    locks: Locks,
    private readonly tasks: Tasks,
    private readonly waits: Waits,
    private readonly chains: Chains,
  ) {
    for (const fn of waits.flushers) {
      for (const { node, work } of waits.in(fn)) {
        const lock = locks
          .classes(fn)
          .find((l) => !isUnknown(l) && chains.endangers(l, fn.group) && locks.mayHold(fn, l, node));
        if (lock === undefined) continue;
        for (const task of work)
          if (!this.flushed.has(task))
            this.flushed.set(task, { lock, at: this.step(fn.id, node), group: fn.group });
      }
    }
  }

  private step(id: number, node: number): Step {
    const fn = this.index.functions[id]!;
    return { function: fn.facts.name, file: fn.file.file, line: this.index.lineOf(fn, node) };
  }

  /** The reason, for a function that is the body of a worker or kthread; the best there is. */
  why(fn: Fn): TaskReason | undefined {
    const runs = this.tasks.startedAs(fn.id);
    if (runs !== 'worker' && runs !== 'kthread') return undefined;
    if (this.waits.isSoftirq(fn.id)) return undefined;
    const wait = this.chains.waitForTask(fn.id);
    if (wait) return { how: 'waited', on: '', steps: wait.steps, context: wait.entry.context };
    const flush = this.flushed.get(fn.id);
    const chain = flush && this.chains.chainFor(flush.lock, flush.group);
    if (flush && chain)
      return {
        how: 'flushed',
        on: flush.lock,
        steps: chain.steps,
        context: chain.entry.context,
        by: flush.at,
      };
    const queued = this.waits.queuedOn(FOR_RECLAIM, fn.id);
    if (queued) {
      const places = [queued.made, queued.queued].filter((place) => place !== undefined);
      const steps = places.map(({ fn: id, node }) => this.step(id, node));
      return { how: 'queue', on: queued.queue, steps, context: '' };
    }
    const end = this.endOfIo(fn);
    const last = end?.at(-1)?.fn.facts.cfg[end.at(-1)!.node]?.op;
    if (!end || last?.k !== 'call') return undefined;
    const steps = end.map(({ fn: { id }, node }) => this.step(id, node));
    return { how: 'ends', on: `${last.fn}()`, steps, context: '' };
  }

  /** The way to where the task itself ends the I/O of a page, buffer, bio or request. Reclaim waits for pages that are locked or under writeback. */
  private endOfIo(body: Fn): readonly CallAt[] | undefined {
    return wayInOwnPart(
      this.index,
      body,
      (_, op) => ENDING.has(op.fn),
      (edge) => !this.tasks.leavesTask(edge),
    );
  }

  /** A name for what is waited for, in the place of a lock class: `xlog_cil_push_work()`. */
  classOf({ facts: { name }, file }: Fn): string {
    const others = (this.index.names.byName.get(name) ?? []).filter(
      (fn) => this.tasks.startedAs(fn.id) !== undefined,
    );
    return others.length > 1 ? `${name}() of ${file.file}` : `${name}()`;
  }
}
