import type { Api, SuccessWhen } from './types.js';

/**
 * What a task holds that is no lock: as long as it lasts, IO to a device waits. Allocations of the task that start IO could wait for
 * what only the task itself can end.
 */
export interface PseudoLock {
  /** For texts; with a blank, so that reclaim is said to wait for it. */
  readonly name: string;
  readonly api: Api;
  /** Functions that begin it; one that returns nothing always does. */
  readonly takes: readonly (readonly [name: string, success: SuccessWhen])[];
  /** Functions that end it. */
  readonly drops: readonly string[];
  /** Functions after which IO fails at once, where it was begun before. */
  readonly voids?: readonly string[];
  /** Functions in which IO comes to wait, or is put off. */
  readonly blocks: readonly string[];
  /** What reclaim does when it comes there. */
  readonly context: string;
  /** Kernel files that the functions are in. */
  readonly sources: readonly string[];
}

export const PSEUDO_LOCKS: readonly PseudoLock[] = [
  {
    name: 'a frozen queue',
    api: 'noio',
    // From 6.14 on blk_mq_freeze_queue() opens a NOIO scope itself, and the others do not.
    takes: [
      ['blk_mq_freeze_queue', 'void'],
      ['blk_mq_freeze_queue_nomemsave', 'void'],
      ['blk_freeze_queue', 'void'],
      ['blk_freeze_queue_start', 'void'],
    ],
    drops: ['blk_mq_unfreeze_queue', 'blk_mq_unfreeze_queue_nomemrestore'],
    voids: ['blk_mark_disk_dead', 'del_gendisk'],
    blocks: ['__bio_queue_enter', 'bio_queue_enter', 'blk_queue_enter'],
    context: 'submitting a bio',
    sources: ['block/blk-mq.c', 'block/blk-core.c', 'block/blk.h', 'block/genhd.c'],
  },
  {
    name: 'a suspended array',
    api: 'noio',
    takes: [['mddev_suspend', 'zero']],
    drops: ['mddev_resume'],
    blocks: ['md_handle_request'],
    context: 'submitting a bio to an array',
    sources: ['drivers/md/md.c'],
  },
  {
    name: 'a suspended mapped device',
    api: 'noio',
    takes: [
      ['dm_suspend', 'zero'],
      ['dm_internal_suspend_noflush', 'void'],
      ['dm_internal_suspend_fast', 'void'],
    ],
    drops: ['dm_resume', 'dm_internal_resume', 'dm_internal_resume_fast'],
    blocks: ['dm_submit_bio', 'dm_make_request'],
    context: 'submitting a bio to a mapped device',
    sources: ['drivers/md/dm.c'],
  },
  {
    name: 'a quiesced SCSI device',
    api: 'noio',
    takes: [['scsi_device_quiesce', 'zero']],
    drops: ['scsi_device_resume'],
    blocks: ['scsi_queue_rq', 'scsi_request_fn'],
    context: 'queueing a request to it',
    sources: ['drivers/scsi/scsi_lib.c'],
  },
];

/** What a call does to a pseudo-lock. */
export interface PseudoAct {
  readonly lock: string;
  readonly act: 'acquire' | 'release';
  /** `maybe`: ends what was begun in the same function, and nothing of the caller's. */
  readonly success: SuccessWhen | 'maybe';
}

export const PSEUDO_BY_CALL: ReadonlyMap<string, PseudoAct> = new Map(
  PSEUDO_LOCKS.flatMap(({ name: lock, takes, drops, voids = [] }): [string, PseudoAct][] => [
    ...takes.map(([name, success]): [string, PseudoAct] => [name, { lock, act: 'acquire', success }]),
    ...drops.map((name): [string, PseudoAct] => [name, { lock, act: 'release', success: 'void' }]),
    ...voids.map((name): [string, PseudoAct] => [name, { lock, act: 'release', success: 'maybe' }]),
  ]),
);
