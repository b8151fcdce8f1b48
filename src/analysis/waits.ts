import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { VFS_TABLES } from '../kernel/layers.js';
import { REGISTRARS_BY_NAME } from '../kernel/tasks.js';
import type { RunsIn } from '../kernel/types.js';
import {
  FOR_RECLAIM,
  IN_SOFTIRQ,
  QUEUERS_BY_NAME,
  SOFTIRQ_QUEUES,
  WAIT_BY_NAME,
  WAKE_BY_NAME,
  WORKQUEUE_MAKER_BY_NAME,
} from '../kernel/waits.js';
import type { Tasks } from './tasks.js';

/** A place at which a function blocks until somebody else has acted. */
export interface Wait {
  readonly node: number;
  /** What is waited on, named as a lock class is: `journal_s.j_wait_updates`. */
  readonly on: string;
  /** Functions that this waits for to return: the work items flushed, the workers that complete it. */
  readonly work: readonly number[];
  /** It ends when somebody wakes the field, not when a known function has returned. */
  readonly field: boolean;
  /** It is for one bit or value of a field that has many. */
  readonly isOneOfMany: boolean;
  /** It is for a work item that the function queues itself, and that ends it: as good as a flush of that item. */
  readonly isForOwnWork: boolean;
}

/** A work item is put on a workqueue that is made with some flag. */
export interface Queued {
  /** The workqueue, named as a lock class is: `ceph_msgr_wq`. */
  readonly queue: string;
  /** The call that makes the workqueue, where it is none of the kernel's own, and one that puts the item on it. */
  readonly made: Place | undefined;
  readonly queued: Place;
}

/** A call in a function. */
export interface Place {
  readonly fn: number;
  readonly node: number;
}

/** One field has many bits, and who clears one of them is not known to be who clears the other. */
const MANY_IN_ONE = new Set(['bit', 'variable']);

type QueueFlag = typeof FOR_RECLAIM | typeof IN_SOFTIRQ;

const FIELD_WAITS = new Set(['condition', 'bit', 'variable', 'completion']);

/** Contexts that end a wait without ever blocking on a lock themselves: what is waited for is the hardware. */
const INTERRUPTS: ReadonlySet<RunsIn> = new Set(['irq', 'softirq', 'timer', 'rcu']);

/** Callers of a waker that are looked at; who wakes from more places than that is no plain I/O completion. */
const MAX_WAKER_CALLERS = 200;

function isThread(runs: RunsIn): boolean {
  return runs === 'worker' || runs === 'kthread';
}

/** Who waits on what, who ends the wait, and what a work item that is waited for runs. */
export class Waits {
  /** Class of a work item → the functions it may run. */
  private readonly runs = new Map<string, Set<number>>();
  /** Class of a workqueue → classes of the items queued there, each with one such call. */
  private readonly queued = new Map<string, Map<string, Place>>();
  /** Flag → class of a workqueue that has it → where that is made. */
  private readonly made = new Map<QueueFlag, Map<string, Place | undefined>>([
    [FOR_RECLAIM, new Map()],
    [IN_SOFTIRQ, new Map(SOFTIRQ_QUEUES.map(({ name }) => [name, undefined]))],
  ]);
  private readonly woken = new Map<string, Set<number>>();
  private readonly ending = new Map<string, readonly number[]>();
  private readonly workers = new Map<QueueFlag, ReadonlyMap<number, Queued>>();
  /** Functions that wait for a work item or workqueue. */
  readonly flushers = new Set<Fn>();
  private readonly interrupts = new Map<string, boolean>();
  private readonly waits = new Map<number, readonly Wait[]>();

