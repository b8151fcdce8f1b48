import type { EdgeKind } from '../index/link.js';
import type { Api } from '../kernel/types.js';
import type { TextEdit } from '../parse/facts.js';
import type { Skipped } from '../tree/files.js';
import type { KernelTree } from '../tree/kernel-tree.js';

/**
 * What the analysis hands to the outputs: every site with its verdict, every scope that exists or is
 * proposed, every reclaim lock with its chain. Plain values, no reference to the index.
 * Lines and columns are 1-based; `start`/`end` are 0-based byte offsets, end exclusive.
 */
export type Verdict = 'covered' | 'scopable' | 'lock-free' | 'partial' | 'task' | 'opaque';

export const VERDICTS: readonly Verdict[] = ['covered', 'scopable', 'lock-free', 'partial', 'task', 'opaque'];

/** One step of a chain: `function` at `file:line` (the line of the call to the next step, or of the acquire). */
export interface Step {
  readonly function: string;
  readonly file: string;
  readonly line: number;
  /** How the next step was found; absent on the last. */
  readonly edge?: EdgeKind;
}

/** One path to a site, outermost function first, and how it ends. */
export interface SitePath {
  readonly steps: readonly Step[];
  /**
   * `existing`/`proposed`: inside that scope. `lock-free`: no reclaim lock held and no scope.
   * `lock-held`: a reclaim lock is held and no scope can be placed. `unknown`: callers are not known.
   */
  readonly outcome: 'existing' | 'proposed' | 'lock-free' | 'lock-held' | 'unknown';
  /** Scope id for `existing` and `proposed`. */
  readonly scope?: string;
  /** Lock classes held on the way. */
  readonly locks: readonly string[];
}

/** A site has so many of its paths in the report at most; the first are the shortest. */
export const MAX_PATHS = 24;

export interface Site {
  /** Stable name of the site: `file:line:column`. */
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly start: number;
  readonly end: number;
  /** How it is written in a scope of its kind, or `null` where its mask has to stay. */
  readonly edit: TextEdit | null;
  /** `null` outside functions. */
  readonly function: string | null;
  /** Text of the mask: `GFP_NOFS`, `GFP_NOIO`, `~__GFP_FS`, … */
  readonly flag: string;
  readonly api: Api;
  /** The call that the mask is an argument of, or `null`. */
  readonly call: string | null;
  readonly verdict: Verdict;
  readonly reason: string;
  /** Ids of the scopes that cover it. */
  readonly scopes: readonly string[];
  /** Why the mask is kept although the verdict would have it dropped; '' where nothing speaks against it. */
  readonly kept: string;
  /** Of a `lock-free` site: the fields that reclaim waits for and of which the user says that nobody holds them up. */
  readonly given?: readonly string[];
  readonly paths: readonly SitePath[];
}

export interface Scope {
  /** `file:function:lock` (with `#n` where a function has several), or `file:line` for an existing one. */
  readonly id: string;
  readonly file: string;
  readonly function: string;
  readonly line: number;
  readonly api: Api;
  /** Lock class, e.g. `quota_info.dqio_sem`; for an existing scope the class around which it stands, or ''. */
  readonly lock: string;
  readonly kind: 'lock' | 'transaction' | 'task' | 'vmalloc';
  readonly state: 'existing' | 'proposed';
  /** Reclaim chain to the acquire of that lock class, reclaim entry first. Empty for an existing scope. */
  readonly reclaim: readonly Step[];
  /** For an existing scope the calls that open it: from that in `function` to the save. Empty for a proposed one. */
  readonly opens: readonly Step[];
}

export interface ReclaimLock {
  readonly lock: string;
  readonly api: Api;
  /** Which reclaim entry starts the chain: `super_operations.evict_inode`. */
  readonly entry: string;
  /** A short phrase: `evicting an inode`. */
  readonly context: string;
  readonly chain: readonly Step[];
  /** Why the class was chosen or not, `''` where it was no candidate. */
  readonly choice: string;
  /** Every region of the class in the tree, and why one is not edited. */
  readonly regions: readonly Region[];
}

export interface Region {
  readonly file: string;
  readonly function: string;
  readonly line: number;
  /** `proposed`, `existing` (already in a scope), `no-alloc` (nothing below allocates), `refused`, `not-chosen`. */
  readonly state: 'proposed' | 'existing' | 'no-alloc' | 'refused' | 'not-chosen';
  readonly reason: string;
}

/** What `check` found at one place. */
export interface Finding {
  /** Name of the rule: `return-in-scope`. */
  readonly rule: string;
  readonly level: 'error' | 'warning' | 'note';
  readonly file: string;
  readonly line: number;
  /** 1-based, in bytes. */
  readonly column: number;
  /** `null` outside functions. */
  readonly function: string | null;
  /** Names no line: a finding is the same one after the code above it has changed. */
  readonly message: string;
  /** The chain of a possible deadlock, reclaim entry first, and other places that belong to it. */
  readonly related: readonly Step[];
}

export interface Report {
  readonly tree: KernelTree;
  readonly sites: readonly Site[];
  readonly scopes: readonly Scope[];
  readonly locks: readonly ReclaimLock[];
  /** Calls through pointers of which no target is known, in all that was read. */
  readonly unresolved: number;
  readonly skipped: readonly Skipped[];
  /** What is wrong with the code as it is; only where that was asked for. */
  readonly findings?: readonly Finding[];
}
