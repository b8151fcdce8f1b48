import type {
  CallOp,
  CfgNode,
  FileFacts,
  FunctionFacts,
  Op,
  Path,
  Statement,
  StatementKind,
} from './facts.js';

/**
 * The facts of one file as one latin1 string: small, quick to hand to another thread or to keep in a file, and read back
 * bit by bit. A header (JSON, without the bodies) and, after a newline, the bodies one after the other; of each the calls,
 * what else the control flow does, and the statements are texts of their own, and each is read when it is asked for.
 */

type Packed = readonly [
  name: string,
  bits: number,
  returnType: string,
  params: FunctionFacts['params'],
  locals: FunctionFacts['locals'],
  start: number,
  end: number,
  bodyStart: number,
  line: number,
  value: Path,
  sites: FunctionFacts['sites'],
  references: FunctionFacts['references'],
  memberReads: FunctionFacts['memberReads'],
  testedParams: FunctionFacts['testedParams'],
  arms: FunctionFacts['arms'] | 0,
  nodes: number,
  callsLength: number,
  flowLength: number,
  statementsLength: number,
];

interface Header extends Omit<FileFacts, 'functions' | 'lines'> {
  readonly packed: readonly Packed[];
  readonly linesLength: number;
}

const MACRO = 1;
const STATIC = 2;
const INLINE = 4;
const BROKEN = 8;
const LOCKS = 16;
const CURRENT = 32;
const FLAGS = 64;
const HANDS = 128;
const READS_CURRENT = 256;
const VARIADIC = 512;
const INIT = 1024;

const STATEMENT_KINDS: readonly StatementKind[] = [
  'block',
  'expression',
  'declaration',
  'if',
  'loop',
  'switch',
  'label',
  'case',
  'return',
  'jump',
  'other',
];
const KIND_NUMBER = new Map(STATEMENT_KINDS.map((kind, i) => [kind, i]));

const NOP: Op = { k: 'nop' };

export function packFacts(facts: FileFacts): string {
  const bodies: string[] = [];
  const packed = facts.functions.map((f): Packed => {
    const calls = packCalls(f.calls);
    const flow = JSON.stringify(f.cfg.map(packNode));
    const statements = JSON.stringify(
      f.statements.flatMap((s) => [KIND_NUMBER.get(s.kind)!, s.start, s.end, s.parent, s.from, s.to]),
    );
    bodies.push(calls, flow, statements);
    const bits =
      (f.isMacro ? MACRO : 0) |
      (f.isStatic ? STATIC : 0) |
      (f.isInline ? INLINE : 0) |
      (f.broken ? BROKEN : 0) |
      (f.locks ? LOCKS : 0) |
      (f.setsCurrent ? CURRENT : 0) |
      (f.testsFlags ? FLAGS : 0) |
      (f.handsNames ? HANDS : 0) |
      (f.readsCurrent ? READS_CURRENT : 0) |
      (f.isVariadic ? VARIADIC : 0) |
      (f.isInit ? INIT : 0);
    return [
      f.name,
      bits,
      f.returnType,
      f.params,
      f.locals,
      f.start,
      f.end,
      f.bodyStart,
      f.line,
      f.value,
      f.sites,
      f.references,
      f.memberReads,
      f.testedParams,
      f.arms ?? 0,
      f.cfg.length,
      calls.length,
      flow.length,
      statements.length,
    ];
  });
  const { functions: _, lines, ...rest } = facts;
  // Steps are shorter than offsets.
  const steps = JSON.stringify(lines.map((at, i) => at - (lines[i - 1] ?? 0)));
  const header: Header = { ...rest, packed, linesLength: steps.length };
  return `${JSON.stringify(header)}\n${steps}${bodies.join('')}`;
}

/** Ends each field of a call. Paths are made of names and of what stands in `facts.ts`: it is in none. */
const END = '\x01';

