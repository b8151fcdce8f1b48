import { type Directive, type Lexed, lex, lineIndent, lineStart, type Token } from './tokens.js';

/**
 * The statements of one function body as they stand in the text: where each begins and ends, what it
 * is the body of, which labels stand before it. Types and expressions are not looked into.
 */
export type StatementKind = 'block' | 'if' | 'loop' | 'do' | 'switch' | 'simple' | 'declaration' | 'empty';

/** What a statement is to its parent: an item of a block, an arm of an `if`, the body of a loop or switch. */
export type StatementRole = 'item' | 'then' | 'else' | 'body';

export interface Statement {
  readonly kind: StatementKind;
  readonly role: StatementRole;
  /** First character after the labels. */
  readonly start: number;
  /** Past the `;` or `}`. */
  end: number;
  readonly parent: Statement | null;
  readonly labels: readonly Label[];
  readonly children: Statement[];
  /** For the body of a control statement: past the `)`, `else` or `do` that it follows. */
  readonly after: number;
  /** `if`: the offset of its `else`. `do`: the offset of its `while`. Otherwise -1. */
  tail: number;
}

export interface Label {
  readonly start: number;
  /** Past the colon. */
  readonly end: number;
  readonly kind: 'case' | 'goto';
}

export interface FunctionText {
  readonly lexed: Lexed;
  /** The block that is the whole body. */
  readonly root: Statement;
  /** Every statement below the root, outer before inner, in the order of the text. */
  readonly statements: readonly Statement[];
  /** The statement whose text, or one of whose labels, begins at `offset`. */
  at(offset: number): Statement | undefined;
  /** How many `#if` inside the body are open at `offset`. */
  conditionalDepth(offset: number): number;
}

