import type { Fn, Index } from '../index/link.js';
import type { CfgNode, FunctionFacts, Path, TestOp } from '../parse/facts.js';

/** Constants that stand for several flags: which ones their name does not say. */
const SEVERAL = /MASK|ALL|ANY|FLAGS/;

/** Values of a variable that are followed. */
const MAX_VALUES = 8;

/** What a call hands to a parameter that the callee tests as a set of flags (`xfs_ilock(ip, XFS_ILOCK_EXCL)`). */
export interface HandedFlags {
  readonly param: string;
  /** The possible values: names of constants with `|` between them, `''` for none. */
  readonly values: readonly string[];
}

/** The constants that arguments and variables may be, where they are tested as flags. */
export class Flags {
  constructor(private readonly index: Index) {}

  /**
   * undefined where the callee tests no parameter so, or the argument is not known. A constant that the callee does not
   * name may stand for several others: with `strict` it is not known either.
   */
  handed(from: Fn, to: Fn, args: readonly Path[], strict: boolean): HandedFlags | undefined {
    if (!to.facts.testsFlags) return undefined;
    for (const [i, arg] of args.entries()) {
      const param = to.facts.params[i]?.[0];
      if (param === undefined || !this.isTested(to, `v:${param}`)) continue;
      const values = this.valuesOf(from, arg);
      if (!values) continue;
      const named = new Set(
        to.facts.cfg.flatMap(({ op }) => (op.k === 'test' && op.on === `v:${param}` ? (op.flags ?? []) : [])),
      );
      const all = [...values].flatMap((value) => (value === '' ? [] : value.split('|')));
      if (strict && !all.every((flag) => named.has(flag))) continue;
      return { param, values: [...values].sort() };
    }
    return undefined;
  }

  private isTested(fn: Fn, path: Path): boolean {
    const { cfg } = fn.facts;
    if (cfg.some(({ op }) => (op.k === 'set' || op.k === 'call') && op.to === path)) return false;
    return cfg.some(({ op }) => op.k === 'test' && op.flags && op.on === path);
  }

  private valuesOf(fn: Fn, path: Path, depth = 0): Set<string> | undefined {
    if (path === '#0') return new Set(['']);
    // `~v:A` without a `|` is computed from `A` and something else.
    const constant = /^(?:v:([A-Z][A-Z0-9_]*)|~v:([A-Z][A-Z0-9_]*\|[A-Z0-9_|]+))$/
      .exec(path)
      ?.slice(1)
      .find((c) => c !== undefined);
    if (constant !== undefined) return SEVERAL.test(constant) ? undefined : new Set([constant]);
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
    return out.size > 0 ? out : undefined;
  }

  /** What the functions called at the node may return. */
  private returned(fn: Fn, node: number, depth: number): Set<string> | undefined {
    const { op } = fn.facts.cfg[node]!;
    const targets = op.k === 'call' && op.fn !== '' ? this.index.lookup(op.fn, fn.file.file) : [];
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

/** The function as it is when the parameter has that value: tests that the value decides are gone. */
export function withFlag(facts: FunctionFacts, param: string, value: string): FunctionFacts {
  const set = value.split('|');
  const decide = (op: TestOp): number | undefined => {
    if (op.on !== `v:${param}` || op.flags === undefined || op.flags.some((f) => SEVERAL.test(f)))
      return undefined;
    return op.flags.some((flag) => set.includes(flag)) ? 0 : 1;
  };
  const cfg = facts.cfg.map((node): CfgNode => {
    const side = node.op.k === 'test' && node.next.length === 2 ? decide(node.op) : undefined;
    return side === undefined ? node : { ...node, op: { k: 'nop' }, next: [node.next[side]!] };
  });
  // Packed facts have their members on the prototype.
  return Object.create(facts, { cfg: { value: cfg } }) as FunctionFacts;
}
