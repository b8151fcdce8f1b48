import { describe, expect, it } from 'vitest';
import { Callers } from '../../src/analysis/callers.js';
import { Tasks } from '../../src/analysis/tasks.js';
import { functionIn, linked } from './linked.js';

const VFS = `
struct inode_operations { int (*setattr)(struct inode *inode); };
struct inode { const struct inode_operations *i_op; };
int notify_change(struct inode *inode) { return inode->i_op->setattr(inode); }
long sys_chmod(struct inode *inode) { return notify_change(inode); }
`;

/** A filesystem; its own caller of the VFS is `NAME_ioctl()`. */
const filesystem = (name: string, more = ''): string => `
static struct file_system_type ${name}_fs_type = { .name = "${name}" };
int ${name}_setattr(struct inode *inode) { return 0; }
static const struct inode_operations ${name}_ops = { .setattr = ${name}_setattr };
int ${name}_write(struct inode *inode) { return notify_change(inode); }
long ${name}_ioctl(struct inode *inode) { ${more} return ${name}_write(inode); }
`;

/** Names of the functions that may come to run alpha_setattr(). */
function above(beta: string): string[] {
  const index = linked({
    'fs/attr.c': VFS,
    'fs/alpha/inode.c': filesystem('alpha'),
    'fs/beta/inode.c': beta,
  });
  const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_setattr').id]);
  return [...callers.closure].map((node) => callers.functionOf(node).facts.name).sort();
}

const ALPHA = ['alpha_ioctl', 'alpha_setattr', 'alpha_write', 'notify_change', 'sys_chmod'];

