import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the program's own files are, built or as written: the directory that holds `src` and `transforms`. */
const PROGRAM = fileURLToPath(new URL('../..', import.meta.url));

let known: string | undefined;

/**
 * Names this very program, in 24 hexadecimal digits: its version, the contents of its files, the versions of what it is
 * built on, and the Node that runs it. A cache that another program wrote, be it the same version built
 * from other sources, is another's.
 */
export function toolVersion(): string {
  known ??= digestOf(PROGRAM);
  return known;
}

/** `toolVersion` of a program in another directory. */
export function digestOf(program: string): string {
  const digest = createHash('sha256');
  const part = (name: string, bytes: Uint8Array) => digest.update(`${name}\0${bytes.length}\0`).update(bytes);
  part('node', Buffer.from(`${process.version} ${process.arch}`));
  for (const room of ['src', 'transforms'])
    for (const file of programFiles(path.join(program, room)))
      part(path.relative(program, file), readFileSync(file));
  // Of a built program these are one directory up.
  for (const directory of [program, path.dirname(path.resolve(program))])
    for (const name of ['package.json', 'package-lock.json'])
      try {
        part(name, readFileSync(path.join(directory, name)));
      } catch {
        // Not every way of installing keeps both.
      }
  return digest.digest('hex').slice(0, 24);
}

function programFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:js|ts|wasm)$/.test(name))
    .sort()
    .map((name) => path.join(directory, name));
}
