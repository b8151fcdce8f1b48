import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { commitAsInWorkTree, git, topPrefix } from './git.js';
import { InputError } from './input-error.js';
import type { KernelTree } from './kernel-tree.js';

/** One commit on top of the one before. Texts are Unicode; contents are latin1 strings, one character a byte. */
export interface NewCommit {
  /** Subject, blank line, body. */
  readonly message: string;
  /** Whole files by tree-relative names. */
  readonly files: readonly { readonly file: string; readonly content: string; readonly mode: string }[];
}

/** What a branch is told besides its commits. */
export interface BranchOptions {
  readonly author: { readonly name: string; readonly email: string };
  readonly date: Date;
}

/** Commits that nothing refers to yet. */
export interface PreparedBranch {
  /** Object names, first to last. */
  readonly commits: readonly string[];
  /** Makes the branch. @throws InputError if it is there by now */
  readonly publish: () => void;
}

/**
 * Commits on top of HEAD, for a new branch; work tree, index and HEAD stay as they are. Until `publish` is called there are
 * only objects that `git gc` takes away.
 * @throws InputError if the tree is in no git work tree, the name is none for a branch or is taken, or HEAD has other contents of
 * the files than the work tree
 */
export function prepareBranch(
  tree: KernelTree,
  name: string,
  commits: readonly NewCommit[],
  { author, date }: BranchOptions,
): PreparedBranch {
  const why = `--branch ${name}`;
  const files = [...new Set(commits.flatMap((commit) => commit.files.map(({ file }) => file)))];
  const head = commitAsInWorkTree(tree, 'HEAD', files, why);
  const ref = branchRef(tree, name, why);
  const scratch = mkdtempSync(path.join(tmpdir(), 'gfp-scope-index-'));
  try {
    const env = {
      GIT_INDEX_FILE: path.join(scratch, 'index'),
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_AUTHOR_DATE: `${Math.floor(date.getTime() / 1000)} +0000`,
    };
    git(tree, why, ['read-tree', head], { env });
    const prefix = topPrefix(tree.root);
    const made: string[] = [];
    for (const { message, files } of commits) {
      const entries = files.map(({ file, content, mode }) => {
        // The path, here from the current directory, has git convert line ends and the like as it would for `git add`.
        const store = ['hash-object', '-w', '--stdin', `--path=${file}`];
        const blob = git(tree, why, store, { input: Buffer.from(content, 'latin1') }).trim();
        return `${mode} ${blob}\t${prefix}${file}\0`;
      });
      git(tree, why, ['update-index', '-z', '--index-info'], { env, input: entries.join('') });
      const written = git(tree, why, ['write-tree'], { env }).trim();
      const commit = ['-c', 'i18n.commitEncoding=UTF-8', 'commit-tree', written, '-p', made.at(-1) ?? head];
      made.push(git(tree, why, [...commit, '-F', '-'], { env, input: `${message.trimEnd()}\n` }).trim());
    }
    const publish = (): void => {
      const absent = '0'.repeat(head.length);
      git(tree, why, ['update-ref', '-m', 'gfp-scope: series', ref, made.at(-1) ?? head, absent]);
    };
    return { commits: made, publish };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function branchRef(tree: KernelTree, name: string, why: string): string {
  const ref = `refs/heads/${name}`;
  // Not --branch, for which `-` and `@{-1}` are names of others.
  git(tree, `${why}: not a name for a branch`, ['check-ref-format', ref]);
  if (name.startsWith('-')) throw new InputError(`${why}: not a name for a branch`);
  if (git(tree, why, ['for-each-ref', '--format=%(refname)', ref]).split('\n').includes(ref))
    throw new InputError(`${why}: the branch exists`);
  return ref;
}
