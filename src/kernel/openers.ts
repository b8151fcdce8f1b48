import type { Opener, Versioned } from './types.js';

function openers(
  source: string,
  kept: boolean,
  names: readonly string[],
  versions: Versioned = {},
): Opener[] {
  return names.map((name) => ({ name, kept, source, ...versions }));
}

/**
 * Functions that give a filesystem hold of a file, path or dentry that may be another filesystem's: by a name from user
 * space or by a descriptor. What opens a path that one has already (`dentry_open()`), or looks below a mount that one has
 * (`file_open_root()`), gives nothing new.
 */
export const OPENERS: readonly Opener[] = [
  ...openers('include/linux/namei.h', true, [
    'kern_path',
    'kern_path_create',
    'kern_path_locked',
    'vfs_path_lookup',
    'vfs_path_parent_lookup',
  ]),
  ...openers('include/linux/fs.h', true, ['filp_open', 'file_open_name']),
  ...openers('include/linux/file.h', true, ['fget', 'fget_raw']),
  ...openers('include/linux/fs_parser.h', true, ['fs_lookup_param']),
  // What takes a path or descriptor for one system call puts it before it returns.
  ...openers('include/linux/namei.h', false, [
    'user_path_at',
    'user_path_at_empty',
    'user_path_create',
    'user_path_locked_at',
    'user_path',
    'user_lpath',
  ]),
  ...openers('include/linux/file.h', false, ['fdget', 'fdget_raw', 'fdget_pos', 'fget_task']),
  ...openers('include/linux/fdtable.h', false, [
    'task_lookup_fdget_rcu',
    'task_lookup_next_fdget_rcu',
    'lookup_fdget_rcu',
    'fget_task_next',
  ]),
  ...openers(
    'include/linux/namei.h',
    true,
    ['kern_path_parent', 'start_creating_path', 'start_removing_path'],
    { since: '6.19' },
  ),
  ...openers('include/linux/namei.h', false, ['start_creating_user_path', 'start_removing_user_path_at'], {
    since: '6.19',
  }),
];

const BY_NAME = new Map(OPENERS.map((o) => [o.name, o]));

/** The opener that is called: by its name, or as `CLASS(fd, name)(…)`; undefined for any other call. */
export function openerOf({
  fn,
  args,
}: {
  readonly fn: string;
  readonly args: readonly string[];
}): Opener | undefined {
  if (fn === 'CLASS') return BY_NAME.get((args[0] ?? '').replace('v:', 'fdget_').replace('_fd', ''));
  // fs_lookup_param(…, true, …) wants a block device and looks at its number.
  return fn === 'fs_lookup_param' && args[2] === '#pos' ? undefined : BY_NAME.get(fn);
}

/**
 * Members to which the VFS hands files of two filesystems (`vfs_copy_file_range()`, fs/read_write.c), from 4.5 until it began to compare their
 * members with each other (5.19); of the one that is not its own a filesystem may only read.
 */
export const FOREIGN_MEMBERS: readonly string[] = ['file_operations.copy_file_range'];

/** Functions that make a file in memory, for the caller's own use: no filesystem's but tmpfs'. */
export const MEMORY_FILES: readonly { name: string; source: string }[] = [
  'shmem_file_setup',
  'shmem_kernel_file_setup',
  'shmem_file_setup_with_mnt',
].map((name) => ({ name, source: 'include/linux/shmem_fs.h' }));

/**
 * What implements the member `keeper` keeps files of its own on another filesystem, if that implements the member `wants`; it refuses
 * any other.
 */
export const WANTED_OF_OTHERS: readonly { keeper: string; wants: string; source: string }[] = [
  // cachefiles_add_cache(), since 5.17
  {
    keeper: 'fscache_cache_ops.lookup_cookie',
    wants: 'inode_operations.tmpfile',
    source: 'fs/cachefiles/cache.c',
  },
];
