import { HOOK_CALLER_BY_NAME } from '../kernel/hooks.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import { openerOf } from '../kernel/openers.js';
import { REGISTRARS_BY_NAME } from '../kernel/tasks.js';
import type { RunsIn } from '../kernel/types.js';
import type { CallOp, FileFacts, FunctionFacts, Path, TableEntry } from '../parse/facts.js';
import { ELEMENTS, lineAt } from '../parse/facts.js';
import { nameIn, parsePath } from '../parse/paths.js';
import { inModule } from '../tree/kernel-tree.js';
import { Fates, isRegistrar, LOST, MAX_WAYS, type Way } from './fates.js';
import { Guards } from './guards.js';
import { LockNames } from './lock-names.js';
import { type Member, Members } from './members.js';
import { type Fn, isPublic, isUapi, Names } from './names.js';
import { Signatures, writtenSignature } from './signatures.js';
import { Types } from './types.js';

/** How a call edge was resolved, best first. */
export type EdgeKind = 'direct' | 'typed' | 'name';

/** `from` calls `to` in CFG node `node`. */
export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly node: number;
  readonly kind: EdgeKind;
  /**
   * `call`: by name. `table`: through a struct field. `callback`: `to` is handed to what is called and may be
   * called by it. `pointer`: through a local variable. `through`: where the callee calls the parameter that a `callback` edge
   * handed in; for its own sake no call, the `callback` edge stands for it.
   */
  readonly how: 'call' | 'table' | 'callback' | 'pointer' | 'through';
  /** For `table`: `super_operations.evict_inode`. */
  readonly via: string;
  /**
   * For `table`: the function came into the member as an argument of whoever keeps it there. Which of several such functions an
   * object has, its type does not say: a caller that counts, and no evidence.
   */
  readonly kept?: true;
  /** For `callback`: the name of the function that it is handed to, `''` where that is a pointer's. */
  readonly handedTo?: string;
  /** For `callback`: the ways by which the callee comes to call it. Else the call in the callee that is asked about. */
  readonly inner?: readonly Way[];
}

const NONE: ReadonlySet<number> = new Set();

/** The whole tree, linked: who calls whom. */
export class Index {
  readonly names: Names;
  readonly types: Types;
  readonly locks: LockNames;
  readonly members: Members;
  readonly guards: Guards;
  private readonly fates: Fates;
  private readonly signatures: Signatures;
  /** All functions, by their ids. */
  readonly functions: readonly Fn[];
  /** Edges by callee id. */
  readonly callers: Edge[][];
  /** Edges by caller id. */
  readonly callees: Edge[][];
  /** Calls whose target stays unknown: fn id and CFG node. */
  readonly unresolved: { from: number; node: number }[] = [];
  /** Calls of functions that give hold of a file by name or descriptor. */
  readonly openings: { readonly fn: Fn; readonly op: CallOp; readonly kept: boolean }[] = [];
  /** Functions whose address is taken somewhere. */
  readonly addressTaken = new Set<number>();
  /** Functions that may be called from where nobody looked: their address, or their name in a macro, got away. */
  readonly escaped = new Set<number>();
  /** Those of them that a module exports. */
  private readonly exported = new Set<number>();
  /** Functions that registrars outside of functions start, with the item that these make, named as a lock there would be: `DECLARE_WORK(item, fn)`. */
  readonly started: { readonly fn: Fn; readonly runs: RunsIn; readonly item: string }[] = [];
  /** Functions that macros or attributes outside of functions have called, whoever else calls them (`FileFacts.entered`). */
  readonly entered = new Set<number>();
  /** See `unread`. */
  private readonly named = new Set<number>();
  /** See `giveUp`. */
  private readonly givenUp = new Map<number, string>();
  /** Functions that are stored in members which nobody calls, and those members. */
  readonly uncalled = new Map<number, string[]>();
  private readonly onlyUncalled = new Set<number>();
  private readonly setParams = new Map<number, Set<number>>();
  /** `struct.field id` of functions that are in a member by `keptFunctions` only. */
  private readonly keptIn = new Set<string>();
  /** By file and name of an array that only functions of the file use: functions in it. */
  private readonly arrays = new Map<string, Set<number>>();
  /** `struct.field` of every member that is called, `.field` where the struct is not known. */
  private readonly calledMembers = new Set<string>();
  private readonly linkedThrough = new Set<string>();

