import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { ReclaimEntry } from '../kernel/types.js';
import type { Op, Path } from '../parse/facts.js';
import { parsePath } from '../parse/paths.js';
import { isSetIn, setBy } from './sets.js';

/** Members that get an inode to which nobody has a reference (`evict()`, `destroy_inode()`, fs/inode.c). */
const INODE_GOES: ReadonlySet<string> = new Set([
  'super_operations.evict_inode',
  'super_operations.destroy_inode',
  'super_operations.free_inode',
]);

/**
 * Members that get an inode, or its mapping, whose last user is the one that just put it (`iput()` and `iput_final()`,
 * fs/inode.c) where reclaim is what calls them. Others call them as well.
 */
const INODE_PUT: ReadonlySet<string> = new Set([
  'super_operations.dirty_inode',
  'super_operations.write_inode',
  'address_space_operations.writepages',
]);

/** Primitives that put a member of an object on a list. */
const ADDS_TO_LIST = /^(?:__)?(?:h|l)?list_(?:bl_)?(?:nulls_)?(?:add|move|lru_add)/;

const CONTAINER_OF = /^container_of(?:_const)?$/;

/** Macros that give an object of a list; the last argument names the member that is in the list. */
const FROM_LIST = /^(?:h|l)?list_(?:first_|for_each_)?entry/;

/**
 * Which variable is the inode that reclaim gets rid of, from the entry down: it is handed on as an argument, turned into what
 * embeds it, or put on a list from which a worker takes it.
 */
export class Going {
  private readonly lists = new Map<string, boolean>();
  /** `t:struct.v:member` of what container_of() is asked for. */
  private readonly embedded = new Set<string>();
  private readonly only = new Map<string, boolean>();
  private readonly addedAt = new Map<string, { fn: Fn; path: Path }[]>();

  constructor(private readonly index: Index) {}

  /** The parameter that is such an inode, where the entry gets one. */
  entry({ table, field }: ReclaimEntry, fn: Fn): string | undefined {
    const member = `${table}.${field}`;
    return INODE_GOES.has(member) || INODE_PUT.has(member) ? fn.facts.params[0]?.[0] : undefined;
  }

  /** The parameter of the callee that is handed the inode. */
  handedOn(from: Fn, edge: Edge, going: string | undefined): string | undefined {
    if (going === undefined || edge.how === 'callback') return undefined;
    const { op } = from.facts.cfg[edge.node]!;
    if (op.k !== 'call') return undefined;
    const at = op.args.findIndex((arg) => this.isIt(from, arg, going));
    return at < 0 ? undefined : this.index.functions[edge.to]!.facts.params[at]?.[0];
  }

  /** Is the lock that is taken at the node a member of the inode, or of what embeds it? */
  lock(fn: Fn, node: number, lock: string, going: string | undefined): boolean {
    const { op } = fn.facts.cfg[node]!;
    if (going === undefined || op.k !== 'call' || !this.isOne(lock.slice(0, Math.max(0, lock.indexOf('.')))))
      return false;
    return op.args.some((arg) => {
      const path = arg.replace(/^&/, '');
      const cut = path.lastIndexOf(' ');
      return (
        cut > 0 &&
        path.slice(cut + 1) === lock.slice(lock.indexOf('.') + 1) &&
        this.isIt(fn, path.slice(0, cut), going)
      );
    });
  }

  /** The variable of a worker that takes its inodes from a list on which only going ones are put. */
  fromList(fn: Fn): string | undefined {
    const from = fn.facts.cfg.flatMap(({ op }) => setBy(op).map((to) => ({ to, member: memberOfList(op) })));
    return from
      .find(({ to, member }) => {
        if (member === '' || !/^v:\w+$/.test(to)) return false;
        const type = this.index.types.typeOf(fn, to);
        const isOnlyFrom = from.every((other) => other.to !== to || other.member === member);
        return isOnlyFrom && this.isOne(type) && this.onlyGoingOn(type, member);
      })
      ?.to.slice(2);
  }

  /** An inode, or what embeds one. A type says nothing of embedded or pointed to; the name does. */
  private isOne(struct: string): boolean {
    return (
      struct === 'inode' ||
      struct === 'address_space' ||
      (/_inode(?:_info)?$/.test(struct) && this.index.names.hasMember(struct, 'inode'))
    );
  }

  /** Is the member a part of the object, or the inode's own mapping, and no pointer to another one? */
  private embeds(struct: string, member: string): boolean {
    if (struct === 'inode') return member === 'i_mapping' || member === 'i_data';
    if (this.embedded.size === 0) {
      for (const fn of this.index.functions) {
        for (const [, op] of fn.facts.calls) {
          if (CONTAINER_OF.test(op.fn)) this.embedded.add(`${op.args[1] ?? ''}.${op.args[2] ?? ''}`);
        }
      }
    }
    return this.embedded.has(`t:${struct}.v:${member}`);
  }

