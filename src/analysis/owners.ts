import { dirname } from 'node:path';
import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { BLOCK_LAYER, MOUNT_MEMBERS, MOUNTS, SUBMOUNTS } from '../kernel/layers.js';
import { FOREIGN_MEMBERS, MEMORY_FILES, WANTED_OF_OTHERS } from '../kernel/openers.js';
import type { CallOp, Path } from '../parse/facts.js';

/** Parts of the kernel that open files and paths by trade: having an opener says nothing of what they work on. */
const VFS = /^(?:fs|mm|include|block|kernel|security|init|lib|ipc)$/;

const MOUNT_NAMES: ReadonlySet<string> = new Set(MOUNTS.map(({ name }) => name));
/** Functions that make something that is no other filesystem's. */
const MADE_FOR_OWN: ReadonlySet<string> = new Set([...MEMORY_FILES, ...SUBMOUNTS].map(({ name }) => name));

/** End an owner: on the way up from a filesystem's code the block layer was met, or a driver. */
const BLOCK = '>';
const DRIVER = '>>';

/** Ends the name of an owner whose table its caller named (`iomap_dio_rw(…, &ops)`), so that no other filesystem can have it. */
const NAMED = '=';

/** The owner that stands for all filesystems none of whose own functions is further up. */
const OTHER = '*';

/** Code of filesystems and what they share. */
const FILESYSTEMS = /^fs(?:\/|$)/;

/** Code that says nothing of where a path is. */
const EVERYWHERE = /^(?:include|lib|kernel)$/;

/** Types of the global variables in which a part of the kernel keeps the filesystem that it mounted for itself. */
const OWN_MOUNTS = /^(?:vfsmount|super_block)$/;

/** Does the VFS see to it that two objects have the same function in the member (`in->f_op->f != out->f_op->f`)? */
function comparesMember(index: Index, member: string): boolean {
  const end = ` ${member.slice(member.lastIndexOf('.') + 1)}`;
  return index.functions.some(
    ({ group, facts }) =>
      group === 'fs' &&
      facts.cfg.some(
        ({ op }) => op.k === 'test' && op.on.endsWith(end) && /^== /.test(op.rel) && op.rel.endsWith(end),
      ),
  );
}

/** Is a type of filesystem declared in the function's file? */
function registersOne({ file }: Fn): boolean {
  return file.globals.some(([, type]) => type === 'file_system_type');
}

/**
 * Functions outside of `fs/` that mount or unmount a filesystem of their own (binderfs, resctrl, devtmpfs), and what only
 * they call there. Those of a directory in which one of them opens something are left out.
 */
function mountersOf(index: Index, isCaller: (edge: Edge) => boolean): Set<number> {
  const directories = new Set<string>();
  for (const fn of index.functions)
    if (!FILESYSTEMS.test(fn.group) && registersOne(fn)) directories.add(dirname(fn.file.file));
  const byDirectory = new Map<string, Set<number>>();
  for (const { member } of MOUNT_MEMBERS) {
    for (const id of index.members.tableOwners(member).keys()) {
      const directory = dirname(index.functions[id]!.file.file);
      if (!directories.has(directory)) continue;
      byDirectory.set(directory, (byDirectory.get(directory) ?? new Set()).add(id));
    }
  }
  const opening = new Set(index.openings.map(({ fn }) => fn.id));
  const mounters = new Set<number>();
  for (const [directory, met] of byDirectory) {
    const others = index.functions.filter(({ file }) => dirname(file.file) === directory);
    for (let before = -1; before !== met.size; ) {
      before = met.size;
      for (const { id } of others) {
        const calls = index.callers[id]!.filter(isCaller);
        const isOnly = calls.length > 0 && calls.every(({ from }) => met.has(from));
        if (isOnly && !index.escaped.has(id)) met.add(id);
      }
    }
    if ([...met].every((id) => !opening.has(id))) for (const id of met) mounters.add(id);
  }
  return mounters;
}

/** What a local variable is set to: paths, and the functions whose results it gets as `c:name`. */
function sourcesOf({ facts }: Fn, variable: Path): Path[] {
  return facts.cfg.flatMap(({ op }) => {
    if (op.k === 'set' && op.to === variable) return [op.from];
    if (op.k === 'call' && op.sets?.includes(variable)) return [''];
    return op.k === 'call' && op.to === variable ? [`c:${op.fn}`] : [];
  });
}

