import pc from 'picocolors';
import type { Finding } from '../analysis/report.js';
import type { Compared } from './check-baseline.js';
import { counted } from './scan-listing.js';

/** `file:line:column: level: message [rule]`, as compilers write, with the chain below; then the totals. */
export function checkText({ fresh, known, gone }: Compared, options: { readonly colour: boolean }): string {
  const colours = pc.createColors(options.colour);
  const paint = { error: colours.red, warning: colours.yellow, note: colours.cyan };
  const lines = fresh.flatMap((finding) => [
    `${colours.bold(placeOf(finding))}: ${paint[finding.level](finding.level)}: ${finding.message} ${colours.dim(`[${finding.rule}]`)}`,
    ...finding.related.map((step) => `    ${step.file}:${step.line}: ${step.function}()`),
  ]);
  const rules = new Map<string, number>();
  for (const { rule } of fresh) rules.set(rule, (rules.get(rule) ?? 0) + 1);
  const byRule = [...rules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([rule, n]) => `${n} ${rule}`);
  const total =
    fresh.length === 0 ? 'no findings' : `${counted(fresh.length, 'finding')}: ${byRule.join(', ')}`;
  const rest = [
    ...(known > 0 ? [`${known} more in the baseline`] : []),
    ...(gone > 0 ? [`${gone} of the baseline gone`] : []),
  ];
  return `${[...lines, [total, ...rest].join('; ')].join('\n')}\n`;
}

function placeOf({ file, line, column, function: name }: Finding): string {
  return `${file}:${line}:${column}${name === null ? '' : `: ${name}()`}`;
}
