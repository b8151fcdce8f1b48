import { createHash } from 'node:crypto';
import type { Seen, StatTable } from './cache.js';

/**
 * What the C files of a tree were while an analysis read them. Whatever is kept of it must be of one state of the tree: the
 * files are looked at before or as they are read, and again at the end.
 */
export class Witness {
  private readonly seen = new Map<string, Seen>();
  /** `contentHash` that files had when somebody last looked at the tree, of those that have another one now, or are gone. */
  private readonly before = new Map<string, string>();
  private readonly fresh = new Set<string>();
  private contradicted = false;
  private allSeen = false;

  constructor(
    private readonly stats: StatTable,
    private readonly files: readonly string[],
  ) {}

  /** Looks at every file, and reads those of which the looks don't say what is in them. */
  survey(): void {
    for (const file of this.files) {
      const was = this.stats.was(file);
      const seen = this.stats.see(file);
      this.seen.set(file, seen);
      if (was === undefined) this.fresh.add(file);
      else if (was !== seen.hash) this.before.set(file, was);
    }
    for (const file of this.stats.files)
      if (!this.seen.has(file)) this.before.set(file, this.stats.was(file)!);
    for (const file of this.before.keys()) if (!this.seen.has(file)) this.stats.forget(file);
    this.allSeen = true;
  }

  /** Was every file looked at before the analysis? Then nobody needs to `note`. */
  get surveyed(): boolean {
    return this.allSeen;
  }

  /** Somebody has read the file. */
  note(file: string, seen: Seen): void {
    const was = this.seen.get(file);
    if (was && (was.look !== seen.look || was.hash !== seen.hash)) {
      this.contradicted = true;
      return;
    }
    this.seen.set(file, seen);
    this.stats.note(file, seen);
  }

  /** `contentHash` of the file as far as it is known; of one that is gone there is none. */
  hash(file: string): string | undefined {
    return this.seen.get(file)?.hash;
  }

  /** Files that changed or went since somebody last looked at the tree, with the `contentHash` they had. */
  get changed(): ReadonlyMap<string, string> {
    return this.before;
  }

  /** Files that came since. */
  get added(): ReadonlySet<string> {
    return this.fresh;
  }

  /**
   * Names the state: the names of the files, and what is in each, or `was` when somebody last looked. Those that nobody looked at are
   * read.
   */
  digest(when: 'is' | 'was' = 'is'): string {
    const digest = createHash('sha256');
    const hashes = new Map<string, string>();
    for (const file of this.files) {
      let seen = this.seen.get(file);
      if (!seen) {
        seen = this.stats.see(file);
        this.seen.set(file, seen);
      }
      if (when === 'is' || !this.fresh.has(file)) hashes.set(file, seen.hash);
    }
    if (when === 'was') for (const [file, hash] of this.before) hashes.set(file, hash);
    for (const file of [...hashes.keys()].sort()) digest.update(`${file}\0${hashes.get(file)}\n`);
    return digest.digest('hex');
  }

  /** Is every file still what it was when it was first looked at? */
  stands(): boolean {
    if (this.contradicted) return false;
    for (const [file, seen] of this.seen) if (!this.stats.still(file, seen)) return false;
    return true;
  }
}
