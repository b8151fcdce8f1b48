import type { TextEdit } from '../parse/facts.js';
import { type Lexed, lex, type Token } from './tokens.js';

interface Range {
  readonly start: number;
  readonly end: number;
}

/** What it takes to remove one parameter of a function from its file. */
export interface ParameterEdits {
  /** What each call hands over for it, in the order of the text; where the function hands it on to itself, not. */
  readonly handed: readonly Range[];
  /** For heads, prototypes, calls, the uses in the body and the kernel-doc. */
  readonly edits: readonly TextEdit[];
}

/** In front of a value that is handed on as it is, or with more bits, and behind it. */
const BEFORE_VALUE: ReadonlySet<string> = new Set(['(', ',', '|']);
const BEHIND_VALUE: ReadonlySet<string> = new Set([')', ',', '|']);
/** These look at what they are given. */
const LOOKS = /^(?:if|while|for|switch|return|sizeof|gfp\w*|WARN\w*|BUG\w*|likely|unlikely)$/;

/**
 * Finds every place in the text of a file (latin1) that has to do with a parameter of a function which nobody outside of the file
 * can name.
 *
 * @param bodies the bodies of all functions of the file, among them that of the function
 * @param body that of the function
 * @param position of the parameter, 0-based
 * @param value what its uses in the body become
 * @returns undefined where not every use of the function or the parameter is understood: several definitions, a macro, an address,
 *   an assignment, a test
 */
export function parameterEdits(
  text: string,
  name: string,
  parameter: string,
  position: number,
  body: Range,
  bodies: readonly Range[],
  value: string,
): ParameterEdits | undefined {
  const lexed = lex(text, 0, text.length);
  const { tokens, directives } = lexed;
  const word = new RegExp(`\\b${name}\\b`);
  const own = new RegExp(`\\b${parameter}\\b`);
  for (const { start, end } of directives) {
    const line = text.slice(start, end);
    if (word.test(line) || (start > body.start && start < body.end && own.test(line))) return undefined;
  }
  const isIn = (range: Range, at: number): boolean => range.start <= at && at < range.end;
  const handed: Range[] = [];
  const gone: TextEdit[] = [];
  let definition: Token | undefined;
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'word' || token.text !== name) continue;
    const found = argumentsBehind(tokens, i);
    const argument = found?.ranges[position];
    if (!found || !argument) return undefined;
    const isCall = bodies.some((range) => isIn(range, token.start));
    if (isCall) {
      const same = text.slice(argument.start, argument.end) === parameter && isIn(body, token.start);
      if (!same) handed.push(argument);
    } else if (
      tokens.slice(found.next).find(({ text }) => text === '{' || text === ';')?.start === body.start
    ) {
      if (definition) return undefined;
      definition = token;
    }
    gone.push({ ...without(found.ranges, position), text: found.ranges.length > 1 || isCall ? '' : 'void' });
  }
  if (!definition) return undefined;
  const uses: TextEdit[] = [];
  for (const [i, token] of tokens.entries()) {
    if (!isIn(body, token.start) || token.text !== parameter || token.kind !== 'word') continue;
    const [before, behind] = [tokens[i - 1]!.text, tokens[i + 1]!.text];
    if (before === '.' || before === '->' || gone.some((edit) => isIn(edit, token.start))) continue;
    const outer = before === '(' ? tokens[i - 2]!.text : '';
    if (!BEFORE_VALUE.has(before) || !BEHIND_VALUE.has(behind) || LOOKS.test(outer)) return undefined;
    uses.push({ start: token.start, end: token.end, text: value });
  }
  return { handed, edits: [...gone, ...uses, ...docLines(text, lexed, definition, parameter)] };
}

/** The ranges between the parentheses behind a word, and the place of the token behind these; undefined where none follow. */
function argumentsBehind(
  tokens: readonly Token[],
  at: number,
): { readonly ranges: Range[]; readonly next: number } | undefined {
  if (tokens[at + 1]?.text !== '(') return undefined;
  const ranges: Range[] = [];
  let depth = 0;
  let first = at + 2;
  for (let i = at + 1; i < tokens.length; i++) {
    const { text } = tokens[i]!;
    if (text === '(' || text === '[' || text === '{') depth++;
    else if (text === ')' || text === ']' || text === '}') depth--;
    if (depth > 1 || (depth === 1 && text !== ',')) continue;
    if (i > first) ranges.push({ start: tokens[first]!.start, end: tokens[i - 1]!.end });
    if (depth === 0) return { ranges, next: i + 1 };
    first = i + 1;
  }
  return undefined;
}

/** One of several with the comma in front of it; the first with the one behind. */
function without(ranges: readonly Range[], position: number): Range {
  const { start, end } = ranges[position]!;
  if (position > 0) return { start: ranges[position - 1]!.end, end };
  return { start, end: ranges[1]?.start ?? end };
}

/** The lines of the kernel-doc in front of a definition that describe the parameter. */
function docLines(text: string, { comments }: Lexed, definition: Token, parameter: string): TextEdit[] {
  const comment = comments.findLast(({ end }) => end <= definition.start);
  if (!comment || !text.startsWith('/**', comment.start)) return [];
  if (/[;{}]/.test(text.slice(comment.end, definition.start))) return [];
  const doc = text.slice(comment.start, comment.end);
  // A description ends where the next one, an empty line or the comment's end comes.
  const lines = new RegExp(
    `^[ \\t]*\\*[ \\t]*@${parameter}:.*\\r?\\n(?:(?![ \\t]*\\*[ \\t]*(?:@|/|\\r?\\n))[ \\t]*\\*.*\\r?\\n)*`,
    'm',
  ).exec(doc);
  if (!lines) return [];
  const start = comment.start + lines.index;
  return [{ start, end: start + lines[0].length, text: '' }];
}