export class UnreadableBody extends Error {
  override readonly name = 'UnreadableBody';
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Reads the `{…}` at [start, end). Where the arms of an `#if` do not nest (a brace opened in each),
 * only the first arms are read, else only the last ones, of those that are compiled (`#if 0`): `wanted` are the offsets that must be
 * statements of what is read.
 * @throws UnreadableBody if no choice of arms balances
 */
export function readFunction(
  text: string,
  start: number,
  end: number,
  wanted: readonly number[],
): FunctionText {
  const lexed = lex(text, start, end);
  let failure: unknown;
  let found: FunctionText | undefined;
  for (const arms of ['all', 'first', 'last'] as const) {
    try {
      const body = readArms(text, lexed, arms);
      if (wanted.every((offset) => body.at(offset) !== undefined)) return body;
      found ??= body;
    } catch (error) {
      if (!(error instanceof UnreadableBody)) throw error;
      failure ??= error;
    }
    if (lexed.directives.length === 0) break;
  }
  if (found) return found;
  throw failure;
}

function readArms(text: string, lexed: Lexed, arms: 'all' | 'first' | 'last'): FunctionText {
  const dropped = arms === 'all' ? [] : droppedArms(text, lexed.directives, arms);
  const tokens = lexed.tokens.filter((t) => !dropped.some((d) => t.start >= d.start && t.start < d.end));
  const reader = new Reader(text, tokens);
  const root = reader.readBody();
  const statements: Statement[] = [];
  const byOffset = new Map<number, Statement>();
  const visit = (s: Statement): void => {
    statements.push(s);
    // A block and its first item do not begin at the same place, nor do any other two statements.
    if (!byOffset.has(s.start)) byOffset.set(s.start, s);
    for (const label of s.labels) byOffset.set(label.start, s);
    s.children.forEach(visit);
  };
  visit(root);
  return {
    lexed,
    root,
    statements: statements.slice(1),
    at: (offset) => byOffset.get(offset),
    conditionalDepth: (offset) => conditionalDepth(lexed.directives, offset),
  };
}

function conditionalDepth(directives: readonly Directive[], offset: number): number {
  let depth = 0;
  for (const d of directives) {
    if (d.start >= offset) break;
    if (d.name.startsWith('if')) depth++;
    else if (d.name === 'endif') depth--;
  }
  return depth;
}

function droppedArms(
  text: string,
  directives: readonly Directive[],
  keep: 'first' | 'last',
): { start: number; end: number }[] {
  const dropped: { start: number; end: number }[] = [];
  const open: { arms: Directive[] }[] = [];
  const says = (d: Directive, what: RegExp): boolean => what.test(text.slice(d.start, d.end));
  /** No configuration compiles it. */
  const isDead = (arm: Directive, first?: Directive): boolean =>
    first ? says(first, /^#\s*if\s+1\s*$/) : says(arm, /^#\s*if\s+0\s*$/);
  for (const d of directives) {
    if (d.name.startsWith('if')) open.push({ arms: [d] });
    else if (d.name === 'else' || d.name.startsWith('elif')) open.at(-1)?.arms.push(d);
    else if (d.name === 'endif') {
      const arms = open.pop()?.arms ?? [];
      const bounds = [...arms, d];
      const alive = arms.flatMap((arm, i) => (isDead(arm, i > 0 ? arms[0] : undefined) ? [] : [i]));
      const kept = keep === 'first' ? alive[0] : alive.at(-1);
      for (let i = 0; i < arms.length; i++) {
        if (i !== kept) dropped.push({ start: bounds[i]!.start, end: bounds[i + 1]!.start });
      }
    }
  }
  return dropped;
}

const TYPE_WORDS = new Set(
  (
    'struct union enum const volatile static register auto extern unsigned signed int char long short void ' +
    'float double bool _Bool typeof __typeof__ __typeof typeof_unqual __auto_type typedef __label__ inline ' +
    '__attribute__ __maybe_unused __always_unused __cleanup'
  ).split(' '),
);

const NOT_A_TYPE = new Set(
  'return goto break continue if else while for do switch case default asm __asm__ sizeof'.split(' '),
);

/** Declaring macros by their names' form: scripts/checkpatch.pl ($declaration_macros) lists the same. */
const DECLARING_MACRO =
  /^(?:(?:[A-Z_][A-Z0-9]*_){0,2}(?:DEFINE|DECLARE)(?:_[A-Z0-9]+)*|(?:[A-Z]+_)?[HLP]?LIST_HEAD|\w*_ON_?STACK|XA_STATE\w*|CLASS|[A-Z_]+_AUTO_K?FREE)$/;

class Reader {
  private next = 0;

  constructor(
    private readonly text: string,
    private readonly tokens: readonly Token[],
  ) {}

  readBody(): Statement {
    if (this.peek()?.text !== '{') throw this.error('the body does not begin with a brace');
    const root = this.readStatement(null, 'item', this.peek()!.start);
    if (this.next !== this.tokens.length) throw this.error('the braces of the body do not balance');
    return root;
  }

  private peek(ahead = 0): Token | undefined {
    return this.tokens[this.next + ahead];
  }

  private error(message: string): UnreadableBody {
    return new UnreadableBody(this.peek()?.start ?? this.tokens.at(-1)?.end ?? 0, message);
  }

  private take(): Token {
    const token = this.peek();
    if (!token) throw this.error('the body ends inside a statement');
    this.next++;
    return token;
  }

  private expect(text: string): Token {
    const token = this.take();
    if (token.text !== text) {
      this.next--;
      throw this.error(`expected '${text}', found '${token.text}'`);
    }
    return token;
  }

  /** Skips from an opening bracket past the one that closes it; returns the offset past it. */
  private skipBrackets(): number {
    const closers: string[] = [];
    const pairs: Record<string, string> = { '(': ')', '[': ']', '{': '}' };
    for (;;) {
      const token = this.take();
      if (token.kind !== 'punct') continue;
      const closer = pairs[token.text];
      if (closer) closers.push(closer);
      else if (token.text === ')' || token.text === ']' || token.text === '}') {
        if (closers.pop() !== token.text) throw this.error(`unmatched '${token.text}'`);
        if (closers.length === 0) return token.end;
      }
    }
  }

  private readLabels(): Label[] {
    const labels: Label[] = [];
    for (;;) {
      const token = this.peek();
      if (token?.kind !== 'word') return labels;
      if (token.text === 'case' || (token.text === 'default' && this.peek(1)?.text === ':')) {
        this.take();
        for (let ternary = 0; ; ) {
          const t = this.peek()?.text;
          if (t === '(' || t === '[' || t === '{') {
            this.skipBrackets();
            continue;
          }
          const end = this.take().end;
          if (t === '?') ternary++;
          else if (t === ':' && ternary-- === 0) {
            labels.push({ start: token.start, end, kind: 'case' });
            break;
          } else if (t === ';' || t === '}') throw this.error("'case' without a colon");
        }
      } else if (this.peek(1)?.text === ':') {
        this.take();
        labels.push({ start: token.start, end: this.take().end, kind: 'goto' });
      } else return labels;
    }
  }

  private readStatement(parent: Statement | null, role: StatementRole, after: number): Statement {
    const labels = this.readLabels();
    const first = this.peek();
    if (!first) throw this.error('the body ends inside a statement');
    const make = (kind: StatementKind, start = first.start): Statement => ({
      kind,
      role,
      start,
      end: start,
      parent,
      labels,
      children: [],
      after,
      tail: -1,
    });

    if (first.text === '}') {
      const at = labels.at(-1)?.end;
      if (at === undefined) throw this.error("unexpected '}'");
      return make('empty', at);
    }
    if (first.text === '{') {
      const block = make('block');
      this.take();
      while (this.peek()?.text !== '}') block.children.push(this.readStatement(block, 'item', -1));
      block.end = this.take().end;
      return block;
    }
    if (first.kind === 'word') {
      switch (first.text) {
        case 'if':
          return this.readIf(make('if'));
        case 'do': {
          const loop = make('do');
          const head = this.take().end;
          loop.children.push(this.readStatement(loop, 'body', head));
          loop.tail = this.expect('while').start;
          loop.end = this.skipBrackets();
          if (this.peek()?.text === ';') loop.end = this.take().end;
          return loop;
        }
        case 'while':
        case 'for':
        case 'switch':
          return this.readLoop(make(first.text === 'switch' ? 'switch' : 'loop'));
      }
      if (this.peek(1)?.text === '(') {
        const form = this.macroForm();
        if (form === 'loop') return this.readLoop(make('loop'));
        if (form === 'line') {
          const line = make(DECLARING_MACRO.test(first.text) ? 'declaration' : 'simple');
          this.take();
          line.end = this.skipBrackets();
          return line;
        }
      }
    }
    return this.readSimple(make(this.looksDeclared() ? 'declaration' : 'simple'));
  }

  private readIf(statement: Statement): Statement {
    this.take();
    // A macro may stand for the whole condition with its parentheses: `if unlikely(x)`.
    while (this.peek()?.kind === 'word') this.take();
    const head = this.skipBrackets();
    statement.children.push(this.readStatement(statement, 'then', head));
    if (this.peek()?.text === 'else') {
      const word = this.take();
      statement.tail = word.start;
      statement.children.push(this.readStatement(statement, 'else', word.end));
    }
    statement.end = statement.children.at(-1)!.end;
    return statement;
  }

  private readLoop(statement: Statement): Statement {
    this.take();
    const head = this.skipBrackets();
    statement.children.push(this.readStatement(statement, 'body', head));
    statement.end = statement.children[0]!.end;
    return statement;
  }

  /**
   * What `NAME(…)` at the front of a statement is, by what follows: `loop` has a statement as its body
   * (`list_for_each_entry(…)`), `line` is a macro that needs no semicolon, `expression` is the rest.
   */
  private macroForm(): 'loop' | 'line' | 'expression' {
    const name = this.peek()!;
    const saved = this.next;
    this.next++;
    const close = this.skipBrackets();
    const follows = this.peek();
    this.next = saved;
    if (!follows || follows.text === '}') return 'line';
    if (follows.text === '{') return 'loop';
    if (follows.kind !== 'word' || TYPE_WORDS.has(name.text)) return 'expression';
    if (/for_?each|^for_|_for_|^scoped_|^(?:if_not_|scoped_cond_)guard$/i.test(name.text)) return 'loop';
    if (!this.text.slice(close, follows.start).includes('\n')) return 'expression';
    const deeper = lineIndent(this.text, follows.start).length > lineIndent(this.text, name.start).length;
    if (deeper && /^__|_unused$/.test(follows.text)) return 'expression';
    return deeper ? 'loop' : 'line';
  }

  private looksDeclared(): boolean {
    const [a, b, c, d] = [this.peek(), this.peek(1), this.peek(2), this.peek(3)];
    if (a?.kind !== 'word' || NOT_A_TYPE.has(a.text)) return false;
    if (TYPE_WORDS.has(a.text)) return true;
    if (b?.text === '(' && DECLARING_MACRO.test(a.text)) return true;
    if (b?.kind === 'word') return true;
    if (b?.text !== '*') return false;
    return c?.text === '*' || (c?.kind === 'word' && d !== undefined && /^[;=,[\w]/.test(d.text));
  }

  private readSimple(statement: Statement): Statement {
    for (;;) {
      const token = this.peek();
      if (!token) throw this.error('the body ends inside a statement');
      if (token.text === '(' || token.text === '[' || token.text === '{') {
        statement.end = this.skipBrackets();
      } else if (token.text === '}') {
        // A macro that needs no semicolon, last in its block.
        if (statement.end === statement.start) throw this.error("unexpected '}'");
        return statement;
      } else if (token.text === ')' || token.text === ']') {
        throw this.error(`unmatched '${token.text}'`);
      } else {
        statement.end = this.take().end;
        if (token.text === ';') return statement;
      }
    }
  }
}

/** Whether only blanks and comments stand before `offset` on its line. */
export function isFirstOnLine(text: string, offset: number): boolean {
  const before = text.slice(lineStart(text, offset), offset).replace(/\/\*.*?\*\//g, '');
  return /^[ \t\f\v]*$/.test(before);
}
