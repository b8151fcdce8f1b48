import type { Api, ReclaimEntry } from './types.js';

/**
 * What direct reclaim calls through operation tables. Not here, though they look alike:
 * `launder_folio` (only `invalidate_inode_pages2`, mm/truncate.c, calls it, on its caller's behalf),
 * `error_remove_folio` (mm/memory-failure.c), `dirty_folio` (from rmap under a spinlock: may not sleep),
 * and the mmu notifiers (called whatever the mask says: no scope keeps them out).
 *
 * A table entry that only some versions have (`md_personality.bitmap_sector`) stands for those.
 */
type Row = readonly [
  table: string,
  field: string,
  source: string,
  context: string,
  more?: Pick<ReclaimEntry, 'since' | 'until' | 'beside' | 'replacedBy'>,
];

function rows(api: Api, list: readonly Row[]): ReclaimEntry[] {
  return list.map(([table, field, source, context, more]) => ({
    table,
    field,
    api,
    source,
    context,
    ...more,
    // Only an inode that is not cached is written by iput_final().
    rare: context.endsWith('last iput'),
  }));
}

const NOFS: readonly Row[] = [
  // 6.12 moved do_shrink_slab() from mm/vmscan.c; mm/shrinker_debug.c calls both in either version.
  ['shrinker', 'count_objects', 'mm/shrinker_debug.c', 'counting cached objects'],
  ['shrinker', 'scan_objects', 'mm/shrinker_debug.c', 'shrinking a cache'],

  ['super_operations', 'nr_cached_objects', 'fs/super.c', "counting a superblock's cached objects"],
  ['super_operations', 'free_cached_objects', 'fs/super.c', "freeing a superblock's cached objects"],
  ['super_operations', 'evict_inode', 'fs/inode.c', 'evicting an inode'],
  ['super_operations', 'drop_inode', 'fs/inode.c', 'dropping the last reference to an inode'],
  ['super_operations', 'destroy_inode', 'fs/inode.c', 'destroying an evicted inode'],
  ['super_operations', 'free_inode', 'fs/inode.c', 'freeing an evicted inode'],
  // iput() of an inode with a lazy timestamp, and write_inode_now() in iput_final() for one that is not cached.
  ['super_operations', 'dirty_inode', 'fs/fs-writeback.c', 'dirtying an inode on its last iput'],
  ['super_operations', 'write_inode', 'fs/fs-writeback.c', 'writing an inode on its last iput'],

  ['dentry_operations', 'd_prune', 'fs/dcache.c', 'pruning a dentry'],
  ['dentry_operations', 'd_iput', 'fs/dcache.c', "dropping a pruned dentry's inode"],
  ['dentry_operations', 'd_release', 'fs/dcache.c', 'releasing a pruned dentry'],
  ['dentry_operations', 'd_delete', 'fs/dcache.c', "dropping a pruned dentry's parent"],

  ['address_space_operations', 'writepage', 'mm/vmscan.c', 'writing a dirty page out'],
  [
    'address_space_operations',
    'writepages',
    'mm/page-writeback.c',
    "writing an inode's pages on its last iput",
  ],
  ['address_space_operations', 'release_folio', 'mm/filemap.c', 'releasing a clean page'],
  ['address_space_operations', 'invalidate_folio', 'mm/truncate.c', 'truncating an evicted inode'],
  ['address_space_operations', 'free_folio', 'mm/vmscan.c', 'freeing a page'],
  ['address_space_operations', 'migrate_folio', 'mm/migrate.c', 'migrating a page for compaction'],
  ['address_space_operations', 'is_dirty_writeback', 'mm/vmscan.c', 'looking at a page on the LRU list'],
  // A swap file on a filesystem: mm/vmscan.c may_enter_fs() lets it only with __GFP_FS.
  ['address_space_operations', 'swap_rw', 'mm/page_io.c', 'swapping out to a file'],

  // Before there were folios. Read from 4.19.
  ['address_space_operations', 'releasepage', 'mm/filemap.c', 'releasing a clean page', { until: '5.19' }],
  [
    'address_space_operations',
    'invalidatepage',
    'mm/truncate.c',
    'truncating an evicted inode',
    { until: '5.18' },
  ],
  ['address_space_operations', 'freepage', 'mm/vmscan.c', 'freeing a page', { until: '5.19' }],
  [
    'address_space_operations',
    'migratepage',
    'mm/migrate.c',
    'migrating a page for compaction',
    { until: '6.0' },
  ],
  // Only a filesystem that handles its swap files itself, as one with swap_rw does today.
  [
    'address_space_operations',
    'direct_IO',
    'mm/page_io.c',
    'swapping out to a file',
    { until: '6.0', beside: 'swap_activate', replacedBy: 'swap_rw' },
  ],
  [
    'super_operations',
    'bdev_try_to_free_page',
    'fs/block_dev.c',
    "releasing a clean page of a filesystem's device",
    { until: '5.14' },
  ],
];