/** Calls are what is read most often: the fields one after the other, the arguments after their number. */
function packCalls(calls: FunctionFacts['calls']): string {
  const fields: (string | number)[] = [];
  for (const [node, { fn, target, args, to, start, end }] of calls)
    fields.push(node, fn, target, to, start, end - start, args.length, ...args);
  fields.push('');
  return fields.join(END);
}

function unpackCalls(text: string, from: number, to: number): [number, CallOp][] {
  const out: [number, CallOp][] = [];
  let at = from;
  const field = (): string => {
    const end = text.indexOf(END, at);
    const found = text.slice(at, end);
    at = end + 1;
    return found;
  };
  const number = (): number => {
    let value = 0;
    for (let digit = text.charCodeAt(at++) - 48; digit >= 0; digit = text.charCodeAt(at++) - 48)
      value = value * 10 + digit;
    return value;
  };
  while (at < to) {
    const node = number();
    const fn = field();
    const target = field();
    const result = field();
    const start = number();
    const end = start + number();
    const args: Path[] = [];
    for (let n = number(); n > 0; n--) args.push(field());
    out.push([node, { k: 'call', fn, target, args, to: result, start, end }]);
  }
  return out;
}

/** `[kind, statement, next…, what the kind has]`; a call says no more than that it is the next one. */
function packNode({ op, next, statement }: CfgNode): unknown[] {
  const head = [statement, ...next];
  switch (op.k) {
    case 'nop':
      return [0, head];
    case 'call':
      return [1, head];
    case 'set':
      return [2, head, op.to, op.from, op.start, ...(op.adds ? [op.adds] : [])];
    case 'test':
      return [3, head, op.on, op.rel, ...(op.flags ? [op.flags] : [])];
    case 'ret':
      return [4, head, op.value];
    case 'guard':
    case 'unguard':
      return [op.k === 'guard' ? 5 : 6, head, op.cls, op.arg, op.start];
  }
}

/** Reads back what `packFacts` made. Throws on anything else. */
export function unpackFacts(text: string): FileFacts {
  const newline = text.indexOf('\n');
  const { packed, linesLength, ...rest } = JSON.parse(text.slice(0, newline)) as Header;
  let at = newline + 1;
  const linesAt = at;
  at += linesLength;
  const functions = packed.map((p) => {
    const fn = new PackedFunction(p, text, at);
    at += p[16] + p[17] + p[18];
    return fn;
  });
  if (at !== text.length) throw new Error('packed facts of another length than they say');
  let lines: readonly number[] | undefined;
  return {
    ...rest,
    functions,
    get lines(): readonly number[] {
      if (!lines) {
        let sum = 0;
        lines = (JSON.parse(text.slice(linesAt, linesAt + linesLength)) as number[]).map(
          (step) => (sum += step),
        );
      }
      return lines;
    },
  };
}

/** Nodes that are kept unpacked, over all functions, before the oldest go. */
const MAX_NODES = 600_000;
const unpacked = new Map<PackedFunction, number>();
let nodesUnpacked = 0;

function remember(fn: PackedFunction, nodes: number): void {
  if (unpacked.has(fn)) return;
  unpacked.set(fn, nodes);
  nodesUnpacked += nodes;
  if (nodesUnpacked <= MAX_NODES) return;
  for (const [old, size] of unpacked) {
    if (old === fn || nodesUnpacked <= MAX_NODES / 2) break;
    unpacked.delete(old);
    nodesUnpacked -= size;
    old.forget();
  }
}

class PackedFunction implements FunctionFacts {
  readonly name: string;
  private readonly bits: number;
  readonly returnType: string;
  readonly params: FunctionFacts['params'];
  readonly locals: FunctionFacts['locals'];
  readonly start: number;
  readonly end: number;
  readonly bodyStart: number;
  readonly line: number;
  readonly value: Path;
  readonly sites: FunctionFacts['sites'];
  readonly references: FunctionFacts['references'];
  readonly memberReads: FunctionFacts['memberReads'];
  readonly testedParams: FunctionFacts['testedParams'];
  declare readonly arms?: NonNullable<FunctionFacts['arms']>;
  private flow: readonly CfgNode[] | undefined;
  private statementsRead: readonly Statement[] | undefined;
  private readonly nodes: number;
  private readonly flowAt: number;
  private readonly statementsAt: number;
  private readonly statementsEnd: number;

