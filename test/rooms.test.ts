import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Which directories of `src/` the files of one import from, itself aside. */
function importsOf(room: string): string[] {
  const found = new Set<string>();
  for (const name of readdirSync(path.join(SRC, room), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const file = path.join(SRC, room, name);
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/ from '(\.[^']*)'/g))
      found.add(path.relative(SRC, path.resolve(path.dirname(file), target!)).split(path.sep)[0]!);
  }
  return [...found].filter((one) => one !== room).sort();
}

describe('the table of rooms in docs/architecture.md', () => {
  it.each([
    ['tree', []],
    ['kernel', []],
    ['parse', ['kernel', 'tree']],
    ['index', ['kernel', 'parse', 'tree']],
    ['checks', ['analysis', 'index', 'kernel', 'parse']],
    ['edit', ['analysis', 'kernel', 'parse', 'tree']],
    ['verify', ['tree']],
  ])('holds of what %s imports', (room, allowed) => {
    expect(importsOf(room)).toEqual(allowed);
  });
});
