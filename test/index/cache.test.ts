import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  type CacheOptions,
  cacheFolder,
  cacheInfo,
  clearCache,
  contentHash,
  openCache,
} from '../../src/index/cache.js';
import { digestOf, toolVersion } from '../../src/index/tool-version.js';
import { temporaryDirectory, writeFiles } from '../tree/small-tree.js';

const TOOL = 'a'.repeat(24);
const OTHER_TOOL = 'b'.repeat(24);
/** Long after the files of a test were written: nothing is racy. */
const LATER = () => Date.now() + 60_000;

function setting(options: Partial<CacheOptions> = {}) {
  const top = temporaryDirectory();
  const tree = path.join(top, 'linux');
  mkdirSync(tree);
  const folder = path.join(top, 'cache/gfp-scope/facts');
  const open = (more: Partial<CacheOptions> = {}) =>
    openCache({ folder, tree, tool: TOOL, now: LATER, ...options, ...more });
  return { top, tree, folder, open };
}

/** Bytes that differ by `seed`, none of them text. */
function bytes(seed: number, length = 1000): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 31 + seed * 97 + (i >> 8)) & 0xff));
}

const text = (found: Uint8Array | undefined) => found && Buffer.from(found).toString('hex');

/** The files of a kind (`f` facts, `r` results, `s` stat tables), absolute. */
function filesOf(folder: string, kind: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(`${kind}-`))
    .map((name) => path.join(folder, name));
}

function theOnly<T>(list: readonly T[]): T {
  expect(list).toHaveLength(1);
  return list[0]!;
}

describe('what was put', () => {
  it('is there at once, and in the next run', () => {
    const { open } = setting();
    const first = open();
    const entries = Array.from({ length: 300 }, (_, i) => [`key ${i} \xe9`, bytes(i, i * 7)] as const);
    for (const [key, value] of entries) first.facts.put(key, value);
    first.results.put('scan of fs/demo', bytes(1));
    for (const [key, value] of entries) expect(text(first.facts.get(key))).toBe(text(value));
    first.close();
    const second = open();
    for (const [key, value] of entries) expect(text(second.facts.get(key))).toBe(text(value));
    expect(text(second.results.get('scan of fs/demo'))).toBe(text(bytes(1)));
  });

  it('is still there after it was written', () => {
    const { open } = setting();
    const cache = open();
    cache.facts.put('one', bytes(1));
    cache.results.put('result', bytes(2));
    cache.flush();
    expect(text(cache.facts.get('one'))).toBe(text(bytes(1)));
    expect(text(cache.results.get('result'))).toBe(text(bytes(2)));
  });

  it('is nothing for another key, nor in the other store', () => {
    const { open } = setting();
    const cache = open();
    cache.facts.put('one', bytes(1));
    cache.flush();
    for (const key of ['two', 'on', '', '__proto__']) expect(cache.facts.get(key)).toBeUndefined();
    expect(cache.results.get('one')).toBeUndefined();
  });

  it('is lost without a flush, and nothing is written by looking', () => {
    const { open, folder } = setting();
    const cache = open();
    cache.facts.put('one', bytes(1));
    expect(open().facts.get('one')).toBeUndefined();
    expect(existsSync(folder)).toBe(false);
  });

  it('is written in few packs, however often something is added', () => {
    const { open, folder } = setting();
    for (let i = 0; i < 60; i++) {
      const cache = open();
      cache.facts.put(`key ${i}`, bytes(i));
      cache.close();
    }
    expect(filesOf(folder, 'f').length).toBeLessThan(8);
    const cache = open();
    for (let i = 0; i < 60; i++) expect(text(cache.facts.get(`key ${i}`))).toBe(text(bytes(i)));
  });

  it('is replaced where it is a result', () => {
    const { open } = setting();
    for (const seed of [1, 2]) {
      const cache = open();
      cache.results.put('result', bytes(seed));
      cache.close();
    }
    expect(text(open().results.get('result'))).toBe(text(bytes(2)));
  });

  it('serves another tree that has none of its own, and is kept for it then', () => {
    const { open, top, folder } = setting();
    const first = open();
    first.facts.put('common', bytes(1));
    first.facts.put('only the first has it', bytes(2));
    first.close();
    const copy = path.join(top, 'copy');
    const second = open({ tree: copy });
    expect(text(second.facts.get('common'))).toBe(text(bytes(1)));
    second.close();
    expect(filesOf(folder, 'f')).toHaveLength(2);
    const third = open({ tree: copy });
    expect(text(third.facts.get('common'))).toBe(text(bytes(1)));
    // The packs of others are not even read once there are own ones.
    expect(third.facts.get('only the first has it')).toBeUndefined();
  });
});

