import { onlyPrints } from '../kernel/printing.js';
import type { Path } from '../parse/facts.js';
import { parsePath } from '../parse/paths.js';
import { directoryGroup, type Fn, isPublic, type Names } from './names.js';
import type { Types } from './types.js';

const NONE: ReadonlySet<number> = new Set();

/** A member of a struct. */
export interface Member {
  readonly owner: string;
  readonly field: string;
}

/** Which functions are stored in which members of structs. */
export class Members {
  /** `struct.field` → functions stored there → parts of the kernel whose tables store them. */
  private readonly functionsOf = new Map<string, Map<number, Set<string>>>();
  private readonly byField = new Map<string, Set<number>>();
  private membersByFunction: Map<number, string[]> | undefined;
  /** `struct.field` of members that are given functions elsewhere than in initialisers. */
  private readonly assigned = new Set<string>();
  /** `group struct.field` of every member that the group sets in a table of its own. */
  private readonly ownedTables = new Set<string>();
  /** By `struct.field`, see `onlyPrinted`. */
  private readonly printed = new Map<string, boolean>();
  private copied: Set<string> | undefined;

  constructor(
    private readonly names: Names,
    private readonly types: Types,
  ) {}

  /** Notes that a function is stored in a member, by the file; `assigned`: elsewhere than in an initialiser. */
  store({ owner, field }: Member, id: number, file: string, assigned: boolean): void {
    const key = `${owner}.${field}`;
    if (assigned) this.assigned.add(key);
    const group = directoryGroup(file);
    const typed = this.functionsOf.get(key) ?? new Map<number, Set<string>>();
    this.functionsOf.set(key, typed.set(id, (typed.get(id) ?? new Set()).add(group)));
    this.ownedTables.add(`${group} ${key}`);
    this.byField.set(field, (this.byField.get(field) ?? new Set()).add(id));
  }

  /** Members with the functions stored in them. */
  get tables(): ReadonlyMap<string, ReadonlyMap<number, ReadonlySet<string>>> {
    return this.functionsOf;
  }

  /** Functions stored in members of that name, of whatever struct. */
  ofField(field: string): ReadonlySet<number> {
    return this.byField.get(field) ?? NONE;
  }

  /** Functions stored in a member (`super_operations.evict_inode`), each with the parts of the kernel that store it. */
  tableOwners(member: string): ReadonlyMap<number, ReadonlySet<string>> {
    return this.functionsOf.get(member) ?? new Map();
  }

  /** The members (`super_operations.evict_inode`) in which a function is stored. */
  membersOf(id: number): readonly string[] {
    if (!this.membersByFunction) {
      this.membersByFunction = new Map();
      for (const [member, functions] of this.functionsOf) {
        for (const fn of functions.keys()) {
          const members = this.membersByFunction.get(fn);
          if (members) members.push(member);
          else this.membersByFunction.set(fn, [member]);
        }
      }
    }
    return this.membersByFunction.get(id) ?? [];
  }

  /** Does that part of the kernel set any member of such a table? */
  setsTable(group: string, struct: string): boolean {
    const start = `${group} ${struct}.`;
    for (const owned of this.ownedTables) if (owned.startsWith(start)) return true;
    return false;
  }

  /** Does that part of the kernel set the member in a table of its own? */
  ownsTable(group: string, member: string): boolean {
    return this.ownedTables.has(`${group} ${member}`);
  }

  /**
   * Does the call go through a member that only initialisers of tables fill, so that all it may lead to was seen, or through a
   * parameter, where it leads to what callers hand in?
   */
  isTable(fn: Fn, target: Path, depth = 0): boolean {
    const p = parsePath(target);
    if (p.fields.length === 0) {
      if (p.root !== 'v' || depth > 2) return false;
      const source = this.types.isLocal(fn, p.name) ? this.types.onlySource(fn, p.name) : '';
      return fn.facts.params.some(([name]) => name === p.name)
        ? source === ''
        : source !== '' && this.isTable(fn, source, depth + 1);
    }
    const cut = target.lastIndexOf(' ');
    const field = target.slice(cut + 1);
    const type = this.types.typeOf(fn, target.slice(0, cut));
    const key = `${type}.${field}`;
    return (
      type !== '' && this.functionsOf.has(key) && !this.assigned.has(key) && !this.isCopiedTo(type, field)
    );
  }

  /** Is the member, or one of that name in a struct that is not known, given what another member holds? */
  private isCopiedTo(type: string, field: string): boolean {
    if (!this.copied) {
      this.copied = new Set();
      for (const fn of this.names.functions) {
        for (const [to] of fn.facts.memberReads) {
          const cut = to.lastIndexOf(' ');
          if (cut >= 0) this.copied.add(`${this.types.typeOf(fn, to.slice(0, cut))}${to.slice(cut)}`);
        }
      }
    }
    return this.copied.has(`${type} ${field}`) || this.copied.has(` ${field}`);
  }

  /** The member that a path names; none where it names none or the struct is not known. */
  memberAt(fn: Fn, path: Path): readonly Member[] {
    const cut = path.lastIndexOf(' ');
    const owner = cut < 0 ? '' : this.types.typeOf(fn, path.slice(0, cut));
    const field = path.slice(cut + 1);
    return owner !== '' && /^\w+$/.test(field) ? [{ owner, field }] : [];
  }

  holdsAll({ owner, field }: Member, functions: Iterable<number>): boolean {
    const held = this.functionsOf.get(`${owner}.${field}`);
    return [...functions].every((id) => held?.has(id));
  }

  /**
   * Is the member a `void *` of a struct that one directory knows, and does nobody there do with its value but print and test it?
   * A function in it is there to be shown.
   */
  onlyPrinted(struct: string, field: string): boolean {
    const key = `${struct}.${field}`;
    let answer = this.printed.get(key);
    if (answer === undefined) {
      answer = this.isOnlyPrinted(struct, field);
      this.printed.set(key, answer);
    }
    return answer;
  }

  private isOnlyPrinted(struct: string, field: string): boolean {
    const definitions = this.names.structs.get(struct) ?? [];
    const [first] = definitions;
    if (!first || definitions.some(({ file, fields }) => fields.get(field) !== 'void' || isPublic(file)))
      return false;
    const group = directoryGroup(first.file);
    const end = ` ${field}`;
    const isIt = (path: Path): boolean => path.endsWith(end);
    return this.names.functions.every(
      ({ group: other, facts }) =>
        other !== group ||
        facts.cfg.every(({ op }) => {
          if (op.k === 'ret') return !isIt(op.value);
          if (op.k === 'set') return !isIt(op.from);
          if (op.k !== 'call') return true;
          return !isIt(op.target) && (onlyPrints(op.fn) || !op.args.some(isIt));
        }),
    );
  }
}
