import { createHash } from 'node:crypto';
import { structuredPatch } from 'diff';
import pc from 'picocolors';
import type { FileChange } from '../edit/plan.js';

export interface DiffOptions {
  /** Colours as `git diff` has them on a terminal. */
  readonly colour?: boolean;
  /** Git's mode of a file, `100644` or `100755`, for its `index` line; without it the mode is left out. */
  readonly mode?: (file: string) => string;
}

/** Lines of context, as `git diff` has by default. */
const CONTEXT = 3;

/** Hex digits of a blob's name in an `index` line: what git takes in a repository of the kernel's size. */
const ABBREVIATION = 12;

/** Git keeps no more than this many bytes of a function name line in a hunk header. */
const HEADING = 80;

/**
 * The changes as `git diff` writes them, in the order given; a file that is the same before and after is
 * left out. A latin1 string like the contents: written out as latin1, every byte of the files survives.
 */
export function unifiedDiff(changes: readonly FileChange[], options: DiffOptions = {}): string {
  return changes.map((change) => fileDiff(change, options)).join('');
}

/** `unifiedDiff` of one file. */
export function fileDiff(change: FileChange, options: DiffOptions = {}): string {
  const { file, before, after } = change;
  if (before === after) return '';
  const colours = pc.createColors(options.colour ?? false);
  const mode = options.mode ? ` ${options.mode(file)}` : '';
  const from = quoteName(`a/${file}`);
  const to = quoteName(`b/${file}`);
  const header = [
    `diff --git ${from} ${to}`,
    `index ${blobName(before)}..${blobName(after)}${mode}`,
    // Git ends a name with a tab where a space would make its end unclear.
    `--- ${from}${from.includes(' ') ? '\t' : ''}`,
    `+++ ${to}${to.includes(' ') ? '\t' : ''}`,
  ];
  const lines = header.map((line) => `${colours.bold(line)}\n`);

  const headings = headingsOf(before);
  // `structuredPatch` writes a missing last newline as git does.
  for (const hunk of structuredPatch(file, file, before, after, '', '', { context: CONTEXT }).hunks) {
    const range = `@@ -${rangeOf(hunk.oldStart, hunk.oldLines)} +${rangeOf(hunk.newStart, hunk.newLines)} @@`;
    const heading = headings(hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1);
    lines.push(`${colours.cyan(range)}${heading === '' ? '' : ` ${heading}`}\n`);
    for (const line of hunk.lines) {
      if (line.startsWith('+')) lines.push(`${colours.green(line)}\n`);
      else if (line.startsWith('-')) lines.push(`${colours.red(line)}\n`);
      else lines.push(`${line}\n`);
    }
  }
  return lines.join('');
}

/**
 * A name in a diff, as git writes it with `core.quotePath` on: in double quotes with C escapes, the bytes
 * of UTF-8 in octal, if it has a control character, a quote, a backslash or a byte beyond ASCII.
 */
export function quoteName(name: string): string {
  const bytes = Buffer.from(name);
  if (!bytes.some((byte) => byte < 0x20 || byte >= 0x7f || byte === 0x22 || byte === 0x5c)) return name;
  let quoted = '';
  for (const byte of bytes) {
    const short = ESCAPES.get(byte);
    if (short !== undefined) quoted += short;
    else if (byte < 0x20 || byte >= 0x7f) quoted += `\\${byte.toString(8).padStart(3, '0')}`;
    else quoted += String.fromCharCode(byte);
  }
  return `"${quoted}"`;
}

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0b, '\\v'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);

function rangeOf(start: number, lines: number): string {
  // Git leaves out a count of one, and names the line before an empty range.
  if (lines === 1) return String(start);
  return `${lines === 0 ? start - 1 : start},${lines}`;
}

/** Abbreviated name that git gives to these bytes. */
function blobName(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  return createHash('sha1')
    .update(`blob ${bytes.length}\0`)
    .update(bytes)
    .digest('hex')
    .slice(0, ABBREVIATION);
}

/**
 * Gives the text that follows the second `@@` of a hunk: the last line that names a function among the
 * first `count` lines of the file, by the rule of git's driver `cpp` (userdiff.c), which the kernel's
 * `.gitattributes` chooses for `.c` and `.h`.
 */
function headingsOf(text: string): (count: number) => string {
  const lines = text.split('\n');
  return (count) => {
    for (let i = Math.min(count, lines.length) - 1; i >= 0; i--) {
      const line = lines[i]!;
      // A label or an access specifier is none.
      if (/^[ \t]*[A-Za-z_][A-Za-z_0-9]*:[ \t\r\f\v]*($|\/[/*])/.test(line)) continue;
      if (/^(::[ \t\r\f\v]*)?[A-Za-z_]/.test(line))
        return line.slice(0, HEADING).replace(/[ \t\r\f\v]+$/, '');
    }
    return '';
  };
}
