import type {
  CallOp,
  CfgNode,
  FileFacts,
  FunctionFacts,
  Op,
  Path,
  Statement,
  StatementKind,
  TestOp,
} from './facts.js';

/**
 * The facts of one file as one latin1 string: small, quick to hand to another thread or to keep in a file, and read back
 * bit by bit. A header (JSON, without the bodies) and, after a newline, numbers: the lines, then the bodies one after the other; of
 * each the local variables, the calls, what else the control flow does, and the statements, each of which is read when it is asked for. A string in a
 * body is a number, its place among the `strings` of the file.
 */

type Packed = readonly [
  name: string,
  bits: number,
  returnType: string,
  params: FunctionFacts['params'],
  start: number,
  end: number,
  bodyStart: number,
  line: number,
  value: Path,
  sites: FunctionFacts['sites'],
  references: FunctionFacts['references'],
  lost: FunctionFacts['lost'],
  memberReads: FunctionFacts['memberReads'],
  testedParams: FunctionFacts['testedParams'],
  arms: FunctionFacts['arms'] | 0,
  nodes: number,
  localsLength: number,
  callsLength: number,
  flowLength: number,
  statementsLength: number,
];

interface Header extends Omit<FileFacts, 'functions' | 'lines'> {
  readonly packed: readonly Packed[];
  readonly strings: readonly string[];
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

/** Numbers, each in as few bytes as it needs: seven bits in each, the lowest first, and a bit that says that there are more. */
class Writer {
  private readonly bytes: number[] = [];
  private readonly places = new Map<string, number>();

  get length(): number {
    return this.bytes.length;
  }

  get strings(): string[] {
    return [...this.places.keys()];
  }

  toString(): string {
    return Buffer.from(this.bytes).toString('latin1');
  }

  /** Numbers from 0 on. */
  put(...numbers: readonly number[]): void {
    for (let number of numbers) {
      for (; number > 127; number = Math.floor(number / 128)) this.bytes.push((number % 128) + 128);
      this.bytes.push(number);
    }
  }

  string(string: string): void {
    let place = this.places.get(string);
    if (place === undefined) {
      place = this.places.size;
      this.places.set(string, place);
    }
    this.put(place);
  }

  /** May be absent, which is not the same as none. */
  list(strings: readonly string[] | undefined): void {
    this.put(strings ? strings.length + 1 : 0);
    for (const string of strings ?? []) this.string(string);
  }
}

class Reader {
  constructor(
    private readonly text: string,
    public at: number,
    private readonly strings: readonly string[],
  ) {}

  number(): number {
    const { text } = this;
    let byte = text.charCodeAt(this.at++);
    if (byte < 128) return byte;
    let value = byte - 128;
    for (let unit = 128; ; unit *= 128) {
      byte = text.charCodeAt(this.at++);
      if (byte < 128) return value + byte * unit;
      value += (byte - 128) * unit;
    }
  }

  string(): string {
    return this.strings[this.number()]!;
  }

  list(): string[] | undefined {
    const length = this.number() - 1;
    return length < 0 ? undefined : Array.from({ length }, () => this.string());
  }
}

export function packFacts(facts: FileFacts): string {
  const body = new Writer();
  // Steps are shorter than offsets.
  for (const [i, at] of facts.lines.entries()) body.put(at - (facts.lines[i - 1] ?? 0));
  const linesLength = body.length;
  const packed = facts.functions.map((f): Packed => {
    const begin = body.length;
    body.put(f.locals.length);
    for (const local of f.locals) for (const string of local) body.string(string);
    const locals = body.length;
    putCalls(body, f.calls);
    const calls = body.length;
    for (const node of f.cfg) putNode(body, node);
    const flow = body.length;
    putStatements(body, f.statements);
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
      f.start,
      f.end,
      f.bodyStart,
      f.line,
      f.value,
      f.sites,
      f.references,
      f.lost,
      f.memberReads,
      f.testedParams,
      f.arms ?? 0,
      f.cfg.length,
      locals - begin,
      calls - locals,
      flow - calls,
      body.length - flow,
    ];
  });
  const { functions: _, lines: __, ...rest } = facts;
  const header: Header = { ...rest, packed, strings: body.strings, linesLength };
  return `${JSON.stringify(header)}\n${body}`;
}