  /**
   * @param hasKernel false for a module alone: what calls it and what it calls outside of its own files is not known
   */
  constructor(
    all: readonly FileFacts[],
    readonly hasKernel = true,
  ) {
    this.names = new Names(all);
    this.types = new Types(this.names);
    this.locks = new LockNames(this.names, this.types, hasKernel);
    this.members = new Members(this.names, this.types);
    this.guards = new Guards(this.names.files.values());
    this.fates = new Fates(this.names, this.types, this.members);
    this.signatures = new Signatures(this.names, this.types);
    this.functions = this.names.functions;
    this.callers = this.functions.map(() => []);
    this.callees = this.functions.map(() => []);
    const files = [...this.names.files.values()];
    // Nobody was seen to call what a macro names.
    for (const { id, facts } of this.functions) if (!/^\w+$/.test(facts.name)) this.escaped.add(id);
    for (const file of files) this.fillTables(file);
    for (const file of files) {
      if (isUapi(file.file)) continue;
      for (const name of file.mentions)
        for (const fn of this.names.lookup(name, file.file)) this.escaped.add(fn.id);
    }
    for (const file of files) {
      for (const name of file.entered)
        for (const fn of this.names.lookup(name, file.file)) this.entered.add(fn.id);
      this.startedIn(file);
      if (inModule(file.file)) this.namedByMacros(file);
    }
    for (const fn of this.functions) this.assignedFunctions(fn);
    for (const fn of this.functions) this.keptFunctions(fn);
    this.copiedMembers();
    this.elementsOfArrays();
    for (const fn of this.functions) this.memberReads(fn);
    for (const fn of this.functions) this.linkCalls(fn);
    for (const fn of this.functions) this.linkGuards(fn);
    this.uncalledMembers();
  }

  private startedIn({ file, started }: FileFacts): void {
    for (const [registrar, args] of started) {
      const [, variable, member] = /^&?(\w+)(?:\.(\w+))?$/.exec(args[0]!) ?? [];
      const owner =
        member && variable ? this.names.resolveTypedef(this.names.globalType(variable, file)) : '';
      const item = member === undefined ? (variable ?? '') : owner === '' ? '' : `${owner}.${member}`;
      for (const { arg, runs } of REGISTRARS_BY_NAME.get(registrar) ?? [])
        for (const fn of this.names.lookup(args[arg] ?? '', file))
          this.started.push({ fn, runs, item: arg === 0 ? '' : item });
    }
  }

  private store(owner: string, field: string, id: number, file: string, assigned = false): void {
    this.addressTaken.add(id);
    this.members.store({ owner, field }, id, file, assigned);
    if (assigned) this.fates.isAssigned(`${owner}.${field}`);
  }

  private fillTables(file: FileFacts): void {
    for (const entry of file.tables) {
      const within = entry.within === '' ? undefined : file.functions.find((f) => f.name === entry.within);
      const fn = within ? this.names.byName.get(entry.within)?.find((f) => f.facts === within) : undefined;
      this.addEntry(entry, file, fn);
    }
  }

