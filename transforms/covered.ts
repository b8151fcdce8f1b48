import { downgradesOf } from './scopes.js';
import type { Transform } from './transform.js';

/**
 * Drops masks that scopes which are in the code already make redundant: handles and transactions, saves in a caller.
 *
 * Applies to sites that are `covered`. Refuses what holds for a real object only (`kept`), and masks that a scope does not
 * make equal to `GFP_KERNEL` by a change of one word.
 */
export const covered: Transform = {
  name: 'covered',
  summary: 'drop masks inside scopes that the code has already',
  plan: (_findings, report) => ({ downgrades: downgradesOf(report, 'covered', 'covered') }),
};
