import type { Reclaim, ReclaimChain } from '../analysis/reclaim.js';
import type { Step } from '../analysis/report.js';

/** The lock classes that one part of the kernel's reclaim blocks on, as a section of Markdown. */
export function reclaimSection(reclaim: Reclaim, group: string): string {
  const chains = reclaim.chainsOf(group);
  const lines = [`## ${group}`, '', `${count(chains.length, 'lock class', 'lock classes')}.`, ''];
  for (const chain of chains) lines.push(...item(chain));
  return lines.join('\n').trimEnd();
}

/** `n` of a thing, in words a sentence can start with. */
function count(n: number, one: string, many: string): string {
  return n === 0 ? `No ${one}` : `${n} ${n === 1 ? one : many}`;
}

function item(chain: ReclaimChain): string[] {
  const notes = chain.notes.length > 0 ? ` (${chain.notes.join('; ')})` : '';
  return [
    `- \`${chain.lock}\`: ${chain.entry.context}${notes}`,
    `  - ${chain.entry.table}.${chain.entry.field} → ${chain.steps.map(step).join(' → ')}`,
  ];
}

/** The edge that leads on is said where it is not a plain call. */
function step(at: Step): string {
  const how = at.edge === undefined || at.edge === 'direct' ? '' : ` [${at.edge}]`;
  return `\`${at.function}\` ${at.file}:${at.line}${how}`;
}
