/**
 * The rewrite itself: walks declarations, statements and expressions of a token stream and overwrites,
 * byte for byte, what tree-sitter-c has no grammar for. It needs no list of the kernel's macros: an
 * attribute is a word too many among the words of a declaration, an iterator is a call followed by a
 * block, a type argument is an argument that starts like a type.
 */
import { blank } from './mend-arms.js';
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
  DEFAULT,
  DIRECTIVE,
  DO,
  ELLIPSIS,
  ELSE,
  ENUM,
  FOR,
  GENERIC,
  GOTO,
  IDENT,
  IF,
  INCDEC,
  JUMP,
  NUMBER,
  OFFSETOF,
  OPERATOR,
  QUALIFIER,
  RETURN,
  SIZEOF,
  STORAGE,
  STRAY,
  STRING,
  STRUCT,
  SWITCH,
  type Tokens,
  TYPE,
  TYPEDEF,
  TYPEOF,
  WHILE,
} from './mend-lex.js';

const BANG = 33;
const PERCENT = 37;
const AMP = 38;
const LPAREN = 40;
const RPAREN = 41;
const STAR = 42;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const SLASH = 47;
const COLON = 58;
const SEMI = 59;
const LESS = 60;
const EQUALS = 61;
const GREATER = 62;
const QUESTION = 63;
const LBRACKET = 91;
const RBRACKET = 93;
const CARET = 94;
const LBRACE = 123;
const PIPE = 124;
const RBRACE = 125;
const TILDE = 126;

const SPACE = 32;
const UNDERSCORE = 95;

/** Where a declaration stands. */
const FILE = 0;
const BLOCK = 1;
const MEMBER = 2;
const PARAMETER = 3;
/** A type name: in a cast, `sizeof`, a compound literal. */
const TYPE_NAME = 4;

/** How far an expression goes. */
const COMMAS = 0;
const SINGLE = 1;
const ELEMENT = 2;

/** Words that start with `__` and name types. */
const DUNDER_TYPE =
  /^__(?:[us]|le|be|virtio|fs|dev|hc|i)\d+$|_t$|^__(?:w?sum\d*|int128|builtin_va_list|u128|s128)$/;
/** Attribute words that do not start with `__`. */
const ATTRIBUTE_WORD =
  /^(?:no(?:inline|trace|instr|kprobe|stackprotector)\w*|asmlinkage|fastcall|regparm\d*|flatten|fallthrough|always_inline|pure|notrace|noreturn\w*|randomized_struct\w*|sys_\w*linkage)$/;
