import { createHash } from 'node:crypto';

/** Characters of what `senseOf` returns. */
export const SENSE_LENGTH = 22;

const LITERAL_OR_COMMENT =
  /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g;
/** White space that no comment is needed for. */
const FILLER = '\v';

/**
 * A digest of the code lines of a file: what stands in them up to a comment that ends the line, without lines that hold comments and white space
 * alone. Files with the same one say the same, at the same columns, line by line.
 */
export function senseOf(text: string): string {
  const filled = text.replace(LITERAL_OR_COMMENT, (part) =>
    part[0] === '/' ? part.replace(/[^\n]/g, FILLER) : part,
  );
  const digest = createHash('sha256');
  for (let start = 0; start < text.length; ) {
    const newline = filled.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    let last = end;
    while (last > start && /\s/.test(filled[last - 1]!)) last--;
    // A comment with code behind it stays: the columns are to be the same.
    if (last > start) digest.update(`${text.slice(start, last)}\n`, 'latin1');
    start = end + 1;
  }
  return digest.digest('base64url').slice(0, SENSE_LENGTH);
}
