import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import type { FileChange } from '../edit/plan.js';
import { nameInTree } from '../tree/files.js';
import { uncommittedFiles } from '../tree/git.js';
import { InputError } from '../tree/input-error.js';
import { type KernelTree, reasonOf } from '../tree/kernel-tree.js';

/** What `applyChanges` needs of the file system; tests hand in one that fails. */
export type FileSystem = Pick<
  typeof nodeFs,
  'realpath' | 'lstat' | 'readFile' | 'open' | 'link' | 'copyFile' | 'rename' | 'unlink'
>;

export interface ApplyOptions {
  /** Write even where git has uncommitted changes in the files concerned. */
  readonly force?: boolean;
  /** Once aborted, what was done is taken back and the signal's reason thrown. */
  readonly signal?: AbortSignal;
  readonly fs?: FileSystem;
}

/** One file on its way from the old contents to the new. */
interface Write {
  readonly change: FileChange;
  /** Absolute, symbolic links resolved. */
  readonly target: string;
  /** Beside the target: the new contents until they are renamed onto it. */
  readonly fresh: string;
  /** Beside the target: the old contents until all is done. */
  readonly kept: string;
  readonly stat: { readonly mode: number; readonly uid: number; readonly gid: number };
  /** What is on disk by now, and has to be taken back. */
  hasFresh: boolean;
  hasKept: boolean;
  renamed: boolean;
}

/**
 * Writes all changes in place, or none. Every file must still have the contents `before`; the new contents
 * are written beside their targets with the same mode, synced, then renamed. If anything fails, files
 * renamed so far get their old contents back (the same inode where the file system has hard links).
 * Files whose contents do not change are left alone.
 * @throws InputError that says what failed and what state the files are in.
 */
export async function applyChanges(
  tree: KernelTree,
  changes: readonly FileChange[],
  options: ApplyOptions = {},
): Promise<void> {
  const fs = options.fs ?? nodeFs;
  const signal = options.signal;
  const wanted = changes.filter(({ before, after }) => before !== after);

  if (!options.force) {
    const uncommitted = uncommittedFiles(
      tree,
      wanted.map(({ file }) => file),
    );
    if (uncommitted.length > 0)
      throw new InputError(
        `uncommitted changes in ${someOf(uncommitted)}: nothing was written; commit them or use --force`,
      );
  }

  const writes: Write[] = [];
  let current = '';
  try {
    for (const [index, change] of wanted.entries()) {
      current = change.file;
      signal?.throwIfAborted();
      writes.push(await prepare(fs, tree, change, index));
    }
    for (const write of writes) {
      current = write.change.file;
      signal?.throwIfAborted();
      await writeFresh(fs, write);
    }
    for (const write of writes) {
      current = write.change.file;
      signal?.throwIfAborted();
      await swap(fs, write);
    }
  } catch (error) {
    const lost = await takeBack(fs, tree, writes);
    if (lost.length > 0)
      throw new InputError(
        `${current}: ${reasonOf(error)}; could not put back ${lost
          .map(({ file, kept }) => `${file} (its former contents are in ${kept})`)
          .join(', ')}; all other files are as they were`,
      );
    if (signal?.aborted) throw error;
    throw new InputError(`${current}: ${reasonOf(error)}; all files are as they were`);
  }

  for (const write of writes) await fs.unlink(write.kept).catch(() => {});
  for (const directory of new Set(writes.map(({ target }) => path.dirname(target))))
    await syncDirectory(fs, directory);
}

/** Checks one file before anything is written. */
async function prepare(fs: FileSystem, tree: KernelTree, change: FileChange, index: number): Promise<Write> {
  const target = await fs.realpath(path.join(tree.root, change.file));
  if (nameInTree(tree, target) === undefined)
    throw new Error('a symbolic link leads out of the kernel tree from here');
  const stat = await fs.lstat(target);
  if (!stat.isFile()) throw new Error('not a regular file');
  await checkUnchanged(fs, target, change);
  // The names are short and of their own, so that a long file name fits and two runs do not meet.
  const beside = path.join(path.dirname(target), `.gfp-scope-${process.pid}-${index}`);
  return {
    change,
    target,
    fresh: `${beside}.new`,
    kept: `${beside}.old`,
    stat: { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid },
    hasFresh: false,
    hasKept: false,
    renamed: false,
  };
}

async function checkUnchanged(fs: FileSystem, file: string, change: FileChange): Promise<void> {
  if ((await fs.readFile(file, 'latin1')) !== change.before)
    throw new Error('changed since it was read; run again');
}

async function writeFresh(fs: FileSystem, write: Write): Promise<void> {
  const handle = await fs.open(write.fresh, 'wx', 0o600);
  write.hasFresh = true;
  try {
    await handle.writeFile(write.change.after, 'latin1');
    const made = await handle.stat();
    // Owner before mode: a change of owner clears the set-user-ID bits. Who may not give a file away keeps it.
    if (made.uid !== write.stat.uid || made.gid !== write.stat.gid)
      await handle.chown(write.stat.uid, write.stat.gid).catch(() => {});
    await handle.chmod(write.stat.mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Keeps the old contents beside, and puts the new ones in place. */
async function swap(fs: FileSystem, write: Write): Promise<void> {
  try {
    await fs.link(write.target, write.kept);
  } catch (error) {
    // No hard links here (FAT, some network file systems, a directory with protected ones).
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'].includes(codeOf(error))) throw error;
    try {
      await fs.copyFile(write.target, write.kept, nodeFs.constants.COPYFILE_EXCL);
    } catch (failure) {
      // Half a copy; a file of that name that was there before is not ours.
      if (codeOf(failure) !== 'EEXIST') await fs.unlink(write.kept).catch(() => {});
      throw failure;
    }
  }
  write.hasKept = true;
  // Once more, as near to the rename as can be: somebody may be editing.
  await checkUnchanged(fs, write.kept, write.change);
  await fs.rename(write.fresh, write.target);
  write.renamed = true;
  write.hasFresh = false;
}

/** Undoes what was done, last file first; returns the files for which that failed. */
async function takeBack(
  fs: FileSystem,
  tree: KernelTree,
  writes: readonly Write[],
): Promise<{ file: string; kept: string }[]> {
  const lost: { file: string; kept: string }[] = [];
  for (const write of [...writes].reverse()) {
    if (write.hasFresh) await fs.unlink(write.fresh).catch(() => {});
    if (write.renamed) {
      try {
        await fs.rename(write.kept, write.target);
      } catch {
        lost.push({ file: write.change.file, kept: nameInTree(tree, write.kept) ?? write.kept });
      }
    } else if (write.hasKept) {
      await fs.unlink(write.kept).catch(() => {});
    }
  }
  return lost;
}

/** Makes the renames last over a power cut. Not every file system can; the contents are synced already. */
async function syncDirectory(fs: FileSystem, directory: string): Promise<void> {
  try {
    const handle = await fs.open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    return;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

function someOf(files: readonly string[]): string {
  const shown = files.slice(0, 3).join(', ');
  return files.length > 3 ? `${shown} and ${files.length - 3} more` : shown;
}
