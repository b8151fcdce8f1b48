import { ASSERTIONS, NO_RETURN, TRUTH } from '../kernel/expressions.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import { WAITS_UNTIL } from '../kernel/waits.js';
import { type Cst, childByField, children, firstChar, textOf } from './cst.js';
import type { CfgNode, Op, OpenNode, Path, Statement, StatementKind, TestOp } from './facts.js';
import { argumentsOf, pathOf } from './paths.js';

/** An edge whose end is not known yet: successor `slot` of `node`, or one more successor for -1. */
type Loose = readonly [node: number, slot: number];

/** The loose ends where a condition holds, and where it does not. */
interface Branches {
  readonly yes: Loose[];
  readonly no: Loose[];
}

interface Jump {
  readonly from: readonly Loose[];
  readonly label: string;
  readonly guards: readonly Guard[];
}

interface Guard {
  readonly cls: string;
  readonly arg: Path;
  readonly start: number;
}

export interface Flow {
  readonly cfg: CfgNode[];
  readonly statements: Statement[];
  /** Syntax node of a call, an initialiser, an assignment or a `return` → the CFG node made for it. */
  readonly nodeOf: Map<number, number>;
  /** Local declarations met, as syntax nodes of type `declaration`. */
  readonly declarations: number[];
  /** Names of variables that stand for a value which is one of two: `keep(test ? one : other)`. */
  readonly made: string[];
  /** Paths of names in values that are not understood (one of two, elements, arithmetic): what becomes of them no node says. */
  readonly lost: Path[];
}

/** The path of a name: of a function, perhaps. */
const NAMED = /^&?v:\w+$/;

const NOP: Op = { k: 'nop' };

/** Operators whose result tells of their operands only how they compare. */
const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);

/** Expressions that look into what their operand names, or lead to it. */
const KEEPING: ReadonlySet<string> = new Set([
  'field_expression',
  'subscript_expression',
  'pointer_expression',
]);

/**
 * The control-flow graph of one function body (`compound_statement`), with short-circuit conditions, loops,
 * `switch`, `goto`, iterator macros and guards that are dropped where their block is left.
 * Node 0 is the entry, node 1 the exit; a function that never returns leaves node 1 unreached. A macro that is a call
 * returns what that call does.
 */
