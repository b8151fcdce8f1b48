import { LOCK_BY_NAME } from '../kernel/locks.js';
import type { Path } from '../parse/facts.js';
import { parsePath } from '../parse/paths.js';
import type { Fn, Names } from './names.js';
import type { Types } from './types.js';

const LOCK_TYPES = /^(?:mutex|rw_semaphore|semaphore|percpu_rw_semaphore|rt_mutex|ww_mutex)$/;

/** Which lock class a path names. */
export class LockNames {
  private wrappers: ReadonlySet<string> | undefined;
  private owners: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  /** @param hasKernel false for a module alone: structs that are not there may have locks */
  constructor(
    private readonly names: Names,
    private readonly types: Types,
    private readonly hasKernel: boolean,
  ) {}

  /**
   * Lock class of a path: `struct.field`, the name of a global, `param:I fields…` for a lock that a caller hands
   * in, or '' where it can't be told.
   */
  lockClass(fn: Fn, path: Path, depth = 0): string {
    if (path === '' || depth > 6) return '';
    const element = /^(.*) \[(\w+)\]$/.exec(path);
    if (element) {
      const array = this.lockClass(fn, element[1]!, depth + 1);
      return array === '' ? '' : this.elementClass(fn, array, `v:${element[2]}`);
    }
    const p = parsePath(path);
    if (p.fields.length > 0) {
      const field = p.fields.at(-1)!;
      const base = path.replace(/^&/, '');
      const owner = base.slice(0, base.lastIndexOf(' '));
      const type = this.types.typeOf(fn, owner);
      if (type !== '') {
        const held = this.lockWrappers().has(type) ? this.lockClass(fn, owner, depth + 1) : '';
        if (held === '') return `${type}.${field}`;
        return /^param:\d+$/.test(held) ? `${held} ${field}` : held;
      }
      const param = p.root === 'v' ? fn.facts.params.findIndex(([name]) => name === p.name) : -1;
      if (param >= 0 && fn.facts.isMacro) return `param:${param} ${p.fields.join(' ')}`;
      // Without the kernel its structs are not known to have no such lock.
      const owners = this.hasKernel ? this.ownersOfLocks().get(field) : undefined;
      return owners?.size === 1 ? `${[...owners][0]}.${field}` : '';
    }
    if (p.root === 'v') {
      const param = fn.facts.params.findIndex(([name]) => name === p.name);
      if (param >= 0) return `param:${param}`;
      if (this.types.isLocal(fn, p.name)) {
        const source = this.types.onlySource(fn, p.name);
        return source === '' ? '' : this.lockClass(fn, source, depth + 1);
      }
      // `x##_mutex` of a macro, with blanks in the place of the operator: a name that the argument begins.
      const pasted = fn.facts.isMacro
        ? fn.facts.params.findIndex(([name]) => name !== '' && p.name.startsWith(`${name}__`))
        : -1;
      if (pasted >= 0) return `param:${pasted} ##${p.name.slice(fn.facts.params[pasted]![0].length + 2)}`;
      // What has an address and is no variable of the function is a global, of a header that was not read perhaps.
      const isGlobal = path[0] === '&' && !fn.facts.isMacro;
      return isGlobal || this.names.isGlobal(p.name) || this.definesLock(fn, p.name) ? p.name : '';
    }
    if (p.root === 'c') {
      for (const target of this.names.lookup(p.name, fn.file.file)) {
        const value = target.facts.isMacro ? target.facts.value : this.types.returned(target);
        if (value === '') continue;
        if (value.startsWith('c:') && depth > 3) continue;
        const put = this.types.substitute(target, value, p.args);
        const cls = this.lockClass(put.inCaller ? fn : target, put.path, depth + 1);
        if (cls !== '') return cls;
      }
    }
    return '';
  }

  /** `static DEFINE_MUTEX(name);` in a body. */
  private definesLock(fn: Fn, name: string): boolean {
    return fn.facts.calls.some(
      ([, op]) => /^DEFINE_(?:MUTEX|RWSEM|SEMAPHORE)$/.test(op.fn) && op.args[0] === `v:${name}`,
    );
  }

  /**
   * Structs that stand for the one lock in them (xfs's mrlock_t, f2fs_rwsem): small, and taken or dropped only by
   * functions that got the struct itself as an argument and do just one of the two. Their locks are named by what they are a member of.
   */
  private lockWrappers(): ReadonlySet<string> {
    if (this.wrappers) return this.wrappers;
    const found = new Set<string>();
    const members = new Set<string>();
    for (const definitions of this.names.structs.values())
      for (const { fields } of definitions) for (const type of fields.values()) members.add(type);
    for (const [tag, definitions] of this.names.structs) {
      if (!members.has(tag)) continue;
      const isSmall = definitions.every(({ fields }) => {
        const types = [...fields.values()];
        return types.length <= 3 && types.filter((type) => LOCK_TYPES.test(type)).length === 1;
      });
      if (isSmall && !LOCK_TYPES.test(tag)) found.add(tag);
    }
    const used = new Set<string>();
    this.wrappers = new Set();
    for (const fn of this.names.functions) {
      if (!fn.facts.locks) continue;
      const seen = new Map<string, string>();
      for (const [, op] of fn.facts.calls) {
        const primitive = LOCK_BY_NAME.get(op.fn);
        const path = (primitive && op.args[primitive.arg]?.replace(/^&/, '')) ?? '';
        const cut = path.lastIndexOf(' ');
        if (!primitive || cut < 0) continue;
        const type = this.types.typeOf(fn, path.slice(0, cut));
        if (!found.has(type)) continue;
        const act = primitive.action === 'release' ? 'release' : 'acquire';
        const both = (seen.get(type) ?? act) !== act;
        seen.set(type, act);
        if (!both && fn.facts.params.some(([name]) => path.slice(0, cut) === `v:${name}`)) used.add(type);
        else found.delete(type);
      }
    }
    this.wrappers = new Set([...found].filter((tag) => used.has(tag)));
    return this.wrappers;
  }

  /** One of several locks in an array: a class for each constant index, `param:I #array` where the caller gives it. */
  elementClass(fn: Fn, array: string, at: Path): string {
    const name = /^v:(\w+)$/.exec(at)?.[1] ?? '';
    const param = fn.facts.params.findIndex(([p]) => p === name);
    if (param >= 0) return `param:${param} #${array}`;
    return /^[A-Z][A-Z0-9_]*$/.test(name) ? `${array}[${name}]` : array;
  }

  /** By name of a member that is a lock: structs with one. */
  private ownersOfLocks(): ReadonlyMap<string, ReadonlySet<string>> {
    if (this.owners) return this.owners;
    const found = new Map<string, Set<string>>();
    for (const [tag, definitions] of this.names.structs) {
      for (const [field, type] of definitions.flatMap(({ fields }) => [...fields]))
        if (LOCK_TYPES.test(type)) found.set(field, (found.get(field) ?? new Set()).add(tag));
    }
    this.owners = found;
    return found;
  }
}
