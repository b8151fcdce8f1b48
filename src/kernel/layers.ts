import type { Api, Layer } from './types.js';

/**
 * Where a chain ends. FS reclaim locks are looked for above the block layer; the allocator's own
 * internals, and what every function may call (printk, schedule), belong to neither question: to
 * follow them would lead back into reclaim and from there everywhere.
 */
function layer(ends: readonly Api[], why: string, source: string, names: readonly string[]): Layer[] {
  return names.map((name) => ({ name, ends, why, source }));
}

const NOFS: readonly Api[] = ['nofs'];
const BOTH: readonly Api[] = ['nofs', 'noio'];

const BLOCK = 'the block layer: what lies below it belongs to the NOIO question';
const ALLOCATOR = 'the allocator: direct reclaim does not recurse, and its locks are its own';
const FREEING = 'frees memory, which waits for no lock that reclaim takes outside of mm';
const REPORTING = 'prints, from any context';
const SCHEDULER = 'the scheduler';
const DEFERRED = 'only queues what another task runs later';
const UNMOUNT =
  'only the last reference to a mounted filesystem goes on from here, and reclaim works on one that is mounted';
const USER_PAGES = 'page faults and walks of page tables are on behalf of user space';
const CREATION = 'makes a new inode, which is no part of getting rid of one';
const EVENTS =
  'tells listeners of an event; the only kind whose sender waits for an answer is raised where a file is opened, read or executed (fsnotify_perm())';
const MMAP = 'the address space lock, which reclaim only tries';

