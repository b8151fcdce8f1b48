import { existsSync } from 'node:fs';
import { Tinypool } from 'tinypool';
import type { FileFacts } from '../parse/facts.js';
import { unpackFacts } from '../parse/pack.js';
import type { Progress, Skipped } from '../tree/files.js';
import { listFiles } from '../tree/files.js';
import { type KernelTree, MODULE, placeOf } from '../tree/kernel-tree.js';
import type { Cache, Roots } from './cache.js';
import { type GlanceJob, type ParseJob, WORD_HASHES, wordHash } from './parse-worker.js';
import { SENSE_LENGTH } from './sense.js';
import type { Witness } from './witness.js';

/**
 * Where the code stands that every filesystem and block driver runs through. Callers elsewhere are found by name
 * (`filesNaming`) once it is known whose callers matter.
 */
const CORE = [
  'fs',
  'mm',
  'block',
  'include/linux',
  'include/net',
  'include/keys',
  'ipc',
  'net/ceph',
  'net/sunrpc',
  'drivers/md',
  'drivers/block',
];

/** Files of which no caller of kernel code can be: tools, and code for documentation. */
const ELSEWHERE = /^(?:tools|scripts|Documentation|samples|usr)\//;

const PARSE_BATCH = 60;
const SEARCH_BATCH = 2000;

/** The C files of a tree, by what an analysis has to do with them. */
export interface Listed {
  /** Read in any case: the core, then the module. */
  readonly core: readonly string[];
  /** Those asked for that are not of the core: read if a mask stands in them. */
  readonly asked: readonly string[];
  /** All others that may hold callers: read once somebody asks for their names. */
  readonly rest: readonly string[];
  /** Every C file that is part of the state of the tree: those of the tree, and what else was asked for. */
  readonly all: readonly string[];
  readonly skipped: readonly Skipped[];
}

/** What is kept of what is read. */
export interface Keeping {
  readonly cache: Cache;
  readonly witness: Witness;
}

export function listTree(tree: KernelTree, paths: readonly string[]): Listed {
  const asked = listFiles(tree, paths);
  const module = tree.module === undefined ? [] : listFiles(tree, [MODULE]).files;
  const core = [
    ...listFiles(
      tree,
      CORE.filter((dir) => existsSync(placeOf(tree, dir))),
    ).files,
    ...module,
  ];
  const isCore = new Set(core);
  const kernel = tree.root === '' || paths.includes('') ? [] : listFiles(tree, ['']).files;
  const all = paths.includes('') ? asked.files : [...kernel, ...module];
  const inTree = new Set(all);
  return {
    core,
    asked: asked.files.filter((file) => !isCore.has(file)),
    rest: all.filter((file) => !isCore.has(file) && !ELSEWHERE.test(file)),
    all: [...all, ...asked.files.filter((file) => !inTree.has(file))],
    skipped: asked.skipped,
  };
}

/** Those of `files` in which a mask may stand, in order. */
export async function filesWithMasks(
  tree: KernelTree,
  files: readonly string[],
  threads: Threads,
  keeping?: Keeping,
): Promise<string[]> {
  const witness = isWanted(keeping);
  const tasks = batches(files, SEARCH_BATCH).map((batch) => ({
    roots: rootsOf(tree),
    files: batch,
    witness,
  }));
  const out: string[] = [];
  for (const { glances, seen } of await threads.run('glanceAt', tasks)) {
    for (const [file, look] of seen) keeping!.witness.note(file, look);
    for (const { file } of glances) out.push(file);
  }
  return out;
}

export function rootsOf({ root, module }: KernelTree): Roots {
  return module === undefined ? { root } : { root, module };
}

/** Must the threads say what the files were? */
function isWanted(keeping: Keeping | undefined): boolean {
  return keeping !== undefined && !keeping.witness.surveyed;
}

let sets = 0;

/** Names to look for, as a `GlanceJob` has them. */
export function namesToFind(names: ReadonlySet<string>): Required<Pick<GlanceJob, 'names' | 'set'>> {
  const text = Buffer.from([...names].join(' '), 'latin1');
  const shared = new SharedArrayBuffer(text.length);
  text.copy(new Uint8Array(shared));
  return { names: shared, set: ++sets };
}

/** Looks for names in files, again and again: after the first time only in those in which one may stand. */
export class NameSearch {
  /** By thread of the first search: its files, how many words each has, and the hashes of these. */
  private words: { files: readonly string[]; counts: Uint32Array; hashes: Uint32Array }[] | undefined;
  private readonly places: ReadonlyMap<string, number>;

  constructor(
    private readonly tree: KernelTree,
    private readonly files: readonly string[],
    private readonly threads: Threads,
    private readonly keeping?: Keeping,
  ) {
    this.places = new Map(files.map((file, i) => [file, i]));
  }

  /** Name → files in which it stands as a word, in order, for all the names and those of the files that name one. */
  async find(names: ReadonlySet<string>): Promise<Map<string, string[]>> {
    const out = new Map<string, string[]>();
    if (names.size === 0) return out;
    const { threads, keeping, places } = this;
    const wanted = namesToFind(names);
    const files = this.candidates(names);
    // One task a thread: they go on while this thread is busy with something else. Large files stand together in the tree.
    const tasks = Array.from({ length: threads.jobs }, (_, t) => ({
      roots: rootsOf(this.tree),
      files: files.filter((_, i) => i % threads.jobs === t),
      witness: isWanted(keeping),
      ...wanted,
      words: !this.words,
    }));
    const results = await threads.run('glanceAt', tasks);
    for (const { glances, seen } of results) {
      for (const [file, look] of seen) keeping!.witness.note(file, look);
      for (const glance of glances) {
        for (const name of glance.names) {
          const same = out.get(name);
          if (same) same.push(glance.file);
          else out.set(name, [glance.file]);
        }
      }
    }
    this.words ??= results.map((r, t) => ({ files: tasks[t]!.files, counts: r.counts!, hashes: r.hashes! }));
    for (const found of out.values()) found.sort((a, b) => places.get(a)! - places.get(b)!);
    return out;
  }

