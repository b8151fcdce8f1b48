import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { applyPatch, parsePatch } from 'diff';
import { InputError } from '../tree/input-error.js';
import { reasonOf } from '../tree/kernel-tree.js';

/** One step of what is verified. */
export interface VerifyPatch {
  readonly subject: string;
  /** By tree-relative name: the contents afterwards, latin1. */
  readonly files: ReadonlyMap<string, string>;
  /** The mail, latin1. */
  readonly mail: string;
}

/**
 * Reads the mails of a series, in the order of their names; a cover letter has no diff and is left out.
 * @param source gives the contents of a file of the tree, undefined if there is none
 * @throws InputError that names the mail which can't be read or does not apply
 */
export function readPatches(directory: string, source: (file: string) => string | undefined): VerifyPatch[] {
  let names: string[];
  try {
    names = readdirSync(directory)
      .filter((name) => /\.(?:patch|eml|mbox)$/.test(name))
      .sort();
  } catch (error) {
    throw new InputError(`${directory}: ${reasonOf(error)}`);
  }
  const state = new Map<string, string>();
  const patches: VerifyPatch[] = [];
  for (const name of names) {
    const mail = readFileSync(path.join(directory, name), 'latin1');
    const files = new Map<string, string>();
    const start = mail.search(/^diff --git /m);
    if (start < 0) continue;
    // Behind the diff stands the signature of the mail.
    const diff = mail.slice(start).replace(/^-- \n[\s\S]*$/m, '');
    for (const one of parsed(name, diff)) {
      const file = one.newFileName?.replace(/^b\//, '');
      if (file === undefined || file === '/dev/null' || one.hunks.length === 0) continue;
      const before = state.get(file) ?? source(file);
      if (before === undefined) throw new InputError(`${name}: ${file} is not in the tree`);
      const after = applyPatch(before, one);
      if (after === false) throw new InputError(`${name}: does not apply to ${file}`);
      state.set(file, after);
      files.set(file, after);
    }
    patches.push({ subject: subjectOf(mail) || name, files, mail });
  }
  if (patches.length === 0) throw new InputError(`${directory}: no patches in it`);
  return patches;
}

function parsed(name: string, diff: string): ReturnType<typeof parsePatch> {
  try {
    return parsePatch(diff);
  } catch (error) {
    throw new InputError(`${name}: ${(error as Error).message}`);
  }
}

/** The subject without what is in brackets before it; a folded one is put together. */
function subjectOf(mail: string): string {
  const header = /^Subject: (.*(?:\r?\n[ \t].*)*)/m.exec(mail)?.[1] ?? '';
  return header
    .replace(/\r?\n[ \t]+/g, ' ')
    .replace(/^\[[^\]]*\]\s*/, '')
    .trim();
}
