/**
 * The lexical layer of the renderer: tokens, comments and preprocessor lines of a range of C text.
 * It reads the original bytes (latin1), not the masked text the parser works on, because what the
 * renderer must get right is the layout a person sees: lines, comments, `#if` lines, indentation.
 */

export interface Token {
  readonly kind: 'word' | 'string' | 'punct';
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Comment {
  readonly start: number;
  readonly end: number;
}

export interface Directive {
  /** Offset of the `#`. */
  readonly start: number;
  /** Offset of the newline that ends it (continuation lines included), or the end of the range. */
  readonly end: number;
  /** `if`, `ifdef`, `else`, `include`, … */
  readonly name: string;
}

export interface Lexed {
  readonly tokens: readonly Token[];
  readonly comments: readonly Comment[];
  readonly directives: readonly Directive[];
}

const WORD = /[A-Za-z0-9_$\x80-\xff]/;

/** Token texts are single characters but for words, literals and `->` and `::`, which is all that the readers need. */
export function lex(text: string, start: number, end: number): Lexed {
  const tokens: Token[] = [];
  const comments: Comment[] = [];
  const directives: Directive[] = [];
  let lineHasToken = false;
  let at = start;
  const push = (kind: Token['kind'], to: number): void => {
    tokens.push({ kind, start: at, end: to, text: text.slice(at, to) });
    lineHasToken = true;
    at = to;
  };
  while (at < end) {
    const c = text[at]!;
    if (c === '\n') {
      lineHasToken = false;
      at++;
    } else if (c === ' ' || c === '\t' || c === '\r' || c === '\f' || c === '\v' || c === '\\') {
      at++;
    } else if (c === '/' && (text[at + 1] === '*' || text[at + 1] === '/')) {
      const to = Math.min(end, commentEnd(text, at));
      comments.push({ start: at, end: to });
      at = to;
    } else if (c === '#' && !lineHasToken) {
      const to = Math.min(end, directiveEnd(text, at));
      const name = /^#[ \t]*([a-z_]*)/.exec(text.slice(at, to))?.[1] ?? '';
      directives.push({ start: at, end: to, name });
      at = to;
    } else if (c === '"' || c === "'") {
      push('string', Math.min(end, literalEnd(text, at)));
    } else if (WORD.test(c)) {
      let to = at + 1;
      while (to < end && WORD.test(text[to]!)) to++;
      push('word', to);
    } else {
      const two = text.slice(at, at + 2);
      push('punct', two === '->' || two === '::' ? at + 2 : at + 1);
    }
  }
  return { tokens, comments, directives };
}

/** End of the comment at `at`: past the closing delimiter, or the newline (not included) of a line comment. */
export function commentEnd(text: string, at: number): number {
  if (text[at + 1] === '*') {
    const close = text.indexOf('*/', at + 2);
    return close < 0 ? text.length : close + 2;
  }
  let newline = at;
  do {
    newline = text.indexOf('\n', newline + 1);
  } while (newline >= 0 && endsWithBackslash(text, newline));
  return newline < 0 ? text.length : text[newline - 1] === '\r' ? newline - 1 : newline;
}

/** End of a string or character literal that opens at `at`; one that is not closed ends with its line. */
function literalEnd(text: string, at: number): number {
  const quote = text[at];
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === quote) return i + 1;
    else if (text[i] === '\n') return i;
  }
  return text.length;
}

/** A directive goes on past a backslash at the end of the line and past a block comment over several lines. */
function directiveEnd(text: string, at: number): number {
  for (let i = at; i < text.length; i++) {
    const c = text[i];
    if (c === '\n' && !endsWithBackslash(text, i)) return i;
    if (c === '"') i = literalEnd(text, i) - 1;
    else if (c === '/' && text[i + 1] === '*') i = commentEnd(text, i) - 1;
    else if (c === '/' && text[i + 1] === '/') i = commentEnd(text, i) - 1;
  }
  return text.length;
}

/** Whether the line that ends with the newline at `newline` is continued on the next one. */
export function endsWithBackslash(text: string, newline: number): boolean {
  return text[newline - 1] === '\\' || (text[newline - 1] === '\r' && text[newline - 2] === '\\');
}

/** Offset of the first character of the line that `at` is on. */
export function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1;
}

/** The blanks that the line of `at` begins with. */
export function lineIndent(text: string, at: number): string {
  const start = lineStart(text, at);
  let to = start;
  while (text[to] === ' ' || text[to] === '\t') to++;
  return text.slice(start, to);
}

/** Columns that `text` takes on a terminal with tab stops at every eighth column, starting at column `from`. */
export function columns(text: string, from = 0): number {
  let column = from;
  for (const c of text) column = c === '\t' ? column - (column % 8) + 8 : column + 1;
  return column;
}
