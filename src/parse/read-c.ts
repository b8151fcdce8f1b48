import type { Cst } from './cst.js';
import {
  ALIGNAS,
  ALIGNOF,
  ANDAND,
  ARROW,
  ASM,
  ASSIGN,
  ATTRIBUTE,
  CASE,
  CHAR,
  D_DEFINE,
  D_ELIF,
  D_ELSE,
  D_ENDIF,
  D_IF,
  D_IFDEF,
  D_IFNDEF,
  DEFAULT,
  DIRECTIVE,
  DO,
  ELLIPSIS,
  ELSE,
  ENUM,
  FOR,
  GOTO,
  IDENT,
  IF,
  INCDEC,
  JUMP,
  NUMBER,
  newTokens,
  OFFSETOF,
  OPERATOR,
  QUALIFIER,
  RETURN,
  SIZEOF,
  STORAGE,
  STRING,
  STRUCT,
  SWITCH,
  type Tokens,
  TYPE,
  TYPEDEF,
  TYPEOF,
  tokenize,
  WHILE,
} from './mend-lex.js';

/**
 * Reads mended C by recursive descent into the same arrays, with the same names of nodes and fields, that `parseCst` reads
 * off tree-sitter, as far as anybody looks at them: many times faster, and it knows only the C that mending leaves. At the
 * first thing that it does not understand it gives up, and tree-sitter reads that text.
 */

/** Thrown, and caught, where the text is not understood. */
const NOT_UNDERSTOOD = new Error('not understood');

const LPAREN = 40;
const RPAREN = 41;
const LBRACKET = 91;
const RBRACKET = 93;
const LBRACE = 123;
const RBRACE = 125;
const SEMICOLON = 59;
const COMMA = 44;
const COLON = 58;
const STAR = 42;
const AMP = 38;
const EQUALS = 61;
const DOT = 46;
const QUESTION = 63;
const BANG = 33;
const TILDE = 126;
const PLUS = 43;
const MINUS = 45;
const HASH = 35;

/** What a declarator is in: decides what kind of node its name is. */
type NameKind = 'identifier' | 'field_identifier' | 'type_identifier';

const rooms: Tokens[] = [];
let inUse = 0;

/** The tree of `text`, which stands at offset `base` of its file; undefined where it is not understood. */
export function readCst(text: string, base = 0): Cst | undefined {
  const bytes = Buffer.from(text, 'latin1');
  let tokens = rooms[inUse];
  if (!tokens || tokens.kind.length < bytes.length + 2) {
    tokens = newTokens(Math.max(1 << 14, bytes.length + (bytes.length >> 2) + 2));
    rooms[inUse] = tokens;
  }
  inUse++;
  try {
    tokenize(bytes, bytes.length, tokens);
    return new Reader(text, base, bytes, tokens).unit();
  } catch (error) {
    if (error === NOT_UNDERSTOOD || error instanceof RangeError) return undefined;
    throw error;
  } finally {
    inUse--;
  }
}

class Reader {
  private readonly type: string[] = [];
  private readonly field: string[] = [];
  private readonly start: number[] = [];
  private readonly end: number[] = [];
  private readonly parent: number[] = [];
  private readonly first: number[] = [];
  private readonly next: number[] = [];
  private readonly last: number[] = [];
  private readonly kind: Uint8Array;
  private readonly from: Int32Array;
  private readonly to: Int32Array;
  private readonly count: number;
  /** The token to be read next. */
  private p = 0;

  constructor(
    private readonly text: string,
    private readonly base: number,
    private readonly bytes: Uint8Array,
    private readonly tokens: Tokens,
  ) {
    this.kind = tokens.kind;
    this.from = tokens.start;
    this.to = tokens.end;
    this.count = tokens.count;
  }

  unit(): Cst {
    const root = this.open('translation_unit', 0);
    this.items(root, false);
    if (this.p < this.count) this.fail();
    this.end[root] = this.text.length + this.base;
    return {
      text: this.text,
      base: this.base,
      type: this.type,
      start: Int32Array.from(this.start),
      end: Int32Array.from(this.end),
      field: this.field,
      parent: Int32Array.from(this.parent),
      first: Int32Array.from(this.first),
      next: Int32Array.from(this.next),
      broken: new Uint8Array(this.type.length),
    };
  }

  // ---- nodes ------------------------------------------------------------------------------

  /** A node that starts at byte `at` of the text. */
  private open(type: string, at: number): number {
    const node = this.type.length;
    this.type.push(type);
    this.field.push('');
    this.start.push(at + this.base);
    this.end.push(at + this.base);
    this.parent.push(-1);
    this.first.push(-1);
    this.next.push(-1);
    this.last.push(-1);
    return node;
  }

  private here(type: string): number {
    return this.open(type, this.from[this.p]!);
  }

