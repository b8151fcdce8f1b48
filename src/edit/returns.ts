import type MagicString from 'magic-string';
import { declarationBefore, leadingDeclarations } from './declarations.js';
import type { Layout } from './layout.js';
import { flagsName, isNameTaken } from './names.js';
import type { ScopePoint } from './plan.js';
import type { EditRefused } from './refusal.js';
import type { FunctionText, Statement } from './statements.js';
import { columns, lineIndent, lineStart } from './tokens.js';

/** Behind the lines that restore. */
const LAST = [1];

/** What the kernel calls the value that a function is to return, the commonest first. */
const RESULTS = ['ret', 'err', 'error', 'rc', 'retval', 'result', 'res', 'status'];

/** Words in front of a function that are no part of its type. */
const NO_TYPE =
  /^(?:static|extern|inline|__inline|__inline__|noinline\w*|asmlinkage|notrace|__always_inline|__\w*init\w*|__\w*exit\w*|__must_check|__maybe_unused|__cold|__sched|__pure|__no\w+)$/;

const RETURN = /^return\b[ \t]*/;

/** Is the point the one between the value of a `return` and the return? */
export function isSplitReturn(text: string, { at, statement }: ScopePoint): boolean {
  return at === 'after' && RETURN.test(text.slice(statement.start, statement.end));
}

/**
 * Makes `ret = f(); return ret;` of each `return f();`, with room for lines between the two. The variable is one of the function's that has the
 * type and a usual name: nobody looks at it any more. Else there is a new one.
 */
export function splitReturns(
  out: MagicString,
  text: string,
  fn: FunctionText,
  layout: Layout,
  returns: readonly Statement[],
  refuse: (offset: number, reason: string) => EditRefused,
): void {
  const type = returnType(text, fn.root.start);
  if (type === undefined) throw refuse(fn.root.start, 'the type of the function is not understood');
  const name = type === 'void' ? '' : (resultOf(text, fn, type) ?? declareResult(text, fn, layout, type));
  for (const statement of returns) {
    const old = RETURN.exec(text.slice(statement.start, statement.end))![0];
    const instead = name === '' ? '' : `${name} = `;
    out.update(statement.start, statement.start + old.length, instead);
    realign(out, text, statement, instead.length - old.length);
    layout.after(statement, [name === '' ? 'return;' : `return ${name};`], LAST);
  }
}

/** `int`, `struct inode *`: what stands before the name of the function whose body begins at `start`. */
function returnType(text: string, start: number): string | undefined {
  const closed = text.lastIndexOf('\n}', start);
  const from = Math.max(closed < 0 ? 0 : closed + 2, text.lastIndexOf(';', start) + 1);
  const head = text
    .slice(from, start)
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*|^[ \t]*#.*(?:\\\r?\n.*)*/gm, ' ')
    .trim();
  const match = /^([\w\s]+?)\s*(\**)\s*\b\w+\s*\(/.exec(head);
  if (!match) return undefined;
  const words = match[1]!.split(/\s+/).filter((word) => !NO_TYPE.test(word));
  if (words.length === 0) return undefined;
  const pointers = match[2]!;
  return pointers === '' ? words.join(' ') : `${words.join(' ')} ${pointers}`;
}

/** The variable of that type and a usual name among the declarations that the function begins with. */
function resultOf(text: string, fn: FunctionText, type: string): string | undefined {
  const [, base, pointers] = /^(.*?) ?(\**)$/.exec(type)!;
  const leading = leadingDeclarations(fn.root);
  // A block may have another variable of that name.
  const inner = fn.statements.filter((s) => s.kind === 'declaration' && !leading.includes(s));
  const isHidden = (name: string): boolean =>
    inner.some(({ start, end }) => new RegExp(`\\b${name}\\b`).test(text.slice(start, end)));
  const names = leading.flatMap(({ start, end }) => {
    const declaration = text.slice(start, end);
    const head = new RegExp(`^${base!.replaceAll(' ', '\\s+')}\\s`).exec(declaration);
    if (!head || fn.conditionalDepth(start) > 0) return [];
    // `int err = f(a, b), *p;`: what stands in parentheses and braces declares nothing.
    let list = declaration.slice(head[0].length, -1);
    for (let before = ''; before !== list; ) {
      before = list;
      list = list.replace(/\([^()]*\)|\{[^{}]*\}/g, '');
    }
    return list.split(',').flatMap((declarator) => {
      const found = /^\s*(\**)\s*(\w+)\s*(?:=|$)/.exec(declarator);
      return found && found[1] === pointers ? [found[2]!] : [];
    });
  });
  return RESULTS.find((name) => names.includes(name) && !isHidden(name));
}

function declareResult(text: string, fn: FunctionText, layout: Layout, type: string): string {
  const { start, end } = fn.root;
  let name = RESULTS[0]!;
  for (let i = 1; isNameTaken(text, name, start, end); i++) name = RESULTS[i] ?? `${RESULTS[0]}${i}`;
  const declarations = leadingDeclarations(fn.root);
  const line = type.endsWith('*') ? `${type}${name};` : `${type} ${name};`;
  // Among the variables of the scopes the longest comes first.
  const index = line.length > `unsigned int ${flagsName('nofs', 1)};`.length ? -1 : Number.MAX_SAFE_INTEGER;
  layout.declare(fn.root, declarationBefore(text, fn, declarations, line.length), line, index);
  return name;
}

/** Moves the further lines of a statement that are aligned with a parenthesis in its first one. */
function realign(out: MagicString, text: string, { start, end }: Statement, by: number): void {
  let newline = text.indexOf('\n', start);
  const first = text.slice(lineStart(text, start), newline);
  const aligned = new Set([...first.matchAll(/\(/g)].map(({ index }) => columns(first.slice(0, index + 1))));
  while (newline >= 0 && newline < end) {
    const from = newline + 1;
    newline = text.indexOf('\n', from);
    const indent = lineIndent(text, from);
    if (!aligned.has(columns(indent))) continue;
    const to = columns(indent) + by;
    out.update(from, from + indent.length, '\t'.repeat(Math.floor(to / 8)) + ' '.repeat(to % 8));
  }
}
