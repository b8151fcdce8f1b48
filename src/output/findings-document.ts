import { TRANSFORM_NAMES } from '../analysis/api.js';
import {
  type ReclaimLock,
  type Report,
  type Site,
  type SitePath,
  type Step,
  VERDICTS,
} from '../analysis/report.js';
import type { Plan } from '../edit/plan.js';
import { countByVerdict } from './scan-document.js';
import { subsystemOf } from './subsystem.js';

/** What a person who read a path to a site in the source found: whether dropping the mask there would deadlock. */
export interface FindingNote {
  readonly real: boolean;
  readonly why: string;
}

/** A path to a site on which a reclaim lock is held that no scope covers, with the chain of that lock. */
export interface HeldPath {
  readonly site: Site;
  readonly lock: ReclaimLock;
  readonly path: SitePath;
}

const MAX_OBSTACLES = 12;

/**
 * The `partial` sites whose obstacle is least in doubt: a path and a chain of calls by name or by typed table, both in the
 * site's own part of the kernel or in what all share, short ones first. One of each lock class, and one in each function.
 */
export function heldPaths(report: Report, count: number): HeldPath[] {
  const locks = new Map(report.locks.map((lock) => [lock.lock, lock]));
  const found: HeldPath[] = [];
  for (const site of report.sites) {
    if (site.verdict !== 'partial') continue;
    const lock = locks.get(/ may hold (\S+) and no scope/.exec(site.reason)?.[1] ?? '');
    const path = site.paths.find((p) => p.outcome === 'lock-held');
    if (!lock || !path || [...path.steps, ...lock.chain].some((step) => step.edge === 'name')) continue;
    if (!lock.chain.some((step) => subsystemOf(step.file) === subsystemOf(site.file))) continue;
    found.push({ site, lock, path });
  }
  const typed = (steps: readonly Step[]): number => steps.filter((step) => step.edge === 'typed').length;
  const length = ({ path, lock }: HeldPath): number =>
    path.steps.length + lock.chain.length + typed(path.steps) + typed(lock.chain);
  found.sort((a, b) => length(a) - length(b));
  const taken = new Set<string>();
  return found
    .filter(({ site, lock }) => {
      const names = [lock.lock, `${site.file} ${site.function}`];
      if (names.some((name) => taken.has(name))) return false;
      for (const name of names) taken.add(name);
      return true;
    })
    .slice(0, count);
}

