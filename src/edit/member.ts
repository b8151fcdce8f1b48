import type { TextEdit } from '../parse/facts.js';
import { type Comment, type Lexed, lex, lineStart, type Token } from './tokens.js';

/** A new member of a struct. */
export interface NewMember {
  readonly name: string;
  readonly edits: readonly TextEdit[];
}

/** One member as it is declared, alone on its line. */
interface Member {
  readonly name: string;
  /** Offsets of the declaration's first character and of that behind its `;`. */
  readonly start: number;
  readonly end: number;
  readonly isWord: boolean;
}

/** Types as large as what a save returns: a new member beside one of these leaves the fewest holes. */
const WORD = /^(?:unsigned (?=\w+$)|(?:unsigned )?int |u32 |s32 |__u32 |gfp_t |refcount_t |atomic_t )/;

/**
 * Where an `unsigned int` can be declared in a struct, named `stem` with the prefix that its members have, and described where they are
 * (`@member:` in a comment above).
 *
 * @param text content of the file, offsets are into it
 * @returns undefined where the struct is not found, or has no member alone on its line outside of an `#if`
 */
export function newMember(text: string, tag: string, stem: string): NewMember | undefined {
  const lexed = lex(text, 0, text.length);
  const { tokens } = lexed;
  const opening = tokens.findIndex(
    ({ text: word }, i) => word === 'struct' && tokens[i + 1]?.text === tag && tokens[i + 2]?.text === '{',
  );
  if (opening < 0) return undefined;
  const members = membersOf(text, lexed, opening + 2);
  const beside = members.findLast(({ isWord }) => isWord) ?? members.at(-1);
  if (!beside) return undefined;
  const name = `${commonPrefix(members)}${stem}`;
  if (members.some((member) => member.name === name)) return undefined;
  const eol = text[text.indexOf('\n', beside.end) - 1] === '\r' ? '\r\n' : '\n';
  const from = lineStart(text, beside.start);
  const indent = text.slice(from, beside.start);
  const at = text.indexOf('\n', beside.end) + 1;
  const line = `${indent}unsigned int${gapBefore(text, beside)}${name};${eol}`;
  const described = description(text, lexed.comments, tokens[opening]!.start, beside, name, eol);
  return { name, edits: [...(described ? [described] : []), { start: at, end: at, text: line }] };
}

/** Members declared alone on their lines, outside of inner structs and of `#if`s. */
function membersOf(text: string, { tokens, directives }: Lexed, brace: number): Member[] {
  const out: Member[] = [];
  let depth = 0;
  let first: Token | undefined;
  for (let i = brace; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.text === '{' || token.text === '(') depth++;
    else if (token.text === '}' || token.text === ')') {
      depth--;
      if (depth === 0) break;
    }
    if (i === brace) continue;
    first ??= token;
    if (token.text !== ';' || depth !== 1) continue;
    const declaration = text.slice(first.start, token.start);
    const name = /(\w+)(?:\s*(?:\[[^\]]*\]|:\s*\d+))*\s*$/.exec(declaration)?.[1];
    const isAlone =
      text.slice(lineStart(text, first.start), first.start).trim() === '' &&
      !declaration.includes('\n') &&
      /^[ \t]*(?:\/\*.*?\*\/[ \t]*)?\r?\n/.test(text.slice(token.end));
    let nesting = 0;
    for (const directive of directives) {
      if (directive.start < tokens[brace]!.start || directive.start > token.start) continue;
      if (/^if/.test(directive.name)) nesting++;
      else if (directive.name === 'endif') nesting--;
    }
    if (name !== undefined && isAlone && nesting === 0) {
      const isWord = WORD.test(declaration.replace(/\s+/g, ' ')) && !/[*[:]/.test(declaration);
      out.push({ name, start: first.start, end: token.end, isWord });
    }
    first = undefined;
  }
  return out;
}

/** `tr_` where most members begin with it. */
function commonPrefix(members: readonly Member[]): string {
  const counts = new Map<string, number>();
  for (const { name } of members) {
    const prefix = /^[a-z]\w*?_/.exec(name)?.[0];
    if (prefix !== undefined) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most && most[1] > 1 && most[1] * 3 > members.length * 2 ? most[0] : '';
}

/** The blanks between type and name, so that the name stands in the column of its neighbour's. */
function gapBefore(text: string, { start, end, name }: Member): string {
  const declaration = text.slice(start, end);
  const column = columnsOf(declaration.slice(0, declaration.lastIndexOf(name)));
  if (!declaration.includes('\t')) return ' ';
  let gap = '';
  for (let at = 'unsigned int'.length; at < column; at = (Math.floor(at / 8) + 1) * 8) gap += '\t';
  return gap === '' ? ' ' : gap;
}

/** Columns from the indentation on, which is one tab. */
function columnsOf(text: string): number {
  let column = 0;
  for (const c of text) column = c === '\t' ? (Math.floor(column / 8) + 1) * 8 : column + 1;
  return column;
}

/** A line for the new member behind the neighbour's in the kernel-doc comment of the struct. */
function description(
  text: string,
  comments: readonly Comment[],
  struct: number,
  beside: Member,
  name: string,
  eol: string,
): TextEdit | undefined {
  const comment = comments.findLast(({ end }) => end <= struct && text.slice(end, struct).trim() === '');
  if (!comment || !text.startsWith('/**', comment.start)) return undefined;
  const body = text.slice(comment.start, comment.end);
  const entry = new RegExp(
    `^[ \\t]*\\*[ \\t]*@${beside.name}:[^\\n]*\\n(?:[ \\t]*\\*[ \\t]+[^@\\s][^\\n]*\\n)*`,
    'm',
  ).exec(body);
  if (!entry) return undefined;
  const at = comment.start + entry.index + entry[0].length;
  const lead = /^[ \t]*\*[ \t]*/.exec(entry[0])![0];
  return { start: at, end: at, text: `${lead}@${name}: what the save for this transaction returned${eol}` };
}
