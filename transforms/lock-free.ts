import { replacementFor } from '../src/analysis/sites.js';
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
  plan(_findings, report) {
    return {
      scopes: [],
      downgrades: report.sites.flatMap((site) => {
        const replacement = replacementFor(site.flag, site.api);
        if (site.verdict !== 'lock-free' || replacement === undefined) return [];
        return [
          {
            site: site.id,
            file: site.file,
            function: site.function,
            start: site.start,
            end: site.end,
            replacement,
            scopes: site.scopes,
            transform: 'lock-free',
          },
        ];
      }),
    };
  },
};
