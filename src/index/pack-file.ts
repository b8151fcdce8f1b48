import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writevSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';

/**
 * A file of keyed byte strings, written once and never changed:
 *
 *     header, 64 bytes: magic (8), format (u32), entries (u32), index length (u64), payload length (u64),
 *                       owner (24), CRC-32 of the index (u32), CRC-32 of the header before it (u32)
 *     index:            for each entry: key length (u16), key, payload length (u32), CRC-32 of the payload (u32)
 *     payload:          the entries' bytes, in the order of the index, without gaps
 *
 * Integers are little-endian. The checksums are against accidents (a full disk, a crash, a bad sector, another
 * program's file); who can write to the person's cache can do worse than forge one.
 */
const MAGIC = Buffer.from('GFPSCOPE', 'latin1');
const FORMAT = 1;
const HEADER = 64;
const OWNER = 24;

interface Place {
  readonly offset: number;
  readonly length: number;
  readonly sum: number;
}

/** Entries of a pack: read whole, each checked when it is asked for. */
export class Pack {
  /** Whether an entry was asked for whose bytes are not those that were written. */
  damaged = false;

  private constructor(
    readonly file: string,
    readonly size: number,
    private readonly places: Map<string, Place>,
    private data: Buffer | undefined,
    private readonly owner: string,
  ) {}

  /** `undefined` if the file is no whole pack of this owner, or can't be read. */
  static open(file: string, owner: string): Pack | undefined {
    let data: Buffer;
    try {
      data = readFileSync(file);
    } catch {
      return undefined;
    }
    const places = readIndex(data, owner);
    return places && new Pack(file, data.length, places, data, owner);
  }

  /**
   * Writes a pack so that other processes see all of it or nothing: beside its place, synced, renamed.
   * @throws a system error; nothing is left behind then.
   */
  static write(file: string, owner: string, entries: ReadonlyMap<string, Uint8Array>): Pack {
    const places = new Map<string, Place>();
    const index: Buffer[] = [];
    let indexLength = 0;
    for (const [key, bytes] of entries) {
      const name = Buffer.from(key, 'utf8');
      const sum = crc32(bytes);
      const record = Buffer.allocUnsafe(2 + name.length + 8);
      record.writeUInt16LE(name.length, 0);
      name.copy(record, 2);
      record.writeUInt32LE(bytes.length, 2 + name.length);
      record.writeUInt32LE(sum, 6 + name.length);
      index.push(record);
      indexLength += record.length;
      places.set(key, { offset: 0, length: bytes.length, sum });
    }
    let offset = HEADER + indexLength;
    for (const [key, place] of places) {
      places.set(key, { ...place, offset });
      offset += place.length;
    }
    const indexBytes = Buffer.concat(index);
    const header = Buffer.alloc(HEADER);
    MAGIC.copy(header);
    header.writeUInt32LE(FORMAT, 8);
    header.writeUInt32LE(entries.size, 12);
    header.writeBigUInt64LE(BigInt(indexLength), 16);
    header.writeBigUInt64LE(BigInt(offset - HEADER - indexLength), 24);
    header.write(owner.slice(0, OWNER), 32, 'latin1');
    header.writeUInt32LE(crc32(indexBytes), 56);
    header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
    writeWhole(file, [header, indexBytes, ...entries.values()]);
    return new Pack(file, offset, places, undefined, owner);
  }

  get count(): number {
    return this.places.size;
  }

  keys(): IterableIterator<string> {
    return this.places.keys();
  }

  /** A view of the pack's bytes (as long as it lives, so does all of the pack); `undefined` where there is no such entry. */
  get(key: string): Uint8Array | undefined {
    const place = this.places.get(key);
    if (!place) return undefined;
    const data = this.data ?? this.reload();
    const bytes = data?.subarray(place.offset, place.offset + place.length);
    if (bytes && bytes.length === place.length && crc32(bytes) === place.sum) return bytes;
    this.damaged = true;
    this.places.delete(key);
    return undefined;
  }

  /** The bytes of a pack that this process wrote: not kept, since most are not asked for again. */
  private reload(): Buffer | undefined {
    this.data = Pack.open(this.file, this.owner)?.data;
    return this.data;
  }
}

function readIndex(data: Buffer, owner: string): Map<string, Place> | undefined {
  if (data.length < HEADER || data.compare(MAGIC, 0, 8, 0, 8) !== 0) return undefined;
  if (crc32(data.subarray(0, 60)) !== data.readUInt32LE(60) || data.readUInt32LE(8) !== FORMAT)
    return undefined;
  const wanted = Buffer.alloc(OWNER);
  wanted.write(owner.slice(0, OWNER), 'latin1');
  if (data.compare(wanted, 0, OWNER, 32, 32 + OWNER) !== 0) return undefined;
  const count = data.readUInt32LE(12);
  const indexLength = Number(data.readBigUInt64LE(16));
  const payloadLength = Number(data.readBigUInt64LE(24));
  if (HEADER + indexLength + payloadLength !== data.length) return undefined;
  const end = HEADER + indexLength;
  if (crc32(data.subarray(HEADER, end)) !== data.readUInt32LE(56)) return undefined;
  const places = new Map<string, Place>();
  let at = HEADER;
  let offset = end;
  for (let i = 0; i < count; i++) {
    if (at + 10 > end) return undefined;
    const nameEnd = at + 2 + data.readUInt16LE(at);
    if (nameEnd + 8 > end) return undefined;
    const length = data.readUInt32LE(nameEnd);
    places.set(data.toString('utf8', at + 2, nameEnd), {
      offset,
      length,
      sum: data.readUInt32LE(nameEnd + 4),
    });
    offset += length;
    at = nameEnd + 8;
  }
  return at === end && offset === data.length ? places : undefined;
}

/** Marks what is being written; one that a killed process left is found by it. */
export const UNFINISHED = '.tmp-';

function writeWhole(file: string, chunks: readonly Uint8Array[]): void {
  const draft = path.join(
    path.dirname(file),
    `${UNFINISHED}${process.pid}-${randomBytes(6).toString('hex')}`,
  );
  try {
    const fd = openSync(draft, 'wx', 0o600);
    try {
      // The system takes no more than 1024 at a time.
      for (let i = 0; i < chunks.length; i += 1024) writeAll(fd, chunks.slice(i, i + 1024));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function writeAll(fd: number, chunks: readonly Uint8Array[]): void {
  let rest = chunks.filter((chunk) => chunk.length > 0);
  while (rest.length > 0) {
    let written = writevSync(fd, rest);
    let whole = 0;
    while (whole < rest.length && written >= rest[whole]!.length) written -= rest[whole++]!.length;
    rest = rest.slice(whole);
    if (rest.length > 0 && written > 0) rest[0] = rest[0]!.subarray(written);
  }
}
