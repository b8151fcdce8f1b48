import { describe, expect, it } from 'vitest';
import { Guards } from '../../src/index/guards.js';
import { extractFacts } from '../../src/parse/extract.js';
import { guardsIn } from '../../src/parse/guards.js';

const DEFINED = `
DEFINE_GUARD(device, struct device *, device_lock(_T), device_unlock(_T))
DEFINE_GUARD_COND(device, _intr, device_lock_interruptible(_T), _RET == 0)
DEFINE_GUARD(zone, struct zone *, mutex_lock(&_T->lock), mutex_unlock(&_T->lock))
DEFINE_LOCK_GUARD_0(space, down_read(&space_sem), /* shared */
		    up_read(&space_sem))
DEFINE_LOCK_GUARD_1(port, struct port, port_lock(_T->lock), port_unlock(_T->lock, _T->flags), int flags)
DEFINE_GUARD_COND(rwsem_write, _kill, down_write_killable(_T), _RET == 0)
/* DEFINE_GUARD(none, struct none *, none_lock(_T), none_unlock(_T)) */
#define DEFINE_GUARD(_name, _type, _lock, _unlock) \\
	DEFINE_CLASS(_name, _type, _unlock, _lock)
`;

describe('guards that a file defines', () => {
  it('have the calls that take and drop the lock', () => {
    expect(guardsIn(DEFINED)).toEqual([
      ['device', 'device_lock(_T)', 'device_unlock(_T)', ''],
      ['device_intr', 'device_lock_interruptible(_T)', '', 'device'],
      ['zone', 'mutex_lock(&_T->lock)', 'mutex_unlock(&_T->lock)', ''],
      ['space', 'down_read(&space_sem)', 'up_read(&space_sem)', ''],
      ['port', 'port_lock(_T)', 'port_unlock(_T, _T->flags)', ''],
      ['rwsem_write_kill', 'down_write_killable(_T)', '', 'rwsem_write'],
    ]);
  });

  it('call them with what the guard is given', () => {
    const file = extractFacts(
      'fs/demofs/a.c',
      `${DEFINED}
int use(struct demo *demo)
{
	ACQUIRE(device_intr, held)(demo->dev);

	if (ACQUIRE_ERR(device_intr, &held))
		return -EINTR;
	guard(zone)(&demo->zone);
	guard(space)();
	guard(rwsem_write_kill)(&demo->sem);
	guard(port)(demo->port);
	guard(rcu)();
	return 0;
}
`,
    );
    expect(file.guarded).toEqual(['device_intr', 'zone', 'space', 'rwsem_write_kill', 'port', 'rcu']);
    const guards = new Guards([file]);
    expect(guards.isIn(file)).toBe(true);
    const calls = file.functions
      .find(({ name }) => name === 'use')!
      .cfg.flatMap(({ op }) =>
        op.k === 'guard' || op.k === 'unguard' ? [[op.k, op.cls, guards.callAt(op, file.file)]] : [],
      );
    expect(calls.slice(0, 1)).toEqual([
      ['guard', 'device_intr', { fn: 'device_lock_interruptible', args: ['v:demo dev'] }],
    ]);
    // An error returns with the guard of the condition alone.
    expect(calls.slice(1, 2)).toEqual([
      ['unguard', 'device_intr', { fn: 'device_unlock', args: ['v:demo dev'] }],
    ]);
    expect(calls.slice(2)).toEqual([
      ['guard', 'zone', { fn: 'mutex_lock', args: ['v:demo zone lock'] }],
      ['guard', 'space', { fn: 'down_read', args: ['&v:space_sem'] }],
      ['guard', 'rwsem_write_kill', { fn: 'down_write_killable', args: ['v:demo sem'] }],
      ['guard', 'port', { fn: 'port_lock', args: ['v:demo port'] }],
      ['guard', 'rcu', undefined],
      ['unguard', 'rcu', undefined],
      ['unguard', 'port', { fn: 'port_unlock', args: ['v:demo port', 'v:demo port flags'] }],
      // The lock's own name stands for its release: whose it is matters.
      ['unguard', 'rwsem_write_kill', { fn: 'down_write_killable', args: ['v:demo sem'] }],
      ['unguard', 'space', { fn: 'up_read', args: ['&v:space_sem'] }],
      ['unguard', 'zone', { fn: 'mutex_unlock', args: ['v:demo zone lock'] }],
      ['unguard', 'device_intr', { fn: 'device_unlock', args: ['v:demo dev'] }],
    ]);
  });

  it('are those that a file sees', () => {
    const define = (file: string, lock: string) =>
      extractFacts(file, `DEFINE_GUARD(held, struct held *, ${lock}(_T), un${lock}(_T))\n`);
    const guards = new Guards([
      define('include/linux/a.h', 'lock_all'),
      define('fs/demofs/demo.h', 'lock_demo'),
      define('fs/demofs/own.c', 'lock_own'),
    ]);
    const op = { k: 'guard', cls: 'held', arg: 'v:x', start: 0 } as const;
    const called = (file: string): string | undefined => guards.callAt(op, file)?.fn;
    expect(['fs/demofs/own.c', 'fs/demofs/a.c', 'fs/otherfs/a.c'].map(called)).toEqual([
      'lock_own',
      'lock_demo',
      'lock_all',
    ]);
  });
});
