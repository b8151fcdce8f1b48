import { readFileSync } from 'node:fs';
import { extractFacts } from '../parse/extract.js';
import { packFacts } from '../parse/pack.js';
import type { Skipped } from '../tree/files.js';
import { sourceOf } from '../tree/files.js';
import { placeOf, reasonOf } from '../tree/kernel-tree.js';
import { type Roots, readSeen, type Seen, unreadable } from './cache.js';
import { senseOf } from './sense.js';

/** What a thread is given: tree-relative files. */
export interface ParseJob {
  readonly roots: Roots;
  readonly files: readonly string[];
  /** Say what each file was. */
  readonly witness: boolean;
}

export interface ParseResult {
  /** As `packFacts` made them, with the `contentHash` of what they were read from and its `senseOf`, if `witness` asks for it. */
  readonly facts: { readonly packed: string; readonly hash: string; readonly sense: string }[];
  readonly skipped: Skipped[];
  /** What the files were, in order, if `witness` asks for it. */
  readonly seen: (readonly [file: string, seen: Seen])[];
}

/** Reads and parses the files of one job. An entry point of a worker thread. */
export function parseFiles({ roots, files, witness }: ParseJob): ParseResult {
  const facts: ParseResult['facts'] = [];
  const skipped: Skipped[] = [];
  const seen: [string, Seen][] = [];
  for (const file of files) {
    const bytes = read(roots, file, witness, seen);
    if (!(bytes instanceof Uint8Array)) {
      skipped.push({ file, reason: reasonOf(bytes.error) });
      continue;
    }
    const source = sourceOf(file, bytes);
    if ('skipped' in source) skipped.push(source.skipped);
    else
      facts.push({
        packed: packFacts(extractFacts(file, source.text)),
        hash: witness ? seen.at(-1)![1].hash : '',
        sense: witness ? senseOf(source.text) : '',
      });
  }
  return { facts, skipped, seen };
}

function read(
  roots: Roots,
  file: string,
  witness: boolean,
  noted: [string, Seen][],
): Buffer | { readonly error: unknown } {
  try {
    if (!witness) return readFileSync(placeOf(roots, file));
    const { bytes, seen } = readSeen(roots, file);
    noted.push([file, seen]);
    return bytes;
  } catch (error) {
    if (witness) noted.push([file, unreadable(error)]);
    return { error };
  }
}

/** What a file outside of the core says at a glance. */
export interface Glance {
  readonly file: string;
  /** A mask may stand in it. */
  readonly hasMask: boolean;
  /**
   * Those of the names looked for that stand in it as words, in comments and strings as well; `->name` besides where it is a member of
   * something that is not just set.
   */
  readonly names: readonly string[];
}

export interface GlanceJob extends ParseJob {
  /** The names to look for, separated by blanks, as latin1: one buffer that all threads share; absent: look for masks. */
  readonly names?: SharedArrayBuffer;
  /** Tells one set of names from another. */
  readonly set?: number;
  /** Say which words stand in the files, for searches to come. */
  readonly words?: boolean;
}

export interface GlanceResult {
  /** Of the files that show something. */
  readonly glances: Glance[];
  /** As in `ParseResult`. */
  readonly seen: (readonly [file: string, seen: Seen])[];
  /** If the job asks for it: how many different words each file has, and the `wordHash` of each, file by file. */
  readonly counts?: Uint32Array;
  readonly hashes?: Uint32Array;
}

/** What all masks have in common: three files of four have none, and it begins with a rare letter, so this is soon known. */
const IN_ALL_MASKS = Buffer.from('GFP_', 'latin1');
const MASKS = ['GFP_NOFS', 'GFP_NOIO', '__GFP_FS', '__GFP_IO'].map((mask) => Buffer.from(mask, 'latin1'));

/** Glances at the files of one job. An entry point of a worker thread. */
export function glanceAt({ roots, files, witness, names: text, set, words }: GlanceJob): GlanceResult {
  if (text && wanted?.set !== set) wanted = new Wanted(text, set ?? 0);
  const glances: Glance[] = [];
  const seen: [string, Seen][] = [];
  const found = words ? new Words(files.length) : undefined;
  for (const [place, file] of files.entries()) {
    found?.begin(place);
    const bytes = read(roots, file, witness, seen);
    if (!(bytes instanceof Uint8Array)) continue;
    const hasMask = !text && bytes.includes(IN_ALL_MASKS) && MASKS.some((mask) => bytes.includes(mask));
    const names = text && wanted ? namesIn(bytes, wanted, found) : [];
    if (hasMask || names.length > 0) glances.push({ file, hasMask, names });
  }
  return found ? { glances, seen, counts: found.counts, hashes: found.all() } : { glances, seen };
}

/** How many hashes there are. One bit for each hash of a name looked for dismisses most words of a file. */
export const WORD_HASHES = 1 << 22;