function putCalls(body: Writer, calls: FunctionFacts['calls']): void {
  body.put(calls.length);
  for (const [node, { fn, target, args, to, start, end }] of calls) {
    body.put(node);
    body.string(fn);
    body.string(target);
    body.string(to);
    body.put(start, end - start, args.length);
    for (const arg of args) body.string(arg);
  }
}

const NO_ARGUMENTS: readonly Path[] = [];

function readCalls(body: Reader): [number, CallOp][] {
  const out: [number, CallOp][] = [];
  for (let left = body.number(); left > 0; left--) {
    const node = body.number();
    const fn = body.string();
    const target = body.string();
    const to = body.string();
    const start = body.number();
    const end = start + body.number();
    let args: readonly Path[] = NO_ARGUMENTS;
    const n = body.number();
    if (n > 0) args = Array.from({ length: n }, () => body.string());
    out.push([node, { k: 'call', fn, target, args, to, start, end }]);
  }
  return out;
}

/** Kinds of nodes by number, fewer than 8. A call says no more than that it is the next one. */
const OPS: readonly Op['k'][] = ['nop', 'call', 'set', 'test', 'ret', 'guard', 'unguard'];

/** In the place of what an assignment adds. */
const ADDRESS: readonly string[] = ['&'];

function putNode(body: Writer, { op, next, statement }: CfgNode): void {
  body.put(OPS.indexOf(op.k) + next.length * 8, statement + 1, ...next);
  switch (op.k) {
    case 'nop':
    case 'call':
      return;
    case 'set':
      body.string(op.to);
      body.string(op.from);
      body.put(op.start);
      body.list(op.isAddress ? ADDRESS : op.adds);
      return;
    case 'test':
      body.string(op.on);
      body.string(op.rel);
      body.list(op.flags);
      return;
    case 'ret':
      body.string(op.value);
      return;
    case 'guard':
    case 'unguard':
      body.string(op.cls);
      body.string(op.arg);
      body.put(op.start);
  }
}

function readNode(body: Reader, nextCall: () => CallOp): CfgNode {
  const head = body.number();
  const statement = body.number() - 1;
  const successors = head >> 3;
  const next =
    successors === 1 ? only(body.number()) : Array.from({ length: successors }, () => body.number());
  const op = readOp(body, OPS[head & 7]!, nextCall);
  return { op, next, statement };
}

/** By number: the array of that number alone. Most nodes have one successor, and nodes of all functions share these. */
const singles: (readonly number[])[] = [];

function only(number: number): readonly number[] {
  singles[number] ??= [number];
  return singles[number];
}

function readOp(body: Reader, k: Op['k'], nextCall: () => CallOp): Op {
  switch (k) {
    case 'nop':
      return NOP;
    case 'call':
      return nextCall();
    case 'set': {
      const to = body.string();
      const from = body.string();
      const start = body.number();
      const adds = body.list();
      if (adds?.[0] === ADDRESS[0]) return { k, to, from, start, isAddress: true };
      return adds ? { k, to, from, start, adds } : { k, to, from, start };
    }
    case 'test': {
      const on = body.string();
      const rel = body.string() as TestOp['rel'];
      const flags = body.list();
      return flags ? { k, on, rel, flags } : { k, on, rel };
    }
    case 'ret':
      return { k, value: body.string() };
    case 'guard':
    case 'unguard':
      return { k, cls: body.string(), arg: body.string(), start: body.number() };
  }
}

function putStatements(body: Writer, statements: readonly Statement[]): void {
  body.put(statements.length);
  for (const { kind, start, end, parent, from, to } of statements)
    body.put(KIND_NUMBER.get(kind)!, start, end - start, parent + 1, from, to);
}

function readStatements(body: Reader): Statement[] {
  const out: Statement[] = [];
  for (let left = body.number(); left > 0; left--) {
    const kind = STATEMENT_KINDS[body.number()]!;
    const start = body.number();
    const end = start + body.number();
    const parent = body.number() - 1;
    out.push({ kind, start, end, parent, from: body.number(), to: body.number() });
  }
  return out;
}

