import type { EdgeKind } from '../analysis/report.js';
import { HOOK_CALLER_BY_NAME } from '../kernel/hooks.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import { openerOf } from '../kernel/openers.js';
import { isFormat, onlyPrints, TRACEPOINT } from '../kernel/printing.js';
import { REGISTRARS_BY_NAME } from '../kernel/tasks.js';
import { DECLARED_BY } from '../kernel/waits.js';
import { constantValue } from '../parse/constants.js';
import type { CallOp, FileFacts, FunctionFacts, Path, TableEntry } from '../parse/facts.js';
import { ELEMENTS, lineAt } from '../parse/facts.js';
import { inModule, MODULE } from '../tree/kernel-tree.js';
import { Signatures, writtenSignature } from './signatures.js';

/** One function of the tree. `id` is its index in `Index.functions`. */
export interface Fn {
  readonly id: number;
  readonly facts: FunctionFacts;
  readonly file: FileFacts;
  /** Which part of the kernel it belongs to: `fs/ext4`, `mm`, `drivers/md`, … */
  readonly group: string;
}

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

/** Calls that lie one in the other, outermost first: the last one is that of a function pointer. */
export type Way = readonly {
  readonly fn: number;
  readonly node: number;
  /** Parameters of the function that are 0 (see `zero.ts`). */
  readonly zero?: string;
}[];

/** Ways followed for one parameter. */
const MAX_WAYS = 16;

const NONE: ReadonlySet<number> = new Set();

/** A member of a struct. */
interface Member {
  readonly owner: string;
  readonly field: string;
}

/** What becomes of a function pointer that is handed to a function. */
interface Fate {
  /** All of its uses were seen and understood. */
  readonly known: boolean;
  /** It is called before that function returns. */
  readonly called: boolean;
  /** Members that it is kept in. */
  readonly members: readonly Member[];
  /** Calls of registrars that get it. */
  readonly registered: readonly { readonly fn: number; readonly node: number; readonly by: string }[];
}

const NOTHING: Fate = { known: true, called: false, members: [], registered: [] };
const LOST: Fate = { ...NOTHING, known: false };
const MAX_FATE_DEPTH = 6;

/** The rest of a macro's arguments, as the reader has it: `, ##__VA_ARGS__` and `, __VA_ARGS__`. */
const REST = ['____VA_ARGS__', '__VA_ARGS__'];

function bothFates(a: Fate, b: Fate): Fate {
  if (!a.known || !b.known) return LOST;
  return {
    known: true,
    called: a.called || b.called,
    members: [...a.members, ...b.members],
    registered: [...a.registered, ...b.registered],
  };
}

/** May code of other directories include it? */
function isPublic(file: string): boolean {
  return /(?:^|\/)include\//.test(file);
}

function isRegistrar(name: string, position: number): boolean {
  return REGISTRARS_BY_NAME.get(name)?.some((r) => r.arg === position) ?? false;
}

/** Stands for a path that is not always the same. */
const SEVERAL = '?';

/** The name in `v:name`, `&v:name` or `~v:name`; undefined for any other path. */
function nameIn(path: Path): string | undefined {
  const from = path[0] === '&' || path[0] === '~' ? 3 : 2;
  if (path[from - 2] !== 'v' || path.length === from) return undefined;
  return path.includes(' ', from) || path.includes('|', from) ? undefined : path.slice(from);
}

interface ParsedPath {
  readonly root: 'v' | 'c' | 't' | '#' | '@' | '';
  readonly name: string;
  readonly args: readonly Path[];
  readonly fields: readonly string[];
}

/** Splits an access path. */
export function parsePath(path: Path): ParsedPath {
  const text = path[0] === '&' || path[0] === '~' ? path.slice(1) : path;
  const root = text[0] as ParsedPath['root'] | undefined;
  if (root === undefined || root === '#' || root === '@')
    return { root: root ?? '', name: '', args: [], fields: [] };
  let end = 2;
  while (end < text.length && text[end] !== ' ' && text[end] !== '(') end++;
  const name = text.slice(2, end);
  const args: Path[] = [];
  if (text[end] === '(') {
    let depth = 0;
    let from = end + 1;
    for (; end < text.length; end++) {
      const c = text[end];
      if (c === '(') depth++;
      else if (c === ')' && --depth === 0) break;
      else if (c === ';' && depth === 1) {
        args.push(text.slice(from, end));
        from = end + 1;
      }
    }
    args.push(text.slice(from, end));
    end++;
  }
  const rest = text.slice(end).trim();
  return { root, name, args, fields: rest === '' ? [] : rest.split(' ') };
}

const LOCK_TYPES = /^(?:mutex|rw_semaphore|semaphore|percpu_rw_semaphore|rt_mutex|ww_mutex)$/;

/** Where the directories of filesystems are. */
const FILESYSTEM = new RegExp(`^(?:fs/[^/]+|${MODULE})/`);

/** A header that user space includes, too. */
export function isUapi(file: string): boolean {
  return /(?:^|\/)include\/uapi\//.test(file);
}

/** The part of the kernel that a file belongs to; a module is one. */
export function directoryGroup(file: string): string {
  const parts = file.split('/');
  if (parts.length <= 2 || parts[0] === MODULE) return parts[0] ?? '';
  if (parts[0] === 'fs') return `fs/${parts[1]}`;
  if (parts[0] === 'drivers' || parts[0] === 'net' || parts[0] === 'sound' || parts[0] === 'arch') {
    return parts.length > 3 && parts[0] !== 'net' ? parts.slice(0, 3).join('/') : parts.slice(0, 2).join('/');
  }
  return parts[0]!;
}

/** The whole tree, linked: who calls whom, what type a path has, which lock class a path names. */
export class Index {
  readonly functions: Fn[] = [];
  readonly byName = new Map<string, Fn[]>();
  /** Edges by callee id. */
  readonly callers: Edge[][] = [];
  /** Edges by caller id. */
  readonly callees: Edge[][] = [];
  /** `struct.field` → functions stored there → parts of the kernel whose tables store them. */
  private readonly tables = new Map<string, Map<number, Set<string>>>();
  private readonly givenUp = new Map<number, string>();
  private membersByFunction: Map<number, string[]> | undefined;
  /** `struct.field` of members that are given functions elsewhere than in initialisers. */
  private readonly assigned = new Set<string>();
  /** `group struct.field` of every member that the group sets in a table of its own. */
  private readonly ownedTables = new Set<string>();
  /** Calls whose target stays unknown: fn id and CFG node. */
  readonly unresolved: { from: number; node: number }[] = [];
  /** Calls of functions that give hold of a file by name or descriptor. */
  readonly openings: { readonly fn: Fn; readonly op: CallOp; readonly kept: boolean }[] = [];
  /** Functions whose address is taken somewhere. */
  readonly addressTaken = new Set<number>();
  private readonly setParams = new Map<number, Set<number>>();
  /** Functions that may be called from where nobody looked: their address, or their name in a macro, got away. */
  readonly escaped = new Set<number>();
  /** Those of them that a module exports. */
  private readonly exported = new Set<number>();
  /** Functions that are stored in members which nobody calls, and those members. */
  readonly uncalled = new Map<number, string[]>();
  private readonly onlyUncalled = new Set<number>();
  readonly files = new Map<string, FileFacts>();
  /** Flags that a function turns into a mask, with the mask. */
  readonly maskFlags = new Map<string, string>();
  /** `function parameter` of those functions. */
  readonly flagReaders = new Set<string>();
  /** Directories below `fs/` that register a filesystem. */
  readonly filesystems = new Set<string>();