export const LAYERS: readonly Layer[] = [
  ...layer(NOFS, BLOCK, 'block/blk-core.c', [
    'submit_bio',
    'submit_bio_noacct',
    'submit_bio_noacct_nocheck',
    'blk_start_plug',
    'blk_finish_plug',
    '__blk_flush_plug',
  ]),
  ...layer(NOFS, BLOCK, 'block/bio.c', ['submit_bio_wait', 'bio_endio']),
  ...layer(NOFS, BLOCK, 'block/blk-flush.c', ['blkdev_issue_flush']),
  ...layer(NOFS, BLOCK, 'block/blk-mq.c', [
    'blk_mq_submit_bio',
    'blk_execute_rq',
    'blk_execute_rq_nowait',
    'blk_mq_run_hw_queue',
    'blk_mq_run_hw_queues',
  ]),

  ...layer(BOTH, ALLOCATOR, 'mm/page_alloc.c', [
    '__alloc_pages',
    '__alloc_pages_noprof',
    '__folio_alloc',
    '__folio_alloc_noprof',
    '__alloc_pages_bulk',
    'alloc_pages_bulk_noprof',
    'alloc_pages_exact',
    'alloc_pages_exact_noprof',
    '__get_free_pages',
    'get_free_pages_noprof',
    'get_zeroed_page',
    'get_zeroed_page_noprof',
  ]),
  ...layer(BOTH, ALLOCATOR, 'mm/mempolicy.c', [
    'alloc_pages',
    'alloc_pages_noprof',
    'folio_alloc',
    'folio_alloc_noprof',
    'vma_alloc_folio',
    'vma_alloc_folio_noprof',
  ]),
  ...layer(BOTH, ALLOCATOR, 'mm/slub.c', [
    'kmem_cache_alloc',
    'kmem_cache_alloc_noprof',
    'kmem_cache_alloc_lru',
    'kmem_cache_alloc_lru_noprof',
    'kmem_cache_alloc_node',
    'kmem_cache_alloc_node_noprof',
    'kmem_cache_alloc_bulk',
    'kmem_cache_alloc_bulk_noprof',
  ]),
  ...layer(BOTH, ALLOCATOR, 'include/linux/slab.h', [
    'kmalloc',
    'kmalloc_noprof',
    'kmalloc_node',
    'kmalloc_node_noprof',
    '__kmalloc',
    '__kmalloc_noprof',
    '__kmalloc_node',
    '__kmalloc_node_noprof',
    '__kmalloc_cache_noprof',
    'kmalloc_trace',
    'kmalloc_large',
    '__kmalloc_large_noprof',
    'krealloc',
    'krealloc_noprof',
    'kvmalloc_node',
    '__kvmalloc_node_noprof',
    'kvrealloc',
    'kvrealloc_noprof',
  ]),
  ...layer(BOTH, ALLOCATOR, 'mm/vmalloc.c', [
    'vmalloc',
    'vmalloc_noprof',
    'vzalloc',
    'vzalloc_noprof',
    'vmalloc_user',
    'vmalloc_user_noprof',
    '__vmalloc',
    '__vmalloc_noprof',
    '__vmalloc_node',
    '__vmalloc_node_noprof',
    '__vmalloc_node_range',
    '__vmalloc_node_range_noprof',
    'vm_map_ram',
    'vmap',
  ]),
  ...layer(BOTH, ALLOCATOR, 'mm/percpu.c', ['pcpu_alloc', 'pcpu_alloc_noprof', 'free_percpu']),
  ...layer(BOTH, ALLOCATOR, 'mm/mempool.c', ['mempool_alloc', 'mempool_alloc_noprof']),
  ...layer(BOTH, ALLOCATOR, 'mm/memcontrol.c', ['__mem_cgroup_charge', 'obj_cgroup_charge']),
  ...layer(BOTH, ALLOCATOR, 'mm/vmscan.c', ['try_to_free_pages', 'try_to_free_mem_cgroup_pages']),
  ...layer(BOTH, ALLOCATOR, 'mm/compaction.c', ['try_to_compact_pages']),
  ...layer(BOTH, ALLOCATOR, 'mm/oom_kill.c', ['out_of_memory']),
  ...layer(BOTH, ALLOCATOR, 'mm/slab_common.c', ['kmem_cache_create', 'kmem_cache_destroy']),

  ...layer(BOTH, FREEING, 'include/linux/slab.h', [
    'kfree',
    'kfree_sensitive',
    'kvfree',
    'kmem_cache_free',
    'kmem_cache_free_bulk',
  ]),
  ...layer(BOTH, FREEING, 'include/linux/string.h', ['kfree_const']),
  ...layer(BOTH, FREEING, 'include/linux/vmalloc.h', ['vfree', 'vfree_atomic', 'vunmap', 'vm_unmap_ram']),
  ...layer(BOTH, FREEING, 'include/linux/gfp.h', ['__free_pages', 'free_pages', 'free_pages_exact']),
  ...layer(BOTH, FREEING, 'mm/swap.c', [
    '__folio_put',
    'release_pages',
    'folios_put_refs',
    '__folio_batch_release',
    '__pagevec_release',
  ]),
  ...layer(BOTH, FREEING, 'mm/hugetlb.c', ['free_huge_folio', 'free_huge_page']),
  ...layer(BOTH, USER_PAGES, 'mm/memory.c', ['handle_mm_fault']),
  ...layer(BOTH, USER_PAGES, 'mm/pagewalk.c', ['walk_page_range', 'walk_page_range_novma']),
  // super_cache_scan() and prune_icache_sb() run under s_umount of a superblock that has SB_ACTIVE set.
  ...layer(NOFS, UNMOUNT, 'fs/super.c', [
    'deactivate_super',
    'deactivate_locked_super',
    'generic_shutdown_super',
  ]),
  ...layer(NOFS, UNMOUNT, 'fs/namespace.c', ['mntput', 'kern_unmount']),

  ...layer(BOTH, FREEING, 'include/linux/mempool.h', ['mempool_free']),

  ...layer(BOTH, REPORTING, 'include/linux/printk.h', ['_printk', 'vprintk', 'vprintk_emit', 'dump_stack']),
  ...layer(BOTH, REPORTING, 'include/linux/console.h', ['console_lock', 'console_trylock', 'console_unlock']),
  ...layer(BOTH, REPORTING, 'kernel/panic.c', ['panic', '__warn', 'warn_slowpath_fmt', 'add_taint']),

  ...layer(BOTH, SCHEDULER, 'include/linux/sched.h', [
    'schedule',
    'schedule_timeout',
    'schedule_timeout_uninterruptible',
    'schedule_timeout_interruptible',
    'schedule_timeout_killable',
    'io_schedule',
    'io_schedule_timeout',
    'cond_resched',
    '__cond_resched',
    'yield',
    'wake_up_process',
  ]),
  ...layer(BOTH, SCHEDULER, 'include/linux/delay.h', ['msleep', 'usleep_range', 'ssleep']),

  ...layer(BOTH, EVENTS, 'fs/notify/fsnotify.c', ['fsnotify']),

  ...layer(BOTH, DEFERRED, 'include/linux/workqueue.h', [
    'queue_work',
    'queue_work_on',
    'queue_delayed_work',
    'queue_delayed_work_on',
    'mod_delayed_work',
    'mod_delayed_work_on',
    'schedule_work',
    'schedule_delayed_work',
    'queue_rcu_work',
  ]),
  ...layer(BOTH, DEFERRED, 'include/linux/rcupdate.h', ['call_rcu', 'kfree_rcu']),
  // A worker or task work, since fput() in the last reference may do anything.
  ...layer(BOTH, DEFERRED, 'include/linux/file.h', ['fput']),
  ...layer(BOTH, DEFERRED, 'include/linux/sched/mm.h', ['mmput_async']),

  ...layer(BOTH, MMAP, 'include/linux/mmap_lock.h', [
    'mmap_read_lock',
    'mmap_read_lock_killable',
    'mmap_write_lock',
    'mmap_write_lock_killable',
  ]),
];

/**
 * Whoever calls one of these makes something new for a system call. A chain that seems to come there from reclaim has
 * missed the argument or member that keeps reclaim away.
 */
export const CREATORS: readonly Layer[] = layer(NOFS, CREATION, 'fs/inode.c', ['new_inode']);

/** Code shared by filesystems that does something only for one that has given it such a table. */
export const OPTIONAL_LIBRARIES: readonly { group: string; table: string; source: string }[] = [
  // fscrypt_setup_encryption_info() and the like are for an inode with S_ENCRYPTED, which takes super_block.s_cop.
  { group: 'fs/crypto', table: 'fscrypt_operations', source: 'include/linux/fscrypt.h' },
  { group: 'fs/verity', table: 'fsverity_operations', source: 'include/linux/fsverity.h' },
];