describe('another version of the program', () => {
  it('reads nothing that this one wrote, and leaves it alone', () => {
    const { open } = setting();
    const cache = open();
    cache.facts.put('one', bytes(1));
    cache.results.put('result', bytes(1));
    cache.close();
    const other = open({ tool: OTHER_TOOL });
    expect(other.facts.get('one')).toBeUndefined();
    expect(other.results.get('result')).toBeUndefined();
    other.facts.put('one', bytes(2));
    other.close();
    expect(text(open().facts.get('one'))).toBe(text(bytes(1)));
    expect(text(open({ tool: OTHER_TOOL }).facts.get('one'))).toBe(text(bytes(2)));
  });

  it('is not taken in by the name of a pack', () => {
    const { open, folder } = setting();
    const cache = open();
    cache.facts.put('one', bytes(1));
    cache.close();
    const pack = theOnly(filesOf(folder, 'f'));
    renameSync(pack, pack.replace(TOOL, OTHER_TOOL));
    expect(open({ tool: OTHER_TOOL }).facts.get('one')).toBeUndefined();
  });

  it('is what any change of its files makes, or of its version', () => {
    const program = (files: Record<string, string>) => {
      const root = temporaryDirectory();
      writeFiles(root, {
        'package.json': '{"version":"1.0.0"}',
        'dist/src/a.js': 'export {}',
        'dist/src/deep/b.js': 'b',
        'dist/transforms/t.js': 't',
        ...files,
      });
      return digestOf(path.join(root, 'dist'));
    };
    const same = program({});
    expect(same).toMatch(/^[0-9a-f]{24}$/);
    expect(program({})).toBe(same);
    const changes = [
      { 'package.json': '{"version":"1.0.1"}' },
      { 'dist/src/deep/b.js': 'c' },
      { 'dist/src/deep/c.js': 'b' },
      { 'dist/transforms/t.js': 'T' },
    ];
    const others = changes.map((change) => program(change as unknown as Record<string, string>));
    expect(new Set([same, ...others]).size).toBe(changes.length + 1);
    expect(toolVersion()).toMatch(/^[0-9a-f]{24}$/);
  });
});