  constructor(
    private readonly index: Index,
    private readonly tasks: Tasks,
  ) {
    for (const { fn, runs, item } of index.started)
      if (isThread(runs) && item !== '') put(this.runs, item, fn.id);
    for (const fn of index.functions) {
      for (const [node, op] of fn.facts.calls) {
        if (op.fn === '') continue;
        this.registered(fn, op.fn, op.args);
        const queuer = QUEUERS_BY_NAME.get(op.fn);
        if (queuer) {
          const queue = this.classOf(fn, op.args[queuer.queueArg]);
          const work = this.classOf(fn, op.args[queuer.workArg]);
          const items = this.queued.get(queue) ?? new Map<string, Place>();
          if (!items.has(work)) items.set(work, { fn: fn.id, node });
          if (queue !== '' && work !== '') this.queued.set(queue, items);
        }
        const maker = WORKQUEUE_MAKER_BY_NAME.get(op.fn);
        const queue = maker ? this.classOf(fn, op.to) : '';
        if (maker && queue !== '') {
          const flags = maker.flagsArg === undefined ? FOR_RECLAIM : (op.args[maker.flagsArg] ?? '');
          for (const [flag, queues] of this.made)
            if (flags.includes(flag) && !queues.has(queue)) queues.set(queue, { fn: fn.id, node });
        }
        if (/^work(?:queue)?$/.test(WAIT_BY_NAME.get(op.fn)?.waitsFor ?? '')) this.flushers.add(fn);
        const wake = WAKE_BY_NAME.get(op.fn);
        const on = wake ? this.classOf(fn, op.args[wake.arg]) : '';
        if (on !== '') put(this.woken, on, fn.id);
      }
    }
  }

  /** `INIT_WORK(&x->work, f)`: the item is the argument before the callback. */
  private registered(fn: Fn, name: string, args: readonly string[]): void {
    for (const registrar of REGISTRARS_BY_NAME.get(name) ?? []) {
      if (!isThread(registrar.runs)) continue;
      const item = registrar.arg === 0 ? '' : this.classOf(fn, args[0]);
      if (item === '') continue;
      for (const callback of this.index.types.functionsIn(fn, args[registrar.arg] ?? ''))
        for (const target of this.index.names.lookup(callback, fn.file.file)) put(this.runs, item, target.id);
    }
  }

  /** Only members and globals: a variable of the function is nobody's but its own, unless a member is made to point to it. */
  classOf(fn: Fn, path: string | undefined): string {
    if (path === undefined || path === '') return '';
    const found = this.index.locks.lockClass(fn, this.pointsTo(fn, path) ?? path);
    return found.startsWith('param:') ? '' : found;
  }

  /** The member in which the function keeps the address of a variable of its own. */
  private pointsTo(fn: Fn, address: string): string | undefined {
    const name = /^&v:(\w+)$/.exec(address)?.[1];
    if (name === undefined || !this.index.types.isLocal(fn, name)) return undefined;
    for (const { op } of fn.facts.cfg)
      if (op.k === 'set' && op.from === address && op.to.includes(' ')) return op.to;
    return undefined;
  }

  /** Where the function waits. */
  in(fn: Fn): readonly Wait[] {
    let waits = this.waits.get(fn.id);
    if (!waits) {
      waits = this.find(fn);
      this.waits.set(fn.id, waits);
    }
    return waits;
  }

  private find(fn: Fn): Wait[] {
    const out: Wait[] = [];
    for (const [node, op] of fn.facts.calls) {
      const wait = WAIT_BY_NAME.get(op.fn);
      if (!wait || wait.arg === undefined) continue;
      const on = this.classOf(fn, op.args[wait.arg]);
      if (on === '') continue;
      const field = FIELD_WAITS.has(wait.waitsFor);
      const items = wait.waitsFor === 'workqueue' ? [...(this.queued.get(on)?.keys() ?? [])] : [on];
      const isOneOfMany = MANY_IN_ONE.has(wait.waitsFor);
      const work = isOneOfMany
        ? []
        : field
          ? this.wakers(on).filter((id) => /^(?:worker|kthread)$/.test(this.tasks.startedAs(id) ?? ''))
          : items.flatMap((item) => [...(this.runs.get(item) ?? [])]);
      const isForOwnWork =
        this.pointsTo(fn, op.args[wait.arg]!) !== undefined && this.queuesAll(fn, on, work);
      if (field || work.length > 0) out.push({ node, on, work, field, isOneOfMany, isForOwnWork });
    }
    return out;
  }