  private addEntry(entry: TableEntry, file: FileFacts, within: Fn | undefined): void {
    if (within && this.types.isLocal(within, entry.fn)) return;
    const targets = this.names.lookup(entry.fn, file.file).filter((f) => !f.facts.isMacro);
    if (targets.length === 0) return;
    if (entry.field === ELEMENTS) {
      const array = `${file.file} ${entry.variable}`;
      const elements = this.arrays.get(array) ?? new Set();
      this.arrays.set(array, elements);
      for (const target of targets) elements.add(target.id);
      return;
    }
    let owner = entry.struct;
    if (owner === '') {
      const p = parsePath(entry.path);
      owner = p.root === 't' ? p.name : '';
      for (const field of p.fields) owner = owner === '' ? '' : this.names.fieldType(owner, field, file.file);
    }
    owner = this.names.resolveTypedef(owner);
    const field =
      entry.field[0] === '#'
        ? this.names.fieldAt(owner, Number(entry.field.slice(1)), file.file)
        : entry.field;
    if (field === '') {
      for (const target of targets) this.escaped.add(target.id);
      return;
    }
    for (const target of targets) this.store(owner, field, target.id, file.file);
  }

  /**
   * What a module exports is called by modules that nobody saw. Without the kernel it is not known what its macros do with
   * the names that they are given, or with longer ones that they make of them.
   */
  private namedByMacros(file: FileFacts): void {
    for (const [macro, names] of file.invocations) {
      const isExport = /^EXPORT_SYMBOL/.test(macro);
      if (!isExport && this.hasKernel) continue;
      for (const name of names) {
        for (const fn of this.names.lookup(name, file.file)) {
          this.escaped.add(fn.id);
          if (isExport) this.exported.add(fn.id);
        }
        if (isExport) continue;
        for (const fn of this.functions)
          if (fn.facts.name.startsWith(`${name}_`) || fn.facts.name.endsWith(`_${name}`))
            this.escaped.add(fn.id);
      }
    }
  }

  /** What is stored in the member may be called by code that was not read. */
  giveUp(member: string): void {
    for (const id of this.members.tableOwners(member).keys()) {
      this.escaped.add(id);
      this.givenUp.set(id, member);
    }
  }

  /** Files that were not read name functions of these names: what nobody was seen to call may be called there. */
  unread(names: ReadonlySet<string>): void {
    for (const name of names) {
      for (const fn of this.names.byName.get(name) ?? []) {
        if (fn.facts.isStatic || fn.facts.isMacro || this.callers[fn.id]!.length > 0) continue;
        this.escaped.add(fn.id);
        this.named.add(fn.id);
      }
    }
  }

  /** Is nothing unknown of it but who calls it by name, in files that were not read? */
  isOnlyNamed(id: number): boolean {
    return this.named.has(id) && !this.addressTaken.has(id) && !this.exported.has(id);
  }

  /** Is it called by somebody who was not seen for no other reason than that it is stored where no file that was read calls it? */
  isOnlyUncalled(id: number): boolean {
    return this.onlyUncalled.has(id);
  }

  /** Why not every caller of an escaped function is known, a clause. */
  whyEscaped(id: number): string {
    const member = this.givenUp.get(id);
    if (member !== undefined) return `it is called through ${member}, which too many files may use`;
    if (this.exported.has(id)) return 'it is exported to other modules';
    if (this.named.has(id)) return 'not all files that name it were read';
    const fields = this.hasKernel && this.onlyUncalled.has(id) ? (this.uncalled.get(id) ?? []) : [];
    const stored = this.members
      .membersOf(id)
      .find((one) => fields.includes(one.slice(one.lastIndexOf('.') + 1)));
    if (stored !== undefined)
      return `it is stored in ${stored.replace(/^\W+/, '')}, which nobody was seen to call`;
    return this.hasKernel ? 'its address is kept' : 'its address is kept, and the kernel was not read';
  }

  /** `x->field = function;`, `pointer = function;` and `return function;` in a body. */
  private assignedFunctions(fn: Fn): void {
    for (const [to, name] of fn.facts.references) {
      if (!this.names.mayBeFunction(name)) continue;
      const cut = to.lastIndexOf(' ');
      for (const target of this.names.lookup(name, fn.file.file)) {
        if (target.facts.isMacro) continue;
        this.addressTaken.add(target.id);
        if (cut >= 0)
          this.store(
            this.types.typeOf(fn, to.slice(0, cut)),
            to.slice(cut + 1),
            target.id,
            fn.file.file,
            true,
          );
        else {
          const { known, members } = this.types.functionsIn(fn, to).includes(name)
            ? this.fates.fateIn(fn, to.slice(2), 0)
            : LOST;
          if (!known) this.escaped.add(target.id);
          for (const { owner, field } of members) this.store(owner, field, target.id, fn.file.file, true);
        }
      }
    }
  }

