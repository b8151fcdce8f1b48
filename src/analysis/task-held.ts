import type { Fn, Index } from '../index/link.js';
import { parsePath } from '../index/link.js';
import type { Path } from '../parse/facts.js';

/** A test of the object, or, with its `variable`, a node that reads it and is followed by no test. */
interface Found {
  readonly field: string;
  readonly node: number;
  readonly variable?: Path;
}

/**
 * Objects that a task keeps in its `task_struct` while they are open (`current->journal_info`): a start function that finds
 * one there hands it out again, and the scope that was opened with it is still open. So where `current->F` is not null,
 * a scope is open, provided that all code that sets `current->F` leaves a scope open.
 */
const MAX_READ_DEPTH = 3;

export class TaskHeld {
  /** `group field` → functions that store something other than null there. */
  private readonly stores = new Map<string, Fn[]>();
  private readonly storing = new Set<number>();
  private readonly cache = new Map<number, Found[]>();
  /** Ids of functions that read a member of `current`, or call what returns one. */
  private readonly reading = new Set<number>();

  constructor(private readonly index: Index) {
    for (const fn of index.functions) {
      if (!fn.facts.setsCurrent) continue;
      for (const { op } of fn.facts.cfg) {
        const to = op.k === 'set' || op.k === 'call' ? op.to : '';
        if (!to.startsWith('v:current ') || (op.k === 'set' && op.from === '#0')) continue;
        const field = to.slice('v:current '.length);
        const key = `${fn.group} ${field}`;
        this.storing.add(fn.id);
        const list = this.stores.get(key);
        if (!list) this.stores.set(key, [fn]);
        else if (!list.includes(fn)) list.push(fn);
      }
    }
    let returning = index.functions.filter((fn) => fn.facts.readsCurrent);
    for (let depth = 0; depth <= MAX_READ_DEPTH && returning.length > 0; depth++) {
      for (const { id } of returning) this.reading.add(id);
      const callers = new Set(
        returning
          .filter((fn) => this.fieldOf(fn, fn.facts.isMacro ? fn.facts.value : index.returned(fn)) !== '')
          .flatMap(({ id }) =>
            index.callers[id]!.flatMap((edge) => (edge.how === 'call' ? [edge.from] : [])),
          ),
      );
      returning = [...callers].filter((id) => !this.reading.has(id)).map((id) => index.functions[id]!);
    }
  }

  /**
   * Tests of the function on whose true side such an object is known to be there, and nodes that read one which is then closed
   * without a test. `leavesOpen` says of a function that
   * stores it whether it leaves the scope in question open, `isLeftOut` which of them do not count, `closes` of a call whether
   * it closes scopes.
   */
  tests(
    fn: Fn,
    leavesOpen: (fn: Fn) => boolean,
    isLeftOut: (fn: Fn) => boolean,
    closes: (fn: Fn, node: number) => boolean,
  ): ReadonlySet<number> | undefined {
    let mine = this.cache.get(fn.id);
    if (!mine) {
      mine = this.reading.has(fn.id) ? this.find(fn) : [];
      this.cache.set(fn.id, mine);
    }
    if (mine.length === 0) return undefined;
    const open = new Set<number>();
    for (const { field, node, variable } of mine) {
      if (variable !== undefined && !this.isClosed(fn, variable, closes)) continue;
      const stores = this.storesFor(fn.group, field).filter((f) => !isLeftOut(f));
      if (stores.length > 0 && stores.every(leavesOpen)) open.add(node);
    }
    return open.size > 0 ? open : undefined;
  }

  /** Functions that may have put the object there which a test finds. */
  storesFound(fn: Fn, test: number): readonly Fn[] {
    const found = this.cache.get(fn.id)?.find(({ node }) => node === test);
    return found ? this.storesFor(fn.group, found.field) : [];
  }

  /** Does the function put an object into `current->F` that it is handed or makes? */
  storesObject(fn: Fn): boolean {
    return this.storing.has(fn.id);
  }

  /** Stores by the part of the kernel that `group` runs with: its own and the libraries'. */
  private storesFor(group: string, field: string): Fn[] {
    const out: Fn[] = [];
    for (const [key, fns] of this.stores) {
      const [owner, name] = key.split(' ');
      if (name !== field || owner === undefined) continue;
      if (owner === group || (owner.startsWith('fs/') && this.index.isLibrary(owner))) out.push(...fns);
    }
    return out;
  }

  /** Is the variable handed to a call that closes a scope? */
  private isClosed(fn: Fn, variable: Path, closes: (fn: Fn, node: number) => boolean): boolean {
    return fn.facts.calls.some(([node, op]) => op.args.includes(variable) && closes(fn, node));
  }

  private find(fn: Fn): Found[] {
    const out: Found[] = [];
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      let variable: Path = '';
      let source: Path = '';
      if (op.k === 'call' && op.to !== '') {
        variable = op.to;
        source = `c:${op.fn}(${op.args.join(';')})`;
      } else if (op.k === 'set') {
        variable = op.to;
        source = op.from;
      } else if (op.k === 'call') {
        variable = `@${node}`;
        source = `c:${op.fn}(${op.args.join(';')})`;
      }
      if (variable === '' || variable.includes(' ') || !/^[vc]:/.test(source)) continue;
      const field = this.fieldOf(fn, source);
      if (field === '') continue;
      const tests = this.testsAfter(fn, node, variable);
      for (const test of tests) out.push({ field, node: test });
      if (tests.length === 0 && isSetOnce(fn, variable)) out.push({ field, node, variable });
    }
    return out;
  }

  /** `F` where the path is the value of `current->F`, read here or by a function that returns it; else ''. */
  private fieldOf(fn: Fn, path: Path, depth = 0): string {
    const p = parsePath(path);
    if (p.root === 'v') return p.name === 'current' && p.fields.length === 1 ? p.fields[0]! : '';
    if (p.root !== 'c' || p.fields.length > 0 || depth > MAX_READ_DEPTH) return '';
    for (const target of this.index.lookup(p.name, fn.file.file)) {
      const value = target.facts.isMacro ? target.facts.value : this.index.returned(target);
      const field = value === '' ? '' : this.fieldOf(target, value, depth + 1);
      if (field !== '') return field;
    }
    return '';
  }

  /** Tests for non-null that the variable reaches without being assigned again. */
  private testsAfter(fn: Fn, from: number, variable: Path): number[] {
    const { cfg } = fn.facts;
    const out: number[] = [];
    const seen = new Set(cfg[from]!.next);
    for (const node of seen) {
      const { op, next } = cfg[node]!;
      if (op.k === 'test' && op.on === variable && op.rel === 'nz') out.push(node);
      if ((op.k === 'set' || op.k === 'call') && op.to === variable) continue;
      for (const to of next) if (to >= 0) seen.add(to);
    }
    return out;
  }
}

function isSetOnce(fn: Fn, variable: Path): boolean {
  return (
    fn.facts.cfg.filter(({ op }) => (op.k === 'set' || op.k === 'call') && op.to === variable).length === 1
  );
}
