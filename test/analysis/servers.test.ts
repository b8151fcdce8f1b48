import { describe, expect, it } from 'vitest';
import { Callers } from '../../src/analysis/callers.js';
import { Locks } from '../../src/analysis/locks.js';
import { Reclaim } from '../../src/analysis/reclaim.js';
import { Servers } from '../../src/analysis/servers.js';
import { heldIn } from '../../src/analysis/strangers.js';
import { Tasks } from '../../src/analysis/tasks.js';
import { Waits } from '../../src/analysis/waits.js';
import { functionIn, linked } from './linked.js';

/** A filesystem whose reclaim waits for `x_info.queue`, and which calls a library and a protocol. */
const FILESYSTEM = `
struct x_info { wait_queue_head_t queue; };
static struct file_system_type x_type;
static void x_evict(struct inode *inode)
{
	struct x_info *info = inode->i_private;

	wait_event(info->queue, info->done);
	proto_send(info);
	lib_put(inode);
}
static struct super_operations x_super = { .evict_inode = x_evict };
`;

const OTHERS = {
  'net/proto/send.c': 'int proto_send(void *data) { return 0; }\n',
  'fs/lib/put.c': 'void lib_put(struct inode *inode) { deep_put(inode); }\n',
  'fs/deep/put.c': 'void deep_put(struct inode *inode) { }\n',
  'fs/y/y.c': 'static struct file_system_type y_type;\nint y_show(void) { return 0; }\n',
  'fs/keeper/keep.c': 'void keep_put(void) { f = filp_open(n, 0, 0); }\n',
};

function serversIn(files: Readonly<Record<string, string>>) {
  const index = linked({ 'fs/x/x.c': FILESYSTEM, ...OTHERS, ...files });
  const locks = new Locks(index);
  const tasks = new Tasks(index);
  const waits = new Waits(index, tasks);
  const reclaim = new Reclaim(index, locks, tasks, 'nofs', waits);
  const callers = new Callers(index, tasks, [functionIn(index, 'x_evict').id]);
  return { index, servers: new Servers(index, tasks, waits, reclaim, callers) };
}

/** May reclaim wait for a worker that does this? */
function mayServe(file: string, does: string, more = ''): boolean {
  const { index, servers } = serversIn({
    [file]: `struct w_item { struct work_struct work; };
${more}
static void w_run(struct work_struct *work)
{
	${does}
}
void w_start(struct w_item *item)
{
	INIT_WORK(&item->work, w_run);
}
`,
  });
  return servers.mayServe(functionIn(index, 'w_run'));
}

describe('tasks that reclaim may wait for', () => {
  it('end I/O, themselves or in what their part of the kernel does for them', () => {
    expect(mayServe('drivers/d/d.c', 'use(work);')).toBe(false);
    expect(mayServe('drivers/d/d.c', 'bio_endio(bio);')).toBe(true);
    const below = 'static void w_done(struct bio *bio)\n{\n\tbio_endio(bio);\n}\n';
    expect(mayServe('drivers/d/d.c', 'w_done(bio);', below)).toBe(true);
    expect(
      mayServe('drivers/d/d.c', 'w_done(bio);', below.replace('static void', 'static void __init')),
    ).toBe(false);
  });

  it('wake a field that reclaim waits for', () => {
    expect(mayServe('fs/x/w.c', 'struct x_info *info = find(work); wake_up(&info->queue);')).toBe(true);
    expect(mayServe('fs/x/w.c', 'struct x_info *info = find(work); wake_up(&info->other);')).toBe(false);
  });

  it('are looked at in their own file only where their part of the kernel serves all', () => {
    const other = { 'fs/more.c': 'void vfs_more(struct bio *bio) { bio_endio(bio); }\n' };
    const worker = (file: string): boolean => {
      const { index, servers } = serversIn({
        ...other,
        [file]:
          'static void w_run(struct work_struct *work) { vfs_more(bio); }\nvoid w_start(struct w *w) { INIT_WORK(&w->work, w_run); }\n',
      });
      return servers.mayServe(functionIn(index, 'w_run'));
    };
    expect(worker('fs/aio.c')).toBe(false);
    expect(worker('fs/more/w.c')).toBe(false);
    expect(mayServe('fs/aio.c', 'bio_endio(bio);')).toBe(true);
  });

  it('are none that can’t sleep', () => {
    const { index, servers } = serversIn({
      'fs/x/w.c':
        'static void w_run(struct timer_list *t) { use(t); }\nvoid w_start(struct x *x) { timer_setup(&x->timer, w_run, 0); }\n',
    });
    expect(servers.maySleep(functionIn(index, 'w_run'))).toBe(false);
  });
});

describe('what works for a filesystem', () => {
  const { index, servers } = serversIn({
    'drivers/d/d.c': 'int d_write(struct file *file) { return vfs_write(file); }\n',
    'fs/x/show.c': 'int x_show(void) { keep_put(); return y_show(); }\n',
    'fs/vfs.c': 'int vfs_write(struct file *file) { return 0; }\n',
    'drivers/user/u.c': 'int u_use(void) { return x_show(); }\n',
  });
  const isNear = (name: string): boolean => servers.isNear(functionIn(index, name), 'fs/x');

  it('is its own code, libraries that it uses and those below them, what all use, and what one of the two calls by name', () => {
    expect(
      ['x_evict', 'lib_put', 'deep_put', 'vfs_write', 'proto_send', 'u_use'].filter((n) => !isNear(n)),
    ).toEqual([]);
  });

  it('is no driver that comes through the VFS, no other filesystem, nothing that keeps files on one', () => {
    expect(['d_write', 'y_show', 'keep_put'].filter(isNear)).toEqual([]);
  });
});

describe('a lock with a class for each type of filesystem', () => {
  const opens = 'void z_mount(void) { f = filp_open(n, 0, 0); }';
  const { servers } = serversIn({ 'fs/z/z.c': `static struct file_system_type z_type; ${opens}` });
  const isOthers = (lock: string, holder: string): boolean => servers.isOthers(heldIn(lock, holder), 'fs/x');

  it('is another filesystem’s where that holds it', () => {
    expect(isOthers('inode.i_rwsem', 'fs/y')).toBe(true);
    expect(isOthers('inode.i_rwsem', 'fs/x')).toBe(false);
  });

  it('may be this one’s where the VFS holds it, or a filesystem that opens files by name', () => {
    expect(isOthers('inode.i_rwsem', 'fs')).toBe(false);
    expect(isOthers('inode.i_rwsem', 'fs/z')).toBe(false);
  });

  it('is told apart from one that is the same for all', () => {
    expect(isOthers('dquot.dq_lock', 'fs/y')).toBe(false);
  });
});
