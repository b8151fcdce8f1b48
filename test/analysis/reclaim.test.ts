import { describe, expect, it } from 'vitest';
import { Locks } from '../../src/analysis/locks.js';
import { Reclaim } from '../../src/analysis/reclaim.js';
import { Tasks } from '../../src/analysis/tasks.js';
import { functionIn, linked } from './linked.js';

const HEADER = `
struct super_operations { void (*evict_inode)(struct inode *); };
struct inode { struct super_block *i_sb; const struct super_operations *i_op; struct rw_semaphore i_rwsem; };
struct work_struct { int pending; };
struct sb_info {
  struct mutex lock;
  struct mutex other;
  struct work_struct work;
  struct workqueue_struct *queue;
  wait_queue_head_t wait;
  struct percpu_rw_semaphore levels[3];
};
void evict(struct inode *inode) { inode->i_op->evict_inode(inode); }
`;

const TABLE = `
struct file_system_type a_type = { .name = "a" };
static const struct super_operations ops = { .evict_inode = a_evict };
`;

/** Reclaim of a filesystem whose evict_inode is \`a_evict\`. */
function reclaimOf(code: string, others: Readonly<Record<string, string>> = {}): Reclaim {
  const index = linked({ 'include/linux/fs.h': HEADER, 'fs/a/a.c': code + TABLE, ...others });
  return new Reclaim(index, new Locks(index), new Tasks(index), 'nofs');
}

/** Lock class → names of the functions of its chain. */
function chains(reclaim: Reclaim): Record<string, string> {
  return Object.fromEntries(
    reclaim.chainsOf('fs/a').map((c) => [c.lock, c.steps.map((s) => s.function).join(' ')]),
  );
}

