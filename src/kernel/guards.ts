import type { GuardClass, GuardForm } from './types.js';

/**
 * Locks taken by `guard(class)(lock)` and its relatives, released where their block ends. The classes
 * of locks that do not sleep (spinlock, raw_spinlock, irqsave, rcu, preempt, …) are not here.
 * 6.1 has the unconditional classes only; the conditional ones came with `DEFINE_GUARD_COND`.
 */
export const GUARD_CLASSES: readonly GuardClass[] = [
  {
    name: 'mutex',
    action: 'acquire',
    conditional: false,
    kind: 'mutex',
    source: 'include/linux/mutex.h',
  },
  {
    name: 'mutex_try',
    action: 'try',
    conditional: true,
    kind: 'mutex',
    source: 'include/linux/mutex.h',
  },
  {
    name: 'mutex_intr',
    action: 'acquire',
    conditional: true,
    kind: 'mutex',
    source: 'include/linux/mutex.h',
  },
  {
    name: 'rwsem_read',
    action: 'acquire',
    conditional: false,
    kind: 'rwsem',
    source: 'include/linux/rwsem.h',
  },
  {
    name: 'rwsem_read_try',
    action: 'try',
    conditional: true,
    kind: 'rwsem',
    source: 'include/linux/rwsem.h',
  },
  {
    name: 'rwsem_read_intr',
    action: 'acquire',
    conditional: true,
    kind: 'rwsem',
    source: 'include/linux/rwsem.h',
  },
  {
    name: 'rwsem_write',
    action: 'acquire',
    conditional: false,
    kind: 'rwsem',
    source: 'include/linux/rwsem.h',
  },
  {
    name: 'rwsem_write_try',
    action: 'try',
    conditional: true,
    kind: 'rwsem',
    source: 'include/linux/rwsem.h',
  },
];

export const GUARD_FORMS: readonly GuardForm[] = [
  { name: 'guard', classArg: 0, lockArg: 'next', holds: 'block', source: 'include/linux/cleanup.h' },
  { name: 'scoped_guard', classArg: 0, lockArg: 1, holds: 'statement', source: 'include/linux/cleanup.h' },
  // The second argument is the statement for the case that the lock was not got.
  {
    name: 'scoped_cond_guard',
    classArg: 0,
    lockArg: 2,
    holds: 'statement',
    source: 'include/linux/cleanup.h',
  },
];

export const GUARD_CLASS_BY_NAME: ReadonlyMap<string, GuardClass> = new Map(
  GUARD_CLASSES.map((guard) => [guard.name, guard]),
);
