/**
 * A C tokenizer for text that has not been preprocessed. It reads bytes, keeps offsets, and gives a
 * preprocessor line (with its continuation lines) as one token. Never fails: an unterminated comment
 * runs to the end of the text, an unterminated literal to the end of its line.
 */

// Single-character punctuation is its own character code. The rest starts at 128.
export const IDENT = 128;
export const NUMBER = 129;
export const STRING = 130;
export const CHAR = 131;
export const DIRECTIVE = 132;
export const ELLIPSIS = 133;
/** `->` */
export const ARROW = 134;
/** `&&`: also the address of a label. */
export const ANDAND = 135;
/** Any other binary operator of several characters. */
export const OPERATOR = 136;
/** `+=` and its like. */
export const ASSIGN = 137;
/** `++`, `--` */
export const INCDEC = 138;
/** A byte that C has no use for. */
export const STRAY = 139;

/** A word of a basic type, as tree-sitter-c knows them. */
export const TYPE = 160;
export const QUALIFIER = 161;
export const STORAGE = 162;
export const TYPEDEF = 163;
/** `struct` or `union`. */
export const STRUCT = 164;
export const ENUM = 165;
export const TYPEOF = 166;
export const ATTRIBUTE = 167;
export const ALIGNAS = 168;
export const IF = 170;
export const ELSE = 171;
export const WHILE = 172;
export const FOR = 173;
export const DO = 174;
export const SWITCH = 175;
export const CASE = 176;
export const DEFAULT = 177;
export const RETURN = 178;
export const GOTO = 179;
/** `break` or `continue`. */
export const JUMP = 180;
export const SIZEOF = 181;
export const ALIGNOF = 182;
export const OFFSETOF = 183;
export const GENERIC = 184;
export const ASM = 185;

/** What a directive does; the `sub` of a DIRECTIVE token. */
export const D_IF = 1;
export const D_IFDEF = 2;
export const D_IFNDEF = 3;
export const D_ELIF = 4;
export const D_ELSE = 5;
export const D_ENDIF = 6;
export const D_DEFINE = 7;
export const D_OTHER = 8;

const KEYWORDS: readonly (readonly [number, string])[] = [
  [
    TYPE,
    `bool char int float double void size_t ssize_t ptrdiff_t intptr_t uintptr_t charptr_t nullptr_t
     max_align_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t char8_t char16_t
     char32_t char64_t signed unsigned long short`,
  ],
  [QUALIFIER, 'const constexpr volatile restrict __restrict__ __extension__ _Atomic _Noreturn noreturn'],
  [STORAGE, 'static extern register inline __inline __inline__ thread_local __thread'],
  [TYPEDEF, 'typedef'],
  [STRUCT, 'struct union'],
  [ENUM, 'enum'],
  [TYPEOF, 'typeof __typeof__ __typeof typeof_unqual __typeof_unqual__ __auto_type auto'],
  [ATTRIBUTE, '__attribute__ __attribute __declspec'],
  [ALIGNAS, '_Alignas alignas'],
  [IF, 'if'],
  [ELSE, 'else'],
  [WHILE, 'while'],
  [FOR, 'for'],
  [DO, 'do'],
  [SWITCH, 'switch'],
  [CASE, 'case'],
  [DEFAULT, 'default'],
  [RETURN, 'return'],
  [GOTO, 'goto'],
  [JUMP, 'break continue'],
  [SIZEOF, 'sizeof'],
  [ALIGNOF, '__alignof__ __alignof _alignof alignof _Alignof'],
  [OFFSETOF, 'offsetof'],
  [GENERIC, '_Generic'],
  [ASM, 'asm __asm__ __asm asm_inline asm_volatile_goto'],
];

const HASH_SIZE = 4096;
const keywordKind = new Uint8Array(HASH_SIZE);
const keywordText: Uint8Array[] = [];

function hashOf(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 33) + text.charCodeAt(i)) | 0;
  return (h ^ (h >>> 12)) & (HASH_SIZE - 1);
}

for (const [kind, words] of KEYWORDS) {
  for (const word of words.split(/\s+/)) {
    let h = hashOf(word);
    while (keywordKind[h] !== 0) h = (h + 1) & (HASH_SIZE - 1);
    keywordKind[h] = kind;
    keywordText[h] = Uint8Array.from(word, (c) => c.charCodeAt(0));
  }
}

const DIRECTIVES: Readonly<Record<string, number>> = {
  if: D_IF,
  ifdef: D_IFDEF,
  ifndef: D_IFNDEF,
  elif: D_ELIF,
  elifdef: D_ELIF,
  elifndef: D_ELIF,
  else: D_ELSE,
  endif: D_ENDIF,
  define: D_DEFINE,
};

