import type MagicString from 'magic-string';
import { type FunctionText, isFirstOnLine, type Statement } from './statements.js';
import { commentEnd, endsWithBackslash, lineIndent, lineStart } from './tokens.js';

/** Where a whole line may be inserted: at the start of a line, or in a gap inside one, which is then broken. */
interface Boundary {
  readonly start: number;
  /** Equal to `start` at the start of a line. Otherwise [start, end) is the white space that a line break replaces. */
  readonly end: number;
  readonly broken: boolean;
  /** Indentation of what follows a broken gap. */
  readonly indent: string;
  readonly lines: { readonly rank: readonly number[]; readonly text: string }[];
}

/** Ranks order what is inserted at one place; compared number by number. */
export const RANK = {
  declaration: (index: number): number[] => [0, index],
  blank: (): number[] => [1],
  /** After a statement: the inner statements' lines come first, each closed by its brace. */
  after: (depth: number, rank: readonly number[]): number[] => [2, -depth, 0, ...rank],
  close: (depth: number): number[] => [2, -depth, 1],
  before: (depth: number, rank: readonly number[]): number[] => [3, depth, ...rank],
};

/** A place that cannot take an insertion; `offset` says where. */
export class LayoutRefused extends Error {
  override readonly name = 'LayoutRefused';
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Collects whole lines to insert around the statements of one function, and the braces that a
 * statement needs which is no longer alone, then writes them all at once.
 */
export class Layout {
  private readonly boundaries = new Map<string, Boundary>();
  private readonly inline = new Map<number, string>();
  private readonly wrapped = new Set<Statement>();
  private readonly newline: string;

  constructor(
    readonly text: string,
    private readonly fn: FunctionText,
  ) {
    const firstNewline = text.indexOf('\n');
    this.newline = text[firstNewline - 1] === '\r' ? '\r\n' : '\n';
  }

  /** One step of indentation as the function has it: a tab, unless its first line shows spaces. */
  unit(): string {
    const outer = lineIndent(this.text, this.fn.root.start);
    const first = this.fn.root.children.find((s) => isFirstOnLine(this.text, s.start));
    const inner = first ? lineIndent(this.text, first.start) : '';
    const step = inner.startsWith(outer) ? inner.slice(outer.length) : '';
    return /^ +$/.test(step) ? step : '\t';
  }

  /** The indentation that a line before or after `statement` has. */
  indentOf(statement: Statement): string {
    if (statement.kind !== 'empty' && isFirstOnLine(this.text, statement.start)) {
      return lineIndent(this.text, statement.start);
    }
    const parent = statement.parent;
    if (!parent) return lineIndent(this.text, statement.start);
    if (statement.role !== 'item') return this.indentOf(controlOf(parent)) + this.unit();
    const label = statement.labels.at(-1);
    if (label?.kind === 'case') return lineIndent(this.text, label.start) + this.unit();
    return this.insideIndent(parent);
  }

  /** The indentation of the statements of a block. */
  insideIndent(block: Statement): string {
    const child = block.children.find((s) => s.kind !== 'empty' && isFirstOnLine(this.text, s.start));
    return child ? lineIndent(this.text, child.start) : lineIndent(this.text, block.start) + this.unit();
  }

  /**
   * Inserts `lines` (without indentation) before a statement: below its labels, above the comment lines
   * that stand right above it.
   */
  before(statement: Statement, lines: readonly string[], rank: readonly number[]): void {
    this.brace(statement);
    const boundary =
      statement.kind === 'empty'
        ? this.boundaryAfter(statement.start, this.indentOf(statement))
        : this.boundaryBefore(statement.start, this.indentOf(statement), true);
    this.insert(boundary, this.indentOf(statement), lines, RANK.before(depthOf(statement), rank));
  }

  /** Inserts `lines` above one of the labels of a statement, which begins at `label`. */
  above(statement: Statement, label: number, lines: readonly string[], rank: readonly number[]): void {
    const indent = this.indentOf(statement);
    this.insert(
      this.boundaryBefore(label, indent, true),
      indent,
      lines,
      RANK.before(depthOf(statement), rank),
    );
  }

