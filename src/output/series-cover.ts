import type { Report, Site } from '../analysis/report.js';
import { compareScopes, compareText } from '../edit/order.js';
import type { ScopePlan } from '../edit/plan.js';
import { wrapText } from './mail.js';
import { whatIsRead } from './module.js';
import { columns, counted } from './scan-listing.js';
import { groupingByPath, type SeriesPart, SUBJECT, shortened } from './series.js';
import { type Grouping, subsystemOf } from './subsystem.js';

/** The most lock classes that are named where masks stay. */
const NAMED = 5;

/**
 * The text of a cover letter: why, a table of the lock classes, what stays and for which reason, how it was checked.
 * @param part what the letter is about; the report's sites that are not of its subsystem are left out; `leftOut` are sites that keep
 *   their masks because a file is obsolete
 */
export function seriesCover(
  part: Pick<SeriesPart, 'plan'> &
    Partial<Pick<SeriesPart, 'subsystem' | 'after'>> & { readonly leftOut?: ReadonlySet<string> },
  report: Report,
  grouping: Grouping = groupingByPath(report),
): { subject: string; body: string } {
  const { plan, subsystem, after = [], leftOut = new Set() } = part;
  const files = [...new Set([...plan.scopes, ...plan.downgrades].map((edit) => edit.file))].sort(compareText);
  const subsystems = new Set(files.map(grouping.subsystemOf));
  const prefix = subsystems.size === 1 ? grouping.prefixOf(files) : commonFolder(files);
  const apis = [...new Set(plan.scopes.map((scope) => scope.api.toUpperCase()))].sort();
  const what =
    plan.scopes.length > 0
      ? `open ${apis.join(' and ')} scopes where reclaim's locks are taken`
      : plan.downgrades.some((downgrade) => downgrade.scopes.length > 0)
        ? 'drop allocation masks that scopes make redundant'
        : 'drop allocation masks where no reclaim lock is held';
  const subject = `${prefix}: ${what}`;

  const sites = report.sites.filter(
    (site) => subsystem === undefined || grouping.subsystemOf(site.file) === subsystem,
  );
  const dropped = new Set(plan.downgrades.map((downgrade) => downgrade.site));
  const paragraphs = [
    'A mask at an allocating call cannot say what it is there for. GFP_NOFS and GFP_NOIO keep direct reclaim from coming back ' +
      'for something that the task holds, a lock or a transaction, which is often taken far up the call chain. ' +
      (plan.scopes.length > 0
        ? 'As Documentation/core-api/gfp_mask-from-fs-io.rst asks for, this series says it there: ' +
          `${apis.map((api) => `memalloc_${api.toLowerCase()}_save()`).join(' or ')} where the critical section begins, ` +
          'with a comment on the reclaim context.'
        : 'Where a scope says it there, as Documentation/core-api/gfp_mask-from-fs-io.rst asks for, or no such thing is held, the mask ' +
          'says nothing more. This series drops such masks.'),
  ];
  if (plan.scopes.length > 0)
    paragraphs.push(
      'These are the locks, and what else reclaim waits for. Sites are masks inside the new scopes before the series and after it, ' +
        'in the files that were looked at; one that is inside several scopes counts for each of them:',
      classTable(plan.scopes, report.sites, dropped),
    );
  const downgraded = sites.filter((site) => dropped.has(site.id));
  if (after.length > 0)
    paragraphs.push(
      `It rests on scopes that other series add, and is to be applied behind those for ${after.join('; ')}.`,
      `${counted(plan.downgrades.length, 'site')} ${plan.downgrades.length === 1 ? 'is' : 'are'} converted.`,
    );
  else
    paragraphs.push(
      `Of ${counted(sites.length, 'site')} in all, ${downgraded.length} ${downgraded.length === 1 ? 'is' : 'are'} converted ` +
        `and ${sites.length - downgraded.length} ${sites.length - downgraded.length === 1 ? 'stays' : 'stay'}.`,
      ...leftParagraphs(
        sites.filter((site) => !dropped.has(site.id)),
        leftOut,
      ),
    );
  const removed = plan.removals.flatMap((removal) =>
    removal.kind === 'parameter' ? [`${removal.function}()`] : [],
  );
  const inner = plan.removals.length - removed.length;
  if (inner > 0)
    paragraphs.push(
      `${counted(inner, 'scope')} around a single call ${inner > 1 ? 'are' : 'is'} removed in patches of their own: every path to them is inside a wider one.`,
    );
  if (removed.length > 0)
    paragraphs.push(
      `Every call of ${removed.join(', ')} passes GFP_KERNEL then; the ${removed.length > 1 ? 'parameters go' : 'parameter goes'} ` +
        'in patches of their own, which can be left out.',
    );
  paragraphs.push(checkedParagraph(plan, report));
  return {
    subject: subject.length <= SUBJECT ? subject : shortened(subject),
    body: wrapText(paragraphs.join('\n\n')),
  };
}