describe('reclaim locks', () => {
  it('the shortest chain from an entry to the acquire', () => {
    const reclaim = reclaimOf(`
      static void near(struct sb_info *s) { mutex_lock(&s->lock); mutex_unlock(&s->lock); }
      static void far(struct sb_info *s) { near(s); }
      static void a_evict(struct inode *inode) { far(inode->i_sb); near(inode->i_sb); }`);
    expect(chains(reclaim)).toEqual({ 'sb_info.lock': 'a_evict near' });
  });

  it('a lock that is only tried is none', () => {
    const reclaim = reclaimOf(`
      static void a_evict(struct inode *inode)
      {
        struct sb_info *s = inode->i_sb;
        if (mutex_trylock(&s->lock)) mutex_unlock(&s->lock);
        mutex_lock(&s->other);
      }`);
    expect(chains(reclaim)).toEqual({ 'sb_info.other': 'a_evict' });
  });

  it('locks of a work item that reclaim flushes', () => {
    const reclaim = reclaimOf(`
      static void work_fn(struct work_struct *work) { mutex_lock(&global_info.lock); }
      static void idle_fn(struct work_struct *work) { mutex_lock(&global_info.other); }
      static struct sb_info global_info;
      void setup(struct sb_info *s) { INIT_WORK(&s->work, work_fn); schedule_work(&s->work); }
      void setup_idle(struct other *s) { INIT_WORK(&s->idle, idle_fn); }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; flush_work(&s->work); }`);
    expect(chains(reclaim)).toEqual({ 'sb_info.lock': 'a_evict work_fn' });
    expect(reclaim.chainsOf('fs/a')[0]?.notes).toEqual(['waits for work_fn() in another task']);
  });

  it.each([
    ['static DECLARE_WORK(own_work, work_fn);', 'flush_work(&own_work)'],
    ['DECLARE_DELAYED_WORK(own_work, work_fn);', 'cancel_delayed_work_sync(&own_work)'],
    ['static struct work_struct own_work = __WORK_INITIALIZER(own_work, work_fn);', 'flush_work(&own_work)'],
    [
      'static struct sb_info own = { .work = __WORK_INITIALIZER(own.work, work_fn) };',
      'struct sb_info *s = inode->i_sb; flush_work(&s->work)',
    ],
  ])('locks of a work item that is declared outside of functions: %s', (declaration, wait) => {
    const reclaim = reclaimOf(`
      static struct sb_info global_info;
      static void work_fn(struct work_struct *work) { mutex_lock(&global_info.lock); }
      ${declaration}
      static void a_evict(struct inode *inode) { ${wait}; }`);
    expect(chains(reclaim)).toEqual({ 'sb_info.lock': 'a_evict work_fn' });
  });

  it('locks of a work item that runs one of two functions', () => {
    const reclaim = reclaimOf(`
      static struct sb_info global_info;
      static void work_fn(struct work_struct *work) { mutex_lock(&global_info.lock); }
      static void other_fn(struct work_struct *work) { mutex_lock(&global_info.other); }
      void setup(struct sb_info *s, int x) { INIT_WORK(&s->work, x ? work_fn : other_fn); schedule_work(&s->work); }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; flush_work(&s->work); }`);
    expect(chains(reclaim)).toEqual({
      'sb_info.lock': 'a_evict work_fn',
      'sb_info.other': 'a_evict other_fn',
    });
  });

  it('locks of a work item on a queue that reclaim flushes', () => {
    const reclaim = reclaimOf(`
      static struct sb_info global_info;
      static void work_fn(struct work_struct *work) { mutex_lock(&global_info.lock); }
      void setup(struct sb_info *s) { INIT_WORK(&s->work, work_fn); queue_work(s->queue, &s->work); }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; flush_workqueue(s->queue); }`);
    expect(chains(reclaim)).toEqual({ 'sb_info.lock': 'a_evict work_fn' });
  });

  it('a work item that is only queued takes its locks elsewhere', () => {
    const reclaim = reclaimOf(`
      static struct sb_info global_info;
      static void work_fn(struct work_struct *work) { mutex_lock(&global_info.lock); }
      static void a_evict(struct inode *inode)
      {
        struct sb_info *s = inode->i_sb;
        INIT_WORK(&s->work, work_fn);
        schedule_work(&s->work);
      }`);
    expect(chains(reclaim)).toEqual({});
  });

  it('a constant flag that chooses another lock', () => {
    const reclaim = reclaimOf(`
      void take(struct sb_info *s, unsigned int mode)
      {
        if (mode & (ONE_EXCL | ONE_SHARED)) mutex_lock(&s->lock);
        else if (mode & TWO_EXCL) mutex_lock(&s->other);
      }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; take(s, TWO_EXCL); }`);
    const found = reclaim.chainsOf('fs/a').map(({ lock, believable }) => [lock, believable]);
    // The other one still withholds: the constants might share a bit.
    expect(found).toEqual([
      ['sb_info.other', true],
      ['sb_info.lock', false],
    ]);
  });

  it.each([
    ['no bit in common', '#define ONE (1u << 0)\n#define TWO (1u << 1)\n', ['sb_info.other']],
    ['bits of an enum', 'enum {\n ONE = 1 << 0,\n TWO = 1 << 1,\n};\n', ['sb_info.other']],
    ['a bit in common', '#define ONE 0x3u\n#define TWO BIT(1)\n', ['sb_info.lock']],
    [
      'of one the value is not known',
      '#define ONE 0x3u\n#define TWO two()\n',
      ['sb_info.other', 'sb_info.lock'],
    ],
  ])('constants with values: %s', (_, constants, expected) => {
    const reclaim = reclaimOf(`${constants}
      void take(struct sb_info *s, unsigned int mode)
      {
        if (mode & ONE) mutex_lock(&s->lock);
        else if (mode & TWO) mutex_lock(&s->other);
      }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; take(s, TWO); }`);
    expect(reclaim.chainsOf('fs/a').map(({ lock }) => lock)).toEqual(expected);
  });

  it.each([
    ['true', 'bool', 'swap', '!swap', 'true', ['sb_info.other']],
    ['false', 'bool', 'swap', '!swap', 'false', ['sb_info.lock', 'sb_info.other']],
    ['not a constant', 'bool', 'swap', '!swap', 's->lock.owner', ['sb_info.lock', 'sb_info.other']],
    ['the constant', 'enum mode', 'mode', 'mode == FAST', 'FAST', ['sb_info.lock', 'sb_info.other']],
    ['another constant', 'enum mode', 'mode', 'mode == FAST', 'SLOW', ['sb_info.other']],
    [
      'a constant of no known value',
      'enum mode',
      'mode',
      'mode == FAST',
      'ODD',
      ['sb_info.lock', 'sb_info.other'],
    ],
    ['a variable of numbers', 'bool', 'swap', '!swap', 'n', ['sb_info.lock', 'sb_info.other']],
    ['a flag in the place of a number', 'int', 'mode', 'mode & FAST', '1', ['sb_info.lock', 'sb_info.other']],
  ])('a parameter that is %s', (_, type, name, condition, arg, expected) => {
    const reclaim = reclaimOf(`
      enum mode { SLOW, FAST };
      static void take(struct sb_info *s, ${type} ${name})
      {
        if (${condition}) mutex_lock(&s->lock);
        mutex_lock(&s->other);
      }
      static void a_evict(struct inode *inode)
      {
        struct sb_info *s = inode->i_sb;
        int n = 1;
        for_each_set_bit(n, s->bits, 8) take(s, ${arg});
      }`);
    expect(reclaim.chainsOf('fs/a').map(({ lock }) => lock)).toEqual(expected);
  });

  it('a parameter may have one of two values', () => {
    const reclaim = reclaimOf(`
      #define ONE 1
      #define TWO 2
      #define FOUR 4
      void take(struct sb_info *s, unsigned int mode)
      {
        if (mode & ONE) mutex_lock(&s->lock);
        if (mode & FOUR) mutex_lock(&s->other);
      }
      static void a_evict(struct inode *inode)
      {
        unsigned int mode = ONE;
        if (inode->i_sb) mode = TWO;
        take(inode->i_sb, mode);
      }`);
    expect(chains(reclaim)).toEqual({ 'sb_info.lock': 'a_evict take' });
  });

  it.each([
    ['of a filesystem that nobody can mount', 'init_pseudo(fc, 1);', {}],
    [
      'not so if its inodes are in the hash',
      'init_pseudo(fc, 1); insert_inode_hash(inode);',
      { 'sb_info.lock': 'a_evict' },
    ],
  ])('evicting an inode %s', (_, makes, expected) => {
    const reclaim = reclaimOf(`
      static int a_init(struct fs_context *fc) { struct inode *inode; ${makes} return 0; }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; mutex_lock(&s->lock); }`);
    expect(chains(reclaim)).toEqual(expected);
  });

  it('a flag that the function changes is not known', () => {
    const reclaim = reclaimOf(`
      void take(struct sb_info *s, unsigned int mode)
      {
        mode |= ONE_EXCL;
        if (mode & ONE_EXCL) mutex_lock(&s->lock);
      }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; take(s, TWO_EXCL); }`);
    expect(reclaim.chainsOf('fs/a').map(({ lock, believable }) => [lock, believable])).toEqual([
      ['sb_info.lock', true],
    ]);
  });

  it('one of several locks is a class of its own', () => {
    const reclaim = reclaimOf(`
      static void start(struct sb_info *s, int level) { percpu_down_read(s->levels + level - 1); }
      void start_write(struct sb_info *s) { start(s, LEVEL_WRITE); }
      static void start_inner(struct sb_info *s) { start(s, LEVEL_INNER); }
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; start_inner(s); }`);
    expect(chains(reclaim)).toEqual({ 'sb_info.levels[LEVEL_INNER]': 'a_evict start_inner' });
  });

  it('not through unmounting, nor through what makes an inode', () => {
    const reclaim = reclaimOf(
      `
      static void make(struct sb_info *s) { new_inode(s); mutex_lock(&s->lock); }
      static void a_evict(struct inode *inode)
      {
        struct sb_info *s = inode->i_sb;
        make(s);
        deactivate_super(s);
      }`,
      {
        'fs/super.c': 'void deactivate_super(struct sb_info *s) { mutex_lock(&s->other); }',
        'fs/inode.c': 'struct inode *new_inode(struct sb_info *s) { return alloc(s); }',
      },
    );
    expect(chains(reclaim)).toEqual({});
  });

  it('into a cache on another filesystem, but to no lock that each filesystem has for itself, nor back', () => {
    const reclaim = reclaimOf(
      `
      static int a_fallocate(struct file *file) { mutex_lock(&file->info->lock); return 0; }
      static const struct file_operations a_file_ops = { .fallocate = a_fallocate };
      static void a_direct(struct inode *inode) { down_write(&inode->i_rwsem); }
      static void a_evict(struct inode *inode) { cookie_put(inode->cookie); }`,
      {
        'include/linux/fscache-cache.h': `
          struct fscache_cache_ops { void (*put)(struct cookie *); };
          struct cookie { const struct fscache_cache_ops *ops; };
          struct file_operations { int (*fallocate)(struct file *); int (*poll)(struct file *); };
          struct file { const struct file_operations *f_op; struct sb_info *info; };
          struct cache { struct mutex mutex; };`,
        'fs/netfs/cookie.c': `
          void cookie_put(struct cookie *cookie) { cookie->ops->put(cookie); }`,
        'fs/open.c': `
          int vfs_fallocate(struct file *file) { return file->f_op->fallocate(file); }`,
        'fs/pipe.c': `
          static int pipe_fallocate(struct file *file) { mutex_lock(&file->info->other); return 0; }
          static int pipe_poll(struct file *file) { mutex_lock(&file->info->other); return 0; }
          const struct file_operations pipe_ops = { .fallocate = pipe_fallocate, .poll = pipe_poll };`,
        'fs/cachefiles/io.c': `
          static void cache_put(struct cookie *cookie)
          {
            struct cache *cache = cookie->cache;
            mutex_lock(&cache->mutex);
            down_write(&cache->dir->i_rwsem);
            vfs_fallocate(cookie->file);
            cookie->file->f_op->poll(cookie->file);
          }
          const struct fscache_cache_ops cache_ops = { .put = cache_put };`,
      },
    );
    expect(chains(reclaim)).toEqual({ 'cache.mutex': 'a_evict cookie_put cache_put' });
  });

  it('not into a filesystem that lives in a directory of libraries', () => {
    const caller = `
      static void a_evict(struct inode *inode) { drop(inode); }
      struct drop_operations { void (*drop)(struct inode *); };
      void drop(struct inode *inode) { struct drop_operations *d = inode_ops(inode); d->drop(inode); }`;
    const target = (type: string) => `
      static struct sb_info its_info;
      static void its_drop(struct inode *inode) { mutex_lock(&its_info.lock); }
      static struct drop_operations its_ops = { .drop = its_drop };
      ${type}`;
    expect(chains(reclaimOf(caller, { 'fs/lib.c': target('') }))).toHaveProperty(['sb_info.lock']);
    expect(
      chains(reclaimOf(caller, { 'fs/ns.c': target('struct file_system_type ns = { .name = "ns" };') })),
    ).toEqual({});
  });

  it('of a filesystem that is one file of what all share, which no other one is concerned with', () => {
    const reclaim = reclaimOf('static void a_evict(struct inode *inode) { }', {
      'fs/misc.c': `struct misc { struct mutex lock; };
        struct file_system_type misc_type = { .name = "misc" };
        static void misc_evict(struct inode *inode) { struct misc *m = inode->i_private; mutex_lock(&m->lock); }
        static const struct super_operations misc_ops = { .evict_inode = misc_evict };`,
      'fs/shrink.c': `static unsigned long scan(struct shrinker *s, struct shrink_control *c) { evict(c->inode); return 0; }
        static struct shrinker shrinker = { .scan_objects = scan };`,
    });
    expect(reclaim.chains('misc.lock').map((c) => c.only)).toEqual(['fs/misc.c']);
    expect(reclaim.chainFor('misc.lock', 'fs/a')).toBeUndefined();
    expect(reclaim.endangers('misc.lock', 'fs/a')).toBe(false);
    expect(reclaim.endangers('misc.lock', 'net/a')).toBe(true);
  });

  it('names what it waits for and who ends that', () => {
    const reclaim = reclaimOf(`
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; wait_event(s->wait, s->done); }
      void finish(struct sb_info *s) { wake_up(&s->wait); }`);
    expect(reclaim.waitsOf('fs/a')).toMatchObject([{ on: 'sb_info.wait', wakers: ['finish'] }]);
  });

  describe('a completion of the function itself that a member points to', () => {
    const waiting = (declares: string, queues: string, more: string): Reclaim =>
      reclaimOf(`
      struct completion { int done; };
      struct split { struct work_struct work; struct completion *end; };
      static struct sb_info global_info;
      static void split_fn(struct work_struct *work)
      {
        struct split *split = container_of(work, struct split, work);
        mutex_lock(&global_info.lock);
        mutex_unlock(&global_info.lock);
        complete(split->end);
      }
      void other(void) { DECLARE_COMPLETION_ONSTACK(done); wait_for_completion(&done); }
      static void a_evict(struct inode *inode)
      {
        struct split split;
        ${declares}
        split.end = &done;
        INIT_WORK_ONSTACK(&split.work, split_fn);
        ${queues}
        wait_for_completion(&done);
      }
      ${more}`);
    const declared = 'DECLARE_COMPLETION_ONSTACK(done);';
    const queued = 'queue_work(global_info.queue, &split.work);';

    it.each([
      ['declared by a macro', declared],
      ['of its own', 'struct completion done; init_completion(&done);'],
    ])('%s, is waited for like a flush of the work that ends it', (_, declares) => {
      const reclaim = waiting(declares, queued, '');
      expect(chains(reclaim)).toEqual({ 'sb_info.lock': 'a_evict split_fn' });
      expect(reclaim.waitsOf('fs/a')).toEqual([]);
    });

    it.each([
      ['it did not queue the work', 'add_later(&split);', ''],
      ['others end it', queued, 'void cancel(struct split *split) { complete(split->end); }'],
    ])('is one of which it is not known who holds it up where %s', (_, queues, more) => {
      const reclaim = waiting(declared, queues, more);
      expect(chains(reclaim)).toEqual({ 'sb_info.lock': 'a_evict split_fn' });
      expect(reclaim.waitsOf('fs/a')).toMatchObject([{ on: 'split.end' }]);
    });
  });

  it('a wait that an interrupt ends is one for the hardware', () => {
    const reclaim = reclaimOf(`
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; wait_event(s->wait, s->done); }
      static void done(struct sb_info *s) { wake_up(&s->wait); }
      static irqreturn_t handler(int irq, void *data) { done(data); return 0; }
      void setup(void) { request_irq(7, handler, 0, "a", 0); }`);
    expect(reclaim.waitsOf('fs/a')).toEqual([]);
  });

  it.each([
    ['ends it itself', 'finish(s);', true],
    ['uses a file whose reader ends it', 'file->f_op->read(file);', false],
  ])('waits for a kthread that %s', (_, does, expected) => {
    const code = `
      struct file { const struct file_operations *f_op; };
      struct file_operations { long (*read)(struct file *file); };
      static void a_evict(struct inode *inode) { struct sb_info *s = inode->i_sb; wait_event(s->wait, s->done); }
      static void finish(struct sb_info *s) { wake_up(&s->wait); }
      static long a_read(struct file *file) { finish(file->private); return 0; }
      static const struct file_operations a_fops = { .read = a_read };
      static int a_thread(void *data) { struct sb_info *s = data; struct file *file = open_it(s); ${does} return 0; }
      void setup(struct sb_info *s) { kthread_run(a_thread, s, "a"); }`;
    const index = linked({ 'include/linux/fs.h': HEADER, 'fs/a/a.c': code + TABLE });
    const reclaim = new Reclaim(index, new Locks(index), new Tasks(index), 'nofs');
    expect(reclaim.waitForTask(functionIn(index, 'a_thread').id) !== undefined).toBe(expected);
  });
});