  /** Does the path lead to the inode and nowhere else? */
  private isIt(fn: Fn, path: Path, going: string, depth = 0): boolean {
    const p = parsePath(path.replace(/^&/, ''));
    const { index } = this;
    if (depth > 4) return false;
    // Every step must stay in what embeds the inode.
    let prefix = path.replace(/^&/, '');
    for (let i = p.fields.length; i > 0; i--) {
      if (!this.isOne(index.types.typeOf(fn, prefix))) return false;
      prefix = prefix.slice(0, prefix.lastIndexOf(' '));
      if (!this.embeds(index.types.typeOf(fn, prefix), p.fields[i - 1]!)) return false;
    }
    if (p.root === 'c') {
      const one = p.args.find((arg) => this.isIt(fn, arg, going, depth + 1));
      return (
        p.args.length === 1 &&
        one !== undefined &&
        this.isOne(index.types.typeOf(fn, prefix)) &&
        this.converts(fn, p.name)
      );
    }
    if (p.root !== 'v') return false;
    if (p.name === going) return !this.isAssigned(fn, going);
    const source = index.types.onlySource(fn, p.name);
    return (
      source !== '' &&
      !fn.facts.params.some(([name]) => name === p.name) &&
      this.isIt(fn, source, going, depth + 1)
    );
  }

  /** A parameter that is given another value is no longer the one handed in. */
  private isAssigned(fn: Fn, name: string): boolean {
    return fn.facts.params.some(([param]) => param === name) && isSetIn(fn.facts, `v:${name}`);
  }

  /** `XFS_I(inode)`, `BTRFS_I(inode)`: from the inode to what embeds it, or back. */
  private converts(fn: Fn, name: string): boolean {
    return this.index.names.lookup(name, fn.file.file).every((to) => {
      const { params, calls } = to.facts;
      return params.length === 1 && calls.every(([, op]) => CONTAINER_OF.test(op.fn));
    });
  }

  /** Do all who put objects on lists by that member put going inodes there? */
  private onlyGoingOn(struct: string, member: string): boolean {
    const key = `${struct}.${member}`;
    let answer = this.lists.get(key);
    if (answer === undefined) {
      const places = this.placesOf(member).filter(({ fn, path }) =>
        ['', struct].includes(this.index.types.typeOf(fn, path.slice(0, path.lastIndexOf(' ')))),
      );
      answer =
        places.length > 0 &&
        places.every(({ fn, path }) => {
          const root = parsePath(path).name;
          return fn.facts.params.some(
            ([name], i) =>
              (name === root || this.isIt(fn, path.slice(0, path.lastIndexOf(' ')), name)) &&
              this.alwaysGoing(fn, i),
          );
        });
      this.lists.set(key, answer);
    }
    return answer;
  }

  private placesOf(member: string): { fn: Fn; path: Path }[] {
    if (this.addedAt.size === 0) {
      for (const fn of this.index.functions) {
        for (const [, op] of fn.facts.calls) {
          if (!ADDS_TO_LIST.test(op.fn)) continue;
          const path = (op.args[0] ?? '').replace(/^&/, '');
          const name = path.slice(path.lastIndexOf(' ') + 1);
          if (name === path) continue;
          const list = this.addedAt.get(name);
          if (list) list.push({ fn, path });
          else this.addedAt.set(name, [{ fn, path }]);
        }
      }
    }
    return this.addedAt.get(member) ?? [];
  }

  /** Is the parameter a going inode in every call of the function? */
  private alwaysGoing(fn: Fn, param: number): boolean {
    const key = `${fn.id} ${param}`;
    const known = this.only.get(key);
    if (known !== undefined) return known;
    this.only.set(key, true);
    const callers = this.index.callers[fn.id]!;
    const isEntry =
      param === 0 && [...INODE_GOES].some((member) => this.index.members.tableOwners(member).has(fn.id));
    const answer =
      (callers.length > 0 || isEntry) &&
      callers.every((edge) => {
        if (edge.how === 'table') return isEntry && INODE_GOES.has(edge.via);
        if (edge.how !== 'call') return false;
        const from = this.index.functions[edge.from]!;
        const { op } = from.facts.cfg[edge.node]!;
        const arg = op.k === 'call' ? (op.args[param] ?? '') : '';
        return from.facts.params.some(([name], i) => this.isIt(from, arg, name) && this.alwaysGoing(from, i));
      });
    this.only.set(key, answer);
    return answer;
  }
}

/** Of an operation that gets an object from a list: the member that is in the list, or ''. */
function memberOfList(op: Op): string {
  const { name, args } =
    op.k === 'call' ? { name: op.fn, args: op.args } : parsePath(op.k === 'set' ? op.from : '');
  return FROM_LIST.test(name) ? (/^v:(\w+)$/.exec(args.at(-1) ?? '')?.[1] ?? '') : '';
}
