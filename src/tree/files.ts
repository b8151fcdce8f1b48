import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { InputError } from './input-error.js';
import { type KernelTree, MODULE, placeOf, reasonOf, topOf } from './kernel-tree.js';

/** How far a long piece of work has come. */
export interface Progress {
  /** What is being done, in a word or two: `reading`, `parsing`. */
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

/** A file that is left out, and why. */
export interface Skipped {
  readonly file: string;
  readonly reason: string;
}

/** C files under the paths asked for, and what was left out. */
export interface Listing {
  /** Tree-relative, `/` between the parts, each once, in byte order. */
  readonly files: readonly string[];
  readonly skipped: readonly Skipped[];
}

/** A file's bytes as a latin1 string (one char a byte), or why it was left out. */
export type Source = { readonly text: string } | { readonly skipped: Skipped };

/**
 * Tree-relative names of paths as a person gives them: absolute, relative to `cwd`, or relative to the
 * top of the tree (in this order; a name that exists in `cwd` but outside of the tree is looked up in the
 * tree). Symbolic links are resolved. `''` is the whole tree, and what no path at all means. Where there is a module, only
 * its files can be asked for: it stands for the tree in all of this, and `MODULE` is the whole of it.
 * @throws InputError for a path that does not exist, or that is or leads outside of the tree.
 */
export function resolvePaths(tree: KernelTree, paths: readonly string[], cwd: string): string[] {
  if (paths.length === 0) return [tree.module === undefined ? '' : MODULE];
  const resolved = new Set(paths.map((asked) => resolvePath(tree, asked, cwd)));
  return [...resolved].sort(byBytes);
}

/** `resolvePaths` for one path. */
export function resolvePath(tree: KernelTree, asked: string, cwd: string): string {
  if (asked === '') throw new InputError('empty path');
  const top = topOf(tree);
  const candidates = path.isAbsolute(asked) ? [asked] : [path.resolve(cwd, asked), path.resolve(top, asked)];
  let outside: string | undefined;
  let failure: unknown;
  for (const candidate of candidates) {
    let real: string;
    try {
      real = realpathSync(candidate);
    } catch (error) {
      // Keep the more telling reason: `permission denied` over `no such file`.
      if (failure === undefined || (failure as NodeJS.ErrnoException).code === 'ENOENT') failure = error;
      continue;
    }
    const name = nameInTree(tree, real);
    if (name !== undefined) return name;
    const where = `${tree.module === undefined ? 'kernel tree' : 'module'} ${top}`;
    outside =
      nameInTree(tree, candidate) === undefined
        ? `${asked} is outside of the ${where}`
        : `${asked} leads out of the ${where} through a symbolic link`;
  }
  throw new InputError(outside ?? `${asked}: ${reasonOf(failure)} (looked in ${cwd} and in ${top})`);
}

/** Tree-relative name of an absolute path, `''` for the top; `undefined` if it is not inside. Purely lexical. */
export function nameInTree(tree: KernelTree, absolute: string): string | undefined {
  const relative = path.relative(topOf(tree), absolute);
  if (relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative))
    return undefined;
  const name = relative.split(path.sep).join('/');
  if (tree.module === undefined) return name;
  return name === '' ? MODULE : `${MODULE}/${name}`;
}

/**
 * The `.c` and `.h` files at and under tree-relative paths (as `resolvePaths` gives them). Symbolic
 * links are not followed and hidden directories (`.git`, …) not entered. What is named but no C file,
 * what cannot be read, and a link with the name of a C file that is no other name of one listed, is in `skipped`.
 */
export function listFiles(tree: KernelTree, paths: readonly string[]): Listing {
  const files = new Set<string>();
  const skipped = new Map<string, string>();
  const links: string[] = [];

  const walk = (directory: string) => {
    let entries: Dirent[];
    try {
      entries = readdirSync(placeOf(tree, directory), { withFileTypes: true });
    } catch (error) {
      skipped.set(directory, reasonOf(error));
      return;
    }
    for (const entry of entries) {
      const name = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.') && name !== MODULE) walk(name);
      } else if (isC(entry.name)) {
        if (entry.isFile()) files.add(name);
        else if (entry.isSymbolicLink()) links.push(name);
        else skipped.set(name, 'not a regular file');
      }
    }
  };

  for (const asked of paths) {
    try {
      const stat = statSync(placeOf(tree, asked));
      if (stat.isDirectory()) walk(asked);
      else if (!isC(asked)) skipped.set(asked, 'not a .c or .h file');
      else if (stat.isFile()) files.add(asked);
      else skipped.set(asked, 'not a regular file');
    } catch (error) {
      skipped.set(asked, reasonOf(error));
    }
  }
  for (const link of links) {
    const target = targetOf(tree, link);
    // Another name of a file that is listed.
    if (target !== undefined && files.has(target)) continue;
    skipped.set(link, target === undefined ? 'symbolic link' : `symbolic link to ${target}`);
  }
  return {
    files: sortedByBytes([...files]),
    skipped: [...skipped].sort(([a], [b]) => byBytes(a, b)).map(([file, reason]) => ({ file, reason })),
  };
}

/** Tree-relative name of what a symbolic link points to; `undefined` if that is not there, or not in the tree. */
function targetOf(tree: KernelTree, link: string): string | undefined {
  try {
    return nameInTree(tree, realpathSync(placeOf(tree, link)));
  } catch {
    return undefined;
  }
}

/** Reads one file of the tree. A binary file (one with a NUL byte) and one that cannot be read are skipped. */
export function readSource(tree: KernelTree, file: string): Source {
  let bytes: Buffer;
  try {
    bytes = readFileSync(placeOf(tree, file));
  } catch (error) {
    return { skipped: { file, reason: reasonOf(error) } };
  }
  return sourceOf(file, bytes);
}

/** `readSource` of a file that somebody has read. */
export function sourceOf(file: string, bytes: Buffer): Source {
  if (bytes.includes(0)) return { skipped: { file, reason: 'binary file' } };
  return { text: bytes.toString('latin1') };
}

/** Those of `files` in whose text `word` stands as a whole word (bytes compared; `[A-Za-z0-9_]` are word bytes). */
export function filesMentioning(tree: KernelTree, word: string, files: readonly string[]): string[] {
  const wanted = new RegExp(
    `(?<![A-Za-z0-9_])${word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?![A-Za-z0-9_])`,
  );
  const needle = Buffer.from(word, 'latin1');
  return files.filter((file) => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(placeOf(tree, file));
    } catch {
      return false;
    }
    return bytes.includes(needle) && wanted.test(bytes.toString('latin1'));
  });
}

function isC(file: string): boolean {
  return file.endsWith('.c') || file.endsWith('.h');
}

/** In the order of `byBytes`. */
function sortedByBytes(names: string[]): string[] {
  // The order of UTF-16 is that of UTF-8 but for what is beyond the first plane.
  return names.some((name) => /[\ud800-\uffff]/.test(name)) ? names.sort(byBytes) : names.sort();
}

/** Order of git and of `LC_ALL=C sort`: by the bytes of the whole name. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