  /** Inserts `lines` after a statement and a comment that ends its line. */
  after(statement: Statement, lines: readonly string[], rank: readonly number[]): void {
    this.brace(statement);
    const boundary = this.boundaryAfter(statement.end, this.followingIndent(statement));
    // Once the line is broken behind the statement, it should not share the first part with a brace or a label.
    if (boundary.broken) this.boundaryBefore(statement.start, this.indentOf(statement), false);
    this.insert(boundary, this.indentOf(statement), lines, RANK.after(depthOf(statement), rank));
  }

  /** Inserts `lines` behind the last statement of a block. */
  atEndOf(block: Statement, lines: readonly string[], rank: readonly number[]): void {
    const boundary = this.boundaryBefore(block.end - 1, this.closingIndent(block), false);
    this.insert(boundary, this.insideIndent(block), lines, RANK.before(depthOf(block) + 1, rank));
  }

  /** Inserts a declaration of the block after the declaration `previous`, or in front of all others. */
  declare(block: Statement, previous: Statement | null, declaration: string, index: number): void {
    const indent = previous ? this.indentOf(previous) : this.insideIndent(block);
    this.insert(this.declarationBoundary(block, previous), indent, [declaration], RANK.declaration(index));
  }

  /** Sets off the declarations of the block, which end with `last`, by a blank line if they are not. */
  blankAfter(block: Statement, last: Statement | null): void {
    const boundary = this.declarationBoundary(block, last);
    const blankFollows = !boundary.broken && /^[ \t\f\v]*\r?\n/.test(this.text.slice(boundary.start));
    if (!blankFollows) this.insert(boundary, '', [''], RANK.blank());
  }

  private declarationBoundary(block: Statement, previous: Statement | null): Boundary {
    return previous
      ? this.boundaryAfter(previous.end, this.followingIndent(previous))
      : this.boundaryAfter(block.start + 1, this.insideIndent(block));
  }

  /** Gives a statement that is the whole arm or body of a control statement its braces, and its sister arms too. */
  private brace(statement: Statement): void {
    if (statement.role === 'item' || statement.kind === 'block') return;
    if (statement.role === 'else' && statement.kind === 'if') {
      throw new LayoutRefused(statement.start, "nothing can be inserted between an 'else' and its 'if'");
    }
    const control = controlOf(statement.parent!);
    for (let arm: Statement | undefined = control; arm; ) {
      let chained: Statement | undefined;
      for (const child of arm.children) {
        if (child.role === 'else' && child.kind === 'if') chained = child;
        else if (child.kind !== 'block') this.wrap(child, control);
      }
      arm = chained;
    }
  }

  private wrap(statement: Statement, control: Statement): void {
    if (this.wrapped.has(statement)) return;
    this.wrapped.add(statement);
    const parent = statement.parent!;
    const last = parent.children.at(-1) === statement;
    const until = last && parent.kind !== 'do' ? statement.end : parent.tail;
    // An `#if` between the head and its body: the body has other heads, braces would not balance.
    const conditional = this.fn.lexed.directives.find((d) => d.start > parent.start && d.start < until);
    if (conditional) {
      throw new LayoutRefused(
        conditional.start,
        'braces are needed here, but a preprocessor line is in the way',
      );
    }
    const indent = this.indentOf(control);
    this.writeInline(statement.after, ' {');
    this.boundaryBefore(statement.start, indent + this.unit(), false);
    if (until === statement.end) {
      const boundary = this.boundaryAfter(statement.end, this.followingIndent(statement));
      this.insert(boundary, indent, ['}'], RANK.close(depthOf(statement)));
    } else {
      this.boundaryBefore(parent.tail, indent, false);
      this.writeInline(parent.tail, '} ');
    }
  }

  private writeInline(offset: number, text: string): void {
    this.inline.set(offset, (this.inline.get(offset) ?? '') + text);
  }

  /** The indentation of what comes after `statement`, should the line have to be broken there. */
  private followingIndent(statement: Statement): string {
    const parent = statement.parent;
    if (!parent) return '';
    if (parent.kind !== 'block') {
      const isLast = parent.children.at(-1) === statement && parent.kind !== 'do';
      return isLast ? this.followingIndent(parent) : this.indentOf(controlOf(parent));
    }
    const next = parent.children[parent.children.indexOf(statement) + 1];
    if (!next) return this.closingIndent(parent);
    return next.labels.length > 0 ? this.closingIndent(parent) : this.indentOf(next);
  }