  /** What is in an array of a file is called where that is, if nothing else is done with it there; else by anybody. */
  private elementsOfArrays(): void {
    for (const [array, functions] of this.arrays) {
      const [file, name] = array.split(' ') as [string, string];
      const isOnlyCalled = this.isOnlyCalled(this.names.files.get(file)!, name);
      for (const id of functions) {
        this.addressTaken.add(id);
        if (!isOnlyCalled) this.escaped.add(id);
      }
    }
  }

  /** Are elements of an array of that file called, tested and given to variables that are called, and nothing else? */
  private isOnlyCalled(file: FileFacts, array: string): boolean {
    if (file.mentions.includes(array) || file.tables.some(({ fn }) => fn === array)) return false;
    const isIt = (path: Path): boolean => path === `v:${array}` || path === `&v:${array}`;
    const isCalled = (fn: Fn, to: Path): boolean => {
      const name = nameIn(to);
      if (name === undefined || !this.types.isLocal(fn, name) || !isIt(this.types.onlySource(fn, name)))
        return false;
      const { known, members } = this.fates.fateIn(fn, name, 0);
      return known && members.length === 0 && !fn.facts.calls.some(([, op]) => op.args.includes(to));
    };
    // One that nobody calls is read by whom the linker tells where it is.
    const isCalledAt = ({ calls, references }: FunctionFacts): boolean =>
      references.some(([, name]) => name === array) || calls.some(([, op]) => isIt(op.target));
    if (!file.functions.some(isCalledAt)) return false;
    return file.functions.every((facts) => {
      const fn = this.names.byName.get(facts.name)!.find((one) => one.facts === facts)!;
      if (this.types.isLocal(fn, array)) return true;
      return (
        !facts.broken &&
        facts.references.every(([to, name]) => name !== array || isCalled(fn, to)) &&
        facts.calls.every(([, op]) => op.fn === 'ARRAY_SIZE' || !op.args.some(isIt))
      );
    });
  }

  /** The functions in the array of the file that a path names. */
  private elementsOf(fn: Fn, path: Path): ReadonlySet<number> {
    const name = nameIn(path);
    if (name === undefined || this.types.isLocal(fn, name)) return NONE;
    return this.arrays.get(`${fn.file.file} ${name}`) ?? NONE;
  }

  /** May a local variable hold something else than functions that it is set to by name? */
  private holdsOther(fn: Fn, name: string, names: readonly string[]): boolean {
    const to = `v:${name}`;
    const isOne = (from: Path): boolean => from === '#0' || names.includes(from.replace(/^&?v:/, ''));
    return fn.facts.cfg.some(
      ({ op }) => (op.k === 'set' && op.to === to && !isOne(op.from)) || (op.k === 'call' && op.to === to),
    );
  }

  private edge(
    from: Fn,
    to: number,
    node: number,
    kind: EdgeKind,
    how: Edge['how'],
    via = '',
    more: Pick<Edge, 'inner' | 'kept' | 'handedTo'> = {},
  ): void {
    const edge: Edge = { from: from.id, to, node, kind, how, via, ...more };
    this.callees[from.id]!.push(edge);
    this.callers[to]!.push(edge);
  }

