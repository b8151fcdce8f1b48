import type { Queuer, WaitPrimitive, WaitsFor, WakePrimitive, WorkqueueMaker } from './types.js';

/** Primitives that block until somebody else acts, and the ones that end the wait. */
type WaitRow = readonly [name: string, waitsFor: WaitsFor, arg?: number, condition?: number];

function waits(source: string, list: readonly WaitRow[]): WaitPrimitive[] {
  return list.map(([name, waitsFor, arg, condition]) => ({
    name,
    waitsFor,
    source,
    ...(arg === undefined ? {} : { arg }),
    ...(condition === undefined ? {} : { condition }),
  }));
}

const WAIT_EVENTS = [
  'wait_event',
  'wait_event_timeout',
  'wait_event_freezable',
  'wait_event_freezable_timeout',
  'wait_event_cmd',
  'wait_event_exclusive_cmd',
  'wait_event_interruptible',
  'wait_event_interruptible_timeout',
  'wait_event_interruptible_exclusive',
  'wait_event_interruptible_locked',
  'wait_event_interruptible_locked_irq',
  'wait_event_interruptible_exclusive_locked',
  'wait_event_interruptible_lock_irq',
  'wait_event_interruptible_lock_irq_cmd',
  'wait_event_interruptible_lock_irq_timeout',
  'wait_event_killable',
  'wait_event_killable_timeout',
  'wait_event_killable_exclusive',
  'wait_event_idle',
  'wait_event_idle_timeout',
  'wait_event_idle_exclusive',
  'wait_event_lock_irq',
  'wait_event_lock_irq_cmd',
  'wait_event_lock_irq_timeout',
  'wait_event_state',
  'wait_event_hrtimeout',
  'wait_event_interruptible_hrtimeout',
  'io_wait_event',
];

