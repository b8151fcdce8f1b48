import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { gfpArgument } from '../kernel/allocators.js';
import type { CfgNode, FunctionFacts, Path, TestOp } from '../parse/facts.js';
import { setBy } from './sets.js';

/** How `rel` of a test begins that asks whether a variable is the object in a member of `current`. */
const IS_TASKS = '=task ';

/** Constants among a call's arguments that decide tests in the callee. */
const CONSTANT: Readonly<Record<string, boolean>> = { '#0': false, '#pos': true };

/**
 * A task keeps one object of a kind (`current->journal_info`). A function may put a new one in the place of the old, so that the
 * scope stays open for the new one: a transaction is rolled. To end the old one then closes nothing, where the function
 * that does so asks first whether it is still the task's (`if (current->journal_info == tp)`).
 */
export class Rolled {
  /** Function → parameters of which it, or what it hands them to, asks that. */
  private readonly asking = new Map<number, Set<number>>();
  /** Function → the parameter that it puts into the task on every path. */
  private readonly stores = new Map<number, number>();
  /** Functions that put an object into the task which they made. */
  private readonly replacing = new Set<number>();

  /** `closing` are the functions that close a scope themselves. */
  constructor(
    private readonly index: Index,
    closing: readonly Fn[],
  ) {
    this.findAsking(closing);
    if (this.asking.size > 0) this.findReplacing();
  }

  /** Functions in which an old object may be ended. */
  get functions(): Iterable<number> {
    const out = new Set<number>();
    for (const id of this.replacing)
      for (const edge of this.index.callers[id]!) if (edge.how === 'call') out.add(edge.from);
    return out;
  }

  /** The function as it is for the task's own object: where it asks, the answer is yes. */
  owned(fn: Fn): FunctionFacts {
    if (!this.asking.has(fn.id)) return fn.facts;
    const cfg = fn.facts.cfg.map((node): CfgNode => {
      const { op, next } = node;
      return op.k === 'test' && next.length === 2 && op.rel.startsWith(IS_TASKS)
        ? { ...node, op: { k: 'nop' }, next: [next[0]!] }
        : node;
    });
    // Packed facts have their members on the prototype.
    return Object.create(fn.facts, { cfg: { value: cfg } }) as FunctionFacts;
  }

  private findAsking(closing: readonly Fn[]): void {
    const queue: [Fn, number][] = [];
    const add = (fn: Fn, param: number): void => {
      const mine = this.asking.get(fn.id);
      if (param < 0 || mine?.has(param)) return;
      if (mine) mine.add(param);
      else this.asking.set(fn.id, new Set([param]));
      queue.push([fn, param]);
    };
    for (const fn of closing) {
      for (const { op } of fn.facts.cfg)
        if (op.k === 'test' && op.rel.startsWith(IS_TASKS)) add(fn, paramOf(fn, op.on));
    }
    for (let next = queue.pop(); next; next = queue.pop()) {
      const [to, param] = next;
      for (const edge of this.index.callers[to.id]!) {
        const from = this.index.functions[edge.from]!;
        const { op } = from.facts.cfg[edge.node]!;
        if (edge.how === 'call' && op.k === 'call') add(from, paramOf(from, op.args[param] ?? ''));
      }
    }
  }

  private findReplacing(): void {
    const { functions, callers } = this.index;
    const queue: Fn[] = [];
    for (const fn of functions) {
      if (!fn.facts.setsCurrent) continue;
      for (const [node, { op }] of fn.facts.cfg.entries())
        if (op.k === 'set' && /^v:current \w+$/.test(op.to) && isOnEveryPath(fn, node)) {
          const param = paramOf(fn, op.from);
          if (param < 0) this.madeAndStored(fn, op.from);
          else {
            this.stores.set(fn.id, param);
            queue.push(fn);
          }
        }
    }
    for (let to = queue.pop(); to; to = queue.pop()) {
      for (const edge of callers[to.id]!) {
        const from = functions[edge.from]!;
        const { op } = from.facts.cfg[edge.node]!;
        if (edge.how !== 'call' || op.k !== 'call' || !isOnEveryPath(from, edge.node)) continue;
        this.madeAndStored(from, op.args[this.stores.get(to.id)!] ?? '');
      }
    }
  }

  private madeAndStored(fn: Fn, path: Path): void {
    const isMade = fn.facts.calls.some(
      ([, op]) => op.to === path && op.fn !== '' && gfpArgument(op.fn, op.args.length) !== undefined,
    );
    if (isMade) this.replacing.add(fn.id);
  }

