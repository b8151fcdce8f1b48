import { existsSync, lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { git, isTopOfGit } from '../tree/git.js';
import { InputError } from '../tree/input-error.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import { runCommand } from './command.js';

/** A copy of the tree that may be written to, and a place to build in. */
export interface Scratch {
  readonly source: string;
  readonly build: string;
  /** How the copy was made, for the reader. */
  readonly how: string;
  /** Gives files of the copy new contents (latin1). */
  write(files: ReadonlyMap<string, string>): void;
  /** Takes all of it away, and what git noted of it. */
  remove(): void;
}

/** What a build inside of the source leaves, and a build outside of it does not stand. */
const BUILT = ['.config', 'include/config', 'include/generated'];

/**
 * Copies a kernel tree: as a work tree of its repository with what is not committed put over it, or, where the tree is not the top
 * of one, file by file, as hard links if the file system can.
 * @throws InputError if neither can be done
 */
export async function makeScratch(tree: KernelTree, signal: AbortSignal): Promise<Scratch> {
  const top = realpathSync(mkdtempSync(path.join(tmpdir(), 'gfp-scope-verify-')));
  const source = path.join(top, 'linux');
  const build = path.join(top, 'build');
  const isGit = isTopOfGit(tree.root);
  const remove = (): void => {
    if (isGit) {
      try {
        git(tree, 'verify', ['worktree', 'remove', '--force', '--force', source]);
      } catch {
        // It was not made.
      }
    }
    rmSync(top, { recursive: true, force: true });
    if (isGit) git(tree, 'verify', ['worktree', 'prune']);
  };
  try {
    mkdirSync(build);
    const how = isGit ? await addWorkTree(tree, source, signal) : await copyTree(tree, source, signal);
    const write = (files: ReadonlyMap<string, string>): void => {
      for (const [file, content] of files) {
        const target = path.join(source, file);
        // Not through a hard link.
        rmSync(target, { force: true });
        mkdirSync(path.dirname(target), { recursive: true });
        writeFileSync(target, content, 'latin1');
      }
    };
    return { source, build, how, write, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

async function addWorkTree(tree: KernelTree, source: string, signal: AbortSignal): Promise<string> {
  const args = ['-c', 'core.hooksPath=/dev/null', 'worktree', 'add', '--detach', '--quiet', source, 'HEAD'];
  const added = await runCommand('git', ['-C', tree.root, ...args], { cwd: tree.root, signal });
  if (added.status !== 0) throw new InputError(`cannot make a work tree to build in: ${added.output.trim()}`);
  const changed = git(tree, 'verify', ['diff', '--no-ext-diff', '--no-renames', '--name-only', '-z', 'HEAD']);
  const untracked = git(tree, 'verify', ['ls-files', '--others', '--exclude-standard', '-z']);
  const names = [...new Set(`${changed}${untracked}`.split('\0').filter((name) => name !== ''))];
  for (const name of names) {
    const target = path.join(source, name);
    rmSync(target, { recursive: true, force: true });
    const from = path.join(tree.root, name);
    if (lstatSync(from, { throwIfNoEntry: false }))
      await cp(from, target, { recursive: true, verbatimSymlinks: true });
  }
  return names.length === 0
    ? 'a work tree of HEAD'
    : `a work tree of HEAD with what is not committed (${names.length} ${names.length === 1 ? 'file' : 'files'})`;
}

async function copyTree(tree: KernelTree, source: string, signal: AbortSignal): Promise<string> {
  const copy = (options: string): ReturnType<typeof runCommand> =>
    runCommand('cp', [options, '--', tree.root, source], { cwd: tree.root, signal });
  let how = 'a copy of hard links';
  let ran = await copy('-al');
  if (ran.status !== 0) {
    rmSync(source, { recursive: true, force: true });
    how = 'a copy';
    ran = await copy('-a');
  }
  if (ran.status !== 0) throw new InputError(`cannot copy the tree: ${ran.output.trim().split('\n', 1)[0]}`);
  for (const name of BUILT) {
    const there = path.join(source, name);
    if (existsSync(there)) rmSync(there, { recursive: true });
  }
  return how;
}
