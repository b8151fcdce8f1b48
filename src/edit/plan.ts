import type { Step } from '../analysis/report.js';
import type { TaskReason } from '../analysis/task-bodies.js';
import type { Api } from '../kernel/types.js';
import type { TextEdit } from '../parse/facts.js';

/**
 * What the transforms want done, as places in the original bytes; `edit/render.ts` turns it into text.
 * All offsets are 0-based byte offsets into the file as read with latin1; ranges are end-exclusive.
 */
export interface StatementRange {
  readonly start: number;
  readonly end: number;
}

/** Save or restore to be written before or after one statement; after a `return` means between its value and the return. */
export interface ScopePoint {
  readonly at: 'before' | 'after';
  readonly statement: StatementRange;
}

export interface ScopePlan {
  /** Same as `Scope.id` in the report. */
  readonly id: string;
  readonly file: string;
  readonly function: string;
  /** The `{…}` of the function. */
  readonly body: StatementRange;
  readonly api: Api;
  /** Lock class, for grouping: `quota_info.dqio_sem`; for the body of a task its name: `xlog_cil_push_work()`. */
  readonly lock: string;
  /** Set where the scope is around the body of a worker or kthread: why reclaim depends on that. */
  readonly task?: TaskReason;
  /** Set where the scope is around one call of an allocator that does not honour its mask: its name. */
  readonly unheeded?: string;
  /** The lock as the function writes it, for the comment: `dqopt->dqio_sem`. */
  readonly lockText: string;
  /** Reclaim chain to the class, or to where reclaim waits for the task, reclaim entry first; empty where none is known. */
  readonly reclaim: readonly Step[];
  /** What reclaim does at the head of the chain: `evicting an inode`. */
  readonly context: string;
  readonly saves: readonly ScopePoint[];
  readonly restores: readonly ScopePoint[];
  /** Conditions alone keep a restore from what was not saved: a compiler may take the variable for uninitialised. */
  readonly conditional?: true;
  /** Functions that return an object or an error and never null, on which it rests that the scope balances. */
  readonly objects?: readonly string[];
  /** Set where the value of the save is kept in an object, for a restore in another function. */
  readonly kept?: KeptValue;
}

/** What one function does with a value that is kept in a handle. The plans of all of them have the same `lock`. */
export interface KeptValue {
  /** `start` keeps it, `end` restores it; `rest` takes it into a variable and restores that. */
  readonly does: 'start' | 'end' | 'rest';
  /** The new member, as the function writes it: `tr->tr_nofs_flags`. */
  readonly place: string;
  /** Declares the member. */
  readonly file: string;
  readonly member: readonly TextEdit[];
}

export interface Downgrade {
  /** `Site.id`. */
  readonly site: string;
  readonly file: string;
  readonly function: string | null;
  readonly start: number;
  readonly end: number;
  /** New text of the mask, e.g. `GFP_KERNEL`. */
  readonly replacement: string;
  /** Ids of the scopes that prove it. */
  readonly scopes: readonly string[];
  /** Name of the transform that asks for it. */
  readonly transform: string;
}

/** Something that the other edits leave without a purpose, and that is taken away. */
interface RemovalBase {
  readonly file: string;
  /** The function that has it, of a parameter; its callers are edited, too. */
  readonly function: string;
  /** The sites (`Downgrade.site`) that have to be dropped before. */
  readonly sites: readonly string[];
  /** Ids of the scopes that have to be there. */
  readonly scopes: readonly string[];
  readonly edits: readonly TextEdit[];
}

/** A parameter that every call gives the same mask, of a function that its file alone can name. */
export interface ParameterRemoval extends RemovalBase {
  readonly kind: 'parameter';
  readonly parameter: string;
  /** How many calls there are. */
  readonly calls: number;
}

/** A scope of the code around one call that is inside of other scopes on every path. */
export interface ScopeRemoval extends RemovalBase {
  readonly kind: 'scope';
  /** Its id, see `Scope.id`. */
  readonly id: string;
  readonly api: Api;
  /** The function called in it. */
  readonly call: string;
  /** The empty line behind the declarations, where no other is left. */
  readonly gap?: TextEdit;
}

export type Removal = ParameterRemoval | ScopeRemoval;

export interface Plan {
  readonly scopes: readonly ScopePlan[];
  readonly downgrades: readonly Downgrade[];
  /** Made on top of the others. */
  readonly removals: readonly Removal[];
}

/** One file before and after, latin1 strings (one char a byte). */
export interface FileChange {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/** The plan without some of its edits, and without what rests on these: masks on scopes, removed parameters on masks. */
export function planWithout(
  plan: Plan,
  isDropped: (edit: { readonly file: string; readonly function: string | null }) => boolean,
): Plan {
  const broken = new Set(plan.scopes.flatMap((s) => (s.kept && isDropped(s) ? [s.lock] : [])));
  const scopes = plan.scopes.filter((scope) => !isDropped(scope) && !(scope.kept && broken.has(scope.lock)));
  const lost = new Set(plan.scopes.map(({ id }) => id));
  for (const { id } of scopes) lost.delete(id);
  const downgrades = plan.downgrades.filter(
    (downgrade) => !isDropped(downgrade) && !downgrade.scopes.some((id) => lost.has(id)),
  );
  const left = new Set(downgrades.map(({ site }) => site));
  const removals = plan.removals.filter(
    (removal) =>
      !isDropped(removal) &&
      removal.sites.every((site) => left.has(site)) &&
      !removal.scopes.some((id) => lost.has(id)),
  );
  return { scopes, downgrades, removals };
}

/** How many edits there are. */
export function sizeOf({ scopes, downgrades, removals }: Plan): number {
  return scopes.length + downgrades.length + removals.length;
}

/** The first plan with what the second has as well. */
export function planWith(plan: Plan, more: Partial<Plan>): Plan {
  return {
    scopes: [...plan.scopes, ...(more.scopes ?? [])],
    downgrades: [...plan.downgrades, ...(more.downgrades ?? [])],
    removals: [...plan.removals, ...(more.removals ?? [])],
  };
}

export const NO_PLAN: Plan = { scopes: [], downgrades: [], removals: [] };