describe('a damaged cache', () => {
  const KEYS = Array.from({ length: 5 }, (_, i) => `key ${i}`);

  /** A cache with five facts, a result and a stat table. */
  function filled() {
    const made = setting();
    writeFileSync(path.join(made.tree, 'a.c'), 'int a;\n');
    const cache = made.open();
    for (const [i, key] of KEYS.entries()) cache.facts.put(key, bytes(i, 40));
    cache.results.put('result', bytes(9, 40));
    cache.stats.read('a.c');
    cache.close();
    return made;
  }

  /** Everything that the cache gives must be what was put. Says how many of the seven entries are there. */
  function trusted({ open }: ReturnType<typeof setting>): number {
    const cache = open();
    let there = 0;
    for (const [i, key] of KEYS.entries()) {
      const found = cache.facts.get(key);
      if (found === undefined) continue;
      there++;
      expect(text(found)).toBe(text(bytes(i, 40)));
    }
    const result = cache.results.get('result');
    if (result) expect(text(result)).toBe(text(bytes(9, 40)));
    const hash = cache.stats.known('a.c');
    if (hash) expect(hash).toBe(contentHash(Buffer.from('int a;\n')));
    return there + (result ? 1 : 0) + (hash ? 1 : 0);
  }

  /** The cache can be filled again as if nothing had been. */
  function rebuilds(made: ReturnType<typeof setting>): void {
    const cache = made.open();
    for (const [i, key] of KEYS.entries())
      if (cache.facts.get(key) === undefined) cache.facts.put(key, bytes(i, 40));
    if (cache.results.get('result') === undefined) cache.results.put('result', bytes(9, 40));
    if (cache.stats.known('a.c') === undefined) cache.stats.read('a.c');
    cache.close();
    expect(trusted(made)).toBe(7);
  }

  it('is whole before', () => {
    expect(trusted(filled())).toBe(7);
  });

  it.each(['f', 'r', 's'])('is noticed whichever byte of a file of kind %s is another', (kind) => {
    const made = filled();
    const file = theOnly(filesOf(made.folder, kind));
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at++) {
      const broken = Buffer.from(whole);
      broken[at]! ^= 1 << (at % 8);
      writeFileSync(file, broken);
      expect(trusted(made), `byte ${at} of ${whole.length}`).toBeLessThan(7);
    }
    rebuilds(made);
  });

  it('keeps the entries that are whole, and drops the pack', () => {
    const made = filled();
    const file = theOnly(filesOf(made.folder, 'f'));
    const broken = readFileSync(file);
    broken[broken.length - 1]! ^= 0xff;
    writeFileSync(file, broken);
    const cache = made.open();
    expect(cache.facts.get(KEYS[4]!)).toBeUndefined();
    cache.flush();
    expect(existsSync(file)).toBe(false);
    for (const [i, key] of KEYS.slice(0, 4).entries())
      expect(text(cache.facts.get(key))).toBe(text(bytes(i, 40)));
    cache.close();
    rebuilds(made);
  });

  it.each(['f', 'r', 's'])('is noticed at whatever length a file of kind %s ends', (kind) => {
    const made = filled();
    const file = theOnly(filesOf(made.folder, kind));
    const whole = readFileSync(file);
    const lengths = [0, 1, 7, 8, 63, 64, 65, 80, whole.length - 40, whole.length - 1];
    for (const length of lengths) {
      writeFileSync(file, whole);
      truncateSync(file, length);
      expect(trusted(made), `${length} of ${whole.length}`).toBe(kind === 'f' ? 2 : 6);
    }
    writeFileSync(file, whole);
    appendFileSync(file, 'x');
    expect(trusted(made)).toBe(kind === 'f' ? 2 : 6);
    rebuilds(made);
  });

  it.each(['f', 'r', 's'])('is rebuilt where a file of kind %s is another program’s', (kind) => {
    for (const foreign of ['', 'SQLite format 3\0', '{"version":1}\n', '\x7fELF'.repeat(100)]) {
      const made = filled();
      writeFileSync(theOnly(filesOf(made.folder, kind)), foreign);
      expect(trusted(made)).toBe(kind === 'f' ? 2 : 6);
      rebuilds(made);
    }
  });

  it.each(['f', 'r', 's'])('is no error where a directory stands in place of a file of kind %s', (kind) => {
    const made = filled();
    const file = theOnly(filesOf(made.folder, kind));
    rmSync(file);
    mkdirSync(path.join(file, 'of somebody'), { recursive: true });
    expect(trusted(made)).toBe(kind === 'f' ? 2 : 6);
    const cache = made.open();
    for (const [i, key] of KEYS.entries()) cache.facts.put(key, bytes(i, 40));
    cache.results.put('result', bytes(9, 40));
    cache.stats.read('a.c');
    cache.close();
    expect(existsSync(path.join(file, 'of somebody'))).toBe(true);
    expect(trusted(made)).toBe(kind === 'f' ? 7 : 6);
  });

  it('does not mix up the files of two places', () => {
    const made = filled();
    const [facts, result] = [theOnly(filesOf(made.folder, 'f')), theOnly(filesOf(made.folder, 'r'))];
    const other = made.open();
    other.results.put('other', bytes(3));
    other.close();
    const second = filesOf(made.folder, 'r').find((file) => file !== result)!;
    writeFileSync(result, readFileSync(second));
    expect(made.open().results.get('result')).toBeUndefined();
    writeFileSync(second, readFileSync(facts));
    expect(made.open().results.get('other')).toBeUndefined();
  });

  it('is no error where the packs go while they are used', () => {
    const made = filled();
    const cache = made.open();
    expect(cache.facts.get(KEYS[0]!)).toBeDefined();
    rmSync(made.folder, { recursive: true });
    expect(text(cache.facts.get(KEYS[1]!))).toBe(text(bytes(1, 40)));
    cache.facts.put('new', bytes(1));
    cache.close();
    expect(text(made.open().facts.get('new'))).toBe(text(bytes(1)));
  });

  it('that is cut off between its write and its next use gives nothing', () => {
    const made = setting();
    const cache = made.open();
    cache.facts.put('one', bytes(1));
    cache.flush();
    truncateSync(theOnly(filesOf(made.folder, 'f')), 100);
    expect(cache.facts.get('one')).toBeUndefined();
    cache.facts.put('one', bytes(1));
    cache.close();
    expect(text(made.open().facts.get('one'))).toBe(text(bytes(1)));
  });
});

