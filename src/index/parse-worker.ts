import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Skipped } from '../analysis/report.js';
import { extractFacts } from '../parse/extract.js';
import { packFacts } from '../parse/pack.js';
import { readSource } from '../tree/files.js';
import { contentHash } from './cache.js';

/** What a thread is given: tree-relative files below `root`. */
export interface ParseJob {
  readonly root: string;
  readonly files: readonly string[];
}

export interface ParseResult {
  /** As `packFacts` made them, with the `contentHash` of what they were read from. */
  readonly facts: { readonly packed: string; readonly hash: string }[];
  readonly skipped: Skipped[];
}

/** Reads and parses the files of one job. An entry point of a worker thread. */
export function parseFiles({ root, files }: ParseJob): ParseResult {
  const facts: ParseResult['facts'] = [];
  const skipped: Skipped[] = [];
  for (const file of files) {
    const source = readSource({ root, version: '' }, file);
    if ('skipped' in source) skipped.push(source.skipped);
    else
      facts.push({
        packed: packFacts(extractFacts(file, source.text)),
        hash: contentHash(Buffer.from(source.text, 'latin1')),
      });
  }
  return { facts, skipped };
}

/** What a file outside of the core says at a glance. */
export interface Glance {
  readonly file: string;
  /** A mask may stand in it. */
  readonly hasMask: boolean;
  /** Those of the names looked for that stand in it as words, in comments and strings as well. */
  readonly names: readonly string[];
}

export interface GlanceJob extends ParseJob {
  /** The names to look for, separated by blanks, as latin1: one buffer that all threads share; absent: look for masks. */
  readonly names?: SharedArrayBuffer;
  /** Tells one set of names from another. */
  readonly set?: number;
}

const MASKS = ['GFP_NOFS', 'GFP_NOIO', '__GFP_FS', '__GFP_IO'].map((mask) => Buffer.from(mask, 'latin1'));

/** Glances at the files of one job; those that show nothing are left out. An entry point of a worker thread. */
export function glanceAt({ root, files, names: text, set }: GlanceJob): Glance[] {
  if (text && wanted?.set !== set) wanted = wantedNames(text, set ?? 0);
  const out: Glance[] = [];
  for (const file of files) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(path.join(root, file));
    } catch {
      continue;
    }
    const hasMask = !text && MASKS.some((mask) => bytes.includes(mask));
    const names = text && wanted ? namesIn(bytes, wanted) : [];
    if (hasMask || names.length > 0) out.push({ file, hasMask, names });
  }
  return out;
}

/** One bit for each hash of a name looked for: most words of a file are dismissed by it. */
const BITS = 1 << 22;
interface Wanted {
  readonly set: number;
  readonly names: ReadonlySet<string>;
  readonly bits: Uint8Array;
}

let wanted: Wanted | undefined;

function wantedNames(text: SharedArrayBuffer, set: number): Wanted {
  const names = new Set(Buffer.from(new Uint8Array(text)).toString('latin1').split(' '));
  const bits = new Uint8Array(BITS >> 3);
  for (const name of names) {
    let h = 0;
    for (let i = 0; i < name.length; i++) h = (Math.imul(h, 33) + name.charCodeAt(i)) | 0;
    h = (h ^ (h >>> 15)) & (BITS - 1);
    bits[h >> 3]! |= 1 << (h & 7);
  }
  return { set, names, bits };
}

/** 1: goes on a word. */
const WORD = new Uint8Array(256);
for (let c = 0; c < 256; c++)
  WORD[c] = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 95 ? 1 : 0;

function namesIn(bytes: Uint8Array, { names, bits }: Wanted): string[] {
  const found = new Set<string>();
  const length = bytes.length;
  for (let i = 0; i < length; ) {
    let c = bytes[i]!;
    if (WORD[c] === 0) {
      i++;
      continue;
    }
    const from = i;
    let h = 0;
    do {
      h = (Math.imul(h, 33) + c) | 0;
      c = ++i < length ? bytes[i]! : 0;
    } while (WORD[c] === 1);
    h = (h ^ (h >>> 15)) & (BITS - 1);
    if ((bits[h >> 3]! & (1 << (h & 7))) === 0) continue;
    const word = Buffer.from(bytes.buffer, bytes.byteOffset + from, i - from).toString('latin1');
    if (names.has(word)) found.add(word);
  }
  return [...found];
}
