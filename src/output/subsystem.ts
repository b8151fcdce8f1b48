/**
 * The part of the kernel that a file belongs to, for grouping patches: its first two folders (`fs/quota`,
 * `drivers/md`, `net/ceph`), or the one that it is in (`mm`, `block`). A module (by its name) is one part.
 */
export function subsystemOf(file: string, module?: string): string {
  if (module !== undefined) return module;
  return file.split('/').slice(0, -1).slice(0, 2).join('/') || '.';
}

/**
 * What a subject of a patch to these files of one subsystem begins with: the folder that they share
 * (`quota`, `bcache`), for a header and for a driver of one file in a common folder its name (`nbd`), for a module that of the module.
 */
export function subjectPrefix(files: readonly string[], module?: string): string {
  if (module !== undefined) return module;
  const subsystem = subsystemOf(files[0] ?? '');
  const parts = subsystem.split('/');
  if (parts[0] === 'drivers') {
    const folders = new Set(files.map((file) => file.split('/').slice(2, -1)[0]));
    const [folder] = folders;
    if (folders.size === 1 && folder !== undefined) return folder;
    if (files.length === 1) return baseOf(files[0]!);
  }
  if (parts[0] === 'include') return baseOf(files[0]!);
  return parts.at(-1)!;
}

function baseOf(file: string): string {
  return file.replace(/^.*\/|\.[ch]$/g, '');
}

/** How the files of a series belong together, and what its subjects begin with. */
export interface Grouping {
  /** The part of the kernel that a file belongs to, as a name for a reader. */
  readonly subsystemOf: (file: string) => string;
  /** For the files of one patch. */
  readonly prefixOf: (files: readonly string[]) => string;
}

/**
 * The grouping of a tree, or of a module (by its name).
 * @param ownerOf the section of MAINTAINERS that a file belongs to; undefined if there is none
 * @param historyOf the newest subjects of commits to files; none where that is not known
 */
export function groupingBy(
  ownerOf: (file: string) => string | undefined,
  historyOf: (files: readonly string[]) => readonly string[],
  module?: string,
): Grouping {
  return {
    subsystemOf: (file) => (module === undefined ? ownerOf(file) : undefined) ?? subsystemOf(file, module),
    prefixOf: (files) => prefixIn(historyOf(files)) ?? subjectPrefix(files, module),
  };
}

/** A history as short as that does not say what the custom is. */
const FEWEST_COMMITS = 3;

/**
 * What most of these subjects begin with: what stands before the first colon, and before the second where most of them have the same
 * there too (`scsi: lpfc`). Undefined if less than half of them, or too few, agree.
 */
export function prefixIn(subjects: readonly string[]): string | undefined {
  const most = (pattern: RegExp): string | undefined => {
    const counts = new Map<string, number>();
    for (const subject of subjects) {
      const prefix = pattern.exec(subject)?.[1];
      if (prefix !== undefined) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
    const [best] = [...counts].sort((a, b) => b[1] - a[1]);
    if (best === undefined || best[1] < FEWEST_COMMITS || best[1] * 2 < subjects.length) return undefined;
    return best[0];
  };
  return most(/^([\w./-][\w ,./+-]{0,30}: [\w./-]{1,30}): /) ?? most(/^([\w./-][\w ,./+-]{0,30}): /);
}
