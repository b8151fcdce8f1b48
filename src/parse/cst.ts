import Parser from 'tree-sitter';
import C from 'tree-sitter-c';

/**
 * A concrete syntax tree as flat arrays, read off tree-sitter in one cursor walk. Crossing into
 * native code once a node and then staying in JavaScript is several times faster than asking
 * tree-sitter's node objects. Offsets are 0-based; the text is latin1, so a character is a byte.
 */
export interface Cst {
  readonly text: string;
  /** Offset in the file of the first byte of `text`; all offsets below are offsets in the file. */
  readonly base: number;
  readonly type: readonly string[];
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** Field name under the parent, or ''. */
  readonly field: readonly string[];
  readonly parent: Int32Array;
  readonly first: Int32Array;
  readonly next: Int32Array;
  /** 1 where the node is, or contains, an ERROR or MISSING node. */
  readonly broken: Uint8Array;
}

let shared: Parser | undefined;

function parser(): Parser {
  if (!shared) {
    shared = new Parser();
    shared.setLanguage(C as unknown as Parser.Language);
  }
  return shared;
}

/** Tokens that say nothing that their parent does not say; they are left out of the arrays. */
const PUNCTUATION = new Set(['(', ')', '{', '}', '[', ']', ',', ';', ':']);

/** What nobody looks into, though tree-sitter does. */
const CLOSED = new Set([
  'comment',
  'string_literal',
  'char_literal',
  'preproc_def',
  'preproc_include',
  'preproc_call',
]);

const LEAVES = new Set([
  'identifier',
  'field_identifier',
  'type_identifier',
  'statement_identifier',
  'primitive_type',
  'number_literal',
  'preproc_arg',
  'true',
  'false',
]);

interface NodeType {
  readonly name: string;
  readonly dropped: boolean;
  readonly leaf: boolean;
}

const types: NodeType[] = [];
const fieldNames: string[] = [];

/** Parses `text` (latin1, already mended), which stands at offset `base` of its file. Never throws on bad
 * C: errors are marked in `broken`.
 */
export function parseCst(text: string, base = 0): Cst {
  // tree-sitter's Node binding refuses input longer than its buffer unless told the size.
  const tree = parser().parse(text, undefined, { bufferSize: text.length * 2 + 64 });
  const root = tree.rootNode;
  // Asking every node whether it is MISSING is dear, and most files have none.
  const clean = !root.hasError;
  const cursor = root.walk();
  const type: string[] = [];
  const start: number[] = [];
  const end: number[] = [];
  const field: string[] = [];
  const parent: number[] = [];
  const first: number[] = [];
  const next: number[] = [];
  const broken: number[] = [];
  let up = -1;
  let previous = -1;
  walk: for (;;) {
    const typeId = cursor.nodeTypeId;
    let kind = types[typeId];
    if (!kind) {
      const name = cursor.nodeType;
      const leaf = LEAVES.has(name) || CLOSED.has(name) || !/^\w+$/.test(name);
      kind = { name, dropped: PUNCTUATION.has(name), leaf };
      types[typeId] = kind;
    }
    const missing = !clean && (typeId === 65535 || cursor.nodeIsMissing);
    if (missing) for (let a = up; a >= 0 && broken[a] === 0; a = parent[a]!) broken[a] = 1;
    if (!kind.dropped) {
      const node = type.length;
      const fieldId = cursor.currentFieldId ?? 0;
      type.push(kind.name);
      start.push(cursor.startIndex + base);
      end.push(cursor.endIndex + base);
      field.push(fieldId === 0 ? '' : (fieldNames[fieldId] ??= cursor.currentFieldName ?? ''));
      parent.push(up);
      first.push(-1);
      next.push(-1);
      broken.push(missing ? 1 : 0);
      if (previous >= 0) next[previous] = node;
      else if (up >= 0) first[up] = node;
      if (!kind.leaf && cursor.gotoFirstChild()) {
        up = node;
        previous = -1;
        continue;
      }
      previous = node;
    }
    while (!cursor.gotoNextSibling()) {
      if (!cursor.gotoParent()) break walk;
      previous = up;
      up = parent[up]!;
    }
  }
  return {
    text,
    base,
    type,
    start: Int32Array.from(start),
    end: Int32Array.from(end),
    field,
    parent: Int32Array.from(parent),
    first: Int32Array.from(first),
    next: Int32Array.from(next),
    broken: Uint8Array.from(broken),
  };
}

/** Children of `node` in order, comments left out. */
export function children(cst: Cst, node: number): number[] {
  const out: number[] = [];
  for (let c = cst.first[node]!; c >= 0; c = cst.next[c]!) if (cst.type[c] !== 'comment') out.push(c);
  return out;
}

/** The first child with that field name, or -1. */
export function childByField(cst: Cst, node: number, name: string): number {
  for (let c = cst.first[node]!; c >= 0; c = cst.next[c]!) if (cst.field[c] === name) return c;
  return -1;
}

export function textOf(cst: Cst, node: number): string {
  return cst.text.slice(cst.start[node]! - cst.base, cst.end[node]! - cst.base);
}

/** First character of a node's text. */
export function firstChar(cst: Cst, node: number): string {
  return cst.text[cst.start[node]! - cst.base] ?? '';
}
