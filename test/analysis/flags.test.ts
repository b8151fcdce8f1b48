import { describe, expect, it } from 'vitest';
import { Locks } from '../../src/analysis/locks.js';
import { callsOf, functionIn, linked } from './linked.js';

const WRAPPERS = `
#define MODE_EXCL 1u
#define MODE_SHARED 2u
#define MODE_INODE 4u
struct item { struct rw_semaphore sem; struct mutex lock; };
void item_lock(struct item *it, unsigned int mode)
{
	if (mode & MODE_INODE)
		mutex_lock(&it->lock);
	if (mode & MODE_EXCL)
		down_write(&it->sem);
	else if (mode & MODE_SHARED)
		down_read(&it->sem);
}
void item_unlock(struct item *it, unsigned int mode)
{
	if (mode & MODE_EXCL)
		up_write(&it->sem);
	else if (mode & MODE_SHARED)
		up_read(&it->sem);
	if (mode & MODE_INODE)
		mutex_unlock(&it->lock);
}
unsigned int item_lock_map(struct item *it, int loaded)
{
	unsigned int mode = MODE_SHARED;
	if (!loaded)
		mode = MODE_EXCL;
	item_lock(it, mode);
	return mode;
}
`;

/** At each \`mark()\` of f(): \`sem lock\`, each \`held\`, \`maybe\` or \`-\`. */
function marks(body: string): string[] {
  const index = linked({
    'fs/a.c': `${WRAPPERS} void f(struct item *it, unsigned int any, int loaded) { ${body} }`,
  });
  const locks = new Locks(index);
  const fn = functionIn(index, 'f');
  const state = (lock: string, node: number): string =>
    locks.mustHold(fn, lock, node) ? 'held' : locks.mayHold(fn, lock, node) ? 'maybe' : '-';
  return callsOf(fn, 'mark').map((node) => `${state('item.sem', node)} ${state('item.lock', node)}`);
}

describe('locks that a flag picks', () => {
  it.each([
    ['one', 'item_lock(it, MODE_EXCL); mark(); item_unlock(it, MODE_EXCL); mark();', ['held -', '- -']],
    ['two', 'item_lock(it, MODE_SHARED | MODE_INODE); mark();', ['held held']],
    [
      'in a variable',
      'unsigned int m = MODE_SHARED; if (any) m = MODE_EXCL; item_lock(it, m); mark();',
      ['held -'],
    ],
    [
      'one of several',
      'unsigned int m = MODE_SHARED; if (any) m = MODE_INODE; item_lock(it, m); mark();',
      ['maybe maybe'],
    ],
    ['none', 'item_lock(it, 0); mark();', ['- -']],
    ['any', 'item_lock(it, any); mark();', ['maybe maybe']],
    ['one and any', 'item_lock(it, MODE_EXCL | any); mark();', ['maybe maybe']],
    ['two and any', 'item_lock(it, MODE_EXCL | MODE_INODE | any); mark();', ['maybe maybe']],
    ['one if any', 'item_lock(it, MODE_EXCL & any); mark();', ['maybe maybe']],
    ['by a name that the callee does not test', 'item_lock(it, MODE_BOTH); mark();', ['maybe maybe']],
    [
      'handed back',
      'unsigned int m; m = item_lock_map(it, loaded); mark(); item_unlock(it, m); mark();',
      ['held -', '- -'],
    ],
  ])('%s', (_, body, expected) => {
    expect(marks(body)).toEqual(expected);
  });
});
