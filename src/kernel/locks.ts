import type { LockAction, LockPrimitive, SuccessWhen, Versioned } from './types.js';

/**
 * The primitives of the blocking locks. Wrappers (`inode_lock`, `filemap_invalidate_lock`,
 * `sb_start_write`, …) are not here: the analysis finds them, they call these.
 */
type Row = readonly [name: string, action: LockAction, success: SuccessWhen, arg: number];

function rows(
  source: string,
  kind: LockPrimitive['kind'],
  list: readonly Row[],
  versions: Versioned = {},
): LockPrimitive[] {
  return list.map(([name, action, success, arg]) => ({
    name,
    action,
    success,
    arg,
    kind,
    source,
    ...versions,
  }));
}

export const LOCKS: readonly LockPrimitive[] = [
  ...rows('include/linux/mutex.h', 'mutex', [
    ['mutex_lock', 'acquire', 'void', 0],
    ['mutex_lock_nested', 'acquire', 'void', 0],
    ['mutex_lock_nest_lock', 'acquire', 'void', 0],
    ['_mutex_lock_nest_lock', 'acquire', 'void', 0],
    ['mutex_lock_interruptible', 'acquire', 'zero', 0],
    ['mutex_lock_interruptible_nested', 'acquire', 'zero', 0],
    ['mutex_lock_killable', 'acquire', 'zero', 0],
    ['mutex_lock_killable_nested', 'acquire', 'zero', 0],
    ['mutex_lock_io', 'acquire', 'void', 0],
    ['mutex_lock_io_nested', 'acquire', 'void', 0],
    ['mutex_trylock', 'try', 'nonzero', 0],
    ['mutex_unlock', 'release', 'void', 0],
    // Takes the mutex only when the count falls to zero; then it waits for it.
    ['atomic_dec_and_mutex_lock', 'acquire', 'nonzero', 1],
  ]),
  ...rows('include/linux/refcount.h', 'mutex', [['refcount_dec_and_mutex_lock', 'acquire', 'nonzero', 1]]),
  ...rows('include/linux/rwsem.h', 'rwsem', [
    ['down_read', 'acquire', 'void', 0],
    ['down_read_nested', 'acquire', 'void', 0],
    ['down_read_interruptible', 'acquire', 'zero', 0],
    ['down_read_killable', 'acquire', 'zero', 0],
    ['down_read_killable_nested', 'acquire', 'zero', 0],
    ['down_read_non_owner', 'acquire', 'void', 0],
    ['down_read_trylock', 'try', 'nonzero', 0],
    ['up_read', 'release', 'void', 0],
    ['up_read_non_owner', 'release', 'void', 0],
    ['down_write', 'acquire', 'void', 0],
    ['down_write_nested', 'acquire', 'void', 0],
    ['down_write_nest_lock', 'acquire', 'void', 0],
    ['_down_write_nest_lock', 'acquire', 'void', 0],
    ['down_write_killable', 'acquire', 'zero', 0],
    ['down_write_killable_nested', 'acquire', 'zero', 0],
    ['down_write_trylock', 'try', 'nonzero', 0],
    ['up_write', 'release', 'void', 0],
    ['downgrade_write', 'downgrade', 'void', 0],
  ]),
  ...rows('include/linux/semaphore.h', 'semaphore', [
    ['down', 'acquire', 'void', 0],
    ['down_interruptible', 'acquire', 'zero', 0],
    ['down_killable', 'acquire', 'zero', 0],
    ['down_timeout', 'acquire', 'zero', 0],
    // Not the convention of the other trylocks: 0 is success (kernel/locking/semaphore.c).
    ['down_trylock', 'try', 'zero', 0],
    ['up', 'release', 'void', 0],
  ]),
  ...rows('include/linux/percpu-rwsem.h', 'percpu-rwsem', [
    ['percpu_down_read', 'acquire', 'void', 0],
    ['percpu_down_read_trylock', 'try', 'nonzero', 0],
    ['percpu_up_read', 'release', 'void', 0],
    ['percpu_down_write', 'acquire', 'void', 0],
    ['percpu_up_write', 'release', 'void', 0],
  ]),
  // sb_start_write() takes it so (include/linux/fs/super.h).
  ...rows(
    'include/linux/percpu-rwsem.h',
    'percpu-rwsem',
    [['percpu_down_read_freezable', 'acquire', 'void', 0]],
    { since: '6.19' },
  ),
  ...rows(
    'include/linux/mutex.h',
    'mutex',
    [
      ['mutex_lock_killable_nest_lock', 'acquire', 'zero', 0],
      ['mutex_trylock_nest_lock', 'try', 'nonzero', 0],
    ],
    { since: '6.19' },
  ),
  // Read from 4.19.
  ...rows(
    'include/linux/percpu-rwsem.h',
    'percpu-rwsem',
    [
      ['percpu_down_read_preempt_disable', 'acquire', 'void', 0],
      ['percpu_up_read_preempt_enable', 'release', 'void', 0],
    ],
    { until: '5.2' },
  ),
  ...rows('include/linux/rtmutex.h', 'rt-mutex', [
    ['rt_mutex_lock', 'acquire', 'void', 0],
    ['rt_mutex_lock_nested', 'acquire', 'void', 0],
    ['rt_mutex_lock_nest_lock', 'acquire', 'void', 0],
    ['rt_mutex_lock_interruptible', 'acquire', 'zero', 0],
    ['rt_mutex_lock_killable', 'acquire', 'zero', 0],
    ['rt_mutex_trylock', 'try', 'nonzero', 0],
    ['rt_mutex_unlock', 'release', 'void', 0],
  ]),
  ...rows('include/linux/rtmutex.h', 'rt-mutex', [['rt_mutex_timed_lock', 'acquire', 'zero', 0]], {
    until: '5.16',
  }),
  ...rows('include/linux/ww_mutex.h', 'ww-mutex', [
    ['ww_mutex_lock', 'acquire', 'zero', 0],
    ['ww_mutex_lock_interruptible', 'acquire', 'zero', 0],
    ['ww_mutex_lock_slow', 'acquire', 'void', 0],
    ['ww_mutex_lock_slow_interruptible', 'acquire', 'zero', 0],
    ['ww_mutex_trylock', 'try', 'nonzero', 0],
    ['ww_mutex_unlock', 'release', 'void', 0],
  ]),
];