  private readonly tags = new Set<string>();
  private readonly structs = new Map<string, { file: string; fields: ReadonlyMap<string, string> }[]>();
  private readonly aliases = new Map<string, string>();
  private readonly typedefs = new Map<string, string>();
  private copied: Set<string> | undefined;
  private readonly typesByMember = new Map<string, ReadonlySet<string>>();
  /** See `unread`. */
  private readonly named = new Set<number>();
  /** By `struct.field`, see `onlyPrinted`. */
  private readonly printed = new Map<string, boolean>();
  /** `struct.field id` of functions that are in a member by `keptFunctions` only. */
  private readonly keptIn = new Set<string>();
  private wrappers: ReadonlySet<string> | undefined;
  private readonly fates = new Map<string, Fate>();
  /** Fates that are being worked out, by depth; and the lowest depth at which one was asked for again. */
  /** Members by which `leadsTo` was answered. */
  private readonly followed = new Set<string>();
  private keptTypes: ReadonlySet<string> | undefined;
  private declaring: ReadonlyMap<string, readonly string[]> | undefined;
  private readonly openFates = new Map<string, number>();
  /** By file and name of an array that only functions of the file use: functions in it. */
  private readonly arrays = new Map<string, Set<number>>();
  private lowestOpen = Number.POSITIVE_INFINITY;
  /** `struct.field` of every member that is called, `.field` where the struct is not known. */
  private readonly calledMembers = new Set<string>();
  private readonly waysOfParams = new Map<string, readonly Way[]>();
  private readonly linkedThrough = new Set<string>();
  private readonly globals = new Map<string, { file: string; type: string }[]>();
  private readonly prototypes = new Map<string, { returnType: string; params: readonly string[] }>();
  private readonly fieldTables = new Map<string, Set<number>>();
  private readonly lockFields = new Map<string, Set<string>>();
  private readonly constants = new Map<string, bigint | undefined>();
  private defining: ReadonlyMap<string, readonly FileFacts[]> | undefined;
  /** What `lookup` found for the file that was asked about last. */
  private readonly found = new Map<string, readonly Fn[]>();
  private foundFor = '';
  private readonly signatures = new Signatures(this);
  /** By function: what `onlySource` gives, or `SEVERAL`. */
  private readonly sources = new Map<number, Map<Path, Path>>();
  private readonly variableCache = new Map<number, Map<string, string>>();

  /** Is there a module beside the kernel? */
  readonly hasModule: boolean;

  /**
   * @param hasKernel false for a module alone: what calls it and what it calls outside of its own files is not known
   */
  constructor(
    all: readonly FileFacts[],
    readonly hasKernel = true,
  ) {
    const files = all.filter((file) => !isProgram(file));
    this.hasModule = files.some((file) => inModule(file.file));
    for (const file of files) this.declare(file);
    for (const file of files) this.fillTables(file);
    for (const file of files) {
      if (isUapi(file.file)) continue;
      for (const name of file.mentions)
        for (const fn of this.lookup(name, file.file)) this.escaped.add(fn.id);
    }
    for (const file of files) if (inModule(file.file)) this.namedByMacros(file);
    for (const fn of this.functions) this.assignedFunctions(fn);
    for (const fn of this.functions) this.keptFunctions(fn);
    this.copiedMembers();
    this.elementsOfArrays();
    for (let i = 0; i < this.functions.length; i++) {
      this.callees.push([]);
      this.callers.push([]);
    }
    for (const fn of this.functions) this.memberReads(fn);
    for (const fn of this.functions) this.linkCalls(fn);
    this.uncalledMembers();
  }

  private declare(file: FileFacts): void {
    this.files.set(file.file, file);
    for (const { flag, fn, param, mask } of file.maskFlags) {
      this.maskFlags.set(flag, mask);
      this.flagReaders.add(`${fn} ${param}`);
    }
    const group = directoryGroup(file.file);
    for (const facts of file.functions) {
      const fn: Fn = { id: this.functions.length, facts, file, group };
      this.functions.push(fn);
      // Nobody was seen to call what a macro names.
      if (!/^\w+$/.test(facts.name)) this.escaped.add(fn.id);
      const same = this.byName.get(facts.name);
      if (same) same.push(fn);
      else this.byName.set(facts.name, [fn]);
    }
    for (const tag of file.tags) this.tags.add(tag);
    for (const [tag, fields] of file.structs) {
      const entry = { file: file.file, fields: new Map(fields) };
      const same = this.structs.get(tag);
      if (same) same.push(entry);
      else this.structs.set(tag, [entry]);
      for (const [field, type] of fields) {
        if (!LOCK_TYPES.test(type)) continue;
        const owners = this.lockFields.get(field) ?? new Set();
        this.lockFields.set(field, owners.add(tag));
      }
    }
    for (const [name, target] of file.aliases) {
      if (!inModule(file.file)) this.aliases.set(name, target);
      else {
        this.aliases.set(`${MODULE} ${name}`, target);
        if (!this.aliases.has(name)) this.aliases.set(name, target);
      }
    }
    for (const [name, type] of file.typedefs) if (!this.typedefs.has(name)) this.typedefs.set(name, type);
    for (const [name, type] of file.globals) {
      const same = this.globals.get(name);
      const entry = { file: file.file, type };
      if (same) same.push(entry);
      else this.globals.set(name, [entry]);
      if (type === 'file_system_type' && FILESYSTEM.test(file.file)) this.filesystems.add(group);
    }
    for (const [name, returnType, params] of file.prototypes) {
      if (!this.prototypes.has(name)) this.prototypes.set(name, { returnType, params });
    }
  }

  /** Is code of this group shared by all filesystems (VFS, mm, fs/quota, fs/jbd2, lib …)? */
  isLibrary(group: string): boolean {
    return /^fs\//.test(group)
      ? !this.filesystems.has(group)
      : /^(?:fs|mm|lib|include|kernel|block|security|ipc|init)$/.test(group);
  }

  /**
   * Value of a constant as seen in the file: what that file says, or all others that define it. undefined if it can't be told,
   * or they differ.
   */
  constant(name: string, file: string, depth = 0): bigint | undefined {
    if (depth > 4) return undefined;
    const own = this.constantIn(name, this.files.get(file), depth);
    if (own !== null) return own;
    if (this.constants.has(name)) return this.constants.get(name);
    let found: bigint | undefined | null = null;
    for (const other of this.definingFiles().get(name) ?? []) {
      const value = this.constantIn(name, other, depth);
      if (value === null) continue;
      found = found === null || found === value ? value : undefined;
      if (found === undefined) break;
    }
    this.constants.set(name, found ?? undefined);
    return found ?? undefined;
  }

