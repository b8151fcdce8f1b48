import type { SuccessWhen } from '../kernel/types.js';

/** What the user says of a wait of which the analysis can't tell who holds it up. */
export interface GivenWait {
  /** The field that is waited for, named as in reasons: `xfs_buf.b_iowait`. */
  readonly on: string;
  /** Functions between which a task holds it up; absent: none does that may itself wait for reclaim. */
  readonly held?: { readonly takes: string; readonly drops: string };
  /** Where that is said: `FILE:LINE`. */
  readonly place: string;
}

/** What a task that holds up the wait is said to hold; with a blank, so that reclaim is said to wait for it. */
export function heldName(on: string): string {
  return `a held ${on}`;
}

/** What calls of the functions named do: of each its name, the lock that it acts on and what it does to that. */
export function givenActs(
  waits: readonly GivenWait[],
): ReadonlyMap<string, { lock: string; act: 'acquire' | 'release' }> {
  return new Map<string, { lock: string; act: 'acquire' | 'release' }>(
    waits.flatMap(({ on, held }) =>
      held
        ? [
            [held.takes, { lock: heldName(on), act: 'acquire' }] as const,
            [held.drops, { lock: heldName(on), act: 'release' }] as const,
          ]
        : [],
    ),
  );
}

/** When a function that begins to hold something has done so, by what it returns: 0 of an `int`, true, or an object. */
export function successOf(returns: string): SuccessWhen {
  if (returns === 'void') return 'void';
  return returns === 'int' ? 'zero' : 'nonzero';
}
