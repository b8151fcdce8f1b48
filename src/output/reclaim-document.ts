import type { Reclaim, ReclaimChain, ReclaimWait } from '../analysis/reclaim.js';
import type { Step } from '../analysis/report.js';

/** Wakers named for one wait. */
const MAX_WAKERS = 4;

/** Reclaim locks of some parts of the kernel as Markdown: one section each. */
export function reclaimDocument(
  title: string,
  intro: string,
  reclaim: Reclaim,
  groups: readonly string[],
): string {
  const sections = groups.map((group) => sectionOf(reclaim, group));
  const table = [
    '| | reclaim locks | poor evidence | waits for a field |',
    '|---|---:|---:|---:|',
    ...sections.map((s) => `| ${s.group} | ${s.good.length} | ${s.poor.length} | ${s.waits.length} |`),
  ];
  return `${[`# ${title}`, intro, table.join('\n'), ...sections.map(write)].join('\n\n')}\n`;
}

interface Section {
  readonly group: string;
  readonly good: readonly ReclaimChain[];
  readonly poor: readonly ReclaimChain[];
  readonly waits: readonly ReclaimWait[];
}

/** A part of the kernel that reclaim does not enter by itself (fs/quota) is shown by what is acquired there. */
function sectionOf(reclaim: Reclaim, group: string): Section {
  const own = reclaim.chainsOf(group);
  const chains = own.length > 0 ? own : reclaim.chainsInto(group);
  return {
    group,
    good: chains.filter((c) => c.believable),
    poor: chains.filter((c) => !c.believable),
    waits: reclaim.waitsOf(group),
  };
}

function write({ group, good, poor, waits }: Section): string {
  const parts = [`## ${group}`, good.map(chainItem).join('\n')];
  if (poor.length > 0) {
    parts.push(
      `Only where a constant flag argument is left out of account: ${poor.map((c) => `\`${c.lock}\``).join(', ')}.`,
    );
  }
  if (waits.length > 0) parts.push('Waits for a field:', waits.map(waitItem).join('\n'));
  return parts.filter((part) => part !== '').join('\n\n');
}

function chainItem({ lock, entry, notes, steps }: ReclaimChain): string {
  const more = notes.length > 0 ? ` (${notes.join('; ')})` : '';
  return `- \`${lock}\`: ${entry.context}${more}\n  ${entry.table}.${entry.field} → ${steps.map(stepText).join(' → ')}`;
}

function waitItem({ on, steps, wakers }: ReclaimWait): string {
  const named = wakers
    .slice(0, MAX_WAKERS)
    .map((name) => `${name}()`)
    .join(', ');
  const rest = wakers.length > MAX_WAKERS ? ` and ${wakers.length - MAX_WAKERS} more` : '';
  const end = steps.at(-1)!;
  return `- \`${on}\` in ${end.function}() ${end.file}:${end.line}, ${
    wakers.length === 0 ? 'nobody seen who wakes it' : `woken by ${named}${rest}`
  }`;
}

/** The way in which the next step was found is said where it is not a call by name. */
function stepText({ function: name, file, line, edge }: Step): string {
  const how = edge === undefined || edge === 'direct' ? '' : ` [${edge}]`;
  return `${name}() ${file}:${line}${how}`;
}