  /** By name of a constant: the files that define it. */
  private definingFiles(): ReadonlyMap<string, readonly FileFacts[]> {
    if (this.defining) return this.defining;
    const out = new Map<string, FileFacts[]>();
    for (const file of this.files.values()) {
      const { constants } = file;
      for (let at = 0; at >= 0 && at + 1 < constants.length; at = constants.indexOf('\n', at + 1)) {
        const name = constants.slice(at + 1, constants.indexOf(' ', at + 1));
        const same = out.get(name);
        if (!same) out.set(name, [file]);
        else if (same.at(-1) !== file) same.push(file);
      }
    }
    this.defining = out;
    return out;
  }

  /** null: the file does not define it. */
  private constantIn(name: string, file: FileFacts | undefined, depth: number): bigint | undefined | null {
    let found: bigint | undefined | null = null;
    const start = `\n${name} `;
    const text = file?.constants ?? '';
    for (let at = text.indexOf(start); at >= 0; at = text.indexOf(start, at + 1)) {
      const expression = text.slice(at + start.length, text.indexOf('\n', at + 1));
      const value = constantValue(expression, (other) => this.constant(other, file!.file, depth + 1));
      if (found !== null && found !== value) return undefined;
      found = value;
      if (value === undefined) return undefined;
    }
    return found;
  }

  // ---- names ------------------------------------------------------------------------------

  /**
   * Definitions that a use of `name` in `file` may mean, nearest first; several where the tree has several. A module's name is
   * the module's own where it defines it, else the kernel's; the kernel's never is a module's.
   */
  lookup(name: string, file: string): readonly Fn[] {
    if (file !== this.foundFor) {
      this.foundFor = file;
      this.found.clear();
    }
    let found = this.found.get(name);
    if (!found) {
      found = this.definitions(name, file);
      this.found.set(name, found);
    }
    return found;
  }

  private definitions(name: string, file: string): readonly Fn[] {
    // What the module has a macro for, be it to go with several kernels, is that in the module.
    const renamed = inModule(file) ? this.aliases.get(`${MODULE} ${name}`) : undefined;
    let all = renamed === undefined ? this.byName.get(name) : this.byName.get(renamed);
    for (let alias = this.aliases.get(renamed ?? name), i = 0; !all && alias !== undefined && i < 4; i++) {
      all = this.byName.get(alias);
      alias = this.aliases.get(alias);
    }
    if (!all) return [];
    const [only] = all;
    if (all.length === 1 && !this.hasModule)
      return only!.file.file === file || !only!.facts.isStatic || only!.file.file.endsWith('.h') ? all : [];
    const visible = this.linked(
      all.filter((f) => f.file.file === file || !f.facts.isStatic || f.file.file.endsWith('.h')),
      file,
      (f) => f.file.file,
    );
    const chosen = nearest(visible, file);
    // A header that declares the name, too, has a stand-in for where the real one is not built.
    const isStandIn = ({ facts, file: at }: Fn): boolean =>
      facts.isStatic && at.file.endsWith('.h') && at.prototypes.some(([declared]) => declared === name);
    if (!chosen.every(isStandIn)) return chosen;
    return [...chosen, ...visible.filter((f) => !f.facts.isStatic && !isElsewhere(f))];
  }

  /** Those of several things of one name that a file means: the module's only in the module, and there before the kernel's. */
  private linked<T>(all: readonly T[], near: string, fileOf: (one: T) => string): readonly T[] {
    if (!this.hasModule || all.length === 0) return all;
    const mine = all.filter((one) => inModule(fileOf(one)));
    if (inModule(near)) return mine.length > 0 ? mine : all;
    return mine.length > 0 ? all.filter((one) => !inModule(fileOf(one))) : all;
  }

  /** What a name stands for in the end; itself if it is no typedef. */
  resolveTypedef(type: string): string {
    let t = type;
    for (let i = 0; i < 8 && !this.structs.has(t); i++) {
      const next = this.typedefs.get(t);
      if (next === undefined) break;
      t = next;
    }
    return t;
  }

  /** Type of a member, or ''. `near` is the file that asks: private structs may share a tag. */
  fieldType(type: string, field: string, near: string): string {
    const entries = this.linked(this.structs.get(this.resolveTypedef(type)) ?? [], near, (s) => s.file);
    let best: string | undefined;
    let rank = -1;
    for (const entry of entries) {
      const found = entry.fields.get(field);
      if (found === undefined) continue;
      const r =
        entry.file === near
          ? 3
          : directoryGroup(entry.file) === directoryGroup(near)
            ? 2
            : entry.file.startsWith('include/')
              ? 1
              : 0;
      if (r > rank) {
        rank = r;
        best = found;
      }
    }
    return best ?? '';
  }

  fieldAt(type: string, position: number, near: string): string {
    const [first] = this.linked(this.structs.get(this.resolveTypedef(type)) ?? [], near, (s) => s.file);
    return first ? ([...first.fields.keys()][position] ?? '') : '';
  }

  private variables(fn: Fn): Map<string, string> {
    let vars = this.variableCache.get(fn.id);
    if (!vars) {
      vars = new Map([...fn.facts.params, ...fn.facts.locals]);
      for (const [, op] of fn.facts.calls) {
        const type = DECLARED_BY.get(op.fn);
        const declared = op.args[0] ?? '';
        if (type !== undefined && declared.startsWith('v:')) vars.set(declared.slice(2), type);
      }
      this.variableCache.set(fn.id, vars);
    }
    return vars;
  }

  isLocal(fn: Fn, name: string): boolean {
    return this.variables(fn).has(name);
  }

  /** Is it a variable, of the function or a global one, rather than a constant? */
  isVariable(fn: Fn, name: string): boolean {
    return this.isLocal(fn, name) || this.globals.has(name);
  }

  private globalType(name: string, file: string): string {
    const all = this.linked(this.globals.get(name) ?? [], file, (g) => g.file);
    return (all.find((g) => g.file === file && g.type !== '') ?? all.find((g) => g.type !== ''))?.type ?? '';
  }

  /** Struct tag or typedef-resolved type name of a path as seen in `fn`; '' where it is unknown. */
  typeOf(fn: Fn, path: Path, depth = 0): string {
    if (depth > 8) return '';
    const p = parsePath(path);
    let type = '';
    if (p.root === 't') type = p.name;
    else if (p.root === 'v') type = this.variables(fn).get(p.name) ?? this.globalType(p.name, fn.file.file);
    else if (p.root === 'c') type = this.resultType(fn, p, depth);
    // A generic pointer is what was assigned to it.
    if (p.root === 'v' && p.fields.length > 0 && (type === 'void' || type === '')) {
      const source = this.onlySource(fn, p.name);
      if (source !== '') type = this.typeOf(fn, source, depth + 1);
    }
    for (const field of p.fields) {
      if (type === '') return '';
      type = this.fieldType(type, field, fn.file.file);
    }
    return this.resolveTypedef(type);
  }

