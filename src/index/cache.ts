import { createHash, randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { type KernelTree, placeOf } from '../tree/kernel-tree.js';
import { Pack, UNFINISHED } from './pack-file.js';
import { toolVersion } from './tool-version.js';

/**
 * What an analysis keeps on disk for the next one. Nothing here is ever needed: what is missing, damaged, another
 * program's or can't be written counts as not there.
 *
 * The folder holds immutable packs, named by what they are, so that processes need no lock between them:
 *
 *     f-TOOL-TREE-UNIQUE    facts of files of a tree
 *     r-TOOL-KEY            one result
 *     s-TREE                what the files of a tree (with its module, if one was given) looked like when they were last read
 *
 * TOOL is the program that wrote it, TREE a digest of the tree's place. Facts are kept by tree so that an analysis
 * loads those of its own tree only.
 */
const OWN_NAME = /^(?:f-[0-9a-f]{24}-[0-9a-f]{16}-[0-9a-f]{16}|r-[0-9a-f]{24}-[0-9a-f]{40}|s-[0-9a-f]{16})$/;

const DEFAULT_LIMIT = 2 ** 30;
/** More than this is not held in memory for one big pack at the end. */
const PENDING_LIMIT = 96 * 2 ** 20;
/** A draft this old (ms) is nobody's any more. */
const ABANDONED = 3_600_000;
/**
 * A file that changed less than this (ns) before it was read may change again without its time stamps doing so:
 * they tick as coarsely as 2 s on some filesystems. Git calls that racy. It is read again the next time.
 */
const RACY = 2_000_000_000n;

/** Bytes by key. A key is any string of up to 65535 bytes; an entry, once put, is never changed. */
export interface Store {
  /** A view of what was put, to be read only; `undefined` if there is nothing that can be trusted. */
  get(key: string): Uint8Array | undefined;
  /** Keeps the bytes themselves until they are written: don't change them afterwards. */
  put(key: string, bytes: Uint8Array): void;
}

/** What a file was when it was read. */
export interface Seen {
  /** All of its status that changes when its contents may have. */
  readonly look: string;
  /** `contentHash` of what was read. */
  readonly hash: string;
  /** As long as it looks the same, it is the same. */
  readonly sure: boolean;
}

/** Which contents the files of the tree have. File names are relative to its top. */
export interface StatTable {
  /** Nobody has looked at this tree yet. */
  readonly isNew: boolean;
  /** `contentHash` of the file, if it is certain without reading it. One `stat`. */
  known(file: string): string | undefined;
  /** `contentHash` of what the file was when somebody last looked, whatever it is now. */
  was(file: string): string | undefined;
  /** The files that were there when somebody last looked. */
  readonly files: Iterable<string>;
  /** A file is there no more. */
  forget(file: string): void;
  /**
   * Reads the file, and remembers what it looked like if it can't have changed meanwhile.
   * @throws the system error of a file that can't be read.
   */
  read(file: string): { readonly bytes: Buffer; readonly hash: string };
  /** What the file is, without reading it if that is certain; an error of the system is a content like any other. */
  see(file: string): Seen;
  /** Takes over what somebody else, a thread, has read. */
  note(file: string, seen: Seen): void;
  /** Is the file what it was? Read again if its looks can't say. */
  still(file: string, seen: Seen): boolean;
}

export interface Cache {
  /** Facts of the tree's files, by `contentHash` of the file. */
  readonly facts: Store;
  /** Whole results, by a digest of all that they depend on, the program excepted. */
  readonly results: Store;
  readonly stats: StatTable;
  /** Writes what was put; if that can't be done, it is lost. */
  flush(): void;
  /** Writes the facts that were put and lets go of the memory that they take. */
  releaseFacts(): void;
  /** Writes what was put and lets go of the memory. */
  close(): void;
}

export interface CacheOptions {
  /** Where to keep it; created when something is written. See `cacheFolder`. */
  readonly folder: string;
  /** Top of the kernel tree, absolute; '' without one. */
  readonly tree: string;
  /** Directory of an out-of-tree module (`KernelTree`), absolute. */
  readonly module?: string | undefined;
  /** Who writes, 24 hexadecimal digits; by default this program (`toolVersion`). */
  readonly tool?: string;
  /** Bytes that the folder may take; beyond, what was used longest ago goes first. */
  readonly limit?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** The folder for `openCache` in the environment's cache directory (XDG base directory specification). */
export function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  const { XDG_CACHE_HOME: xdg, HOME: home } = env;
  // A relative one is to be ignored, says the specification.
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(home || homedir(), '.cache');
  return path.join(base, 'gfp-scope', 'facts');
}

/** The name of a content, 40 hexadecimal digits. */
export function contentHash(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex');
}

/** Nothing is read before it is asked for. */
export function openCache(options: CacheOptions): Cache {
  const { folder, limit = DEFAULT_LIMIT, now = Date.now } = options;
  const tool = options.tool ?? toolVersion();
  // Facts are known by the contents: a tree has them in common with all modules that are built against it.
  const tree = digest(path.resolve(options.tree || (options.module ?? '')), 16);
  const place = options.module === undefined ? tree : digest(`${tree}\0${path.resolve(options.module)}`, 16);
  const facts = new FactStore(folder, tool, tree, limit);
  const results = new ResultStore(folder, tool);
  const roots = { root: options.tree, ...(options.module === undefined ? {} : { module: options.module }) };
  const stats = new Stats(roots, path.join(folder, `s-${place}`), now);
  const flush = () => {
    const wrote = [facts.flush(), results.flush(), stats.flush()];
    if (wrote.includes(true)) tidy(folder, limit, now());
  };
  return {
    facts,
    results,
    stats,
    flush,
    releaseFacts: () => {
      if (facts.flush()) tidy(folder, limit, now());
      facts.release();
    },
    close: () => {
      flush();
      facts.release();
      stats.release();
    },
  };
}

export interface CacheInfo {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
  /** Bytes that this program can use; the rest was written by others, or by other versions. */
  readonly usable: number;
}

export function cacheInfo(folder: string, tool: string = toolVersion()): CacheInfo {
  const files = ownFiles(folder);
  const sum = (some: readonly OwnFile[]) => some.reduce((total, { size }) => total + size, 0);
  const usable = files.filter(({ name }) => name.startsWith('s-') || name.slice(2, 26) === tool);
  return { folder, files: files.length, bytes: sum(files), usable: sum(usable) };
}

/**
 * Removes what `openCache` keeps in the folder, and the folder if nothing else is in it. Gives what was there.
 * @throws a system error if something can't be removed.
 */
export function clearCache(folder: string): { readonly files: number; readonly bytes: number } {
  const { files, bytes } = cacheInfo(folder, '');
  for (const { name } of ownFiles(folder)) rmSync(path.join(folder, name), { force: true });
  for (const name of entriesOf(folder))
    if (name.startsWith(UNFINISHED)) rmSync(path.join(folder, name), { force: true });
  try {
    rmdirSync(folder);
  } catch {
    // Not there, or something else is in it.
  }
  return { files, bytes };
}

class FactStore implements Store {
  private packs: Pack[] | undefined;
  /** Those of the tree that was last worked on: a new checkout has most files in common with it. */
  private others: Pack[] = [];
  private readonly where = new Map<string, Pack>();
  private pending = new Map<string, Uint8Array>();
  private pendingBytes = 0;
  private readonly used = new Set<string>();

  constructor(
    private readonly folder: string,
    private readonly tool: string,
    private readonly tree: string,
    private readonly limit: number,
  ) {}

  get(key: string): Uint8Array | undefined {
    const pending = this.pending.get(key);
    if (pending) return pending;
    this.load();
    const pack = this.where.get(key);
    if (pack) {
      const bytes = pack.get(key);
      if (bytes) {
        this.used.add(key);
        return bytes;
      }
      this.where.delete(key);
    }
    for (const other of this.others) {
      const bytes = other.get(key);
      if (!bytes) continue;
      this.put(key, bytes);
      return bytes;
    }
    return undefined;
  }

  put(key: string, bytes: Uint8Array): void {
    this.load();
    if (this.where.has(key)) return;
    if (!this.pending.has(key)) this.pendingBytes += bytes.length;
    this.pending.set(key, bytes);
    this.used.add(key);
    if (this.pendingBytes > Math.min(PENDING_LIMIT, this.limit / 4)) this.write(this.pending, []);
  }

  /** Whether anything was written. */
  flush(): boolean {
    const packs = this.packs ?? [];
    const folded = packs.filter((pack) => pack.damaged);
    if (this.pending.size === 0 && folded.length === 0) return false;
    const size = packs.reduce((sum, pack) => sum + pack.size, this.pendingBytes);
    let keep = (_: string) => true;
    if (size > this.limit / 2) {
      // Contents that files no longer have pile up; who was not asked for may be one of them.
      folded.splice(0, folded.length, ...packs);
      keep = (key) => this.used.has(key);
    } else {
      // Few packs, and no entry copied often: a pack is taken in once what is new is half its size.
      let taken = folded.reduce((sum, pack) => sum + pack.size, this.pendingBytes);
      for (const pack of packs.filter((p) => !p.damaged).sort((a, b) => a.size - b.size)) {
        if (pack.size > 2 * taken) break;
        folded.push(pack);
        taken += pack.size;
      }
    }
    const entries = new Map(this.pending);
    for (const pack of folded)
      for (const key of [...pack.keys()]) {
        if (entries.has(key) || !keep(key)) continue;
        const bytes = pack.get(key);
        if (bytes) entries.set(key, bytes);
      }
    return this.write(entries, folded);
  }

  release(): void {
    this.packs = undefined;
    this.others = [];
    this.where.clear();
    this.used.clear();
  }

  private load(): void {
    if (this.packs) return;
    this.packs = [];
    const facts = ownFiles(this.folder).filter(({ name }) => name.startsWith(`f-${this.tool}-`));
    const treeOf = ({ name }: OwnFile) => name.slice(27, 43);
    const own = facts.filter((file) => treeOf(file) === this.tree);
    this.packs = this.openAll(own);
    for (const pack of this.packs) for (const key of pack.keys()) this.where.set(key, pack);
    if (this.packs.length > 0 || facts.length === own.length) return;
    const latest = facts
      .filter((file) => treeOf(file) !== this.tree)
      .reduce((a, b) => (b.used > a.used ? b : a));
    this.others = this.openAll(facts.filter((file) => treeOf(file) === treeOf(latest)));
  }

  private openAll(files: readonly OwnFile[]): Pack[] {
    const packs: Pack[] = [];
    for (const { name } of files) {
      const file = path.join(this.folder, name);
      const pack = Pack.open(file, this.tool);
      if (pack) {
        packs.push(pack);
        touch(file);
      } else discard(file);
    }
    return packs;
  }

  /** Writes one pack in place of some. */
  private write(entries: ReadonlyMap<string, Uint8Array>, inPlaceOf: readonly Pack[]): boolean {
    this.pending = new Map();
    this.pendingBytes = 0;
    const name = `f-${this.tool}-${this.tree}-${randomBytes(8).toString('hex')}`;
    const pack = entries.size > 0 ? written(path.join(this.folder, name), this.tool, entries) : undefined;
    if (!pack && entries.size > 0) return false;
    this.packs = (this.packs ?? []).filter((old) => !inPlaceOf.includes(old));
    if (pack) this.packs.push(pack);
    for (const old of inPlaceOf) {
      discard(old.file);
      for (const key of old.keys()) this.where.delete(key);
    }
    for (const key of pack?.keys() ?? []) this.where.set(key, pack!);
    return true;
  }
}

class ResultStore implements Store {
  private readonly pending = new Map<string, Uint8Array>();

  constructor(
    private readonly folder: string,
    private readonly tool: string,
  ) {}

  get(key: string): Uint8Array | undefined {
    const pending = this.pending.get(key);
    if (pending) return pending;
    const file = this.fileOf(key);
    const pack = Pack.open(file, this.tool);
    const bytes = pack?.get(key);
    if (bytes) touch(file);
    else discard(file);
    return bytes;
  }

  put(key: string, bytes: Uint8Array): void {
    this.pending.set(key, bytes);
  }

  flush(): boolean {
    let wrote = false;
    for (const [key, bytes] of this.pending)
      if (written(this.fileOf(key), this.tool, new Map([[key, bytes]]))) wrote = true;
    this.pending.clear();
    return wrote;
  }

  private fileOf(key: string): string {
    return path.join(this.folder, `r-${this.tool}-${digest(key, 40)}`);
  }
}

/** The owner of stat tables: how they are written is all that a program must know. */
const TABLE_FORMAT = 'stat-table-1';

/** No file looks like that. */
const UNSURE = '';

class Stats implements StatTable {
  private seen: Map<string, { readonly look: string; readonly hash: string }> | undefined;
  private changed = false;
  private nothingKept = false;

  constructor(
    private readonly roots: Roots,
    private readonly table: string,
    private readonly now: () => number,
  ) {}

  private get key(): string {
    const { root, module } = this.roots;
    return module === undefined ? root : `${root}\0${module}`;
  }

  get isNew(): boolean {
    this.entries();
    return this.nothingKept;
  }

  known(file: string): string | undefined {
    return this.unchanged(file)?.hash;
  }

  was(file: string): string | undefined {
    return this.entries().get(file)?.hash;
  }

  get files(): Iterable<string> {
    return this.entries().keys();
  }

  forget(file: string): void {
    if (this.entries().delete(file)) this.changed = true;
  }

  read(file: string): { bytes: Buffer; hash: string } {
    const { bytes, seen } = readSeen(this.roots, file, this.now);
    this.note(file, seen);
    return { bytes, hash: seen.hash };
  }

  see(file: string): Seen {
    const known = this.unchanged(file);
    if (known) return { ...known, sure: true };
    try {
      const { seen } = readSeen(this.roots, file, this.now);
      this.note(file, seen);
      return seen;
    } catch (error) {
      return unreadable(error);
    }
  }

  note(file: string, { look, hash, sure }: Seen): void {
    this.entries().set(file, { look: sure ? look : UNSURE, hash });
    this.changed = true;
  }

  still(file: string, seen: Seen): boolean {
    if (seen.sure) return this.lookOf(file) === seen.look;
    try {
      const { look, hash } = readSeen(this.roots, file, this.now).seen;
      return look === seen.look && hash === seen.hash;
    } catch (error) {
      return unreadable(error).hash === seen.hash;
    }
  }

  private unchanged(file: string): { readonly look: string; readonly hash: string } | undefined {
    const entry = this.entries().get(file);
    return entry && this.lookOf(file) === entry.look ? entry : undefined;
  }

  private lookOf(file: string): string | undefined {
    try {
      return lookOf(statSync(placeOf(this.roots, file), { bigint: true }));
    } catch {
      // Whoever reads it will say what is wrong.
      return undefined;
    }
  }

  flush(): boolean {
    if (!this.changed) return false;
    this.changed = false;
    const fields: string[] = [];
    // A file name can't hold a NUL.
    for (const [file, { look, hash }] of this.entries()) fields.push(file, look, hash);
    const table = Buffer.from(fields.join('\0'), 'utf8');
    return written(this.table, TABLE_FORMAT, new Map([[this.key, table]])) !== undefined;
  }

  release(): void {
    this.seen = undefined;
  }

  private entries() {
    if (this.seen) return this.seen;
    this.seen = new Map();
    const pack = Pack.open(this.table, TABLE_FORMAT);
    const bytes = pack?.get(this.key);
    if (!bytes) {
      this.nothingKept = true;
      discard(this.table);
      return this.seen;
    }
    touch(this.table);
    const fields = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').split('\0');
    for (let i = 0; i + 2 < fields.length; i += 3)
      this.seen.set(fields[i]!, { look: fields[i + 1]!, hash: fields[i + 2]! });
    return this.seen;
  }
}

/** Where the files of a tree lie. */
export type Roots = Pick<KernelTree, 'root' | 'module'>;

/**
 * Reads a file of a tree.
 * @throws the system error of a file that can't be read.
 */
export function readSeen(
  roots: Roots,
  file: string,
  now: () => number = Date.now,
): { readonly bytes: Buffer; readonly seen: Seen } {
  const fd = openSync(placeOf(roots, file), 'r');
  try {
    const started = BigInt(Math.floor(now())) * 1_000_000n;
    const before = fstatSync(fd, { bigint: true });
    const bytes = readFileSync(fd);
    const after = fstatSync(fd, { bigint: true });
    const look = lookOf(before);
    const settled = look === lookOf(after) && before.size === BigInt(bytes.length);
    const old = before.mtimeNs + RACY < started && before.ctimeNs + RACY < started;
    return { bytes, seen: { look, hash: contentHash(bytes), sure: before.isFile() && settled && old } };
  } finally {
    closeSync(fd);
  }
}

/** What a file is that can't be read. */
export function unreadable(error: unknown): Seen {
  const what = `unreadable: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
  return { look: what, hash: what, sure: false };
}

function lookOf({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  return `${size} ${mtimeNs} ${ctimeNs} ${ino}`;
}

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

interface OwnFile {
  readonly name: string;
  readonly size: number;
  /** When it was last used, in milliseconds since 1970. */
  readonly used: number;
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function ownFiles(folder: string): OwnFile[] {
  const files: OwnFile[] = [];
  for (const name of entriesOf(folder)) {
    if (!OWN_NAME.test(name)) continue;
    try {
      const stat = statSync(path.join(folder, name));
      if (stat.isFile()) files.push({ name, size: stat.size, used: stat.mtimeMs });
    } catch {
      // Another process has just removed it.
    }
  }
  return files;
}

function written(file: string, owner: string, entries: ReadonlyMap<string, Uint8Array>): Pack | undefined {
  try {
    makeFolder(path.dirname(file));
    return Pack.write(file, owner, entries);
  } catch {
    // A cache that can't be written is one that stays empty.
    return undefined;
  }
}

/** Node's own recursive `mkdir` never comes back from a filesystem that has the parent but says ENOENT, as /proc does. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Removes a file that is of no use; what is no file of ours, such as a directory, stays. */
function discard(file: string): void {
  try {
    if (statSync(file).isFile()) rmSync(file);
  } catch {
    // Gone already, or not ours to remove.
  }
}

function touch(file: string): void {
  try {
    const time = new Date();
    utimesSync(file, time, time);
  } catch {
    // It will look older than it is.
  }
}

/** Keeps the folder within its limit, and free of what killed processes left. */
function tidy(folder: string, limit: number, now: number): void {
  const files = ownFiles(folder).sort((a, b) => b.used - a.used);
  let total = 0;
  for (const { name, size } of files) {
    total += size;
    if (total > limit) discard(path.join(folder, name));
  }
  for (const name of entriesOf(folder)) {
    if (!name.startsWith(UNFINISHED)) continue;
    try {
      const file = path.join(folder, name);
      if (now - statSync(file).mtimeMs > ABANDONED) discard(file);
    } catch {
      // Its writer has renamed it.
    }
  }
}
