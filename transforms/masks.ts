import { isWholeMask } from '../src/analysis/sites.js';
import { downgradesOf } from './scopes.js';
import type { Transform } from './transform.js';

const isForm = (flag: string): boolean => !isWholeMask(flag);

/**
 * Leaves out what takes `__GFP_FS` or `__GFP_IO` from a mask where a scope does that: `gfp & ~__GFP_FS` becomes `gfp`,
 * `mapping_gfp_constraint(m, ~__GFP_FS)` becomes `mapping_gfp_mask(m)`, `x | FGP_NOFS` becomes `x`.
 *
 * Applies to sites that are `covered`, `scopable`, or in a task with a scope. Refuses other bits along with these, flags of a filesystem's
 * own (they may mean more), and a statement that is all there is in a block or that a comment explains.
 */
export const masks: Transform = {
  name: 'masks',
  summary: 'leave out bits and flags that take FS or IO from a mask inside scopes',
  plan: (_findings, report) => ({
    downgrades: (['covered', 'scopable', 'task'] as const).flatMap((verdict) =>
      downgradesOf(report, verdict, 'masks', isForm),
    ),
  }),
};
