import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** One entry of MAINTAINERS, as far as it is about files and who answers for them. */
export interface MaintainersSection {
  readonly title: string;
  /** What stands behind `M:`, `R:` and `L:`, in this order of letters and as it is written. */
  readonly people: readonly { readonly role: 'M' | 'R' | 'L'; readonly text: string }[];
  /** Says an `S:` line that the code is obsolete? */
  readonly obsolete: boolean;
  /** How well it matches a file: the depth of its deepest pattern; undefined if it does not. */
  readonly match: (file: string) => number | undefined;
}

/** The section with a pattern for everything, which says nothing about whose a file is. */
export const THE_REST = 'THE REST';

/**
 * The sections of the MAINTAINERS file of a tree; none if it has no such file.
 * @param root absolute
 */
export function readMaintainers(root: string): MaintainersSection[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path.join(root, 'MAINTAINERS'));
  } catch {
    return [];
  }
  return parseMaintainers(textOf(bytes), (name) => isDirectory(path.join(root, name)));
}

/** UTF-8, which the file is since 2.6; an older name that is not is latin1. */
function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

function isDirectory(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * Reads MAINTAINERS as `read_maintainer_file` of the kernel's scripts/get_maintainer.pl does: a line that is no `X:` line begins
 * a section.
 * @param isFolder says whether a tree-relative name is a directory: a pattern that is the name of one needs no slash
 */
export function parseMaintainers(text: string, isFolder: (name: string) => boolean): MaintainersSection[] {
  const sections: { title: string; lines: [string, string][] }[] = [];
  let title = '';
  let open = false;
  for (const line of text.split(/\r?\n/)) {
    const [, letter, value] = /^([A-Z]):\s*(.*?)\s*$/.exec(line) ?? [];
    if (letter === undefined || value === undefined) {
      if (/^\s*(#|$)/.test(line)) continue;
      title = line.trim();
      open = false;
    } else {
      if (!open) sections.push({ title, lines: [] });
      open = true;
      sections.at(-1)!.lines.push([letter, value]);
    }
  }
  return sections.map(({ title, lines }) => {
    const of = (letter: string) => lines.filter(([l]) => l === letter).map(([, value]) => value);
    return {
      title,
      people: (['M', 'R', 'L'] as const).flatMap((role) => of(role).map((text) => ({ role, text }))),
      obsolete: of('S').some((status) => /obsolete/i.test(status)),
      match: matcher(of('F'), of('X'), of('N'), isFolder),
    };
  });
}

/**
 * `file_match_pattern` and `get_maintainers` of scripts/get_maintainer.pl. Its patterns are no globs of the usual kind: they match the
 * beginning of a name, and what keeps a `*` from crossing a slash is that both have as many, except where the pattern ends with one.
 */
function matcher(
  files: readonly string[],
  excluded: readonly string[],
  names: readonly string[],
  isFolder: (name: string) => boolean,
): MaintainersSection['match'] {
  const patterns = (values: readonly string[]) =>
    values.map((value) => {
      const pattern = value.endsWith('/') || !isFolder(value) ? value : `${value}/`;
      const source = pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
      return { pattern, regex: regexOf(`^${source}`), slashes: slashesIn(pattern) };
    });
  type Pattern = ReturnType<typeof patterns>[number];
  let read: { f: Pattern[]; x: Pattern[]; n: RegExp[] } | undefined;
  return (file) => {
    // Few of the two thousand sections are asked about more than one file.
    read ??= {
      f: patterns(files),
      x: patterns(excluded),
      // With Perl's /x, blanks are no part of an expression.
      n: names.map((name) => regexOf(name.replace(/\s+/g, ''))),
    };
    const slashes = slashesIn(file);
    const matches = (one: Pattern) =>
      one.regex.test(file) && (one.pattern.endsWith('/') || one.slashes === slashes);
    if (read.x.some(matches)) return undefined;
    const depths = read.f.filter(matches).map((one) => {
      if (one.pattern.startsWith('*')) return -1;
      return one.pattern.endsWith('/') ? one.slashes : one.slashes + 1;
    });
    if (read.n.some((regex) => regex.test(file))) depths.push(0);
    return depths.length === 0 ? undefined : Math.max(...depths);
  };
}

function slashesIn(text: string): number {
  return text.split('/').length - 1;
}

/** One that matches nothing where the pattern is no expression. */
function regexOf(source: string): RegExp {
  try {
    return new RegExp(source, 's');
  } catch {
    return /(?!)/;
  }
}

/** The sections that match a file, best first; of those that match as well the first in MAINTAINERS. */
export function sectionsFor(sections: readonly MaintainersSection[], file: string): MaintainersSection[] {
  return sections
    .flatMap((section) => {
      const depth = section.match(file);
      return depth === undefined ? [] : [{ section, depth }];
    })
    .sort((a, b) => b.depth - a.depth)
    .map(({ section }) => section);
}

/**
 * The title of the section that says that a file is obsolete, if there is one. scripts/checkpatch.pl asks for "no unnecessary
 * modifications" of such a file (`is_maintained_obsolete`, Linux 4.12 to 6.12).
 */
export function obsoleteIn(sections: readonly MaintainersSection[], file: string): string | undefined {
  return sections.find((section) => section.obsolete && section.match(file) !== undefined)?.title;
}

/** The title of the section that a file belongs to; undefined where it is no more than one of the rest. */
export function ownerOf(sections: readonly MaintainersSection[], file: string): string | undefined {
  return sectionsFor(sections, file).find(({ title }) => title !== THE_REST)?.title;
}
