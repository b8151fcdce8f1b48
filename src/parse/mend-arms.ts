/**
 * Conditional text. tree-sitter-c has nodes for `#if` groups whose arms hold whole statements,
 * declarations, members or enumerators; those are left as they stand, with all arms. Any other group
 * (arms that split a statement, an argument list or a pair of braces) loses its directives, and one
 * of its arms is taken.
 */
import {
  ANDAND,
  ATTRIBUTE,
  CASE,
  D_DEFINE,
  D_ELIF,
  D_ELSE,
  D_ENDIF,
  D_IF,
  D_IFNDEF,
  D_OTHER,
  DEFAULT,
  DIRECTIVE,
  ELSE,
  ENUM,
  IDENT,
  OPERATOR,
  RETURN,
  STRING,
  STRUCT,
  type Tokens,
} from './mend-lex.js';

interface Arm {
  /** Token of the `#if`, `#elif` or `#else` that opens it. */
  readonly directive: number;
  /** Its tokens are `directive + 1` up to `to`. */
  to: number;
  /** What the condition asks, without a leading `!`; '' for `#else`. */
  readonly key: string;
  /** False if the arm is taken where `key` does not hold. */
  readonly positive: boolean;
  /** No configuration compiles it: `#if 0`. */
  dead: boolean;
  /** Stands in the text of this or an earlier pass. */
  alive: boolean;
  shape: Shape | undefined;
}

interface Group {
  readonly arms: Arm[];
  /** Token of the `#endif`, or the number of tokens if it is missing. */
  end: number;
}

/** What the tokens of an arm amount to, read along the first arms of the groups in it. */
interface Shape {
  readonly empty: boolean;
  /** Brackets close within it. */
  readonly balanced: boolean;
  readonly first: number;
  readonly last: number;
  /** Ends where a statement or declaration ends. */
  readonly complete: boolean;
}

export interface Groups {
  /** By the token of the `#if`. */
  readonly byToken: ReadonlyMap<number, Group>;
  /** By the token of an `#elif` or `#else`. */
  readonly byElse: ReadonlyMap<number, Group>;
  readonly all: readonly Group[];
}

const PAREN = 0;
const BLOCK = 1;
const MEMBERS = 2;
const ENUMERATORS = 3;
const FILE = 4;
const INITIALIZER = 5;

/** Where a token leaves us: in the middle of something, at a sure boundary, after what may be a macro. */
const INSIDE = 0;
const BOUNDARY = 1;
const MACRO_END = 2;

const LPAREN = 40;
const RPAREN = 41;
const COMMA = 44;
const COLON = 58;
const SEMI = 59;
const EQUALS = 61;
const LBRACKET = 91;
const RBRACKET = 93;
const LBRACE = 123;
const RBRACE = 125;

/** Finds the `#if` groups of a text. An `#else` or `#endif` without its `#if` belongs to none. */
export function conditionalGroups(tokens: Tokens, source: Buffer): Groups {
  const byToken = new Map<number, Group>();
  const byElse = new Map<number, Group>();
  const all: Group[] = [];
  const open: Group[] = [];
  if (!tokens.directives) return { byToken, byElse, all };
  const { count, kind, sub, start, end } = tokens;
  for (let i = 0; i < count; i++) {
    if (kind[i] !== DIRECTIVE) continue;
    const what = sub[i]!;
    if (what === D_DEFINE || what === D_OTHER) continue;
    if (what < D_ELIF) {
      const group: Group = {
        arms: [newArm(i, what, source.toString('latin1', start[i]!, end[i]!), [])],
        end: count,
      };
      byToken.set(i, group);
      all.push(group);
      open.push(group);
      continue;
    }
    const group = open.at(-1);
    if (group === undefined) continue;
    group.arms.at(-1)!.to = i;
    if (what === D_ENDIF) {
      group.end = i;
      open.pop();
    } else {
      group.arms.push(newArm(i, what, source.toString('latin1', start[i]!, end[i]!), group.arms));
      byElse.set(i, group);
    }
  }
  for (const group of open) group.arms.at(-1)!.to = count;
  return { byToken, byElse, all };
}

