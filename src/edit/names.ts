import type { Api } from '../kernel/types.js';

/** `nofs_flags` or `noio_flags`, with a number from the second on. */
export function flagsName(api: Api, number: number): string {
  return `${api}_flags${number === 1 ? '' : number}`;
}

/**
 * Whether `name` cannot be declared in the function whose body is [bodyStart, bodyEnd): used in the
 * function (its parameters too), or visible to it from the file's top level. The kernel writes file-scope
 * declarations and macros from the first column on, so an identifier on such a line, or on a continued
 * one of a directive, counts as visible; one on an indented line is local to some other function.
 */
export function isNameTaken(text: string, name: string, bodyStart: number, bodyEnd: number): boolean {
  const headerStart = Math.max(text.lastIndexOf('\n}', bodyStart), text.lastIndexOf(';', bodyStart), 0);
  const word = new RegExp(`(?<![\\w$])${name}(?![\\w$])`, 'g');
  for (const match of text.matchAll(word)) {
    if (match.index >= headerStart && match.index < bodyEnd) return true;
    let line = text.lastIndexOf('\n', match.index - 1);
    while (line > 0 && /\\\r?$/.test(text.slice(Math.max(0, line - 2), line))) {
      line = text.lastIndexOf('\n', line - 1);
    }
    if (/^(?:\S|[ \t]*#)/.test(text.slice(line + 1, match.index + 1))) return true;
  }
  return false;
}
