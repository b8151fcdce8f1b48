/**
 * Makes kernel source something that tree-sitter-c parses, without moving a byte: the result has the
 * length of the source and its newlines at the same offsets, so that a position in one is a position
 * in the other. String literals, character constants and comments outside blanked text stay as they are.
 *
 * What it does to what stays:
 * - Attributes, known or not, are blanked. `typeof (x)` becomes the type name `typeof`, in a cast
 *   `(unsigned)`.
 * - `iterator(args) {` becomes `while    (args) {`; `scoped_guard(args) {` becomes `if (args) {`. The
 *   source at the same offset has the name.
 * - A type as an argument becomes one identifier: the tag of a struct where it stands, else the type's
 *   first word with a capital. Arguments stay in their positions.
 * - A macro call that lacks its semicolon gets one. `MACRO(name, type, arg) {` at file scope becomes
 *   `MACRO name(type  arg) {`, a function of that name.
 * - `case A ... B:` keeps A; `&&label` becomes ` &label`; `goto *x` becomes `*x`.
 * - `#if` groups of whole statements, declarations, members or enumerators stay, with all their arms;
 *   of any other group the directives are blanked, and all arms but one (see `Mended.arms`).
 */
import { conditionalGroups, pendingArms, selectArms } from './mend-arms.js';
import { newTokens, type Tokens, tokenize } from './mend-lex.js';
import { MARGIN, mendSyntax } from './mend-syntax.js';

export interface Mended {
  /** Latin-1, one character a byte; as long as the source, with its newlines at the same offsets. */
  readonly text: string;
  /** What was blanked as an arm of an `#if` in this pass; byte offsets, end exclusive, in order. */
  readonly arms: { start: number; end: number }[];
}

/** Passes after the first that take other arms, before the one that takes `#if 0`. */
const ALTERNATIVES = 3;

/**
 * The main pass: first arms, nothing from `#if 0`. `source` is latin1, one character a byte. Never
 * throws on bad C.
 */
export function mend(source: string): Mended {
  return passes(source, 1)[0]!;
}

/**
 * The main pass, then as many more (at most four) as it takes for code in an `#if` arm to stand in
 * one of them: other arms first, arms that no configuration compiles (`#if 0`) in the last.
 */
export function mendPasses(source: string): Mended[] {
  return passes(source, 2 + ALTERNATIVES);
}

/** Token arrays are large and short-lived: they are kept from one text to the next. */
const room: Tokens[] = [];

function roomFor(n: number, capacity: number): Tokens {
  const held = room[n];
  if (held !== undefined && held.kind.length >= capacity) return held;
  return (room[n] = newTokens(Math.max(1 << 16, capacity + (capacity >> 2))));
}

function passes(source: string, limit: number): Mended[] {
  const bytes = Buffer.from(source, 'latin1');
  const tokens = roomFor(0, bytes.length + MARGIN);
  tokenize(bytes, bytes.length, tokens);
  const groups = conditionalGroups(tokens, bytes);
  const chosen = roomFor(1, tokens.directives ? tokens.count + MARGIN : 1);
  const done: Mended[] = [];
  const pass = (dead: boolean): void => {
    const out = Buffer.from(bytes);
    try {
      const selected = selectArms(tokens, groups, bytes, out, dead, chosen);
      mendSyntax(selected.tokens, out);
      done.push({ text: out.toString('latin1'), arms: selected.arms });
    } catch (error) {
      // Nested deeper than the stack, as no source is: nothing to mend there.
      if (!(error instanceof RangeError)) throw error;
      done.push({ text: source, arms: [] });
    }
  };
  pass(false);
  if (!tokens.directives || limit === 1) return done;
  for (const dead of [false, true]) {
    let pending = pendingArms(tokens, groups, dead);
    const most = dead ? done.length + 1 : 1 + ALTERNATIVES;
    while (pending > 0 && done.length < most) {
      pass(dead);
      const left = pendingArms(tokens, groups, dead);
      if (left === pending) done.pop();
      if (left === pending) break;
      pending = left;
    }
  }
  return done;
}