  /** What is stored where nobody calls it is called by somebody who was not seen. */
  private uncalledMembers(): void {
    for (const [member, functions] of this.members.tables) {
      const field = member.slice(member.lastIndexOf('.'));
      const isCalled = this.calledMembers.has(member);
      // The kernel calls through tables of its own types.
      const definitions = this.names.structs.get(member.slice(0, -field.length)) ?? [];
      const isSeen = this.hasKernel || definitions.some(({ file }) => inModule(file));
      if (isCalled && isSeen) continue;
      if (isSeen && this.members.onlyPrinted(member.slice(0, -field.length), field.slice(1))) continue;
      for (const id of functions.keys()) {
        // A call through a member of that name leads to what fits it; one through another struct's says nothing of this one.
        const isMeant = ({ how, kind, via }: Edge): boolean =>
          how === 'table' &&
          kind === 'name' &&
          (via === `?${field}` || (member === field && via.endsWith(field)));
        if (isSeen && this.callers[id]!.some(isMeant)) continue;
        if (!this.escaped.has(id)) this.onlyUncalled.add(id);
        this.escaped.add(id);
        const fields = this.uncalled.get(id);
        if (fields) fields.push(field.slice(1));
        else this.uncalled.set(id, [field.slice(1)]);
      }
    }
  }

  private linkCalls(fn: Fn): void {
    const { arms } = fn.facts;
    for (const [node, op] of fn.facts.calls) {
      if (arms && !arms.some((a) => a.start <= op.start && op.start < a.end)) continue;
      this.linkCall(fn, node, op);
    }
  }