/** What was found out about a tree, as Markdown. `notes` has a judgement for a site by its id. */
export function findingsDocument(
  report: Report,
  plan: Plan,
  intro: string,
  paths: readonly HeldPath[],
  notes: ReadonlyMap<string, FindingNote>,
): string {
  return `${[
    `# Findings in Linux ${report.tree.version}`,
    intro,
    '## Sites by subsystem',
    verdictTable(report),
    '## Masks dropped, by transform',
    `What [each kind of rewrite](transforms/) does by itself; \`lock-free\` only on request. *Left* are the sites that none of them edits: the next section
says why.`,
    transformTable(report, plan),
    '## What stands in the way',
    ...obstacles(report.sites),
    '## Paths under a reclaim lock',
    `The ${paths.length} \`partial\` sites with the shortest evidence, one of each lock class. Each was read against the source. *Real* means that
reclaim can come to wait for a task that holds the lock here, if the mask were dropped without a scope; it does not mean that the kernel
is wrong today, since the mask is there. *False* means that it can't, whatever other locks may be held. Most chains
begin with the eviction of an inode that has no links left and whose last reference reclaim drops. That is rare, for the names of
such an inode are gone from the cache, but a dentry of a stacked filesystem or an exported handle may hold it.`,
    ...paths.map((path, i) => heldPath(path, i + 1, notes.get(path.site.id))),
    '## Reclaim locks',
    `Lock classes that reclaim takes and that are held on some path to a site, with the shortest chain, by the part of the kernel
that the chain begins in. A step is a call by name unless it says \`[typed]\`.`,
    ...reclaimLocks(report),
  ].join('\n\n')}\n`;
}

function verdictTable({ sites, scopes }: Report): string {
  const row = (name: string, own: readonly Site[], proposed: number): string => {
    const counts = countByVerdict(own);
    return `| ${name} | ${own.length} | ${VERDICTS.map((v) => counts[v] || '').join(' | ')} | ${proposed || ''} |`;
  };
  const proposed = scopes.filter((scope) => scope.state === 'proposed');
  const inside = (name: string): number => proposed.filter((s) => subsystemOf(s.file) === name).length;
  const groups = [...groupedBy(sites, (site) => subsystemOf(site.file))].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `| | sites | ${VERDICTS.join(' | ')} | scopes proposed |`,
    `|---|---:|${VERDICTS.map(() => '---:|').join('')}---:|`,
    ...groups.map(([name, own]) => row(name, own, inside(name))),
    row('**all**', sites, proposed.length),
  ].join('\n');
}

function transformTable({ sites }: Report, { downgrades }: Plan): string {
  const transformOf = new Map(downgrades.map(({ site, transform }) => [site, transform]));
  const used = new Set(transformOf.values());
  const columns = TRANSFORM_NAMES.filter((name) => used.has(name));
  const row = (name: string, own: readonly Site[]): string => {
    const counts = columns.map((one) => own.filter(({ id }) => transformOf.get(id) === one).length);
    const left = counts.reduce((rest, n) => rest - n, own.length);
    return `| ${name} | ${own.length} | ${counts.map((n) => n || '').join(' | ')} | ${left || ''} |`;
  };
  const groups = [...groupedBy(sites, (site) => subsystemOf(site.file))].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `| | sites | ${columns.join(' | ')} | left |`,
    `|---|---:|${columns.map(() => '---:|').join('')}---:|`,
    ...groups.map(([name, own]) => row(name, own)),
    row('**all**', sites),
  ].join('\n');
}

/** Kinds of reasons why a mask is kept. `by` is what a site of that kind has to thank for it. */
const OBSTACLES: readonly { readonly kind: string; readonly by: string; readonly reason: RegExp }[] = [
  {
    kind: 'a reclaim lock may be held, and no scope can be placed',
    by: 'lock class',
    reason: / may hold (\S+?),? (?:on which (?:reclaim|IO) blocks, )?and no scope can be placed there/,
  },
  {
    kind: 'a lock may be held for which the holder of a reclaim lock may wait',
    by: 'lock class',
    reason: / may hold (.+?), for which a holder of .+ may wait: /,
  },
  {
    kind: 'some callers hold a reclaim lock, others come in no scope and under none',
    by: 'lock class',
    reason: /comes here in no scope and under no reclaim lock, others under ([^;\s]+)/,
  },
  {
    kind: 'not every caller is known: too many files may use a member',
    by: 'member',
    reason: /^not every caller of \S+ is known: it is called through (\S+), which too many files may use/,
  },
  {
    kind: 'not every caller is known: nobody was seen to call what a member holds',
    by: 'member',
    reason: /^not every caller of \S+ is known: it is stored in (\S+), which nobody was seen to call/,
  },
  {
    kind: 'not every caller is known: files that name a function were not read',
    by: 'function',
    reason: /^not every caller of (\S+) is known: not all files that name it were read/,
  },
  {
    kind: 'not every caller is known: the address of a function is kept',
    by: 'function',
    reason: /^not every caller of (\S+) is known/,
  },
  {
    kind: 'reclaim waits for a field, and what its waker holds up is not known',
    by: 'field',
    reason: /^reclaim waits for (\S+) in /,
  },
  { kind: 'outside of any NOIO scope', by: '', reason: /^outside of any NOIO scope()/ },
  {
    kind: 'the mask is looked at or kept on its way to the allocator',
    by: 'by',
    reason: /(\S+\(\)|the function) (?:looks at the mask itself|keeps the mask for later|returns the mask)$/,
  },
  { kind: 'the mask is stored', by: 'where', reason: /^the mask is stored in (.+)$/ },
  {
    kind: 'reached from a task of its own, in no scope and under no reclaim lock',
    by: 'runs as',
    reason: /, which runs as an? ([^;]+)/,
  },
  {
    kind: 'a lock is held whose class is not known',
    by: 'written',
    reason: /^a lock may be held whose class is not known: (.+)$/,
  },
];

function obstacles(sites: readonly Site[]): string[] {
  const kept = sites.filter(
    ({ verdict, scopes }) =>
      ['partial', 'opaque'].includes(verdict) || (verdict === 'task' && scopes.length === 0),
  );
  const kinds = new Map<string, { by: string; sites: Site[]; causes: Map<string, Site[]> }>();
  for (const site of kept) {
    const kind = OBSTACLES.find(({ reason }) => reason.test(site.reason)) ?? {
      kind: 'other',
      by: 'reason',
      reason: /^(.+)$/,
    };
    const entry = kinds.get(kind.kind) ?? {
      by: kind.by,
      sites: [] as Site[],
      causes: new Map<string, Site[]>(),
    };
    kinds.set(kind.kind, entry);
    entry.sites.push(site);
    const cause = kind.reason.exec(site.reason)?.[1] ?? '';
    entry.causes.set(cause, [...(entry.causes.get(cause) ?? []), site]);
  }
  const ordered = [...kinds].sort(([, a], [, b]) => b.sites.length - a.sites.length);
  return [
    [
      '| obstacle | sites |',
      '|---|---:|',
      ...ordered.map(([kind, o]) => `| ${kind} | ${o.sites.length} |`),
    ].join('\n'),
    ...ordered.filter(([, { by }]) => by !== '').map(([kind, o]) => causeTable(kind, o)),
  ];
}

function causeTable(kind: string, { by, causes }: { by: string; causes: Map<string, Site[]> }): string {
  const ordered = [...causes].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1));
  const rest = ordered.slice(MAX_OBSTACLES);
  const rows = ordered.slice(0, MAX_OBSTACLES).map(([cause, sites]) => {
    const where = [...new Set(sites.map((site) => subsystemOf(site.file)))].sort();
    const named = where.slice(0, 4).join(', ') + (where.length > 4 ? ` and ${where.length - 4} more` : '');
    return `| \`${cause}\` | ${sites.length} | ${named} |`;
  });
  if (rest.length > 0)
    rows.push(`| ${rest.length} more | ${rest.reduce((sum, [, sites]) => sum + sites.length, 0)} | |`);
  const title = `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
  return [`### ${title}`, '', `| ${by} | sites | in |`, '|---|---:|---|', ...rows].join('\n');
}

