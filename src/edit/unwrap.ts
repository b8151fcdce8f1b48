import type { TextEdit } from '../parse/facts.js';
import type { ScopeRemoval, StatementRange } from './plan.js';
import { lex, lineStart } from './tokens.js';

/**
 * Takes the scope away that is around one statement: its save with the comment in front of it, its restore, and the variable. Works on
 * whole lines of the original bytes (latin1).
 *
 * @param body the `{…}` of the function
 * @returns undefined where a line holds something else as well, an `#if` is in the way, or the variable has another use
 */
export function unwrapEdits(
  text: string,
  body: StatementRange,
  variable: string,
  save: StatementRange,
  restore: StatementRange,
): Pick<ScopeRemoval, 'edits' | 'gap'> | undefined {
  const { tokens, comments, directives } = lex(text, body.start, body.end);
  const isAmong = ({ start }: StatementRange): boolean => save.start <= start && start < restore.end;
  if (directives.some((d) => isAmong(d) || new RegExp(`\\b${variable}\\b`).test(text.slice(d.start, d.end))))
    return undefined;
  const uses = tokens.filter((token) => token.kind === 'word' && token.text === variable);
  const elsewhere = uses.filter(({ start }) => !isIn(save, start) && !isIn(restore, start));
  const ranges: StatementRange[] = [save, restore];
  const declared = text.slice(save.start, save.end).startsWith('unsigned');
  if (elsewhere.length !== (declared ? 0 : 1) || uses.length !== (declared ? 2 : 3)) return undefined;
  for (const { start } of elsewhere) {
    const declaration = /^unsigned(?: int| long)?[ \t]+$/.exec(
      text.slice(lineStart(text, start), start).trimStart(),
    );
    const end = /^\w+(?:\s*=\s*0)?\s*;/.exec(text.slice(start))?.[0].length;
    if (!declaration || end === undefined) return undefined;
    ranges.push({ start: start - declaration[0].length, end: start + end });
  }
  // The comment says why the scope is there.
  const comment = comments.findLast(({ end }) => end <= save.start);
  if (comment && /^[ \t]*\r?\n[ \t]*$/.test(text.slice(comment.end, save.start))) ranges.push(comment);
  const lines: TextEdit[] = [];
  for (const range of ranges) {
    const start = lineStart(text, range.start);
    const newline = text.indexOf('\n', range.end);
    if (newline < 0 || text.slice(start, range.start).trim() || text.slice(range.end, newline).trim())
      return undefined;
    lines.push({ start, end: newline + 1, text: '' });
  }
  return withoutGaps(text, lines, body.start);
}

function isIn(range: StatementRange, at: number): boolean {
  return range.start <= at && at < range.end;
}

/** Takes an empty line away, too, that would stand behind another one or at the beginning of a block. */
function withoutGaps(
  text: string,
  lines: readonly TextEdit[],
  body: number,
): Pick<ScopeRemoval, 'edits' | 'gap'> {
  const edits: { start: number; end: number; text: string }[] = [];
  for (const line of [...lines].sort((a, b) => a.start - b.start)) {
    const last = edits.at(-1);
    if (last && last.end === line.start) last.end = line.end;
    else edits.push({ ...line });
  }
  let gap: TextEdit | undefined;
  for (const edit of edits) {
    const before = text.slice(lineStart(text, edit.start - 1), edit.start).trimEnd();
    const behind = /^[ \t]*\r?\n/.exec(text.slice(edit.end));
    if (!behind || (before !== '' && !before.endsWith('{'))) continue;
    const end = edit.end + behind[0].length;
    if (lineStart(text, edit.start - 1) === lineStart(text, body)) gap = { start: edit.end, end, text: '' };
    else edit.end = end;
  }
  return { edits, ...(gap ? { gap } : {}) };
}
