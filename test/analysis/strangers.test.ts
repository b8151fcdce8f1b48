import { describe, expect, it } from 'vitest';
import { Locks } from '../../src/analysis/locks.js';
import { Reclaim } from '../../src/analysis/reclaim.js';
import { Takers } from '../../src/analysis/regions.js';
import { Strangers } from '../../src/analysis/strangers.js';
import { Tasks } from '../../src/analysis/tasks.js';
import { UnderLocks } from '../../src/analysis/under-locks.js';
import { Waits } from '../../src/analysis/waits.js';
import { functionIn, linked } from './linked.js';

/** A filesystem whose reclaim takes `x_info.lock`, and which does something under that lock. */
const filesystem = (underTheLock: string): string => `
struct x_info { struct mutex lock; struct x_ops *ops; int (*hook)(struct inode *inode); };
struct x_ops { int (*op)(struct inode *inode); };
static struct file_system_type x_type;
static int x_op(struct inode *inode)
{
	return 0;
}
static struct x_ops x_table = { .op = x_op };
static void x_evict(struct inode *inode)
{
	mutex_lock(&X(inode)->lock);
	mutex_unlock(&X(inode)->lock);
}
static struct super_operations x_super = { .evict_inode = x_evict };
struct x_info *X(struct inode *inode)
{
	return container_of(inode, struct x_info, vfs_inode);
}
int x_write(struct x_info *info, struct inode *inode, struct dentry *dentry)
{
	mutex_lock(&info->lock);
	${underTheLock}
	mutex_unlock(&info->lock);
	return 0;
}
`;

const DRIVER = `
int d_inode_cb(struct inode *inode)
{
	return 0;
}
int d_dentry_cb(struct dentry *dentry)
{
	return 0;
}
void d_void_cb(struct inode *inode)
{
}
int d_many_cb(struct inode *inode, int more)
{
	return 0;
}
`;

const NAMES = ['d_inode_cb', 'd_dentry_cb', 'd_void_cb', 'd_many_cb'];

/** Which of the driver's functions may be called, by somebody who is not known, under the filesystem's lock. */
function called(underTheLock: string, more = '', names = NAMES): string[] {
  const index = linked({
    'include/linux/fs.h': 'struct inode { int i; };\nstruct dentry { int d; };\n',
    'fs/x/x.c': filesystem(underTheLock),
    'drivers/d/d.c': DRIVER,
    'fs/more.c': more,
  });
  const locks = new Locks(index);
  const tasks = new Tasks(index);
  const waits = new Waits(index, tasks);
  const reclaim = new Reclaim(index, locks, tasks, 'nofs', waits);
  const takers = new Takers(index, locks, tasks);
  const under = new UnderLocks(index, locks, tasks, waits, reclaim, takers);
  const strangers = new Strangers(index, locks, reclaim, under);
  const mayHold = strangers.mayHoldLocksOf('fs/x');
  return names.filter((name) => mayHold(functionIn(index, name)));
}

describe('callers that are not known', () => {
  it('hold no lock under which nothing is called through a pointer', () => {
    expect(called('use(info);')).toEqual([]);
  });

  it('may hold it where a pointer has the type of the function, result included', () => {
    expect(called('info->hook = find_hook(); info->hook(inode);')).toEqual(['d_inode_cb']);
  });

  it('don’t where only initialisers of tables fill the member', () => {
    expect(called('info->ops->op(inode);')).toEqual([]);
    const copies = 'void copy(struct x_ops *a, struct x_ops *b) { a->op = b->op; }\n';
    expect(called('info->ops->op(inode);', copies)).toEqual(['d_inode_cb']);
  });

  it('are found further down, in what is called under the lock', () => {
    const more =
      'int shared(struct inode *inode, int (*unused)(void))\n{\n\tint (*cb)(struct inode *) = pick(inode);\n\n\treturn cb(inode);\n}\n';
    expect(called('shared(inode, 0);', more)).toEqual(['d_inode_cb']);
  });

  it('are called through no member of another number of arguments, where the struct is not known', () => {
    const members =
      'struct one { int (*act)(struct dentry *dentry); };\nstruct two { int (*act)(struct inode *inode, int more); };\n';
    expect(called('q->act(inode);', members)).toEqual(['d_dentry_cb']);
    expect(called('q->act(inode, 1);', members)).toEqual(['d_many_cb']);
  });

  it('are no macro that has the name of a number', () => {
    expect(called('int limit = limit(inode);')).toEqual([]);
    expect(called('int (*limit)(struct inode *) = pick(inode); limit(inode);')).toEqual(['d_inode_cb']);
  });

  it('do not call what is gone after boot', () => {
    const boot = (attribute: string): string[] =>
      called(
        'int (*cb)(struct page *) = pick(inode); cb(page);',
        `struct page { int p; };\nasmlinkage ${attribute}\nint d_boot(struct page *page)\n{\n\treturn 0;\n}\n`,
        ['d_boot'],
      );
    expect(boot('__visible')).toEqual(['d_boot']);
    expect(boot('__visible __init')).toEqual([]);
  });

  it('take no other struct for what they are given, whatever the case of its name', () => {
    const taking = (type: string): string[] =>
      called(
        'info->hook = find_hook(); info->hook(inode);',
        `int d_other(${type} *other)\n{\n\treturn 0;\n}\n`,
        ['d_other'],
      );
    expect(taking('struct ADAPTER')).toEqual([]);
    // A macro, or a typedef that was not read, may stand for any.
    expect(taking('ADAPTER')).toEqual(['d_other']);
  });

  it('take no number for a pointer to text', () => {
    const taking = (type: string): string[] =>
      called(
        'int (*cb)(const char *) = pick(inode); cb(info->name);',
        `int d_other(${type} other)\n{\n\treturn 0;\n}\n`,
        ['d_other'],
      );
    expect(taking('const char *')).toEqual(['d_other']);
    expect(taking('unsigned long ')).toEqual([]);
  });

  it('call nothing that is only stored where no file that was read calls it', () => {
    const stored = (more: string): string[] =>
      called(
        'info->hook = find_hook(); info->hook(inode);',
        `struct d_ops { int (*never)(struct inode *inode); };
int d_stored(struct inode *inode)
{
	return 0;
}
static struct d_ops d_table = { .never = d_stored };
${more}`,
        ['d_stored'],
      );
    expect(stored('')).toEqual([]);
    expect(stored('void *d_away(void) { return d_stored; }\n')).toEqual(['d_stored']);
  });

  it('are no casts', () => {
    expect(called('use((sector_t)(inode));', 'typedef unsigned long long sector_t;\n')).toEqual([]);
  });
});
