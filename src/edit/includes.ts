import { MODULE } from '../tree/kernel-tree.js';
import { commentEnd, type Directive, lex, lineStart } from './tokens.js';

/** Tells whether a file of the tree gets a header, itself or through the headers that it includes. */
export interface IncludeResolver {
  /**
   * @param file path in the tree
   * @param header as between the angle brackets: `linux/sched/mm.h`
   */
  provides(file: string, header: string): boolean;
}

interface Inclusion {
  readonly name: string;
  readonly quoted: boolean;
}

/**
 * A resolver over a kernel tree. An `#include` inside an `#if` does not count (the configuration may leave
 * it out), unless the condition is an include guard or always true for kernel C (`__KERNEL__`,
 * `!__ASSEMBLY__`). `<asm/…>` counts only for a file of that architecture: the others' header of that
 * name may include something else. An unknown file provides nothing, so in doubt the answer is no.
 *
 * @param readFile content of a file by its path in the tree, or `undefined` if there is none
 */
export function createIncludeResolver(
  readFile: (treeRelative: string) => string | undefined,
): IncludeResolver {
  const contents = new Map<string, string | undefined>();
  const inclusions = new Map<string, readonly Inclusion[]>();
  const searchPaths = new Map<string, readonly string[]>();

  const read = (path: string): string | undefined => {
    if (!contents.has(path)) contents.set(path, readFile(path));
    return contents.get(path);
  };
  const inclusionsOf = (path: string): readonly Inclusion[] => {
    let known = inclusions.get(path);
    if (!known) {
      known = unconditionalIncludes(read(path) ?? '');
      inclusions.set(path, known);
    }
    return known;
  };
  const searchPathsOf = (directory: string): readonly string[] => {
    let known = searchPaths.get(directory);
    if (!known) {
      known = makefileSearchPaths(directory, read);
      searchPaths.set(directory, known);
    }
    return known;
  };

  /** `unit` is the file that is compiled: its Makefile's search paths and its architecture apply. */
  const resolve = (inclusion: Inclusion, from: string, unit: string): string | undefined => {
    const candidates: string[] = [];
    if (inclusion.quoted) candidates.push(join(directoryOf(from), inclusion.name));
    for (const path of searchPathsOf(directoryOf(unit))) candidates.push(join(path, inclusion.name));
    const architecture = /^arch\/[^/]+\//.exec(unit)?.[0];
    if (architecture) {
      candidates.push(
        `${architecture}include/${inclusion.name}`,
        `${architecture}include/uapi/${inclusion.name}`,
      );
    }
    if (!inclusion.name.startsWith('asm/')) {
      candidates.push(`include/${inclusion.name}`, `include/uapi/${inclusion.name}`);
    }
    return candidates.find((path) => read(path) !== undefined);
  };

  const answers = new Map<string, boolean>();
  return {
    provides(file, header) {
      const key = `${file}\n${header}`;
      const known = answers.get(key);
      if (known !== undefined) return known;
      const seen = new Set([file]);
      const queue = [file];
      let found = false;
      for (let path = queue.pop(); path !== undefined && !found; path = queue.pop()) {
        for (const inclusion of inclusionsOf(path)) {
          const target = resolve(inclusion, path, file);
          if ((!inclusion.quoted && inclusion.name === header) || target === `include/${header}`) {
            found = true;
            break;
          }
          if (target === undefined || seen.has(target)) continue;
          seen.add(target);
          queue.push(target);
        }
      }
      answers.set(key, found);
      return found;
    },
  };
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function join(directory: string, name: string): string {
  const parts: string[] = [];
  for (const part of `${directory}/${name}`.split('/')) {
    // What lies above a module's directory is not the kernel.
    if (part === '..' && parts.length === 1 && parts[0] === MODULE) parts.push(part);
    else if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** The `-I` paths that the Makefiles of a directory and its parents give to the compiler. */
function makefileSearchPaths(directory: string, read: (path: string) => string | undefined): string[] {
  const paths: string[] = [];
  for (let at = directory; at !== ''; at = directoryOf(at)) {
    const makefile = read(`${at}/Makefile`) ?? read(`${at}/Kbuild`);
    for (const [, path] of makefile?.matchAll(/-I\s*(\$\(\w+\)[\w/.$()-]*)/g) ?? []) {
      const plain = path!
        .replace(/^\$\(srctree\)\/?/, '')
        .replace(/\$\((?:src|obj)\)/, at)
        .replace(/^\$\(objtree\)\/?/, '');
      if (!plain.includes('$')) paths.push(join('', plain));
    }
  }
  return paths;
}

/** Names that are always, or never, defined where kernel C is compiled. */
const ALWAYS_TRUE =
  /^(?:ifdef\s+__KERNEL__|if\s+defined\s*\(?\s*__KERNEL__\s*\)?|ifndef\s+__ASSEMBL(?:Y|ER)__|if\s+1|if\s+!\s*defined\s*\(?\s*__ASSEMBL(?:Y|ER)__\s*\)?)\s*$/;

interface OpenConditional {
  /** Whether what is inside is compiled in every configuration. */
  certain: boolean;
}

/** Calls `visit` for every directive with whether it stands where every configuration compiles it. */
function walkDirectives(
  text: string,
  visit: (directive: Directive, line: string, certain: boolean) => void,
): void {
  const { directives } = lex(text, 0, text.length);
  const guard = guardOf(text, directives);
  const open: OpenConditional[] = [];
  for (const directive of directives) {
    const line = text
      .slice(directive.start + 1, directive.end)
      .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/g, ' ')
      .trim();
    const certain = open.every((c) => c.certain);
    if (directive.name.startsWith('if')) {
      visit(directive, line, false);
      open.push({ certain: directive === guard || ALWAYS_TRUE.test(line) });
    } else if (directive.name === 'else' || directive.name.startsWith('elif')) {
      if (open.length > 0) open.at(-1)!.certain = false;
    } else if (directive.name === 'endif') open.pop();
    else visit(directive, line, certain);
  }
}

function unconditionalIncludes(text: string): Inclusion[] {
  const found: Inclusion[] = [];
  if (!text.includes('include')) return found;
  walkDirectives(text, (directive, line, certain) => {
    if (directive.name !== 'include' || !certain) return;
    const match = /^include\s*(?:<([^>]+)>|"([^"]+)")/.exec(line);
    if (match) found.push({ name: (match[1] ?? match[2])!, quoted: match[2] !== undefined });
  });
  return found;
}

/** The `#ifndef` of an include guard: the first directive, its name defined by the second, closed by the last. */
function guardOf(text: string, directives: readonly Directive[]): Directive | undefined {
  const relevant = directives.filter((d) => d.name !== 'pragma');
  const [first, second] = relevant;
  if (!first || !second || relevant.at(-1)!.name !== 'endif') return undefined;
  const body = (d: Directive): string => text.slice(d.start, d.end);
  const name =
    /^#\s*ifndef\s+(\w+)/.exec(body(first))?.[1] ??
    /^#\s*if\s+!\s*defined\s*\(?\s*(\w+)/.exec(body(first))?.[1];
  if (name === undefined || !new RegExp(`^#\\s*define\\s+${name}\\b`).test(body(second))) {
    return undefined;
  }
  let depth = 0;
  for (const d of relevant) {
    if (d.name.startsWith('if')) depth++;
    else if (d.name === 'endif' && --depth === 0) return d === relevant.at(-1) ? first : undefined;
  }
  return undefined;
}

/** Where an `#include` line goes and the whole text to insert there, line end included. */
export interface IncludeInsertion {
  readonly offset: number;
  readonly text: string;
}

/**
 * Places `#include <header>` in a file: by the alphabet among the `<linux/…>` lines if they are in that
 * order, else after the last of them; in front of the file's own headers; never inside an `#if`.
 */
export function includeInsertion(text: string, header: string): IncludeInsertion {
  const newline = text.indexOf('\n');
  const eol = text[newline - 1] === '\r' ? '\r\n' : '\n';
  const line = `#include <${header}>${eol}`;
  const found: { name: string; quoted: boolean; start: number; end: number }[] = [];
  let guardDefine = -1;
  let formatDefine = -1;
  walkDirectives(text, (directive, content, certain) => {
    if (!certain) return;
    const end = Math.min(text.length, directive.end + 1);
    if (directive.name === 'include') {
      const match = /^include\s*(?:<([^>]+)>|"([^"]+)")/.exec(content);
      if (match) {
        const name = (match[1] ?? match[2])!;
        found.push({ name, quoted: match[2] !== undefined, start: lineStart(text, directive.start), end });
      }
    } else if (directive.name === 'define') {
      if (/^define\s+pr_fmt\b/.test(content)) formatDefine = end;
      if (guardDefine < 0 && /^define\s+\w+$/.test(content) && found.length === 0) guardDefine = end;
    }
  });
  const top = header.slice(0, header.indexOf('/') + 1);
  const alike = found.filter((f) => !f.quoted && f.name.startsWith(top));
  if (alike.length > 0) {
    const sorted = alike.every((f, i) => i === 0 || alike[i - 1]!.name <= f.name);
    const next = sorted ? alike.find((f) => f.name > header) : undefined;
    // In front of the next name would be behind what separates the groups of includes, if it begins one.
    const own = found.find((f) => f.quoted)?.start ?? text.length;
    const previous = next
      ? alike[alike.indexOf(next) - 1]
      : (alike.findLast((f) => f.start < own) ?? alike.at(-1));
    if (previous) return after(text, previous.end, line, eol);
    return { offset: next!.start, text: line };
  }
  const angled = found.filter((f) => !f.quoted);
  const firstQuoted = found.find((f) => f.quoted);
  if (angled.length > 0 && (!firstQuoted || angled.at(-1)!.end <= firstQuoted.start)) {
    return after(text, angled.at(-1)!.end, line, eol);
  }
  if (firstQuoted) return { offset: firstQuoted.start, text: line };
  const front = Math.max(formatDefine, isGuarded(text) ? guardDefine : -1, endOfOpeningComments(text));
  return after(text, front, blankAround(text, front, line, eol), eol);
}