  private candidates(names: ReadonlySet<string>): readonly string[] {
    if (!this.words) return this.files;
    const wanted = new Uint8Array(WORD_HASHES);
    for (const name of names) wanted[wordHash(name)] = 1;
    const out: string[] = [];
    for (const { files, counts, hashes } of this.words) {
      let end = 0;
      for (const [i, file] of files.entries()) {
        const begin = end;
        end += counts[i]!;
        if (hashes.subarray(begin, end).some((hash) => wanted[hash] === 1)) out.push(file);
      }
    }
    return out;
  }
}

function batches(files: readonly string[], size: number): string[][] {
  const out: string[][] = [];
  for (let i = 0; i < files.length; i += size) out.push(files.slice(i, i + size));
  return out;
}

type Entry = typeof import('./parse-worker.js');

/** Threads that run the entry points of the worker module; without threads (one job) they run here. */
export class Threads {
  private pool: Tinypool | undefined;

  constructor(
    readonly jobs: number,
    private readonly signal?: AbortSignal,
  ) {}

  /** Runs an entry point on each task; results in order. `done` is told of each task that has ended. */
  async run<K extends 'parseFiles' | 'glanceAt'>(
    name: K,
    tasks: readonly Parameters<Entry[K]>[0][],
    done?: (task: Parameters<Entry[K]>[0]) => void,
  ): Promise<ReturnType<Entry[K]>[]> {
    const { signal } = this;
    if (this.jobs <= 1 || (tasks.length <= 1 && !this.pool)) {
      const here = (await import('./parse-worker.js'))[name] as (task: unknown) => ReturnType<Entry[K]>;
      return tasks.map((task) => {
        signal?.throwIfAborted();
        const result = here(task);
        done?.(task);
        return result;
      });
    }
    this.pool ??= new Tinypool({
      filename: new URL('./parse-worker.js', import.meta.url).href,
      runtime: 'worker_threads',
      minThreads: this.jobs,
      maxThreads: this.jobs,
      // Facts are made in large numbers and leave at once: room for the young saves most of their collection.
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    });
    const { pool } = this;
    return Promise.all(
      tasks.map(async (task): Promise<ReturnType<Entry[K]>> => {
        const result: ReturnType<Entry[K]> = await pool.run(task, signal ? { name, signal } : { name });
        done?.(task);
        return result;
      }),
    );
  }

  async close(): Promise<void> {
    await this.pool?.destroy();
    this.pool = undefined;
  }
}

/**
 * Reads files as C; results are in the order of `files` whatever the threads do. What the cache has for the content of a file
 * is taken from there.
 */
export async function parseAll(
  tree: KernelTree,
  files: readonly string[],
  threads: Threads,
  onProgress?: (progress: Progress) => void,
  keeping?: Keeping,
): Promise<{ facts: FileFacts[]; skipped: Skipped[] }> {
  const facts = new Map<string, FileFacts>();
  for (const file of keeping ? files : []) {
    const hash = keeping!.witness.hash(file);
    const found = hash === undefined ? undefined : fromCache(keeping!.cache, file, hash);
    if (found) facts.set(file, found);
  }
  let count = facts.size;
  const report = ({ files: batch }: ParseJob): void => {
    count += batch.length;
    onProgress?.({ phase: 'parsing', done: count, total: files.length });
  };
  const missing = files.filter((file) => !facts.has(file));
  const witness = keeping !== undefined;
  const tasks = batches(missing, PARSE_BATCH).map((batch) => ({
    roots: rootsOf(tree),
    files: batch,
    witness,
  }));
  const skipped: Skipped[] = [];
  for (const result of await threads.run('parseFiles', tasks, report)) {
    for (const [file, seen] of result.seen) keeping!.witness.note(file, seen);
    for (const { packed, hash, sense } of result.facts) {
      const read = unpackFacts(packed);
      facts.set(read.file, read);
      if (keeping) keepFacts(keeping.cache, read.file, hash, sense, packed);
    }
    skipped.push(...result.skipped);
  }
  keeping?.cache.releaseFacts();
  return { facts: files.flatMap((file) => facts.get(file) ?? []), skipped };
}

/** Keeps the packed facts of a file of that content, and what `senseOf` says of it. */
export function keepFacts(cache: Cache, file: string, hash: string, sense: string, packed: string): void {
  cache.facts.put(`${hash} ${file}`, Buffer.from(sense + packed, 'latin1'));
}

/** The facts of a file of that content; its name stands in them, too. */
function fromCache(cache: Cache, file: string, hash: string): FileFacts | undefined {
  return keptFacts(cache, file, hash)?.facts;
}

/** The same, and what `senseOf` says of the file. */
export function keptFacts(
  cache: Cache,
  file: string,
  hash: string,
): { readonly facts: FileFacts; readonly sense: string } | undefined {
  const bytes = cache.facts.get(`${hash} ${file}`);
  if (!bytes) return undefined;
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    return { facts: unpackFacts(text.slice(SENSE_LENGTH)), sense: text.slice(0, SENSE_LENGTH) };
  } catch {
    return undefined;
  }
}
