import type { Findings, Question } from '../src/analysis/analyze.js';
import { isCovered, scopesOver } from '../src/analysis/choice.js';
import { scopeId } from '../src/analysis/coverage.js';
import type { RegionOf } from '../src/analysis/regions.js';
import type { Report, Site, Verdict } from '../src/analysis/report.js';
import { isWholeMask } from '../src/analysis/sites.js';
import type { TightScope } from '../src/analysis/tight-scopes.js';
import { transactionId } from '../src/analysis/transactions.js';
import type { Downgrade, ScopePlan } from '../src/edit/plan.js';

/** The chosen regions of a kind, as places to edit: all of each class that some site rests on. */
export function chosenScopes(
  findings: Findings,
  report: Report,
  wanted: (r: RegionOf) => boolean,
): ScopePlan[] {
  const used = new Set([
    ...report.sites.flatMap((s) => s.scopes),
    ...findings.tight.flatMap((tight) => scopesAround(tight, findings)),
  ]);
  return [findings.nofs, ...(findings.noio ? [findings.noio] : [])].flatMap((question) =>
    question.choice.classes
      .filter((c) => c.regions.some((r) => used.has(scopeId(r.fn, c.lock))))
      .flatMap((c) => c.regions.filter(wanted).map((r) => scopePlan(findings, question, r))),
  );
}

function scopePlan({ source, locks }: Findings, { api, chains }: Question, region: RegionOf): ScopePlan {
  const { fn, lock, placement, task } = region;
  const chain = task ? undefined : (chains.chainFor(lock, fn.group) ?? chains.chains(lock)[0]!);
  return {
    id: scopeId(fn, lock),
    file: fn.file.file,
    function: fn.facts.name,
    body: { start: fn.facts.bodyStart, end: fn.facts.end },
    api,
    lock,
    ...(task ? { task } : {}),
    lockText: task ? lock : lockText(region, source(fn.file.file)),
    reclaim: chain ? chain.steps : /^(?:queue|ends)$/.test(task!.how) ? [] : task!.steps,
    context: chain ? chain.entry.context : task!.context,
    saves: placement!.saves,
    restores: placement!.restores,
    ...(placement!.conditional ? { conditional: true, objects: locks.objectsIn(fn) } : {}),
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

/** Drops the masks of all sites with a verdict, where nothing speaks against it and they have that form. */
export function downgradesOf(
  report: Report,
  verdict: Verdict,
  transform: string,
  hasForm = isWholeMask,
): Downgrade[] {
  return report.sites.flatMap((site: Site) => {
    const { edit, file, function: name, scopes } = site;
    if (site.verdict !== verdict || site.kept !== '' || edit === null || !hasForm(site.flag)) return [];
    const { start, end, text: replacement } = edit;
    return [{ site: site.id, file, function: name, start, end, replacement, scopes, transform }];
  });
}

/** Is one of the scopes that prove it that of a transaction? */
export function restsOnTransaction({ nofs }: Findings, { scopes }: Downgrade): boolean {
  return nofs.choice.transactions.some((transaction) => scopes.includes(transactionId(transaction)));
}

/** Ids of the scopes in which every path to a tight scope is; empty if there is a path outside of all. */
export function scopesAround({ site, api }: TightScope, { nofs, noio }: Findings): string[] {
  const question = api === 'noio' ? noio : nofs;
  if (!question || !isCovered(site, question.choice.cover)) return [];
  return scopesOver(site, question.choice.cover).map((scope) => scope.id);
}
