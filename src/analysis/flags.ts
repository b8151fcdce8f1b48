import type { Edge, Index } from '../index/link.js';
import { directoryGroup, type Fn } from '../index/names.js';
import { OVERWRITES } from '../kernel/layers.js';
import type { CfgNode, FunctionFacts, Op, Path, TestOp } from '../parse/facts.js';
import { isSetIn, setBy } from './sets.js';

/** Constants that stand for several flags: which ones their name does not say. */
const SEVERAL = /MASK|ALL|ANY|FLAGS/;

/** Values of a variable that are followed. */
const MAX_VALUES = 8;

/** Calls through which a parameter is followed to where it is tested. */
const MAX_HANDED_ON = 4;

/** What a call hands to a parameter that the callee tests: as a set of flags (`xfs_ilock(ip, XFS_ILOCK_EXCL)`), for truth, or for one value. */
export interface HandedFlags {
  /** Its name, or with a member of the struct that it points to: `req fast`. */
  readonly param: string;
  /** The possible values, sorted: names of constants with `|` between them, `''` for none, `TRUE`. */
  readonly values: readonly string[];
}

/** Equal to a constant that has a name. */
const CONSTANT = /^== v:([A-Z][A-Z0-9_]*)$/;

/** A constant that is not 0. */
export const TRUE = '#pos';

const NONE: ReadonlySet<Path> = new Set();

/** Types of parameters that are tested for truth. */
const TRUTH = new Set(['bool', 'int']);

/**
 * When a test of one constant says that another is not set. `known`: if the values of both are known and have no bit in
 * common. `named`: also if the callee tests both by name. `guessed`: if their names differ.
 */
export type Certainty = 'known' | 'named' | 'guessed';

/** The constants that arguments and variables may be, where they are tested as flags or for truth. */
export class Flags {
  /** By function and position, as far as it was asked for. */
  private readonly mattering = new Map<number, (boolean | undefined)[]>();
  /** By function: the positions of all parameters that matter. */
  private readonly positions = new Map<number, readonly number[]>();
  private readonly made = new Map<number, ReadonlySet<Path>>();
  /** By `struct.member`. */
  private readonly written = new Map<string, boolean>();

  constructor(private readonly index: Index) {}

  /**
   * What a call hands to the parameters that the callee tests, or hands on to what does, and in members of structs that it makes, where
   * that is known; `got` is what the caller itself got.
   */
  given(from: Fn, edge: Edge, got: readonly HandedFlags[]): HandedFlags[] {
    const to = this.index.functions[edge.to]!;
    if (edge.how !== 'call') return [];
    const matter = this.mattersOf(to);
    const made = this.structsMade(from);
    if (matter.length === 0 && made.size === 0) return [];
    const { op } = from.facts.cfg[edge.node]!;
    if (op.k !== 'call') return [];
    const out: HandedFlags[] = [];
    for (const i of matter) {
      const arg = op.args[i];
      if (arg === undefined) continue;
      const known = got.find(({ param }) => `v:${param}` === arg && !this.isSet(from, arg));
      const values = known ? known.values : [...(this.valuesOf(from, arg) ?? [])].sort();
      if (values.length > 0) out.push({ param: to.facts.params[i]![0], values });
    }
    for (const [position, arg] of made.size > 0 ? op.args.entries() : []) {
      const struct = arg.slice(1);
      const param = to.facts.params[position]?.[0];
      if (!arg.startsWith('&') || param === undefined || !made.has(struct)) continue;
      for (const member of this.testedMembers(to, param))
        if (this.isTrueIn(from, struct, member, edge.node))
          out.push({ param: `${param} ${member}`, values: [TRUE] });
    }
    return out;
  }

  /** Nodes that run when the parameters have some of those values. */
  reachable(fn: Fn, given: readonly HandedFlags[], certainty: Certainty): Set<number> {
    let all = new Set(fn.facts.cfg.keys());
    for (const { param, values } of given) {
      const some = new Set<number>();
      for (const value of values) {
        const { cfg } = this.applied(fn, param, value, certainty);
        const seen = new Set([0]);
        for (const node of seen) for (const to of cfg[node]!.next) seen.add(to);
        for (const node of seen) some.add(node);
      }
      all = new Set([...all].filter((node) => some.has(node)));
    }
    return all;
  }

