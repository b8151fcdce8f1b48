import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { type MaintainersSection, sectionsFor, THE_REST } from './maintainers.js';

const SCRIPT = 'scripts/get_maintainer.pl';

/** Who MAINTAINERS names, and nobody for having touched the file or a line with some word in it. */
const ARGUMENTS = ['--nogit', '--nogit-fallback', '--norolestats', '--nokeywords'];

/** Ten times what the script takes for a patch to hundreds of files. */
const TIMEOUT_MS = 60_000;

/**
 * Who is to see a patch to these files of a tree, one `NAME <EMAIL>` or `EMAIL` of a list each: what the tree's own
 * scripts/get_maintainer.pl says, or if it or perl is not there, or fails, what MAINTAINERS does.
 * @param root absolute, the directory that `files` are relative to
 */
export function recipientsOf(
  root: string,
  sections: readonly MaintainersSection[],
  files: readonly string[],
): string[] {
  return askScript(root, files) ?? inMaintainers(sections, files);
}

function askScript(root: string, files: readonly string[]): string[] | undefined {
  if (files.length === 0 || !existsSync(path.join(root, SCRIPT))) return undefined;
  const run = spawnSync('perl', [SCRIPT, ...ARGUMENTS, '-f', '--', ...files], {
    cwd: root,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 1 << 26,
  });
  if (run.error || run.status !== 0) return undefined;
  const lines = run.stdout.split('\n').filter((line) => line.includes('@'));
  return lines.length > 0 ? lines : undefined;
}

/** As the script picks: sections by depth, maintainers before reviewers before lists, no lists for subscribers only. */
export function inMaintainers(sections: readonly MaintainersSection[], files: readonly string[]): string[] {
  const found = new Set<MaintainersSection>(files.flatMap((file) => sectionsFor(sections, file)));
  const people = [...found].flatMap(({ title, people }) =>
    // The script leaves out the one who is in charge of the rest, too.
    people.filter(({ role }) => role === 'L' || title !== THE_REST),
  );
  const lists = people.filter(({ role, text }) => role === 'L' && !text.includes('subscribers-only'));
  return [
    ...new Set([
      ...people.filter(({ role }) => role !== 'L').map(({ text }) => text),
      // A list is its address alone, whatever is said of it.
      ...lists.map(({ text }) => text.split(/\s/, 1)[0]!),
    ]),
  ];
}