/**
 * The bit locks of pages and buffers. They block like the locks above, but are kept apart: reclaim
 * and truncation lock the pages of an inode that nobody uses any more, so that the holder of a page
 * lock never waits for its own page through reclaim, and one class for all pages would say it may.
 */
export const PAGE_LOCKS: readonly LockPrimitive[] = [
  ...rows('include/linux/pagemap.h', 'other', [
    ['folio_lock', 'acquire', 'void', 0],
    ['folio_lock_killable', 'acquire', 'zero', 0],
    ['folio_trylock', 'try', 'nonzero', 0],
    ['folio_unlock', 'release', 'void', 0],
    ['lock_page', 'acquire', 'void', 0],
    ['trylock_page', 'try', 'nonzero', 0],
    ['unlock_page', 'release', 'void', 0],
  ]),
  ...rows('include/linux/buffer_head.h', 'other', [
    ['lock_buffer', 'acquire', 'void', 0],
    ['trylock_buffer', 'try', 'nonzero', 0],
    ['unlock_buffer', 'release', 'void', 0],
  ]),
];

export const LOCK_BY_NAME: ReadonlyMap<string, LockPrimitive> = new Map(LOCKS.map((l) => [l.name, l]));

/** Struct tags of the lock types, for finding what a receiver is. */
export const LOCK_TYPES: ReadonlyMap<string, LockPrimitive['kind']> = new Map([
  ['mutex', 'mutex'],
  ['rw_semaphore', 'rwsem'],
  ['semaphore', 'semaphore'],
  ['percpu_rw_semaphore', 'percpu-rwsem'],
  ['rt_mutex', 'rt-mutex'],
  ['ww_mutex', 'ww-mutex'],
]);
