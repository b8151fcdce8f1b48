import { describe, expect, it } from 'vitest';
import { Locks } from '../../src/analysis/locks.js';
import { Reclaim } from '../../src/analysis/reclaim.js';
import { Tasks } from '../../src/analysis/tasks.js';
import { linked } from './linked.js';

const HEAD = `
struct inode { struct rw_semaphore i_rwsem; };
struct address_space { struct rw_semaphore i_mmap_rwsem; };
struct item_inode { struct mutex lock; struct llist_node link; struct inode vfs_inode; struct inode *dir; };
struct item_gc { struct work_struct work; struct llist_head list; };
static struct file_system_type item_fs_type = { .name = "item" };
static inline struct item_inode *ITEM_I(struct inode *inode)
{
	return container_of(inode, struct item_inode, vfs_inode);
}
static void item_drop(struct item_inode *ii)
{
	mutex_lock(&ii->lock);
	mutex_unlock(&ii->lock);
}
static const struct super_operations item_sops = { .evict_inode = item_evict_inode };
`;

/** Is the lock that reclaim takes that of the inode which goes, and does it endanger who holds the class? */
function found(lock: string, code: string): string {
  const index = linked({ 'fs/item/inode.c': HEAD + code });
  const reclaim = new Reclaim(index, new Locks(index), new Tasks(index), 'nofs');
  const chain = reclaim.chainFor(lock, 'fs/item');
  if (!chain) return 'not taken';
  return `${chain.going ? 'of what goes' : 'of any'}, ${reclaim.endangers(lock, 'fs/item') ? '' : 'not '}dangerous`;
}

const GOES = 'of what goes, not dangerous';
const ANY = 'of any, dangerous';

describe('the locks of an inode that reclaim gets rid of', () => {
  it.each([
    [
      'its own',
      'void item_evict_inode(struct inode *inode) { down_write(&inode->i_rwsem); up_write(&inode->i_rwsem); }',
      'inode.i_rwsem',
      GOES,
    ],
    [
      'that of what embeds it',
      'void item_evict_inode(struct inode *inode) { item_drop(ITEM_I(inode)); }',
      'item_inode.lock',
      GOES,
    ],
    [
      'through a variable',
      'void item_evict_inode(struct inode *inode) { struct item_inode *ii = ITEM_I(inode); item_drop(ii); }',
      'item_inode.lock',
      GOES,
    ],
    [
      'that of another inode',
      'void item_evict_inode(struct inode *inode) { item_drop(ITEM_I(ITEM_I(inode)->dir)); }',
      'item_inode.lock',
      ANY,
    ],
    [
      'that of an inode looked up',
      'void item_evict_inode(struct inode *inode) { inode = ilookup(inode->i_sb, 1); item_drop(ITEM_I(inode)); }',
      'item_inode.lock',
      ANY,
    ],
    [
      'both',
      `void item_evict_inode(struct inode *inode) { item_drop(ITEM_I(inode)); item_drop(find_one()); }`,
      'item_inode.lock',
      ANY,
    ],
  ])('%s', (_, code, lock, expected) => {
    expect(found(lock, code)).toBe(expected);
  });

  it('the inode of which the last reference was put is written', () => {
    const code = `
static int item_writepages(struct address_space *mapping) { down_read(&mapping->i_mmap_rwsem); return 0; }
static const struct address_space_operations item_aops = { .writepages = item_writepages };
void item_evict_inode(struct inode *inode) { }`;
    expect(found('address_space.i_mmap_rwsem', code)).toBe(GOES);
  });

  const worker = (more: string): string => `
static void item_worker(struct work_struct *work)
{
	struct item_gc *gc = container_of(work, struct item_gc, work);
	struct llist_node *node = llist_del_all(&gc->list);
	struct item_inode *ii, *n;
	ii = llist_entry(node, struct item_inode, link);
	llist_for_each_entry_safe(ii, n, node, link)
		item_drop(ii);
}
void item_start(struct item_gc *gc) { INIT_WORK(&gc->work, item_worker); }
static void item_queue(struct item_gc *gc, struct item_inode *ii)
{
	llist_add(&ii->link, &gc->list);
	queue_work(system_wq, &gc->work);
	flush_work(&gc->work);
}
void item_evict_inode(struct inode *inode) { item_queue(find_gc(), ITEM_I(inode)); }
${more}`;

  it('a worker gets them from a list on which only such are put', () => {
    expect(found('item_inode.lock', worker(''))).toBe(GOES);
  });

  it('not so where others are put there', () => {
    const other = 'void item_forget(struct item_gc *gc, struct item_inode *ii) { item_queue(gc, ii); }';
    expect(found('item_inode.lock', worker(other))).toBe(ANY);
  });
});
