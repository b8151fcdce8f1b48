import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { Op, Path } from '../parse/facts.js';
import { parsePath } from '../parse/paths.js';
import { objectOf } from './states.js';

/** A test of the object, a node that counts another user of it, or, with its `variable`, one that reads it and is followed by no test. */
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

const CURRENT = 'v:current ';

export class TaskHeld {
  /** `group field` → functions that store something other than null there. */
  private readonly stores = new Map<string, Fn[]>();
  /** Ids of those functions. */
  private readonly storing = new Set<number>();
  /** `group field` where something other than an object is stored, too. */
  private readonly marked = new Set<string>();
  private readonly cache = new Map<number, Found[]>();
  /** Ids of functions that read a member of `current`, or call what returns one. */
  private readonly reading = new Set<number>();

  constructor(private readonly index: Index) {
    for (const fn of index.functions) {
      if (!fn.facts.setsCurrent) continue;
      for (const { op } of fn.facts.cfg) {
        const to = op.k === 'set' || op.k === 'call' ? op.to : '';
        if (!to.startsWith(CURRENT) || (op.k === 'set' && op.from === '#0')) continue;
        const field = to.slice(CURRENT.length);
        const key = `${fn.group} ${field}`;
        if (op.k === 'set' && this.isMark(fn, op.from)) {
          this.marked.add(key);
          continue;
        }
        if (op.k === 'set' && this.isPutBack(fn, op.from, field)) continue;
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
          .filter(
            (fn) => this.fieldOf(fn, fn.facts.isMacro ? fn.facts.value : index.types.returned(fn)) !== '',
          )
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
      if (this.marked.has(`${fn.group} ${field}`) && !isUsed(fn, objectOf(fn.facts.cfg[node]!.op))) continue;
      const stores = this.storesFor(fn.group, field).filter((f) => !isLeftOut(f));
      if (stores.length > 0 && stores.every(leavesOpen)) open.add(node);
    }
    return open.size > 0 ? open : undefined;
  }

  /** Ids of the functions that put objects into the task and look whether there is one already. */
  get finding(): number[] {
    return [...this.storing].filter((id) => this.reading.has(id));
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
      if (owner === group || (owner.startsWith('fs/') && this.index.names.isLibrary(owner))) out.push(...fns);
    }
    return out;
  }

  /** A constant in the place of an object: `current->F = STUB`. */
  private isMark(fn: Fn, from: Path): boolean {
    const p = parsePath(from);
    return (
      from === '#pos' || (p.root === 'v' && p.fields.length === 0 && !this.index.types.isVariable(fn, p.name))
    );
  }

  /** Does the member hold what was in the task before, or null, and nothing else? */
  isPutBack(fn: Fn, member: Path, field: string): boolean {
    const name = member.slice(member.lastIndexOf(' ') + 1);
    const owner = this.ownerOf(fn, member);
    if (owner === '') return false;
    let isKept = false;
    for (const other of this.index.functions) {
      if (other.group !== fn.group) continue;
      for (const { op } of other.facts.cfg) {
        const to = op.k === 'set' || op.k === 'call' ? op.to : '';
        if (!to.endsWith(` ${name}`) || this.ownerOf(other, to) !== owner) continue;
        if (op.k !== 'set' || !this.isFromTask(other, op.from, field)) return false;
        isKept = true;
      }
    }
    return isKept;
  }

  private ownerOf(fn: Fn, member: Path): string {
    const end = member.lastIndexOf(' ');
    return end < 0 ? '' : this.index.types.typeOf(fn, member.slice(0, end));
  }

