/**
 * Shapes of the knowledge about the kernel. Everything under `src/kernel/` is data of these
 * shapes: primitives and interfaces, never a place (a file, a function of one filesystem, one lock).
 */

/** Which question a fact belongs to: filesystem reclaim (`__GFP_FS`) or block IO reclaim (`__GFP_IO`). */
export type Api = 'nofs' | 'noio';

/** How a primitive acts on a lock. `try` acquires only if it need not wait. */
export type LockAction = 'acquire' | 'try' | 'release' | 'downgrade';

/** How the result of a primitive tells success. `void`: always succeeds. */
export type SuccessWhen = 'void' | 'zero' | 'nonzero';

export interface LockPrimitive {
  readonly name: string;
  readonly action: LockAction;
  readonly success: SuccessWhen;
  /** 0-based index of the argument that is the lock (or a pointer to it). */
  readonly arg: number;
  readonly kind: 'mutex' | 'rwsem' | 'semaphore' | 'percpu-rwsem' | 'rt-mutex' | 'ww-mutex' | 'other';
  /** Kernel file that the fact was read from. */
  readonly source: string;
}

export interface Allocator {
  readonly name: string;
  /** 0-based index of the gfp argument. */
  readonly gfpArg: number;
  readonly source: string;
}

/** One member of an operation table that reclaim may call. */
export interface ReclaimEntry {
  /** Struct tag of the table, e.g. `super_operations`. */
  readonly table: string;
  readonly field: string;
  readonly api: Api;
  /** Kernel file that shows reclaim calling it. */
  readonly source: string;
  /** What reclaim does when it calls this, a short phrase: `evicting an inode`. */
  readonly context: string;
}

/** A function to which a callback is handed that then runs in another task (or in interrupt context). */
export interface Registrar {
  readonly name: string;
  /** 0-based index of the callback argument. */
  readonly arg: number;
  readonly runs: 'worker' | 'kthread' | 'timer' | 'rcu' | 'irq' | 'softirq' | 'same-task';
  readonly source: string;
}
