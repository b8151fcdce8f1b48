import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { KEPT_MASKS } from '../kernel/allocators.js';
import type { Path } from '../parse/facts.js';

/** Calls and assignments through which a root is followed back. */
const MAX_DEPTH = 6;

/** A call that allocates with the mask that a root keeps. */
export interface KeptUse {
  readonly fn: Fn;
  readonly nodes: readonly number[];
}

const INITS = new Map(KEPT_MASKS.map((k) => [k.init, k.root]));
const ALLOCATES = new Set(KEPT_MASKS.flatMap((k) => k.allocates));

/**
 * Who allocates with a mask that is kept in the root of a tree: the calls whose root is, or may be, the same member of the
 * same struct. A root that can't be told may be any of those of its own part of the kernel.
 */
export class KeptMasks {
  private embedded: Set<string> | undefined;
  private uses: { readonly use: KeptUse; readonly roots: ReadonlySet<string> | undefined }[] | undefined;

  constructor(private readonly index: Index) {}

  /** Where the root that is made at the call is used; `undefined` where it can't be told which one that is. */
  usesOf(fn: Fn, root: Path): readonly KeptUse[] | undefined {
    const made = this.roots(fn, root, 0);
    if (made?.size !== 1) return undefined;
    const [one] = made;
    return this.all()
      .filter(({ use, roots }) =>
        roots ? roots.has(one!) : use.fn.group === fn.group || this.index.names.isLibrary(use.fn.group),
      )
      .map(({ use }) => use);
  }

  private all(): NonNullable<KeptMasks['uses']> {
    if (this.uses) return this.uses;
    this.uses = [];
    for (const fn of this.index.functions) {
      for (const [node, op] of fn.facts.calls) {
        if (!ALLOCATES.has(op.fn)) continue;
        this.uses.push({ use: { fn, nodes: [node] }, roots: this.roots(fn, op.args[0] ?? '', 0) });
      }
    }
    return this.uses;
  }

  /** `struct.member`, or the file and name of a global, for each root that the path may be; undefined if one is not known. */
  private roots(fn: Fn, path: Path, depth: number): Set<string> | undefined {
    if (path === '#0') return new Set();
    if (depth > MAX_DEPTH) return undefined;
    const { index } = this;
    const cut = path.lastIndexOf(' ');
    if (cut >= 0) {
      const member = this.memberOf(fn, path);
      // A member that nobody makes a root may point to any.
      return this.members().has(member) ? new Set([member]) : undefined;
    }
    if (path[0] === '&') {
      const global = path.slice(3);
      return index.types.isLocal(fn, global) ? undefined : new Set([`${fn.file.file} ${global}`]);
    }
    const name = /^v:(\w+)$/.exec(path)?.[1];
    if (name === undefined || !index.types.isLocal(fn, name)) return undefined;
    const found: (Set<string> | undefined)[] = [];
    for (const { op } of fn.facts.cfg) {
      if (op.k === 'call' && op.args.includes(`&${path}`)) return undefined;
      if (op.k === 'set' && op.to === path) found.push(this.roots(fn, op.from, depth + 1));
      else if (op.k === 'call' && op.to === path) found.push(this.returned(fn, op.fn, depth));
    }
    const at = fn.facts.params.findIndex(([param]) => param === name);
    if (at >= 0) {
      for (const edge of index.callers[fn.id]!) {
        const from = index.functions[edge.from]!;
        const { op } = from.facts.cfg[edge.node]!;
        found.push(
          edge.how === 'call' && op.k === 'call' ? this.roots(from, op.args[at] ?? '', depth + 1) : undefined,
        );
      }
    }
    return union(found);
  }

  /** `struct.member`, or '' where that is not known. */
  private memberOf(fn: Fn, path: Path): string {
    const cut = path.lastIndexOf(' ');
    const owner = this.index.types.typeOf(fn, path.slice(0, cut).replace(/^&/, ''));
    const member = path.slice(cut + 1);
    return owner === '' || member[0] === '[' ? '' : `${owner}.${member}`;
  }

  /** The members that are roots: those that are handed to what makes one. */
  private members(): ReadonlySet<string> {
    if (this.embedded) return this.embedded;
    this.embedded = new Set();
    for (const fn of this.index.functions) {
      for (const [, op] of fn.facts.calls) {
        const root = INITS.get(op.fn);
        const path = root === undefined ? '' : (op.args[root] ?? '');
        if (path.includes(' ')) this.embedded.add(this.memberOf(fn, path));
      }
    }
    return this.embedded;
  }

  private returned(fn: Fn, callee: string, depth: number): Set<string> | undefined {
    const targets = callee === '' ? [] : this.index.names.lookup(callee, fn.file.file);
    return union(
      targets.flatMap((target) =>
        target.facts.isMacro
          ? [undefined]
          : target.facts.cfg.flatMap(({ op }) =>
              op.k === 'ret' ? [this.roots(target, op.value, depth + 1)] : [],
            ),
      ),
    );
  }
}

/** All of them; undefined where there is none, or one that is not known. */
function union(sets: readonly (Set<string> | undefined)[]): Set<string> | undefined {
  const out = new Set<string>();
  for (const set of sets) {
    if (!set) return undefined;
    for (const one of set) out.add(one);
  }
  return sets.length > 0 ? out : undefined;
}