/** What a byte starts: 0 punctuation, 1 word, 2 digit, 3 white space. */
const classOf = new Uint8Array(256);
/** 1: goes on a word. */
const wordByte = new Uint8Array(256);
for (let c = 0; c < 256; c++) {
  const letter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95 || c === 36 || c >= 0xc0;
  const digit = c >= 48 && c <= 57;
  classOf[c] = letter ? 1 : digit ? 2 : c === 32 || (c >= 9 && c <= 13) ? 3 : 0;
  wordByte[c] = letter || digit ? 1 : 0;
}

/** Tokens of one text, in parallel arrays; `start` and `end` are byte offsets, end exclusive. */
export interface Tokens {
  count: number;
  kind: Uint8Array;
  /** What a DIRECTIVE does (`D_…`), else 0. */
  sub: Uint8Array;
  start: Int32Array;
  end: Int32Array;
  /** True if there is at least one directive. */
  directives: boolean;
}

export function newTokens(capacity: number): Tokens {
  return {
    count: 0,
    kind: new Uint8Array(capacity),
    sub: new Uint8Array(capacity),
    start: new Int32Array(capacity),
    end: new Int32Array(capacity),
    directives: false,
  };
}

/** Fills `into`, whose capacity must be at least `length + 1`: a token has at least one byte. */
export function tokenize(bytes: Uint8Array, length: number, into: Tokens): void {
  const { kind, sub, start, end } = into;
  let n = 0;
  let i = 0;
  let lineStart = true;
  into.directives = false;
  while (i < length) {
    const c = bytes[i]!;
    switch (classOf[c]) {
      case 3:
        if (c === 10) lineStart = true;
        i++;
        continue;
      case 1: {
        const from = i;
        let h = c;
        let d = 0;
        for (i++; i < length && wordByte[(d = bytes[i]!)] === 1; i++) h = (Math.imul(h, 33) + d) | 0;
        lineStart = false;
        d = i < length ? bytes[i]! : 0;
        // L"…", u8"…": the prefix belongs to the literal.
        if ((d === 34 || d === 39) && i - from <= 2 && isLiteralPrefix(bytes, from, i)) {
          i = literalEnd(bytes, i, length);
          kind[n] = d === 34 ? STRING : CHAR;
        } else {
          let slot = (h ^ (h >>> 12)) & (HASH_SIZE - 1);
          while (keywordKind[slot] !== 0 && !sameBytes(bytes, from, i, keywordText[slot]!)) {
            slot = (slot + 1) & (HASH_SIZE - 1);
          }
          kind[n] = keywordKind[slot]! || IDENT;
        }
        sub[n] = 0;
        start[n] = from;
        end[n++] = i;
        continue;
      }
      case 2: {
        const from = i;
        i = numberEnd(bytes, i, length);
        lineStart = false;
        kind[n] = NUMBER;
        sub[n] = 0;
        start[n] = from;
        end[n++] = i;
        continue;
      }
    }
    const next = i + 1 < length ? bytes[i + 1]! : 0;
    if (c === 47 && next === 42) {
      i = commentEnd(bytes, i, length);
      continue;
    }
    if (c === 47 && next === 47) {
      i = lineCommentEnd(bytes, i, length);
      continue;
    }
    if (c === 92 && (next === 10 || next === 13)) {
      i += 2;
      continue;
    }
    const from = i;
    sub[n] = 0;
    start[n] = from;
    if (c === 35 && lineStart) {
      i = directiveEnd(bytes, i, length);
      kind[n] = DIRECTIVE;
      sub[n] = directiveKind(bytes, from, i);
      into.directives = true;
      end[n++] = i;
      continue;
    }
    lineStart = false;
    let k = c;
    let size = 1;
    switch (c) {
      case 34: // "
      case 39: // '
        k = c === 34 ? STRING : CHAR;
        size = literalEnd(bytes, i, length) - i;
        break;
      case 46: // .
        if (next === 46 && i + 2 < length && bytes[i + 2] === 46) {
          k = ELLIPSIS;
          size = 3;
        } else if (next >= 48 && next <= 57) {
          k = NUMBER;
          size = numberEnd(bytes, i, length) - i;
        }
        break;
      case 45: // -
      case 43: // +
        if (c === 45 && next === 62) {
          k = ARROW;
          size = 2;
        } else if (next === c) {
          k = INCDEC;
          size = 2;
        } else if (next === 61) {
          k = ASSIGN;
          size = 2;
        }
        break;
      case 38: // &
      case 124: // |
        if (next === c) {
          k = c === 38 ? ANDAND : OPERATOR;
          size = 2;
        } else if (next === 61) {
          k = ASSIGN;
          size = 2;
        }
        break;
      case 60: // <
      case 62: // >
        if (next === c) {
          if (i + 2 < length && bytes[i + 2] === 61) {
            k = ASSIGN;
            size = 3;
          } else {
            k = OPERATOR;
            size = 2;
          }
        } else if (next === 61) {
          k = OPERATOR;
          size = 2;
        }
        break;
      case 42: // *
      case 47: // /
      case 37: // %
      case 94: // ^
        if (next === 61) {
          k = ASSIGN;
          size = 2;
        }
        break;
      case 61: // =
      case 33: // !
        if (next === 61) {
          k = OPERATOR;
          size = 2;
        }
        break;
      case 123: // {
      case 125: // }
      case 40: // (
      case 41: // )
      case 91: // [
      case 93: // ]
      case 59: // ;
      case 44: // ,
      case 58: // :
      case 63: // ?
      case 126: // ~
        break;
      default:
        k = STRAY;
    }
    i += size;
    kind[n] = k;
    end[n++] = i;
  }
  into.count = n;
}