export const WAITS: readonly WaitPrimitive[] = [
  ...waits(
    'include/linux/wait.h',
    WAIT_EVENTS.map((name): WaitRow => [name, 'condition', 0, 1]),
  ),
  // The open-coded form: prepare, test, schedule().
  ...waits('include/linux/wait.h', [
    ['prepare_to_wait', 'condition', 0],
    ['prepare_to_wait_exclusive', 'condition', 0],
    ['prepare_to_wait_event', 'condition', 0],
    ['add_wait_queue', 'condition', 0],
    ['add_wait_queue_exclusive', 'condition', 0],
  ]),
  ...waits('include/linux/swait.h', [
    ['swait_event_exclusive', 'condition', 0, 1],
    ['swait_event_timeout_exclusive', 'condition', 0, 1],
    ['swait_event_idle_exclusive', 'condition', 0, 1],
  ]),
  ...waits('include/linux/rcuwait.h', [['rcuwait_wait_event', 'condition', 0, 1]]),
  ...waits('include/linux/wait_bit.h', [
    ['wait_on_bit', 'bit', 0],
    ['wait_on_bit_io', 'bit', 0],
    ['wait_on_bit_timeout', 'bit', 0],
    ['wait_on_bit_action', 'bit', 0],
    ['wait_on_bit_lock', 'bit', 0],
    ['wait_on_bit_lock_io', 'bit', 0],
    ['wait_on_bit_lock_action', 'bit', 0],
    ['out_of_line_wait_on_bit', 'bit', 0],
    ['wait_var_event', 'variable', 0, 1],
    ['wait_var_event_killable', 'variable', 0, 1],
    ['wait_var_event_interruptible', 'variable', 0, 1],
    ['wait_var_event_timeout', 'variable', 0, 1],
  ]),
  ...waits('include/linux/completion.h', [
    ['wait_for_completion', 'completion', 0],
    ['wait_for_completion_io', 'completion', 0],
    ['wait_for_completion_io_timeout', 'completion', 0],
    ['wait_for_completion_timeout', 'completion', 0],
    ['wait_for_completion_interruptible', 'completion', 0],
    ['wait_for_completion_interruptible_timeout', 'completion', 0],
    ['wait_for_completion_killable', 'completion', 0],
    ['wait_for_completion_killable_timeout', 'completion', 0],
    ['wait_for_completion_state', 'completion', 0],
  ]),
  ...waits('include/linux/workqueue.h', [
    ['flush_work', 'work', 0],
    ['flush_delayed_work', 'work', 0],
    ['flush_rcu_work', 'work', 0],
    ['cancel_work_sync', 'work', 0],
    ['cancel_delayed_work_sync', 'work', 0],
    ['disable_work_sync', 'work', 0],
    ['disable_delayed_work_sync', 'work', 0],
    ['flush_workqueue', 'workqueue', 0],
    ['__flush_workqueue', 'workqueue', 0],
    ['drain_workqueue', 'workqueue', 0],
    ['destroy_workqueue', 'workqueue', 0],
    ['flush_scheduled_work', 'workqueue'],
    // Run the function on a worker and wait for it.
    ['schedule_on_each_cpu', 'work', 0],
    ['work_on_cpu', 'work', 1],
    ['work_on_cpu_safe', 'work', 1],
  ]),
  ...waits('include/linux/kthread.h', [
    ['kthread_flush_work', 'work', 0],
    ['kthread_cancel_work_sync', 'work', 0],
    ['kthread_cancel_delayed_work_sync', 'work', 0],
    ['kthread_flush_worker', 'kthread', 0],
    ['kthread_destroy_worker', 'kthread', 0],
    ['kthread_stop', 'kthread', 0],
    ['kthread_stop_put', 'kthread', 0],
    ['kthread_park', 'kthread', 0],
  ]),
  ...waits('include/linux/async.h', [
    ['async_synchronize_full', 'workqueue'],
    ['async_synchronize_full_domain', 'workqueue', 0],
    ['async_synchronize_cookie', 'workqueue'],
    ['async_synchronize_cookie_domain', 'workqueue', 1],
  ]),
  ...waits('include/linux/rcupdate.h', [
    ['synchronize_rcu', 'rcu'],
    ['synchronize_rcu_tasks', 'rcu'],
  ]),
  ...waits('include/linux/rcutree.h', [
    ['synchronize_rcu_expedited', 'rcu'],
    ['rcu_barrier', 'rcu'],
    ['cond_synchronize_rcu', 'rcu'],
  ]),
  ...waits('include/linux/srcu.h', [['synchronize_srcu', 'rcu', 0]]),
  ...waits('include/linux/srcutree.h', [
    ['synchronize_srcu_expedited', 'rcu', 0],
    ['srcu_barrier', 'rcu', 0],
  ]),
  ...waits('include/linux/timer.h', [
    ['del_timer_sync', 'timer', 0],
    ['timer_delete_sync', 'timer', 0],
    ['timer_shutdown_sync', 'timer', 0],
  ]),
  ...waits('include/linux/hrtimer.h', [['hrtimer_cancel', 'timer', 0]]),
  ...waits('include/linux/interrupt.h', [
    ['tasklet_kill', 'timer', 0],
    ['free_irq', 'irq', 0],
  ]),
  ...waits('include/linux/hardirq.h', [['synchronize_irq', 'irq', 0]]),
  ...waits('include/linux/pagemap.h', [
    ['folio_wait_writeback', 'page', 0],
    ['folio_wait_writeback_killable', 'page', 0],
    ['folio_wait_stable', 'page', 0],
    ['folio_wait_locked', 'page', 0],
    ['folio_wait_locked_killable', 'page', 0],
    ['wait_on_page_writeback', 'page', 0],
    ['wait_on_page_locked', 'page', 0],
    ['wait_for_stable_page', 'page', 0],
    ['filemap_fdatawait_range', 'page', 0],
    ['filemap_fdatawait_keep_errors', 'page', 0],
  ]),
  ...waits('include/linux/buffer_head.h', [
    ['wait_on_buffer', 'buffer', 0],
    ['__wait_on_buffer', 'buffer', 0],
  ]),
];