describe('a folder that can’t be used', () => {
  function works(made: ReturnType<typeof setting>, folder: string): void {
    writeFileSync(path.join(made.tree, 'a.c'), 'int a;\n');
    const cache = made.open({ folder });
    expect(cache.facts.get('one')).toBeUndefined();
    cache.facts.put('one', bytes(1));
    cache.results.put('result', bytes(1));
    expect(cache.stats.read('a.c').bytes.toString()).toBe('int a;\n');
    expect(text(cache.facts.get('one'))).toBe(text(bytes(1)));
    expect(() => cache.flush()).not.toThrow();
    expect(() => cache.close()).not.toThrow();
    expect(made.open({ folder }).facts.get('one')).toBeUndefined();
    expect(cacheInfo(folder, TOOL)).toEqual({ folder, files: 0, bytes: 0, usable: 0 });
  }

  it('is no error where a file stands in its place, or in that of a parent', () => {
    const made = setting();
    const file = path.join(made.top, 'file');
    writeFileSync(file, '');
    works(made, file);
    works(made, path.join(file, 'gfp-scope/facts'));
  });

  it('is no error in a place where nothing can be created', () => {
    works(setting(), '/proc/gfp-scope/facts');
  });

  // Who may do everything isn't kept from it by a mode.
  it.skipIf(process.getuid?.() === 0)('is no error where it is read-only', () => {
    const made = setting();
    mkdirSync(made.folder, { recursive: true });
    chmodSync(made.folder, 0o500);
    works(made, made.folder);
    chmodSync(made.folder, 0o700);
  });
});