/** How the edits were checked, and what that does not say of the masks that were dropped for want of a lock. */
function checkedParagraph(plan: SeriesPart['plan'], report: Report): string {
  const free = plan.downgrades.filter((downgrade) => downgrade.scopes.length === 0).length;
  const sentences: string[] = [];
  if (plan.scopes.length > 0)
    sentences.push(
      `The line numbers in the messages are those of ${whatIsRead(report.tree)}.`,
      'Every edited function was parsed again: each save meets one restore on every path.',
    );
  if (free < plan.downgrades.length)
    sentences.push(
      `The tree with all of this applied was analysed again: every mask that is gone${
        free > 0 ? ' for the sake of scopes' : ''
      } is inside one on all known paths.`,
      'Scopes come before the masks that rest on them, so that this holds behind each patch.',
    );
  if (free > 0)
    sentences.push(
      `${counted(free, 'mask')} ${free === 1 ? 'is' : 'are'} gone for want of a lock: no path that is known holds one that reclaim takes. ` +
        'No scope is there should one be taken later.',
    );
  return [...sentences, 'Nothing was compiled or run for this letter.'].join(' ');
}

function classTable(
  scopes: readonly ScopePlan[],
  sites: readonly Site[],
  dropped: ReadonlySet<string>,
): string {
  const header = ['lock class', 'api', 'scopes', 'sites before', 'after'];
  const rows = scopeClasses(scopes).map(([lock, api, some]) => {
    const ids = new Set(some.map((scope) => scope.id));
    const under = sites.filter((site) => site.scopes.some((id) => ids.has(id)));
    const left = under.filter((site) => !dropped.has(site.id));
    return [lock, api.toUpperCase(), some.length, under.length, left.length].map(String);
  });
  return columns([header, ...rows], undefined, [2, 3, 4])
    .trimEnd()
    .replace(/^/gm, '  ');
}

function scopeClasses(scopes: readonly ScopePlan[]): [string, ScopePlan['api'], ScopePlan[]][] {
  const classes = new Map<string, [string, ScopePlan['api'], ScopePlan[]]>();
  for (const scope of [...scopes].sort(compareScopes)) {
    const key = `${scope.lock}\n${scope.api}`;
    const known = classes.get(key);
    if (known) known[2].push(scope);
    else classes.set(key, [scope.lock, scope.api, [scope]]);
  }
  return [...classes.values()];
}

/** A paragraph for each verdict of which masks stay. */
function leftParagraphs(all: readonly Site[], leftOut: ReadonlySet<string>): string[] {
  const left = all.filter((site) => !leftOut.has(site.id));
  const kept = left.filter((site) => site.kept !== '');
  const of = (...verdicts: Site['verdict'][]): Site[] =>
    left.filter((site) => site.kept === '' && verdicts.includes(site.verdict));
  const paragraphs: string[] = [];
  const add = (sites: readonly Site[], text: (be: string, have: string) => string): void => {
    if (sites.length === 0) return;
    const one = sites.length === 1;
    paragraphs.push(`${sites.length} ${text(one ? 'is' : 'are', one ? 'has' : 'have')}.`);
  };
  add(
    all.filter((site) => leftOut.has(site.id)),
    (be) =>
      `${be} in code that MAINTAINERS calls obsolete, or ${be === 'is' ? 'rests' : 'rest'} on a scope there, and left alone`,
  );
  const partial = of('partial');
  add(partial, (be) => {
    // Of all the locks that may be held the reason names the one that is in the way.
    const locks = tally(
      partial.flatMap(({ paths, reason }) => {
        const held = paths.filter(({ outcome }) => outcome === 'lock-held').flatMap(({ locks }) => locks);
        return held.find((lock) => reason.includes(` ${lock} `)) ?? held[0] ?? [];
      }),
    );
    const names = locks.slice(0, NAMED).map(([lock, n]) => `${lock} (${n})`);
    const more = locks.length > NAMED ? ` and ${counted(locks.length - NAMED, 'other')}` : '';
    return `${be} reached with a lock held that reclaim takes and for which no scope can be placed${
      names.length > 0 ? `: ${names.join(', ')}${more}` : ''
    }`;
  });
  add(of('opaque'), (be) => `${be} reached in ways that are not all known, or on a lock that is not`);
  add(
    of('lock-free'),
    (be) => `${be} reached with no reclaim lock held; a mask there may be there for no reason`,
  );
  add(of('task'), (be) => `${be} in workers or kthreads`);
  add(
    of('covered', 'scopable'),
    (be) => `${be} inside a scope, but the expression is of a kind that was not rewritten`,
  );
  for (const [why] of tally(kept.map((site) => `${site.verdict}\n${site.kept}`))) {
    const [verdict, reason] = why.split('\n') as [string, string];
    const some = kept.filter((site) => site.verdict === verdict && site.kept === reason);
    add(some, (be) =>
      verdict === 'task'
        ? `${be} in workers or kthreads: ${reason}`
        : `${be} inside a scope and kept: ${reason}`,
    );
  }
  return paragraphs;
}

/** The most frequent first. */
function tally(words: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || compareText(a[0], b[0]));
}

function commonFolder(files: readonly string[]): string {
  const tops = new Set(files.map((file) => subsystemOf(file).split('/')[0]!));
  return tops.size === 1 ? [...tops][0]! : 'treewide';
}
