import { describe, expect, it } from 'vitest';
import { Locks } from '../../src/analysis/locks.js';
import { callsOf, functionIn, linked } from './linked.js';

describe('a lock that is dropped by what is called through a table', () => {
  const holder = (name: string, drops: string): string => `
static void ${name}_sync(struct device *dev) { ${drops} }
static const struct holder_ops ${name}_ops = { .sync = ${name}_sync };
`;
  const drops = 'mutex_unlock(&dev->holder_lock);';
  const others = (more: string, flush: string) => {
    const index = linked({
      'include/linux/device.h': `
struct mutex { int owner; };
struct holder_ops { void (*sync)(struct device *dev); };
struct device { const struct holder_ops *ops; int open; struct mutex holder_lock; };`,
      'block/flush.c': `
void flush(struct device *dev)
{
	${flush}
	if (dev->ops)
		dev->ops->sync(dev);
	else
		mutex_unlock(&dev->holder_lock);
	invalidate(dev);
}`,
      'fs/alpha/super.c': holder('alpha', drops),
      'fs/beta/super.c': more,
    });
    const fn = functionIn(index, 'flush');
    const [at] = callsOf(fn, 'invalidate');
    return new Locks(index).mayHold(fn, 'device.holder_lock', at!);
  };
  const take = 'mutex_lock(&dev->holder_lock);';

  it.each([
    ['by the one function that is there', '', false],
    ['by all of them', holder('beta', drops), false],
    ['by one of two', holder('beta', ''), true],
    ['by one of them on a condition only', holder('beta', `if (dev->open) ${drops}`), true],
  ])('is held no more where it is dropped %s', (_, more, isHeld) => {
    expect(others(more, take)).toBe(isHeld);
  });

  it('is no business of a function that does not take it', () => {
    expect(others('', '')).toBe(false);
  });
});

describe('a lock under a variable that is handed to a macro by name', () => {
  const heldAfter = (macro: string): boolean => {
    const index = linked({
      'include/linux/get.h': `
#define get_page(p, rc) do { (p) = find(); rc = (p) ? 0 : -EIO; } while (0)
#define outer_page(page, err) do { get_page(page, err); } while (0)
#define show_page(p, rc) do { print(p, rc); } while (0)
`,
      'fs/alpha/page.c': `
struct inode_info { struct mutex map_lock; };
int alpha_page(struct inode_info *ip)
{
	struct page *page = NULL;
	int rc = 0;

	mutex_lock(&ip->map_lock);
	${macro}(page, rc);
	if (!rc)
		mutex_unlock(&ip->map_lock);
	done(ip);
	return rc;
}`,
    });
    const fn = functionIn(index, 'alpha_page');
    return new Locks(index).mayHold(fn, 'inode_info.map_lock', callsOf(fn, 'done')[0]!);
  };

  it.each([
    ['sets it', 'get_page', true],
    ['hands it to one that sets it', 'outer_page', true],
    ['only reads it', 'show_page', false],
  ])('may still be held if the macro %s', (_, macro, isHeld) => {
    expect(heldAfter(macro)).toBe(isHeld);
  });
});