function newArm(directive: number, what: number, text: string, before: readonly Arm[]): Arm {
  const match = /^#[ \t]*([a-z]+)\s*([\s\S]*)$/.exec(text);
  let asked = (match?.[2] ?? '').replace(/\/\*[\s\S]*?\*\/|\/\/.*|\\\r?\n/g, ' ').trim();
  let positive = what !== D_IFNDEF && match?.[1] !== 'elifndef';
  let dead = before.some((arm) => arm.key === '1' && arm.positive);
  if (what === D_ELSE) asked = '';
  else {
    asked = asked.replace(/\s+/g, ' ');
    const negated = /^!\s*(\w+\s*\(\s*\w+\s*\)|defined \w+|\w+)$/.exec(asked);
    if (negated !== null) {
      asked = negated[1]!;
      positive = !positive;
    }
    asked = /^(?:defined|IS_ENABLED|IS_REACHABLE|IS_BUILTIN)\s*\(?\s*(\w+)\s*\)?$/.exec(asked)?.[1] ?? asked;
    if (asked === '0' && positive) dead = true;
    if (asked === '1' && !positive) dead = true;
  }
  return { directive, to: directive + 1, key: asked, positive, dead, alive: false, shape: undefined };
}

/** How many arms with code in them have stood in no pass yet; `dead`: also those that nothing compiles. */
export function pendingArms(tokens: Tokens, groups: Groups, dead: boolean): number {
  let pending = 0;
  for (const group of groups.all) {
    for (const arm of group.arms) {
      if (arm.alive || (arm.dead && !dead)) continue;
      let i = arm.directive + 1;
      while (i < arm.to && tokens.kind[i] === DIRECTIVE) i++;
      if (i < arm.to) pending++;
    }
  }
  return pending;
}

export interface Selection {
  /** The tokens that are left: one arm of a group that is not kept; a DIRECTIVE only where the grammar takes it. */
  readonly tokens: Tokens;
  readonly arms: { start: number; end: number }[];
}

/**
 * Chooses arms and blanks the others in `out` (a copy of `source`). An arm that no earlier call took
 * comes first. `dead`: take the arms that no configuration takes, too.
 */