  /** The indentation of the brace that closes a block. */
  private closingIndent(block: Statement): string {
    if (isFirstOnLine(this.text, block.start)) return lineIndent(this.text, block.start);
    return block.parent ? this.indentOf(controlOf(block.role === 'item' ? block : block.parent)) : '';
  }

  private boundaryBefore(offset: number, indent: string, withComments: boolean): Boundary {
    if (isFirstOnLine(this.text, offset)) {
      return this.lineBoundary(lineStart(this.text, withComments ? this.aboveComments(offset) : offset));
    }
    let start = offset;
    while (/[ \t\f\v]/.test(this.text[start - 1] ?? '')) start--;
    return this.gap(start, offset, indent);
  }

  private boundaryAfter(offset: number, indent: string): Boundary {
    let at = offset;
    for (;;) {
      const c = this.text[at];
      if (c === undefined) break;
      if (c === '\n') return this.lineBoundary(at + 1);
      if (c === '/' && (this.text[at + 1] === '*' || this.text[at + 1] === '/'))
        at = commentEnd(this.text, at);
      else if (/[ \t\r\f\v\\]/.test(c)) at++;
      else break;
    }
    let end = offset;
    while (/[ \t\f\v]/.test(this.text[end] ?? '')) end++;
    return this.gap(offset, end, indent);
  }

  private lineBoundary(start: number): Boundary {
    if (start > 0 && endsWithBackslash(this.text, start - 1)) {
      throw new LayoutRefused(start, 'the line is part of a macro definition');
    }
    return this.boundary({ start, end: start, broken: false, indent: '', lines: [] });
  }

  private gap(start: number, end: number, indent: string): Boundary {
    const lineEnd = this.text.indexOf('\n', end);
    if (lineEnd >= 0 && endsWithBackslash(this.text, lineEnd)) {
      throw new LayoutRefused(start, 'the line is part of a macro definition');
    }
    return this.boundary({ start, end, broken: true, indent, lines: [] });
  }

  private boundary(fresh: Boundary): Boundary {
    const key = `${fresh.broken ? 'gap' : 'line'} ${fresh.start}`;
    const known = this.boundaries.get(key);
    if (known) return known;
    this.boundaries.set(key, fresh);
    return fresh;
  }

  private insert(
    boundary: Boundary,
    indent: string,
    lines: readonly string[],
    rank: readonly number[],
  ): void {
    for (const line of lines) boundary.lines.push({ rank, text: line === '' ? '' : indent + line });
  }

  /** The start of the comment lines that stand, without a blank line between, right above the line of `offset`. */
  private aboveComments(offset: number): number {
    let top = offset;
    for (const comment of [...this.fn.lexed.comments].reverse()) {
      if (comment.start >= top) continue;
      const between = this.text.slice(comment.end, top);
      if (!/^[ \t\r\f\v]*\n[ \t\f\v]*$/.test(between) || !isFirstOnLine(this.text, comment.start)) break;
      top = comment.start;
    }
    return top;
  }

  write(out: MagicString): void {
    const eol = this.newline;
    const { root } = this.fn;
    // A body of one line that is broken ends in a line of its own.
    if (this.boundaries.size > 0 && !this.text.slice(root.start, root.end).includes('\n'))
      this.boundaryBefore(root.end - 1, this.closingIndent(root), false);
    for (const [offset, text] of this.inline) {
      // A brace that opens belongs to the text on its left, one that closes to the word on its right.
      if (text.startsWith('}')) out.prependRight(offset, text);
      else out.appendLeft(offset, text);
    }
    for (const boundary of this.boundaries.values()) {
      const lines = [...boundary.lines]
        .sort((a, b) => compareRanks(a.rank, b.rank))
        .map((line) => line.text + eol);
      if (!boundary.broken) {
        out.appendLeft(boundary.start, lines.join(''));
        continue;
      }
      const text = eol + lines.join('') + boundary.indent;
      if (boundary.start === boundary.end) out.appendLeft(boundary.start, text);
      else out.update(boundary.start, boundary.end, text);
    }
  }
}

/** The `if` that begins a chain of `else if`; any other control statement is itself. */
function controlOf(statement: Statement): Statement {
  let control = statement;
  while (control.role === 'else' && control.kind === 'if' && control.parent) control = control.parent;
  return control;
}

function depthOf(statement: Statement): number {
  let depth = 0;
  for (let s = statement.parent; s; s = s.parent) depth++;
  return depth;
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