describe('whose object the VFS is called for', () => {
  it('another filesystem has only its own', () => {
    expect(above(filesystem('beta'))).toEqual(ALPHA);
  });

  it.each([
    ['opened a file by name', 'lower = filp_open(name, 0, 0);'],
    ['takes a path in its mount options', 'fs_lookup_param(fc, param, false, 0, &path);'],
  ])('not so one that %s: all of its code may have it', (_, opens) => {
    const beta = `${filesystem('beta')} int beta_mount(void) { ${opens} return 0; }`;
    expect(above(beta)).toEqual([...ALPHA, 'beta_ioctl', 'beta_write'].sort());
  });

  it.each([
    ['of no other, if whoever begins names it', '', ['alpha_begin', 'alpha_read', 'map_iter', 'map_rw']],
    [
      'of another one, if a struct has it',
      'struct map { const struct map_ops *ops; };',
      ['alpha_begin', 'alpha_read', 'beta_read', 'map_iter', 'map_rw'],
    ],
    [
      'of another one, if a function returns it',
      'const struct map_ops *ops_of(struct inode *inode);',
      ['alpha_begin', 'alpha_read', 'beta_read', 'map_iter', 'map_rw'],
    ],
  ])('one that has files of others calls through a table %s', (_, declares, expected) => {
    const maps = (name: string): string => `${filesystem(name)}
static int ${name}_begin(struct inode *inode) { return 0; }
static const struct map_ops ${name}_map = { .begin = ${name}_begin };
int ${name}_read(struct inode *inode) { return map_rw(inode, &${name}_map); }`;
    const index = linked({
      'include/linux/map.h': `struct map_ops { int (*begin)(struct inode *inode); };\n${declares}`,
      'fs/map.c': `static int map_iter(struct inode *inode, const struct map_ops *ops) { return ops->begin(inode); }
int map_rw(struct inode *inode, const struct map_ops *ops) { return map_iter(inode, ops); }`,
      'fs/alpha/inode.c': maps('alpha'),
      'fs/beta/inode.c': `${maps('beta')} int beta_mount(void) { lower = filp_open(name, 0, 0); return 0; }`,
    });
    const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_begin').id]);
    expect([...callers.closure].map((node) => callers.functionOf(node).facts.name).sort()).toEqual(expected);
  });

  it('a device that a path names is no file of a filesystem', () => {
    const beta = `${filesystem('beta')} int beta_mount(void) { return fs_lookup_param(fc, param, 1, 0, &path); }`;
    expect(above(beta)).toEqual(ALPHA);
  });

  it.each([
    ['looked at only', 'dev = path.dentry->d_sb->s_bdev;', ALPHA],
    ['kept', 'sbi->lower = path.dentry;', [...ALPHA, 'beta_ioctl', 'beta_write'].sort()],
  ])('a path that is put where it was opened, and %s', (_, does, expected) => {
    const mount = `int beta_mount(const char *name) {
      struct path path;
      kern_path(name, 0, &path);
      ${does}
      path_put(&path);
      return 0;
    }`;
    expect(above(filesystem('beta') + mount)).toEqual(expected);
  });

  it.each(['struct fd f = fdget(fd);', 'CLASS(fd, f)(fd);'])(
    'what `%s` gives is there for the function and what it calls',
    (takes) => {
      const other = 'int beta_sync(struct inode *inode) { return notify_change(inode); }';
      expect(above(filesystem('beta', takes) + other)).toEqual([...ALPHA, 'beta_ioctl', 'beta_write'].sort());
      expect(above(filesystem('beta') + other.replace('{', `{ ${takes}`))).toEqual(
        [...ALPHA, 'beta_sync'].sort(),
      );
    },
  );

  it('copy_file_range() gets files of two filesystems', () => {
    const table = 'static const struct file_operations beta_file = { .copy_file_range = beta_ioctl };';
    expect(above(filesystem('beta') + table)).toEqual([...ALPHA, 'beta_ioctl', 'beta_write'].sort());
  });

  it('a driver below what submits a bio is no caller of the filesystem that submits it', () => {
    const closure = (caller: string): string[] => {
      const index = linked({
        'fs/attr.c': VFS,
        'block/core.c': `
struct block_device_operations { void (*submit_bio)(struct bio *bio); };
struct bio { const struct block_device_operations *ops; };
void invalidate_device(struct inode *inode) { notify_change(inode); }
void submit_bio_noacct(struct bio *bio) { bio->ops->submit_bio(bio); }
void submit_bio(struct bio *bio) { submit_bio_noacct(bio); }`,
        'drivers/md/cached.c': `
void cached_free(struct inode *inode) { invalidate_device(inode); }
void cached_submit(struct bio *bio) { cached_free(bio->dev); }
static const struct block_device_operations cached_ops = { .submit_bio = cached_submit };
long cached_ioctl(struct inode *inode) { cached_free(inode); }`,
        'fs/alpha/inode.c': filesystem('alpha') + caller,
      });
      const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_setattr').id]);
      return [...callers.closure].map((node) => callers.functionOf(node).facts.name);
    };
    const names = closure('void alpha_writepage(struct bio *bio) { submit_bio(bio); }');
    expect(names).toContain('cached_ioctl');
    expect(names).toContain('cached_submit');
    expect(names).not.toContain('alpha_writepage');
  });

  it('a library that opens files by itself stands between', () => {
    const index = linked({
      'fs/attr.c': VFS,
      'fs/alpha/inode.c': filesystem('alpha'),
      'fs/cachefiles/io.c':
        'int cache_open(void) { f = filp_open(n, 0, 0); } int cache_write(struct inode *inode) { return notify_change(inode); }',
      'fs/beta/inode.c': `${filesystem('beta')} int beta_cache(struct inode *inode) { return cache_write(inode); }`,
    });
    const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_setattr').id]);
    const names = [...callers.closure].map((node) => callers.functionOf(node).facts.name);
    expect(names).toContain('beta_cache');
    expect(names).not.toContain('beta_write');
  });

  it('a filesystem that nobody asks about has only its own, too', () => {
    const index = linked({
      'fs/attr.c': VFS,
      'fs/alpha/inode.c': filesystem('alpha'),
      'fs/beta/inode.c': `${filesystem('beta')} int beta_own(struct inode *inode) { return inode->i_op->setattr(inode); }`,
    });
    const callers = new Callers(index, new Tasks(index), [functionIn(index, 'sys_chmod').id]);
    callers.extend([functionIn(index, 'alpha_setattr').id]);
    const names = [...callers.closure].map((node) => callers.functionOf(node).facts.name);
    expect(names).toContain('alpha_write');
    expect(names).not.toContain('beta_write');
    expect(names).not.toContain('beta_own');
  });

  it('what mounts a filesystem outside of their directories handles its own', () => {
    const closure = (binder: string): string[] => {
      const index = linked({
        'fs/super.c': `
struct file_system_type { int (*mount)(struct file_system_type *type); void (*kill_sb)(struct super_block *sb); };
struct super_block { struct file_system_type *s_type; };
int mount_single(struct file_system_type *type, void (*fill)(struct super_block *sb)) { fill(sget(type)); }
void deactivate_super(struct super_block *sb) { sb->s_type->kill_sb(sb); }
long sys_mount(struct file_system_type *type) { return type->mount(type); }
long sys_umount(struct super_block *sb) { deactivate_super(sb); return 0; }`,
        'fs/alpha/super.c': `
void alpha_kill_sb(struct super_block *sb) { }
void alpha_fail(struct super_block *sb) { deactivate_super(sb); }
static struct file_system_type alpha_fs_type = { .kill_sb = alpha_kill_sb };`,
        'drivers/misc/binder.c': binder,
      });
      const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_kill_sb').id]);
      return [...callers.closure].map((node) => callers.functionOf(node).facts.name).sort();
    };
    const binder = `
static void binder_fail(struct super_block *sb) { deactivate_super(sb); }
static void binder_fill(struct super_block *sb) { binder_fail(sb); }
static int binder_mount(struct file_system_type *type) { return mount_single(type, binder_fill); }
static struct file_system_type binder_fs_type = { .mount = binder_mount };
`;
    const always = ['alpha_fail', 'alpha_kill_sb', 'deactivate_super', 'sys_umount'];
    expect(closure(binder)).toEqual(always);
    // A driver that is no filesystem may have been handed one.
    const handed = 'long binder_ioctl(struct super_block *sb) { deactivate_super(sb); }';
    expect(closure(binder + handed)).toEqual([...always, 'binder_ioctl'].sort());
    const opens = binder.replace('{ binder_fail(sb); }', '{ binder_fail(kern_path(name, 0, &path)); }');
    expect(closure(opens)).toContain('binder_mount');
  });

  it('what the VFS mounts and unmounts may be anybody’s', () => {
    const index = linked({
      'fs/super.c': `
struct super_operations { void (*put_super)(struct super_block *sb); };
struct super_block { const struct super_operations *s_op; struct file_system_type *s_type; };
struct file_system_type { void (*kill_sb)(struct super_block *sb); };
void kill_anon_super(struct super_block *sb) { sb->s_op->put_super(sb); }
long sys_umount(struct super_block *sb) { sb->s_type->kill_sb(sb); return 0; }`,
      'fs/pipe.c':
        'int pipe_init(void) { return 0; } static struct file_system_type pipe_fs_type = { .kill_sb = kill_anon_super };',
      'fs/alpha/super.c': `
void alpha_put_super(struct super_block *sb) { }
static const struct super_operations alpha_ops = { .put_super = alpha_put_super };
static struct file_system_type alpha_fs_type = { .kill_sb = kill_anon_super };`,
    });
    const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_put_super').id]);
    const names = [...callers.closure].map((node) => callers.functionOf(node).facts.name);
    expect(names.sort()).toEqual(['alpha_put_super', 'kill_anon_super', 'sys_umount']);
  });

  it('a type that is named where it is mounted is the caller’s own', () => {
    const mounting = (argument: string): string[] => {
      const index = linked({
        'fs/namespace.c': `
struct file_system_type { int (*mount)(struct file_system_type *type); };
int vfs_kern_mount(struct file_system_type *type) { return type->mount(type); }
int kern_mount(struct file_system_type *type) { return vfs_kern_mount(type); }
long sys_mount(struct file_system_type *type) { return vfs_kern_mount(type); }`,
        'fs/alpha/super.c': `
int alpha_mount(struct file_system_type *type) { return 0; }
static struct file_system_type alpha_fs_type = { .mount = alpha_mount };
int alpha_init(void) { return kern_mount(&alpha_fs_type); }`,
        'kernel/other.c': `
static struct file_system_type other_fs_type;
int other_init(struct file_system_type *type) { return kern_mount(${argument}); }`,
      });
      const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_mount').id]);
      return [...callers.closure].map((node) => callers.functionOf(node).facts.name).sort();
    };
    const always = ['alpha_init', 'alpha_mount', 'kern_mount', 'sys_mount', 'vfs_kern_mount'];
    expect(mounting('&other_fs_type')).toEqual(always);
    expect(mounting('type')).toEqual([...always, 'other_init'].sort());
  });

  it('an automount is of the caller’s own type, even if it stacks on others', () => {
    const mounting = (made: string): string[] => {
      const index = linked({
        'include/linux/fs_context.h': `
struct fs_context_operations { int (*get_tree)(struct fs_context *fc); };
struct fs_context { const struct fs_context_operations *ops; };`,
        'fs/namespace.c': 'int fc_mount(struct fs_context *fc) { return fc->ops->get_tree(fc); }',
        'fs/alpha/super.c': `
static struct file_system_type alpha_fs_type;
int alpha_get_tree(struct fs_context *fc) { return 0; }
static const struct fs_context_operations alpha_ops = { .get_tree = alpha_get_tree };
int alpha_automount(struct fs_context *fc) { return fc_mount(fc); }`,
        'fs/beta/super.c': `
static struct file_system_type beta_fs_type;
int beta_open(struct beta_file *b) { b->lower = filp_open(b->name, 0, 0); return 0; }
int beta_automount(struct path *path, struct fs_context *given) {
	struct fs_context *fc = ${made};
	return fc_mount(fc);
}`,
      });
      const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_get_tree').id]);
      return [...callers.closure].map((node) => callers.functionOf(node).facts.name).sort();
    };
    const always = ['alpha_automount', 'alpha_get_tree', 'fc_mount'];
    expect(mounting('fs_context_for_submount(path->mnt->mnt_sb->s_type, path->dentry)')).toEqual(always);
    expect(mounting('given')).toEqual([...always, 'beta_automount'].sort());
  });

  it('nobody is called by what frees memory or sleeps', () => {
    const index = linked({
      'mm/slub.c': 'void kfree(void *p) { release(p); } void other(void *p) { release(p); }',
      'fs/alpha/kfree.c': 'void schedule(void) { release(0); }',
      'fs/alpha/inode.c': 'void release(void *p) { }',
    });
    const callers = new Callers(index, new Tasks(index), [functionIn(index, 'release').id]);
    const names = [...callers.closure].map((node) => callers.functionOf(node).facts.name).sort();
    // A function of that name elsewhere is another.
    expect(names).toEqual(['other', 'release', 'schedule']);
  });

  it('it does not matter whose where none of its own functions is further up', () => {
    const nodes = (...asked: string[]): string[] => {
      const index = linked({
        'fs/attr.c': `${VFS} int write_super(struct inode *inode) { return 0; }`,
        'fs/alpha/inode.c': filesystem('alpha'),
        'fs/beta/inode.c': filesystem('beta').replace('return 0', 'return write_super(inode)'),
        'fs/gamma/inode.c': filesystem('gamma').replace('return 0', 'return write_super(inode)'),
      });
      const targets = asked.map((name) => functionIn(index, name).id);
      const callers = new Callers(index, new Tasks(index), targets);
      return [...callers.closure].map((node) => callers.functionOf(node).facts.name).sort();
    };
    const two = nodes('alpha_setattr', 'beta_setattr');
    expect(two.filter((name) => name === 'notify_change')).toHaveLength(2);
    expect(two.filter((name) => name === 'sys_chmod')).toHaveLength(1);
    const library = nodes('write_super');
    expect(library.filter((name) => name === 'notify_change')).toHaveLength(2);
    expect(library.filter((name) => name === 'sys_chmod')).toHaveLength(1);
  });

  describe('a call that says itself that the object is the caller’s own', () => {
    /** Names above alpha_setattr() of what another part of the kernel does. */
    const reaching = (more: Readonly<Record<string, string>>): string[] => {
      const index = linked({ 'fs/attr.c': VFS, 'fs/alpha/inode.c': filesystem('alpha'), ...more });
      const callers = new Callers(index, new Tasks(index), [functionIn(index, 'alpha_setattr').id]);
      return [...callers.closure].map((node) => callers.functionOf(node).facts.name);
    };

    it('is for a mount in a global variable of what registers a filesystem', () => {
      const sockets = (declares: string): string[] =>
        reaching({
          'include/linux/mount.h': 'struct vfsmount { struct inode *root; };',
          'net/socket.c': `${declares}
static struct vfsmount *sock_mnt;
int sock_open(void) { return notify_change(sock_mnt->root); }
int sock_of(struct vfsmount *mnt) { return notify_change(mnt->root); }`,
        });
      expect(sockets('static struct file_system_type sock_type;')).not.toContain('sock_open');
      expect(sockets('static struct file_system_type sock_type;')).toContain('sock_of');
      expect(sockets('')).toContain('sock_open');
    });

    it('is for a file that was made in memory, and nothing else', () => {
      const keys = (made: string): string[] =>
        reaching({
          'security/keys.c': `int key_write(int n) { struct inode *f = ${made}; return notify_change(f); }`,
        });
      expect(keys('shmem_kernel_file_setup("", n, 0)')).not.toContain('key_write');
      expect(keys('dentry_open(n)')).toContain('key_write');
      expect(
        reaching({
          'security/keys.c':
            'int key_write(int n) { struct inode *f = shmem_file_setup("", n, 0); if (n) f = dentry_open(n); return notify_change(f); }',
        }),
      ).toContain('key_write');
    });

    it('is for a file that has the same function, where the VFS compares these', () => {
      const beta = `${filesystem('beta')} static const struct file_operations beta_file = { .copy_file_range = beta_ioctl };`;
      const check = (test: string): string =>
        `int check(struct file *in, struct file *out) { if (${test}) return -18; return 0; }`;
      const types =
        'struct file_operations { int (*copy_file_range)(struct inode *i); };\nstruct file { struct file_operations *f_op; };\n';
      const compares = check('in->f_op->copy_file_range != out->f_op->copy_file_range');
      const tests = check('!out->f_op->copy_file_range');
      expect(reaching({ 'fs/beta/inode.c': beta, 'fs/copy.c': types + tests })).toContain('beta_ioctl');
      expect(reaching({ 'fs/beta/inode.c': beta, 'fs/copy.c': types + compares })).not.toContain(
        'beta_ioctl',
      );
    });

    it('is for no filesystem without what a cache wants of the one that it is on', () => {
      const cache = {
        'fs/cachefiles/io.c': `
struct fscache_cache_ops { int (*lookup_cookie)(struct inode *inode); };
int cache_open(void) { f = filp_open(n, 0, 0); return 0; }
int cache_write(struct inode *inode) { return notify_change(inode); }
static const struct fscache_cache_ops cache_ops = { .lookup_cookie = cache_write };`,
      };
      expect(reaching(cache)).not.toContain('cache_write');
      const able =
        'int alpha_tmpfile(void) { return 0; } static const struct inode_operations t = { .tmpfile = alpha_tmpfile };';
      expect(reaching({ ...cache, 'fs/alpha/dir.c': able })).toContain('cache_write');
    });
  });
});
