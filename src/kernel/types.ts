/**
 * Shapes of the knowledge about the kernel. Everything under `src/kernel/` is data of these
 * shapes: primitives and interfaces, never a place (a file, a function of one filesystem, one lock).
 */

/** Which question a fact belongs to: filesystem reclaim (`__GFP_FS`) or block IO reclaim (`__GFP_IO`). */
export type Api = 'nofs' | 'noio';

/** What only some kernels have; they are read from 4.12 on, and what a tree does not have is simply not found there. */
export interface Versioned {
  /** First version that has it no more, e.g. `5.19`; absent: kernels have it today. */
  readonly until?: string;
  /** Newer than 6.12: the version it was read from; absent: 6.1 or 6.12 has it. */
  readonly since?: string;
}

/** How a primitive acts on a lock. `try` acquires only if it need not wait. */
export type LockAction = 'acquire' | 'try' | 'release' | 'downgrade';

/** How the result of a primitive tells success. `void`: always succeeds. */
export type SuccessWhen = 'void' | 'zero' | 'nonzero';

export interface LockPrimitive extends Versioned {
  readonly name: string;
  readonly action: LockAction;
  readonly success: SuccessWhen;
  /** 0-based index of the argument that is the lock (or a pointer to it). */
  readonly arg: number;
  readonly kind: 'mutex' | 'rwsem' | 'semaphore' | 'percpu-rwsem' | 'rt-mutex' | 'ww-mutex' | 'other';
  /** Kernel file that the fact was read from. */
  readonly source: string;
}

export interface Allocator extends Versioned {
  readonly name: string;
  /** 0-based index of the gfp argument. */
  readonly gfpArg: number;
  readonly source: string;
  /** The entry holds for calls with that many arguments; absent: for any. Tells versions of a signature apart. */
  readonly args?: number;
  /** The mask is the last argument, and `GFP_KERNEL` if it is left out, where the macro is variadic. */
  readonly defaulted?: true;
}

/** An allocating primitive that takes no mask: the one it uses is its own. */
export interface MasklessAllocator {
  readonly name: string;
  /** The mask it allocates with, as the kernel writes it. */
  readonly mask: string;
  readonly source: string;
}

/** A class of `DEFINE_GUARD`/`DEFINE_GUARD_COND`: what stands in `guard(…)(…)`. */
export interface GuardClass {
  /** `mutex`, `mutex_try`, `rwsem_read`, … */
  readonly name: string;
  readonly action: 'acquire' | 'try';
  /** True if the lock may not be held afterwards (the conditional classes). */
  readonly conditional: boolean;
  readonly kind: LockPrimitive['kind'];
  readonly source: string;
}

/** A macro that takes a guard class and a lock. */
export interface GuardForm {
  readonly name: string;
  /** 0-based index of the class argument. */
  readonly classArg: number;
  /** 0-based index of the lock argument; `'next'`: in the parentheses that follow, `guard(mutex)(&lock)`. */
  readonly lockArg: number | 'next';
  /** `block`: released at the end of the enclosing block. `statement`: at the end of the statement it heads. */
  readonly holds: 'block' | 'statement';
  readonly source: string;
}

/** One member of an operation table that reclaim may call. */
export interface ReclaimEntry extends Versioned {
  /** Struct tag of the table, e.g. `super_operations`. */
  readonly table: string;
  readonly field: string;
  readonly api: Api;
  /** Kernel file that shows reclaim calling it. */
  readonly source: string;
  /** What reclaim does when it calls this, a short phrase: `evicting an inode`. */
  readonly context: string;
  /** Reclaim comes here only in a corner case: true, but the poorer evidence where there is another chain. */
  readonly rare?: boolean;
  /** Reclaim comes here only where the table sets this member, too. */
  readonly beside?: string;
  /** In a kernel whose table has this member reclaim calls that one instead. */
  readonly replacedBy?: string;
}

/** A function to which a callback is handed that then runs in another task (or in interrupt context). */
export interface Registrar extends Versioned {
  readonly name: string;
  /** 0-based index of the callback argument. */
  readonly arg: number;
  readonly runs: RunsIn;
  readonly source: string;
}

/**
 * Where a callback runs. Only `same-task` runs inside the scopes and under the locks of the one that
 * hands it over. `task-work` is the same task, but later, on its way to user mode.
 */
export type RunsIn = 'worker' | 'kthread' | 'timer' | 'rcu' | 'irq' | 'softirq' | 'task-work' | 'same-task';

/** A member that holds a callback which runs elsewhere than in the task that assigns it. */
export interface CallbackField {
  readonly struct: string;
  readonly field: string;
  readonly runs: RunsIn;
  readonly source: string;
}

/** What a waiting primitive waits for. */
export type WaitsFor =
  | 'condition'
  | 'bit'
  | 'variable'
  | 'completion'
  | 'work'
  | 'workqueue'
  | 'kthread'
  | 'rcu'
  | 'timer'
  | 'irq'
  | 'page'
  | 'buffer';

/** A function or macro that blocks until somebody else has done something. */
export interface WaitPrimitive extends Versioned {
  readonly name: string;
  readonly waitsFor: WaitsFor;
  /** 0-based index of what is waited on (queue, word, completion, work, …); absent: it takes none. */
  readonly arg?: number;
  /** 0-based index of the condition expression, for those that take one. */
  readonly condition?: number;
  readonly source: string;
}

/** The other side of a wait: ends it. */
export interface WakePrimitive extends Versioned {
  readonly name: string;
  readonly wakes: WaitsFor;
  /** 0-based index of what is woken: the same object that the waiter names. */
  readonly arg: number;
  readonly source: string;
}

/** A function that puts a work item on a workqueue: what flushes the queue waits for the item. */
export interface Queuer {
  readonly name: string;
  /** 0-based indices of the arguments. */
  readonly queueArg: number;
  readonly workArg: number;
  readonly source: string;
}

/** A function that makes a workqueue and returns it. */
export interface WorkqueueMaker {
  readonly name: string;
  /** 0-based index of the argument with the flags; absent: it is always one for memory reclaim. */
  readonly flagsArg?: number;
  readonly source: string;
}

/** A function at which a chain ends: what lies below it is not part of the question. */
export interface Layer {
  readonly name: string;
  /** The questions for which it is an end. */
  readonly ends: readonly Api[];
  /** A phrase that can be printed as the reason. */
  readonly why: string;
  readonly source: string;
}

/** A function through which a filesystem gets hold of what belongs to another one. */
export interface Opener extends Versioned {
  readonly name: string;
  /** It may be kept for later; false: only the function that called it, and what that calls, has it. */
  readonly kept: boolean;
  readonly source: string;
}

/** A call that sets or restores flags of the running task. */
export interface FlagCall {
  readonly name: string;
  /** 0-based argument that holds the flags; absent: it does not say which. */
  readonly flagsArg?: number;
  readonly source: string;
}