/**
 * Tables of what keeps a cache of other filesystems' files in files of a filesystem of its own. That one is none that uses
 * such a cache: cachefiles_add_cache() wants `->tmpfile` of it (fs/cachefiles/cache.c), which no filesystem has that calls fscache or netfs.
 */
export const ON_ANOTHER_FILESYSTEM = /^(?:fscache_cache_ops|netfs_cache_ops)\./;

/** Functions that mount the filesystem whose type is argument 0: code that names one there mounts its own, for itself. */
export const MOUNTS: readonly { name: string; source: string }[] = [
  { name: 'kern_mount', source: 'include/linux/mount.h' },
  { name: 'vfs_kern_mount', source: 'include/linux/mount.h' },
  { name: 'simple_pin_fs', source: 'include/linux/fs.h' },
];

/** Members through which the VFS has a filesystem make or take down a superblock of its own. */
export const MOUNT_MEMBERS: readonly { member: string; source: string }[] = [
  { member: 'fs_context_operations.get_tree', source: 'include/linux/fs_context.h' },
  { member: 'file_system_type.mount', source: 'include/linux/fs.h' },
  { member: 'file_system_type.kill_sb', source: 'include/linux/fs.h' },
];

/** Functions that are handed what fills a new superblock. */
export const FILLED_BY: readonly { name: string; source: string }[] = [
  { name: 'get_tree_bdev', source: 'include/linux/fs_context.h' },
  { name: 'get_tree_nodev', source: 'include/linux/fs_context.h' },
  { name: 'get_tree_single', source: 'include/linux/fs_context.h' },
  { name: 'get_tree_keyed', source: 'include/linux/fs_context.h' },
  { name: 'get_tree_mtd', source: 'include/linux/mtd/super.h' },
  { name: 'mount_bdev', source: 'include/linux/fs.h' },
  { name: 'mount_nodev', source: 'include/linux/fs.h' },
  { name: 'mount_single', source: 'include/linux/fs.h' },
];

/** Functions that begin a mount in a place of the caller's filesystem, of the same type: an automount of a subvolume, a referral. */
export const SUBMOUNTS: readonly { name: string; source: string }[] = [
  { name: 'fs_context_for_submount', source: 'include/linux/fs_context.h' },
];

/** Tables through which the VFS calls the filesystem that a file, inode or superblock is of (include/linux/fs.h). */
export const VFS_TABLES =
  /^(?:(?:file|inode|super|address_space|dentry|dquot|export|fscrypt|fsverity)_operations|xattr_handler|quotactl_ops|quota_format_ops)\./;

/** Locks of the VFS that have a class for each type of filesystem: the keys in `struct file_system_type` (include/linux/fs.h). */
export const OF_A_FILESYSTEM_TYPE =
  /^(?:inode\.i_rwsem|address_space\.invalidate_lock|super_block\.(?:s_umount|s_vfs_rename_mutex)|sb_writers\.rw_sem\b)/;

/** Names of the functions through which a task hands a bio to the block layer, or has it go on with those it has. */
export const BLOCK_LAYER: ReadonlySet<string> = new Set(
  LAYERS.filter((l) => l.why === BLOCK).map((l) => l.name),
);

/** Those of the allocator that call what they were given to make or free objects. */
const CALLS_BACK = /^mempool_|^kmem_cache_(?:create|destroy)$/;

/**
 * Names of the functions that come to no code of a filesystem or driver on behalf of their caller. Direct reclaim runs in a scope of its own
 * (`memalloc_noreclaim_save()`, mm/page_alloc.c); who frees memory calls nobody back; what a task has plugged is handed to a
 * worker when it sleeps (`blk_flush_plug(tsk->plug, true)`, kernel/sched/core.c). Who is told before memory runs out
 * (`register_oom_notifier()`) is no filesystem.
 */
export const LEAVES: ReadonlySet<string> = new Set(
  LAYERS.filter(
    ({ why, name }) => (why === ALLOCATOR || why === FREEING || why === SCHEDULER) && !CALLS_BACK.test(name),
  ).map((l) => l.name),
);

/** Names of the functions that free what they are given. */
export const FREES: ReadonlySet<string> = new Set(LAYERS.filter((l) => l.why === FREEING).map((l) => l.name));

/** Functions that write over what their first argument points to. */
export const OVERWRITES: readonly { readonly name: string; readonly source: string }[] = [
  { name: 'memset', source: 'include/linux/string.h' },
  { name: 'memset_after', source: 'include/linux/string.h' },
  { name: 'memcpy', source: 'include/linux/string.h' },
  { name: 'memmove', source: 'include/linux/string.h' },
  { name: 'memzero_explicit', source: 'include/linux/string.h' },
  { name: 'copy_from_user', source: 'include/linux/uaccess.h' },
];

export const LAYER_BY_NAME: ReadonlyMap<string, Layer> = new Map(LAYERS.map((l) => [l.name, l]));
