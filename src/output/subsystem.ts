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
 * (`quota`, `bcache`), for a driver of one file in a common folder its name (`nbd`), for a module that of the module.
 */
export function subjectPrefix(files: readonly string[], module?: string): string {
  if (module !== undefined) return module;
  const subsystem = subsystemOf(files[0] ?? '');
  const parts = subsystem.split('/');
  if (parts[0] === 'drivers') {
    const folders = new Set(files.map((file) => file.split('/').slice(2, -1)[0]));
    const [folder] = folders;
    if (folders.size === 1 && folder !== undefined) return folder;
    if (files.length === 1)
      return files[0]!
        .split('/')
        .at(-1)!
        .replace(/\.[ch]$/, '');
  }
  return parts.at(-1)!;
}
