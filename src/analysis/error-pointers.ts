import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { FunctionFacts, Path } from '../parse/facts.js';
import { setBy } from './sets.js';
import { run } from './states.js';

/** So many functions deep it is asked whether what one hands on from another may be null. */
const MAX_DEPTH = 4;

const PLAIN = /^v:\w+$/;

/**
 * Functions that return an object or an error and never null (`btrfs_join_transaction()`). Where such a result is no error it is an
 * object, and a later `if (trans)` tells whether it was.
 */
export class ErrorPointers {
  private readonly known = new Map<number, FunctionFacts>();
  private readonly answers = new Map<number, boolean>();

  constructor(private readonly index: Index) {}

  /** The function's facts as `withObjects` gives them. */
  factsOf(fn: Fn): FunctionFacts {
    let facts = this.known.get(fn.id);
    if (!facts) {
      facts = withObjects(fn.facts, (name) => this.neverNull(name, fn, 0));
      this.known.set(fn.id, facts);
    }
    return facts;
  }

  /** Names of the functions on which it rests that those are not the function's facts as they were read. */
  namesIn(fn: Fn): string[] {
    if (this.factsOf(fn) === fn.facts) return [];
    const called = new Set(fn.facts.calls.flatMap(([, op]) => (PLAIN.test(op.to) ? [op.fn] : [])));
    return [...called].filter((name) => this.neverNull(name, fn, 0)).sort();
  }

  private neverNull(name: string, caller: Fn, depth: number): boolean {
    const targets = this.index.names.lookup(name, caller.file.file);
    return targets.length > 0 && targets.every((fn) => this.returnsObject(fn, depth + 1));
  }

  private returnsObject(fn: Fn, depth: number): boolean {
    const answer = this.answers.get(fn.id);
    if (answer !== undefined) return answer;
    if (depth > MAX_DEPTH || fn.facts.isMacro || fn.facts.arms || fn.facts.returnType === 'int') return false;
    // Recursion adds no object.
    this.answers.set(fn.id, false);
    const isObject = (name: string): boolean => this.neverNull(name, fn, depth);
    const { cfg } = fn.facts;
    const { exits } = run(withObjects(fn.facts, isObject), new Map());
    const always =
      exits.length > 0 &&
      exits.every(({ node, result }) => {
        if (result !== 'u') return result !== 'z';
        const { op } = cfg[node]!;
        if (op.k !== 'ret') return false;
        const given = op.value[0] === '@' ? cfg[Number(op.value.slice(1))]!.op : undefined;
        if (given?.k === 'call') return isObject(given.fn);
        return (
          PLAIN.test(op.value) &&
          isAlwaysGiven(fn.facts, op.value, isObject) &&
          !reachedOtherwise(fn.facts, op.value).has(node)
        );
      });
    this.answers.set(fn.id, always);
    return always;
  }
}

/**
 * The facts with tests that tell more of what a function returned that is `neverNull`: for `IS_ERR()` of it, where it is tested for null,
 * too.
 */
export function withObjects(facts: FunctionFacts, neverNull: (name: string) => boolean): FunctionFacts {
  const { cfg } = facts;
  const tests = new Map<Path, number[]>();
  const forNull = new Set<Path>();
  for (const [node, { op }] of cfg.entries()) {
    if (op.k !== 'test') continue;
    if (op.rel === 'nz') forNull.add(op.on);
    if (op.rel === 'err' && PLAIN.test(op.on)) tests.set(op.on, [...(tests.get(op.on) ?? []), node]);
  }
  // It may be kept in an object and be tested there.
  for (const { op } of tests.size > 0 ? cfg : [])
    if (op.k === 'set' && tests.has(op.from) && forNull.has(op.to)) forNull.add(op.from);
  const same = new Set<number>();
  for (const [variable, nodes] of tests) {
    if (!forNull.has(variable) || !isAlwaysGiven(facts, variable, neverNull)) continue;
    const reached = reachedOtherwise(facts, variable);
    for (const node of nodes) if (!reached.has(node)) same.add(node);
  }
  if (same.size === 0) return facts;
  const now = cfg.map((node, at) =>
    same.has(at) && node.op.k === 'test'
      ? { ...node, op: { ...node.op, rel: 'err or object' as const } }
      : node,
  );
  return Object.create(facts, { cfg: { value: now } }) as FunctionFacts;
}

/** Is each call whose result the variable gets one of a function that is `neverNull`? */
function isAlwaysGiven(
  { calls }: FunctionFacts,
  variable: Path,
  neverNull: (name: string) => boolean,
): boolean {
  const given = calls.filter(([, op]) => op.to === variable);
  return given.length > 0 && given.every(([, op]) => neverNull(op.fn));
}

/** Nodes that are reached while the variable has another value than the result of a call. */
function reachedOtherwise({ cfg }: FunctionFacts, variable: Path): Set<number> {
  const seen = new Set([0]);
  for (const { op, next } of cfg)
    if (op.k === 'set' ? op.to === variable : op.k === 'call' && op.sets?.includes(variable))
      for (const to of next) if (to >= 0) seen.add(to);
  for (const at of seen) {
    const { op, next } = cfg[at]!;
    if (setBy(op).includes(variable)) continue;
    for (const to of next) if (to >= 0) seen.add(to);
  }
  return seen;
}
