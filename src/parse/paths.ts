import { TRANSPARENT } from '../kernel/expressions.js';
import { type Cst, childByField, children, firstChar, textOf } from './cst.js';
import type { Path } from './facts.js';

/** Longest access path kept; what is longer is of no use for typing and is dropped. */
const MAX_PATH = 240;

/** A constant by its name, or several with `|` between them. */
const FLAGS = /^~?v:_*[A-Z][A-Z0-9_]*(?:\|_*[A-Z][A-Z0-9_]*)*$/;

/**
 * The access path of an expression (see `facts.ts`). `original` is the text before mending: the
 * `struct` of a type argument is blank in the parsed text and is looked up there.
 */
export function pathOf(cst: Cst, node: number, original: string): Path {
  const path = rawPath(cst, node, original);
  return path.length > MAX_PATH ? '' : path;
}

function rawPath(cst: Cst, node: number, original: string): Path {
  switch (cst.type[node]) {
    case 'identifier':
    case 'type_identifier':
      // `struct` before a name is blank in the parsed text: a type that stands as an argument.
      if (
        /\b(?:struct|union|enum)\s+$/.test(
          original.slice(Math.max(0, cst.start[node]! - 10), cst.start[node]!),
        )
      )
        return `t:${textOf(cst, node)}`;
      return constant(textOf(cst, node)) ?? `v:${textOf(cst, node)}`;
    case 'field_identifier':
      return `v:${textOf(cst, node)}`;
    case 'null':
    case 'false':
      return '#0';
    case 'true':
      return '#pos';
    case 'string_literal':
    case 'concatenated_string':
      return '#str';
    case 'number_literal': {
      const text = textOf(cst, node);
      // tree-sitter takes a sign into the literal where it can.
      return /^[-+]?0[xX]?0*[uUlL]*$/.test(text) ? '#0' : text[0] === '-' ? '#neg' : '#pos';
    }
    case 'unary_expression': {
      const operand = childByField(cst, node, 'argument');
      return firstChar(cst, node) === '-' && operand >= 0 && isConstant(cst, operand) ? '#neg' : '';
    }
    case 'field_expression': {
      const base = rawPath(cst, childByField(cst, node, 'argument'), original);
      const field = childByField(cst, node, 'field');
      return base === '' || base[0] === '#' || field < 0
        ? ''
        : `${base.replace(/^&/, '')} ${textOf(cst, field)}`;
    }
    case 'subscript_expression':
      return rawPath(cst, childByField(cst, node, 'argument'), original);
    case 'pointer_expression': {
      const inner = rawPath(cst, childByField(cst, node, 'argument'), original);
      // `&x` of a plain variable is kept apart: the callee may write to it.
      return firstChar(cst, node) === '&' && /^v:\w+$/.test(inner) ? `&${inner}` : inner;
    }
    case 'parenthesized_expression': {
      const [inner, more] = children(cst, node).filter((c) => !'()'.includes(cst.type[c]!));
      return inner === undefined || more !== undefined ? '' : rawPath(cst, inner, original);
    }
    case 'cast_expression': {
      const tag = structTag(cst, childByField(cst, node, 'type'), original);
      const value = childByField(cst, node, 'value');
      return tag === '' ? rawPath(cst, value, original) : `t:${tag}`;
    }
    case 'call_expression':
      return callPath(cst, node, original);
    case 'conditional_expression': {
      const yes = childByField(cst, node, 'consequence');
      const first = yes < 0 ? '' : rawPath(cst, yes, original);
      return first !== '' && first[0] !== '#'
        ? first
        : rawPath(cst, childByField(cst, node, 'alternative'), original);
    }
    case 'assignment_expression':
      return rawPath(cst, childByField(cst, node, 'left'), original);
    case 'binary_expression': {
      // `mask | X`: derived from a variable, not equal to it.
      const left = rawPath(cst, childByField(cst, node, 'left'), original);
      const right = rawPath(cst, childByField(cst, node, 'right'), original);
      const operator = cst.type[childByField(cst, node, 'operator')];
      if (operator !== '|' && operator !== '&') return '';
      // Constants that are put together keep their names.
      if (operator === '|' && FLAGS.test(left) && FLAGS.test(right)) {
        return `~${left.replace(/^~/, '')}|${right.replace(/^~?v:/, '')}`;
      }
      return left[0] === 'v' || left[0] === '~'
        ? `~${left.replace(/^~/, '').replace(/\|.*/, '')}`
        : right[0] === 'v'
          ? `~${right}`
          : '';
    }
    case 'comma_expression':
      return rawPath(cst, childByField(cst, node, 'right'), original);
    case 'compound_literal_expression': {
      const tag = structTag(cst, childByField(cst, node, 'type'), original);
      return tag === '' ? '' : `t:${tag}`;
    }
    default:
      return '';
  }
}