describe('two processes', () => {
  it('write at the same time and break nothing', async () => {
    const { folder, tree, open } = setting();
    const script = fileURLToPath(new URL('put-facts.mjs', import.meta.url));
    const module = new URL('../../dist/src/index/cache.js', import.meta.url).href;
    const names = ['left', 'middle', 'right'];
    await Promise.all(
      names.map((name) => promisify(execFile)(process.execPath, [script, module, folder, tree, name, '25'])),
    );
    const cache = open();
    let there = 0;
    for (const name of names)
      for (let i = 0; i < 25; i++) {
        const own = cache.facts.get(`${name}-${i}`);
        if (own) there++;
        if (own) expect(Buffer.from(own).toString()).toBe(`${name} says ${i} `.repeat(500));
      }
    for (let i = 0; i < 25; i++)
      expect(Buffer.from(cache.facts.get(`shared-${i}`) ?? '').toString()).toBe(`all say ${i} `.repeat(500));
    // Some additions may be lost to another's rewriting, but not most.
    expect(there).toBeGreaterThan(25);
    expect(Buffer.from(cache.results.get('result')!).toString()).toBe('the result '.repeat(5000));
    expect(readdirSync(folder).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
  });
});

describe('the size', () => {
  it('stays below the limit: what was used longest ago goes first', () => {
    const { open, folder } = setting({ limit: 50_000 });
    for (let i = 0; i < 20; i++) {
      const cache = open();
      cache.results.put(`result ${i}`, bytes(i, 5000));
      cache.close();
      for (const file of filesOf(folder, 'r')) {
        // Older with each round, as if time had passed; the first result is used all the time.
        const { mtimeMs } = statSync(file);
        utimesSync(file, (mtimeMs - 10_000) / 1000, (mtimeMs - 10_000) / 1000);
      }
      expect(open().results.get('result 0')).toBeDefined();
    }
    const { bytes: total, files } = cacheInfo(folder, TOOL);
    expect(total).toBeLessThanOrEqual(50_000);
    expect(files).toBe(9);
    expect(open().results.get('result 19')).toBeDefined();
    expect(open().results.get('result 1')).toBeUndefined();
  });

  it('of a tree’s facts stays below half of it: contents that are no longer asked for go', () => {
    const { open, folder } = setting({ limit: 100_000 });
    for (let i = 0; i < 40; i++) {
      const cache = open();
      if (cache.facts.get('always there') === undefined) cache.facts.put('always there', bytes(0, 5000));
      cache.facts.put(`content ${i}`, bytes(i, 5000));
      cache.close();
      expect(cacheInfo(folder, TOOL).bytes).toBeLessThanOrEqual(100_000);
    }
    expect(text(open().facts.get('always there'))).toBe(text(bytes(0, 5000)));
    expect(text(open().facts.get('content 39'))).toBe(text(bytes(39, 5000)));
    expect(open().facts.get('content 0')).toBeUndefined();
  });

  it('in memory is bounded, too: much is written before the end, and found again', () => {
    const { open, folder } = setting({ limit: 400_000 });
    const cache = open();
    for (let i = 0; i < 30; i++) cache.facts.put(`key ${i}`, bytes(i, 5000));
    expect(filesOf(folder, 'f').length).toBeGreaterThan(0);
    for (let i = 0; i < 30; i++) expect(text(cache.facts.get(`key ${i}`))).toBe(text(bytes(i, 5000)));
  });

  it('does not grow by what killed processes left', () => {
    const { open, folder } = setting();
    mkdirSync(folder, { recursive: true });
    const [abandoned, fresh] = ['.tmp-1-abandoned', '.tmp-2-fresh'].map((name) => path.join(folder, name));
    writeFileSync(abandoned!, 'half a pack');
    writeFileSync(fresh!, 'half a pack');
    utimesSync(abandoned!, 1_600_000_000, 1_600_000_000);
    const cache = open();
    cache.facts.put('one', bytes(1));
    cache.close();
    expect([existsSync(abandoned!), existsSync(fresh!)]).toEqual([false, true]);
  });
});

describe('the table of files', () => {
  it('knows a file that did not change, here and in the next run', () => {
    const { tree, open } = setting();
    writeFiles(tree, { 'fs/a.c': 'int a;\n' });
    const cache = open();
    expect(cache.stats.known('fs/a.c')).toBeUndefined();
    const { bytes, hash } = cache.stats.read('fs/a.c');
    expect([bytes.toString(), hash]).toEqual(['int a;\n', contentHash(Buffer.from('int a;\n'))]);
    expect(cache.stats.known('fs/a.c')).toBe(hash);
    cache.close();
    expect(open().stats.known('fs/a.c')).toBe(hash);
    // It is the file that is known, not the program that read it.
    expect(open({ tool: OTHER_TOOL }).stats.known('fs/a.c')).toBe(hash);
  });

  it.each<[string, (file: string) => void]>([
    ['written', (file) => writeFileSync(file, 'int abc;\n')],
    [
      'written with as many bytes and its old time',
      (file) => {
        const { atime, mtime } = statSync(file);
        writeFileSync(file, 'int b;\n');
        utimesSync(file, atime, mtime);
      },
    ],
    [
      'replaced by one of the same size and time',
      (file) => {
        const { atime, mtime } = statSync(file);
        writeFileSync(`${file}.new`, 'int b;\n');
        utimesSync(`${file}.new`, atime, mtime);
        renameSync(`${file}.new`, file);
      },
    ],
    ['removed', (file) => rmSync(file)],
  ])('does not know one that was %s', async (_, change) => {
    const { tree, open } = setting();
    const file = path.join(tree, 'a.c');
    writeFileSync(file, 'int a;\n');
    const cache = open();
    cache.stats.read('a.c');
    cache.close();
    // A clock tick, which the status time counts in.
    await new Promise((resolve) => setTimeout(resolve, 30));
    change(file);
    expect(open().stats.known('a.c')).toBeUndefined();
    expect(cache.stats.known('a.c')).toBeUndefined();
  });

  it('does not trust a file that changed just before it was read', () => {
    const { tree, open } = setting({ now: Date.now });
    writeFileSync(path.join(tree, 'a.c'), 'int a;\n');
    const cache = open();
    cache.stats.read('a.c');
    expect(cache.stats.known('a.c')).toBeUndefined();
    // Nor one from the future.
    writeFileSync(path.join(tree, 'b.c'), 'int b;\n');
    utimesSync(path.join(tree, 'b.c'), 4_000_000_000, 4_000_000_000);
    const later = open({ now: LATER });
    later.stats.read('b.c');
    expect(later.stats.known('b.c')).toBeUndefined();
  });

  it('of one tree is not that of another', () => {
    const { top, tree, open } = setting();
    const copy = path.join(top, 'copy');
    writeFiles(tree, { 'a.c': 'int a;\n' });
    writeFiles(copy, { 'a.c': 'int b;\n' });
    const cache = open();
    cache.stats.read('a.c');
    cache.close();
    expect(open({ tree: copy }).stats.known('a.c')).toBeUndefined();
  });

  it('leaves it to the caller that a file can’t be read', () => {
    const { open } = setting();
    expect(() => open().stats.read('none.c')).toThrow(/ENOENT/);
  });
});

describe('the folder', () => {
  it('is where the environment keeps caches', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/x', HOME: '/h' })).toBe('/x/gfp-scope/facts');
    for (const xdg of [undefined, '', 'relative'])
      expect(cacheFolder({ XDG_CACHE_HOME: xdg, HOME: '/h' })).toBe('/h/.cache/gfp-scope/facts');
    expect(path.isAbsolute(cacheFolder({}))).toBe(true);
  });

  it('is summed up, and cleared of what is the cache’s and nothing else', () => {
    const { top, open, folder } = setting();
    const cache = open();
    cache.facts.put('one', bytes(1));
    cache.close();
    const other = open({ tool: OTHER_TOOL });
    other.results.put('result', bytes(1));
    other.close();
    const kernel = path.join(path.dirname(folder), 'kernels/linux/Makefile');
    writeFiles(top, { 'cache/gfp-scope/kernels/linux/Makefile': 'VERSION = 6\n' });
    writeFileSync(path.join(folder, 'notes.txt'), 'a person’s');
    writeFileSync(path.join(folder, '.tmp-1-left'), 'half a pack');
    const sizeOf = (kind: string) => statSync(theOnly(filesOf(folder, kind))).size;
    const [facts, result] = [sizeOf('f'), sizeOf('r')];
    expect(cacheInfo(folder, TOOL)).toEqual({ folder, files: 2, bytes: facts + result, usable: facts });
    expect(clearCache(folder)).toEqual({ files: 2, bytes: facts + result });
    expect(readdirSync(folder)).toEqual(['notes.txt']);
    expect(readFileSync(kernel, 'utf8')).toBe('VERSION = 6\n');
    rmSync(path.join(folder, 'notes.txt'));
    expect(clearCache(folder)).toEqual({ files: 0, bytes: 0 });
    expect(existsSync(folder)).toBe(false);
    expect(clearCache(folder)).toEqual({ files: 0, bytes: 0 });
  });
});
