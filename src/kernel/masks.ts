import type { Api, FlagCall, Versioned } from './types.js';

/**
 * What makes a site, what makes a scope, and what a site turns into once a scope makes its mask equal.
 * Read from include/linux/gfp_types.h (6.1 and later; include/linux/gfp.h before), include/linux/sched/mm.h
 * and include/linux/pagemap.h.
 */
export interface Mask extends Versioned {
  readonly name: string;
  readonly api: Api;
  /**
   * `mask`: a complete mask. `bit`: a site where it is cleared (`~__GFP_FS`), nothing where it is set.
   * `flag`: an option that makes the callee clear the bit.
   */
  readonly form: 'mask' | 'bit' | 'flag';
  readonly source: string;
}

export const MASKS: readonly Mask[] = [
  { name: 'GFP_NOFS', api: 'nofs', form: 'mask', source: 'include/linux/gfp_types.h' },
  { name: 'GFP_NOIO', api: 'noio', form: 'mask', source: 'include/linux/gfp_types.h' },
  { name: '__GFP_FS', api: 'nofs', form: 'bit', source: 'include/linux/gfp_types.h' },
  { name: '__GFP_IO', api: 'noio', form: 'bit', source: 'include/linux/gfp_types.h' },
  { name: 'FGP_NOFS', api: 'nofs', form: 'flag', source: 'include/linux/pagemap.h' },
  { name: 'AOP_FLAG_NOFS', api: 'nofs', form: 'flag', source: 'include/linux/fs.h', until: '5.19' },
];

export const MASK_BY_NAME: ReadonlyMap<string, Mask> = new Map(MASKS.map((mask) => [mask.name, mask]));

/** Functions that combine a mapping's mask with a constraint: `argument` is the mask that is cleared. */
export const MASK_CONSTRAINTS: readonly {
  readonly name: string;
  readonly arg: number;
  /** What the call is without the constraint; argument 0 stays. */
  readonly unconstrained: string;
  readonly source: string;
}[] = [
  {
    name: 'mapping_gfp_constraint',
    arg: 1,
    unconstrained: 'mapping_gfp_mask',
    source: 'include/linux/pagemap.h',
  },
];

/** What a scope of the `scope` kind makes equal. The same rewriting holds in `x | Y` for each operand. */
export interface MaskDowngrade {
  readonly from: string;
  readonly to: string;
  /** Scopes under which both give the same mask: a NOIO scope clears `__GFP_FS` too (current_gfp_context). */
  readonly under: readonly Api[];
}

export const DOWNGRADES: readonly MaskDowngrade[] = [
  { from: 'GFP_NOFS', to: 'GFP_KERNEL', under: ['nofs', 'noio'] },
  { from: 'GFP_NOIO', to: 'GFP_KERNEL', under: ['noio'] },
];

/** A call pair that opens and closes a scope. `save` returns what `restore` takes as its only argument. */
export interface ScopeApi {
  readonly save: string;
  readonly restore: string;
  /** The questions that the scope answers; `noreclaim` means no direct reclaim at all, which answers both. */
  readonly covers: readonly Api[];
  readonly source: string;
}

export const SCOPE_APIS: readonly ScopeApi[] = [
  {
    save: 'memalloc_nofs_save',
    restore: 'memalloc_nofs_restore',
    covers: ['nofs'],
    source: 'include/linux/sched/mm.h',
  },
  {
    save: 'memalloc_noio_save',
    restore: 'memalloc_noio_restore',
    covers: ['nofs', 'noio'],
    source: 'include/linux/sched/mm.h',
  },
  {
    save: 'memalloc_noreclaim_save',
    restore: 'memalloc_noreclaim_restore',
    covers: ['nofs', 'noio'],
    source: 'include/linux/sched/mm.h',
  },
];

/** Task flags behind the scopes, for code that sets them by hand, and the call that would set them. */
export const SCOPE_BY_TASK_FLAG: ReadonlyMap<string, string> = new Map([
  ['PF_MEMALLOC_NOFS', 'memalloc_nofs_save'],
  ['PF_MEMALLOC_NOIO', 'memalloc_noio_save'],
  ['PF_MEMALLOC', 'memalloc_noreclaim_save'],
]);

/** Calls that set task flags by hand, which `flagsArg` says. */
export const FLAG_SETTERS: readonly FlagCall[] = [
  // 6.9 and later.
  { name: 'memalloc_flags_save', flagsArg: 0, source: 'include/linux/sched/mm.h' },
  // Transactions of xfs up to 5.11.
  { name: 'current_set_flags_nested', flagsArg: 1, source: 'fs/xfs/xfs_linux.h' },
];

/** Calls that set them back: those which `flagsArg` says, set by another function maybe, else what the function itself has set. */
export const FLAG_RESTORERS: readonly FlagCall[] = [
  { name: 'memalloc_flags_restore', source: 'include/linux/sched/mm.h' },
  { name: 'current_restore_flags', source: 'include/linux/sched.h' },
  { name: 'current_restore_flags_nested', flagsArg: 1, source: 'fs/xfs/xfs_linux.h' },
];

export const FLAG_SETTER_BY_NAME: ReadonlyMap<string, FlagCall> = new Map(
  FLAG_SETTERS.map((call) => [call.name, call]),
);
export const FLAG_RESTORER_BY_NAME: ReadonlyMap<string, FlagCall> = new Map(
  FLAG_RESTORERS.map((call) => [call.name, call]),
);

/** What a new scope of each kind is written with. */
export const SCOPE_CALLS: Readonly<Record<Api, { save: string; restore: string; header: string }>> = {
  nofs: { save: 'memalloc_nofs_save', restore: 'memalloc_nofs_restore', header: 'linux/sched/mm.h' },
  noio: { save: 'memalloc_noio_save', restore: 'memalloc_noio_restore', header: 'linux/sched/mm.h' },
};