  /** Variables of the function of which a member is set to a constant: `v:req`. */
  private structsMade(fn: Fn): ReadonlySet<Path> {
    let found = this.made.get(fn.id);
    if (!found) {
      const all = fn.facts.cfg.flatMap(
        ({ op }) => (op.k === 'set' && op.from === TRUE && /^(v:\w+) \w+$/.exec(op.to)?.[1]) || [],
      );
      found = all.length > 0 ? new Set(all) : NONE;
      this.made.set(fn.id, found);
    }
    return found;
  }

  /** Members of what the parameter points to that the function tests for truth. */
  private testedMembers(fn: Fn, param: string): readonly string[] {
    const start = `v:${param} `;
    const tested = fn.facts.cfg.flatMap(({ op }) =>
      op.k === 'test' && op.rel === 'nz' && op.on.startsWith(start) ? [op.on.slice(start.length)] : [],
    );
    return this.isSet(fn, `v:${param}`) ? [] : [...new Set(tested)];
  }

  /**
   * Is the member of a struct that the function makes surely true at the node? So it is if it was set to a constant on every way there, and
   * nobody writes to such a member but functions that make such a struct themselves. Of structs that one directory knows.
   */
  private isTrueIn(fn: Fn, struct: Path, member: string, node: number): boolean {
    const { cfg, locals } = fn.facts;
    const type = locals.find(([name]) => `v:${name}` === struct)?.[1];
    const definitions = type === undefined ? [] : this.index.names.definitionsOf(type);
    if (type === undefined || definitions.length === 0) return false;
    if (definitions.some((file) => directoryGroup(file) !== fn.group)) return false;
    const path = `${struct} ${member}`;
    const sets = new Set<number>();
    for (const [at, { op }] of cfg.entries()) {
      if (op.k !== 'set' && op.k !== 'call') continue;
      if (setBy(op).includes(struct) || overwritten(op) === `&${struct}`) return false;
      if (op.to !== path) continue;
      if (op.k === 'call' || op.from !== TRUE) return false;
      sets.add(at);
    }
    if (sets.size === 0) return false;
    const seen = new Set([0]);
    for (const at of seen) if (!sets.has(at)) for (const to of cfg[at]!.next) seen.add(to);
    return !seen.has(node) && !this.isWrittenInto(type, member, fn.group);
  }

  /** Does a function of that part of the kernel write to the member of such a struct that it did not make, or over all of one? */
  private isWrittenInto(type: string, member: string, group: string): boolean {
    const key = `${type}.${member}`;
    let answer = this.written.get(key);
    if (answer === undefined) {
      const end = ` ${member}`;
      answer = this.index.functions.some((fn) => {
        if (fn.group !== group) return false;
        const isOwn = (struct: Path): boolean =>
          fn.facts.locals.some(([name, is]) => `v:${name}` === struct && is === type) &&
          !isSetIn(fn.facts, struct);
        const isOne = (struct: Path): boolean => ['', type].includes(this.index.types.typeOf(fn, struct));
        const params = new Set(fn.facts.params.flatMap(([name, is]) => (is === type ? [`v:${name}`] : [])));
        return fn.facts.cfg.some(({ op }) => {
          if (op.k !== 'set' && op.k !== 'call') return false;
          // `*req = other` as well, which looks like `req = other`.
          if (params.has(op.to) || params.has(overwritten(op))) return true;
          const struct = op.to.endsWith(end) ? op.to.slice(0, -end.length) : '';
          return struct !== '' && isOne(struct) && !isOwn(struct);
        });
      });
      this.written.set(key, answer);
    }
    return answer;
  }

  private mattersOf(fn: Fn): readonly number[] {
    let positions = this.positions.get(fn.id);
    if (!positions) {
      positions = [...fn.facts.params.keys()].filter((i) => this.matters(fn, i));
      this.positions.set(fn.id, positions);
    }
    return positions;
  }

