/**
 * Macros and functions that hand one of their arguments through unchanged: for typing they are
 * the argument. Name → 0-based argument index.
 * Read from include/linux/{compiler,rcupdate,err,percpu-defs}.h, include/asm-generic/rwonce.h.
 */
export const TRANSPARENT: ReadonlyMap<string, number> = new Map([
  ['READ_ONCE', 0],
  ['ACCESS_PRIVATE', 0],
  ['likely', 0],
  ['unlikely', 0],
  ['ERR_CAST', 0],
  ['rcu_dereference', 0],
  ['rcu_dereference_bh', 0],
  ['rcu_dereference_check', 0],
  ['rcu_dereference_protected', 0],
  ['rcu_dereference_raw', 0],
  ['rcu_access_pointer', 0],
  ['smp_load_acquire', 0],
  ['this_cpu_ptr', 0],
  ['raw_cpu_ptr', 0],
  ['per_cpu_ptr', 0],
  ['per_cpu', 0],
  ['get_cpu_ptr', 0],
  ['no_free_ptr', 0],
]);

/** Conditions that have the truth value of their argument (include/linux/compiler.h, include/asm-generic/bug.h). */
export const TRUTH: ReadonlySet<string> = new Set([
  'likely',
  'unlikely',
  'WARN_ON',
  'WARN_ON_ONCE',
  'WARN',
  'WARN_ONCE',
  'READ_ONCE',
]);

/**
 * What code says of a condition, and stops where it is not so. Name → 0-based argument index, and whether the condition holds behind it
 * (include/asm-generic/bug.h; fs/btrfs/messages.h, fs/xfs/xfs_linux.h; include/linux/jbd2.h). Those that are for debugging only count, too.
 */
export const ASSERTIONS: ReadonlyMap<string, { readonly arg: number; readonly holds: boolean }> = new Map([
  ['BUG_ON', { arg: 0, holds: false }],
  ['ASSERT', { arg: 0, holds: true }],
  ['J_ASSERT', { arg: 0, holds: true }],
  ['J_ASSERT_JH', { arg: 1, holds: true }],
  ['J_ASSERT_BH', { arg: 1, holds: true }],
]);

/** Calls that never return (include/asm-generic/bug.h, include/linux/{panic,kthread}.h, kernel/exit.c). */
export const NO_RETURN: ReadonlySet<string> = new Set([
  'BUG',
  'panic',
  'do_exit',
  'kthread_exit',
  'unreachable',
  '__builtin_unreachable',
]);