  private add(parent: number, child: number, field = ''): void {
    if (field !== '') this.field[child] = field;
    this.parent[child] = parent;
    const last = this.last[parent]!;
    if (last < 0) this.first[parent] = child;
    else this.next[last] = child;
    this.last[parent] = child;
  }

  /** The node ends with the last token read. */
  private close(node: number): number {
    if (this.p > 0) this.end[node] = this.to[this.p - 1]! + this.base;
    return node;
  }

  /** A node for one token. */
  private leaf(type: string): number {
    const node = this.here(type);
    this.p++;
    return this.close(node);
  }

  // ---- tokens -----------------------------------------------------------------------------

  private fail(): never {
    throw NOT_UNDERSTOOD;
  }

  private at(offset = 0): number {
    const i = this.p + offset;
    return i < this.count ? this.kind[i]! : 0;
  }

  private expect(kind: number): void {
    if (this.at() !== kind) this.fail();
    this.p++;
  }

  private accept(kind: number): boolean {
    if (this.at() !== kind) return false;
    this.p++;
    return true;
  }

  private word(offset = 0): string {
    const i = this.p + offset;
    return this.text.slice(this.from[i]!, this.to[i]!);
  }

  /** Past the closing bracket of the opening one that is next. */
  private skipBalanced(): void {
    let depth = 0;
    for (; this.p < this.count; this.p++) {
      const k = this.kind[this.p]!;
      if (k === LPAREN || k === LBRACKET || k === LBRACE) depth++;
      else if ((k === RPAREN || k === RBRACKET || k === RBRACE) && --depth === 0) {
        this.p++;
        return;
      } else if (k === DIRECTIVE) this.fail();
    }
    this.fail();
  }

  // ---- file scope -------------------------------------------------------------------------

  private items(parent: number, inConditional: boolean): void {
    while (this.p < this.count) {
      const k = this.at();
      if (k === SEMICOLON) {
        this.p++;
      } else if (k === DIRECTIVE) {
        if (inConditional && this.endsArm()) return;
        this.directive(parent, (group) => this.items(group, true));
      } else {
        this.item(parent);
      }
    }
  }

  private endsArm(): boolean {
    const sub = this.tokens.sub[this.p]!;
    return sub === D_ELSE || sub === D_ELIF || sub === D_ENDIF;
  }