/** Is what an opener puts into a local variable put by the same function, which hands no part of it to anybody? */
function putAgain(fn: Fn, opener: CallOp): boolean {
  const variable = opener.args.find((arg) => /^&v:\w+$/.test(arg))?.slice(1);
  if (variable === undefined || !fn.facts.locals.some(([name]) => `v:${name}` === variable)) return false;
  const part = (path: Path): boolean =>
    [variable, `${variable} dentry`, `${variable} mnt`].includes(path.replace(/^&/, ''));
  let isPut = false;
  for (const { op } of fn.facts.cfg) {
    if (op.k === 'set' && part(op.from)) return false;
    if (op.k === 'ret' && part(op.value)) return false;
    if (op.k !== 'call' || !op.args.some(part)) continue;
    if (op.fn === 'path_put') isPut = true;
    else if (op.fn !== opener.fn) return false;
  }
  return isPut;
}

/**
 * Whose object is it? A call through an operation table runs the filesystem whose object is handled, and a filesystem
 * has only its own objects, unless it got hold of another one's by name or descriptor (stacked filesystems, file
 * servers, caches). So code that is called from filesystem X through the VFS is not Y's, and the callers of Y's
 * operations are those who have an object of Y.
 */
export class Owners {
  /** Parts of the kernel that may keep an object of another filesystem. */
  private readonly stacking = new Set<string>();
  /** Ids of functions that may be handed such an object for a while. */
  private readonly handed = new Set<number>();
  private readonly mounters: ReadonlySet<number>;
  /** By library function: those who call it, through libraries only, for objects of their own; a bit for each. */
  private readonly callers: ReadonlyMap<number, bigint>;
  private readonly bits = new Map<string, bigint>();
  /** By part of the kernel that works on another filesystem: those that it may work on, where it wants something of them. */
  private readonly under = new Map<string, ReadonlySet<string>>();
  /** By edge: see `usesOwn`. */
  private readonly own = new Map<Edge, boolean>();

  constructor(
    private readonly index: Index,
    /** Does the edge run the callee in the caller's task? */
    private readonly isCaller: (edge: Edge) => boolean,
  ) {
    const transient: number[] = [];
    for (const { fn, op, kept } of index.openings) {
      if (VFS.test(fn.group)) continue;
      if (kept && !putAgain(fn, op)) this.stacking.add(fn.group);
      else transient.push(fn.id);
    }
    for (const member of FOREIGN_MEMBERS)
      if (!comparesMember(index, member)) transient.push(...index.members.tableOwners(member).keys());
    this.follow(transient, this.handed, (from, to) => from.group === to.group);

    const groupsOf = (member: string): Set<string> =>
      new Set([...index.members.tableOwners(member).keys()].map((id) => index.functions[id]!.group));
    for (const { keeper, wants } of WANTED_OF_OTHERS)
      for (const group of groupsOf(keeper)) this.under.set(group, groupsOf(wants));
    this.mounters = mountersOf(index, isCaller);
    for (const name of index.names.filesystems) this.bits.set(name, 1n << BigInt(this.bits.size));
    this.callers = this.callingFilesystems();
  }

