import type { Findings } from '../src/analysis/analyze.js';
import type { ChosenClass } from '../src/analysis/choice.js';
import { scopeId } from '../src/analysis/choice.js';
import type { RegionOf } from '../src/analysis/regions.js';
import type { Report } from '../src/analysis/report.js';
import { replacementFor } from '../src/analysis/sites.js';
import type { Downgrade, ScopePlan } from '../src/edit/plan.js';
import type { Transform } from './transform.js';

/**
 * Opens a scope where a chosen reclaim lock is taken, and drops the masks that this scope and those that
 * stand already make redundant.
 *
 * Applies to sites that are `covered` or `scopable`. Refuses (and leaves the site as it is) where a region does not
 * balance on every path, where the function does not parse, and for masks that a scope does not make equal to
 * `GFP_KERNEL` by a change of one word.
 */
export const lockScope: Transform = {
  name: 'lock-scope',
  summary: 'open a scope where a lock that reclaim takes is acquired, and drop the masks below it',
  plan(findings, report) {
    const used = new Set(report.sites.flatMap((s) => s.scopes));
    const scopes = findings.choice.classes
      .filter((c) => c.regions.some((r) => used.has(scopeId(r.fn, c.lock))))
      .flatMap((c) => c.regions.map((r) => scopePlan(findings, c, r)));
    return { scopes, downgrades: downgrades(report) };
  },
};

function scopePlan(findings: Findings, chosen: ChosenClass, region: RegionOf): ScopePlan {
  const { reclaim, source } = findings;
  const { fn, placement } = region;
  const chain = reclaim.chainFor(chosen.lock, fn.group) ?? reclaim.chains(chosen.lock)[0]!;
  return {
    id: scopeId(fn, chosen.lock),
    file: fn.file.file,
    function: fn.facts.name,
    body: { start: fn.facts.bodyStart, end: fn.facts.end },
    api: 'nofs',
    lock: chosen.lock,
    lockText: lockText(region, source(fn.file.file)),
    reclaim: chain.steps,
    context: chain.entry.context,
    saves: placement!.saves,
    restores: placement!.restores,
  };
}

/** The lock as the function writes it: `dqopt->dqio_sem`; its class where a wrapper takes it. */
function lockText({ fn, lock, node }: RegionOf, text: string): string {
  const { op } = fn.facts.cfg[node]!;
  if (op.k !== 'call') return lock;
  const field = lock.slice(lock.lastIndexOf('.') + 1);
  const argument =
    /\(\s*&?\s*([^(),]*(?:\([^()]*\)[^(),]*)*)/.exec(text.slice(op.start, op.end))?.[1]?.trim() ?? '';
  return argument.endsWith(field) ? argument : lock;
}

function downgrades(report: Report): Downgrade[] {
  const out: Downgrade[] = [];
  for (const site of report.sites) {
    if (site.verdict !== 'covered' && site.verdict !== 'scopable') continue;
    if (site.kept !== '') continue;
    const replacement = replacementFor(site.flag, site.api);
    if (replacement === undefined) continue;
    out.push({
      site: site.id,
      file: site.file,
      function: site.function,
      start: site.start,
      end: site.end,
      replacement,
      scopes: site.scopes,
      transform: 'lock-scope',
    });
  }
  return out;
}
