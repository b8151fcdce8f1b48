import { type Fn, type Index, parsePath } from '../index/link.js';
import {
  pointerCalled,
  type Signature,
  Signatures,
  signatureOf,
  writtenSignature,
} from '../index/signatures.js';
import type { CallOp, Path } from '../parse/facts.js';
import { isUnknown, type Locks } from './locks.js';
import type { Reclaim } from './reclaim.js';
import type { Tasks } from './tasks.js';

/** Functions that hand on a lock which they were handed. */
const MAX_HANDED_DOWN = 3;

const HELD_IN = ' held in ';

/** A lock with the part of the kernel that holds it, where that makes a difference. */
export function heldIn(lock: string, group: string): string {
  return `${lock}${HELD_IN}${group}`;
}

/** Such a lock without its holder. */
export function plainName(name: string): string {
  return name.split(HELD_IN)[0]!;
}

export function holderOf(name: string): string | undefined {
  return name.split(HELD_IN)[1];
}

/** Filesystems, and what they share. */
const NEAR = /^(?:fs|mm|block|include|lib)(?:\/|$)/;

/** A call through a pointer. */
interface PointerCall {
  readonly fn: Fn;
  readonly node: number;
  readonly op: CallOp;
  readonly target: Path;
  /** What it says of types. Many calls look the same. */
  readonly shape: string;
}

/**
 * Functions whose callers aren't all known, because their address was given away: may one of these callers hold what reclaim of
 * a certain filesystem takes? Such a caller is a call through a pointer, made under one of these locks: what runs under
 * them is found downwards from where they are taken, as reclaim itself is followed (see `Reclaim.follows`), and whether
 * a call fits a function the number and types of its arguments say, as the kernel's own control-flow integrity does. Files that
 * were not read hold no such call: all that filesystems share is read in any case (see `listTree`).
 */
export class Strangers {
  private readonly calls = new Map<string, readonly PointerCall[]>();
  private readonly made = new Map<number, readonly PointerCall[]>();
  /** By shape of a call, then by function: does it fit? */
  private readonly fitting = new Map<string, Map<number, boolean>>();
  private taking: readonly (readonly [fn: Fn, classes: readonly string[]])[] | undefined;
  private readonly taken = new Map<string, readonly string[]>();
  private readonly answers = new Map<string, boolean>();
  private readonly predicates = new Map<string, (fn: Fn) => boolean>();
  private readonly signatures: Signatures;

  constructor(
    private readonly index: Index,
    private readonly locks: Locks,
    private readonly tasks: Tasks,
    private readonly reclaim: Reclaim,
  ) {
    this.signatures = new Signatures(index);
  }

  /** For each filesystem one and the same function: may a caller of a function that isn't known hold one of its reclaim locks? */
  mayHoldLocksOf(group: string): (fn: Fn) => boolean {
    let found = this.predicates.get(group);
    if (!found) {
      found = (fn) => this.mayHold(fn, group);
      this.predicates.set(group, found);
    }
    return found;
  }

  /**
   * What a lock of unknown class that a function takes may be, as far as filesystem reclaim takes it: the classes that callers hand
   * in, and its own name with that of its part of the kernel where they can't be told. A lock that has a name is none that only
   * other structs have.
   */
  classesOf(fn: Fn, lock: string, depth = 0): string[] {
    const { index, locks, reclaim } = this;
    const unknown = [heldIn(lock, fn.group)];
    const member = memberOf(lock);
    if (member !== undefined) {
      const owners = reclaim.reclaimLocks.flatMap((l) =>
        l.endsWith(`.${member}`) ? [l.slice(0, l.indexOf('.'))] : [],
      );
      const isTaken = NEAR.test(fn.group) && isAmong(member, reclaim.unknownOf());
      return isTaken || owners.some((owner) => this.isVisible(owner, fn.group)) ? unknown : [];
    }
    // No filesystem hands the address of a lock to code beside it.
    if (!NEAR.test(fn.group)) return [];
    if (!lock.startsWith('param:') || index.escaped.has(fn.id) || depth > MAX_HANDED_DOWN) return unknown;
    const all = index.callers[fn.id]!.flatMap((edge) => {
      const from = index.functions[edge.from]!;
      const taken = edge.how === 'call' ? locks.handedIn(from, edge.node, lock) : '';
      if (taken === '') return NEAR.test(from.group) ? unknown : [];
      if (isUnknown(taken)) return this.classesOf(from, taken, depth + 1);
      return reclaim.chains(taken).length > 0 ? [taken] : [];
    });
    return [...new Set(all)];
  }

