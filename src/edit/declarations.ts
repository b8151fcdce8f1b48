import type { FunctionText, Statement } from './statements.js';
import { columns, lineIndent, lineStart } from './tokens.js';

/** The declarations that a block begins with. */
export function leadingDeclarations(block: Statement): Statement[] {
  const end = block.children.findIndex((s) => s.kind !== 'declaration');
  return block.children.slice(0, end < 0 ? undefined : end);
}

/**
 * The declaration after which one of `width` columns belongs, or `null` for the front of the block.
 * Where the present declarations go from long to short (reverse Christmas tree) it takes its place by
 * length, else it comes last. Never inside an `#if`.
 */
export function declarationBefore(
  text: string,
  fn: FunctionText,
  declarations: readonly Statement[],
  width: number,
): Statement | null {
  const outside = declarations.filter(
    (d) => fn.conditionalDepth(d.start) === 0 && fn.conditionalDepth(d.end) === 0,
  );
  const widths = outside.map((d) => declarationWidth(text, d));
  const falls = widths.length > 1 && widths.every((w, i) => i === 0 || w <= widths[i - 1]!);
  if (!falls || widths[0] === widths.at(-1)) return outside.at(-1) ?? null;
  const shorter = widths.findIndex((w) => w < width);
  return (shorter < 0 ? outside.at(-1) : outside[shorter - 1]) ?? null;
}

/** Columns of the longest line of a declaration, its indentation not counted. */
function declarationWidth(text: string, declaration: Statement): number {
  const indent = columns(lineIndent(text, declaration.start));
  const whole = text.slice(lineStart(text, declaration.start), declaration.end);
  return Math.max(...whole.split('\n').map((line) => columns(line.trimEnd()) - indent));
}
