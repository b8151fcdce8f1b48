import type { Plan } from '../edit/plan.js';
import type { Basis } from '../index/basis.js';
import type { FileFacts } from '../parse/facts.js';
import type { Progress } from '../tree/files.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import type { GivenWait } from './given-waits.js';
import type { Report } from './report.js';

/** The kinds of rewrites, in the order in which they are made; each is a file in `transforms/`. */
export const TRANSFORM_NAMES = [
  'lock-scope',
  'transaction-scope',
  'task-scope',
  'covered',
  'masks',
  'lock-free',
  'vmalloc-scope',
  'hoist',
  'plumbing',
] as const;

export type TransformName = (typeof TRANSFORM_NAMES)[number];

/** Those that are made where nothing else is asked for. */
export const BY_DEFAULT: readonly TransformName[] = [
  'lock-scope',
  'transaction-scope',
  'task-scope',
  'covered',
  'masks',
  'vmalloc-scope',
];

/** What the verbs ask of the analysis. */

export interface AnalyzeOptions {
  readonly tree: KernelTree;
  /** Tree-relative paths of the files or directories asked for, `''` for the whole tree. */
  readonly paths: readonly string[];
  /** How many threads may work at the same time, at least 1. */
  readonly jobs: number;
  /** Where a scope stands: around the acquire and release of its lock, or just inside them. */
  readonly placement?: 'around' | 'inside';
  /** Edit only the regions that convertible sites need. */
  readonly minimal?: boolean;
  /** The kinds of rewrites that are made; absent: `BY_DEFAULT`. Scopes of a kind that is left out are not proposed. */
  readonly transforms?: readonly TransformName[];
  /** `lock-free` writes `__GFP_NOLOCKDEP` where lockdep would report a lock for which nobody waits for ever. */
  readonly nolockdep?: boolean;
  readonly api?: 'nofs' | 'noio' | 'both';
  /** Who holds up what reclaim waits for, where the analysis can't tell. */
  readonly waits?: readonly GivenWait[];
  /** Look for what is wrong with the code as it is, too: `Report.findings`. */
  readonly checks?: boolean;
  /** Folder of the cache (`openCache`); `false` or absent: nothing is read from one or kept. */
  readonly cache?: string | false;
  /** Called often; `total` may grow while a phase runs. */
  readonly onProgress?: (progress: Progress) => void;
  /** Once aborted, the analysis rejects with the signal's reason as soon as it can. */
  readonly signal?: AbortSignal;
}

export interface Analysis {
  readonly report: Report;
  readonly plan: Plan;
  /** What it rests on beside the files that it read. */
  readonly basis: Basis;
  /** latin1 text of a file of the tree, as it was read for the analysis. */
  source(file: string): string;
  /**
   * Analyses the tree again with the facts of edited files in place of theirs. Names the functions in which an allocation
   * whose mask `done` dropped is no longer inside a scope on every path, or in which there is still something to do.
   */
  recheck(edited: readonly FileFacts[], done: Plan): Rechecked[] | Promise<Rechecked[]>;
  /**
   * What `work` gives, plain values, if it depends on nothing but the tree, the options and what `name` says; a later run on the same
   * state of the tree may take it from the cache.
   */
  readonly once?: <T>(name: string, work: () => T | Promise<T>) => Promise<T>;
}

export interface Rechecked {
  readonly file: string;
  readonly function: string;
  readonly message: string;
}

export type Analyze = (options: AnalyzeOptions) => Promise<Analysis>;