const NUMBER_TEXT =
  /^(?:0[xX][\da-fA-F']*(?:\.[\da-fA-F]*)?(?:[pP][-+]?\d+)?|0[bB][01']+|[\d']*\.?\d*(?:[eE][-+]?\d+)?)[uUlLwWfFbBdD]*$/;
/** What stands after the closing brace of a struct and is not its variable's name. */
const RECORD_ATTRIBUTE =
  /^__(?:_*cacheline|packed|aligned|\w*randomize_layout|read_mostly|ro_after_init|init|refdata|bitwise|percpu|user|iomem|used|maybe_unused|designated|attribute|ARCH|page_aligned|private)/;
/** Attributes of a pointer: without a name after them they are none. */
const POINTER_WORD = /^__(?:user|iomem|percpu|rcu|kernel|force|private|restrict|capability|nonstring)$/;
/** Macros that run what follows once, or not at all. */
const SCOPED = /^scoped_|^if_|_if$/;
const ITERATOR = /for_?each|foreach|^for_|_for_|^FOR_|FOR_?EACH|(?:^|_)iterate|_each|_loop$|^while_/i;

/** Tokens' arrays need this much room after the last token. */
export const MARGIN = 8;

/** Mends the text in `out`, whose tokens these are; it changes the kinds of some of them. */
export function mendSyntax(tokens: Tokens, out: Buffer): void {
  new Mender(tokens, out).file(0, tokens.count);
}

class Mender {
  private readonly kind: Uint8Array;
  private readonly start: Int32Array;
  private readonly end: Int32Array;
  private readonly match: Int32Array;

  constructor(
    private readonly tokens: Tokens,
    private readonly out: Buffer,
  ) {
    this.kind = tokens.kind;
    this.start = tokens.start;
    this.end = tokens.end;
    this.match = matchBrackets(tokens);
    // A look past the last token sees nothing, whatever an earlier text left there.
    tokens.kind.fill(0, tokens.count, tokens.count + MARGIN);
    tokens.start.fill(out.length, tokens.count, tokens.count + MARGIN);
    tokens.end.fill(out.length, tokens.count, tokens.count + MARGIN);
  }

  // ---- bytes

  /** Blanks tokens `from` up to and including `to`, with what stands between them. */
  private blankTokens(from: number, to: number): void {
    if (to >= from) blank(this.out, this.start[from]!, this.end[to]!);
  }

  private put(at: number, text: string): void {
    this.out.write(text, at, 'latin1');
  }

  private text(i: number): string {
    return this.out.toString('latin1', this.start[i]!, this.end[i]!);
  }

  private startsDunder(i: number): boolean {
    return this.out[this.start[i]!] === UNDERSCORE && this.out[this.start[i]! + 1] === UNDERSCORE;
  }

  /** A word that looks like an attribute, whatever stands around it. */
  private attributeLike(i: number): boolean {
    if (this.startsDunder(i)) return !DUNDER_TYPE.test(this.text(i));
    return ATTRIBUTE_WORD.test(this.text(i));
  }

  /** Puts `byte` between two tokens, on a blank that is not in a comment. False if there is no room. */
  private insertAfter(i: number, byte: number): boolean {
    const { out } = this;
    const limit = i + 1 < this.tokens.count ? this.start[i + 1]! : out.length;
    for (let at = this.end[i]!; at < limit; at++) {
      const c = out[at]!;
      if (c === SPACE || c === 9 || c === 12 || c === 13) {
        out[at] = byte;
        return true;
      }
      if (c !== 10) break;
    }
    const c = limit > this.end[i]! ? out[limit - 1]! : 0;
    if (c !== SPACE && c !== 9) return false;
    out[limit - 1] = byte;
    return true;
  }

  /** Closing bracket of the one at `i`, or `end` if it is missing. */
  private close(i: number, end: number): number {
    const m = this.match[i]!;
    return m < 0 || m > end ? end : m;
  }

  /** Token after `i`; a whole bracket pair if one opens there. */
  private skip(i: number, end: number): number {
    const k = this.kind[i]!;
    return k === LPAREN || k === LBRACE || k === LBRACKET ? this.close(i, end) + 1 : i + 1;
  }

  // ---- file scope

  file(i: number, end: number): void {
    const { kind } = this;
    while (i < end) {
      const at = i;
      const k = kind[i]!;
      if (k === DIRECTIVE || k === SEMI) i++;
      else if (k === LBRACE) {
        this.block(i + 1, this.close(i, end));
        i = this.close(i, end) + 1;
      } else if (k === RBRACE || k === RPAREN || k === RBRACKET) i++;
      else if (k === STORAGE && kind[i + 1] === STRING && kind[i + 2] === LBRACE) {
        this.file(i + 3, this.close(i + 2, end));
        i = this.close(i + 2, end) + 1;
      } else if (k === IDENT && kind[i + 1] === LPAREN) i = this.fileMacro(i, end);
      else if (k === ASM) i = this.statement(i, end);
      else if (k === IDENT && this.standsAlone(i, end)) {
        this.blankTokens(i, i);
        i++;
      } else i = this.declaration(i, end, FILE);
      if (i <= at) i = at + 1;
    }
  }

  /** `MACRO(…)` where a declaration would start: a call, a function, or an attribute. */
  private fileMacro(i: number, end: number): number {
    const { kind } = this;
    const close = this.close(i + 1, end);
    const next = close + 1 < end ? kind[close + 1]! : 0;
    for (let j = i + 2; j < close; j++) {
      if (kind[j] !== SEMI) continue;
      // Statements or members in it: nothing that the grammar has a place for.
      const to = next === SEMI ? close + 1 : Math.min(close, end - 1);
      this.blankTokens(i, to);
      return to + 1;
    }
    switch (next) {
      case SEMI:
        this.callArguments(i + 1, close);
        return close + 2;
      case LBRACE:
        return this.macroFunction(i, close, close + 1, end);
      case LPAREN:
      case EQUALS:
      case LBRACKET:
      case COMMA:
        return this.declaration(i, end, FILE);
      case IDENT:
        // A macro that stands for a type, or a macro call without its semicolon?
        if (!this.newLineBefore(close + 1)) return this.declaration(i, end, FILE);
        break;
      case STAR:
        return this.declaration(i, end, FILE);
    }
    if (this.startsDunder(i)) {
      this.blankTokens(i, close);
      return close + 1;
    }
    this.callArguments(i + 1, close);
    if (close >= end) return end;
    if (!this.insertAfter(close, SEMI)) this.blankTokens(i, close);
    return close + 1;
  }

  /** A macro's name with an empty line or a directive after it: declarations of its own. */
  private standsAlone(i: number, end: number): boolean {
    if (i + 1 >= end || this.kind[i + 1] === DIRECTIVE) return true;
    if (!this.shouted(i)) return false;
    let lines = 0;
    for (let at = this.end[i]!; at < this.start[i + 1]!; at++) if (this.out[at] === 10) lines++;
    return lines > 1;
  }

  private newLineBefore(i: number): boolean {
    for (let at = this.end[i - 1]!; at < this.start[i]!; at++) if (this.out[at] === 10) return true;
    return false;
  }

  /**
   * `MACRO(name, type, arg, …) {`: becomes `MACRO name(type  arg, …) {`, a function of that name that
   * returns the macro; without pairs of type and argument, `MACRO name {`.
   */
  private macroFunction(i: number, close: number, body: number, end: number): number {
    const { out, start, kind } = this;
    const commas: number[] = [];
    for (let j = i + 2; j < close; j = this.skip(j, close)) if (kind[j] === COMMA) commas.push(j);
    const first = commas[0] ?? close;
    if (kind[i + 2] === IDENT && first === i + 3) {
      out[start[i + 1]!] = SPACE;
      if (commas.length > 0 && commas.length % 2 === 0) {
        out[start[first]!] = LPAREN;
        for (let n = 1; n < commas.length; n += 2) out[start[commas[n]!]!] = SPACE;
        for (let n = 0; n < commas.length; n += 2) {
          this.declaration(commas[n]! + 1, commas[n + 2] ?? close, PARAMETER);
        }
      } else if (first < close) this.blankTokens(first, close);
      else out[start[close]!] = SPACE;
    } else if (!this.callLikeDefinition(i, close)) {
      this.callArguments(i + 1, close);
      this.insertAfter(close, SEMI);
    }
    return this.functionBody(body, end);
  }

  /** `name(void) {` without a type, or with parameters: leaves it, its type is missing. */
  private callLikeDefinition(i: number, close: number): boolean {
    const words = this.text(i);
    if (words.length < 5) return false;
    // Half of the name becomes a type: `ab name(…)` can't be had, so the parameters go.
    this.blankTokens(i + 1, close);
    this.put(this.start[i]!, `int ${words.slice(4)}`);
    return true;
  }

  private functionBody(i: number, end: number): number {
    const close = this.close(i, end);
    this.block(i + 1, close);
    return close + 1;
  }

  // ---- declarations

  /** Words of a declaration's specifiers that may name the type, the declarator or an attribute. */
  private readonly words: number[] = [];

  /** A declaration or definition from `i`; returns the token after it. */
  private declaration(i: number, end: number, where: number): number {
    const { kind } = this;
    const base = this.words.length;
    let typed = false;
    let body = false;
    let alias = false;
    let declared = -1;
    const first = i;
    specifiers: while (i < end) {
      switch (kind[i]) {
        case TYPE:
          typed = true;
          i++;
          break;
        case TYPEDEF:
          alias = true;
          i++;
          break;
        case STORAGE:
        case QUALIFIER:
          i++;
          break;
        case STRING:
          i++;
          break;
        case STRUCT:
        case ENUM: {
          typed = true;
          const before = i;
          i = this.record(i, end);
          body = kind[i - 1] === RBRACE && i - 1 > before;
          break;
        }
        case TYPEOF:
          typed = true;
          i = this.typeOf(i, end);
          break;
        case ATTRIBUTE:
        case ALIGNAS:
          i = this.attribute(i, end);
          break;
        case IDENT: {
          if (body && this.attributeLike(i)) {
            // `} __packed;` or `} __name;`?
            const n = i + 1 < end ? kind[i + 1]! : 0;
            const last = n === SEMI || n === EQUALS || n === LBRACKET || n === COMMA || n === IDENT;
            const name = last && this.words.length === base && !RECORD_ATTRIBUTE.test(this.text(i));
            if (name) this.words.push(i++);
            else i = this.attribute(i, end);
            break;
          }
          if (kind[i + 1] !== LPAREN || i + 1 >= end) {
            this.words.push(i++);
            break;
          }
          const close = this.close(i + 1, end);
          if (
            this.named(base, typed) &&
            this.startsDunder(i) &&
            kind[close + 1] !== LBRACE &&
            !this.paramLike(i + 2, close)
          ) {
            i = this.attribute(i, end);
            break;
          }
          if (this.functionPointer(i + 1, close, end)) {
            this.words.push(i++);
            break specifiers;
          }
          if (this.attributeBefore(i, close, end, typed || this.words.length > base)) {
            // A macro may be all there is for a type: its name stands for it then.
            const k = kind[close + 1]!;
            if (
              !typed &&
              this.words.length === base &&
              (k === STAR || this.onlyWordAfter(close + 1, end)) &&
              !this.attributeLike(i)
            ) {
              this.blankTokens(i + 1, close);
              this.words.push(i);
            } else this.blankTokens(i, close);
            i = close + 1;
            break;
          }
          declared = i;
          break specifiers;
        }
        default:
          break specifiers;
      }
    }
    // `DEFINE_X(name);` after storage words: a call, as it is without them.
    if (declared >= 0 && !typed && this.words.length === base && where !== TYPE_NAME && where !== PARAMETER) {
      this.words.length = base;
      return this.macroDeclaration(first, declared, end, where);
    }
    const wordCount = this.words.length - base;
    if (wordCount > 0) {
      const k = i < end ? kind[i]! : 0;
      const openEnded = declared >= 0 || k === STAR || k === LPAREN;
      this.settleWords(base, typed, openEnded, alias, where);
    }
    this.words.length = base;
    return this.declarators(i, end, where);
  }

  /** Do the words so far hold a type (unless `typed`) and a name? */
  private named(base: number, typed: boolean): boolean {
    let missing = typed ? 1 : 2;
    for (let j = base; j < this.words.length; j++) if (!this.attributeLike(this.words[j]!)) missing--;
    return missing <= 0;
  }

  /** Blanks the words that are neither the type nor the declarator. */
  private settleWords(
    base: number,
    typed: boolean,
    declaratorFollows: boolean,
    alias: boolean,
    where: number,
  ): void {
    const { words } = this;
    const n = words.length - base;
    let name = -1;
    if (!declaratorFollows && where !== TYPE_NAME) {
      if (typed) {
        if (n === 1) {
          return;
        }
        name = alias ? base + n - 1 : this.pickName(base, n, base);
      } else {
        if (n === 1) return;
        if (n === 2) {
          const second = words[base + 1]!;
          const after = this.kind[second + 1]!;
          // `type __attribute)`: a parameter without a name.
          if (where !== PARAMETER || !this.attributeLike(second) || this.attributeLike(words[base]!)) {
            if (
              !(
                this.attributeLike(words[base]!) &&
                where === PARAMETER &&
                after !== LBRACKET &&
                this.typeWord(second)
              )
            )
              return;
          }
        } else name = alias ? base + n - 1 : this.pickName(base, n, base + 1);
      }
    }
    let type = -1;
    if (!typed) {
      const last = name >= 0 ? name - 1 : base + n - 1;
      for (let j = last; j >= base; j--) {
        if (!this.attributeLike(words[j]!) && !this.shouted(words[j]!)) {
          type = j;
          break;
        }
      }
      for (let j = last; type < 0 && j >= base; j--) if (!this.attributeLike(words[j]!)) type = j;
      if (type < 0) type = last;
    }
    for (let j = base; j < base + n; j++) {
      if (j !== name && j !== type) blank(this.out, this.start[words[j]!]!, this.end[words[j]!]!);
    }
  }

  private typeWord(i: number): boolean {
    return /_t$|^__[a-z]+\d+$|^[us]\d+$/.test(this.text(i));
  }

  private shouted(i: number): boolean {
    return !/[a-z]/.test(this.text(i));
  }

  /** Which of several words at the end of the specifiers is the declared name. */
  private pickName(base: number, n: number, first: number): number {
    for (let j = base + n - 1; j >= first; j--) if (!this.attributeLike(this.words[j]!)) return j;
    return first;
  }

  /** `(` of `type (*name)(…)`, maybe with attributes before the star. */
  private functionPointer(open: number, close: number, end: number): boolean {
    const { kind } = this;
    let i = open + 1;
    while (i < close && (kind[i] === IDENT || kind[i] === ATTRIBUTE))
      i = kind[i] === ATTRIBUTE ? this.skip(i + 1, close) : i + 1;
    if (kind[i] !== STAR || i >= close) return false;
    const k = close + 1 < end ? kind[close + 1]! : 0;
    return k === LPAREN || k === LBRACKET;
  }

  /** True if `NAME(…)` among the specifiers is an attribute (or a macro) before the declared name. */
  private attributeBefore(i: number, close: number, end: number, typed: boolean): boolean {
    const { kind } = this;
    const next = close + 1 < end ? kind[close + 1]! : 0;
    switch (next) {
      case TYPE:
      case STRUCT:
      case ENUM:
      case TYPEOF:
      case STORAGE:
      case QUALIFIER:
        return !typed || this.attributeLike(i);
      case STAR:
        return true;
      case IDENT: {
        const past = this.pastAttributes(close + 1, end);
        const beyond = past < end ? kind[past]! : 0;
        if (!typed) return beyond !== LBRACE && !(past > close + 1 && (beyond === SEMI || beyond === EQUALS));
        if (!this.startsDunder(i)) return false;
        // `__printf(1, 2) name(…)` or `__name(params) __attribute {`?
        if (past > close + 1) {
          if (beyond === IDENT || beyond === STAR || (beyond >= TYPE && beyond <= TYPEOF)) return true;
          return (
            kind[close + 2] === LPAREN &&
            !this.paramLike(i + 2, close) &&
            this.paramLike(close + 3, this.close(close + 2, end))
          );
        }
        const after = kind[close + 2]!;
        return (
          after === LPAREN ||
          after === EQUALS ||
          after === SEMI ||
          after === LBRACKET ||
          after === COMMA ||
          after === STAR
        );
      }
    }
    return false;
  }

  /** Token after the attributes (no more than a few) that start at `i`. */
  private pastAttributes(i: number, end: number): number {
    const { kind } = this;
    for (let n = 0; n < 12 && i < end && kind[i] === IDENT && this.attributeLike(i); n++) {
      i = kind[i + 1] === LPAREN ? this.close(i + 1, end) + 1 : i + 1;
    }
    return i;
  }

  private paramLike(i: number, close: number): boolean {
    if (i >= close) return true;
    const { kind } = this;
    for (let j = i; j < close; j++) {
      const k = kind[j]!;
      if (k === TYPE || k === STRUCT || k === QUALIFIER || k === ENUM) return true;
      if (k === IDENT && (kind[j + 1] === IDENT || kind[j + 1] === STAR)) return true;
    }
    return false;
  }

  /** One word, then the end of a declarator. */
  private onlyWordAfter(i: number, end: number): boolean {
    if (i + 1 >= end || this.kind[i] !== IDENT) return false;
    const k = this.kind[i + 1]!;
    return k === SEMI || k === EQUALS || k === COMMA || k === LBRACKET || k === LPAREN;
  }

  /**
   * `[static …] MACRO(args)` with no type of its own. Followed by `;`: blanks the words before it, so
   * that it is a call. Followed by `= …`: becomes a declaration of its first (or second) argument.
   */
  private macroDeclaration(first: number, i: number, end: number, where: number): number {
    const { kind, out, start } = this;
    const close = this.close(i + 1, end);
    const past = this.pastAttributes(close + 1, end);
    const next = past < end ? kind[past]! : 0;
    if (past > close + 1) this.blankTokens(close + 1, past - 1);
    if (next === LBRACE && where === FILE) return this.macroFunction(i, close, past, end);
    if (where === MEMBER) {
      this.blankTokens(first, i - 1);
      return this.memberMacro(i, end);
    }
    if (next === EQUALS || next === LBRACKET || next === COMMA) {
      const comma = this.nextComma(i + 2, close);
      out[start[i + 1]!] = SPACE;
      if (comma < close && this.kind[comma + 1] === IDENT && comma + 2 === close) {
        // (type, name)
        this.blankTokens(i, i);
        out[start[comma]!] = SPACE;
        out[start[close]!] = SPACE;
        this.declaration(i + 2, close, PARAMETER);
      } else if (comma < close) this.blankTokens(comma, close);
      else out[start[close]!] = SPACE;
      return this.declarators(past, end, where);
    }
    if (next === LPAREN) {
      // Declared through a macro: `MACRO(name)(params)`.
      const params = this.close(close + 1, end);
      const after = params + 1 < end ? kind[params + 1]! : 0;
      if (after === LBRACE && where === FILE) {
        if (kind[i + 2] === IDENT && close > i + 2) {
          out[start[i + 1]!] = SPACE;
          this.blankTokens(i + 3, close);
          this.parameters(close + 1, params);
        }
        return this.functionBody(params + 1, end);
      }
    }
    this.blankTokens(first, i - 1);
    this.callArguments(i + 1, close);
    if (next === SEMI) return past + 1;
    if (next === LPAREN) return this.expressionStatement(i, end);
    if (close < end && !this.insertAfter(close, SEMI)) this.blankTokens(i, close);
    return close + 1;
  }

  private nextComma(i: number, end: number): number {
    while (i < end && this.kind[i] !== COMMA) i = this.skip(i, end);
    return Math.min(i, end);
  }

  /** Pointer part, name, suffixes, initializer of each declarator, up to the `;` or the body. */
  private declarators(i: number, end: number, where: number): number {
    const { kind } = this;
    while (i < end) {
      i = this.declarator(i, end, where);
      const k = i < end ? kind[i]! : 0;
      switch (k) {
        case EQUALS:
          if (kind[i + 1] === LBRACE) {
            this.initializer(i + 1, this.close(i + 1, end));
            i = this.close(i + 1, end) + 1;
            // Attributes of sorts after an initializer.
            while (i < end && (kind[i] === IDENT || kind[i] === ATTRIBUTE)) i = this.attribute(i, end);
          } else i = this.expression(i + 1, end, SINGLE);
          break;
        case COLON:
          i = this.expression(i + 1, end, SINGLE);
          break;
      }
      if (i >= end) return end;
      if (kind[i] === COMMA) {
        i++;
        continue;
      }
      if (kind[i] === SEMI) return i + 1;
      if (kind[i] === LBRACE && (where === FILE || where === BLOCK)) return this.functionBody(i, end);
      // K&R parameters, a missing semicolon: what comes is read as the next declaration or statement.
      return i;
    }
    return i;
  }

  /** `* attribute const name [..](..) attribute`; stops at `=`, `:`, `,`, `;`, `{` or `end`. */
  private declarator(i: number, end: number, where: number): number {
    const { kind } = this;
    const from = i;
    for (; i < end; ) {
      const k = kind[i]!;
      if (k === STAR || k === QUALIFIER) i++;
      else if (k === ATTRIBUTE) i = this.attribute(i, end);
      else if (k === TYPE || k === TYPEOF) {
        i++;
      } else if (k === IDENT) {
        const n = i + 1 < end ? kind[i + 1]! : 0;
        if (n === IDENT || n === STAR || n === QUALIFIER || n === ATTRIBUTE) {
          // `* __attr name`, or `name __attr`.
          if (n === IDENT || n === ATTRIBUTE) {
            if (!this.attributeLike(i) && (n === ATTRIBUTE || this.attributeLike(i + 1))) break;
          }
          blank(this.out, this.start[i]!, this.end[i]!);
          i++;
        } else if (
          n === LPAREN &&
          kind[i + 2] === STAR &&
          this.functionPointer(i + 1, this.close(i + 1, end), end)
        ) {
          blank(this.out, this.start[i]!, this.end[i]!);
          i++;
        } else if (n === LPAREN) {
          const close = this.close(i + 1, end);
          const after = close + 1 < end ? kind[close + 1]! : 0;
          if (
            after === IDENT &&
            this.startsDunder(i) &&
            (kind[close + 2] === LPAREN || kind[close + 2] === SEMI) &&
            !this.startsDunder(close + 1) &&
            !this.paramLike(i + 2, close)
          ) {
            this.blankTokens(i, close);
            i = close + 1;
          } else break;
        } else if (where === TYPE_NAME || (n === 0 && i > from && POINTER_WORD.test(this.text(i)))) {
          blank(this.out, this.start[i]!, this.end[i]!);
          i++;
        } else break;
      } else break;
    }
    if (i < end && kind[i] === IDENT) i++;
    else if (i < end && kind[i] === LPAREN && this.nestedDeclarator(i, end)) {
      const close = this.close(i, end);
      this.declarator(i + 1, close, BLOCK);
      i = close + 1;
    }
    // Suffixes.
    while (i < end) {
      const k = kind[i]!;
      if (k === LBRACKET) {
        const close = this.close(i, end);
        this.expression(i + 1, close, COMMAS);
        i = close + 1;
      } else if (k === LPAREN) {
        const close = this.close(i, end);
        this.parameters(i, close);
        i = close + 1;
      } else if (k === IDENT || k === ATTRIBUTE || k === ASM) {
        if (k === IDENT && kind[i + 1] === LPAREN && i + 1 < end) {
          const close = this.close(i + 1, end);
          this.blankTokens(i, close);
          i = close + 1;
        } else i = this.attribute(i, end);
      } else break;
    }
    return i;
  }

  /** `(*name)` and its like, not a parameter list. */
  private nestedDeclarator(i: number, end: number): boolean {
    const { kind } = this;
    const close = this.close(i, end);
    let j = i + 1;
    while (j < close && (kind[j] === IDENT || kind[j] === ATTRIBUTE || kind[j] === LPAREN)) {
      if (kind[j] === LPAREN) {
        if (j === i + 1) j++;
        else return false;
      } else if (kind[j] === ATTRIBUTE) j = this.skip(j + 1, close);
      else j++;
    }
    return kind[j] === STAR || j === close;
  }

  /** Parameter list between the parentheses at `open` and `close`. */
  private parameters(open: number, close: number): void {
    const { kind } = this;
    let i = open + 1;
    for (let j = i; j < close; j++) {
      if (kind[j] !== NUMBER || (kind[j - 1] !== COMMA && j > i)) continue;
      // Arguments of a macro, not parameters.
      this.blankTokens(i, close - 1);
      return;
    }
    while (i < close) {
      const comma = this.nextComma(i, close);
      if (kind[i] !== ELLIPSIS && comma > i) this.declaration(i, comma, PARAMETER);
      i = comma + 1;
    }
  }

  /** Blanks one attribute: a word, or a word with arguments. */
  private attribute(i: number, end: number): number {
    const last = this.kind[i + 1] === LPAREN && i + 1 < end ? Math.min(this.close(i + 1, end), end - 1) : i;
    this.blankTokens(i, last);
    return last + 1;
  }

  /** `typeof(x)` becomes a type name of its own. */
  private typeOf(i: number, end: number): number {
    // The grammar has C23's `auto x = …;` for a storage class; the name of a type stands for it.
    if (this.text(i) === 'auto') {
      const isStorage = [TYPE, STRUCT, ENUM, TYPEOF].includes(this.kind[i + 1]!);
      if (isStorage) this.blankTokens(i, i);
      else this.put(this.start[i]!, 'Auto');
    }
    if (this.kind[i + 1] !== LPAREN || i + 1 >= end) return i + 1;
    const close = Math.min(this.close(i + 1, end), end - 1);
    this.blankTokens(i + 1, close);
    return close + 1;
  }

  /** `struct [attributes] tag [{ … }]` from the keyword; returns the token after it. */
  private record(i: number, end: number): number {
    const { kind } = this;
    const isEnum = kind[i] === ENUM;
    i++;
    let tagged = false;
    while (i < end) {
      const k = kind[i]!;
      if (k === ATTRIBUTE || k === ALIGNAS) i = this.attribute(i, end);
      else if (k === IDENT && !tagged) {
        const n = i + 1 < end ? kind[i + 1]! : 0;
        if (n === LPAREN && !this.functionPointer(i + 1, this.close(i + 1, end), end)) {
          const close = this.close(i + 1, end);
          const after = close + 1 < end ? kind[close + 1]! : 0;
          if (this.attributeLike(i) && (after === IDENT || after === LBRACE)) {
            i = this.attribute(i, end);
            continue;
          }
          // `struct tag (name)(…)` declares a name; else struct MACRO(tag).
          if (after === LPAREN || after === SEMI || after === 0) {
            i++;
            tagged = true;
            continue;
          }
          this.blankTokens(i + 1, Math.min(close, end - 1));
          i = close + 1;
        } else if (n === IDENT && kind[i + 2] === LBRACE && this.attributeLike(i)) {
          i = this.attribute(i, end);
          continue;
        } else i++;
        tagged = true;
      } else if (k === TYPE && !tagged) {
        i++;
        tagged = true;
      } else if (k === IDENT && this.attributeLike(i) && kind[i + 1] === LBRACE) {
        i = this.attribute(i, end);
      } else break;
    }
    if (isEnum && kind[i] === COLON && i < end) {
      // enum tag : type {
      let j = i + 1;
      while (j < end && (kind[j] === IDENT || kind[j] === TYPE)) j++;
      if (kind[j] === LBRACE) {
        this.blankTokens(i, j - 1);
        i = j;
      }
    }
    if (i < end && kind[i] === LBRACE) {
      const close = this.close(i, end);
      if (isEnum) this.enumerators(i + 1, close);
      else this.members(i + 1, close);
      return close + 1;
    }
    return i;
  }

  private members(i: number, end: number): void {
    const { kind, out, start } = this;
    while (i < end) {
      const at = i;
      const k = kind[i]!;
      if (k === DIRECTIVE) i++;
      else if (k === SEMI) {
        out[start[i]!] = SPACE;
        i++;
      } else if (
        k === IDENT &&
        kind[i + 1] === LPAREN &&
        !this.functionPointer(i + 1, this.close(i + 1, end), end)
      ) {
        i = this.memberMacro(i, end);
      } else i = this.member(i, end);
      if (i <= at) i = at + 1;
    }
  }

  private member(i: number, end: number): number {
    const from = i;
    const next = this.declaration(i, end, MEMBER);
    if (next > from && this.kind[next - 1] !== SEMI && this.kind[next - 1] !== RBRACE) {
      // A macro that brings members of its own.
      let j = from;
      while (j < next && this.kind[j] !== LBRACE) j++;
      if (j >= next) this.blankTokens(from, Math.min(next, end) - 1);
      return next;
    }
    // A bit-field without a name has no place in the grammar.
    let named = false;
    for (let j = from; j < next; j = this.skip(j, next)) {
      const k = this.kind[j]!;
      if (k === SEMI) break;
      if (j === from || (k !== COLON && k !== COMMA)) continue;
      const before = this.kind[j - 1]!;
      const bare =
        before === COMMA || before === TYPE || before === QUALIFIER || (before === IDENT && j - 1 === from);
      if (k === COMMA) {
        if (before === IDENT || before === RBRACKET) named = true;
        continue;
      }
      if (!bare) {
        named = true;
        continue;
      }
      let to = j;
      while (to + 1 < next && this.kind[to + 1] !== SEMI && this.kind[to + 1] !== COMMA) to++;
      // With the comma that would be left over.
      if (named) this.blankTokens(j - 1, to);
      else this.blankTokens(j, this.kind[to + 1] === COMMA ? to + 1 : to);
    }
    return next;
  }

  /** `MACRO(args);` among members: declares its first argument, or holds members itself. */
  private memberMacro(i: number, end: number): number {
    const { kind, out, start } = this;
    const close = this.close(i + 1, end);
    if (close >= end) return end;
    const semi = this.pastAttributes(close + 1, end);
    const next = kind[semi]!;
    if (semi > close + 1) this.blankTokens(close + 1, semi - 1);
    if (next !== SEMI || semi >= end) {
      if (next === IDENT || next === STAR) {
        // A macro that stands for a type: MACRO(x) name;
        if ((this.onlyWordAfter(semi, end) && kind[semi + 1] !== LPAREN) || next === STAR) {
          this.blankTokens(i + 1, close);
          return this.member(semi, end);
        }
      }
      if (next === LPAREN || next === LBRACKET) {
        // MACRO(…)(…); MACRO(…)[…];
        let to = semi;
        while (to < end && kind[to] !== SEMI) to = this.skip(to, end);
        this.blankTokens(i, Math.min(to, end - 1));
        return to + 1;
      }
      this.blankTokens(i, close);
      return semi;
    }
    // Members as an argument: struct_group(name, members;)
    for (let j = i + 2; j < close; j = this.skip(j, close)) {
      if (kind[j] !== SEMI) continue;
      let from = i + 2;
      for (;;) {
        const comma = this.nextComma(from, close);
        const single =
          comma <= from + 1 ||
          (kind[from] === IDENT && kind[from + 1] === LPAREN && this.close(from + 1, close) === comma - 1);
        if (comma >= close || comma > j || !single) break;
        from = comma + 1;
      }
      this.blankTokens(i, from - 1);
      this.members(from, close);
      this.blankTokens(close, semi);
      return semi + 1;
    }
    const comma = this.nextComma(i + 2, close);
    if (close === i + 2) this.blankTokens(i, semi);
    else if (kind[i + 2] === IDENT && (comma === i + 3 || kind[i + 3] === LBRACKET)) {
      const second = this.nextComma(comma + 1, close);
      const typeFirst = second === close && second === comma + 2 && /FLEX_ARRAY/.test(this.text(i));
      if (typeFirst) {
        this.blankTokens(i, i + 1);
        out[start[comma]!] = SPACE;
        out[start[close]!] = SPACE;
      } else if (comma < close && second === close && !this.typeLike(comma + 1, close)) {
        // DECLARE_BITMAP(name, size)
        out[start[i + 1]!] = SPACE;
        out[start[comma]!] = LBRACKET;
        out[start[close]!] = RBRACKET;
        this.expression(comma + 1, close, COMMAS);
      } else {
        out[start[i + 1]!] = SPACE;
        this.blankTokens(comma, close);
      }
    } else if (
      comma < close &&
      kind[comma + 1] === IDENT &&
      (this.typeLike(i + 2, comma) || kind[i + 2] === IDENT)
    ) {
      // (type, name, …)
      this.blankTokens(i, i + 1);
      out[start[comma]!] = SPACE;
      this.blankTokens(comma + 2, close);
      this.declaration(i + 2, comma + 2, MEMBER);
    } else if (kind[i + 2] === IDENT && comma === close && close === i + 3) {
      out[start[i + 1]!] = SPACE;
      out[start[close]!] = SPACE;
    } else this.blankTokens(i, semi);
    return semi + 1;
  }

  private enumerators(i: number, end: number): void {
    const { kind, out, start } = this;
    while (i < end) {
      const at = i;
      const k = kind[i]!;
      if (k === IDENT || k === TYPE) {
        i++;
        // MACRO(…) as an enumerator, or an attribute of one.
        while (i < end && (kind[i] === LPAREN || kind[i] === IDENT || kind[i] === ATTRIBUTE)) {
          if (kind[i] === LPAREN) {
            const close = Math.min(this.close(i, end), end - 1);
            this.blankTokens(i, close);
            i = close + 1;
            if (i < end && kind[i] === IDENT) {
              out[start[close]!] = COMMA;
              break;
            }
          } else i = this.attribute(i, end);
        }
        if (i < end && kind[i] === EQUALS) i = this.expression(i + 1, end, SINGLE);
      } else i++;
      if (i <= at) i = at + 1;
    }
  }

  // ---- initializers

  /** Elements between the braces at `open` and `close`. */
  private initializer(open: number, close: number): void {
    const { kind } = this;
    let i = open + 1;
    while (i < close) {
      const at = i;
      const k = kind[i]!;
      if (k === COMMA) {
        // An element is missing.
        if (i === open + 1 || kind[i - 1] === COMMA) this.blankTokens(i, i);
        i++;
        continue;
      }
      if (k === SEMI) {
        this.out[this.start[i]!] = COMMA;
        i++;
        continue;
      }
      // Designators.
      while (i < close && (kind[i] === DOT || kind[i] === LBRACKET)) {
        if (kind[i] === DOT) i += 2;
        else {
          const end = this.close(i, close);
          this.designated(i + 1, end);
          i = end + 1;
        }
      }
      if (kind[i] === IDENT && kind[i + 1] === COLON && i + 1 < close) i += 2;
      else if (kind[i] === EQUALS && i < close) i++;
      if (i < close && kind[i] === LBRACE) {
        const end = this.close(i, close);
        this.initializer(i, end);
        i = end + 1;
      } else if (i < close) i = this.expression(i, close, ELEMENT);
      if (i < close && kind[i] !== COMMA && kind[i] !== SEMI) {
        // Two elements without a comma: macros that bring their own.
        if (!this.insertAfter(i - 1, COMMA) && kind[i - 1] === RPAREN) {
          const open = this.match[i - 1]!;
          if (open > 0) {
            this.blankTokens(open, i - 1);
            this.out[this.start[i - 1]!] = COMMA;
          }
        }
      }
      if (i <= at) i = at + 1;
    }
  }

  private designated(i: number, end: number): void {
    for (let j = i; j < end; j = this.skip(j, end)) {
      if (this.kind[j] !== ELLIPSIS) continue;
      this.expression(i, j, COMMAS);
      this.expression(j + 1, end, COMMAS);
      return;
    }
    this.expression(i, end, COMMAS);
  }

  // ---- statements

  private block(i: number, end: number): void {
    while (i < end) {
      const next = this.statement(i, end);
      i = next > i ? next : i + 1;
    }
  }

  /** One statement (without the statements under it); returns the token after it. */
  private statement(i: number, end: number): number {
    const { kind } = this;
    const k = kind[i]!;
    switch (k) {
      case SEMI:
      case DIRECTIVE:
      case ELSE:
      case RBRACE:
      case STRAY:
        return i + 1;
      case DO:
        return this.doLoop(i, end);
      case LBRACE: {
        const close = this.close(i, end);
        this.block(i + 1, close);
        return close + 1;
      }
      case IF:
      case SWITCH:
      case WHILE:
      case FOR:
        return this.control(i, end);
      case RETURN:
        return this.expressionStatement(i + 1, end);
      case GOTO:
        if (kind[i + 1] === STAR) {
          // goto *expression: no label to go to.
          this.blankTokens(i, i);
          return this.expressionStatement(i + 1, end);
        }
        return kind[i + 2] === SEMI ? i + 3 : this.expressionStatement(i + 1, end);
      case JUMP:
        return kind[i + 1] === SEMI ? i + 2 : i + 1;
      case CASE:
        return this.caseLabel(i, end);
      case DEFAULT:
        return kind[i + 1] === COLON ? i + 2 : i + 1;
      case ASM:
        return this.assembly(i, end, true);
      case TYPE:
      case QUALIFIER:
      case STORAGE:
      case TYPEDEF:
      case STRUCT:
      case ENUM:
      case TYPEOF:
      case ATTRIBUTE:
      case ALIGNAS:
        return this.declaration(i, end, BLOCK);
      case IDENT:
        return this.wordStatement(i, end);
    }
    return this.expressionStatement(i, end);
  }

  /** `do { … } while_each_x(args);` has its `while` hidden in a macro. */
  private doLoop(i: number, end: number): number {
    const { kind } = this;
    if (kind[i + 1] !== LBRACE || i + 1 >= end) return i + 1;
    const close = this.close(i + 1, end);
    this.block(i + 2, close);
    if (kind[close + 1] === IDENT && kind[close + 2] === LPAREN && close + 2 < end) {
      const last = this.close(close + 2, end);
      this.loop(close + 1, last, 'while');
      return last + 1;
    }
    return close + 1;
  }

  private control(i: number, end: number): number {
    const { kind } = this;
    const k = kind[i]!;
    let open = i + 1;
    if (k === IF && kind[open] === IDENT && kind[open + 1] === LPAREN) {
      // if likely(x)
      this.blankTokens(open, open);
      open++;
    }
    if (kind[open] !== LPAREN || open >= end) return i + 1;
    const close = this.close(open, end);
    if (k === FOR) this.forHead(open, close);
    else this.expression(open + 1, close, COMMAS);
    return close + 1;
  }

  private forHead(open: number, close: number): void {
    const { kind } = this;
    let i = open + 1;
    const semis: number[] = [];
    for (let j = i; j < close; j = this.skip(j, close)) if (kind[j] === SEMI) semis.push(j);
    if (semis.length > 0 && this.startsDeclaration(i, close)) i = this.declaration(i, semis[0]! + 1, BLOCK);
    while (i < close) {
      const next = this.expression(i, close, COMMAS);
      i = Math.max(next, i) + 1;
    }
  }

  /** `case A ... B:` keeps A. */
  private caseLabel(i: number, end: number): number {
    const { kind } = this;
    let j = i + 1;
    let range = -1;
    let questions = 0;
    for (; j < end; j = this.skip(j, end)) {
      const k = kind[j]!;
      if (k === QUESTION) questions++;
      else if (k === COLON && questions-- === 0) break;
      else if (k === ELLIPSIS) range = j;
      else if (k === SEMI || k === RBRACE) return j;
    }
    j = Math.min(j, end);
    this.expression(i + 1, range >= 0 ? range : j, COMMAS);
    if (range >= 0) this.blankTokens(range, j - 1);
    return j + 1;
  }

  private assembly(i: number, end: number, isStatement: boolean): number {
    const { kind, out, start } = this;
    // asm_inline(…), asm_volatile_goto(…): two words and three.
    for (let at = start[i]! + 3; at < this.end[i]!; at++) {
      if (out[at] === UNDERSCORE && out[start[i]!] !== UNDERSCORE) out[at] = SPACE;
    }
    let j = i + 1;
    while (j < end && kind[j] !== LPAREN && kind[j] !== SEMI) j++;
    if (kind[j] !== LPAREN || j >= end) return j;
    const close = this.close(j, end);
    // Macros in the template or operands that are no expressions: an empty template takes their place.
    let plain = true;
    let colons = 0;
    for (let a = j + 1; a < close && plain; a = this.skip(a, close)) {
      const k = kind[a]!;
      if (k === COLON) colons++;
      else if (k === OPERATOR) plain = false;
      else if (k === LPAREN) {
        if (kind[a - 1] !== STRING || kind[a - 2] === STRING) plain = false;
        else if (this.typeLike(a + 1, this.close(a, close))) plain = false;
        else this.expression(a + 1, this.close(a, close), COMMAS);
      } else if (k === IDENT && colons !== 4) plain = false;
      else if (k !== STRING && k !== COMMA && k !== LBRACKET && k !== IDENT) plain = false;
    }
    if (!plain || kind[j + 1] !== STRING) {
      if (close > j + 1) this.blankTokens(j + 1, close - 1);
      let room = j + 1;
      while (room < close && this.end[room]! - start[room]! < 2) room++;
      if (room < close) this.put(start[room]!, '""');
    }
    if (!isStatement) return close + 1;
    if (kind[close + 1] === SEMI) return close + 2;
    this.insertAfter(close, SEMI);
    return close + 1;
  }

  /** Does a declaration start at `i`? Decided by the first few tokens. */
  private startsDeclaration(i: number, end: number): boolean {
    const { kind } = this;
    const k = kind[i]!;
    if (k >= TYPE && k <= ALIGNAS) return true;
    if (k !== IDENT || i + 1 >= end) return false;
    const n = kind[i + 1]!;
    if (n === IDENT || (n >= TYPE && n <= ALIGNAS)) return true;
    if (n === STAR) {
      let j = i + 2;
      while (
        j < end &&
        (kind[j] === STAR || kind[j] === QUALIFIER || (kind[j] === IDENT && kind[j + 1] === IDENT))
      )
        j++;
      if (kind[j] !== IDENT || j >= end) return false;
      const after = j + 1 < end ? kind[j + 1]! : SEMI;
      return (
        after === SEMI ||
        after === EQUALS ||
        after === COMMA ||
        after === LBRACKET ||
        (after === LPAREN && kind[i + 2] === STAR)
      );
    }
    if (n === LPAREN)
      return (
        this.functionPointer(i + 1, this.close(i + 1, end), end) &&
        kind[i + 2] === STAR &&
        this.pointsToFunction(i, end)
      );
    return false;
  }

  /** `type (*name)(params) [= …];` rather than `call(*x)(y);`. */
  private pointsToFunction(i: number, end: number): boolean {
    const { kind } = this;
    const close = this.close(i + 1, end);
    if (kind[i + 3] !== IDENT || i + 4 !== close) return false;
    const params = this.close(close + 1, end);
    const after = kind[params + 1];
    return after === EQUALS || after === SEMI;
  }

  private wordStatement(i: number, end: number): number {
    const { kind } = this;
    const n = i + 1 < end ? kind[i + 1]! : 0;
    switch (n) {
      case COLON: {
        // A label. It needs a statement.
        let j = i + 2;
        while (j < end && kind[j] === DIRECTIVE) {
          this.blankTokens(j, j);
          j++;
        }
        if (j >= end) this.insertAfter(i + 1, SEMI);
        // label: __maybe_unused
        if (
          j < end &&
          kind[j] === IDENT &&
          kind[j + 1] !== LPAREN &&
          this.startsDunder(j) &&
          this.attributeLike(j)
        ) {
          this.blankTokens(j, j);
          if (kind[j + 1] !== COLON) return j + 1;
        }
        return j;
      }
      case LPAREN:
        return this.callStatement(i, end);
      case LBRACE:
        // MACRO { … }: a block.
        this.blankTokens(i, i);
        return i + 1;
      case RBRACE:
      case DIRECTIVE:
      case 0:
        if (!this.endStatement(i)) this.blankTokens(i, i);
        return i + 1;
      case IDENT:
        // A macro without its semicolon: on its own line before another call, or before a label.
        if (
          this.newLineBefore(i + 1) &&
          (kind[i + 2] === COLON || (this.shouted(i) && kind[i + 2] !== SEMI && kind[i + 2] !== EQUALS)) &&
          this.insertAfter(i, SEMI)
        ) {
          return i + 1;
        }
        return this.declaration(i, end, BLOCK);
    }
    if (n >= IF && n <= JUMP && n !== SIZEOF) {
      if (!this.endStatement(i)) this.blankTokens(i, i);
      return i + 1;
    }
    if (this.startsDeclaration(i, end)) return this.declaration(i, end, BLOCK);
    return this.expressionStatement(i, end);
  }

  /** A statement that starts `NAME(…)`. */
  private callStatement(i: number, end: number): number {
    const { kind } = this;
    if (this.startsDeclaration(i, end)) return this.declaration(i, end, BLOCK);
    const close = this.close(i + 1, end);
    const k = close + 1 < end ? kind[close + 1]! : 0;
    switch (k) {
      case SEMI:
        if (!this.wrappedStatements(i, close)) this.callArguments(i + 1, close);
        return close + 2;
      case LBRACE:
        this.loop(i, close);
        return close + 1;
      case EQUALS:
        if (kind[close + 2] === LBRACE) return this.declaration(i, end, BLOCK);
        return this.expressionStatement(i, end);
      case COLON:
        // MACRO(…): a label of some kind.
        this.blankTokens(i + 1, close);
        return close + 2;
      case 0:
      case RBRACE:
      case DIRECTIVE:
      case ELSE:
      case IF:
      case WHILE:
      case FOR:
      case DO:
      case SWITCH:
      case RETURN:
      case GOTO:
      case JUMP:
      case CASE:
      case DEFAULT:
      case IDENT:
      case INCDEC:
      case ASM:
      case TYPE:
      case STRUCT:
      case ENUM:
      case QUALIFIER:
      case STORAGE:
      case TYPEOF:
      case ATTRIBUTE:
      case STAR:
      case LPAREN:
        break;
      default:
        return this.expressionStatement(i, end);
    }
    if (ITERATOR.test(this.text(i)) || SCOPED.test(this.text(i))) {
      this.loop(i, close);
      return close + 1;
    }
    if (k === STAR || k === LPAREN || k === INCDEC) return this.expressionStatement(i, end);
    if (k === IDENT && !this.newLineBefore(close + 1)) {
      if (this.attributeLike(i)) {
        this.blankTokens(i, close);
        return close + 1;
      }
      // MACRO(x) name = …;
      if (this.onlyWordAfter(close + 1, end) && kind[close + 2] !== LPAREN)
        return this.declaration(i, end, BLOCK);
    }
    if ((k === TYPE || k === STRUCT) && this.attributeLike(i)) {
      this.blankTokens(i, close);
      return close + 1;
    }
    if (close >= end) {
      this.callArguments(i + 1, close);
      return close;
    }
    if (this.wrappedStatements(i, close)) return close + 1;
    this.callArguments(i + 1, close);
    if (!this.endStatement(close)) {
      // No room for a semicolon: the arguments become a statement of their own.
      if (close === i + 2) this.blankTokens(i, close);
      else {
        this.blankTokens(i, i + 1);
        this.out[this.start[close]!] = SEMI;
      }
    }
    return close + 1;
  }

  /** Puts a semicolon after token `i`, if need be in the place of a directive. False if there is no room. */
  private endStatement(i: number): boolean {
    if (this.insertAfter(i, SEMI)) return true;
    const next = i + 1;
    if (next >= this.tokens.count || this.kind[next] !== DIRECTIVE || this.tokens.sub[next]! < D_DEFINE)
      return false;
    this.blankTokens(next, next);
    this.out[this.start[next]!] = SEMI;
    return true;
  }

  /** `MACRO(statements)`: the statements stay, in a block of their own if they end like statements. */
  private wrappedStatements(i: number, close: number): boolean {
    const { kind, out, start } = this;
    let statements = false;
    for (let j = i + 2; j < close; j = this.skip(j, close)) {
      const k = kind[j]!;
      if (k === COMMA) return false;
      if (
        k === SEMI ||
        k === IF ||
        (k === LBRACE && j > i + 2 && kind[j - 1] === RPAREN && this.isCall(this.match[j - 1]!))
      ) {
        statements = true;
      }
    }
    if (!statements) return false;
    const last = kind[close - 1]!;
    const whole = last === SEMI || last === RBRACE;
    this.blankTokens(i, i);
    out[start[i + 1]!] = whole ? LBRACE : SPACE;
    out[start[close]!] = whole ? RBRACE : SEMI;
    // The last statement finds its semicolon there.
    if (!whole) kind[close] = SEMI;
    this.block(i + 2, whole ? close : close + 1);
    return true;
  }

  /** Does the parenthesis at `open` belong to a call or a control statement? */
  private isCall(open: number): boolean {
    const k = open > 0 ? this.kind[open - 1]! : 0;
    return k === IDENT || (k >= IF && k <= SWITCH);
  }

  /** `iterator(args)` before its body: `while (args)`, the word at the same place. */
  private loop(i: number, close: number, keyword?: 'while'): void {
    const { out, start, end } = this;
    const from = start[i]!;
    const size = end[i]! - from;
    const name = this.text(i);
    const word = keyword ?? (SCOPED.test(name) || size < 5 ? 'if' : 'while');
    this.callArguments(i + 1, close);
    blank(out, from, end[i]!);
    if (size < word.length) return;
    this.put(from, word);
    if (close === i + 2) {
      // No arguments: a condition is made up where the name was.
      if (size >= word.length + 2) {
        out[start[i + 1]!] = SPACE;
        this.put(from + word.length, '(1');
      } else this.blankTokens(i, close);
    }
  }

  /** An expression up to its `;`, which is put in if it is missing. */
  private expressionStatement(i: number, end: number): number {
    const { kind } = this;
    const j = this.expression(i, end, COMMAS);
    if (j < end && kind[j] === SEMI) return j + 1;
    if (j > i && j >= end) this.insertAfter(end - 1, SEMI);
    return j;
  }

  // ---- expressions

  /**
   * Mends an expression from `i`; stops at `;`, at an unmatched closing bracket, at `end`, and, unless
   * `mode` is COMMAS, at a comma; an ELEMENT also ends where another operand follows. Returns the
   * token it stopped at.
   */
  private expression(i: number, end: number, mode: number): number {
    const { kind, out, start } = this;
    /** True where an operand must come next. */
    let wanted = true;
    while (i < end) {
      const k = kind[i]!;
      switch (k) {
        case SEMI:
        case RBRACE:
        case RPAREN:
        case RBRACKET:
          return i;
        case COMMA:
          if (mode !== COMMAS) return i;
          wanted = true;
          i++;
          break;
        case IDENT:
          if (!wanted && kind[i - 1] !== STRING && kind[i - 1] !== IDENT && kind[i + 1] !== STRING) {
            // Two operands in a row: a macro that brings its own comma or operator.
            if (mode === ELEMENT) return i;
            this.insertAfter(i - 1, PIPE);
          }
          i = this.word(i, end);
          wanted = false;
          break;
        case STRING:
          if (!wanted && kind[i - 1] === RPAREN) {
            // MACRO(x) "text"
            const open = this.match[i - 1]!;
            if (open > 0 && kind[open - 1] === IDENT) this.blankTokens(open, i - 1);
          }
          wanted = false;
          i++;
          break;
        case NUMBER:
          this.number(i);
          wanted = false;
          i++;
          break;
        case CHAR:
          wanted = false;
          i++;
          break;
        case LPAREN:
          if (!wanted && kind[i - 1] === STRING) {
            // An operand of an assembler macro: "r" (value).
            this.blankTokens(i - 1, i - 1);
            wanted = true;
          }
          i = this.parenthesis(i, end, wanted);
          wanted = this.castBefore;
          this.castBefore = false;
          break;
        case LBRACKET: {
          const close = this.close(i, end);
          this.expression(i + 1, close, COMMAS);
          wanted = false;
          i = close + 1;
          break;
        }
        case LBRACE: {
          const close = this.close(i, end);
          if (this.holdsStatements(i, close)) this.block(i + 1, close);
          else this.initializer(i, close);
          wanted = false;
          i = close + 1;
          break;
        }
        case SIZEOF:
        case ALIGNOF:
        case OFFSETOF:
          wanted = kind[i + 1] !== LPAREN;
          i = this.typeOperator(i, end);
          break;
        case GENERIC:
          i = kind[i + 1] === LPAREN ? this.close(i + 1, end) + 1 : i + 1;
          wanted = false;
          break;
        case ASM:
          i = this.assembly(i, end, false);
          wanted = false;
          break;
        case ANDAND:
          // The address of a label.
          if (wanted) out[start[i]!] = SPACE;
          wanted = true;
          i++;
          break;
        case ARROW:
        case DOT:
          if (wanted) {
            blank(out, start[i]!, this.end[i]!);
            i++;
          } else {
            // The member's name, whatever word it is.
            i += 2;
            wanted = false;
          }
          break;
        case INCDEC:
          i++;
          break;
        case STRUCT:
        case ENUM:
        case STORAGE:
        case QUALIFIER:
        case ATTRIBUTE:
        case ALIGNAS:
          if (k === ATTRIBUTE) i = this.attribute(i, end);
          else {
            blank(out, start[i]!, this.end[i]!);
            i++;
          }
          break;
        case TYPE:
          this.namePlaceholder(i);
          wanted = false;
          i++;
          break;
        case TYPEOF:
          i = this.typeOf(i, end);
          wanted = false;
          break;
        case ELLIPSIS:
          out[start[i]!] = PLUS;
          blank(out, start[i]! + 1, this.end[i]!);
          wanted = true;
          i++;
          break;
        case DIRECTIVE:
          this.blankTokens(i, i);
          i++;
          break;
        case RETURN:
        case GOTO:
        case TYPEDEF:
          this.blankTokens(i, i);
          i++;
          break;
        case JUMP:
        case IF:
        case ELSE:
        case WHILE:
        case FOR:
        case DO:
        case SWITCH:
        case CASE:
        case DEFAULT:
          if (!wanted) return i;
          this.namePlaceholder(i);
          wanted = false;
          i++;
          break;
        case BANG:
        case TILDE:
          if (!wanted) this.insertAfter(i - 1, PIPE);
          wanted = true;
          i++;
          break;
        default:
          wanted = true;
          i++;
      }
    }
    return i;
  }

  /** `2500baseT`: part of a name that a macro pastes together. An underscore makes it a name. */
  private number(i: number): void {
    const from = this.start[i]!;
    if (this.end[i]! - from < 2) return;
    if (!NUMBER_TEXT.test(this.text(i))) this.out[from] = UNDERSCORE;
  }

  /** Set by `parenthesis`: it was a cast, an operand must follow. */
  private castBefore = false;

  private holdsStatements(open: number, close: number): boolean {
    const { kind } = this;
    for (let i = open + 1; i < close; i = this.skip(i, close)) if (kind[i] === SEMI) return true;
    return false;
  }

  /** An identifier in an expression, with its arguments if it is called. */
  private word(i: number, end: number): number {
    const { kind } = this;
    if (kind[i + 1] === LPAREN && i + 1 < end) {
      const close = this.close(i + 1, end);
      this.callArguments(i + 1, close);
      if (kind[i - 1] === STRING && i > 0) {
        // "text" MACRO(x) "text"
        this.blankTokens(i + 1, Math.min(close, end - 1));
      }
      return close + 1;
    }
    if (kind[i + 1] === IDENT && i + 1 < end && kind[i - 1] !== STRING) {
      // Words in a row: a string made by macros if there is a literal, else attributes.
      if (kind[i + 2] !== STRING || kind[i + 1] !== STRING) blank(this.out, this.start[i]!, this.end[i]!);
    }
    return i + 1;
  }

  /** `sizeof`, `alignof`, `offsetof` from the keyword. */
  private typeOperator(i: number, end: number): number {
    const { kind } = this;
    const k = kind[i]!;
    if (kind[i + 1] !== LPAREN || i + 1 >= end) return i + 1;
    const close = this.close(i + 1, end);
    if (k === OFFSETOF) {
      const comma = this.nextComma(i + 2, close);
      if (this.typeLike(i + 2, comma)) this.declaration(i + 2, comma, TYPE_NAME);
      else if (comma > i + 3) this.expression(i + 2, comma, COMMAS);
      // Only a plain member is in the grammar.
      if (comma + 1 < close && kind[comma + 1] === IDENT) this.blankTokens(comma + 2, close - 1);
      else if (comma < close) {
        this.putPlaceholderCall(i);
        this.expression(comma + 1, close, COMMAS);
      }
      return close + 1;
    }
    if (this.typeLike(i + 2, close)) {
      this.declaration(i + 2, close, TYPE_NAME);
      if (k === SIZEOF && kind[close + 1] === LBRACE) return close + 1;
    } else {
      if (k === ALIGNOF && !(kind[i + 2] === IDENT && close === i + 3)) this.putPlaceholderCall(i);
      this.expression(i + 2, close, COMMAS);
    }
    return close + 1;
  }

  /** Changes a keyword operator to a word that is called. */
  private putPlaceholderCall(i: number): void {
    this.out[this.end[i]! - 1] = 88;
  }

  /** A parenthesis that is no argument list, or one after a called expression. */
  private parenthesis(i: number, end: number, wanted: boolean): number {
    const { kind } = this;
    const close = this.close(i, end);
    this.castBefore = false;
    if (!wanted) {
      this.callArguments(i, close);
      return close + 1;
    }
    if (kind[i + 1] === LBRACE) {
      const inner = this.close(i + 1, close);
      this.block(i + 2, inner);
      this.expression(inner + 1, close, COMMAS);
      return close + 1;
    }
    if (this.typeLike(i + 1, close)) {
      const single = kind[i + 1] === TYPEOF && this.close(i + 2, close) === close - 1;
      this.declaration(i + 1, close, TYPE_NAME);
      // `(typeof) *x` would be a product.
      if (single && this.end[i + 1]! + 2 < this.start[close]!) this.put(this.start[i + 1]!, 'unsigned');
      if (kind[close + 1] === LBRACE && close + 1 < end) {
        const last = this.close(close + 1, end);
        this.initializer(close + 1, last);
        return last + 1;
      }
      this.castBefore = true;
      return close + 1;
    }
    if (kind[close + 1] === LBRACE && close + 1 < end && close === i + 2) {
      const last = this.close(close + 1, end);
      this.initializer(close + 1, last);
      return last + 1;
    }
    // `(word) operand`: a cast.
    if (close === i + 2 && kind[i + 1] === IDENT) {
      const k = close + 1 < end ? kind[close + 1]! : 0;
      this.castBefore =
        k === IDENT ||
        k === NUMBER ||
        k === STRING ||
        k === CHAR ||
        k === SIZEOF ||
        k === BANG ||
        k === TILDE ||
        k === LPAREN;
      if (k === LPAREN) this.castBefore = true;
      return close + 1;
    }
    let j = i + 1;
    while (j < close) {
      j = this.expression(j, close, COMMAS);
      // `(a; b)`: an argument of a macro that was statements.
      if (j < close && kind[j] === SEMI) this.out[this.start[j]!] = j + 1 === close ? SPACE : COMMA;
      j++;
    }
    return close + 1;
  }

  /** Do the tokens from `i` up to `end` read as a type name? */
  private typeLike(i: number, end: number): boolean {
    const { kind } = this;
    if (i >= end) return false;
    const k = kind[i]!;
    if (k >= TYPE && k <= ALIGNAS) return true;
    if (k !== IDENT) return false;
    let words = 1;
    let j = i + 1;
    while (j < end && kind[j] === IDENT) {
      j++;
      words++;
    }
    if (j === end) return words > 1;
    if (words > 1 && kind[j]! >= TYPE && kind[j]! <= ALIGNAS) return true;
    if (kind[j]! >= TYPE && kind[j]! <= ALIGNAS) return true;
    if (kind[j] === STAR) {
      for (j++; j < end; j++) {
        const s = kind[j]!;
        if (s === STAR || s === QUALIFIER || (s === IDENT && POINTER_WORD.test(this.text(j)))) continue;
        return false;
      }
      return true;
    }
    if (kind[j] === LPAREN && kind[j + 1] === STAR && kind[j + 2] === RPAREN) return kind[j + 3] === LPAREN;
    if (kind[j] === LBRACKET && words > 1) return true;
    return false;
  }

  /** Arguments between the parentheses at `open` and `close`. */
  private callArguments(open: number, close: number): void {
    if (open + 1 < close) this.arguments(open, close);
  }

  private arguments(open: number, close: number): void {
    const { kind } = this;
    let i = open + 1;
    for (;;) {
      let comma = i;
      let semi = -1;
      let questions = 0;
      while (comma < close && kind[comma] !== COMMA) {
        if (kind[comma] === QUESTION) questions++;
        else if (kind[comma] === COLON && questions-- <= 0) {
          // Clobbers, operands or labels of an assembler macro.
          this.out[this.start[comma]!] = PIPE;
          kind[comma] = PIPE;
        }
        if (
          semi < 0 &&
          (kind[comma] === SEMI ||
            (kind[comma] === LBRACE &&
              comma > i &&
              kind[comma - 1] === RPAREN &&
              this.isCall(this.match[comma - 1]!)))
        )
          semi = comma;
        comma = this.skip(comma, close);
      }
      if (comma > close) comma = close;
      if (comma === i) this.emptyArgument(i, close);
      else this.argument(i, comma, semi);
      if (comma >= close) return;
      i = comma + 1;
    }
  }

  /** `f(a, , b)`: a name is put in; without room for it the comma goes. */
  private emptyArgument(i: number, close: number): void {
    if (this.insertAfter(i - 1, UNDERSCORE)) return;
    if (i < close) this.blankTokens(i, i);
    else if (this.kind[i - 1] === COMMA) this.blankTokens(i - 1, i - 1);
  }

  private argument(i: number, end: number, semi: number): void {
    const { kind, out, start } = this;
    const k = kind[i]!;
    if (k === LBRACE) {
      const close = this.close(i, end);
      if (this.holdsStatements(i, close) || close === i + 1 || kind[i + 1] === IF) {
        this.block(i + 1, close);
      } else {
        // An initializer is no argument; as a list in parentheses it is.
        let last = close - 1;
        if (kind[last] === COMMA) this.blankTokens(last, last);
        else last = close;
        out[start[i]!] = LPAREN;
        out[start[close]!] = RPAREN;
        this.arguments(i, last);
      }
      if (close + 1 < end) this.blankTokens(close + 1, end - 1);
      return;
    }
    if (semi >= 0) {
      this.statementsArgument(i, end);
      return;
    }
    if (k === IF || k === FOR || k === WHILE || k === DO || k === SWITCH) {
      this.statementsArgument(i, end);
      return;
    }
    if (this.typeLike(i, end)) {
      this.typePlaceholder(i, end);
      return;
    }
    let bare = !this.operand(k);
    for (let j = i + 1; bare && j < end; j++) bare = !this.operand(kind[j]!) && kind[j] !== LPAREN;
    if (bare && k !== LPAREN) {
      // An operator alone: FOO(a, ==, b).
      this.blankTokens(i, end - 1);
      out[start[i]!] = UNDERSCORE;
      return;
    }
    if (k === LBRACKET && this.close(i, end) + 1 < end && kind[this.close(i, end) + 1] === STRING) {
      // [name] "r" (value)
      const close = this.close(i, end);
      this.blankTokens(i, close);
      i = close + 1;
    } else if (k === LBRACKET && this.close(i, end) === end - 1) {
      this.blankTokens(i, i);
      this.blankTokens(end - 1, end - 1);
      i++;
      end--;
      if (i >= end) return;
    }
    // An operator too many before or after: FOO(+ 1), FOO(a |).
    if (
      k === EQUALS ||
      k === ASSIGN ||
      k === OPERATOR ||
      k === COLON ||
      k === PIPE ||
      k === SLASH ||
      k === PERCENT ||
      k === CARET ||
      k === LESS ||
      k === GREATER ||
      k === QUESTION
    ) {
      this.blankTokens(i, i);
      i++;
    }
    const last = kind[end - 1]!;
    if (
      end - 1 > i &&
      (last === PIPE ||
        last === AMP ||
        last === PLUS ||
        last === MINUS ||
        last === EQUALS ||
        last === OPERATOR ||
        last === ARROW ||
        last === DOT ||
        last === ASSIGN ||
        last === ANDAND)
    ) {
      this.blankTokens(end - 1, end - 1);
      end--;
    }
    this.expressions(i, end);
  }

  /** Expressions to the end, whatever stands between them. */
  private expressions(i: number, end: number): void {
    for (let j = i; j < end; j++) j = this.expression(j, end, COMMAS);
  }

  private operand(k: number): boolean {
    return k === IDENT || k === NUMBER || k === STRING || k === CHAR || k === TYPE || k >= IF || k === STRUCT;
  }

  /** Statements as an argument: their expressions stay, as far as they fit in one. */
  private statementsArgument(i: number, end: number): void {
    const { kind, out, start } = this;
    let braces = -1;
    let control = false;
    for (let j = i; j < end; j = this.skip(j, end)) {
      if (kind[j] === LBRACE && braces < 0) braces = j;
      const k = kind[j]!;
      if (k >= IF && k <= SWITCH) control = true;
    }
    if (braces >= 0) {
      // Keep the first block.
      const close = this.close(braces, end);
      this.block(braces + 1, close);
      if (braces > i) this.blankTokens(i, braces - 1);
      if (close + 1 < end) this.blankTokens(close + 1, end - 1);
      return;
    }
    if (control || this.startsDeclaration(i, end)) {
      for (let j = i; j < end; j++) {
        if (kind[j]! < IF || kind[j]! > SWITCH) continue;
        this.blankTokens(j, j);
        kind[j] = 0;
        // `if (x) f(x)`: what the condition guards becomes another operand.
        if (kind[j + 1] === LPAREN && j + 1 < end && this.close(j + 1, end) + 1 < end) {
          this.insertAfter(this.close(j + 1, end), PIPE);
        }
      }
      if (!control) {
        this.blankTokens(i, end - 1);
        out[start[i]!] = UNDERSCORE;
        return;
      }
    }
    let j = i;
    while (j < end) {
      j = this.expression(j, end, COMMAS);
      if (j < end && kind[j] === SEMI) out[start[j]!] = j + 1 === end ? SPACE : COMMA;
      j++;
    }
  }

  /** One word of the type stays (a struct's tag, or the type with a capital), the rest is blanked. */
  private typePlaceholder(i: number, end: number): void {
    const { kind } = this;
    let keep = -1;
    for (let j = i; j < end && keep < 0; j++) {
      const k = kind[j]!;
      if (k === STRUCT || k === ENUM) {
        for (let t = j + 1; t < end; t++) {
          if (kind[t] === IDENT && !(this.attributeLike(t) && kind[t + 1] === IDENT)) {
            keep = t;
            break;
          }
        }
        if (keep < 0) keep = j;
      } else if (k === TYPE || k === TYPEOF) keep = j;
      else if (k === IDENT && !this.attributeLike(j)) keep = j;
      else if (k === ATTRIBUTE) j = this.skip(j + 1, end) - 1;
    }
    if (keep < 0) keep = i;
    for (let j = i; j < end; j++) if (j !== keep) this.blankTokens(j, j);
    if (kind[keep] !== IDENT) this.namePlaceholder(keep);
  }

  /** Makes a keyword an identifier of the same length. */
  private namePlaceholder(i: number): void {
    const at = this.start[i]!;
    const c = this.out[at]!;
    this.out[at] = c >= 97 && c <= 122 ? c - 32 : 88;
  }
}

/** Pairs brackets; -1 for one without a partner. A `}` closes whatever is open inside its `{`. */
function matchBrackets(tokens: Tokens): Int32Array {
  const { count, kind } = tokens;
  const match = new Int32Array(count + 1).fill(-1);
  const open: number[] = [];
  for (let i = 0; i < count; i++) {
    switch (kind[i]) {
      case LPAREN:
      case LBRACKET:
      case LBRACE:
        open.push(i);
        break;
      case RPAREN:
      case RBRACKET: {
        const top = open.at(-1);
        if (top !== undefined && kind[top] === (kind[i] === RPAREN ? LPAREN : LBRACKET)) {
          match[top] = i;
          match[i] = top;
          open.pop();
        }
        break;
      }
      case RBRACE:
        while (open.length > 0 && kind[open[open.length - 1]!] !== LBRACE) open.pop();
        if (open.length > 0) {
          const top = open.pop()!;
          match[top] = i;
          match[i] = top;
        }
        break;
    }
  }
  return match;
}
