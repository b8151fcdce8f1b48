import pc from 'picocolors';
import type { Verdict } from '../analysis/report.js';

/** How the listings for a reader are laid out. */

/**
 * Rows of cells as lines, columns aligned with two spaces between; the last cell of a row is not padded.
 * `paint` may colour a cell after its width was taken; the columns in `right` are aligned to the right.
 */
export function columns(
  rows: readonly (readonly string[])[],
  paint: (cell: string, row: readonly string[], column: number) => string = (cell) => cell,
  right: readonly number[] = [],
): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return rows
    .map((row) => {
      const cells = row.map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - cell.length);
        const painted = paint(cell, row, column);
        if (right.includes(column)) return padding + painted;
        return column === row.length - 1 ? painted : painted + padding;
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** Gives each verdict its colour: green is downgraded, yellow stays, red is for somebody to look at. */
export function verdictColour(colour: boolean): (verdict: Verdict, text: string) => string {
  const { green, yellow, red } = pc.createColors(colour);
  return (verdict, text) => {
    switch (verdict) {
      case 'covered':
      case 'scopable':
      case 'task':
        return green(text);
      case 'lock-free':
      case 'partial':
        return yellow(text);
      case 'opaque':
        return red(text);
    }
  };
}

/** `1 site`, `2 sites`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Source text in a line of its own kind: white space in one blank, no other control characters. */
export function oneLine(text: string): string {
  let line = '';
  for (const char of text) line += char < ' ' || (char >= '\x7f' && char < '\xa0') ? ' ' : char;
  return line.replace(/ +/g, ' ').trim();
}