export function selectArms(
  tokens: Tokens,
  groups: Groups,
  source: Buffer,
  out: Buffer,
  dead: boolean,
  scratch: Tokens,
): Selection {
  const { count, kind, sub, start, end } = tokens;
  const { byToken, byElse } = groups;
  const arms: { start: number; end: number }[] = [];
  if (!tokens.directives) return { tokens, arms };

  const taken = scratch;
  const takenKind = taken.kind;
  const takenSub = taken.sub;
  const takenStart = taken.start;
  const takenEnd = taken.end;
  let n = 0;
  /** INSIDE, BOUNDARY or MACRO_END after each token taken. */
  const after = new Uint8Array(count + 1);
  const openKind: number[] = [];
  const openAt: number[] = [];
  let context = FILE;
  let statementStart = 0;
  let inEnumerators = false;
  /** What was assumed of a condition in this function: its groups must fit together. */
  const assumed = new Map<string, boolean>();

  const push = (k: number): void => {
    openKind.push(k);
    openAt.push(n);
    context = k;
  };
  const pop = (): number => {
    const at = openAt.pop() ?? -1;
    openKind.pop();
    context = openKind.length === 0 ? FILE : openKind[openKind.length - 1]!;
    return at;
  };
  const boundary = (): number => (n === 0 ? BOUNDARY : after[n - 1]!);

  /** A macro's name that stands alone where a declaration or statement could start. */
  const loneWord = (): boolean =>
    context !== PAREN && takenKind[n - 1] === IDENT && (n < 2 || after[n - 2] !== INSIDE);

  /** What the brace that comes next opens, by the tokens before it. */
  const braceKind = (): number => {
    if (n === 0) return BLOCK;
    const last = takenKind[n - 1]!;
    switch (last) {
      case COMMA:
        // A macro may take a block; a compound literal has its type before the brace.
        return context === PAREN ? BLOCK : INITIALIZER;
      case EQUALS:
      case LBRACKET:
      case RBRACKET:
      case RETURN:
        return INITIALIZER;
      case LPAREN:
        return BLOCK;
      case STRING:
        return FILE;
      case STRUCT:
        return MEMBERS;
      case ENUM:
        return ENUMERATORS;
      case LBRACE:
        return context === INITIALIZER ? INITIALIZER : BLOCK;
    }
    if (context === INITIALIZER) return INITIALIZER;
    if (last === RPAREN) {
      const opener = closedAt;
      const before = opener > 0 ? takenKind[opener - 1]! : 0;
      if ((before === ATTRIBUTE || before === IDENT) && opener > 1) {
        const head = takenKind[opener - 2]!;
        if (head === STRUCT) return MEMBERS;
        if (head === ENUM) return ENUMERATORS;
      }
      if (context === PAREN) return INITIALIZER;
      if (context === BLOCK && !(before === IDENT || before >= 160 || before === RPAREN)) return INITIALIZER;
      return BLOCK;
    }
    if (last === IDENT || last === ATTRIBUTE) {
      // struct [attributes] tag {
      let i = n - 1;
      for (let steps = 0; i >= 0 && steps < 6; steps++) {
        const k = takenKind[i]!;
        if (k === STRUCT) return MEMBERS;
        if (k === ENUM) return ENUMERATORS;
        if (k === RPAREN) {
          let depth = 0;
          for (; i >= 0; i--) {
            if (takenKind[i] === RPAREN) depth++;
            else if (takenKind[i] === LPAREN && --depth === 0) break;
          }
          i--;
          // One word before the parenthesis: an attribute of the struct. Two: a function that returns one.
          const head = i > 0 ? takenKind[i - 1]! : 0;
          if (head !== STRUCT && head !== ENUM) return BLOCK;
          continue;
        }
        if (k === COLON && i > 1 && takenKind[i - 2] === ENUM) return ENUMERATORS;
        if (k !== IDENT && k !== ATTRIBUTE && k !== COLON) break;
        i--;
      }
    }
    return BLOCK;
  };
  /** Opening parenthesis of the group closed last. */
  let closedAt = -1;

  const take = (i: number): void => {
    const k = kind[i]!;
    const was = boundary();
    if (was !== INSIDE) statementStart = n;
    let b = INSIDE;
    switch (k) {
      case LPAREN:
      case LBRACKET:
        push(PAREN);
        break;
      case RPAREN:
      case RBRACKET:
        if (context === PAREN && openKind.length > 0) {
          closedAt = pop();
          if (
            k === RPAREN &&
            closedAt > 0 &&
            takenKind[closedAt - 1] === IDENT &&
            (closedAt < 2 || after[closedAt - 2] !== INSIDE) &&
            context !== PAREN &&
            context !== INITIALIZER
          ) {
            b = MACRO_END;
          }
        }
        break;
      case LBRACE:
        push(braceKind());
        b = BOUNDARY;
        break;
      case RBRACE: {
        while (openKind.length > 0 && context === PAREN) pop();
        const closed = context;
        pop();
        b = closed === BLOCK || closed === FILE ? BOUNDARY : INSIDE;
        if (context === PAREN) b = INSIDE;
        if (context === FILE) assumed.clear();
        break;
      }
      case SEMI:
        if (context !== PAREN) b = BOUNDARY;
        if (context === FILE) assumed.clear();
        break;
      case COMMA:
        if (context === ENUMERATORS || context === INITIALIZER) b = BOUNDARY;
        break;
      case COLON:
        if (context === BLOCK) {
          const head = takenKind[statementStart];
          if (head === CASE || head === DEFAULT) b = BOUNDARY;
        }
        break;
      case DIRECTIVE:
        b = was;
        break;
    }
    takenKind[n] = k;
    takenSub[n] = sub[i]!;
    takenStart[n] = start[i]!;
    takenEnd[n] = end[i]!;
    after[n++] = b;
  };

  const shapeOf = (arm: Arm): Shape => {
    if (arm.shape !== undefined) return arm.shape;
    let depth = 0;
    let lowest = 0;
    let first = 0;
    let last = 0;
    let complete = true;
    let head = 0;
    let second = 0;
    let length = 0;
    let closesCall = false;
    let braces = 0;
    let assigned = false;
    let record = false;
    for (let i = arm.directive + 1; i < arm.to; i++) {
      const k = kind[i]!;
      if (k === DIRECTIVE) {
        // Into the first arm that counts; from its end on to the #endif.
        const inner = byToken.get(i);
        if (inner !== undefined) i = inner.arms.find((a) => !a.dead)?.directive ?? inner.end;
        else i = byElse.get(i)?.end ?? i;
        continue;
      }
      if (first === 0) first = k;
      if ((complete || (closesCall && k === IDENT)) && depth === 0) {
        head = k;
        second = 0;
        length = 0;
        assigned = false;
        record = false;
        braces = 0;
      }
      length++;
      if (length === 2) second = k;
      complete = false;
      closesCall = false;
      switch (k) {
        case LPAREN:
        case LBRACKET:
          depth++;
          break;
        case RPAREN:
        case RBRACKET:
          if (--depth < lowest) lowest = depth;
          closesCall = depth === 0 && head === IDENT && second === LPAREN;
          break;
        case LBRACE:
          if (depth === 0) braces = assigned || (record && last !== RPAREN) ? 2 : 1;
          depth++;
          break;
        case RBRACE:
          if (--depth < lowest) lowest = depth;
          complete = depth === 0 && braces !== 2;
          break;
        case SEMI:
          complete = depth === 0;
          break;
        case EQUALS:
          if (depth === 0) assigned = true;
          break;
        case STRUCT:
        case ENUM:
          if (depth === 0) record = true;
          break;
        case COLON:
          complete = depth === 0 && (head === CASE || head === DEFAULT);
          break;
      }
      last = k;
    }
    const shape: Shape = {
      empty: first === 0,
      balanced: depth === 0 && lowest === 0,
      first,
      last,
      complete: complete || closesCall,
    };
    arm.shape = shape;
    return shape;
  };
  const blankDirective = (i: number): void => blank(out, start[i]!, end[i]!);

  const drop = (arm: Arm): void => {
    const from = end[arm.directive]!;
    const to = arm.to < count ? start[arm.to]! : source.length;
    if (arm.to > arm.directive + 1) {
      blank(out, from, to);
      arms.push({ start: from, end: to });
    }
  };

  const enter = (arm: Arm): void => {
    arm.alive = true;
    walk(arm.directive + 1, arm.to);
  };

  /** Which arm to take of a group that can't stand as it is; -1 for none. */
  const choose = (group: Group, fitting: boolean): number => {
    const wanted = group.arms.map((arm) => !arm.dead || dead);
    if (fitting) {
      // Its arms hold halves of something: groups on the same condition must go the same way.
      for (const [i, arm] of group.arms.entries()) {
        const known = arm.key === '' ? true : assumed.get(arm.key);
        if (known === undefined) break;
        if (known === arm.positive || arm.key === '') return wanted[i] ? i : -1;
        if (i === group.arms.length - 1) return -1;
      }
    }
    let pick = group.arms.findIndex((arm, i) => wanted[i] && !arm.alive && (!dead || arm.dead));
    if (pick < 0) pick = group.arms.findIndex((arm) => !arm.dead);
    if (fitting && pick >= 0) {
      for (let i = 0; i <= pick; i++) {
        const { key, positive } = group.arms[i]!;
        if (key !== '' && !assumed.has(key)) assumed.set(key, i === pick ? positive : !positive);
      }
    }
    return pick;
  };

  const conditional = (group: Group): void => {
    const where = boundary();
    const shapes = group.arms.map(shapeOf);
    const next = kindAfter(group.end);
    const inList = context === INITIALIZER || context === PAREN;
    let whole = true;
    for (const shape of shapes) {
      if (shape.empty) continue;
      if (!shape.balanced || shape.first === ELSE) whole = false;
      else if (context === ENUMERATORS) whole &&= shape.last === COMMA;
      else whole &&= shape.complete && !startsAsTail(shape.first);
      if (where === MACRO_END && (shape.first === LBRACE || shape.first === COMMA)) whole = false;
    }
    // The grammar has no groups within a group of enumerators.
    if (context === ENUMERATORS && inEnumerators) whole = false;
    if (
      whole &&
      !inList &&
      where !== INSIDE &&
      next !== ELSE &&
      group.end < count &&
      !(where === MACRO_END && next === LBRACE)
    ) {
      const outer = inEnumerators;
      inEnumerators = context === ENUMERATORS;
      for (const arm of group.arms) {
        tidyDirective(out, start[arm.directive]!, end[arm.directive]!, sub[arm.directive]!);
        take(arm.directive);
        after[n - 1] = BOUNDARY;
        if (arm.dead && !dead) drop(arm);
        else enter(arm);
      }
      tidyDirective(out, start[group.end]!, end[group.end]!, sub[group.end]!);
      take(group.end);
      after[n - 1] = BOUNDARY;
      inEnumerators = outer;
      return;
    }
    for (const arm of group.arms) blankDirective(arm.directive);
    if (group.end < count) blankDirective(group.end);
    const balanced = shapes.every((shape) => shape.balanced);
    const takeAll =
      balanced &&
      (group.arms.length === 1 ||
        // Elements of a list, each with its comma.
        ((context === INITIALIZER || context === ENUMERATORS) &&
          where !== INSIDE &&
          shapes.every((s) => s.empty || s.last === COMMA)));
    if (takeAll) {
      for (const arm of group.arms) {
        if (arm.dead && !dead) drop(arm);
        else enter(arm);
      }
      return;
    }
    const pick = choose(group, !balanced);
    for (const [i, arm] of group.arms.entries()) {
      if (i === pick) enter(arm);
      else drop(arm);
    }
  };

  const kindAfter = (i: number): number => {
    for (i++; i < count; i++) if (kind[i] !== DIRECTIVE) return kind[i]!;
    return 0;
  };

  const walk = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      if (kind[i] !== DIRECTIVE) {
        take(i);
        continue;
      }
      const group = byToken.get(i);
      if (group !== undefined) {
        conditional(group);
        i = group.end;
      } else if (
        sub[i]! >= D_DEFINE &&
        (boundary() !== INSIDE || loneWord()) &&
        context !== ENUMERATORS &&
        context !== INITIALIZER &&
        end[i]! < source.length
      ) {
        if (sub[i] === D_DEFINE) mendDefinition(out, start[i]!, end[i]!);
        take(i);
      } else blankDirective(i);
    }
  };

  walk(0, count);
  taken.count = n;
  return { tokens: taken, arms };
}