  /** Is it null or what the task has in the field, at once or by way of a variable? */
  private isFromTask(fn: Fn, from: Path, field: string): boolean {
    const isTask = (path: Path): boolean => path === '#0' || path === `${CURRENT}${field}`;
    if (isTask(from)) return true;
    const sets = fn.facts.cfg.flatMap(({ op }) =>
      (op.k === 'set' || op.k === 'call') && op.to === from ? [op] : [],
    );
    return (
      this.index.types.isLocal(fn, from.slice(2)) &&
      sets.length > 0 &&
      sets.every((op) => op.k === 'set' && isTask(op.from))
    );
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
      for (const test of tests) out.push({ field, node: ownTest(fn, test) });
      if (tests.length > 0)
        for (const [at, { op: count }] of fn.facts.cfg.entries())
          if (count.k === 'set' && count.adds?.[0] === '++' && this.isNesting(fn, variable, count.to))
            out.push({ field, node: at });
      if (tests.length > 0) continue;
      if (isTested(fn, node, source)) out.push({ field, node });
      else if (isSetOnce(fn, variable)) out.push({ field, node, variable });
    }
    return out;
  }

  /** `F` where the path is the value of `current->F`, read here or by a function that returns it; else ''. */
  private fieldOf(fn: Fn, path: Path, depth = 0): string {
    const p = parsePath(path);
    if (p.root === 'v') return p.name === 'current' && p.fields.length === 1 ? p.fields[0]! : '';
    if (p.root !== 'c' || p.fields.length > 0 || depth > MAX_READ_DEPTH) return '';
    for (const target of this.index.names.lookup(p.name, fn.file.file)) {
      const value = target.facts.isMacro ? target.facts.value : this.index.types.returned(target);
      const field = value === '' ? '' : this.fieldOf(target, value, depth + 1);
      if (field !== '') return field;
    }
    return '';
  }

  /**
   * Does the member of the object say how often it is open: counted up by who puts such objects into the task and finds one there,
   * counted down by others, and by nobody else?
   */
  private isNesting(fn: Fn, object: Path, member: Path): boolean {
    if (!member.startsWith(`${object} `)) return false;
    const type = this.index.types.typeOf(fn, object);
    const name = member.slice(object.length);
    if (type === '' || name.includes(' ', 1)) return false;
    let isCountedDown = false;
    for (const other of this.index.functions) {
      if (other.group !== fn.group) continue;
      for (const { op } of other.facts.cfg) {
        const how = op.k === 'set' ? op.adds?.[0] : undefined;
        if (op.k !== 'set' || (how !== '++' && how !== '--')) continue;
        if (!op.to.endsWith(name) || this.ownerOf(other, op.to) !== type) continue;
        if (how === '++' && !this.storesObject(other)) return false;
        isCountedDown ||= how === '--';
      }
    }
    return isCountedDown;
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

/** The test that tells it is an object of the code's own: of null, or, if that is the next thing, what one of its members is. */
function ownTest(fn: Fn, test: number): number {
  const { cfg } = fn.facts;
  const { op, next } = cfg[test]!;
  const then = cfg[next[0]!]!;
  const isOwn =
    op.k === 'test' &&
    then.op.k === 'test' &&
    then.op.rel.startsWith('== ') &&
    then.op.on.startsWith(`${op.on} `) &&
    then.next[0] !== then.next[1];
  return isOwn ? next[0]! : test;
}

function isSetOnce(fn: Fn, variable: Path): boolean {
  return (
    fn.facts.cfg.filter(({ op }) => (op.k === 'set' || op.k === 'call') && op.to === variable).length === 1
  );
}

/** Has the path been tested for non-null on every way to the node? */
function isTested(fn: Fn, node: number, path: Path): boolean {
  const { cfg } = fn.facts;
  const seen = new Set([0]);
  for (const at of seen) {
    const { op, next } = cfg[at]!;
    const isTest = op.k === 'test' && op.on === path && op.rel === 'nz';
    for (const to of isTest ? next.slice(1) : next) if (to >= 0) seen.add(to);
  }
  return !seen.has(node);
}

/** Does the function use a member of the object? */
function isUsed(fn: Fn, object: Path): boolean {
  return fn.facts.cfg.some(({ op }) => usesMember(op, object));
}

/** Does the operation use a member of the object? */
export function usesMember(op: Op, object: Path): boolean {
  const isMember = (path: Path): boolean => path.replace(/^&/, '').startsWith(`${object} `);
  switch (op.k) {
    case 'set':
      return isMember(op.to) || isMember(op.from);
    case 'call':
      return [op.to, ...op.args].some(isMember);
    case 'test':
      return isMember(op.on);
    default:
      return false;
  }
}
