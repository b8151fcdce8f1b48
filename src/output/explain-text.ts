import pc from 'picocolors';
import {
  MAX_PATHS,
  type ReclaimLock,
  type Region,
  type Scope,
  type Site,
  type SitePath,
  type Step,
} from '../analysis/report.js';
import { takesVerb } from '../edit/comment.js';
import type { EdgeKind } from '../index/link.js';
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

/** Of a lock that is not the subject itself so many regions are listed; of more only those on the way to the sites. */
const FEW_REGIONS = 8;

/** Of the locks that are not the subject itself so many are shown whole, and so many named in a line. */
const FEW_LOCKS = 4;
const FEW_NAMES = 8;

/**
 * `explain` for a reader. What was asked for comes first: a reclaim lock with the chain of calls from reclaim to its acquire and all its
 * regions, the scopes, the sites with every path to them; or the sites, the scopes that cover them, and the reclaim locks held on the way.
 */
export function explainText(explanation: Explanation, options: { readonly colour?: boolean } = {}): string {
  const colour = options.colour ?? false;
  const { bold } = pc.createColors(colour);
  const scopes = new Map(explanation.scopes.map((scope) => [scope.id, scope]));
  const { near } = explanation;
  const [shown, others] = near ? worthShowing(explanation) : [explanation.locks, []];
  const locks = shown.map((lock) => lockText(lock, near, bold));
  if (others.length > 0) {
    const names = others.map(({ lock }) => lock).join(', ');
    locks.push(
      `${counted(others.length, 'more reclaim lock')} on the way; to see one, explain it: ${names}\n`,
    );
  }
  const opened = explanation.scopes.length > 0 ? [scopesText(explanation.scopes, bold)] : [];
  const sites = explanation.sites.map((site) => siteText(site, scopes, colour));
  return (near ? [...sites, ...opened, ...locks] : [...locks, ...opened, ...sites]).join('\n');
}

/** Of the locks that sites meet: those that are named as an obstacle or get a scope, and more if there are few. */
function worthShowing({ locks, scopes, sites }: Explanation): [ReclaimLock[], ReclaimLock[]] {
  const isNamed = ({ lock }: ReclaimLock): boolean =>
    scopes.some((scope) => scope.lock === lock) || sites.some((site) => site.reason.includes(lock));
  const sorted = [...locks].sort((a, b) => Number(isNamed(b)) - Number(isNamed(a)));
  const count = Math.max(FEW_LOCKS, sorted.filter(isNamed).length);
  return [sorted.slice(0, count), sorted.slice(count)];
}

function lockText(
  lock: ReclaimLock,
  near: ReadonlySet<string> | undefined,
  bold: (text: string) => string,
): string {
  const reclaim = lock.api === 'nofs' ? 'Filesystem reclaim' : 'Block IO for reclaim';
  let text = `${bold(lock.lock)}\n`;
  const takes = takesVerb(lock) === 'takes' ? 'takes this lock' : 'waits for this';
  text += `  ${reclaim} ${takes} while ${lock.context} (${lock.entry}):\n`;
  text += chainText(lock.chain, `acquires ${lock.lock}`, '    ');
  if (lock.choice !== '') text += `  ${oneLine(lock.choice)}\n`;
  text += `  Held in ${counted(lock.regions.length, 'region')}:\n`;
  const isShown = ({ function: name }: Region) =>
    !near || lock.regions.length <= FEW_REGIONS || near.has(name);
  const rows = lock.regions
    .filter(isShown)
    .map((region) => [
      `    ${region.file}:${region.line}`,
      region.function,
      REGION[region.state],
      oneLine(region.reason),
    ]);
  return text + columns(rows) + restText(lock, lock.regions.length - rows.length, isShown);
}

/** How many regions of a lock are not shown, by what is done with them, and how to see them. */
function restText(lock: ReclaimLock, count: number, isShown: (region: Region) => boolean): string {
  if (count === 0) return '';
  const states = new Map<Region['state'], number>();
  for (const region of lock.regions)
    if (!isShown(region)) states.set(region.state, (states.get(region.state) ?? 0) + 1);
  const tally = [...states].map(([state, n]) => `${n} ${REGION[state]}`).join(', ');
  const more = count === lock.regions.length ? '' : 'more: ';
  return `    ${more}${tally}; to see them, explain ${/[^\w.]/.test(lock.lock) ? `'${lock.lock}'` : lock.lock}\n`;
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
  const more = path.locks.length - FEW_NAMES;
  const names = path.locks.slice(0, FEW_NAMES).join(', ');
  const held = path.locks.length === 0 ? '' : `, holding ${names}${more > 0 ? ` and ${more} more` : ''}`;
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