  /** A directive, with all that stands in its arms if it is an `#if`. `body` reads what stands in an arm. */
  private directive(parent: number, body: (group: number) => void): void {
    const sub = this.tokens.sub[this.p]!;
    if (sub === D_IF || sub === D_IFDEF || sub === D_IFNDEF) {
      const group = this.here(sub === D_IF ? 'preproc_if' : 'preproc_ifdef');
      this.add(parent, group);
      this.arms(group, body);
      this.expect(DIRECTIVE);
      this.close(group);
    } else if (sub === D_DEFINE) {
      this.add(parent, this.define());
    } else if (sub === D_ELSE || sub === D_ELIF || sub === D_ENDIF) {
      this.fail();
    } else {
      this.add(parent, this.leaf(/^#\s*include\b/.test(this.word()) ? 'preproc_include' : 'preproc_call'));
    }
  }

  private arms(group: number, body: (group: number) => void): void {
    this.p++;
    body(group);
    if (this.at() !== DIRECTIVE || !this.endsArm()) this.fail();
    const sub = this.tokens.sub[this.p]!;
    if (sub === D_ENDIF) return;
    const alternative = this.here(sub === D_ELSE ? 'preproc_else' : 'preproc_elif');
    this.add(group, alternative, 'alternative');
    this.arms(alternative, body);
    this.close(alternative);
  }

  private define(): number {
    const { text, bytes } = this;
    const at = this.from[this.p]!;
    const stop = this.to[this.p]!;
    const head = /^#[ \t]*define[ \t]+(\w+)/.exec(text.slice(at, Math.min(stop, at + 200)));
    if (!head) return this.leaf('preproc_call');
    let i = at + head[0].length;
    const nameAt = i - head[1]!.length;
    if (bytes[i] !== LPAREN) return this.leaf('preproc_def');
    const node = this.open('preproc_function_def', at);
    this.add(node, this.span('identifier', nameAt, i), 'name');
    const list = this.open('preproc_params', i);
    const close = text.indexOf(')', i);
    if (close < 0 || close >= stop) this.fail();
    for (const match of text.slice(i + 1, close).matchAll(/\w+/g)) {
      const from = i + 1 + match.index;
      this.add(list, this.span('identifier', from, from + match[0].length));
    }
    i = close + 1;
    this.end[list] = i + this.base;
    this.add(node, list, 'parameters');
    // As in tree-sitter: the value starts behind white space and comments, and ends at the next comment.
    const value = /^(?:[ \t]|\\\r?\n|\/\*[\s\S]*?\*\/)*/.exec(text.slice(i, stop))![0].length + i;
    const comment = text.slice(value, stop).indexOf('/*');
    const valueEnd = comment < 0 ? stop : value + comment;
    if (value < valueEnd) this.add(node, this.span('preproc_arg', value, valueEnd), 'value');
    this.p++;
    return this.close(node);
  }

  private span(type: string, from: number, to: number): number {
    const node = this.open(type, from);
    this.end[node] = to + this.base;
    return node;
  }

  private item(parent: number): void {
    const k = this.at();
    if (k === IDENT && this.at(1) === LPAREN) {
      // A macro call.
      const statement = this.here('expression_statement');
      this.add(parent, statement);
      this.add(statement, this.expression());
      this.expect(SEMICOLON);
      this.close(statement);
      return;
    }
    this.declaration(parent, true);
  }

  // ---- declarations -----------------------------------------------------------------------

  /** Declaration, type definition, or (at file scope) function definition, with its `;`. */
  private declaration(parent: number, fileScope: boolean): void {
    const isTypedef = this.at() === TYPEDEF;
    const node = this.here(isTypedef ? 'type_definition' : 'declaration');
    const begin = this.p;
    if (isTypedef) this.p++;
    const type = this.specifiers(node);
    if (this.at() === SEMICOLON) {
      this.p++;
      const kind = type < 0 ? '' : this.type[type]!;
      // `struct foo { … };` stands for itself.
      if (!isTypedef && this.first[node] === type && /_specifier$/.test(kind) && this.isAggregate(kind)) {
        this.add(parent, this.detach(node, type));
        return;
      }
      this.close(node);
      this.add(parent, node);
      return;
    }
    if (type < 0) this.fail();
    for (let n = 0; ; n++) {
      const declarator = this.declarator(isTypedef ? 'type_identifier' : 'identifier', false);
      if (declarator < 0) this.fail();
      if (n === 0 && fileScope && !isTypedef && this.at() === LBRACE) {
        if (!this.isFunction(declarator)) this.fail();
        this.type[node] = 'function_definition';
        this.add(node, declarator, 'declarator');
        this.add(node, this.block(), 'body');
        this.close(node);
        this.add(parent, node);
        return;
      }
      if (this.at() === EQUALS) {
        const init = this.open('init_declarator', this.start[declarator]! - this.base);
        this.add(init, declarator, 'declarator');
        this.p++;
        this.add(init, this.initializer(), 'value');
        this.add(node, this.close(init), 'declarator');
      } else {
        this.add(node, declarator, 'declarator');
      }
      if (this.at() === COMMA) {
        this.p++;
        continue;
      }
      break;
    }
    if (this.at() !== SEMICOLON || begin === this.p) this.fail();
    this.p++;
    this.close(node);
    this.add(parent, node);
  }

  private isAggregate(kind: string): boolean {
    return kind === 'struct_specifier' || kind === 'union_specifier' || kind === 'enum_specifier';
  }

  /** Takes the only child out of a node that is not wanted. */
  private detach(node: number, child: number): number {
    this.first[node] = -1;
    this.last[node] = -1;
    this.field[child] = '';
    return child;
  }

  private isFunction(declarator: number): boolean {
    for (let n = declarator; n >= 0; ) {
      if (this.type[n] === 'function_declarator') return true;
      let inner = -1;
      for (let c = this.first[n]!; c >= 0; c = this.next[c]!) if (this.field[c] === 'declarator') inner = c;
      n = inner;
    }
    return false;
  }

  /** Storage, qualifiers and the type; the node of the type, or -1. */
  private specifiers(node: number): number {
    let type = -1;
    for (;;) {
      const k = this.at();
      if (k === STORAGE) this.add(node, this.leaf('storage_class_specifier'));
      else if (k === QUALIFIER) this.p++;
      else if (k === ATTRIBUTE || k === ALIGNAS) {
        this.p++;
        if (this.at() === LPAREN) this.skipBalanced();
      } else if (type >= 0) return type;
      else {
        type = this.typeSpecifier();
        if (type < 0) return type;
        this.add(node, type, 'type');
      }
    }
  }

  private typeSpecifier(): number {
    const k = this.at();
    switch (k) {
      case TYPE: {
        const node = this.here('primitive_type');
        let words = 0;
        let sized = false;
        while (this.at() === TYPE || (words > 0 && this.at() === QUALIFIER && this.at(1) === TYPE)) {
          sized ||= /^(?:signed|unsigned|long|short)$/.test(this.word());
          this.p++;
          words++;
        }
        if (sized || words > 1) this.type[node] = 'sized_type_specifier';
        return this.close(node);
      }
      case STRUCT:
      case ENUM: {
        const node = this.here(
          k === ENUM
            ? 'enum_specifier'
            : this.bytes[this.from[this.p]!] === 115
              ? 'struct_specifier'
              : 'union_specifier',
        );
        this.p++;
        if (this.at() === IDENT) this.add(node, this.leaf('type_identifier'), 'name');
        if (this.at() === LBRACE) {
          if (k === ENUM) this.skipEnumerators();
          else this.add(node, this.members(), 'body');
        }
        return this.close(node);
      }
      case TYPEOF:
      case IDENT:
        return this.leaf('type_identifier');
      default:
        return -1;
    }
  }

  private skipEnumerators(): void {
    let depth = 0;
    for (; this.p < this.count; this.p++) {
      const k = this.kind[this.p]!;
      if (k === LBRACE) depth++;
      else if (k === RBRACE && --depth === 0) {
        this.p++;
        return;
      }
    }
    this.fail();
  }

  private members(): number {
    const list = this.here('field_declaration_list');
    this.p++;
    this.membersInto(list);
    this.expect(RBRACE);
    return this.close(list);
  }

  private membersInto(list: number): void {
    for (;;) {
      const k = this.at();
      if (k === RBRACE) return;
      if (k === SEMICOLON) {
        this.p++;
      } else if (k === DIRECTIVE) {
        if (this.endsArm()) return;
        this.directive(list, (group) => this.membersInto(group));
      } else if (k === IDENT && this.at(1) === LPAREN && this.at(2) !== STAR) {
        // A macro that declares members.
        this.p++;
        this.skipBalanced();
        if (this.at() === SEMICOLON) this.p++;
      } else {
        this.member(list);
      }
    }
  }

  private member(list: number): void {
    const node = this.here('field_declaration');
    const type = this.specifiers(node);
    if (type < 0) this.fail();
    while (this.at() !== SEMICOLON) {
      if (this.at() === COLON) {
        this.p++;
        this.assignment();
      } else {
        const declarator = this.declarator('field_identifier', false);
        if (declarator < 0) this.fail();
        this.add(node, declarator, 'declarator');
        if (this.at() === COLON) {
          this.p++;
          this.assignment();
        }
      }
      if (this.at() !== COMMA) break;
      this.p++;
    }
    this.expect(SEMICOLON);
    this.add(list, this.close(node));
  }

  /** A declarator; with `mayBeAbstract` also one without a name, and -1 where there is none at all. */
  private declarator(name: NameKind, mayBeAbstract: boolean): number {
    const at = this.p < this.count ? this.from[this.p]! : this.text.length;
    let k = this.at();
    if (k === STAR) {
      this.p++;
      while (this.at() === QUALIFIER) this.p++;
      const inner = this.declarator(name, mayBeAbstract);
      const isAbstract = inner < 0 || this.type[inner]!.startsWith('abstract');
      const node = this.open(isAbstract ? 'abstract_pointer_declarator' : 'pointer_declarator', at);
      if (inner >= 0) this.add(node, inner, 'declarator');
      return this.close(node);
    }
    let node = -1;
    if (k === IDENT) {
      node = this.leaf(name);
    } else if (k === LPAREN && (!mayBeAbstract || this.startsInnerDeclarator())) {
      this.p++;
      const inner = this.declarator(name, mayBeAbstract);
      if (inner < 0) this.fail();
      this.expect(RPAREN);
      const isAbstract = this.type[inner]!.startsWith('abstract');
      node = this.open(isAbstract ? 'abstract_parenthesized_declarator' : 'parenthesized_declarator', at);
      this.add(node, inner);
      this.close(node);
    } else if (!mayBeAbstract) {
      return -1;
    }
    for (;;) {
      k = this.at();
      const isAbstract = node < 0 || this.type[node]!.startsWith('abstract');
      if (k === LPAREN) {
        const list = this.parameters();
        const outer = this.open(isAbstract ? 'abstract_function_declarator' : 'function_declarator', at);
        if (node >= 0) this.add(outer, node, 'declarator');
        this.add(outer, list, 'parameters');
        node = this.close(outer);
      } else if (k === LBRACKET) {
        const outer = this.open(isAbstract ? 'abstract_array_declarator' : 'array_declarator', at);
        if (node >= 0) this.add(outer, node, 'declarator');
        this.p++;
        while (this.at() === STORAGE || this.at() === QUALIFIER) this.p++;
        if (this.at() !== RBRACKET) this.add(outer, this.expression(), 'size');
        this.expect(RBRACKET);
        node = this.close(outer);
      } else {
        return node;
      }
    }
  }

  /** After `(` of a parameter without a name so far: `(*name)` or `(name)`, not a list of parameters. */
  private startsInnerDeclarator(): boolean {
    const k = this.at(1);
    return k === STAR || k === LPAREN || k === LBRACKET || (k === IDENT && this.at(2) === RPAREN);
  }

  private parameters(): number {
    const list = this.here('parameter_list');
    this.p++;
    while (this.at() !== RPAREN) {
      if (this.at() === ELLIPSIS) {
        this.p++;
      } else {
        const node = this.here('parameter_declaration');
        const type = this.specifiers(node);
        if (type < 0) this.fail();
        const declarator = this.declarator('identifier', true);
        if (declarator >= 0) this.add(node, declarator, 'declarator');
        this.add(list, this.close(node));
      }
      if (this.at() === COMMA) this.p++;
      else if (this.at() !== RPAREN) this.fail();
    }
    this.p++;
    return this.close(list);
  }

  private initializer(): number {
    return this.at() === LBRACE ? this.initializerList() : this.assignment();
  }

  private initializerList(): number {
    const list = this.here('initializer_list');
    this.p++;
    while (this.at() !== RBRACE) {
      const k = this.at();
      if (k === COMMA) {
        this.p++;
        continue;
      }
      if (k === DIRECTIVE) this.fail();
      if (k === LBRACKET || k === DOT || (k === IDENT && this.at(1) === COLON)) {
        const pair = this.here('initializer_pair');
        if (k === IDENT) {
          this.add(pair, this.leaf('field_identifier'), 'designator');
          this.p++;
        } else {
          while (this.at() === LBRACKET || this.at() === DOT) {
            if (this.at() === DOT) {
              const field = this.here('field_designator');
              this.p++;
              if (this.at() !== IDENT) this.fail();
              this.p++;
              this.add(pair, this.close(field), 'designator');
            } else {
              const index = this.here('subscript_designator');
              this.skipBalanced();
              this.add(pair, this.close(index), 'designator');
            }
          }
          this.expect(EQUALS);
        }
        this.add(pair, this.initializer(), 'value');
        this.add(list, this.close(pair));
      } else {
        this.add(list, this.initializer());
      }
      if (this.at() !== COMMA && this.at() !== RBRACE) this.fail();
    }
    this.p++;
    return this.close(list);
  }

  // ---- statements -------------------------------------------------------------------------

  private block(): number {
    const node = this.here('compound_statement');
    this.p++;
    this.blockItems(node);
    this.expect(RBRACE);
    return this.close(node);
  }

  private blockItems(node: number): void {
    for (;;) {
      const k = this.at();
      if (k === RBRACE || this.p >= this.count) return;
      if (k === DIRECTIVE) {
        if (this.endsArm()) return;
        this.directive(node, (group) => this.blockItems(group));
      } else if (this.startsDeclaration()) this.declaration(node, false);
      else this.add(node, this.statement());
    }
  }

  private startsDeclaration(): boolean {
    switch (this.at()) {
      case STORAGE:
      case QUALIFIER:
      case TYPE:
      case TYPEDEF:
      case STRUCT:
      case ENUM:
      case TYPEOF:
      case ALIGNAS:
        return true;
      case IDENT: {
        let i = 1;
        while (this.at(i) === STAR || this.at(i) === QUALIFIER) i++;
        if (this.at(i) === LPAREN && i === 1) {
          // `type (*name)(…)` or a call: a call it is, unless what follows can only be a declarator.
          return this.at(2) === STAR && this.at(3) === IDENT && this.at(4) === RPAREN && this.at(5) === LPAREN
            ? this.isFunctionPointerDeclaration()
            : false;
        }
        if (this.at(i) !== IDENT) return false;
        if (i === 1) return true;
        const after = this.at(i + 1);
        return (
          after === EQUALS ||
          after === SEMICOLON ||
          after === COMMA ||
          after === LBRACKET ||
          after === RPAREN ||
          (after === LPAREN && this.at(i) === IDENT)
        );
      }
      default:
        return false;
    }
  }

  /** `type (*name)(types…)` followed by `;`, `=` or `,`: not the call of a function through a call. */
  private isFunctionPointerDeclaration(): boolean {
    const saved = this.p;
    this.p += 5;
    this.skipBalanced();
    const after = this.at();
    this.p = saved;
    return after === SEMICOLON || after === EQUALS || after === COMMA;
  }

  private parenthesized(): number {
    const node = this.here('parenthesized_expression');
    this.expect(LPAREN);
    if (this.at() === LBRACE) this.add(node, this.block());
    else this.add(node, this.expression());
    this.expect(RPAREN);
    return this.close(node);
  }

  private statement(): number {
    const k = this.at();
    switch (k) {
      case LBRACE:
        return this.block();
      case IF: {
        const node = this.here('if_statement');
        this.p++;
        this.add(node, this.parenthesized(), 'condition');
        this.add(node, this.statement(), 'consequence');
        if (this.at() === ELSE) {
          const clause = this.here('else_clause');
          this.p++;
          this.add(clause, this.statement());
          this.add(node, this.close(clause), 'alternative');
        }
        return this.close(node);
      }
      case WHILE: {
        const node = this.here('while_statement');
        this.p++;
        this.add(node, this.parenthesized(), 'condition');
        this.add(node, this.statement(), 'body');
        return this.close(node);
      }
      case DO: {
        const node = this.here('do_statement');
        this.p++;
        this.add(node, this.statement(), 'body');
        this.expect(WHILE);
        this.add(node, this.parenthesized(), 'condition');
        this.expect(SEMICOLON);
        return this.close(node);
      }
      case FOR: {
        const node = this.here('for_statement');
        this.p++;
        this.expect(LPAREN);
        if (this.startsDeclaration()) {
          const before = this.last[node];
          this.declaration(node, false);
          const made = this.last[node]!;
          if (made === before || this.type[made] !== 'declaration') this.fail();
          this.field[made] = 'initializer';
        } else {
          if (this.at() !== SEMICOLON) this.add(node, this.expression(), 'initializer');
          this.expect(SEMICOLON);
        }
        if (this.at() !== SEMICOLON) this.add(node, this.expression(), 'condition');
        this.expect(SEMICOLON);
        if (this.at() !== RPAREN) this.add(node, this.expression(), 'update');
        this.expect(RPAREN);
        this.add(node, this.statement(), 'body');
        return this.close(node);
      }
      case SWITCH: {
        const node = this.here('switch_statement');
        this.p++;
        this.add(node, this.parenthesized(), 'condition');
        this.add(node, this.statement(), 'body');
        return this.close(node);
      }
      case CASE:
      case DEFAULT: {
        const node = this.here('case_statement');
        this.p++;
        if (k === CASE) {
          this.add(node, this.conditional(), 'value');
          if (this.accept(ELLIPSIS)) this.conditional();
        }
        this.expect(COLON);
        for (;;) {
          const t = this.at();
          if (t === CASE || t === DEFAULT || t === RBRACE || t === DIRECTIVE || this.p >= this.count) break;
          if (this.startsDeclaration()) this.declaration(node, false);
          else this.add(node, this.statement());
        }
        return this.close(node);
      }
      case RETURN: {
        const node = this.here('return_statement');
        this.p++;
        if (this.at() !== SEMICOLON) this.add(node, this.expression());
        this.expect(SEMICOLON);
        return this.close(node);
      }
      case GOTO: {
        const node = this.here('goto_statement');
        this.p++;
        if (this.at() !== IDENT) this.fail();
        this.add(node, this.leaf('statement_identifier'), 'label');
        this.expect(SEMICOLON);
        return this.close(node);
      }
      case JUMP: {
        const node = this.here(
          this.bytes[this.from[this.p]!] === 98 ? 'break_statement' : 'continue_statement',
        );
        this.p++;
        this.expect(SEMICOLON);
        return this.close(node);
      }
      case IDENT:
        if (this.at(1) === COLON) {
          const node = this.here('labeled_statement');
          this.add(node, this.leaf('statement_identifier'), 'label');
          this.p++;
          if (this.at() === RBRACE) this.fail();
          if (this.at() === DIRECTIVE) this.fail();
          if (this.startsDeclaration()) this.declaration(node, false);
          else this.add(node, this.statement());
          return this.close(node);
        }
        break;
      case ELSE:
      case DIRECTIVE:
        return this.fail();
    }
    const node = this.here('expression_statement');
    if (k !== SEMICOLON) this.add(node, this.expression());
    this.expect(SEMICOLON);
    return this.close(node);
  }

  // ---- expressions ------------------------------------------------------------------------

  private expression(): number {
    const left = this.assignment();
    if (this.at() !== COMMA) return left;
    const node = this.open('comma_expression', this.start[left]! - this.base);
    this.add(node, left, 'left');
    this.p++;
    this.add(node, this.expression(), 'right');
    return this.close(node);
  }

  private assignment(): number {
    const left = this.conditional();
    const k = this.at();
    if (k !== EQUALS && k !== ASSIGN) return left;
    const node = this.open('assignment_expression', this.start[left]! - this.base);
    this.add(node, left, 'left');
    const word = this.word();
    this.add(node, this.leaf(word), 'operator');
    this.add(node, this.initializer(), 'right');
    return this.close(node);
  }

  private conditional(): number {
    const test = this.binary(1);
    if (this.at() !== QUESTION) return test;
    const node = this.open('conditional_expression', this.start[test]! - this.base);
    this.add(node, test, 'condition');
    this.p++;
    if (this.at() !== COLON) this.add(node, this.expression(), 'consequence');
    this.expect(COLON);
    this.add(node, this.conditional(), 'alternative');
    // `a ? b : c = d` reads as an assignment to what the conditional yields.
    return this.close(node);
  }

  private precedence(): number {
    const k = this.at();
    switch (k) {
      case STAR:
      case 47:
      case 37:
        return 10;
      case PLUS:
      case MINUS:
        return 9;
      case 60:
      case 62:
        return 7;
      case AMP:
        return 5;
      case 94:
        return 4;
      case 124:
        return 3;
      case ANDAND:
        return 2;
      case OPERATOR: {
        const a = this.from[this.p]!;
        const c = this.bytes[a]!;
        if (c === 124) return 1;
        if (c === EQUALS || c === BANG) return 6;
        return this.bytes[a + 1] === EQUALS ? 7 : 8;
      }
      default:
        return 0;
    }
  }

  private binary(least: number): number {
    let left = this.unary();
    for (;;) {
      const precedence = this.precedence();
      if (precedence < least || precedence === 0) return left;
      const node = this.open('binary_expression', this.start[left]! - this.base);
      this.add(node, left, 'left');
      const word = this.word();
      this.add(node, this.leaf(word), 'operator');
      this.add(node, this.binary(precedence + 1), 'right');
      left = this.close(node);
    }
  }

  private unary(): number {
    const k = this.at();
    switch (k) {
      case BANG:
      case TILDE:
      case MINUS:
      case PLUS: {
        const node = this.here('unary_expression');
        this.p++;
        this.add(node, this.unary(), 'argument');
        return this.close(node);
      }
      case STAR:
      case AMP: {
        const node = this.here('pointer_expression');
        this.p++;
        this.add(node, this.unary(), 'argument');
        return this.close(node);
      }
      case INCDEC: {
        const node = this.here('update_expression');
        this.p++;
        this.add(node, this.unary(), 'argument');
        return this.close(node);
      }
      case SIZEOF:
      case ALIGNOF: {
        const node = this.here(k === SIZEOF ? 'sizeof_expression' : 'alignof_expression');
        this.p++;
        if (this.at() === LPAREN) {
          const inner = this.p;
          this.skipBalanced();
          const after = this.at();
          // `sizeof (a)->b`, `sizeof (a)[0]`; `sizeof (type){…}`.
          if (
            after === ARROW ||
            after === DOT ||
            after === LBRACKET ||
            after === LPAREN ||
            after === LBRACE
          ) {
            this.p = inner;
            this.unary();
          }
        } else {
          this.unary();
        }
        return this.close(node);
      }
      case LPAREN:
        return this.parenOrCast();
      default:
        return this.postfix(this.primary());
    }
  }

  /** `( … )`: a cast, a compound literal, a statement expression or an expression in parentheses. */
  private parenOrCast(): number {
    const close = this.typeInParens();
    if (close > 0) {
      const after = close < this.count - 1 ? this.kind[close + 1]! : 0;
      const at = this.from[this.p]!;
      if (after === LBRACE) {
        const node = this.open('compound_literal_expression', at);
        this.add(node, this.typeDescriptor(close), 'type');
        this.add(node, this.initializerList(), 'value');
        return this.postfix(this.close(node));
      }
      if (this.certainType(close) || this.startsOperand(after) || this.isCastAt(close + 1)) {
        const node = this.open('cast_expression', at);
        this.add(node, this.typeDescriptor(close), 'type');
        this.add(node, this.unary(), 'value');
        return this.close(node);
      }
    }
    return this.postfix(this.parenthesized());
  }

  /** The token of the `)` if what stands in the parentheses can be a type, else 0. */
  private typeInParens(): number {
    let i = this.p + 1;
    const { kind } = this;
    while (kind[i] === QUALIFIER) i++;
    const k = i < this.count ? kind[i]! : 0;
    if (k === TYPE) while (kind[i] === TYPE || kind[i] === QUALIFIER) i++;
    else if (k === STRUCT || k === ENUM) {
      if (kind[++i] !== IDENT) return 0;
      i++;
    } else if (k === IDENT || k === TYPEOF) i++;
    else return 0;
    while (kind[i] === STAR || kind[i] === QUALIFIER) i++;
    if (kind[i] === LPAREN && kind[i + 1] === STAR) {
      // `(type (*)(…))`, `(type (*)[n])`
      i += 2;
      while (kind[i] === STAR || kind[i] === QUALIFIER) i++;
      if (kind[i] !== RPAREN) return 0;
      i = this.pastBalanced(i + 1);
    } else if (kind[i] === LBRACKET) i = this.pastBalanced(i);
    return i > 0 && i < this.count && kind[i] === RPAREN ? i : 0;
  }

  private pastBalanced(from: number): number {
    const k = this.kind[from];
    if (k !== LPAREN && k !== LBRACKET) return 0;
    const saved = this.p;
    this.p = from;
    this.skipBalanced();
    const after = this.p;
    this.p = saved;
    return after;
  }

  /** Can what stands in the parentheses be nothing but a type? */
  private certainType(close: number): boolean {
    for (let i = this.p + 1; i < close; i++) {
      const k = this.kind[i]!;
      if (k === TYPE || k === STRUCT || k === ENUM || k === QUALIFIER || k === TYPEOF) return true;
    }
    // `(foo *)`: no expression ends in a star.
    return this.kind[close - 1] === STAR;
  }

  /** Does `(type)` start at the token, where the type can be nothing else? */
  private isCastAt(token: number): boolean {
    if (token >= this.count || this.kind[token] !== LPAREN) return false;
    const saved = this.p;
    this.p = token;
    const close = this.typeInParens();
    const answer = close > 0 && this.certainType(close);
    this.p = saved;
    return answer;
  }

  /** Can the token start an operand, and go on no expression? */
  private startsOperand(k: number): boolean {
    return (
      k === IDENT ||
      k === NUMBER ||
      k === STRING ||
      k === CHAR ||
      k === TILDE ||
      k === BANG ||
      k === SIZEOF ||
      k === ALIGNOF ||
      k === OFFSETOF
    );
  }

  private typeDescriptor(close: number): number {
    this.p++;
    const node = this.here('type_descriptor');
    const inner = this.specifiers(node);
    if (inner < 0) this.fail();
    this.p = close;
    this.close(node);
    this.p = close + 1;
    return node;
  }

  private primary(): number {
    const k = this.at();
    switch (k) {
      case IDENT: {
        if (this.at(1) === STRING) return this.strings();
        const length = this.to[this.p]! - this.from[this.p]!;
        if (length === 4 || length === 5) {
          const word = this.word();
          if (word === 'true' || word === 'false') return this.leaf(word);
          if (word === 'NULL') return this.leaf('null');
        }
        return this.leaf('identifier');
      }
      case NUMBER:
        return this.leaf('number_literal');
      case CHAR:
        return this.leaf('char_literal');
      case STRING: {
        const next = this.at(1);
        return next === STRING || next === IDENT ? this.strings() : this.leaf('string_literal');
      }
      case TYPE:
      case TYPEOF:
        return this.leaf('identifier');
      case OFFSETOF: {
        const node = this.here('offsetof_expression');
        this.p++;
        if (this.at() === LPAREN) this.skipBalanced();
        return this.close(node);
      }
      case ASM:
        return this.assembler();
      default:
        return this.fail();
    }
  }

  private strings(): number {
    const node = this.here('concatenated_string');
    while (this.at() === STRING || (this.at() === IDENT && this.at(1) !== LPAREN)) this.p++;
    return this.close(node);
  }

  private assembler(): number {
    const node = this.here('gnu_asm_expression');
    this.p++;
    while (this.at() === QUALIFIER || this.at() === STORAGE || this.at() === GOTO) this.p++;
    this.expect(LPAREN);
    while (this.at() !== RPAREN) {
      const k = this.at();
      if (k === LPAREN) this.add(node, this.parenthesized());
      else if (k === LBRACKET) this.skipBalanced();
      else if (k === DIRECTIVE || k === LBRACE || k === SEMICOLON || this.p >= this.count) this.fail();
      else this.p++;
    }
    this.p++;
    return this.close(node);
  }

  private postfix(primary: number): number {
    let left = primary;
    for (;;) {
      const k = this.at();
      const at = this.start[left]! - this.base;
      switch (k) {
        case LPAREN: {
          const node = this.open('call_expression', at);
          this.add(node, left, 'function');
          this.add(node, this.args(), 'arguments');
          left = this.close(node);
          break;
        }
        case LBRACKET: {
          const node = this.open('subscript_expression', at);
          this.add(node, left, 'argument');
          this.p++;
          this.add(node, this.expression(), 'index');
          this.expect(RBRACKET);
          left = this.close(node);
          break;
        }
        case DOT:
        case ARROW: {
          const node = this.open('field_expression', at);
          this.add(node, left, 'argument');
          this.p++;
          // A member may be named like a type that C does not reserve.
          if (this.at() !== IDENT && this.at() !== TYPE) this.fail();
          this.add(node, this.leaf('field_identifier'), 'field');
          left = this.close(node);
          break;
        }
        case INCDEC: {
          const node = this.open('update_expression', at);
          this.add(node, left, 'argument');
          this.p++;
          left = this.close(node);
          break;
        }
        default:
          return left;
      }
    }
  }

  private args(): number {
    const list = this.here('argument_list');
    this.p++;
    while (this.at() !== RPAREN) {
      const k = this.at();
      if (k === COMMA || k === DIRECTIVE || k === HASH) this.fail();
      if (k === LBRACE) this.add(list, this.block());
      else this.add(list, this.assignment());
      if (this.at() === COMMA) {
        this.p++;
        if (this.at() === RPAREN) this.fail();
      } else if (this.at() !== RPAREN) this.fail();
    }
    this.p++;
    return this.close(list);
  }
}
