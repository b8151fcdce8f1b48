import { downgradesOf } from './scopes.js';
import type { Transform } from './transform.js';

/**
 * Drops masks that protect nothing: on every path that is outside of a scope, no reclaim lock is held.
 *
 * Opt-in (`--lock-free`): the proof is only as good as the list of reclaim locks, where the other transforms
 * rest on a scope that is there to see. Refuses everything that is not `lock-free`.
 */
export const lockFree: Transform = {
  name: 'lock-free',
  summary: 'drop masks where no reclaim lock is held on any path outside of a scope',
  plan: (_findings, report) => ({ scopes: [], downgrades: downgradesOf(report, 'lock-free', 'lock-free') }),
};
