import type { Report, Site, Verdict } from '../analysis/report.js';
import { VERDICTS } from '../analysis/report.js';
import { limitsOf, whatIsRead } from './module.js';
import { countByVerdict } from './scan-document.js';
import { columns, counted, oneLine, verdictColour } from './scan-listing.js';

/** What a verdict means, in the totals. */
const MEANING: Readonly<Record<Verdict, string>> = {
  covered: 'already in a scope on every path: downgraded',
  scopable: 'in a scope on every path once the proposed ones are in: downgraded',
  'lock-free': 'no reclaim lock is held outside of scopes: kept, --lock-free downgrades',
  partial: 'some path holds a reclaim lock and can have no scope: kept',
  task: 'in a worker, kthread or timer of its own: downgraded where that gets a scope, else kept',
  opaque: 'callers, lock or function not understood: kept',
};

/**
 * `scan` for a reader: a line for each site, `file:line:column  verdict  flag  function  reason`, a blank
 * line between files, then the totals for each verdict and the proposed scopes for each lock class.
 */
export function scanText(report: Report, options: { readonly colour?: boolean } = {}): string {
  const blocks: string[] = [];
  for (const sites of byFile(report.sites)) {
    const rows = sites.map((site) => [
      `${site.file}:${site.line}:${site.column}`,
      site.verdict,
      oneLine(site.flag),
      site.function ?? '-',
      oneLine(site.reason),
    ]);
    const paint = verdictColour(options.colour ?? false);
    blocks.push(columns(rows, (cell, row, column) => (column === 1 ? paint(row[1] as Verdict, cell) : cell)));
  }
  blocks.push(totals(report));
  return blocks.join('\n');
}

function totals(report: Report): string {
  const { sites, scopes } = report;
  const files = new Set(sites.map((site) => site.file)).size;
  if (sites.length === 0) return 'no use of GFP_NOFS or GFP_NOIO\n';
  let text = `${counted(sites.length, 'site')} in ${counted(files, 'file')} of ${whatIsRead(report.tree)}\n`;
  const counts = countByVerdict(sites);
  const used = VERDICTS.filter((verdict) => counts[verdict] > 0);
  text += columns(
    used.map((verdict) => [`  ${verdict}`, String(counts[verdict]), MEANING[verdict]]),
    undefined,
    [1],
  );

  const perLock = new Map<string, number>();
  for (const scope of scopes) {
    if (scope.state !== 'proposed') continue;
    const name = `memalloc_${scope.api}, ${scope.kind}${scope.lock === '' ? '' : ` ${scope.lock}`}`;
    perLock.set(name, (perLock.get(name) ?? 0) + 1);
  }
  if (perLock.size > 0) {
    text += `${counted(
      [...perLock.values()].reduce((a, b) => a + b, 0),
      'scope',
    )} proposed\n`;
    text += columns(
      [...perLock].map(([name, count]) => [`  ${count}`, name]),
      undefined,
      [0],
    );
  }
  if (report.unresolved > 0)
    text += `${counted(report.unresolved, 'call')} through a pointer of which no target is known, in all that was read\n`;
  for (const limit of limitsOf(report.tree)) text += `${limit}\n`;
  return text;
}

/** Sites in groups of one file each, in the order in which the files come first. */
function byFile(sites: readonly Site[]): Site[][] {
  const groups = new Map<string, Site[]>();
  for (const site of sites) {
    const group = groups.get(site.file);
    if (group) group.push(site);
    else groups.set(site.file, [site]);
  }
  return [...groups.values()];
}