  /** Is everybody who wakes those that wait on it one of these workers, and does the function queue them all? */
  private queuesAll(fn: Fn, on: string, workers: readonly number[]): boolean {
    const queued = fn.facts.calls.flatMap(([, op]) => {
      const queuer = QUEUERS_BY_NAME.get(op.fn);
      return [...(this.runs.get(queuer ? this.classOf(fn, op.args[queuer.workArg]) : '') ?? [])];
    });
    return workers.length > 0 && this.wakers(on).every((id) => workers.includes(id) && queued.includes(id));
  }

  /** Functions that wake those who wait on it. */
  wakers(on: string): number[] {
    return [...(this.woken.get(on) ?? [])];
  }

  /** Workers and kthreads that wake those who wait on it, themselves or in what they call. */
  tasksThatEnd(on: string): readonly number[] {
    let found = this.ending.get(on);
    if (!found) {
      found = this.wakers(on).flatMap((id) => this.tasksAbove(id));
      this.ending.set(on, found);
    }
    return found;
  }

  private tasksAbove(id: number): number[] {
    const out: number[] = [];
    const seen = new Set([id]);
    for (const at of seen) {
      const started = this.tasks.startedAs(at);
      if (started !== undefined) {
        if (started === 'worker' || started === 'kthread') out.push(at);
        continue;
      }
      if (seen.size > MAX_WAKER_CALLERS) return [];
      // Whoever uses a file of the waker's is nobody whom one waits for in particular.
      for (const edge of this.index.callers[at]!)
        if (edge.kind !== 'name' && !VFS_TABLES.test(edge.via)) seen.add(edge.from);
    }
    return out;
  }

  /** Is the worker queued as a softirq, and in no other way? */
  isSoftirq(worker: number): boolean {
    if (!this.queuedOn(IN_SOFTIRQ, worker)) return false;
    const inSoftirq = this.made.get(IN_SOFTIRQ)!;
    return ![...this.queued].some(
      ([queue, items]) =>
        !inSoftirq.has(queue) && [...items.keys()].some((item) => this.runs.get(item)?.has(worker)),
    );
  }

  /** The workqueue with that flag which the worker may be queued on. */
  queuedOn(flag: QueueFlag, worker: number): Queued | undefined {
    let found = this.workers.get(flag);
    if (!found) {
      const all = new Map<number, Queued>();
      for (const [queue, made] of this.made.get(flag)!)
        for (const [item, queued] of this.queued.get(queue) ?? [])
          for (const fn of this.runs.get(item) ?? []) if (!all.has(fn)) all.set(fn, { queue, made, queued });
      found = all;
      this.workers.set(flag, found);
    }
    return found.get(worker);
  }

  /** Do only interrupts and the like end the wait, so that it is one for the hardware and no task holds it up? */
  endsInInterrupt(on: string): boolean {
    let answer = this.interrupts.get(on);
    if (answer === undefined) {
      const wakers = this.wakers(on);
      answer = wakers.length > 0 && wakers.every((id) => this.onlyInInterrupt(id));
      this.interrupts.set(on, answer);
    }
    return answer;
  }

  private onlyInInterrupt(waker: number): boolean {
    const seen = new Set([waker]);
    const queue = [waker];
    for (const id of queue) {
      const started = this.tasks.startedAs(id);
      if (started !== undefined) {
        if (!INTERRUPTS.has(started)) return false;
        continue;
      }
      const callers = this.index.callers[id]!;
      if (callers.length === 0 || this.index.escaped.has(id) || seen.size > MAX_WAKER_CALLERS) return false;
      for (const { from } of callers) {
        if (seen.has(from)) continue;
        seen.add(from);
        queue.push(from);
      }
    }
    return true;
  }
}

function put<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}
