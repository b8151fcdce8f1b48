import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { InputError } from './input-error.js';
import type { KernelTree } from './kernel-tree.js';

/** As many names go to one `git status`; the longest command line is some hundred thousand bytes. */
const BATCH = 500;

/**
 * Those of the tree-relative `files` that git would not give back: changed, staged or untracked. None if
 * the tree is not in a git work tree, or git ignores them.
 * @throws InputError if the tree is in a git work tree but git cannot say.
 */
export function uncommittedFiles(tree: KernelTree, files: readonly string[]): string[] {
  if (!inGitWorkTree(tree.root)) return [];
  const uncommitted = new Set<string>();
  for (let i = 0; i < files.length; i += BATCH) {
    const args = ['status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames', '--'];
    const status = runGit(tree.root, [...args, ...files.slice(i, i + BATCH)]);
    const reason = failureOf(status);
    if (reason !== undefined)
      throw new InputError(
        `cannot ask git for uncommitted changes in ${tree.root} (${reason}); --force does without`,
      );
    // Each record is two letters of state, a space and the name, relative to the top of the work tree.
    // A file that was taken out of the index but is there has two.
    const prefix = topPrefix(tree.root);
    for (const record of status.stdout.split('\0'))
      if (record !== '') uncommitted.add(record.slice(3 + prefix.length));
  }
  return [...uncommitted];
}

/** Is the tree the top of a git work tree that has a commit? */
export function isTopOfGit(root: string): boolean {
  if (!existsSync(path.join(root, '.git'))) return false;
  const { error, status } = runGit(root, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']);
  return !error && status === 0;
}

/** Where the tree is in its git work tree: `''` at the top, else a path with a slash at the end. */
export function topPrefix(root: string): string {
  const shown = runGit(root, ['rev-parse', '--show-prefix']);
  return shown.status === 0 ? shown.stdout.replace(/\n$/, '') : '';
}

/**
 * Who git would say wrote a commit made in the tree.
 * @throws InputError if git does not know.
 */
export function gitAuthor(tree: KernelTree): { name: string; email: string } {
  const ident = runGit(tree.root, ['var', 'GIT_AUTHOR_IDENT']);
  const [, name, email] = /^(.+) <(.+)> \d+ [-+]\d+$/.exec(ident.stdout?.trim() ?? '') ?? [];
  if (!name || !email)
    throw new InputError('git knows no author: set user.name and user.email, or use --from "NAME <EMAIL>"');
  return { name, email };
}

function inGitWorkTree(directory: string): boolean {
  for (let up = directory; ; up = path.dirname(up)) {
    if (existsSync(path.join(up, '.git'))) return true;
    if (up === path.dirname(up)) return false;
  }
}

/** Names are no patterns, `status` writes no index, and no other repository is meant than the one around the tree. */
function gitEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    GIT_LITERAL_PATHSPECS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    LC_ALL: 'C',
  };
  for (const name of ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX']) delete env[name];
  return env;
}

/**
 * What git says on stdout, run in the tree.
 * @throws InputError with git's own words where it fails, behind `why`
 */
export function git(
  tree: KernelTree,
  why: string,
  args: readonly string[],
  options: GitOptions = {},
): string {
  const run = runGit(tree.root, args, options);
  const reason = failureOf(run);
  if (reason !== undefined) throw new InputError(`${why}: ${reason}`);
  return run.stdout;
}

interface GitOptions {
  readonly input?: Buffer | string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout?: number;
}

function runGit(cwd: string, args: readonly string[], { input = '', env, timeout }: GitOptions = {}) {
  return spawnSync('git', args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    input,
    env: { ...gitEnvironment(), ...env },
    ...(timeout === undefined ? {} : { timeout }),
  });
}

/** Why git gave no answer, in its own words; undefined if it did. */
function failureOf({ error, status, stderr }: ReturnType<typeof runGit>): string | undefined {
  if (error) return error.message;
  return status === 0 ? undefined : stderr.trim().split('\n', 1)[0] || `git exits with ${status}`;
}

/**
 * The commit, 40 hex digits, that `name` stands for, if it has the tree-relative `files` as they are in the work tree.
 * @param why what the answer is for, as the beginning of an error message: `--base HEAD`
 * @throws InputError if the tree is in no git work tree, there is no such commit, or files differ from it
 */
export function commitAsInWorkTree(
  tree: KernelTree,
  name: string,
  files: readonly string[],
  why: string,
): string {
  const commit = git(tree, why, ['rev-parse', '--verify', '--end-of-options', `${name}^{commit}`]).trim();
  for (let i = 0; i < files.length; i += BATCH) {
    const batch = files.slice(i, i + BATCH);
    const kept = new Set(
      git(tree, why, ['ls-tree', '-z', '--name-only', commit, '--', ...batch]).split('\0'),
    );
    const diff = ['diff', '--no-ext-diff', '--no-renames', '--name-only', '--relative', '-z', commit, '--'];
    const [changed] = git(tree, why, [...diff, ...batch]).split('\0');
    const differing = batch.find((file) => !kept.has(file)) ?? changed;
    if (differing)
      throw new InputError(`${why}: ${differing} in the work tree is not as in ${commit.slice(0, 12)}`);
  }
  return commit;
}

/** As many commits say what the custom is. */
const COMMITS = 100;

/** On a large repository a file that hardly changes has git walk all of its history. */
const LOG_TIMEOUT_MS = 30_000;

/** The subjects of the newest commits, merges left out, to these tree-relative files; none where git does not know. */
export function subjectsOf(tree: KernelTree, files: readonly string[]): string[] {
  if (!inGitWorkTree(tree.root)) return [];
  const args = ['log', '--no-merges', '--no-show-signature', '--format=%s', `--max-count=${COMMITS}`, '--'];
  const log = runGit(tree.root, [...args, ...files.slice(0, BATCH)], { timeout: LOG_TIMEOUT_MS });
  if (failureOf(log) !== undefined) return [];
  return log.stdout.split('\n').filter((subject) => subject !== '' && !subject.startsWith('Revert "'));
}