  constructor(
    packed: Packed,
    private readonly text: string,
    private readonly callsAt: number,
  ) {
    this.name = packed[0];
    this.bits = packed[1];
    this.returnType = packed[2];
    this.params = packed[3];
    this.locals = packed[4];
    this.start = packed[5];
    this.end = packed[6];
    this.bodyStart = packed[7];
    this.line = packed[8];
    this.value = packed[9];
    this.sites = packed[10];
    this.references = packed[11];
    this.memberReads = packed[12];
    this.testedParams = packed[13];
    if (packed[14] !== 0) this.arms = packed[14]!;
    this.nodes = packed[15];
    this.flowAt = callsAt + packed[16];
    this.statementsAt = this.flowAt + packed[17];
    this.statementsEnd = this.statementsAt + packed[18];
  }

  get isMacro(): boolean {
    return (this.bits & MACRO) !== 0;
  }

  get isVariadic(): boolean {
    return (this.bits & VARIADIC) !== 0;
  }

  get isStatic(): boolean {
    return (this.bits & STATIC) !== 0;
  }

  get isInit(): boolean {
    return (this.bits & INIT) !== 0;
  }

  get isInline(): boolean {
    return (this.bits & INLINE) !== 0;
  }

  get broken(): boolean {
    return (this.bits & BROKEN) !== 0;
  }

  get locks(): boolean {
    return (this.bits & LOCKS) !== 0;
  }

  get setsCurrent(): boolean {
    return (this.bits & CURRENT) !== 0;
  }

  get readsCurrent(): boolean {
    return (this.bits & READS_CURRENT) !== 0;
  }

  get handsNames(): boolean {
    return (this.bits & HANDS) !== 0;
  }

  get testsFlags(): boolean {
    return (this.bits & FLAGS) !== 0;
  }

  get calls(): FunctionFacts['calls'] {
    if (this.flow) {
      const out: [number, CallOp][] = [];
      for (const [node, { op }] of this.flow.entries()) if (op.k === 'call') out.push([node, op]);
      return out;
    }
    return unpackCalls(this.text, this.callsAt, this.flowAt);
  }

  get cfg(): readonly CfgNode[] {
    if (this.flow) return this.flow;
    const calls = this.calls;
    let call = 0;
    type Node = [kind: number, head: number[], ...rest: never[]];
    const flow = (JSON.parse(this.text.slice(this.flowAt, this.statementsAt)) as Node[]).map(
      ([kind, head, a, b, c, d]): CfgNode => {
        const [statement, ...next] = head as [number, ...number[]];
        let op: Op = NOP;
        if (kind === 1) op = calls[call++]![1];
        else if (kind === 2) op = { k: 'set', to: a!, from: b!, start: c!, ...(d ? { adds: d } : {}) };
        else if (kind === 3) op = { k: 'test', on: a!, rel: b!, ...(c ? { flags: c } : {}) };
        else if (kind === 4) op = { k: 'ret', value: a! };
        else if (kind > 4) op = { k: kind === 5 ? 'guard' : 'unguard', cls: a!, arg: b!, start: c! };
        return { op, next, statement };
      },
    );
    this.flow = flow;
    remember(this, this.nodes);
    return flow;
  }

  forget(): void {
    this.flow = undefined;
    this.statementsRead = undefined;
  }

  get statements(): readonly Statement[] {
    if (this.statementsRead) return this.statementsRead;
    const numbers = JSON.parse(this.text.slice(this.statementsAt, this.statementsEnd)) as number[];
    const out: Statement[] = [];
    for (let i = 0; i < numbers.length; i += 6) {
      const [kind, start, end, parent, from, to] = numbers.slice(i, i + 6) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      out.push({ kind: STATEMENT_KINDS[kind]!, start, end, parent, from, to });
    }
    this.statementsRead = out;
    remember(this, this.nodes);
    return out;
  }
}