  private callingFilesystems(): Map<number, bigint> {
    const { index } = this;
    const out = new Map<number, bigint>();
    const queue: number[] = [];
    const add = (id: number, groups: bigint): void => {
      const before = out.get(id) ?? 0n;
      if ((before | groups) === before) return;
      out.set(id, before | groups);
      queue.push(id);
    };
    const pass = (from: number, groups: bigint): void => {
      for (const edge of index.callees[from]!)
        if (this.isCaller(edge) && index.names.isLibrary(index.functions[edge.to]!.group))
          add(edge.to, groups);
    };
    for (const fn of index.functions) {
      const bit = this.bits.get(fn.group);
      if (bit !== undefined && this.hasOnlyOwn(fn)) pass(fn.id, bit);
    }
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) pass(id, out.get(id)!);
    return out;
  }

  private follow(starts: readonly number[], met: Set<number>, goes: (from: Fn, to: Fn) => boolean): void {
    for (const id of starts) met.add(id);
    for (const id of met) {
      const from = this.index.functions[id]!;
      for (const { to } of this.index.callees[id]!) {
        if (!met.has(to) && goes(from, this.index.functions[to]!)) met.add(to);
      }
    }
  }

  /** Does that part of the kernel keep files or paths that it opened by name? */
  keepsOthers(group: string): boolean {
    return this.stacking.has(group);
  }

  /** Is it code of a filesystem that has no object of another one? */
  private hasOnlyOwn(fn: Fn): boolean {
    if (this.mounters.has(fn.id)) return true;
    return (
      this.index.names.filesystems.has(fn.group) && !this.stacking.has(fn.group) && !this.handed.has(fn.id)
    );
  }

  /**
   * Going up over a call: whose object it is on the caller's side. `owner` is the filesystem whose object the callee
   * handles, `''` where it may be any, `OTHER` where it does not matter which one, with `BLOCK` or `DRIVER` behind it. Returns the
   * same for the caller; undefined: it can't be that filesystem's, or the caller submits a bio: no driver enters a filesystem's
   * code in the task that does (`LAYERS`); if it works on files, a worker does that (`loop_queue_rq()`, drivers/block/loop.c).
   */
  above(edge: Edge, owner: string): string | undefined {
    const from = this.index.functions[edge.from]!;
    const at = owner.indexOf(BLOCK);
    const name = at < 0 ? owner : owner.slice(0, at);
    const met = at < 0 ? '' : owner.slice(at);
    if (met === DRIVER && BLOCK_LAYER.has(from.facts.name)) return undefined;
    const of = this.ofCaller(edge, name);
    if (of === undefined) return undefined;
    // What handles an object of a filesystem is above it, as mm is.
    const isAbove = owner !== '' || FILESYSTEMS.test(this.index.functions[edge.to]!.group);
    if (!isAbove) return of;
    if (EVERYWHERE.test(from.group)) return of + met;
    if (from.group === 'block') return of + (met || BLOCK);
    return from.group.startsWith('drivers/') ? of + DRIVER : of;
  }

  /**
   * Does the call say itself that it is for an object of the caller's own? `kern_mount(&type)` mounts the filesystem of that type
   * only; a mount or superblock in a global variable is one that the kernel made for itself; and a file in memory is no other's, nor is
   * what an automount of the caller's mounts.
   */
  private usesOwn(edge: Edge): boolean {
    let answer = this.own.get(edge);
    if (answer === undefined) {
      answer = this.isForOwn(edge);
      this.own.set(edge, answer);
    }
    return answer;
  }

  private isForOwn({ from, to, node }: Edge): boolean {
    const fn = this.index.functions[from]!;
    const { op } = fn.facts.cfg[node]!;
    if (op.k !== 'call') return false;
    if (MOUNT_NAMES.has(this.index.functions[to]!.facts.name) && /^&v:\w+$/.test(op.args[0] ?? ''))
      return true;
    return op.args.some((arg) => this.isOwn(fn, arg));
  }

  private isOwn(fn: Fn, path: Path, depth = 0): boolean {
    const [, name, member] = /^v:(\w+)( .*)?$/.exec(path) ?? [];
    if (name === undefined) return false;
    const variable = `v:${name}`;
    if (!this.index.types.isLocal(fn, name))
      return registersOne(fn) && OWN_MOUNTS.test(this.index.types.typeOf(fn, variable));
    if (member !== undefined || depth > 0 || fn.facts.params.some(([param]) => param === name)) return false;
    const sources = sourcesOf(fn, variable);
    return (
      sources.length > 0 &&
      sources.every((from) => MADE_FOR_OWN.has(from.replace(/^c:/, '')) || this.isOwn(fn, from, depth + 1))
    );
  }

  /** Is the call through a table that no struct has a pointer to and no function returns? Then whoever begins names it. */
  private isNamed({ via }: Edge): boolean {
    const struct = via.slice(0, via.lastIndexOf('.'));
    return this.index.names.isStruct(struct) && !this.index.names.isKept(struct);
  }

  private ofCaller(edge: Edge, owner: string): string | undefined {
    const { index } = this;
    const from = index.functions[edge.from]!;
    const to = index.functions[edge.to]!;
    let isNamed = owner.endsWith(NAMED);
    let of = isNamed ? owner.slice(0, -1) : owner;
    if (of === '') {
      // A call by name says nothing of objects: the caller means that filesystem's function.
      const throughTable = edge.how === 'table' || (edge.how === 'callback' && edge.via !== '');
      if (!throughTable || !index.names.filesystems.has(to.group) || to.group === from.group) return '';
      // Even if the two are not told apart further up.
      if (this.hasOnlyOwn(from)) return undefined;
      of = to.group;
      isNamed = this.isNamed(edge);
    }
    if (owner !== '' && this.usesOwn(edge)) return from.group === of ? '' : undefined;
    if (of !== OTHER && this.under.get(from.group)?.has(of) === false) return undefined;
    if (index.names.filesystems.has(from.group) || this.mounters.has(from.id)) {
      return from.group === of || (!isNamed && !this.hasOnlyOwn(from)) ? '' : undefined;
    }
    const callers = this.callers.get(from.id) ?? 0n;
    if (!index.names.isLibrary(from.group) || this.stacking.has(from.group) || callers === 0n) return '';
    const above = of !== OTHER && (callers & this.bits.get(of)!) === 0n ? OTHER : of;
    return isNamed ? above + NAMED : above;
  }
}