const NOIO: readonly Row[] = [
  ['block_device_operations', 'submit_bio', 'block/blk-core.c', 'submitting a bio'],
  ['blk_mq_ops', 'queue_rq', 'block/blk-mq.c', 'queueing a request'],
  ['blk_mq_ops', 'queue_rqs', 'block/blk-mq.c', 'queueing requests'],
  ['blk_mq_ops', 'commit_rqs', 'block/blk-mq.c', 'queueing requests'],
  ['blk_mq_ops', 'get_budget', 'block/blk-mq.h', 'dispatching a request'],
  ['blk_mq_ops', 'put_budget', 'block/blk-mq.h', 'dispatching a request'],
  ['blk_mq_ops', 'complete', 'block/blk-mq.c', 'completing a request'],
  ['blk_mq_ops', 'timeout', 'block/blk-mq.c', 'timing a request out'],
  ['request', 'end_io', 'block/blk-mq.c', 'completing a request'],
  ['bio', 'bi_end_io', 'block/bio.c', 'completing a bio'],
  ['elevator_mq_ops', 'bio_merge', 'block/blk-mq-sched.c', 'merging a bio'],
  ['elevator_mq_ops', 'limit_depth', 'block/blk-mq.c', 'allocating a request'],
  ['elevator_mq_ops', 'prepare_request', 'block/blk-mq.c', 'allocating a request'],
  ['elevator_mq_ops', 'insert_requests', 'block/blk-mq.c', 'queueing a request'],
  ['elevator_mq_ops', 'dispatch_request', 'block/blk-mq-sched.c', 'dispatching a request'],
  ['elevator_mq_ops', 'finish_request', 'block/blk-mq.c', 'completing a request'],
  ['rq_qos_ops', 'throttle', 'block/blk-rq-qos.c', 'throttling a bio'],
  ['rq_qos_ops', 'track', 'block/blk-rq-qos.c', 'queueing a request'],
  ['rq_qos_ops', 'issue', 'block/blk-rq-qos.c', 'queueing a request'],
  ['rq_qos_ops', 'done', 'block/blk-rq-qos.c', 'completing a request'],
  ['rq_qos_ops', 'done_bio', 'block/blk-rq-qos.c', 'completing a bio'],

  ['target_type', 'map', 'drivers/md/dm.c', 'mapping a bio'],
  ['target_type', 'end_io', 'drivers/md/dm.c', 'completing a mapped bio'],
  ['target_type', 'clone_and_map_rq', 'drivers/md/dm-rq.c', 'mapping a request'],
  ['target_type', 'release_clone_rq', 'drivers/md/dm-rq.c', 'completing a mapped request'],
  ['target_type', 'rq_end_io', 'drivers/md/dm-rq.c', 'completing a mapped request'],
  ['target_type', 'busy', 'drivers/md/dm-rq.c', 'mapping a request'],
  ['md_personality', 'make_request', 'drivers/md/md.c', 'submitting a bio to an array'],
  ['md_personality', 'error_handler', 'drivers/md/md.c', 'failing a member of an array'],
  ['md_personality', 'bitmap_sector', 'drivers/md/md.c', 'submitting a bio to an array'],
  ['bitmap_operations', 'startwrite', 'drivers/md/md.c', 'submitting a bio to an array'],
  ['bitmap_operations', 'endwrite', 'drivers/md/md.c', 'completing a bio of an array'],
  ['bitmap_operations', 'start_write', 'drivers/md/md.c', 'submitting a bio to an array', { since: '6.19' }],
  ['bitmap_operations', 'end_write', 'drivers/md/md.c', 'completing a bio of an array', { since: '6.19' }],
  [
    'bitmap_operations',
    'start_discard',
    'drivers/md/md.c',
    'submitting a bio to an array',
    { since: '6.19' },
  ],
  ['bitmap_operations', 'end_discard', 'drivers/md/md.c', 'completing a bio of an array', { since: '6.19' }],

  ['scsi_host_template', 'queuecommand', 'drivers/scsi/scsi_lib.c', 'queueing a SCSI command'],
  // The error handler runs in a kthread, but every bio to the host waits until it is through.
  ['scsi_host_template', 'eh_abort_handler', 'drivers/scsi/scsi_error.c', 'recovering a SCSI host'],
  ['scsi_host_template', 'eh_device_reset_handler', 'drivers/scsi/scsi_error.c', 'recovering a SCSI host'],
  ['scsi_host_template', 'eh_target_reset_handler', 'drivers/scsi/scsi_error.c', 'recovering a SCSI host'],
  ['scsi_host_template', 'eh_bus_reset_handler', 'drivers/scsi/scsi_error.c', 'recovering a SCSI host'],
  ['scsi_host_template', 'eh_host_reset_handler', 'drivers/scsi/scsi_error.c', 'recovering a SCSI host'],
  ['usb_driver', 'pre_reset', 'drivers/usb/core/hub.c', 'resetting a USB device'],
  ['usb_driver', 'post_reset', 'drivers/usb/core/hub.c', 'resetting a USB device'],
  // rpm_callback() opens a NOIO scope itself for a device with memalloc_noio set.
  ['dev_pm_ops', 'runtime_suspend', 'drivers/base/power/runtime.c', 'suspending an idle device'],
  ['dev_pm_ops', 'runtime_resume', 'drivers/base/power/runtime.c', 'resuming a device for a bio'],

  // mm/compaction.c isolates such pages whether or not __GFP_FS is set; without __GFP_IO it does not run.
  ['movable_operations', 'isolate_page', 'mm/migrate.c', 'isolating a page for compaction'],
  ['movable_operations', 'migrate_page', 'mm/migrate.c', 'migrating a page for compaction'],
  ['movable_operations', 'putback_page', 'mm/migrate.c', 'migrating a page for compaction'],

  // Read from 4.19.
  [
    'address_space_operations',
    'isolate_page',
    'mm/migrate.c',
    'isolating a page for compaction',
    { until: '6.0' },
  ],
  [
    'address_space_operations',
    'migratepage',
    'mm/migrate.c',
    'migrating a page for compaction',
    { until: '6.0', beside: 'isolate_page' },
  ],
  [
    'address_space_operations',
    'putback_page',
    'mm/migrate.c',
    'migrating a page for compaction',
    { until: '6.0' },
  ],
  ['request_queue', 'make_request_fn', 'block/blk-core.c', 'submitting a bio', { until: '5.9' }],
  ['request_queue', 'request_fn', 'block/blk-core.c', 'queueing a request', { until: '5.0' }],
  ['request_queue', 'prep_rq_fn', 'block/blk-core.c', 'queueing a request', { until: '5.0' }],
  ['request_queue', 'softirq_done_fn', 'block/blk-softirq.c', 'completing a request', { until: '5.0' }],
  ['request_queue', 'rq_timed_out_fn', 'block/blk-timeout.c', 'timing a request out', { until: '5.0' }],
];