  /** May such a one be a lock that reclaim of a certain filesystem takes? */
  mayMatter(name: string, group: string): boolean {
    const lock = plainName(name);
    const holder = holderOf(name) ?? group;
    if (holder !== group && holder.startsWith('fs/') && !this.index.isLibrary(holder)) return false;
    const member = memberOf(lock);
    return (
      member === undefined ||
      this.locksOf(group).some((l) => l.endsWith(`.${member}`)) ||
      isAmong(member, this.reclaim.unknownOf(group))
    );
  }

  /** What reclaim of the filesystem takes while others may hold it. */
  private locksOf(group: string): readonly string[] {
    let found = this.taken.get(group);
    if (!found) {
      found = this.reclaim.reclaimLocks.filter((lock) => this.reclaim.endangers(lock, group));
      this.taken.set(group, found);
    }
    return found;
  }

  /** Is a struct defined where code of that part of the kernel may include it? */
  private isVisible(struct: string, group: string): boolean {
    const definitions = this.index.definitionsOf(struct);
    return (
      definitions.length === 0 ||
      this.index.isLibrary(group) ||
      definitions.some((file) => file.startsWith('include/') || file.startsWith(`${group}/`))
    );
  }

  private mayHold(fn: Fn, group: string): boolean {
    // What is thrown away after boot is called by such code alone, before there is a filesystem.
    if (fn.facts.isInit) return false;
    // Code that filesystems share runs under the locks of each of them, and a driver's are another question.
    if (!group.startsWith('fs/') || this.index.isLibrary(group) || fn.group === group) return true;
    // A macro has no address, and a pointer in one filesystem's object leads to no other filesystem.
    const isOthers = fn.group.startsWith('fs/') && !this.index.isLibrary(fn.group);
    if (fn.facts.isMacro || isOthers) return false;
    // Those who call it are in files that were not read.
    if (this.index.isOnlyNamed(fn.id) || this.index.isOnlyUncalled(fn.id)) return false;
    const key = `${group} ${fn.id}`;
    let answer = this.answers.get(key);
    if (answer === undefined) {
      answer = this.callsUnderLocks(group).some((call) => this.fits(call, fn));
      this.answers.set(key, answer);
    }
    return answer;
  }

  /** Calls through pointers that are made while a lock may be held which reclaim of the filesystem takes. */
  private callsUnderLocks(group: string): readonly PointerCall[] {
    let found = this.calls.get(group);
    if (!found) {
      found = this.find(group);
      this.calls.set(group, found);
    }
    return found;
  }

