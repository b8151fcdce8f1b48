/** So many files may have changed for what was kept of the last state to be looked at. */
export const MAX_CHANGED = 20;

/**
 * What an analysis rests on, as far as it is not the contents of the files that it read: which names stand in the others. A change to
 * one of those changes nothing as long as it names nothing new of that.
 */
export interface Basis {
  /** Files that were read, as C or as text. */
  readonly read: readonly string[];
  /** Names that stand in none of the others, `->name` for a use of a member (see `NameSearch`). */
  readonly absent: readonly string[];
  /** Names that stand in others, of which it matters in how many: with the files. */
  readonly counted: readonly (readonly [name: string, files: readonly string[]])[];
}

/** Notes what an analysis rests on while it is made. */
export class BasisNotes {
  private readonly read = new Set<string>();
  private readonly absent = new Set<string>();
  private readonly counted = new Map<string, readonly string[]>();

  reads(files: Iterable<string>): void {
    for (const file of files) this.read.add(file);
  }

  /** All files with the name were read, or nobody cares for the others. */
  hasAll(name: string): void {
    this.absent.add(name);
  }

  /**
   * The name stands in `files`, and it mattered that these are so many: by `margin` more than would have been dealt with otherwise. If few
   * files change, that is still so.
   */
  hasTooMany(name: string, files: readonly string[], margin: number): void {
    if (margin <= MAX_CHANGED) this.counted.set(name, files);
  }

  made(): Basis {
    return { read: [...this.read], absent: [...this.absent], counted: [...this.counted] };
  }
}

/** Did the analysis not read the file, and does this reading of it name what the one before named, of all that matters? */
export class OtherFiles {
  private readonly read: ReadonlySet<string>;
  private readonly absent: ReadonlySet<string>;
  private readonly counted: ReadonlyMap<string, ReadonlySet<string>>;

  constructor({ read, absent, counted }: Basis) {
    this.read = new Set(read);
    this.absent = new Set(absent);
    this.counted = new Map(counted.map(([name, files]) => [name, new Set(files)]));
  }

  /** Was it read, so that it matters what is in it? */
  wasRead(file: string): boolean {
    return this.read.has(file);
  }

  /** Names to look for in such a file, those of members without `->`. */
  get names(): ReadonlySet<string> {
    return new Set([...this.absent, ...this.counted.keys()].map((name) => name.replace('->', '')));
  }

  /** Do the names that stand in it now change nothing? */
  allow(file: string, names: readonly string[]): boolean {
    const now = new Set(names);
    if (names.some((name) => this.absent.has(name))) return false;
    for (const [name, files] of this.counted) if (files.has(file) !== now.has(name)) return false;
    return true;
  }
}
