import type { Skipped } from '../analysis/report.js';
import { extractFacts } from '../parse/extract.js';
import type { FileFacts } from '../parse/facts.js';
import { readSource } from '../tree/files.js';

/** What a thread is given: tree-relative files below `root`. */
export interface ParseJob {
  readonly root: string;
  readonly files: readonly string[];
}

export interface ParseResult {
  readonly facts: FileFacts[];
  readonly skipped: Skipped[];
}

/** Reads and parses the files of one job; the entry point of a worker thread. */
export default function parseFiles({ root, files }: ParseJob): ParseResult {
  const facts: FileFacts[] = [];
  const skipped: Skipped[] = [];
  for (const file of files) {
    const source = readSource({ root, version: '' }, file);
    if ('skipped' in source) skipped.push(source.skipped);
    else facts.push(extractFacts(file, source.text));
  }
  return { facts, skipped };
}
