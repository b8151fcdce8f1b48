import { constantValue } from '../parse/constants.js';
import type { FileFacts, FunctionFacts } from '../parse/facts.js';
import { inModule, MODULE } from '../tree/kernel-tree.js';

/** One function of the tree. `id` is its index in `Index.functions`. */
export interface Fn {
  readonly id: number;
  readonly facts: FunctionFacts;
  readonly file: FileFacts;
  /** Which part of the kernel it belongs to: `fs/ext4`, `mm`, `drivers/md`, … */
  readonly group: string;
}

/** A struct as one file defines it. */
interface Struct {
  readonly file: string;
  /** Types by name of the member, in order. */
  readonly fields: ReadonlyMap<string, string>;
}

/** May code of other directories include it? */
export function isPublic(file: string): boolean {
  return /(?:^|\/)include\//.test(file);
}

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

/** What the names in the files of a tree mean where they stand, as C has it: functions, types, members, constants. */
export class Names {
  readonly functions: Fn[] = [];
  readonly byName = new Map<string, Fn[]>();
  readonly files = new Map<string, FileFacts>();
  /** Flags that a function turns into a mask, with the mask. */
  readonly maskFlags = new Map<string, string>();
  /** `function parameter` of those functions. */
  readonly flagReaders = new Set<string>();
  /** Directories below `fs/` that register a filesystem. */
  readonly filesystems = new Set<string>();
  /** Is there a module beside the kernel? */
  readonly hasModule: boolean;

  private readonly tags = new Set<string>();
  private readonly structsByTag = new Map<string, Struct[]>();
  private readonly aliases = new Map<string, string>();
  private readonly typedefs = new Map<string, string>();
  private readonly globals = new Map<string, { file: string; type: string }[]>();
  private readonly prototypes = new Map<string, { returnType: string; params: readonly string[] }>();
  private readonly typesByMember = new Map<string, ReadonlySet<string>>();
  private keptTypes: ReadonlySet<string> | undefined;
  private declaring: ReadonlyMap<string, readonly string[]> | undefined;
  private readonly constants = new Map<string, bigint | undefined>();
  private defining: ReadonlyMap<string, readonly FileFacts[]> | undefined;
  /** What `lookup` found for the file that was asked about last. */
  private readonly found = new Map<string, readonly Fn[]>();
  private foundFor = '';

  /** Programs that run beside the kernel are left out. */
  constructor(all: readonly FileFacts[]) {
    const files = all.filter((file) => !isProgram(file));
    this.hasModule = files.some((file) => inModule(file.file));
    for (const file of files) this.declare(file);
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
      const same = this.byName.get(facts.name);
      if (same) same.push(fn);
      else this.byName.set(facts.name, [fn]);
    }
    for (const tag of file.tags) this.tags.add(tag);
    for (const [tag, fields] of file.structs) {
      const entry = { file: file.file, fields: new Map(fields) };
      const same = this.structsByTag.get(tag);
      if (same) same.push(entry);
      else this.structsByTag.set(tag, [entry]);
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
    for (let i = 0; i < 8 && !this.structsByTag.has(t); i++) {
      const next = this.typedefs.get(t);
      if (next === undefined) break;
      t = next;
    }
    return t;
  }

  /** Type of a member, or ''. `near` is the file that asks: private structs may share a tag. */
  fieldType(type: string, field: string, near: string): string {
    const entries = this.linked(this.structsByTag.get(this.resolveTypedef(type)) ?? [], near, (s) => s.file);
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
    const [first] = this.linked(this.structsByTag.get(this.resolveTypedef(type)) ?? [], near, (s) => s.file);
    return first ? ([...first.fields.keys()][position] ?? '') : '';
  }

  globalType(name: string, file: string): string {
    const all = this.linked(this.globals.get(name) ?? [], file, (g) => g.file);
    return (all.find((g) => g.file === file && g.type !== '') ?? all.find((g) => g.type !== ''))?.type ?? '';
  }

  /** Type of what a function known by name returns, '' where it is not known. */
  returnType(name: string, file: string): string {
    const target = this.lookup(name, file)[0];
    if (target && !target.facts.isMacro) return target.facts.returnType;
    return this.declaredType(name);
  }

  /** Types of the parameters of a function known by name, for functions without a definition too. */
  parameterTypes(name: string, file: string): readonly string[] {
    const target = this.lookup(name, file)[0];
    if (target && !target.facts.isMacro) return target.facts.params.map(([, type]) => type);
    return this.prototypes.get(name)?.params ?? [];
  }

  /** Where structs of that tag are defined. */
  definitionsOf(tag: string): readonly string[] {
    return (this.structsByTag.get(tag) ?? []).map(({ file }) => file);
  }

  /** Types of the members of that name, of whatever struct. */
  memberTypes(field: string): ReadonlySet<string> {
    let found = this.typesByMember.get(field);
    if (!found) {
      const all = [...this.structsByTag.values()].flatMap((same) =>
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
      for (const definitions of this.structsByTag.values())
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
    return this.structsByTag.has(name);
  }

  /** Has a struct of that tag a member of that type? */
  hasMember(tag: string, type: string): boolean {
    return (this.structsByTag.get(tag) ?? []).some(({ fields }) => [...fields.values()].includes(type));
  }

  /** Does a header for all, or a file of its part of the kernel, say to a file that there is such a function? */
  isDeclaredFor(file: string, { file: own, facts: { name } }: Fn): boolean {
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

  /** Every struct that is defined, by its tag. */
  get structs(): ReadonlyMap<string, readonly Struct[]> {
    return this.structsByTag;
  }

  /** Does the name stand for a function, or for what stands for one? */
  mayBeFunction(name: string): boolean {
    return this.byName.has(name) || this.aliases.has(name);
  }

  isTypedef(name: string): boolean {
    return this.typedefs.has(name);
  }

  isGlobal(name: string): boolean {
    return this.globals.has(name);
  }

  /** Type of what a function of that name returns as prototypes have it; '' where there is none. */
  declaredType(name: string): string {
    return this.prototypes.get(name)?.returnType ?? '';
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