function heldPath({ site, lock, path }: HeldPath, number: number, note: FindingNote | undefined): string {
  const verdict = note === undefined ? 'Not read yet.' : `*${note.real ? 'Real' : 'False'}.* ${note.why}`;
  return [
    `### ${number}. ${site.function}() under \`${lock.lock}\``,
    `\`${site.flag}\` at ${site.id}. ${path.locks.length === 1 ? 'It is the only reclaim lock that may be held there.' : `In all ${path.locks.length} reclaim locks may be held there.`}`,
    `- path: ${chainText(path.steps)}\n- chain: ${lock.context}: ${lock.entry} → ${chainText(lock.chain)}`,
    verdict,
  ].join('\n\n');
}

function reclaimLocks({ locks, sites }: Report): string[] {
  const held = new Map<string, number>();
  for (const site of sites)
    for (const lock of new Set(site.paths.flatMap((path) => path.locks)))
      held.set(lock, (held.get(lock) ?? 0) + 1);
  const groups = [...groupedBy(locks, (lock) => subsystemOf(lock.chain[0]?.file ?? ''))];
  return groups
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, own]) => {
      const items = [...own]
        .sort((a, b) => a.chain.length - b.chain.length || (a.lock < b.lock ? -1 : 1))
        .map((lock) => {
          const count = held.get(lock.lock) ?? 0;
          const scopes = lock.regions.filter((region) => region.state === 'proposed').length;
          const facts = [
            `may be held at ${count} ${count === 1 ? 'site' : 'sites'} that keep their mask`,
            ...(scopes > 0 ? [`${scopes} ${scopes === 1 ? 'scope' : 'scopes'} proposed`] : []),
          ];
          return `- \`${lock.lock}\` (${facts.join('; ')}): ${lock.context}\n  ${lock.entry} → ${chainText(lock.chain)}`;
        });
      return `### ${group}\n\n${items.join('\n')}`;
    });
}

function chainText(steps: readonly Step[]): string {
  return steps
    .map((step) => {
      const how = step.edge === undefined || step.edge === 'direct' ? '' : ` [${step.edge}]`;
      return `${step.function}() ${step.file}:${step.line}${how}`;
    })
    .join(' → ');
}

function groupedBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const out = new Map<string, T[]>();
  for (const item of items) {
    const own = out.get(key(item));
    if (own) own.push(item);
    else out.set(key(item), [item]);
  }
  return out;
}
