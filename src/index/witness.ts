import { createHash } from 'node:crypto';
import type { Seen, StatTable } from './cache.js';

/**
 * What the C files of a tree were while an analysis read them. Whatever is kept of it must be of one state of the tree: the
 * files are looked at before or as they are read, and again at the end.
 */
export class Witness {
  private readonly seen = new Map<string, Seen>();
  private contradicted = false;
  private allSeen = false;

  constructor(
    private readonly stats: StatTable,
    private readonly files: readonly string[],
  ) {}

  /** Looks at every file, and reads those of which the looks don't say what is in them. */
  survey(): void {
    for (const file of this.files) this.seen.set(file, this.stats.see(file));
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

  /** `contentHash` of the file as far as it is known. */
  hash(file: string): string | undefined {
    return this.seen.get(file)?.hash;
  }

  /** Names the state: the names of the files, and what is in each. Those that nobody looked at are read. */
  digest(): string {
    const digest = createHash('sha256');
    for (const file of this.files) {
      let seen = this.seen.get(file);
      if (!seen) {
        seen = this.stats.see(file);
        this.seen.set(file, seen);
      }
      digest.update(`${file}\0${seen.hash}\n`);
    }
    return digest.digest('hex');
  }

  /** Is every file still what it was when it was first looked at? */
  stands(): boolean {
    if (this.contradicted) return false;
    for (const [file, seen] of this.seen) if (!this.stats.still(file, seen)) return false;
    return true;
  }
}