export function buildFlow(
  cst: Cst,
  body: number,
  original: string,
  params: readonly string[],
  isMacro = false,
): Flow {
  const cfg: OpenNode[] = [
    { op: NOP, next: [], statement: -1 },
    { op: NOP, next: [], statement: -1 },
  ];
  const statements: Statement[] = [];
  const nodeOf = new Map<number, number>();
  const declarations: number[] = [];
  const variables = new Set(params);
  const made: string[] = [];
  const lost: Path[] = [];
  const lose = (value: Path): void => {
    if (NAMED.test(value)) lost.push(value);
  };
  let loose: Loose[] = [[0, -1]];
  let here = -1;
  const guards: Guard[] = [];
  const jumps: Jump[] = [];
  const labels = new Map<string, { node: number; depth: number }>();
  let breaks: { out: Loose[]; depth: number } | undefined;
  let continues: { out: Loose[]; depth: number } | undefined;
  /** Of the `switch` around: what is asked, the ends of the cases that it is not, and the node of `default`. */
  let cases: { on: Path; others: Loose[]; fallback: number } | undefined;

  const join = (target: number, from: readonly Loose[]): void => {
    for (const [node, slot] of from) {
      if (slot < 0) cfg[node]!.next.push(target);
      else cfg[node]!.next[slot] = target;
    }
  };
  const emit = (op: Op): number => {
    const node = cfg.length;
    cfg.push({ op, next: [], statement: here });
    join(node, loose);
    loose = [[node, -1]];
    return node;
  };
  /** Where nothing goes on. */
  let end = -1;
  const stop = (from: readonly Loose[]): void => {
    if (end < 0 && from.length > 0) end = cfg.push({ op: NOP, next: [], statement: -1 }) - 1;
    join(end, from);
  };
  const dropGuards = (depth: number): void => {
    for (let i = guards.length - 1; i >= depth; i--) emit({ k: 'unguard', ...guards[i]! });
  };
  const branch = (on: Path, rel: TestOp['rel'], flip = false): Branches => {
    const node = emit({ k: 'test', on, rel });
    cfg[node]!.next.push(-1, -1);
    const yes: Loose[] = [[node, 0]];
    const no: Loose[] = [[node, 1]];
    return flip ? { yes: no, no: yes } : { yes, no };
  };

  /** Emits what evaluating the expression does; the path of its value. */
  const evaluate = (node: number): Path => {
    if (node < 0) return '';
    switch (cst.type[node]) {
      case 'identifier':
      case 'number_literal':
      case 'string_literal':
      case 'true':
      case 'false':
      case 'null':
        return pathOf(cst, node, original);
      case 'sizeof_expression':
      case 'alignof_expression':
      case 'offsetof_expression':
      case 'type_descriptor':
        return '';
      case 'parenthesized_expression': {
        let value: Path = '';
        for (const c of children(cst, node)) {
          if (cst.type[c] === 'compound_statement') {
            statement(c, here);
            lose(pathOf(cst, lastExpression(c), original));
          } else if (!'()'.includes(cst.type[c]!)) value = evaluate(c);
        }
        return value;
      }
      case 'call_expression':
        return evaluateCall(node);
      case 'assignment_expression':
        return evaluateAssignment(node);
      case 'binary_expression': {
        const operator = childByField(cst, node, 'operator');
        const kind = operator < 0 ? '' : cst.type[operator];
        if (kind === '&&' || kind === '||') {
          const { yes, no } = condition(node);
          loose = [...yes, ...no];
          emit(NOP);
          return '';
        }
        for (const side of ['left', 'right']) {
          const value = evaluate(childByField(cst, node, side));
          if (!COMPARISONS.has(kind!)) lose(value);
        }
        return pathOf(cst, node, original);
      }
      case 'conditional_expression':
        eachArm(node, lose);
        return '';
      case 'comma_expression':
        evaluate(childByField(cst, node, 'left'));
        return evaluate(childByField(cst, node, 'right'));
      case 'update_expression': {
        const to = pathOf(cst, childByField(cst, node, 'argument'), original);
        evaluate(childByField(cst, node, 'argument'));
        const adds = [textOf(cst, node).includes('++') ? '++' : '--'];
        if (to !== '') emit({ k: 'set', to, from: '', start: cst.start[node]!, adds });
        return '';
      }
      case 'initializer_pair': {
        const value = evaluate(childByField(cst, node, 'value'));
        const field = childByField(cst, node, 'designator');
        if (value[0] === 'v' && field >= 0) {
          emit({
            k: 'set',
            to: `t:? ${textOf(cst, field).replace(/\W/g, '')}`,
            from: value,
            start: cst.start[node]!,
          });
        }
        return value;
      }
      case 'compound_statement':
        statement(node, here);
        return '';
      default: {
        // field, subscript, cast, unary, initialiser list, asm …: evaluate the parts.
        const type = cst.type[node]!;
        const path = pathOf(cst, node, original);
        const keeps = KEEPING.has(type) || (type === 'unary_expression' && firstChar(cst, node) === '!');
        let only: Path = '';
        for (const c of children(cst, node)) {
          const field = cst.field[c];
          if (field === 'type' || field === 'field' || field === 'operator' || field === 'designator')
            continue;
          if (cst.first[c]! < 0 && cst.type[c] !== 'identifier') continue;
          only = evaluate(c);
          if (!keeps && only !== path) lose(only);
        }
        return type === 'cast_expression' && only[0] === '@' ? only : path;
      }
    }
  };

  /** What a block in parentheses ends with is its value. */
  const lastExpression = (block: number): number => {
    const last = children(cst, block).findLast((c) => cst.type[c] !== '}');
    if (last === undefined || cst.type[last] !== 'expression_statement') return -1;
    return children(cst, last).find((c) => cst.type[c] !== ';') ?? -1;
  };

  /** Evaluates both arms of `test ? a : b`, each followed by what is done with its value. */
  const eachArm = (node: number, take: (value: Path) => void): void => {
    const { yes, no } = condition(childByField(cst, node, 'condition'));
    loose = yes;
    const consequence = childByField(cst, node, 'consequence');
    take(
      consequence >= 0 ? evaluate(consequence) : pathOf(cst, childByField(cst, node, 'condition'), original),
    );
    const after = loose;
    loose = no;
    take(evaluate(childByField(cst, node, 'alternative')));
    loose = [...after, ...loose];
    emit(NOP);
  };

  /** Is it `test ? a : b`, one of which is the name of no variable, and none a constant (masks are followed as one value)? */
  const hasNamedArm = (node: number): boolean => {
    if (node < 0 || cst.type[node] !== 'conditional_expression') return false;
    const arms = ['consequence', 'alternative'].map((arm) => childByField(cst, node, arm));
    if (arms.some((arm) => arm < 0)) return false;
    const texts = arms.map((arm) => textOf(cst, arm));
    return (
      texts.some((text) => /^&?[a-z_]\w*$/.test(text) && !variables.has(text.replace('&', ''))) &&
      !texts.some((text) => /\b(?!NULL\b)[A-Z]/.test(text))
    );
  };

  /** Is it `test ? a() : b()`, or with a number or null for one of the two? Each result is told apart then. */
  const hasCallArm = (node: number): boolean => {
    if (node < 0 || cst.type[node] !== 'conditional_expression') return false;
    const arms = ['consequence', 'alternative'].map((arm) => childByField(cst, node, arm));
    const isCall = (arm: number): boolean =>
      arm >= 0 && /^[a-z_]\w*\s*\(/.test(textOf(cst, arm)) && cst.type[arm] === 'call_expression';
    return (
      arms.some(isCall) &&
      arms.every((arm) => isCall(arm) || (arm >= 0 && /^(?:number_literal|null)$/.test(cst.type[arm]!)))
    );
  };

  /** `x->locks + i - 1` is one of several locks: its path ends in `[i]`. */
  const elementPath = (node: number): Path => {
    if (cst.type[node] !== 'binary_expression') return '';
    const operator = cst.type[childByField(cst, node, 'operator')];
    if (operator !== '+' && operator !== '-') return '';
    const left = childByField(cst, node, 'left');
    const base = cst.type[left] === 'binary_expression' ? elementPath(left) : pathOf(cst, left, original);
    const right = childByField(cst, node, 'right');
    if (base === '' || cst.type[right] !== 'identifier') return base;
    return base.endsWith(']') || !base.includes(' ') ? '' : `${base} [${textOf(cst, right)}]`;
  };

  const isLockCall = (node: number): boolean => {
    const callee = cst.type[node] === 'call_expression' ? childByField(cst, node, 'function') : -1;
    return callee >= 0 && LOCK_BY_NAME.has(textOf(cst, callee));
  };

  const evaluateCall = (node: number): Path => {
    const callee = childByField(cst, node, 'function');
    const list = childByField(cst, node, 'arguments');
    const args = list < 0 ? [] : argumentsOf(cst, list);
    // guard(mutex)(&lock), and ACQUIRE(mutex_intr, name)(&lock) from 6.17 on: a call of a call.
    if (callee >= 0 && cst.type[callee] === 'call_expression') {
      const inner = childByField(cst, callee, 'function');
      if (inner >= 0 && /^(?:guard|ACQUIRE)$/.test(textOf(cst, inner))) {
        const classes = argumentsOf(cst, childByField(cst, callee, 'arguments'));
        const guard = {
          cls: classes[0] === undefined ? '' : textOf(cst, classes[0]),
          arg: args[0] === undefined ? '' : pathOf(cst, args[0], original),
          start: cst.start[node]!,
        };
        nodeOf.set(node, emit({ k: 'guard', ...guard }));
        guards.push(guard);
        return '';
      }
    }
    const name = callee >= 0 && cst.type[callee] === 'identifier' ? textOf(cst, callee) : '';
    if (name === '' && callee >= 0) evaluate(callee);
    // wait_event(queue, trylock(lock)): comes back with the lock. Any other condition is asked first: who finds that it holds goes on.
    const until = args[WAITS_UNTIL.get(name) ?? -1];
    const takes = until !== undefined && isLockCall(until) ? until : -1;
    let holds: Loose[] = [];
    const asserted = ASSERTIONS.get(name);
    const values = args.map((arg, i) => {
      if (arg === takes) return '';
      if (i === asserted?.arg) {
        const { yes, no } = condition(arg);
        stop(asserted.holds ? no : yes);
        loose = asserted.holds ? yes : no;
        return '';
      }
      if (arg === until) {
        const { yes, no } = condition(arg);
        if (no.length > 0) holds = yes;
        loose = no.length > 0 ? no : yes;
        return '';
      }
      if (hasNamedArm(arg)) {
        const variable = `__either_${made.length}`;
        made.push(variable);
        eachArm(arg, (value) => assign(arg, `v:${variable}`, value));
        return `v:${variable}`;
      }
      const value = evaluate(arg);
      if (value === '' && LOCK_BY_NAME.has(name)) return elementPath(arg);
      return value[0] === '@' ? pathOf(cst, arg, original) : value;
    });
    if (name === '__builtin_constant_p' || name === 'IS_ENABLED') return '';
    if (name === 'ERR_PTR' || name === 'ERR_CAST') return '#err';
    const at = emit({
      k: 'call',
      fn: name,
      target: name === '' && callee >= 0 ? pathOf(cst, callee, original) : '',
      args: values,
      to: '',
      start: cst.start[node]!,
      end: cst.end[node]!,
    });
    nodeOf.set(node, at);
    if (takes >= 0) {
      const { yes, no } = condition(takes);
      join(at, no);
      loose = yes;
    }
    if (holds.length > 0) {
      loose = [...loose, ...holds];
      emit(NOP);
    }
    if (NO_RETURN.has(name)) loose = [];
    return `@${at}`;
  };

  /** Is it `&a->b`? Of `&a`, whose path has the `&`, the path tells. */
  const isAddress = (value: number): boolean => {
    const inner = withoutParentheses(value);
    if (inner < 0 || cst.type[inner] !== 'pointer_expression' || firstChar(cst, inner) !== '&') return false;
    return cst.type[childByField(cst, inner, 'argument')] === 'field_expression';
  };

  /** `to = value`, where `value` was just evaluated; `from` is its node. */
  const assign = (node: number, to: Path, value: Path, from = -1): void => {
    if (value[0] === '@') {
      const at = Number(value.slice(1));
      const op = cfg[at]!.op;
      if (op.k === 'call') op.to = to;
      nodeOf.set(node, at);
    } else {
      const start = cst.start[node]!;
      nodeOf.set(
        node,
        emit(
          isAddress(from)
            ? { k: 'set', to, from: value, start, isAddress: true }
            : { k: 'set', to, from: value, start },
        ),
      );
    }
  };

  const evaluateAssignment = (node: number): Path => {
    const left = childByField(cst, node, 'left');
    const operator = childByField(cst, node, 'operator');
    const to = pathOf(cst, left, original);
    if (cst.type[left] !== 'identifier') evaluate(left);
    const right = childByField(cst, node, 'right');
    const how = operator < 0 ? '=' : textOf(cst, operator);
    if (how === '=' && (hasNamedArm(right) || hasCallArm(right))) {
      eachArm(right, (value) => assign(node, to, value));
      return to;
    }
    const value = evaluate(right);
    const constants = how === '|=' ? /^~?v:([A-Z]\w*(?:\|[A-Z]\w*)*)$/.exec(value)?.[1] : undefined;
    if (how !== '=') lose(value);
    if (constants === undefined) assign(node, to, how === '=' ? value : '', right);
    else {
      const adds = constants.split('|');
      nodeOf.set(node, emit({ k: 'set', to, from: '', start: cst.start[node]!, adds }));
    }
    return to;
  };

  /** Emits the condition; the loose ends for "true" and "false". */
  const condition = (node: number): Branches => {
    if (node < 0) return { yes: loose, no: [] };
    switch (cst.type[node]) {
      case 'parenthesized_expression': {
        const inner = children(cst, node).filter((c) => !'()'.includes(cst.type[c]!));
        if (inner.length === 1 && cst.type[inner[0]!] !== 'compound_statement') return condition(inner[0]!);
        break;
      }
      case 'unary_expression':
        if (firstChar(cst, node) === '!') {
          const { yes, no } = condition(childByField(cst, node, 'argument'));
          return { yes: no, no: yes };
        }
        break;
      case 'number_literal':
      case 'true':
      case 'false':
        return pathOf(cst, node, original) === '#0' ? { yes: [], no: loose } : { yes: loose, no: [] };
      case 'comma_expression':
        evaluate(childByField(cst, node, 'left'));
        return condition(childByField(cst, node, 'right'));
      case 'call_expression': {
        const callee = childByField(cst, node, 'function');
        const list = childByField(cst, node, 'arguments');
        const name = callee >= 0 ? textOf(cst, callee) : '';
        const args = list < 0 ? [] : argumentsOf(cst, list);
        if (TRUTH.has(name) && args[0] !== undefined) return condition(args[0]);
        if ((name === 'IS_ERR' || name === 'IS_ERR_OR_NULL') && args[0] !== undefined) {
          return branch(evaluate(args[0]), name === 'IS_ERR' ? 'err' : 'errnull');
        }
        break;
      }
      case 'binary_expression': {
        const left = childByField(cst, node, 'left');
        const right = childByField(cst, node, 'right');
        const operator = cst.type[childByField(cst, node, 'operator')];
        if (operator === '&&') {
          const a = condition(left);
          loose = a.yes;
          const b = condition(right);
          return { yes: b.yes, no: [...a.no, ...b.no] };
        }
        if (operator === '||') {
          const a = condition(left);
          loose = a.no;
          const b = condition(right);
          return { yes: [...a.yes, ...b.yes], no: b.no };
        }
        // `(flags & A) == 0` is `!(flags & A)`.
        if ((operator === '==' || operator === '!=') && pathOf(cst, right, original) === '#0') {
          const masked = withoutParentheses(left);
          if (testedFlags(masked)) {
            const { yes, no } = condition(masked);
            return operator === '!=' ? { yes, no } : { yes: no, no: yes };
          }
        }
        const value = evaluate(left);
        const constant = evaluate(right);
        if (operator === '==' || operator === '!=') {
          const { yes, no } = equals(value, constant);
          return operator === '==' ? { yes, no } : { yes: no, no: yes };
        }
        if (constant === '#0') {
          if (operator === '<') return branch(value, 'neg');
          if (operator === '>=') return branch(value, 'neg', true);
          if (operator === '>') return branch(value, 'pos');
          if (operator === '<=') return branch(value, 'pos', true);
        }
        const tested = compared(value, constant);
        const flags = testedFlags(node);
        const last = cfg.at(-1)!;
        if (flags && last.op.k === 'test') cfg[cfg.length - 1] = { ...last, op: { ...last.op, flags } };
        return tested;
      }
    }
    return branch(evaluate(node), 'nz');
  };

  /** Which values are compared is not followed, but that they are. */
  const compared = (value: Path, constant: Path): Branches =>
    branch(value === '' || value[0] === '#' ? constant : value, '?');

  /** Emits the test whether two values are equal. */
  const equals = (value: Path, constant: Path): Branches => {
    if (constant === '#0') return branch(value, 'nz', true);
    if (constant === '#neg') return branch(value, '=neg');
    const both = [value, constant];
    const field = both.map((path) => /^v:current (\w+)$/.exec(path)?.[1]).find((name) => name !== undefined);
    const variable = both.find((path) => /^v:\w+$/.test(path));
    if (field !== undefined && variable !== undefined) return branch(variable, `=task ${field}`);
    if (both.every((path) => /^v:[\w ]+$/.test(path))) return branch(value, `== ${constant}`);
    return compared(value, constant);
  };

  const withoutParentheses = (node: number): number => {
    if (cst.type[node] !== 'parenthesized_expression') return node;
    const [inner, more] = children(cst, node).filter((c) => !'()'.includes(cst.type[c]!));
    return inner === undefined || more !== undefined ? node : withoutParentheses(inner);
  };

  /** Names of the constants in `variable & (A | B)` or `x->member & A`. */
  const testedFlags = (node: number): string[] | undefined => {
    if (cst.type[node] !== 'binary_expression') return undefined;
    const left = childByField(cst, node, 'left');
    if (!/^(?:identifier|field_expression)$/.test(cst.type[left]!)) return undefined;
    if (cst.type[childByField(cst, node, 'operator')] !== '&') return undefined;
    const names = textOf(cst, childByField(cst, node, 'right'))
      .replace(/[()\s]/g, '')
      .split('|');
    return names.every((name) => /^_*[A-Z][A-Z0-9_]*$/.test(name)) ? names : undefined;
  };

  const loop = (
    test: (() => Branches) | undefined,
    body: number,
    self: number,
    update: number,
    testFirst: boolean,
  ): void => {
    const saved = [breaks, continues] as const;
    breaks = { out: [], depth: guards.length };
    continues = { out: [], depth: guards.length };
    const head = emit(NOP);
    let out: Loose[] = [];
    if (testFirst) {
      const { yes, no } = test ? test() : { yes: loose, no: [] };
      loose = yes;
      out = no;
    }
    statement(body, self);
    here = self;
    loose = [...loose, ...continues.out];
    if (loose.length > 0) {
      if (!testFirst && test) {
        emit(NOP);
        const { yes, no } = test();
        loose = yes;
        out = no;
      } else if (update >= 0) {
        emit(NOP);
        evaluate(update);
      }
      join(head, loose);
    }
    loose = [...out, ...breaks.out];
    [breaks, continues] = saved;
  };

  const leave = (target: { out: Loose[]; depth: number } | undefined): void => {
    if (!target) return;
    dropGuards(target.depth);
    target.out.push(...loose);
    loose = [];
  };

  const kindOf = (type: string): StatementKind => {
    switch (type) {
      case 'compound_statement':
        return 'block';
      case 'if_statement':
        return 'if';
      case 'while_statement':
      case 'do_statement':
      case 'for_statement':
        return 'loop';
      case 'switch_statement':
        return 'switch';
      case 'labeled_statement':
        return 'label';
      case 'case_statement':
        return 'case';
      case 'return_statement':
        return 'return';
      case 'goto_statement':
      case 'break_statement':
      case 'continue_statement':
        return 'jump';
      case 'expression_statement':
        return 'expression';
      case 'declaration':
        return 'declaration';
      default:
        return 'other';
    }
  };

  const inBlock = (nodes: readonly number[], self: number): void => {
    for (const c of nodes) {
      const type = cst.type[c]!;
      if (type === '{' || type === '}' || type === ';') continue;
      statement(c, self);
      here = self;
    }
  };

  const [onlyStatement, more] = children(cst, body).filter((c) => !['{', '}', ';'].includes(cst.type[c]!));
  const isExpression = isMacro && more === undefined;

  const returns = (value: Path): number => {
    const node = emit({ k: 'ret', value });
    join(1, loose);
    loose = [];
    return node;
  };

  const statement = (node: number, parent: number): void => {
    if (node < 0) return;
    const type = cst.type[node]!;
    if (type === 'else_clause') {
      for (const c of children(cst, node)) if (cst.type[c] !== 'else') statement(c, parent);
      return;
    }
    if (/^preproc_(if|ifdef|else|elif|elifdef)$/.test(type)) {
      conditionalText(node, parent);
      return;
    }
    const self = statements.length;
    const record: Statement = {
      kind: kindOf(type),
      start: cst.start[node]!,
      end: cst.end[node]!,
      parent,
      from: cfg.length,
      to: cfg.length,
    };
    statements.push(record);
    const outer = here;
    here = self;
    switch (type) {
      case 'compound_statement': {
        const depth = guards.length;
        inBlock(children(cst, node), self);
        if (loose.length > 0) dropGuards(depth);
        guards.length = depth;
        break;
      }
      case 'if_statement': {
        const test = childByField(cst, node, 'condition');
        if (/^scoped_guard\b|^scoped_cond_guard\b/.test(original.slice(record.start, record.start + 20))) {
          scopedGuard(node, test, self);
          break;
        }
        const { yes, no } = condition(test);
        loose = yes;
        statement(childByField(cst, node, 'consequence'), self);
        const after = loose;
        here = self;
        loose = no;
        statement(childByField(cst, node, 'alternative'), self);
        loose = [...after, ...loose];
        break;
      }
      case 'while_statement': {
        const test = childByField(cst, node, 'condition');
        const iterator = !/^while\b/.test(original.slice(record.start, record.start + 6));
        const run = iterator
          ? (): Branches => {
              evaluate(test);
              advance(test, record.start);
              return branch('', '?');
            }
          : (): Branches => condition(test);
        loop(run, childByField(cst, node, 'body'), self, -1, true);
        break;
      }
      case 'do_statement': {
        const test = childByField(cst, node, 'condition');
        loop(() => condition(test), childByField(cst, node, 'body'), self, -1, false);
        break;
      }
      case 'for_statement': {
        const initial = childByField(cst, node, 'initializer');
        if (initial >= 0) {
          if (cst.type[initial] === 'declaration') declaration(initial);
          else evaluate(initial);
        }
        const test = childByField(cst, node, 'condition');
        loop(
          test < 0 ? undefined : () => condition(test),
          childByField(cst, node, 'body'),
          self,
          childByField(cst, node, 'update'),
          true,
        );
        break;
      }
      case 'switch_statement': {
        const on = evaluate(childByField(cst, node, 'condition'));
        const saved = [breaks, cases] as const;
        breaks = { out: [], depth: guards.length };
        emit(NOP);
        cases = { on, others: loose, fallback: -1 };
        loose = [];
        statement(childByField(cst, node, 'body'), self);
        loose = [...loose, ...breaks.out];
        if (cases.fallback < 0) loose.push(...cases.others);
        else join(cases.fallback, cases.others);
        [breaks, cases] = saved;
        break;
      }
      case 'case_statement': {
        const value = childByField(cst, node, 'value');
        if (cases && value >= 0) {
          const before = loose;
          loose = cases.others;
          const { yes, no } = equals(cases.on, evaluate(value));
          cases.others = no;
          loose = [...before, ...yes];
        }
        const at = emit(NOP);
        if (cases && value < 0) cases.fallback = at;
        inBlock(
          children(cst, node).filter((c) => {
            const t = cst.type[c]!;
            return c !== value && t !== 'case' && t !== 'default' && t !== ':';
          }),
          self,
        );
        break;
      }
      case 'labeled_statement': {
        const at = emit(NOP);
        const label = childByField(cst, node, 'label');
        labels.set(textOf(cst, label), { node: at, depth: guards.length });
        inBlock(
          children(cst, node).filter((c) => c !== label && cst.type[c] !== ':'),
          self,
        );
        break;
      }
      case 'goto_statement':
        emit(NOP);
        jumps.push({
          from: loose,
          label: textOf(cst, childByField(cst, node, 'label')),
          guards: [...guards],
        });
        loose = [];
        break;
      case 'break_statement':
        emit(NOP);
        leave(breaks);
        break;
      case 'continue_statement':
        emit(NOP);
        leave(continues);
        break;
      case 'return_statement': {
        const [value] = children(cst, node).filter((c) => !['return', ';'].includes(cst.type[c]!));
        const read = value === undefined ? '' : evaluate(value);
        const path = read === '' && isCountedUp(cst, value) ? '#pos' : read;
        dropGuards(0);
        nodeOf.set(node, returns(path));
        break;
      }
      case 'declaration':
        declaration(node);
        break;
      case 'expression_statement': {
        let value: Path = '';
        for (const c of children(cst, node)) if (cst.type[c] !== ';') value = evaluate(c);
        if (isExpression && node === onlyStatement) {
          if (value[0] === '@') returns(value);
          else lose(value);
        }
        break;
      }
      default:
        if (!type.startsWith('preproc_') && cst.first[node]! >= 0) evaluate(node);
    }
    record.to = cfg.length;
    here = outer;
  };

  const declaration = (node: number): void => {
    declarations.push(node);
    for (const c of children(cst, node)) {
      if (cst.field[c] !== 'declarator') continue;
      const isSet = cst.type[c] === 'init_declarator';
      const name = declaredName(cst, isSet ? childByField(cst, c, 'declarator') : c);
      if (name !== '') variables.add(name);
      if (!isSet) continue;
      const value = childByField(cst, c, 'value');
      const to = name === '' ? '' : `v:${name}`;
      if (hasNamedArm(value) || hasCallArm(value)) {
        eachArm(value, (path) => assign(c, to, path));
        continue;
      }
      const path = evaluate(value);
      if (cst.type[value] !== 'initializer_list') assign(c, to, path, value);
      else if (to !== '') constantMembers(value, to);
    }
  };

  /** `struct request req = { .fast = 1 };`: members that are constants are set. What else is put into them is seen in the values. */
  const constantMembers = (list: number, to: Path): void => {
    for (const pair of children(cst, list)) {
      if (cst.type[pair] !== 'initializer_pair') continue;
      const [field, ...more] = children(cst, pair).filter((c) => cst.field[c] === 'designator');
      const value = childByField(cst, pair, 'value');
      const isPlain = value >= 0 && (cst.type[value] === 'number_literal' || cst.type[value] === 'true');
      if (field === undefined || more.length > 0 || !isPlain) continue;
      const name = /^\.\s*(\w+)$/.exec(textOf(cst, field))?.[1];
      if (name !== undefined) assign(pair, `${to} ${name}`, pathOf(cst, value, original));
    }
  };

  /** What commas part, in any depth of parentheses. */
  const parted = (node: number): number[] => {
    if (node < 0) return [];
    if (cst.type[node] === 'comma_expression')
      return ['left', 'right'].flatMap((side) => parted(childByField(cst, node, side)));
    if (cst.type[node] !== 'parenthesized_expression') return [node];
    return children(cst, node).flatMap((c) => ('()'.includes(cst.type[c]!) ? [] : parted(c)));
  };

  /**
   * Each time round an iterator may give other values to the variables that it is handed by name: what it is called with the last of
   * its arguments, which for a list is the member in which that runs.
   */
  const advance = (test: number, start: number): void => {
    const parts = parted(test);
    const last = pathOf(cst, parts.at(-1) ?? -1, original);
    const from = `c:${/^\w+/.exec(original.slice(start))?.[0] ?? ''}(${last})`;
    for (const n of parts) {
      const name = cst.type[n] === 'identifier' ? textOf(cst, n) : '';
      if (variables.has(name)) emit({ k: 'set', to: `v:${name}`, from, start });
    }
  };

  const scopedGuard = (node: number, test: number, self: number): void => {
    const parts = parted(test);
    const lock = parts.at(-1);
    const guard = {
      cls: parts[0] === undefined ? '' : textOf(cst, parts[0]),
      arg: lock === undefined ? '' : pathOf(cst, lock, original),
      start: cst.start[node]!,
    };
    nodeOf.set(node, emit({ k: 'guard', ...guard }));
    const depth = guards.length;
    guards.push(guard);
    // The macro is a loop that runs once (include/linux/cleanup.h, 6.12): these leave it, and no loop around it.
    const saved = [breaks, continues] as const;
    breaks = { out: [], depth };
    continues = breaks;
    statement(childByField(cst, node, 'consequence'), self);
    here = self;
    if (loose.length > 0) dropGuards(depth);
    guards.length = depth;
    loose = [...loose, ...breaks.out];
    [breaks, continues] = saved;
  };

  /** `#if` arms left in a body: one of them is there, or none unless there is an `#else`. */
  const conditionalText = (node: number, parent: number): void => {
    const { yes, no } = cst.type[node] === 'preproc_else' ? { yes: loose, no: [] } : branch('', '?');
    loose = yes;
    let alternative = -1;
    for (const c of children(cst, node)) {
      const field = cst.field[c];
      if (field === 'alternative') {
        alternative = c;
        continue;
      }
      if (field === 'name' || field === 'condition' || cst.type[c]!.startsWith('#')) continue;
      statement(c, parent);
      here = parent;
    }
    const after = loose;
    loose = no;
    if (alternative >= 0) conditionalText(alternative, parent);
    loose = [...after, ...loose];
  };

  statement(body, -1);
  if (loose.length > 0) join(1, loose);
  for (const jump of jumps) {
    const target = labels.get(jump.label);
    if (!target) continue;
    loose = [...jump.from];
    here = -1;
    for (let i = jump.guards.length - 1; i >= target.depth; i--) emit({ k: 'unguard', ...jump.guards[i]! });
    join(target.node, loose);
  }
  for (const node of cfg) {
    // A branch with a side that leads nowhere (dead code behind it): fold it to the live one.
    if (node.op.k === 'test') for (let i = 0; i < 2; i++) if (node.next[i] === -1) node.next[i] = 1;
  }
  return { cfg, statements, nodeOf, declarations, made, lost };
}

/** The identifier that a declarator declares, or ''. */
export function declaredName(cst: Cst, node: number): string {
  for (let n = node; n >= 0; ) {
    const type = cst.type[n];
    if (type === 'identifier' || type === 'field_identifier' || type === 'type_identifier')
      return textOf(cst, n);
    let inner = childByField(cst, n, 'declarator');
    if (inner < 0) {
      inner = children(cst, n).find((c) => /declarator|identifier/.test(cst.type[c]!)) ?? -1;
    }
    n = inner;
  }
  return '';
}

/** Is it a member that is counted up first (`++x->users`)? So many use it, one at least. */
function isCountedUp(cst: Cst, value: number | undefined): boolean {
  return (
    value !== undefined &&
    cst.type[value] === 'update_expression' &&
    textOf(cst, value).startsWith('++') &&
    cst.type[childByField(cst, value, 'argument')] === 'field_expression'
  );
}