  private find(group: string): PointerCall[] {
    const { index, locks, reclaim, tasks } = this;
    const wanted = new Set(this.locksOf(group));
    const away = [...index.escaped]
      .map((id) => index.functions[id]!)
      .filter((fn) => !fn.facts.isMacro && reclaim.isNear(group, fn.group));
    const out: PointerCall[] = [];
    const seen = new Set<number>();
    const shapes = new Set<string>();
    const visit = (fn: Fn, runs: (node: number) => boolean): void => {
      for (const edge of index.callees[fn.id]!) {
        const isFollowed = edge.kind !== 'name' && !edge.kept && edge.how !== 'through';
        if (isFollowed && runs(edge.node) && !tasks.leavesTask(edge) && reclaim.follows(group, edge))
          seen.add(edge.to);
      }
      for (const call of this.callsOf(fn)) {
        if (shapes.has(call.shape) || !runs(call.node)) continue;
        shapes.add(call.shape);
        out.push(call);
        for (const other of away) if (this.fits(call, other)) seen.add(other.id);
      }
    };
    this.taking ??= index.functions.flatMap((fn) => {
      const classes = locks.classes(fn);
      return classes.length > 0 ? [[fn, classes] as const] : [];
    });
    for (const [fn, classes] of this.taking) {
      const mine = classes.filter((lock) => wanted.has(lock));
      if (mine.length > 0) visit(fn, (node) => mine.some((lock) => locks.mayHold(fn, lock, node)));
    }
    for (const id of seen) visit(index.functions[id]!, () => true);
    return out;
  }

  /** Calls through pointers that a function makes. */
  private callsOf(fn: Fn): readonly PointerCall[] {
    let found = this.made.get(fn.id);
    if (!found) {
      const { index } = this;
      // What mm calls so are constructors, walkers and the like.
      const calls = fn.group === 'mm' ? [] : fn.facts.calls;
      found = calls.flatMap(([node, op]) => {
        const target = pointerCalled(index, fn, op);
        if (target === '' || index.isTable(fn, target)) return [];
        const call = { fn, node, op, target };
        return [{ ...call, shape: this.shapeOf(call) }];
      });
      this.made.set(fn.id, found);
    }
    return found;
  }

  private shapeOf(call: Omit<PointerCall, 'shape'>): string {
    const { fn, op } = call;
    const declared = this.declared(call);
    if (declared) return declared.map(({ params, result }) => `${params.join()} ${result}`).join(';');
    return `?${op.args.map((arg) => this.signatures.given(fn, arg)).join()} ${op.to === '' ? '' : '='}`;
  }

  /**
   * Types by the declaration of the pointer, or of what it is known to point to; where its struct is not known, by all members of
   * that name.
   */
  private declared({ fn, node, op, target }: Omit<PointerCall, 'shape'>): readonly Signature[] | undefined {
    const { index } = this;
    const own = writtenSignature(index.typeOf(fn, target));
    if (own) return [own];
    const edge = index.callees[fn.id]!.find(
      (e) => e.node === node && e.kind === 'typed' && e.how === 'table',
    );
    if (edge) return [signatureOf(index.functions[edge.to]!)];
    const cut = target.lastIndexOf(' ');
    if (cut < 0 || index.typeOf(fn, target.slice(0, cut)) !== '') return undefined;
    const all = [...index.memberTypes(target.slice(cut + 1))]
      .flatMap((type) => writtenSignature(type) ?? [])
      .filter(({ params }) => params.length === op.args.length);
    return all.length > 0 ? all : undefined;
  }

  /** May the function be what is called, by the number of its parameters and by types? */
  private fits(call: PointerCall, to: Fn): boolean {
    const known = this.fitting.get(call.shape) ?? new Map<number, boolean>();
    this.fitting.set(call.shape, known);
    let answer = known.get(to.id);
    if (answer === undefined) {
      const declared = this.declared(call);
      answer = declared
        ? declared.some((pointer) => this.signatures.areAlike(pointer, to))
        : this.signatures.takes(to, call.fn, call.op);
      known.set(to.id, answer);
    }
    return answer;
  }
}

/** The member that a lock of unknown class is; undefined where it is none, or what it is a member of can't be told apart. */
function memberOf(lock: string): string | undefined {
  const path = lock.startsWith('param:') ? lock.replace(/^param:\d+/, 'v:p') : lock.slice(1);
  return parsePath(path).fields.at(-1);
}

function isAmong(member: string, locks: readonly string[]): boolean {
  return locks.some((lock) => (memberOf(lock) ?? member) === member);
}