function sameBytes(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word[i]) return false;
  return true;
}

function isLiteralPrefix(bytes: Uint8Array, from: number, to: number): boolean {
  const c = bytes[from]!;
  if (to - from === 1) return c === 76 || c === 117 || c === 85; // L u U
  return c === 117 && bytes[from + 1] === 56; // u8
}

/** A preprocessing number: digits, letters, dots, exponent signs and C23 digit separators. */
function numberEnd(bytes: Uint8Array, from: number, length: number): number {
  const hex = bytes[from] === 48 && from + 1 < length && (bytes[from + 1]! | 32) === 120;
  let i = from + 1;
  for (; i < length; i++) {
    const c = bytes[i]!;
    if (wordByte[c] === 1 || c === 46) continue;
    const before = bytes[i - 1]! | 32;
    if ((c === 43 || c === 45) && (hex ? before === 112 : before === 101)) continue;
    if (c === 39 && i + 1 < length && wordByte[bytes[i + 1]!] === 1) continue;
    break;
  }
  return i;
}

/** End of a string or character literal whose quote is at `i`; the end of the line if it is not closed. */
function literalEnd(bytes: Uint8Array, i: number, length: number): number {
  const quote = bytes[i]!;
  for (i++; i < length; i++) {
    const c = bytes[i]!;
    if (c === quote) return i + 1;
    if (c === 92) {
      i++;
      if (i + 1 < length && bytes[i] === 13 && bytes[i + 1] === 10) i++;
    } else if (c === 10) return i;
  }
  return length;
}

function commentEnd(bytes: Uint8Array, i: number, length: number): number {
  for (i += 2; i < length; i++) if (bytes[i] === 42 && i + 1 < length && bytes[i + 1] === 47) return i + 2;
  return length;
}

/** End of a `//` comment, before its newline; a backslash at the end of the line carries it on. */
function lineCommentEnd(bytes: Uint8Array, i: number, length: number): number {
  for (i += 2; i < length; i++) {
    if (bytes[i] !== 10) continue;
    const last = bytes[i - 1] === 13 ? bytes[i - 2] : bytes[i - 1];
    if (last !== 92) return i;
  }
  return length;
}

/** End of a directive, before its newline. Comments in it may hold newlines; a backslash carries it on. */
function directiveEnd(bytes: Uint8Array, i: number, length: number): number {
  for (; i < length; i++) {
    const c = bytes[i]!;
    if (c === 10) return i;
    if (c === 92) {
      i++;
      if (i + 1 < length && bytes[i] === 13 && bytes[i + 1] === 10) i++;
    } else if (c === 34 || c === 39) i = literalEnd(bytes, i, length) - 1;
    else if (c === 47 && i + 1 < length) {
      if (bytes[i + 1] === 42) i = commentEnd(bytes, i, length) - 1;
      else if (bytes[i + 1] === 47) return lineCommentEnd(bytes, i, length);
    }
  }
  return length;
}

function directiveKind(bytes: Uint8Array, from: number, to: number): number {
  let i = from + 1;
  while (i < to && (bytes[i] === 32 || bytes[i] === 9)) i++;
  let word = '';
  for (; i < to && wordByte[bytes[i]!] === 1; i++) word += String.fromCharCode(bytes[i]!);
  return DIRECTIVES[word] ?? D_OTHER;
}
