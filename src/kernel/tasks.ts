import type { CallbackField, Registrar, RunsIn } from './types.js';

/**
 * Functions and macros to which a callback is handed, and where it then runs. Wrappers (a
 * filesystem's own way to queue work, md_register_thread, …) are derived: they call these.
 * A callback handed to any other function is taken to be called by it, in the same task.
 */
type Row = readonly [name: string, arg: number, runs: RunsIn];

function rows(source: string, list: readonly Row[], until?: string): Registrar[] {
  const older = until === undefined ? {} : { until };
  return list.map(([name, arg, runs]) => ({ name, arg, runs, source, ...older }));
}

export const REGISTRARS: readonly Registrar[] = [
  ...rows('include/linux/workqueue.h', [
    ['INIT_WORK', 1, 'worker'],
    ['INIT_WORK_ONSTACK', 1, 'worker'],
    ['__INIT_WORK', 1, 'worker'],
    ['INIT_DELAYED_WORK', 1, 'worker'],
    ['INIT_DELAYED_WORK_ONSTACK', 1, 'worker'],
    ['INIT_DEFERRABLE_WORK', 1, 'worker'],
    ['INIT_DEFERRABLE_WORK_ONSTACK', 1, 'worker'],
    ['__INIT_DELAYED_WORK', 1, 'worker'],
    ['DECLARE_WORK', 1, 'worker'],
    ['DECLARE_DELAYED_WORK', 1, 'worker'],
    ['DECLARE_DEFERRABLE_WORK', 1, 'worker'],
    ['__WORK_INITIALIZER', 1, 'worker'],
    ['__DELAYED_WORK_INITIALIZER', 1, 'worker'],
    ['INIT_RCU_WORK', 1, 'worker'],
    ['INIT_RCU_WORK_ONSTACK', 1, 'worker'],
    ['schedule_on_each_cpu', 0, 'worker'],
    ['work_on_cpu', 1, 'worker'],
    ['work_on_cpu_safe', 1, 'worker'],
    // At once if not in an interrupt, else from a worker.
    ['execute_in_process_context', 0, 'worker'],
  ]),
  ...rows('include/linux/async.h', [
    ['async_schedule', 0, 'worker'],
    ['async_schedule_domain', 0, 'worker'],
    ['async_schedule_node', 0, 'worker'],
    ['async_schedule_node_domain', 0, 'worker'],
    ['async_schedule_dev', 0, 'worker'],
  ]),
  ...rows('include/linux/kthread.h', [
    ['kthread_run', 0, 'kthread'],
    ['kthread_run_on_cpu', 0, 'kthread'],
    ['kthread_create', 0, 'kthread'],
    ['kthread_create_on_node', 0, 'kthread'],
    ['kthread_create_on_cpu', 0, 'kthread'],
    ['kthread_init_work', 1, 'kthread'],
    ['kthread_init_delayed_work', 1, 'kthread'],
    ['KTHREAD_WORK_INIT', 1, 'kthread'],
    ['KTHREAD_DELAYED_WORK_INIT', 1, 'kthread'],
    ['DEFINE_KTHREAD_WORK', 1, 'kthread'],
    ['DEFINE_KTHREAD_DELAYED_WORK', 1, 'kthread'],
  ]),
  ...rows('include/linux/sched/task.h', [
    ['kernel_thread', 0, 'kthread'],
    ['user_mode_thread', 0, 'kthread'],
  ]),
  ...rows('include/linux/stop_machine.h', [
    ['stop_machine', 0, 'kthread'],
    ['stop_one_cpu', 1, 'kthread'],
  ]),
  ...rows('include/linux/timer.h', [
    ['timer_setup', 1, 'timer'],
    ['timer_setup_on_stack', 1, 'timer'],
    ['DEFINE_TIMER', 1, 'timer'],
    ['__TIMER_INITIALIZER', 0, 'timer'],
  ]),
  ...rows('include/linux/rcupdate.h', [
    ['call_rcu', 1, 'rcu'],
    ['call_rcu_hurry', 1, 'rcu'],
    ['call_rcu_tasks', 1, 'rcu'],
    ['call_rcu_tasks_rude', 1, 'rcu'],
  ]),
  // The first of them read from 4.19, those of timers from what 4.15 did away with.
  ...rows(
    'include/linux/rcupdate.h',
    [
      ['call_rcu_bh', 1, 'rcu'],
      ['call_rcu_sched', 1, 'rcu'],
    ],
    '5.1',
  ),
  ...rows(
    'include/linux/timer.h',
    [
      ['setup_timer', 1, 'timer'],
      ['setup_timer_on_stack', 1, 'timer'],
      ['setup_pinned_timer', 1, 'timer'],
      ['setup_deferrable_timer', 1, 'timer'],
      ['__setup_timer', 1, 'timer'],
      ['__setup_timer_on_stack', 1, 'timer'],
    ],
    '4.15',
  ),
  ...rows('include/linux/rcupdate_trace.h', [['call_rcu_tasks_trace', 1, 'rcu']]),
  ...rows('include/linux/srcu.h', [['call_srcu', 2, 'rcu']]),
  ...rows('include/linux/percpu-refcount.h', [
    ['percpu_ref_init', 1, 'rcu'],
    ['percpu_ref_kill_and_confirm', 1, 'rcu'],
  ]),
  ...rows('include/linux/interrupt.h', [
    ['request_irq', 1, 'irq'],
    // In a thread where the controller of the line sleeps.
    ['request_any_context_irq', 1, 'kthread'],
    ['request_threaded_irq', 1, 'irq'],
    ['request_threaded_irq', 2, 'kthread'],
    ['devm_request_irq', 2, 'irq'],
    ['devm_request_threaded_irq', 2, 'irq'],
    ['devm_request_threaded_irq', 3, 'kthread'],
    ['tasklet_init', 1, 'softirq'],
    ['tasklet_setup', 1, 'softirq'],
    ['DECLARE_TASKLET', 1, 'softirq'],
    ['DECLARE_TASKLET_DISABLED', 1, 'softirq'],
    ['DECLARE_TASKLET_OLD', 1, 'softirq'],
    ['open_softirq', 1, 'softirq'],
  ]),
  ...rows('include/linux/irq_work.h', [
    ['init_irq_work', 1, 'irq'],
    ['DEFINE_IRQ_WORK', 1, 'irq'],
    ['IRQ_WORK_INIT', 0, 'irq'],
    ['IRQ_WORK_INIT_LAZY', 0, 'irq'],
    ['IRQ_WORK_INIT_HARD', 0, 'irq'],
  ]),
  ...rows('include/linux/smp.h', [
    ['smp_call_function', 0, 'irq'],
    ['smp_call_function_single', 1, 'irq'],
    ['smp_call_function_many', 1, 'irq'],
    ['smp_call_function_any', 1, 'irq'],
    ['on_each_cpu', 0, 'irq'],
    ['on_each_cpu_mask', 1, 'irq'],
    ['on_each_cpu_cond', 1, 'irq'],
    ['on_each_cpu_cond_mask', 1, 'irq'],
  ]),
  // Whoever has done the work runs these: an interrupt, a softirq, or a thread with those off.
  ...rows('include/crypto/skcipher.h', [['skcipher_request_set_callback', 2, 'softirq']]),
  ...rows('include/crypto/aead.h', [['aead_request_set_callback', 2, 'softirq']]),
  ...rows('include/crypto/hash.h', [['ahash_request_set_callback', 2, 'softirq']]),
  ...rows('include/crypto/acompress.h', [['acomp_request_set_callback', 2, 'softirq']]),
  ...rows('include/crypto/kpp.h', [['kpp_request_set_callback', 2, 'softirq']]),
  ...rows('include/linux/task_work.h', [['init_task_work', 1, 'task-work']]),

  ...rows('include/linux/list_lru.h', [
    ['list_lru_walk', 1, 'same-task'],
    ['list_lru_walk_one', 3, 'same-task'],
    ['list_lru_walk_node', 2, 'same-task'],
    ['list_lru_shrink_walk', 2, 'same-task'],
    ['list_lru_shrink_walk_irq', 2, 'same-task'],
  ]),
  ...rows('include/linux/kref.h', [
    ['kref_put', 1, 'same-task'],
    ['kref_put_mutex', 1, 'same-task'],
    ['kref_put_lock', 1, 'same-task'],
  ]),
  ...rows('include/linux/fs.h', [
    ['iget5_locked', 2, 'same-task'],
    ['iget5_locked', 3, 'same-task'],
    ['ilookup5', 2, 'same-task'],
    ['ilookup5_nowait', 2, 'same-task'],
    ['insert_inode_locked4', 2, 'same-task'],
    ['find_inode_nowait', 2, 'same-task'],
    ['iterate_supers', 0, 'same-task'],
    ['iterate_supers_type', 1, 'same-task'],
    ['sget', 1, 'same-task'],
    ['sget', 2, 'same-task'],
    ['mount_bdev', 4, 'same-task'],
  ]),
  ...rows('include/linux/fs_context.h', [
    ['get_tree_bdev', 1, 'same-task'],
    ['get_tree_nodev', 1, 'same-task'],
    ['get_tree_single', 1, 'same-task'],
  ]),
  ...rows('include/linux/writeback.h', [['write_cache_pages', 2, 'same-task']]),
  ...rows('include/linux/pagemap.h', [
    ['read_cache_page', 2, 'same-task'],
    ['read_cache_folio', 2, 'same-task'],
  ]),
  ...rows('include/linux/idr.h', [['idr_for_each', 1, 'same-task']]),
  ...rows('include/linux/rhashtable.h', [['rhashtable_free_and_destroy', 1, 'same-task']]),
  ...rows('include/linux/blk-mq.h', [['blk_mq_tagset_busy_iter', 1, 'same-task']]),
];