  /** Guards that the tree defines call what takes and drops their lock; primitives are no functions here. */
  private linkGuards(fn: Fn): void {
    if (!fn.facts.locks || !this.guards.isIn(fn.file)) return;
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      const call = op.k === 'guard' || op.k === 'unguard' ? this.guards.callAt(op, fn.file.file) : undefined;
      if (!call || LOCK_BY_NAME.has(call.fn)) continue;
      for (const target of this.names.lookup(call.fn, fn.file.file))
        this.edge(fn, target.id, node, 'direct', 'call');
    }
  }

  /** `swap(a, b)`: variables that are handed to a macro by name, and which it sets. */
  private setByMacros(op: CallOp, targets: readonly Fn[]): void {
    const sets = targets.flatMap((target) =>
      [...this.paramsSet(target)].flatMap((param) => {
        const arg = op.args[param] ?? '';
        return /^v:\w+$/.test(arg) ? arg : [];
      }),
    );
    if (sets.length > 0) op.sets = sets;
  }

  /** Which parameters of a macro get another value in it, or in a macro that it hands them to. */
  private paramsSet(macro: Fn): ReadonlySet<number> {
    let found = this.setParams.get(macro.id);
    if (found || !macro.facts.isMacro) return found ?? NONE;
    found = new Set();
    this.setParams.set(macro.id, found);
    const places = new Map(macro.facts.params.map(([name], i) => [`v:${name}`, i]));
    for (const { op } of macro.facts.cfg) {
      if (op.k !== 'set' && op.k !== 'call') continue;
      if (op.k === 'call') this.setByMacros(op, this.names.lookup(op.fn, macro.file.file));
      for (const path of op.k === 'call' ? [op.to, ...(op.sets ?? [])] : [op.to]) {
        const place = places.get(path);
        if (place !== undefined) found.add(place);
      }
    }
    return found;
  }

  private linkCall(fn: Fn, node: number, op: CallOp): void {
    const opener = openerOf(op);
    if (opener) this.openings.push({ fn, op, kept: opener.kept });
    if (op.fn !== '' && !this.types.isLocal(fn, op.fn)) {
      const targets = this.names.lookup(op.fn, fn.file.file);
      for (const target of targets) this.edge(fn, target.id, node, 'direct', 'call');
      this.setByMacros(op, targets);
    } else {
      this.linkPointer(fn, node, op.fn === '' ? op.target : `v:${op.fn}`);
    }
    const hooks = HOOK_CALLER_BY_NAME.get(op.fn);
    for (const [position, arg] of op.args.entries()) {
      if (position === hooks?.hook) {
        this.linkMember(fn, node, `${hooks.table}.${nameIn(arg)}`);
        continue;
      }
      this.linkHandedMember(fn, node, op, position, arg);
      const names = this.types.functionsIn(fn, arg);
      // What user space includes as well names no function of the kernel: `FN(sys_close, 168)` of include/uapi/linux/bpf.h.
      if (names.length === 0 || isUapi(fn.file.file)) continue;
      const fate = this.fates.fate(fn, op, position);
      const registered = isRegistrar(op.fn, position);
      // `x(io_write, 1)` in a macro may be a name for whatever `x` makes of it.
      const mayPaste = fn.facts.isMacro && op.fn !== '' && !isPublic(fn.file.file);
      for (const target of names.flatMap((name) => this.names.lookup(name, fn.file.file))) {
        if (target.facts.isMacro || (mayPaste && !this.names.isDeclaredFor(fn.file.file, target))) continue;
        this.addressTaken.add(target.id);
        // Of a registrar it is known what it does, read or not. A member that comes out only now was not filled.
        const isFollowed =
          fate.known &&
          (registered ||
            fate.members.every(({ owner, field }) =>
              this.members.tables.get(`${owner}.${field}`)?.has(target.id),
            ));
        if (!isFollowed && (this.hasKernel || !registered)) this.escaped.add(target.id);
        if (!registered) {
          for (const at of fate.registered) this.linkInner(at, target.id, 'callback', at.by);
          if (fate.known && !fate.called) continue;
        }
        const ways = fate.known ? this.fates.ways(fn, op, position) : [];
        if (ways.length >= MAX_WAYS) this.escaped.add(target.id);
        this.edge(fn, target.id, node, 'typed', 'callback', '', { inner: ways, handedTo: op.fn });
        for (const way of ways) this.linkInner(way.at(-1)!, target.id, 'through');
      }
    }
  }

  /** `call(mapping->a_ops->read_folio)`: what is stored in the member is called by whom it is handed to, on behalf of `fn`. */
  private linkHandedMember(fn: Fn, node: number, op: CallOp, position: number, arg: Path): void {
    const cut = arg.lastIndexOf(' ');
    const field = arg.slice(cut + 1);
    if (cut < 0 || arg[0] === '&' || this.members.ofField(field).size === 0) return;
    const type = this.types.typeOf(fn, arg.slice(0, cut));
    const via = `${type}.${field}`;
    const found = type === '' ? undefined : this.members.tables.get(via);
    if (!found) return;
    const fate = this.fates.fate(fn, op, position);
    const members = fate.members.filter(({ owner, field }) => !this.members.onlyPrinted(owner, field));
    const followed =
      fate.known &&
      fate.registered.length === 0 &&
      members.every((member) => this.members.holdsAll(member, found.keys()));
    const isCalled = !followed || fate.called;
    // Whoever calls the member in which the callee keeps it calls it.
    if (isCalled || members.length > 0) this.calledMembers.add(via);
    if (!isCalled) return;
    const ways = followed ? this.fates.ways(fn, op, position) : [];
    for (const id of found.keys()) {
      if (!followed || ways.length >= MAX_WAYS) this.escaped.add(id);
      this.edge(fn, id, node, 'typed', 'callback', via, { inner: ways, handedTo: op.fn });
    }
  }

  /**
   * `filler = mapping->a_ops->read_folio`: followed where the variable is called, tested and handed to what calls it, and
   * nothing else; else what is stored there may be called from anywhere.
   */
  private memberReads(fn: Fn): void {
    for (const [to, from] of fn.facts.memberReads) {
      const cut = from.lastIndexOf(' ');
      const field = from.slice(cut + 1);
      if (this.members.ofField(field).size === 0) continue;
      const via = `${this.types.typeOf(fn, from.slice(0, cut))}.${field}`;
      const found = this.members.tables.get(via);
      if (!found) continue;
      // Whoever calls the member that it was copied into calls it.
      if (this.members.memberAt(fn, to).length > 0) {
        this.calledMembers.add(via);
        continue;
      }
      const name = /^v:(\w+)$/.exec(to)?.[1];
      const fate = name !== undefined && this.types.isLocal(fn, name) ? this.fates.fateIn(fn, name, 0) : LOST;
      if (!fate.known || fate.members.length > 0 || fate.registered.length > 0) {
        for (const id of found.keys()) this.escaped.add(id);
        continue;
      }
      this.calledMembers.add(via);
      for (const [node, op] of fn.facts.calls) {
        // Where there is just this source, `linkPointer` sees it.
        if ((op.fn === name || op.target === to) && this.types.onlySource(fn, name!) !== from) {
          for (const id of found.keys()) this.edge(fn, id, node, 'typed', 'table', via);
        }
        for (const [position, arg] of op.args.entries())
          if (arg === to) this.linkHandedMember(fn, node, op, position, from);
      }
    }
  }

  /**
   * `process->dispatch = version->dispatch`, or a call that hands the one to what keeps it in the other: what is stored in the one
   * member is stored in the other.
   */
  private copiedMembers(): void {
    const fieldOf = (path: Path): string => path.slice(path.lastIndexOf(' ') + 1);
    const byField = new Map<string, { fn: Fn; from: Path; to: () => readonly Member[] }[]>();
    const note = (fn: Fn, from: Path, to: () => readonly Member[]): void => {
      const field = fieldOf(from);
      const same = byField.get(field);
      if (same) same.push({ fn, from, to });
      else byField.set(field, [{ fn, from, to }]);
    };
    for (const fn of this.functions) {
      for (const [to, from] of fn.facts.memberReads)
        if (to.includes(' ')) note(fn, from, () => this.members.memberAt(fn, to));
      for (const [, op] of fn.facts.calls) {
        for (const [position, arg] of op.args.entries()) {
          if (arg.includes(' ') && arg[0] !== '&' && this.members.ofField(fieldOf(arg)).size > 0)
            note(fn, arg, () => this.fates.fate(fn, op, position).members);
        }
      }
    }
    const fields = new Set([...byField.keys()].filter((field) => this.members.ofField(field).size > 0));
    for (const field of fields) {
      // Of a member that was not seen to be set yet it is asked again once it is.
      fields.delete(field);
      for (const { fn, from, to } of byField.get(field) ?? []) {
        const source = this.members.tables.get(
          `${this.types.typeOf(fn, from.slice(0, from.lastIndexOf(' ')))}.${field}`,
        );
        if (!source) continue;
        for (const member of to()) {
          const key = `${member.owner}.${member.field}`;
          for (const id of [...source.keys()]) {
            if (this.members.tables.get(key)?.has(id)) continue;
            this.keptIn.add(`${key} ${id}`);
            this.store(member.owner, member.field, id, fn.file.file, true);
            if (byField.has(member.field)) fields.add(member.field);
          }
        }
      }
    }
  }

  /** `setup(work, function)`: where the callee keeps its argument in a member, the function is stored there. */
  private keptFunctions(fn: Fn): void {
    if (!fn.facts.handsNames && fn.facts.references.length === 0) return;
    for (const [, op] of fn.facts.calls) {
      for (const [position, arg] of op.args.entries()) {
        const isValue = arg[0] === 'v' || (arg.startsWith('&v:') && !this.types.isLocal(fn, arg.slice(3)));
        const names = isValue ? this.types.functionsIn(fn, arg) : [];
        if (names.length === 0 || isRegistrar(op.fn, position)) continue;
        const { known, members } = this.fates.fate(fn, op, position);
        if (!known || members.length === 0) continue;
        for (const target of names.flatMap((name) => this.names.lookup(name, fn.file.file))) {
          if (target.facts.isMacro) continue;
          for (const { owner, field } of members) {
            const key = `${owner}.${field}`;
            if (!this.members.tables.get(key)?.has(target.id)) this.keptIn.add(`${key} ${target.id}`);
            this.store(owner, field, target.id, fn.file.file, true);
          }
        }
      }
    }
  }

  private linkInner(
    { fn, node }: Way[number],
    target: number,
    how: 'callback' | 'through',
    handedTo?: string,
  ): void {
    const key = `${fn} ${node} ${target}`;
    if (this.linkedThrough.has(key)) return;
    this.linkedThrough.add(key);
    this.edge(
      this.functions[fn]!,
      target,
      node,
      'typed',
      how,
      '',
      handedTo === undefined ? {} : { handedTo },
    );
  }

  /** Does a function that is stored in a member of that name fit a call through one, by types? */
  private mayLead(fn: Fn, node: number, target: Path, id: number): boolean {
    const { op } = fn.facts.cfg[node]!;
    const pointer = writtenSignature(this.types.typeOf(fn, target));
    const to = this.functions[id]!;
    if (pointer) return this.signatures.areAlike(pointer, to);
    return op.k !== 'call' || this.signatures.takes(to, fn, op);
  }

  /** A call through a member leads to what is stored there. */
  private linkMember(fn: Fn, node: number, via: string): ReadonlyMap<number, unknown> | undefined {
    this.calledMembers.add(via);
    const found = this.members.tables.get(via);
    for (const id of found?.keys() ?? []) {
      const kept = this.keptIn.has(`${via} ${id}`) ? { kept: true as const } : {};
      this.edge(fn, id, node, 'typed', 'table', via, kept);
    }
    return found;
  }

  private linkPointer(fn: Fn, node: number, target: Path): void {
    const p = parsePath(target);
    const field = p.fields.at(-1);
    if (field !== undefined) {
      const type = this.types.typeOf(fn, target.slice(0, target.lastIndexOf(' ')));
      if (type !== '') {
        const via = `${type}.${field}`;
        const found = this.linkMember(fn, node, via);
        if (!found) this.unresolved.push({ from: fn.id, node });
        // What was stored through a pointer of unknown type may be meant here, too.
        for (const id of this.members.tables.get(`.${field}`)?.keys() ?? []) {
          if (!found?.has(id) && this.mayLead(fn, node, target, id))
            this.edge(fn, id, node, 'name', 'table', via);
        }
        return;
      }
      this.calledMembers.add(`.${field}`);
      const found = [...this.members.ofField(field)].filter((id) => this.mayLead(fn, node, target, id));
      for (const id of found) this.edge(fn, id, node, 'name', 'table', `?.${field}`);
      if (found.length === 0) this.unresolved.push({ from: fn.id, node });
      return;
    }
    if (p.root === 'v') {
      const source = this.types.isLocal(fn, p.name) ? this.types.onlySource(fn, p.name) : '';
      const local = parsePath(source);
      const elements = this.elementsOf(fn, this.types.isLocal(fn, p.name) ? source : target);
      for (const id of elements) this.edge(fn, id, node, 'typed', 'pointer');
      if (elements.size > 0) return;
      if (local.fields.length > 0) {
        this.linkPointer(fn, node, source);
        return;
      }
      const names = this.types.functionsIn(fn, target);
      if (names.length > 0) {
        for (const t of names.flatMap((name) => this.names.lookup(name, fn.file.file)))
          this.edge(fn, t.id, node, 'typed', 'pointer');
        if (!this.holdsOther(fn, p.name, names)) return;
      }
      // A parameter: what callers hand in is linked where they hand it in.
      if (fn.facts.params.some(([name]) => name === p.name)) return;
    }
    this.unresolved.push({ from: fn.id, node });
  }

  /** 1-based line of a CFG node of a function. */
  lineOf(fn: Fn, node: number): number {
    const op = fn.facts.cfg[node]?.op;
    if (op && 'start' in op) return lineAt(fn.file.lines, op.start);
    const s = fn.facts.cfg[node]?.statement ?? -1;
    return s >= 0 ? lineAt(fn.file.lines, fn.facts.statements[s]!.start) : fn.facts.line;
  }
}