  /** Is the parameter tested, by the function or by what it hands the parameter to? */
  private matters(fn: Fn, position: number, depth = 0): boolean {
    const ofFunction = this.mattering.get(fn.id) ?? [];
    this.mattering.set(fn.id, ofFunction);
    const known = ofFunction[position];
    if (known !== undefined) return known;
    const param = fn.facts.params[position]?.[0];
    if (param === undefined || depth > MAX_HANDED_ON) return false;
    ofFunction[position] = false;
    const path = `v:${param}`;
    const answer =
      (fn.facts.testsFlags && this.isTested(fn, path)) ||
      this.isCompared(fn, path, TRUTH.has(fn.facts.params[position]![1])) ||
      (fn.facts.calls.some(([, op]) => op.args.includes(path)) &&
        !this.isSet(fn, path) &&
        fn.facts.calls.some(
          ([, op]) =>
            op.fn !== '' &&
            op.args.some(
              (arg, i) =>
                arg === path &&
                this.index.names.lookup(op.fn, fn.file.file).some((to) => this.matters(to, i, depth + 1)),
            ),
        ));
    ofFunction[position] = answer;
    return answer;
  }

  /**
   * undefined where the callee tests no parameter so, or the argument is not known; with `named`, also where it has a constant of
   * which neither the callee's tests nor the values say what it is.
   */
  handed(from: Fn, to: Fn, args: readonly Path[], certainty: Certainty): HandedFlags | undefined {
    if (!to.facts.testsFlags) return undefined;
    for (const [i, arg] of args.entries()) {
      const param = to.facts.params[i]?.[0];
      if (param === undefined || !this.isTested(to, `v:${param}`)) continue;
      const values = this.valuesOf(from, arg);
      if (!values) continue;
      if (certainty === 'named') {
        const tested = this.tested(to, param);
        const all = [...values].flatMap((value) => (value === '' ? [] : value.split('|')));
        const isClear = (flag: string): boolean =>
          tested.has(flag) || [flag, ...tested].every((name) => this.value(to, name) !== undefined);
        if (!all.every(isClear)) continue;
      }
      return { param, values: [...values].sort() };
    }
    return undefined;
  }

  /** The function as it is when the parameter has that value: tests that the value decides are gone. */
  applied(fn: Fn, param: string, value: string, certainty: Certainty): FunctionFacts {
    const set = value === '' ? [] : value.split('|');
    const cfg = fn.facts.cfg.map((node): CfgNode => {
      if (node.op.k !== 'test' || node.next.length !== 2 || node.op.on !== `v:${param}`) return node;
      const holds = this.decide(fn, node.op, param, set, certainty);
      return holds === undefined ? node : { ...node, op: { k: 'nop' }, next: [node.next[holds ? 0 : 1]!] };
    });
    // Packed facts have their members on the prototype.
    return Object.create(fn.facts, { cfg: { value: cfg } }) as FunctionFacts;
  }

  private decide(
    fn: Fn,
    { flags, rel }: TestOp,
    param: string,
    set: readonly string[],
    certainty: Certainty,
  ): boolean | undefined {
    if (set.includes(TRUE)) return flags === undefined && rel === 'nz' ? true : undefined;
    const other = CONSTANT.exec(rel)?.[1];
    if (other !== undefined) {
      if (set.join() === other) return true;
      const [is, wanted] = [this.sum(fn, set), this.value(fn, other)];
      return is === undefined || wanted === undefined ? undefined : is === wanted;
    }
    if (flags === undefined) {
      const whole = rel === 'nz' ? (set.length === 0 ? 0n : this.sum(fn, set)) : undefined;
      return whole === undefined ? undefined : whole !== 0n;
    }
    if (flags.some((flag) => set.includes(flag))) return true;
    if (set.length === 0) return false;
    const is = this.sum(fn, set);
    const wanted = this.sum(fn, flags);
    if (is !== undefined && wanted !== undefined) return (is & wanted) !== 0n;
    if (certainty === 'known' || flags.some((flag) => SEVERAL.test(flag))) return undefined;
    if (certainty === 'guessed') return false;
    const tested = this.tested(fn, param);
    return set.every((flag) => tested.has(flag)) ? false : undefined;
  }

