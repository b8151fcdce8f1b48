import { downgradesOf } from './scopes.js';
import type { Transform } from './transform.js';

/**
 * Drops masks that protect nothing: on every path that is outside of a scope, no reclaim lock is held.
 *
 * Opt-in (`--lock-free`): the proof is only as good as the list of reclaim locks, where the other transforms
 * rest on a scope that is there to see. Refuses everything that is not `lock-free`. With `--nolockdep` the mask tells lockdep to keep quiet
 * where reclaim takes a lock of the same class, but only of inodes that have no user left: it knows the class alone
 * (include/linux/gfp_types.h, 6.12: "disable lockdep for GFP context tracking").
 */
export const lockFree: Transform = {
  name: 'lock-free',
  summary: 'drop masks where no reclaim lock is held on any path outside of a scope',
  plan: ({ source }, report, { nolockdep = false }) => {
    const sites = new Map(report.sites.map((site) => [site.id, site]));
    const downgrades = downgradesOf(report, 'lock-free', 'lock-free').map((downgrade) => {
      const isReported = (sites.get(downgrade.site)?.paths[0]?.locks.length ?? 0) > 0;
      if (!nolockdep || !isReported) return downgrade;
      // The name of the mask, also where an allocator would do without it.
      const { start, end } = sites.get(downgrade.site)!;
      const both = 'GFP_KERNEL | __GFP_NOLOCKDEP';
      const text = source(downgrade.file);
      const isOperand = /&\s*$/.test(text.slice(0, start)) || /^\s*&/.test(text.slice(end));
      return { ...downgrade, start, end, replacement: isOperand ? `(${both})` : both };
    });
    return { downgrades };
  },
};