/** A token that goes on with what stands before the group. */
function startsAsTail(k: number): boolean {
  return k === OPERATOR || k === ANDAND || k === COMMA || k === EQUALS || k === 63;
}

/** Turns all but line ends into blanks. */
export function blank(out: Buffer, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const c = out[i]!;
    if (c !== 10 && c !== 13) out[i] = 32;
  }
}

/**
 * A comment in a macro's body ends the body for tree-sitter-c. All but one at the very end are blanked,
 * and a newline in one gets the backslash that the body's own newlines have. `name...` in the
 * parameters loses its dots, and a `/` before a backslash turns into a `*`: neither is in the grammar.
 */
function mendDefinition(out: Buffer, from: number, to: number): void {
  const text = out.toString('latin1', from, to);
  const named = /^#\s*define\s+\w+\([^)]*\w\s*\.\.\.\s*\)/.exec(text);
  if (named !== null) {
    const dots = from + named[0].lastIndexOf('...');
    blank(out, dots, dots + 3);
  }
  if (!text.includes('/')) return;
  for (let at = text.indexOf('/\\'); at >= 0; at = text.indexOf('/\\', at + 1)) {
    if (text[at - 1] !== '*' && /[\r\n]/.test(text[at + 2] ?? '')) out[from + at] = 42;
  }
  for (const match of text.matchAll(
    /"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|\/\/.*|\/\*[\s\S]*?\*\//g,
  )) {
    const end = match.index + match[0].length;
    if (!match[0].startsWith('/*') || text.slice(end).trim() === '') continue;
    for (let i = from + match.index; i < from + end; i++) {
      if (out[i] === 10 && out[i - 1] === 32) out[i - 1] = 92;
      else if (out[i] === 10 && out[i - 1] === 13 && out[i - 2] === 32) out[i - 2] = 92;
      else if (out[i] !== 10 && out[i] !== 13) out[i] = 32;
    }
  }
}

/** Makes a directive one that tree-sitter-c takes: no words after `#else`, no condition beyond its grammar. */
function tidyDirective(out: Buffer, from: number, to: number, what: number): void {
  const text = out.toString('latin1', from, to);
  const head = /^#[ \t]*[a-z]+[ \t]*/.exec(text)?.[0].length ?? text.length;
  if (what === D_ELSE || what === D_ENDIF) {
    if (head < to - from && text[head] !== '/') blank(out, from + head, to);
  } else if (what === D_IF || (what === D_ELIF && /^#[ \t]*elif\b/.test(text))) {
    const asked = text.slice(head).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    if (/[?"'<,.=]\s*[<"]|[?"@`]|\(\s*[<"]|^\s*$/.test(asked)) {
      blank(out, from + head, to);
      if (head < to - from) out[from + head] = 49;
    }
  } else if (what !== D_DEFINE && what !== D_OTHER) {
    const word = /^\w+[ \t]*/.exec(text.slice(head))?.[0].length ?? 0;
    if (word > 0 && head + word < to - from && text[head + word] !== '/') blank(out, from + head + word, to);
  }
}
