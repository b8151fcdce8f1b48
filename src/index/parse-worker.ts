import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Skipped } from '../analysis/report.js';
import { extractFacts } from '../parse/extract.js';
import { packFacts } from '../parse/pack.js';
import { readSource } from '../tree/files.js';

/** What a thread is given: tree-relative files below `root`. */
export interface ParseJob {
  readonly root: string;
  readonly files: readonly string[];
}

export interface ParseResult {
  /** As `packFacts` made them. */
  readonly facts: string[];
  readonly skipped: Skipped[];
}

/** Reads and parses the files of one job. An entry point of a worker thread. */
export function parseFiles({ root, files }: ParseJob): ParseResult {
  const facts: string[] = [];
  const skipped: Skipped[] = [];
  for (const file of files) {
    const source = readSource({ root, version: '' }, file);
    if ('skipped' in source) skipped.push(source.skipped);
    else facts.push(packFacts(extractFacts(file, source.text)));
  }
  return { facts, skipped };
}

export interface SearchJob extends ParseJob {
  readonly names: readonly string[];
}

/** Names up to this number are looked for one by one, which is faster than a pattern of them all. */
const FEW = 24;

/** The files of one job in which one of the names stands as a word. An entry point of a worker thread. */
export function findNames({ root, files, names }: SearchJob): string[] {
  const word = new RegExp(`\\b(?:${names.join('|')})\\b`);
  return files.filter((file) => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(path.join(root, file));
    } catch {
      return false;
    }
    if (names.length <= FEW && !names.some((name) => bytes.includes(name, 0, 'latin1'))) return false;
    return word.test(bytes.toString('latin1'));
  });
}
