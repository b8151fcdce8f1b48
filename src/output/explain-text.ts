import pc from 'picocolors';
import {
  type EdgeKind,
  MAX_PATHS,
  type ReclaimLock,
  type Region,
  type Scope,
  type Site,
  type SitePath,
  type Step,
} from '../analysis/report.js';
import { takesVerb } from '../edit/comment.js';
import type { Explanation } from './explain-document.js';
import { columns, counted, oneLine, verdictColour } from './scan-listing.js';

const EDGE: Readonly<Record<EdgeKind, string>> = {
  direct: '',
  typed: 'through an operation table',
  name: 'by the name of the field only',
};

const REGION: Readonly<Record<Region['state'], string>> = {
  proposed: 'scope proposed',
  existing: 'in a scope already',
  'no-alloc': 'nothing allocates',
  refused: 'no scope can be placed',
  'not-chosen': 'not chosen',
};

/**
 * `explain` for a reader: each reclaim lock with the chain of calls from reclaim to its acquire and its
 * regions, the scopes, then each site with every path to it.
 */
export function explainText(explanation: Explanation, options: { readonly colour?: boolean } = {}): string {
  const colour = options.colour ?? false;
  const { bold } = pc.createColors(colour);
  const scopes = new Map(explanation.scopes.map((scope) => [scope.id, scope]));
  const blocks = [
    ...explanation.locks.map((lock) => lockText(lock, bold)),
    ...(explanation.scopes.length > 0 ? [scopesText(explanation.scopes, bold)] : []),
    ...explanation.sites.map((site) => siteText(site, scopes, colour)),
  ];
  return blocks.join('\n');
}

function lockText(lock: ReclaimLock, bold: (text: string) => string): string {
  const reclaim = lock.api === 'nofs' ? 'Filesystem reclaim' : 'Block IO for reclaim';
  let text = `${bold(lock.lock)}\n`;
  const takes = takesVerb(lock) === 'takes' ? 'takes this lock' : 'waits for this';
  text += `  ${reclaim} ${takes} while ${lock.context} (${lock.entry}):\n`;
  text += chainText(lock.chain, `acquires ${lock.lock}`, '    ');
  if (lock.choice !== '') text += `  ${oneLine(lock.choice)}\n`;
  text += `  Held in ${counted(lock.regions.length, 'region')}:\n`;
  return (
    text +
    columns(
      lock.regions.map((region) => [
        `    ${region.file}:${region.line}`,
        region.function,
        REGION[region.state],
        oneLine(region.reason),
      ]),
    )
  );
}

function scopesText(scopes: readonly Scope[], bold: (text: string) => string): string {
  let text = `${bold('Scopes')}\n`;
  let rows: string[][] = [];
  for (const scope of scopes) {
    rows.push([
      `  ${scope.file}:${scope.line}`,
      scope.function,
      `${scope.state} memalloc_${scope.api} scope`,
      scope.lock === '' ? scope.kind : `${scope.kind} ${scope.lock}`,
    ]);
    // A scope that the function opens itself needs no more words; that reclaim begins a transaction, too, is why it gets one.
    const isBegun = scope.kind === 'transaction' && scope.reclaim.length > 0;
    if (scope.opens.length < 2 && !isBegun) continue;
    const chain = isBegun
      ? chainText(scope.reclaim, 'begins a transaction, for reclaim', '    ')
      : chainText(scope.opens, `calls memalloc_${scope.api}_save`, '    ');
    text += columns(rows) + chain;
    rows = [];
  }
  return text + columns(rows);
}

function siteText(site: Site, scopes: ReadonlyMap<string, Scope>, colour: boolean): string {
  const { bold } = pc.createColors(colour);
  const inside = site.function === null ? 'outside functions' : `in ${site.function}`;
  const call = site.call === null ? '' : `, argument of ${site.call}`;
  const verdict = verdictColour(colour)(site.verdict, site.verdict);
  let text = `${bold(`${site.file}:${site.line}:${site.column}`)}: ${oneLine(site.flag)} ${inside}${call}\n`;
  text += `  ${verdict}: ${oneLine(site.reason)}\n`;
  if (site.paths.length === 0) return `${text}  No path to this site is known.\n`;
  const known = counted(site.paths.length, 'path');
  text += `  ${site.paths.length < MAX_PATHS ? known : `The first ${known}`} to it:\n`;
  site.paths.forEach((path, index) => {
    text += `    ${index + 1}. ${outcomeText(path, scopes)}\n`;
    text += chainText(path.steps, undefined, '       ');
  });
  return text;
}

/** How a path ends, and what is held on it. */
function outcomeText(path: SitePath, scopes: ReadonlyMap<string, Scope>): string {
  const held = path.locks.length > 0 ? `, holding ${path.locks.join(', ')}` : '';
  switch (path.outcome) {
    case 'existing':
    case 'proposed': {
      const scope = scopes.get(path.scope ?? '');
      const where = scope ? ` of ${scope.function} (${scope.file}:${scope.line})` : '';
      return `inside the ${path.outcome} scope${where}${held}`;
    }
    case 'lock-free':
      return `in no scope, and no reclaim lock is held${held}`;
    case 'lock-held':
      return `in no scope, and none can be placed${held}`;
    case 'unknown':
      return `who calls this is not known${held}`;
  }
}

/** A line for each step, its call under it; `end` says what the last step does on its line. */
function chainText(steps: readonly Step[], end: string | undefined, indent: string): string {
  return columns(
    steps.map((step, index) => {
      const last = index === steps.length - 1;
      const edge = last ? (end ?? '') : EDGE[step.edge ?? 'direct'];
      const next = last ? '' : `calls ${steps[index + 1]!.function}${edge === '' ? '' : ` ${edge}`}`;
      return [`${indent}${step.function}`, `${step.file}:${step.line}`, last ? edge : next];
    }),
  );
}