/** A number below `WORD_HASHES` for a word of latin1 characters. */
export function wordHash(word: string): number {
  let h = 0;
  for (let i = 0; i < word.length; i++) h = (Math.imul(h, 33) + word.charCodeAt(i)) | 0;
  return (h ^ (h >>> 15)) & (WORD_HASHES - 1);
}

/** Collects the hashes of the words of files, each once a file. */
class Words {
  readonly counts: Uint32Array;
  private hashes = new Uint32Array(1 << 20);
  private length = 0;
  private place = 0;
  /** By hash: the last file with it, counted from 1. */
  private readonly last = new Uint32Array(WORD_HASHES);

  constructor(files: number) {
    this.counts = new Uint32Array(files);
  }

  begin(place: number): void {
    this.place = place;
  }

  add(hash: number): void {
    if (this.last[hash] === this.place + 1) return;
    this.last[hash] = this.place + 1;
    this.counts[this.place]!++;
    if (this.length === this.hashes.length) {
      const more = new Uint32Array(this.length * 2);
      more.set(this.hashes);
      this.hashes = more;
    }
    this.hashes[this.length++] = hash;
  }

  all(): Uint32Array {
    return this.hashes.slice(0, this.length);
  }
}

/** The names looked for, so that none has to be made a string of where it is met. */
class Wanted {
  private readonly names: readonly string[];
  private readonly texts: readonly Buffer[];
  /** A bit for each hash that some name has. */
  readonly bits = new Uint8Array(WORD_HASHES >> 3);
  /** By hash: the number of the last name with it, counted from 1. */
  private readonly last = new Int32Array(WORD_HASHES);
  /** By name: the one before it with the same hash, in the same way. */
  private readonly before: Int32Array;
  /** By name: the file in which it was found last, and the one in which it was a use. */
  private readonly foundIn: Int32Array;
  private readonly usedIn: Int32Array;
  private file = 0;

  constructor(
    text: SharedArrayBuffer,
    readonly set: number,
  ) {
    this.names = [...new Set(Buffer.from(new Uint8Array(text)).toString('latin1').split(' '))];
    this.texts = this.names.map((name) => Buffer.from(name, 'latin1'));
    this.before = new Int32Array(this.names.length);
    this.foundIn = new Int32Array(this.names.length);
    this.usedIn = new Int32Array(this.names.length);
    for (const [i, name] of this.names.entries()) {
      const h = wordHash(name);
      this.bits[h >> 3]! |= 1 << (h & 7);
      this.before[i] = this.last[h]!;
      this.last[h] = i + 1;
    }
  }

  begin(): void {
    this.file++;
  }

  /** Notes in `out` what the word from `start` to `end`, which has that hash, is of what is looked for. */
  meet(bytes: Uint8Array, start: number, end: number, hash: number, out: string[]): void {
    for (let i = this.last[hash]! - 1; i >= 0; i = this.before[i]! - 1) {
      const isUsed = this.usedIn[i] === this.file;
      if (isUsed || !isText(this.texts[i]!, bytes, start, end)) continue;
      if (this.foundIn[i] !== this.file) {
        this.foundIn[i] = this.file;
        out.push(this.names[i]!);
      }
      if (!isUse(bytes, start, end)) return;
      this.usedIn[i] = this.file;
      out.push(`->${this.names[i]}`);
      return;
    }
  }
}

function isText(text: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text[i] !== bytes[start + i]) return false;
  return true;
}

let wanted: Wanted | undefined;

const [TAB, NEWLINE, SPACE, PARENTHESIS, MINUS, DOT, EQUALS, GREATER, BRACKET] = Buffer.from(
  '\t\n )-.=>]',
  'latin1',
);

/** 1: goes on a word. */
const WORD = new Uint8Array(256);
for (let c = 0; c < 256; c++)
  WORD[c] = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 95 ? 1 : 0;

function namesIn(bytes: Uint8Array, wanted: Wanted, words?: Words): string[] {
  const found: string[] = [];
  const { bits } = wanted;
  const length = bytes.length;
  wanted.begin();
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
    h = (h ^ (h >>> 15)) & (WORD_HASHES - 1);
    words?.add(h);
    if ((bits[h >> 3]! & (1 << (h & 7))) !== 0) wanted.meet(bytes, from, i, h, found);
  }
  return found;
}

/** Is the word from `start` to `end` a member of something, and not just set (`ops->find`, `ops.find`, but not `.find = f`)? */
function isUse(bytes: Uint8Array, start: number, end: number): boolean {
  const skipped = (i: number, step: number): number => {
    while (bytes[i] === SPACE || bytes[i] === TAB || bytes[i] === NEWLINE) i += step;
    return i;
  };
  const before = skipped(start - 1, -1);
  if (bytes[before] === DOT) {
    const of = bytes[before - 1];
    if (of === undefined || (WORD[of] === 0 && of !== BRACKET && of !== PARENTHESIS)) return false;
  } else if (bytes[before] !== GREATER || bytes[before - 1] !== MINUS) return false;
  const after = skipped(end, 1);
  return bytes[after] !== EQUALS || bytes[after + 1] === EQUALS;
}