type WakeRow = readonly [name: string, wakes: WaitsFor, arg: number];

function wakes(source: string, list: readonly WakeRow[]): WakePrimitive[] {
  return list.map(([name, woken, arg]) => ({ name, wakes: woken, arg, source }));
}

export const WAKES: readonly WakePrimitive[] = [
  ...wakes('include/linux/wait.h', [
    ['wake_up', 'condition', 0],
    ['wake_up_nr', 'condition', 0],
    ['wake_up_all', 'condition', 0],
    ['wake_up_sync', 'condition', 0],
    ['wake_up_locked', 'condition', 0],
    ['wake_up_all_locked', 'condition', 0],
    ['wake_up_poll', 'condition', 0],
    ['wake_up_locked_poll', 'condition', 0],
    ['wake_up_interruptible', 'condition', 0],
    ['wake_up_interruptible_nr', 'condition', 0],
    ['wake_up_interruptible_all', 'condition', 0],
    ['wake_up_interruptible_sync', 'condition', 0],
    ['wake_up_interruptible_poll', 'condition', 0],
  ]),
  ...wakes('include/linux/swait.h', [
    ['swake_up_one', 'condition', 0],
    ['swake_up_all', 'condition', 0],
  ]),
  ...wakes('include/linux/rcuwait.h', [['rcuwait_wake_up', 'condition', 0]]),
  ...wakes('include/linux/wait_bit.h', [
    ['wake_up_bit', 'bit', 0],
    ['clear_and_wake_up_bit', 'bit', 1],
    ['wake_up_var', 'variable', 0],
    ['atomic_dec_and_wake_up', 'variable', 0],
  ]),
  ...wakes('include/linux/completion.h', [
    ['complete', 'completion', 0],
    ['complete_all', 'completion', 0],
    ['complete_on_current_cpu', 'completion', 0],
  ]),
];

/** Macros that declare what is waited on as a variable of the function, and the struct that it is. */
export const DECLARERS: readonly { readonly name: string; readonly type: string; readonly source: string }[] =
  (
    [
      ['DECLARE_COMPLETION_ONSTACK', 'completion', 'include/linux/completion.h'],
      ['DECLARE_COMPLETION_ONSTACK_MAP', 'completion', 'include/linux/completion.h'],
      ['DECLARE_WAIT_QUEUE_HEAD_ONSTACK', 'wait_queue_head', 'include/linux/wait.h'],
      ['DECLARE_SWAIT_QUEUE_HEAD_ONSTACK', 'swait_queue_head', 'include/linux/swait.h'],
    ] as const
  ).map(([name, type, source]) => ({ name, type, source }));

export const DECLARED_BY: ReadonlyMap<string, string> = new Map(
  DECLARERS.map(({ name, type }) => [name, type]),
);

/**
 * Functions that end I/O, of a page, buffer, bio or request, which somebody else may wait for; what others call to do so does it by one of
 * these. Plain unlocking is not among them: who locks a page or buffer for itself unlocks it, too.
 */
export const ENDS_IO: readonly { readonly name: string; readonly source: string }[] = (
  [
    [
      'include/linux/pagemap.h',
      ['folio_end_read', 'folio_end_writeback', 'end_page_writeback', 'folio_end_private_2', 'page_endio'],
    ],
    ['include/linux/netfs.h', ['end_page_fscache']],
    [
      'include/linux/buffer_head.h',
      ['end_buffer_read_sync', 'end_buffer_write_sync', 'end_buffer_async_write'],
    ],
    ['include/linux/bio.h', ['bio_endio', 'bio_io_error']],
    [
      'include/linux/blk-mq.h',
      [
        'blk_mq_end_request',
        '__blk_mq_end_request',
        'blk_mq_end_request_batch',
        'blk_mq_complete_request',
        'blk_mq_complete_request_remote',
      ],
    ],
    ['include/scsi/scsi_cmnd.h', ['scsi_done']],
  ] as const
).flatMap(([source, names]) => names.map((name) => ({ name, source })));