function isConstant(cst: Cst, node: number): boolean {
  return cst.type[node] === 'number_literal' || /^[A-Z][A-Z0-9_]*$/.test(textOf(cst, node));
}

function constant(name: string): Path | undefined {
  if (name === 'NULL' || name === 'false') return '#0';
  if (name === 'true') return '#pos';
  return undefined;
}

/** `struct foo` anywhere in a type descriptor or a type argument: its tag, or ''. */
function structTag(cst: Cst, node: number, original: string): string {
  if (node < 0) return '';
  return (
    /^\s*(?:const\s+|volatile\s+)*(?:struct|union)\s+(\w+)/.exec(typeText(cst, node, original))?.[1] ?? ''
  );
}

/** Original text of an argument, with a type keyword that mending blanked in front of it. */
function typeText(cst: Cst, node: number, original: string): string {
  let start = cst.start[node]!;
  while (
    start > 0 &&
    original[start - 1] !== ',' &&
    original[start - 1] !== '(' &&
    original[start - 1] !== '\n'
  )
    start--;
  return original.slice(start, cst.end[node]!);
}

function callPath(cst: Cst, node: number, original: string): Path {
  const callee = childByField(cst, node, 'function');
  const list = childByField(cst, node, 'arguments');
  if (callee < 0 || cst.type[callee] !== 'identifier') return '';
  const name = textOf(cst, callee);
  const args = list < 0 ? [] : argumentsOf(cst, list);
  if (name === 'ERR_PTR' || name === 'ERR_CAST') return '#err';
  const position = TRANSPARENT.get(name);
  if (position !== undefined) {
    const arg = args[position];
    return arg === undefined ? '' : rawPath(cst, arg, original);
  }
  // container_of(), list_entry(), rb_entry() … all name the struct that they yield.
  for (const arg of args.slice(1)) {
    const tag = structTag(cst, arg, original);
    if (tag !== '') return `t:${tag}`;
  }
  return `c:${name}(${args.map((arg) => rawPath(cst, arg, original).replaceAll(';', '')).join(';')})`;
}

/** Argument expressions of an `argument_list`. */
export function argumentsOf(cst: Cst, list: number): number[] {
  return children(cst, list).filter((c) => {
    const type = cst.type[c]!;
    return type !== '(' && type !== ')' && type !== ',';
  });
}

/** The name in `v:name`, `&v:name` or `~v:name`; undefined for any other path. */
export function nameIn(path: Path): string | undefined {
  const from = path[0] === '&' || path[0] === '~' ? 3 : 2;
  if (path[from - 2] !== 'v' || path.length === from) return undefined;
  return path.includes(' ', from) || path.includes('|', from) ? undefined : path.slice(from);
}

export interface ParsedPath {
  readonly root: 'v' | 'c' | 't' | '#' | '@' | '';
  readonly name: string;
  readonly args: readonly Path[];
  readonly fields: readonly string[];
}

/** Splits an access path. */
export function parsePath(path: Path): ParsedPath {
  const text = path[0] === '&' || path[0] === '~' ? path.slice(1) : path;
  const root = text[0] as ParsedPath['root'] | undefined;
  if (root === undefined || root === '#' || root === '@')
    return { root: root ?? '', name: '', args: [], fields: [] };
  let end = 2;
  while (end < text.length && text[end] !== ' ' && text[end] !== '(') end++;
  const name = text.slice(2, end);
  const args: Path[] = [];
  if (text[end] === '(') {
    let depth = 0;
    let from = end + 1;
    for (; end < text.length; end++) {
      const c = text[end];
      if (c === '(') depth++;
      else if (c === ')' && --depth === 0) break;
      else if (c === ';' && depth === 1) {
        args.push(text.slice(from, end));
        from = end + 1;
      }
    }
    args.push(text.slice(from, end));
    end++;
  }
  const rest = text.slice(end).trim();
  return { root, name, args, fields: rest === '' ? [] : rest.split(' ') };
}