/** Members that hold a callback; an assignment to one registers as the functions above do. */
export const CALLBACK_FIELDS: readonly CallbackField[] = [
  { struct: 'work_struct', field: 'func', runs: 'worker', source: 'include/linux/workqueue.h' },
  { struct: 'kthread_work', field: 'func', runs: 'kthread', source: 'include/linux/kthread.h' },
  { struct: 'timer_list', field: 'function', runs: 'timer', source: 'include/linux/timer.h' },
  { struct: 'hrtimer', field: 'function', runs: 'timer', source: 'include/linux/hrtimer.h' },
  { struct: 'callback_head', field: 'func', runs: 'rcu', source: 'include/linux/types.h' },
  { struct: 'tasklet_struct', field: 'func', runs: 'softirq', source: 'include/linux/interrupt.h' },
  { struct: 'tasklet_struct', field: 'callback', runs: 'softirq', source: 'include/linux/interrupt.h' },
  { struct: 'irqaction', field: 'handler', runs: 'irq', source: 'include/linux/interrupt.h' },
  { struct: 'irqaction', field: 'thread_fn', runs: 'kthread', source: 'include/linux/interrupt.h' },
  { struct: 'irq_work', field: 'func', runs: 'irq', source: 'include/linux/irq_work.h' },
  // Whoever completes the I/O runs these: an interrupt, a softirq, or the driver's own thread.
  { struct: 'bio', field: 'bi_end_io', runs: 'softirq', source: 'include/linux/blk_types.h' },
  { struct: 'request', field: 'end_io', runs: 'softirq', source: 'include/linux/blk-mq.h' },
  { struct: 'buffer_head', field: 'b_end_io', runs: 'softirq', source: 'include/linux/buffer_head.h' },
  { struct: 'kiocb', field: 'ki_complete', runs: 'softirq', source: 'include/linux/fs.h' },
  { struct: 'urb', field: 'complete', runs: 'softirq', source: 'include/linux/usb.h' },
  {
    struct: 'dma_async_tx_descriptor',
    field: 'callback',
    runs: 'softirq',
    source: 'include/linux/dmaengine.h',
  },
];

/** `name` may stand more than once: one entry for each callback argument. */
export const REGISTRARS_BY_NAME: ReadonlyMap<string, readonly Registrar[]> = byName();

function byName(): Map<string, Registrar[]> {
  const map = new Map<string, Registrar[]>();
  for (const registrar of REGISTRARS) {
    const same = map.get(registrar.name);
    if (same === undefined) map.set(registrar.name, [registrar]);
    else same.push(registrar);
  }
  return map;
}