export const RECLAIM_ENTRIES: readonly ReclaimEntry[] = [...rows('nofs', NOFS), ...rows('noio', NOIO)];

/** Keyed `table.field`. */
export const RECLAIM_ENTRY_BY_FIELD: ReadonlyMap<string, ReclaimEntry> = new Map(
  RECLAIM_ENTRIES.map((entry) => [`${entry.table}.${entry.field}`, entry]),
);

/** Tables that are filled by assignment to an object that a function returns, not by an initialiser. */
export interface AssignedTable {
  readonly table: string;
  readonly fields: readonly string[];
  /** Function whose result is the object. */
  readonly allocatedBy: string;
  /** Function that makes it live; argument 0 is the object. */
  readonly registeredBy: string;
  readonly source: string;
}

export const ASSIGNED_TABLES: readonly AssignedTable[] = [
  {
    table: 'shrinker',
    fields: ['count_objects', 'scan_objects'],
    allocatedBy: 'shrinker_alloc',
    registeredBy: 'shrinker_register',
    source: 'mm/shrinker.c',
  },
];

/**
 * What makes a filesystem whose inodes and dentries are on no LRU list, so that no shrinker gets at them: `init_pseudo()`
 * (fs/libfs.c) for one that nobody can mount, with dentries that are in no hash (`retain_dentry()`, fs/dcache.c), and inodes that
 * are in none (`iput_final()`, `generic_drop_inode()`, fs/inode.c). Whoever calls one of `hashes` has others, as the
 * block devices do (block/bdev.c).
 */
export const PSEUDO_FILESYSTEM = {
  makes: 'init_pseudo',
  hashes:
    /^(?:__)?(?:insert_inode_(?:hash|locked4?)|inode_insert5|iget\w*_locked\w*|d_add\w*|d_hash_and_lookup|d_rehash|d_splice_alias)$/,
  tables: /^(?:super|dentry)_operations\./,
} as const;
