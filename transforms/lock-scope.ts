import { chosenScopes, downgradesOf, restsOnTransaction } from './scopes.js';
import type { Transform } from './transform.js';

/**
 * Opens a scope where a chosen reclaim lock is taken, and drops the masks that these scopes make redundant.
 *
 * Applies to sites that are `scopable`. Refuses (and leaves the site as it is) where a region does not
 * balance on every path, where the function does not parse, and for masks that a scope does not make equal to
 * `GFP_KERNEL` by a change of one word.
 */
export const lockScope: Transform = {
  name: 'lock-scope',
  summary: 'open a scope where a lock that reclaim takes is acquired, and drop the masks below it',
  plan: (findings, report) => ({
    scopes: chosenScopes(findings, report, (r) => r.task === undefined),
    downgrades: downgradesOf(report, 'scopable', 'lock-scope').filter(
      (d) => !restsOnTransaction(findings, d),
    ),
  }),
};
