import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { parsePath } from '../parse/paths.js';
import { isUnknown, type Locks } from './locks.js';
import type { Reclaim } from './reclaim.js';
import type { UnderLocks } from './under-locks.js';

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

/**
 * Functions whose callers aren't all known, because their address was given away: may one of these callers hold what reclaim of
 * a certain filesystem takes? Such a caller is a call through a pointer, made under one of these locks: what runs under
 * them is found downwards from where they are taken, as reclaim itself is followed (see `Reclaim.follows`), and whether
 * a call fits a function the number and types of its arguments say, as the kernel's own control-flow integrity does. Files that
 * were not read hold no such call: all that filesystems share is read in any case (see `listTree`).
 */
export class Strangers {
  private readonly answers = new Map<string, boolean>();
  private readonly predicates = new Map<string, (fn: Fn) => boolean>();

  constructor(
    private readonly index: Index,
    private readonly locks: Locks,
    private readonly reclaim: Reclaim,
    private readonly under: UnderLocks,
  ) {}

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
    if (holder !== group && holder.startsWith('fs/') && !this.index.names.isLibrary(holder)) return false;
    const member = memberOf(lock);
    return (
      member === undefined ||
      this.reclaim.endangeringLocks(group).some((l) => l.endsWith(`.${member}`)) ||
      isAmong(member, this.reclaim.unknownOf(group))
    );
  }

  /** Is a struct defined where code of that part of the kernel may include it? */
  private isVisible(struct: string, group: string): boolean {
    const definitions = this.index.names.definitionsOf(struct);
    return (
      definitions.length === 0 ||
      this.index.names.isLibrary(group) ||
      definitions.some((file) => file.startsWith('include/') || file.startsWith(`${group}/`))
    );
  }

  private mayHold(fn: Fn, group: string): boolean {
    // What is thrown away after boot is called by such code alone, before there is a filesystem.
    if (fn.facts.isInit) return false;
    // Code that filesystems share runs under the locks of each of them, and a driver's are another question.
    if (!group.startsWith('fs/') || this.index.names.isLibrary(group) || fn.group === group) return true;
    // A macro has no address, and a pointer in one filesystem's object leads to no other filesystem.
    const isOthers = fn.group.startsWith('fs/') && !this.index.names.isLibrary(fn.group);
    if (fn.facts.isMacro || isOthers) return false;
    // Those who call it are in files that were not read.
    if (this.index.isOnlyNamed(fn.id) || this.index.isOnlyUncalled(fn.id)) return false;
    const key = `${group} ${fn.id}`;
    let answer = this.answers.get(key);
    if (answer === undefined) {
      answer = this.under.find(group).calls.some((call) => this.under.fits(call, fn));
      this.answers.set(key, answer);
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