function isGuarded(text: string): boolean {
  return guardOf(text, lex(text, 0, text.length).directives) !== undefined;
}

/** An insertion behind a line; one that the file ends without gets its line end first. */
function after(text: string, offset: number, line: string, eol: string): IncludeInsertion {
  const unfinished = offset > 0 && text[offset - 1] !== '\n';
  return { offset, text: unfinished ? `${eol}${line}` : line };
}

/** A first include is set off from what follows it, and from a comment or a guard above it, by a blank line. */
function blankAround(text: string, offset: number, line: string, eol: string): string {
  const blankFollows = offset >= text.length || /^[ \t]*\r?\n/.test(text.slice(offset));
  if (blankFollows && offset > 0) return `${eol}${line}`;
  return `${offset > 0 ? eol : ''}${line}${blankFollows ? '' : eol}`;
}

/** Past the comments that a file begins with (licence, description), up to the first blank line. */
function endOfOpeningComments(text: string): number {
  let end = 0;
  for (let at = 0; at < text.length; ) {
    if (end > 0 && /^[ \t]*\r?\n/.test(text.slice(at))) break;
    if (/\s/.test(text[at]!)) at++;
    else if (text[at] === '/' && (text[at + 1] === '*' || text[at + 1] === '/')) {
      at = commentEnd(text, at);
      const newline = text.indexOf('\n', at);
      end = newline < 0 ? text.length : newline + 1;
      at = end;
    } else break;
  }
  return end;
}