  private resultType(fn: Fn, p: ParsedPath, depth: number): string {
    if (this.variables(fn).has(p.name)) return '';
    for (const target of this.lookup(p.name, fn.file.file)) {
      if (!target.facts.isMacro) return target.facts.returnType;
      if (target.facts.value === '') continue;
      const value = this.substitute(target, target.facts.value, p.args);
      const type = this.typeOf(value.inCaller ? fn : target, value.path, depth + 1);
      if (type !== '') return type;
    }
    return this.prototypes.get(p.name)?.returnType ?? '';
  }

  /** A callee's path with its parameter replaced by the argument. */
  substitute(callee: Fn, path: Path, args: readonly Path[]): { path: Path; inCaller: boolean } {
    const p = parsePath(path);
    if (p.root === 'v') {
      const i = callee.facts.params.findIndex(([name]) => name === p.name);
      const arg = i < 0 ? undefined : args[i];
      if (arg !== undefined) {
        const base = arg[0] === '&' ? arg.slice(1) : arg;
        return { path: base === '' ? '' : [base, ...p.fields].join(' '), inCaller: true };
      }
    }
    return { path, inCaller: false };
  }

  /** The path that a local variable gets its value from, where there is just one; else ''. */
  onlySource(fn: Fn, name: string): Path {
    let sources = this.sources.get(fn.id);
    if (!sources) {
      sources = new Map();
      for (const { op } of fn.facts.cfg) {
        if ((op.k !== 'set' && op.k !== 'call') || !op.to.startsWith('v:')) continue;
        let from: Path;
        if (op.k === 'call') from = op.fn === '' ? '' : `c:${op.fn}(${op.args.join(';')})`;
        else if (op.from === '' || op.from[0] === '#') continue;
        else from = op.from;
        const before = sources.get(op.to);
        sources.set(op.to, before === undefined || before === '' || before === from ? from : SEVERAL);
      }
      this.sources.set(fn.id, sources);
    }
    const found = sources.get(`v:${name}`) ?? '';
    return found === SEVERAL ? '' : found;
  }

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
      const type = this.typeOf(fn, owner);
      if (type !== '') {
        const held = this.lockWrappers().has(type) ? this.lockClass(fn, owner, depth + 1) : '';
        if (held === '') return `${type}.${field}`;
        return /^param:\d+$/.test(held) ? `${held} ${field}` : held;
      }
      const param = p.root === 'v' ? fn.facts.params.findIndex(([name]) => name === p.name) : -1;
      if (param >= 0 && fn.facts.isMacro) return `param:${param} ${p.fields.join(' ')}`;
      // Without the kernel its structs are not known to have no such lock.
      const owners = this.hasKernel ? this.lockFields.get(field) : undefined;
      return owners?.size === 1 ? `${[...owners][0]}.${field}` : '';
    }
    if (p.root === 'v') {
      const param = fn.facts.params.findIndex(([name]) => name === p.name);
      if (param >= 0) return `param:${param}`;
      if (this.variables(fn).has(p.name)) {
        const source = this.onlySource(fn, p.name);
        return source === '' ? '' : this.lockClass(fn, source, depth + 1);
      }
      // `x##_mutex` of a macro, with blanks in the place of the operator: a name that the argument begins.
      const pasted = fn.facts.isMacro
        ? fn.facts.params.findIndex(([name]) => name !== '' && p.name.startsWith(`${name}__`))
        : -1;
      if (pasted >= 0) return `param:${pasted} ##${p.name.slice(fn.facts.params[pasted]![0].length + 2)}`;
      // What has an address and is no variable of the function is a global, of a header that was not read perhaps.
      const isGlobal = path[0] === '&' && !fn.facts.isMacro;
      return isGlobal || this.globals.has(p.name) || this.definesLock(fn, p.name) ? p.name : '';
    }
    if (p.root === 'c') {
      for (const target of this.lookup(p.name, fn.file.file)) {
        const value = target.facts.isMacro ? target.facts.value : this.returned(target);
        if (value === '') continue;
        if (value.startsWith('c:') && depth > 3) continue;
        const put = this.substitute(target, value, p.args);
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
    for (const definitions of this.structs.values())
      for (const { fields } of definitions) for (const type of fields.values()) members.add(type);
    for (const [tag, definitions] of this.structs) {
      if (!members.has(tag)) continue;
      const isSmall = definitions.every(({ fields }) => {
        const types = [...fields.values()];
        return types.length <= 3 && types.filter((type) => LOCK_TYPES.test(type)).length === 1;
      });
      if (isSmall && !LOCK_TYPES.test(tag)) found.add(tag);
    }
    const used = new Set<string>();
    this.wrappers = new Set();
    for (const fn of this.functions) {
      if (!fn.facts.locks) continue;
      const seen = new Map<string, string>();
      for (const [, op] of fn.facts.calls) {
        const primitive = LOCK_BY_NAME.get(op.fn);
        const path = (primitive && op.args[primitive.arg]?.replace(/^&/, '')) ?? '';
        const cut = path.lastIndexOf(' ');
        if (!primitive || cut < 0) continue;
        const type = this.typeOf(fn, path.slice(0, cut));
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

  /** The path of what a function returns, where its `return`s name one; else ''. */
  returned(fn: Fn): Path {
    let found = '';
    for (const { op } of fn.facts.cfg) {
      if (op.k !== 'ret' || op.value === '' || op.value[0] === '#') continue;
      const call = op.value[0] === '@' ? fn.facts.cfg[Number(op.value.slice(1))]?.op : undefined;
      found = call?.k === 'call' ? (call.fn === '' ? '' : `c:${call.fn}(${call.args.join(';')})`) : op.value;
    }
    return found;
  }

  /** Type of what a function known by name returns, '' where it is not known. */
  returnType(name: string, file: string): string {
    const target = this.lookup(name, file)[0];
    if (target && !target.facts.isMacro) return target.facts.returnType;
    return this.prototypes.get(name)?.returnType ?? '';
  }

  /** Types of the parameters of a function known by name, for functions without a definition too. */
  parameterTypes(name: string, file: string): readonly string[] {
    const target = this.lookup(name, file)[0];
    if (target && !target.facts.isMacro) return target.facts.params.map(([, type]) => type);
    return this.prototypes.get(name)?.params ?? [];
  }

  // ---- tables -----------------------------------------------------------------------------

  private fillTables(file: FileFacts): void {
    for (const entry of file.tables) {
      const within = entry.within === '' ? undefined : file.functions.find((f) => f.name === entry.within);
      const fn = within ? this.byName.get(entry.within)?.find((f) => f.facts === within) : undefined;
      this.addEntry(entry, file, fn);
    }
  }

  private addEntry(entry: TableEntry, file: FileFacts, within: Fn | undefined): void {
    if (within && this.isLocal(within, entry.fn)) return;
    const targets = this.lookup(entry.fn, file.file).filter((f) => !f.facts.isMacro);
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
      for (const field of p.fields) owner = owner === '' ? '' : this.fieldType(owner, field, file.file);
    }
    owner = this.resolveTypedef(owner);
    const field =
      entry.field[0] === '#' ? this.fieldAt(owner, Number(entry.field.slice(1)), file.file) : entry.field;
    if (field === '') {
      for (const target of targets) this.escaped.add(target.id);
      return;
    }
    for (const target of targets) this.store(owner, field, target.id, file.file);
  }

  private store(owner: string, field: string, id: number, file: string, assigned = false): void {
    this.addressTaken.add(id);
    const key = `${owner}.${field}`;
    if (assigned) {
      this.assigned.add(key);
      // Not only initialisers fill it, as was thought.
      if (this.followed.has(key)) this.fates.clear();
    }
    const group = directoryGroup(file);
    const typed = this.tables.get(key) ?? new Map<number, Set<string>>();
    this.tables.set(key, typed.set(id, (typed.get(id) ?? new Set()).add(group)));
    this.ownedTables.add(`${group} ${key}`);
    const named = this.fieldTables.get(field) ?? new Set();
    this.fieldTables.set(field, named.add(id));
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
        for (const fn of this.lookup(name, file.file)) {
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

  /** Where structs of that tag are defined. */
  definitionsOf(tag: string): readonly string[] {
    return (this.structs.get(tag) ?? []).map(({ file }) => file);
  }

  /** What is stored in the member may be called by code that was not read. */
  giveUp(member: string): void {
    for (const id of this.tableOwners(member).keys()) {
      this.escaped.add(id);
      this.givenUp.set(id, member);
    }
  }

  /** Files that were not read name functions of these names: what nobody was seen to call may be called there. */
  unread(names: ReadonlySet<string>): void {
    for (const name of names) {
      for (const fn of this.byName.get(name) ?? []) {
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

  /** Types of the members of that name, of whatever struct. */
  memberTypes(field: string): ReadonlySet<string> {
    let found = this.typesByMember.get(field);
    if (!found) {
      const all = [...this.structs.values()].flatMap((same) =>
        same.flatMap((s) => s.fields.get(field) ?? []),
      );
      found = new Set(all.map((type) => this.resolveTypedef(type)));
      this.typesByMember.set(field, found);
    }
    return found;
  }

  /** Is a pointer to such a struct, or the struct, in another one, or the result of a function? */
  isKept(tag: string): boolean {
    if (!this.keptTypes) {
      const found = new Set<string>();
      for (const definitions of this.structs.values())
        for (const { fields } of definitions)
          for (const type of fields.values()) found.add(this.resolveTypedef(type));
      for (const { facts } of this.functions) found.add(this.resolveTypedef(facts.returnType));
      for (const { returnType } of this.prototypes.values()) found.add(this.resolveTypedef(returnType));
      this.keptTypes = found;
    }
    return this.keptTypes.has(tag);
  }

  /** Is it the tag of a struct, not a macro that may stand for any type? */
  isTag(name: string): boolean {
    return /[a-z]/.test(name) || this.tags.has(name);
  }

  /** Is it a struct that some file defines? */
  isStruct(name: string): boolean {
    return this.structs.has(name);
  }

  /**
   * Does the call go through a member that only initialisers of tables fill, so that all it may lead to was seen, or through a
   * parameter, where it leads to what callers hand in?
   */
  isTable(fn: Fn, target: Path, depth = 0): boolean {
    const p = parsePath(target);
    if (p.fields.length === 0) {
      if (p.root !== 'v' || depth > 2) return false;
      const source = this.isLocal(fn, p.name) ? this.onlySource(fn, p.name) : '';
      return fn.facts.params.some(([name]) => name === p.name)
        ? source === ''
        : source !== '' && this.isTable(fn, source, depth + 1);
    }
    const cut = target.lastIndexOf(' ');
    const field = target.slice(cut + 1);
    const type = this.typeOf(fn, target.slice(0, cut));
    const key = `${type}.${field}`;
    return type !== '' && this.tables.has(key) && !this.assigned.has(key) && !this.isCopiedTo(type, field);
  }

  /** Is the member, or one of that name in a struct that is not known, given what another member holds? */
  private isCopiedTo(type: string, field: string): boolean {
    if (!this.copied) {
      this.copied = new Set();
      for (const fn of this.functions) {
        for (const [to] of fn.facts.memberReads) {
          const cut = to.lastIndexOf(' ');
          if (cut >= 0) this.copied.add(`${this.typeOf(fn, to.slice(0, cut))}${to.slice(cut)}`);
        }
      }
    }
    return this.copied.has(`${type} ${field}`) || this.copied.has(` ${field}`);
  }

  /** Is the expression that a call goes through a pointer? What is a macro, or a type in parentheses, looks like one. */
  isPointer(fn: Fn, target: Path): boolean {
    const p = parsePath(target);
    if (p.fields.length > 0) {
      const field = p.fields.at(-1)!;
      const type = this.typeOf(fn, target.slice(0, target.lastIndexOf(' ')));
      return !this.isStruct(type) || this.fieldType(type, field, fn.file.file) !== '';
    }
    return p.root === 'v' && !fn.facts.isMacro && !this.typedefs.has(p.name) && this.isVariable(fn, p.name);
  }

  /** Why not every caller of an escaped function is known, a clause. */
  whyEscaped(id: number): string {
    const member = this.givenUp.get(id);
    if (member !== undefined) return `it is called through ${member}, which too many files may use`;
    if (this.exported.has(id)) return 'it is exported to other modules';
    if (this.named.has(id)) return 'not all files that name it were read';
    const fields = this.hasKernel && this.onlyUncalled.has(id) ? (this.uncalled.get(id) ?? []) : [];
    const stored = this.membersOf(id).find((one) => fields.includes(one.slice(one.lastIndexOf('.') + 1)));
    if (stored !== undefined)
      return `it is stored in ${stored.replace(/^\W+/, '')}, which nobody was seen to call`;
    return this.hasKernel ? 'its address is kept' : 'its address is kept, and the kernel was not read';
  }

  /** `x->field = function;`, `pointer = function;` and `return function;` in a body. */
  private assignedFunctions(fn: Fn): void {
    for (const [to, name] of fn.facts.references) {
      if (!this.byName.has(name) && !this.aliases.has(name)) continue;
      const cut = to.lastIndexOf(' ');
      for (const target of this.lookup(name, fn.file.file)) {
        if (target.facts.isMacro) continue;
        this.addressTaken.add(target.id);
        if (cut >= 0)
          this.store(this.typeOf(fn, to.slice(0, cut)), to.slice(cut + 1), target.id, fn.file.file, true);
        else {
          const { known, members } = this.functionsIn(fn, to).includes(name)
            ? this.fateIn(fn, to.slice(2), 0)
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
      const isOnlyCalled = this.isOnlyCalled(this.files.get(file)!, name);
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
      if (name === undefined || !this.isLocal(fn, name) || !isIt(this.onlySource(fn, name))) return false;
      const { known, members } = this.fateIn(fn, name, 0);
      return known && members.length === 0 && !fn.facts.calls.some(([, op]) => op.args.includes(to));
    };
    // One that nobody calls is read by whom the linker tells where it is.
    const isCalledAt = ({ calls, references }: FunctionFacts): boolean =>
      references.some(([, name]) => name === array) || calls.some(([, op]) => isIt(op.target));
    if (!file.functions.some(isCalledAt)) return false;
    return file.functions.every((facts) => {
      const fn = this.byName.get(facts.name)!.find((one) => one.facts === facts)!;
      if (this.isLocal(fn, array)) return true;
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
    if (name === undefined || this.isLocal(fn, name)) return NONE;
    return this.arrays.get(`${fn.file.file} ${name}`) ?? NONE;
  }

  /**
   * Names of the functions that an argument or what is called may be: the one that it names, or those that a local variable is set
   * to, whatever else it may hold.
   */
  functionsIn(fn: Fn, path: Path): readonly string[] {
    const name = nameIn(path);
    if (name === undefined) return [];
    if (!this.isLocal(fn, name)) return this.byName.has(name) || this.aliases.has(name) ? [name] : [];
    const to = `v:${name}`;
    return [...new Set(fn.facts.references.flatMap(([at, function_]) => (at === to ? [function_] : [])))];
  }

  /** May a local variable hold something else than functions that it is set to by name? */
  private holdsOther(fn: Fn, name: string, names: readonly string[]): boolean {
    const to = `v:${name}`;
    const isOne = (from: Path): boolean => from === '#0' || names.includes(from.replace(/^&?v:/, ''));
    return fn.facts.cfg.some(
      ({ op }) => (op.k === 'set' && op.to === to && !isOne(op.from)) || (op.k === 'call' && op.to === to),
    );
  }

  /** Functions stored in a member (`super_operations.evict_inode`), each with the parts of the kernel that store it. */
  tableOwners(member: string): ReadonlyMap<number, ReadonlySet<string>> {
    return this.tables.get(member) ?? new Map();
  }

  /** The members (`super_operations.evict_inode`) in which a function is stored. */
  membersOf(id: number): readonly string[] {
    if (!this.membersByFunction) {
      this.membersByFunction = new Map();
      for (const [member, functions] of this.tables) {
        for (const fn of functions.keys()) {
          const members = this.membersByFunction.get(fn);
          if (members) members.push(member);
          else this.membersByFunction.set(fn, [member]);
        }
      }
    }
    return this.membersByFunction.get(id) ?? [];
  }

  /** Has a struct of that tag a member of that type? */
  hasMember(tag: string, type: string): boolean {
    return (this.structs.get(tag) ?? []).some(({ fields }) => [...fields.values()].includes(type));
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

  // ---- calls ------------------------------------------------------------------------------

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
    for (const [member, functions] of this.tables) {
      const field = member.slice(member.lastIndexOf('.'));
      const isCalled = this.calledMembers.has(member);
      // The kernel calls through tables of its own types.
      const definitions = this.structs.get(member.slice(0, -field.length)) ?? [];
      const isSeen = this.hasKernel || definitions.some(({ file }) => inModule(file));
      if (isCalled && isSeen) continue;
      if (isSeen && this.onlyPrinted(member.slice(0, -field.length), field.slice(1))) continue;
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

  /**
   * Is the member a `void *` of a struct that one directory knows, and does nobody there do with its value but print and test it?
   * A function in it is there to be shown.
   */
  private onlyPrinted(struct: string, field: string): boolean {
    const key = `${struct}.${field}`;
    let answer = this.printed.get(key);
    if (answer === undefined) {
      answer = this.isOnlyPrinted(struct, field);
      this.printed.set(key, answer);
    }
    return answer;
  }

  private isOnlyPrinted(struct: string, field: string): boolean {
    const definitions = this.structs.get(struct) ?? [];
    const [first] = definitions;
    if (!first || definitions.some(({ file, fields }) => fields.get(field) !== 'void' || isPublic(file)))
      return false;
    const group = directoryGroup(first.file);
    const end = ` ${field}`;
    const isIt = (path: Path): boolean => path.endsWith(end);
    return this.functions.every(
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

  private linkCalls(fn: Fn): void {
    const { arms } = fn.facts;
    for (const [node, op] of fn.facts.calls) {
      if (arms && !arms.some((a) => a.start <= op.start && op.start < a.end)) continue;
      this.linkCall(fn, node, op);
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
      if (op.k === 'call') this.setByMacros(op, this.lookup(op.fn, macro.file.file));
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
    if (op.fn !== '' && !this.isLocal(fn, op.fn)) {
      const targets = this.lookup(op.fn, fn.file.file);
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
      const names = this.functionsIn(fn, arg);
      // What user space includes as well names no function of the kernel: `FN(sys_close, 168)` of include/uapi/linux/bpf.h.
      if (names.length === 0 || isUapi(fn.file.file)) continue;
      const fate = this.fate(fn, op, position);
      const registered = isRegistrar(op.fn, position);
      // `x(io_write, 1)` in a macro may be a name for whatever `x` makes of it.
      const mayPaste = fn.facts.isMacro && op.fn !== '' && !isPublic(fn.file.file);
      for (const target of names.flatMap((name) => this.lookup(name, fn.file.file))) {
        if (target.facts.isMacro || (mayPaste && !this.isDeclaredFor(fn.file.file, target))) continue;
        this.addressTaken.add(target.id);
        // Of a registrar it is known what it does, read or not. A member that comes out only now was not filled.
        const isFollowed =
          fate.known &&
          (registered ||
            fate.members.every(({ owner, field }) => this.tables.get(`${owner}.${field}`)?.has(target.id)));
        if (!isFollowed && (this.hasKernel || !registered)) this.escaped.add(target.id);
        if (!registered) {
          for (const at of fate.registered) this.linkInner(at, target.id, 'callback', at.by);
          if (fate.known && !fate.called) continue;
        }
        const ways = fate.known ? this.ways(fn, op, position) : [];
        if (ways.length >= MAX_WAYS) this.escaped.add(target.id);
        this.edge(fn, target.id, node, 'typed', 'callback', '', { inner: ways, handedTo: op.fn });
        for (const way of ways) this.linkInner(way.at(-1)!, target.id, 'through');
      }
    }
  }

  /** Does a header for all, or a file of its part of the kernel, say to a file that there is such a function? */
  private isDeclaredFor(file: string, { file: own, facts: { name } }: Fn): boolean {
    const isSeen = (at: string): boolean => isPublic(at) || directoryGroup(at) === directoryGroup(file);
    return own.file === file || [own.file, ...(this.declaringFiles().get(name) ?? [])].some(isSeen);
  }

  /** By function that was read: files with a prototype. */
  private declaringFiles(): ReadonlyMap<string, readonly string[]> {
    if (this.declaring) return this.declaring;
    const found = new Map<string, string[]>();
    for (const { file, prototypes } of this.files.values()) {
      for (const [name] of prototypes) {
        if (!this.byName.has(name)) continue;
        const same = found.get(name);
        if (same) same.push(file);
        else found.set(name, [file]);
      }
    }
    this.declaring = found;
    return found;
  }

  /** `call(mapping->a_ops->read_folio)`: what is stored in the member is called by whom it is handed to, on behalf of `fn`. */
  private linkHandedMember(fn: Fn, node: number, op: CallOp, position: number, arg: Path): void {
    const cut = arg.lastIndexOf(' ');
    const field = arg.slice(cut + 1);
    if (cut < 0 || arg[0] === '&' || !this.fieldTables.has(field)) return;
    const type = this.typeOf(fn, arg.slice(0, cut));
    const via = `${type}.${field}`;
    const found = type === '' ? undefined : this.tables.get(via);
    if (!found) return;
    const fate = this.fate(fn, op, position);
    const members = fate.members.filter(({ owner, field }) => !this.onlyPrinted(owner, field));
    const followed =
      fate.known &&
      fate.registered.length === 0 &&
      members.every((member) => this.holdsAll(member, found.keys()));
    const isCalled = !followed || fate.called;
    // Whoever calls the member in which the callee keeps it calls it.
    if (isCalled || members.length > 0) this.calledMembers.add(via);
    if (!isCalled) return;
    const ways = followed ? this.ways(fn, op, position) : [];
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
      if (!this.fieldTables.has(field)) continue;
      const via = `${this.typeOf(fn, from.slice(0, cut))}.${field}`;
      const found = this.tables.get(via);
      if (!found) continue;
      // Whoever calls the member that it was copied into calls it.
      if (this.memberAt(fn, to).length > 0) {
        this.calledMembers.add(via);
        continue;
      }
      const name = /^v:(\w+)$/.exec(to)?.[1];
      const fate = name !== undefined && this.isLocal(fn, name) ? this.fateIn(fn, name, 0) : LOST;
      if (!fate.known || fate.members.length > 0 || fate.registered.length > 0) {
        for (const id of found.keys()) this.escaped.add(id);
        continue;
      }
      this.calledMembers.add(via);
      for (const [node, op] of fn.facts.calls) {
        // Where there is just this source, `linkPointer` sees it.
        if ((op.fn === name || op.target === to) && this.onlySource(fn, name!) !== from) {
          for (const id of found.keys()) this.edge(fn, id, node, 'typed', 'table', via);
        }
        for (const [position, arg] of op.args.entries())
          if (arg === to) this.linkHandedMember(fn, node, op, position, from);
      }
    }
  }

  private holdsAll({ owner, field }: Member, functions: Iterable<number>): boolean {
    const held = this.tables.get(`${owner}.${field}`);
    return [...functions].every((id) => held?.has(id));
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
        if (to.includes(' ')) note(fn, from, () => this.memberAt(fn, to));
      for (const [, op] of fn.facts.calls) {
        for (const [position, arg] of op.args.entries()) {
          if (arg.includes(' ') && arg[0] !== '&' && this.fieldTables.has(fieldOf(arg)))
            note(fn, arg, () => this.fate(fn, op, position).members);
        }
      }
    }
    const fields = new Set([...byField.keys()].filter((field) => this.fieldTables.has(field)));
    for (const field of fields) {
      // Of a member that was not seen to be set yet it is asked again once it is.
      fields.delete(field);
      for (const { fn, from, to } of byField.get(field) ?? []) {
        const source = this.tables.get(`${this.typeOf(fn, from.slice(0, from.lastIndexOf(' ')))}.${field}`);
        if (!source) continue;
        for (const member of to()) {
          const key = `${member.owner}.${member.field}`;
          for (const id of [...source.keys()]) {
            if (this.tables.get(key)?.has(id)) continue;
            this.keptIn.add(`${key} ${id}`);
            this.store(member.owner, member.field, id, fn.file.file, true);
            if (byField.has(member.field)) fields.add(member.field);
          }
        }
      }
    }
  }

  /** The member that a path names; none where it names none or the struct is not known. */
  private memberAt(fn: Fn, path: Path): readonly Member[] {
    const cut = path.lastIndexOf(' ');
    const owner = cut < 0 ? '' : this.typeOf(fn, path.slice(0, cut));
    const field = path.slice(cut + 1);
    return owner !== '' && /^\w+$/.test(field) ? [{ owner, field }] : [];
  }

  /** `setup(work, function)`: where the callee keeps its argument in a member, the function is stored there. */
  private keptFunctions(fn: Fn): void {
    if (!fn.facts.handsNames && fn.facts.references.length === 0) return;
    for (const [, op] of fn.facts.calls) {
      for (const [position, arg] of op.args.entries()) {
        const isValue = arg[0] === 'v' || (arg.startsWith('&v:') && !this.isLocal(fn, arg.slice(3)));
        const names = isValue ? this.functionsIn(fn, arg) : [];
        if (names.length === 0 || isRegistrar(op.fn, position)) continue;
        const { known, members } = this.fate(fn, op, position);
        if (!known || members.length === 0) continue;
        for (const target of names.flatMap((name) => this.lookup(name, fn.file.file))) {
          if (target.facts.isMacro) continue;
          for (const { owner, field } of members) {
            const key = `${owner}.${field}`;
            if (!this.tables.get(key)?.has(target.id)) this.keptIn.add(`${key} ${target.id}`);
            this.store(owner, field, target.id, fn.file.file, true);
          }
        }
      }
    }
  }

  /**
   * What a call leads to, with a key that names it: the functions of that name, or those in a member that only initialisers of tables
   * fill. undefined where neither says it.
   */
  private leadsTo(fn: Fn, { fn: name, target }: CallOp): { key: string; targets: readonly Fn[] } | undefined {
    const { file } = fn.file;
    if (name !== '') return { key: `${name} ${file}`, targets: this.lookup(name, file) };
    const cut = target.lastIndexOf(' ');
    if (cut < 0 || !this.isTable(fn, target)) return undefined;
    const via = `${this.typeOf(fn, target.slice(0, cut))}.${target.slice(cut + 1)}`;
    this.followed.add(via);
    return { key: via, targets: [...this.tables.get(via)!.keys()].map((id) => this.functions[id]!) };
  }

  /** What becomes of a function pointer that a call hands over. */
  private fate(fn: Fn, op: CallOp, position: number, depth = 0): Fate {
    if (onlyPrints(op.fn)) return NOTHING;
    const called = this.leadsTo(fn, op);
    if (!called || called.targets.length === 0) return TRACEPOINT.test(op.fn) ? NOTHING : LOST;
    const key = `${called.key} ${position}`;
    const known = this.fates.get(key);
    if (known) return known;
    const open = this.openFates.get(key);
    if (open !== undefined) {
      // Recursion adds nothing, but what is found below it is not all there is.
      this.lowestOpen = Math.min(this.lowestOpen, open);
      return NOTHING;
    }
    this.openFates.set(key, depth);
    const each = called.targets.map((target) => {
      const { params } = target.facts;
      const param = params[position]?.[0];
      if (depth >= MAX_FATE_DEPTH) return LOST;
      if (param !== undefined) return this.fateIn(target, param, depth);
      if (target.facts.isMacro) return this.fateInRest(target, position - params.length, depth);
      return isFormat(params.at(-1)) ? NOTHING : LOST;
    });
    const answer = each.reduce(bothFates, NOTHING);
    this.openFates.delete(key);
    // In a ring of functions only the one asked for first is known in full.
    this.fates.set(key, this.lowestOpen < depth ? LOST : answer);
    if (this.lowestOpen >= depth) this.lowestOpen = Number.POSITIVE_INFINITY;
    return answer;
  }

  /** The same for the argument of a macro that is so many places behind its last parameter. */
  private fateInRest(macro: Fn, behind: number, depth: number): Fate {
    const isHandedOn = (name: string): boolean =>
      macro.facts.calls.some(([, op]) => op.args.includes(`v:${name}`));
    const last = macro.facts.params.at(-1)?.[0] ?? '';
    const rest = REST.filter(isHandedOn);
    if (rest.length === 0) return isHandedOn(last) ? this.fateIn(macro, last, depth, behind + 1) : LOST;
    return rest.map((name) => this.fateIn(macro, name, depth, behind)).reduce(bothFates, NOTHING);
  }

  /** The same for a variable or parameter of a function; what it hands on comes `shift` places behind where its name stands. */
  private fateIn(fn: Fn, name: string, depth: number, shift = 0): Fate {
    if (fn.facts.lost.includes(name)) return LOST;
    const path = `v:${name}`;
    let fate = NOTHING;
    const goesTo = (owner: string, field: string): Fate =>
      owner === '' || field === '' ? LOST : { ...NOTHING, members: [{ owner, field }] };
    const entries = fn.file.tables.filter((entry) => entry.within === fn.facts.name && entry.fn === name);
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      if (op.k === 'ret' && op.value === path) return LOST;
      if (op.k === 'set' && op.from === `&${path}`) return LOST;
      if (op.k === 'set' && op.from === path) {
        const cut = op.to.lastIndexOf(' ');
        if (cut < 0) return LOST;
        const field = op.to.slice(cut + 1);
        // In an initialiser: what is initialised the table below says.
        if (op.to.startsWith('t:?') && entries.some((entry) => entry.field === field)) continue;
        fate = bothFates(fate, goesTo(this.typeOf(fn, op.to.slice(0, cut)), field));
      }
      if (op.k !== 'call') continue;
      if (op.fn === name || op.target === path) fate = bothFates(fate, { ...NOTHING, called: true });
      for (const [i, arg] of op.args.entries()) {
        if (arg.replace(/^[&~]/, '') !== path) continue;
        if (arg !== path) return LOST;
        if (isRegistrar(op.fn, i))
          fate = bothFates(fate, { ...NOTHING, registered: [{ fn: fn.id, node, by: op.fn }] });
        else fate = bothFates(fate, this.fate(fn, op, i + shift, depth + 1));
      }
      if (!fate.known) return LOST;
    }
    for (const entry of entries) {
      const owner = this.resolveTypedef(entry.struct);
      const field =
        entry.field[0] === '#'
          ? this.fieldAt(owner, Number(entry.field.slice(1)), fn.file.file)
          : entry.field;
      fate = bothFates(fate, goesTo(owner, field));
    }
    return fate;
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

  /** How what a call leads to comes to call the argument; not all that there are, where these are `MAX_WAYS`. */
  private ways(fn: Fn, op: CallOp, position: number, depth = 0): readonly Way[] {
    const called = this.leadsTo(fn, op);
    if (!called) return [];
    const key = `${called.key} ${position}`;
    const known = this.waysOfParams.get(key);
    if (known) return known;
    // Recursion brings no way that is not found without it.
    this.waysOfParams.set(key, []);
    const out: Way[] = [];
    for (const target of called.targets) {
      const param = target.facts.params[position]?.[0];
      if (param === undefined || depth > 6) continue;
      for (const [node, op] of target.facts.calls) {
        const here = { fn: target.id, node };
        if (op.fn === param || op.target === `v:${param}`) out.push([here]);
        for (const [i, arg] of op.args.entries()) {
          if (arg.replace(/^[&~]/, '') !== `v:${param}`) continue;
          for (const way of this.ways(target, op, i, depth + 1)) out.push([here, ...way]);
        }
      }
    }
    const found = out.slice(0, MAX_WAYS);
    this.waysOfParams.set(key, found);
    return found;
  }

  /** Does a function that is stored in a member of that name fit a call through one, by types? */
  private mayLead(fn: Fn, node: number, target: Path, id: number): boolean {
    const { op } = fn.facts.cfg[node]!;
    const pointer = writtenSignature(this.typeOf(fn, target));
    const to = this.functions[id]!;
    if (pointer) return this.signatures.areAlike(pointer, to);
    return op.k !== 'call' || this.signatures.takes(to, fn, op);
  }

  /** A call through a member leads to what is stored there. */
  private linkMember(fn: Fn, node: number, via: string): ReadonlyMap<number, unknown> | undefined {
    this.calledMembers.add(via);
    const found = this.tables.get(via);
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
      const type = this.typeOf(fn, target.slice(0, target.lastIndexOf(' ')));
      if (type !== '') {
        const via = `${type}.${field}`;
        const found = this.linkMember(fn, node, via);
        if (!found) this.unresolved.push({ from: fn.id, node });
        // What was stored through a pointer of unknown type may be meant here, too.
        for (const id of this.tables.get(`.${field}`)?.keys() ?? []) {
          if (!found?.has(id) && this.mayLead(fn, node, target, id))
            this.edge(fn, id, node, 'name', 'table', via);
        }
        return;
      }
      this.calledMembers.add(`.${field}`);
      const found = [...(this.fieldTables.get(field) ?? [])].filter((id) =>
        this.mayLead(fn, node, target, id),
      );
      for (const id of found) this.edge(fn, id, node, 'name', 'table', `?.${field}`);
      if (found.length === 0) this.unresolved.push({ from: fn.id, node });
      return;
    }
    if (p.root === 'v') {
      const source = this.isLocal(fn, p.name) ? this.onlySource(fn, p.name) : '';
      const local = parsePath(source);
      const elements = this.elementsOf(fn, this.isLocal(fn, p.name) ? source : target);
      for (const id of elements) this.edge(fn, id, node, 'typed', 'pointer');
      if (elements.size > 0) return;
      if (local.fields.length > 0) {
        this.linkPointer(fn, node, source);
        return;
      }
      const names = this.functionsIn(fn, target);
      if (names.length > 0) {
        for (const t of names.flatMap((name) => this.lookup(name, fn.file.file)))
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

/** A program that is built to run beside the kernel, or before it. */
function isProgram({ functions }: FileFacts): boolean {
  return functions.some((fn) => fn.name === 'main' && !fn.isStatic);
}

/** Is it built for something else than a kernel on a machine? */
function isElsewhere({ file }: Fn): boolean {
  return file.file.startsWith('tools/') || file.file.startsWith('arch/um/');
}

/** Of definitions of one name, those that a use in the file means. */
function nearest(visible: readonly Fn[], file: string): readonly Fn[] {
  const own = visible.filter((f) => f.file.file === file);
  if (own.length > 0) return own;
  if (visible.length <= 1) return visible;
  const directory = file.slice(0, file.lastIndexOf('/') + 1);
  const near = visible.filter((f) => f.file.file.startsWith(directory));
  if (near.length > 0) return near;
  const common = visible.filter((f) => !isElsewhere(f));
  // A header's function of another directory is not visible here unless it is a common one.
  const shared = common.filter((f) => !f.file.file.endsWith('.h') || f.file.file.startsWith('include/'));
  return shared.length > 0 ? shared : common;
}