  /** Is the argument surely not the task's object any more where the call is made, and does the callee ask? */
  private leftAt(fn: Fn, node: number, to: Fn): number | undefined {
    const asked = this.asking.get(to.id);
    const { op } = fn.facts.cfg[node]!;
    if (!asked || op.k !== 'call') return undefined;
    return [...asked].find((param) => this.isLeft(fn, node, op.args[param] ?? ''));
  }

  private isLeft(fn: Fn, node: number, variable: Path): boolean {
    if (!/^v:\w+$/.test(variable)) return false;
    const replaces = this.index.callees[fn.id]!.filter((e) => e.how === 'call' && this.replacing.has(e.to));
    if (replaces.length === 0) return false;
    const at = new Set(replaces.map((e) => e.node));
    const { cfg } = fn.facts;
    // Each node with whether the variable still may be the task's object when it is entered.
    const seen = new Set(['0 1']);
    for (const key of seen) {
      const [i, mayBe] = key.split(' ');
      const { op, next } = cfg[Number(i)]!;
      const after = at.has(Number(i)) ? '0' : mayBe;
      const now = assigns(op, variable) ? '1' : after;
      for (const to of next) if (to >= 0) seen.add(`${to} ${now}`);
    }
    return !seen.has(`${node} 1`);
  }

  /**
   * Does the call close no scope, for the sake of the object that it gets? `closes` gives the nodes of a function that open or
   * close one, with the functions called there.
   */
  leavesOpen(fn: Fn, node: number, to: Fn, acts: (fn: Fn) => ReadonlyMap<number, readonly Fn[]>): boolean {
    const param = this.leftAt(fn, node, to);
    const { op } = fn.facts.cfg[node]!;
    return param !== undefined && op.k === 'call' && !this.mayAct(to, param, op.args, acts, 0);
  }

  private mayAct(
    fn: Fn,
    param: number,
    args: readonly Path[],
    acts: (fn: Fn) => ReadonlyMap<number, readonly Fn[]>,
    depth: number,
  ): boolean {
    const variable = `v:${fn.facts.params[param]?.[0] ?? ''}`;
    const reached = this.reached(fn, variable, args);
    if (depth > 6 || reached.some(({ op }) => assigns(op, variable))) return true;
    const nodes = new Set(reached);
    for (const [node, callees] of acts(fn)) {
      const { op } = fn.facts.cfg[node]!;
      if (!nodes.has(fn.facts.cfg[node]!)) continue;
      if (callees.length === 0 || op.k !== 'call') return true;
      const at = op.args.indexOf(variable);
      const asks = callees.every((callee) => this.asking.get(callee.id)?.has(at));
      if (!asks || callees.some((callee) => this.mayAct(callee, at, op.args, acts, depth + 1))) return true;
    }
    return false;
  }

  /** What runs of the function where the variable is not the task's object and parameters have those constants. */
  private reached(fn: Fn, variable: Path, args: readonly Path[]): CfgNode[] {
    const { cfg, params } = fn.facts;
    const decide = ({ on, rel }: TestOp): boolean | undefined => {
      if (on === variable && rel.startsWith(IS_TASKS)) return false;
      const given =
        rel === 'nz' ? CONSTANT[args[params.findIndex(([name]) => `v:${name}` === on)] ?? ''] : undefined;
      return given === undefined || cfg.some(({ op }) => assigns(op, on)) ? undefined : given;
    };
    const seen = new Set([0]);
    for (const node of seen) {
      const { op, next } = cfg[node]!;
      const holds = op.k === 'test' && next.length === 2 ? decide(op) : undefined;
      for (const [side, to] of next.entries())
        if (to >= 0 && (holds === undefined || side === (holds ? 0 : 1))) seen.add(to);
    }
    return [...seen].map((node) => cfg[node]!);
  }
}

function paramOf(fn: Fn, path: Path): number {
  return path.startsWith('v:') ? fn.facts.params.findIndex(([name]) => `v:${name}` === path) : -1;
}

function assigns(op: CfgNode['op'], variable: Path): boolean {
  return setBy(op).includes(variable) || (op.k === 'call' && op.args.includes(`&${variable}`));
}

/** Does every way through the function come by the node? */
function isOnEveryPath(fn: Fn, node: number): boolean {
  const { cfg } = fn.facts;
  const seen = new Set([0]);
  for (const at of seen) if (at !== node) for (const to of cfg[at]!.next) if (to >= 0) seen.add(to);
  return ![...seen].some((at) => at !== node && (at === 1 || cfg[at]!.op.k === 'ret'));
}
