import type { Edge, Fn, Index } from '../index/link.js';
import { FOREIGN_MEMBERS } from '../kernel/openers.js';

/** Parts of the kernel that open files and paths by trade: having an opener says nothing of what they work on. */
const VFS = /^(?:fs|mm|include|block|kernel|security|init|lib|ipc)$/;

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
  /** Ids of library functions that are called, through libraries only, by a filesystem that has only its own objects. */
  private readonly shared = new Set<number>();

  constructor(private readonly index: Index) {
    const transient: number[] = [];
    for (const { fn, kept } of index.openings) {
      if (VFS.test(fn.group)) continue;
      if (kept) this.stacking.add(fn.group);
      else transient.push(fn.id);
    }
    for (const member of FOREIGN_MEMBERS) transient.push(...index.tableOwners(member).keys());
    this.follow(transient, this.handed, (from, to) => from.group === to.group);

    const own = index.functions.filter((fn) => this.hasOnlyOwn(fn)).map((fn) => fn.id);
    const met = new Set<number>();
    this.follow(own, met, (_, to) => index.isLibrary(to.group));
    for (const id of met) if (index.isLibrary(index.functions[id]!.group)) this.shared.add(id);
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

  /** Is it code of a filesystem that has no object of another one? */
  private hasOnlyOwn(fn: Fn): boolean {
    return this.index.filesystems.has(fn.group) && !this.stacking.has(fn.group) && !this.handed.has(fn.id);
  }

  /**
   * Going up over a call: whose object it is on the caller's side. `owner` is the filesystem whose object the callee
   * handles, `''` where it may be any. Returns the same for the caller; undefined: it can't be that filesystem's.
   */
  above(edge: Edge, owner: string): string | undefined {
    const { index } = this;
    const from = index.functions[edge.from]!;
    const to = index.functions[edge.to]!;
    let of = owner;
    if (of === '') {
      // A call by name says nothing of objects: the caller means that filesystem's function.
      const throughTable = edge.how === 'table' || (edge.how === 'callback' && edge.via !== '');
      if (!throughTable || !index.filesystems.has(to.group) || to.group === from.group) return '';
      of = to.group;
    }
    if (index.filesystems.has(from.group)) {
      return from.group === of || !this.hasOnlyOwn(from) ? '' : undefined;
    }
    if (!index.isLibrary(from.group) || this.stacking.has(from.group) || !this.shared.has(from.id)) return '';
    return of;
  }
}