export const ENDING: ReadonlySet<string> = new Set(ENDS_IO.map(({ name }) => name));

export const QUEUERS: readonly Queuer[] = (
  [
    ['queue_work', 0, 1],
    ['queue_work_on', 1, 2],
    ['queue_work_node', 1, 2],
    ['queue_delayed_work', 0, 1],
    ['queue_delayed_work_on', 1, 2],
    ['mod_delayed_work', 0, 1],
    ['mod_delayed_work_on', 1, 2],
    ['queue_rcu_work', 0, 1],
  ] as const
).map(([name, queueArg, workArg]) => ({ name, queueArg, workArg, source: 'include/linux/workqueue.h' }));

/**
 * What makes a workqueue. One that has `WQ_MEM_RECLAIM` is declared to be on the way of memory reclaim: "all work items which might be
 * used on code paths that handle memory reclaim are required to be queued on" such (Documentation/core-api/workqueue.rst).
 */
export const WORKQUEUE_MAKERS: readonly WorkqueueMaker[] = (
  [
    ['alloc_workqueue', 1],
    ['alloc_workqueue_lockdep_map', 1],
    ['alloc_ordered_workqueue', 1],
    ['alloc_ordered_workqueue_lockdep_map', 1],
    ['create_workqueue'],
    ['create_freezable_workqueue'],
    ['create_singlethread_workqueue'],
  ] as const
).map(([name, flagsArg]) => ({
  name,
  source: 'include/linux/workqueue.h',
  ...(flagsArg === undefined ? {} : { flagsArg }),
}));

/** The flag of a workqueue that memory reclaim may wait for; the makers without flags give it. */
export const FOR_RECLAIM = 'WQ_MEM_RECLAIM';

/** The flag of a workqueue whose items run as softirqs do (include/linux/workqueue.h, 6.9 and later): a scope would be the interrupted task's. */
export const IN_SOFTIRQ = 'WQ_BH';

/** The kernel's own workqueues that have that flag. */
export const SOFTIRQ_QUEUES = ['system_bh_wq', 'system_bh_highpri_wq'].map((name) => ({
  name,
  source: 'include/linux/workqueue.h',
}));

export const WORKQUEUE_MAKER_BY_NAME: ReadonlyMap<string, WorkqueueMaker> = new Map(
  WORKQUEUE_MAKERS.map((m) => [m.name, m]),
);
export const QUEUERS_BY_NAME: ReadonlyMap<string, Queuer> = new Map(QUEUERS.map((q) => [q.name, q]));
/** Ways to wait that may end before the condition holds. */
const MAY_GIVE_UP = /interruptible|killable|timeout|freezable|state|rcuwait/;

/** By name: the argument that is true once the call comes back, whatever happens. */
export const WAITS_UNTIL: ReadonlyMap<string, number> = new Map(
  WAITS.flatMap(({ name, condition }) =>
    condition === undefined || MAY_GIVE_UP.test(name) ? [] : [[name, condition] as const],
  ),
);

export const WAIT_BY_NAME: ReadonlyMap<string, WaitPrimitive> = new Map(WAITS.map((w) => [w.name, w]));
export const WAKE_BY_NAME: ReadonlyMap<string, WakePrimitive> = new Map(WAKES.map((w) => [w.name, w]));

/** Macros that assign their second argument to the first. */
export const WRITES: readonly { readonly name: string; readonly source: string }[] = [
  { name: 'WRITE_ONCE', source: 'include/asm-generic/rwonce.h' },
  { name: 'smp_store_release', source: 'include/asm-generic/barrier.h' },
  { name: 'smp_store_mb', source: 'include/asm-generic/barrier.h' },
];

export const WRITE_NAMES: ReadonlySet<string> = new Set(WRITES.map(({ name }) => name));
