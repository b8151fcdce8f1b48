import { describe, expect, it } from 'vitest';
import { Locks } from '../../src/analysis/locks.js';
import { Reclaim } from '../../src/analysis/reclaim.js';
import { Tasks } from '../../src/analysis/tasks.js';
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

describe('a lock that is taken if a parameter is set', () => {
  const TAKERS = `
static int take(struct item *it, int more)
{
	if (it->ready) {
		if (!more)
			return 0;
		mutex_lock(&it->lock);
	} else if (more) {
		mutex_lock(&it->lock);
	}
	return prepare(it);
}
`;
  const held = (body: string): string[] => {
    const text = `struct item { struct mutex lock; int ready; };${TAKERS}
void f(struct item *it, int nr) { ${body} }`;
    const index = linked({ 'fs/a.c': text });
    const locks = new Locks(index);
    const fn = functionIn(index, 'f');
    return callsOf(fn, 'mark').map((node) =>
      locks.mustHold(fn, 'item.lock', node) ? 'held' : locks.mayHold(fn, 'item.lock', node) ? 'maybe' : '-',
    );
  };

  it('is held where the argument is known to be set', () => {
    const body = 'int more = nr > 1; take(it, more); if (more) { mark(); mutex_unlock(&it->lock); } mark();';
    expect(held(body)).toEqual(['held', '-']);
    expect(held('if (nr) { take(it, nr); mark(); mutex_unlock(&it->lock); } mark();')).toEqual(['held', '-']);
    expect(held('take(it, 0); mark();')).toEqual(['-']);
    expect(held('take(it, 1); mark();')).toEqual(['held']);
  });

  it('may be held where the variable changed since', () => {
    expect(held('int more = nr > 1; take(it, more); more = next(it); if (!more) mark();')).toEqual(['maybe']);
    expect(held('take(it, nr > 1); if (nr) mark();')).toEqual(['maybe']);
  });
});

describe('a member of a struct that the caller makes', () => {
  /** Does reclaim come to the lock, with that before and in the call? */
  const reached = (body: string, more = ''): boolean => {
    const index = linked({
      'include/linux/fs.h': 'struct inode { int i; };\n',
      'fs/x/x.c': `
struct request { int fast; int nr; };
struct info { struct mutex lock; };
static int space(struct info *x, struct request *req)
{
	if (req->fast)
		return -28;
	mutex_lock(&x->lock);
	mutex_unlock(&x->lock);
	return 0;
}
static void x_evict(struct inode *inode)
{
	struct info *x = inode->i_private;
	${body}
}
static struct super_operations x_super = { .evict_inode = x_evict };
void user(struct info *x) { mutex_lock(&x->lock); mutex_unlock(&x->lock); }
${more}`,
    });
    const locks = new Locks(index);
    return new Reclaim(index, locks, new Tasks(index), 'nofs').chains('info.lock').length > 0;
  };

  it('decides tests of the callee', () => {
    expect(reached('struct request req = { .nr = 1 }; space(x, &req);')).toBe(true);
    expect(reached('struct request req = { .fast = 1 }; space(x, &req);')).toBe(false);
    expect(reached('struct request req; req.fast = 1; space(x, &req);')).toBe(false);
  });

  it('does not where it may be something else by then', () => {
    expect(reached('struct request req; if (x->nr) req.fast = 1; space(x, &req);')).toBe(true);
    expect(reached('struct request req = { .fast = 1 }; req.fast = x->nr; space(x, &req);')).toBe(true);
    const writer = 'void clear(struct request *req) { req->fast = 0; }\n';
    expect(reached('struct request req = { .fast = 1 }; clear(&req); space(x, &req);', writer)).toBe(true);
    for (const clears of ['memset(req, 0, sizeof(*req));', '*req = *other;'])
      expect(
        reached(
          'struct request req = { .fast = 1 }; clear(&req, x->other); space(x, &req);',
          `void clear(struct request *req, struct request *other) { ${clears} }\n`,
        ),
      ).toBe(true);
    expect(reached('struct request req = { .fast = 1 }; memset(&req, 0, sizeof(req)); space(x, &req);')).toBe(
      true,
    );
    expect(reached('struct request req = { .fast = 1 }; req = *x->other; space(x, &req);')).toBe(true);
    const own = 'void own(struct info *x) { struct request other = { .fast = 0 }; space(x, &other); }\n';
    expect(reached('struct request req = { .fast = 1 }; space(x, &req);', own)).toBe(false);
  });
});