/** One of each string that all files have: most stand in many. */
const pool = new Map<string, string>();

function pooled(string: string): string {
  const found = pool.get(string);
  if (found !== undefined) return found;
  pool.set(string, string);
  return string;
}

/** Reads back what `packFacts` made. Throws on anything else. */
export function unpackFacts(text: string): FileFacts {
  const newline = text.indexOf('\n');
  const { packed, strings, linesLength, ...rest } = JSON.parse(text.slice(0, newline)) as Header;
  // Without the header, which is not needed any more.
  const body = Buffer.from(text.slice(newline + 1), 'latin1').toString('latin1');
  const all = strings.map(pooled);
  let at = linesLength;
  const functions = packed.map((p) => {
    const fn = new PackedFunction(p, body, at, all);
    at += p[16] + p[17] + p[18] + p[19];
    return fn;
  });
  if (at !== body.length) throw new Error('packed facts of another length than they say');
  let lines: readonly number[] | undefined;
  return {
    ...rest,
    functions,
    get lines(): readonly number[] {
      lines ??= readLines(body, linesLength);
      return lines;
    },
  };
}

function readLines(text: string, length: number): number[] {
  const body = new Reader(text, 0, []);
  const out: number[] = [];
  for (let sum = 0; body.at < length; ) {
    sum += body.number();
    out.push(sum);
  }
  return out;
}

/** Nodes that are kept unpacked, over all functions, before the oldest go. */
const MAX_NODES = 800_000;
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
  readonly start: number;
  readonly end: number;
  readonly bodyStart: number;
  readonly line: number;
  readonly value: Path;
  readonly sites: FunctionFacts['sites'];
  readonly references: FunctionFacts['references'];
  readonly lost: FunctionFacts['lost'];
  readonly memberReads: FunctionFacts['memberReads'];
  readonly testedParams: FunctionFacts['testedParams'];
  declare readonly arms?: NonNullable<FunctionFacts['arms']>;
  private callsRead: FunctionFacts['calls'] | undefined;
  private flow: readonly CfgNode[] | undefined;
  private statementsRead: readonly Statement[] | undefined;
  private readonly nodes: number;
  private readonly callsAt: number;
  private readonly flowAt: number;
  private readonly statementsAt: number;

  constructor(
    packed: Packed,
    private readonly text: string,
    private readonly localsAt: number,
    private readonly strings: readonly string[],
  ) {
    this.name = packed[0];
    this.bits = packed[1];
    this.returnType = packed[2];
    this.params = packed[3];
    this.start = packed[4];
    this.end = packed[5];
    this.bodyStart = packed[6];
    this.line = packed[7];
    this.value = packed[8];
    this.sites = packed[9];
    this.references = packed[10];
    this.lost = packed[11];
    this.memberReads = packed[12];
    this.testedParams = packed[13];
    if (packed[14] !== 0) this.arms = packed[14]!;
    this.nodes = packed[15];
    this.callsAt = localsAt + packed[16];
    this.flowAt = this.callsAt + packed[17];
    this.statementsAt = this.flowAt + packed[18];
  }

  get locals(): FunctionFacts['locals'] {
    const body = new Reader(this.text, this.localsAt, this.strings);
    return Array.from({ length: body.number() }, () => [body.string(), body.string()] as const);
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
    this.callsRead ??= readCalls(new Reader(this.text, this.callsAt, this.strings));
    return this.callsRead;
  }

  get cfg(): readonly CfgNode[] {
    if (this.flow) return this.flow;
    const { calls } = this;
    let call = 0;
    const nextCall = (): CallOp => calls[call++]![1];
    const body = new Reader(this.text, this.flowAt, this.strings);
    const flow: CfgNode[] = [];
    for (let n = this.nodes; n > 0; n--) flow.push(readNode(body, nextCall));
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
    const out = readStatements(new Reader(this.text, this.statementsAt, this.strings));
    this.statementsRead = out;
    remember(this, this.nodes);
    return out;
  }
}