  private sum(fn: Fn, names: readonly string[]): bigint | undefined {
    return names
      .map((name) => this.value(fn, name))
      .reduce((a, b) => (a === undefined || b === undefined ? undefined : a | b), 0n);
  }

  private value(fn: Fn, name: string): bigint | undefined {
    return this.index.names.constant(name, fn.file.file);
  }

  private tested(fn: Fn, param: string): Set<string> {
    return new Set(
      fn.facts.cfg.flatMap(({ op }) => (op.k === 'test' && op.on === `v:${param}` ? (op.flags ?? []) : [])),
    );
  }

  private isTested(fn: Fn, path: Path): boolean {
    const { cfg } = fn.facts;
    return !this.isSet(fn, path) && cfg.some(({ op }) => op.k === 'test' && op.flags && op.on === path);
  }

  /** Is it compared with constants, or, with `forTruth`, tested for truth? */
  private isCompared(fn: Fn, path: Path, forTruth: boolean): boolean {
    const { cfg } = fn.facts;
    return (
      cfg.some(
        ({ op }) =>
          op.k === 'test' &&
          op.on === path &&
          !op.flags &&
          (op.rel === 'nz' ? forTruth : CONSTANT.test(op.rel)),
      ) && !this.isSet(fn, path)
    );
  }

  private isSet(fn: Fn, path: Path): boolean {
    return isSetIn(fn.facts, path) || fn.facts.calls.some(([, op]) => op.args.includes(`&${path}`));
  }

  private valuesOf(fn: Fn, path: Path, depth = 0): Set<string> | undefined {
    if (path === '#0') return new Set(['']);
    if (path === TRUE) return new Set([TRUE]);
    // `~v:A` without a `|` is computed from `A` and something else.
    const constant = /^(?:v:([A-Z][A-Z0-9_]*)|~v:([A-Z][A-Z0-9_]*\|[A-Z0-9_|]+))$/
      .exec(path)
      ?.slice(1)
      .find((c) => c !== undefined);
    if (constant !== undefined) {
      const isClear = (name: string): boolean => !SEVERAL.test(name) || this.value(fn, name) !== undefined;
      return constant.split('|').every(isClear) ? new Set([constant]) : undefined;
    }
    const name = /^v:(\w+)$/.exec(path)?.[1];
    if (name === undefined || depth > 3 || !fn.facts.locals.some(([local]) => local === name))
      return undefined;
    const out = new Set<string>();
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      if (op.k === 'call' && op.args.includes(`&${path}`)) return undefined;
      if ((op.k !== 'set' && op.k !== 'call') || op.to !== path) continue;
      const found = op.k === 'set' ? this.valuesOf(fn, op.from, depth + 1) : this.returned(fn, node, depth);
      if (!found) return undefined;
      for (const value of found) out.add(value);
      if (out.size > MAX_VALUES) return undefined;
    }
    // Numbers may count: a macro that runs through something sets its variable, and no node says so.
    const isOfFlags = !out.has(TRUE) && [...out].some((value) => value !== '');
    return isOfFlags ? out : undefined;
  }

  /** What the functions called at the node may return. */
  private returned(fn: Fn, node: number, depth: number): Set<string> | undefined {
    const { op } = fn.facts.cfg[node]!;
    const targets = op.k === 'call' && op.fn !== '' ? this.index.names.lookup(op.fn, fn.file.file) : [];
    const out = new Set<string>();
    for (const target of targets) {
      for (const { op: ret } of target.facts.cfg) {
        if (ret.k !== 'ret') continue;
        const found = this.valuesOf(target, ret.value, depth + 1);
        if (!found) return undefined;
        for (const value of found) out.add(value);
      }
    }
    return out.size > 0 ? out : undefined;
  }
}

/** What a call to `memset()` and the like writes over; '' for anything else. */
function overwritten(op: Op): Path {
  return op.k === 'call' && OVERWRITES.some(({ name }) => name === op.fn) ? (op.args[0] ?? '') : '';
}
