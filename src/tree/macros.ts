import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Source } from './files.js';
import { type KernelTree, placeOf } from './kernel-tree.js';

interface Header {
  /** Names of the function-like macros that it defines. */
  readonly macros: ReadonlySet<string>;
  /** Tree-relative files that it includes, as far as they are there. */
  readonly includes: readonly string[];
}

/** Function-like macros that a file gets from the headers it includes, read off the text: each header once. */
export class Macros {
  private readonly headers = new Map<string, Header>();

  constructor(
    private readonly tree: KernelTree,
    private readonly readText: (file: string) => Source,
  ) {}

  /** Is the name a function-like macro in the file or in a header that it includes, however indirectly? */
  seenBy(file: string, name: string): boolean {
    const met = new Set([file]);
    for (const at of met) {
      const { macros, includes } = this.header(at);
      if (macros.has(name)) return true;
      for (const header of includes) met.add(header);
    }
    return false;
  }

  private header(file: string): Header {
    let header = this.headers.get(file);
    if (!header) {
      const read = this.readText(file);
      const text = 'text' in read ? read.text : '';
      header = {
        macros: new Set(
          Array.from(text.matchAll(/^[ \t]*#[ \t]*define[ \t]+(\w+)\(/gm), (match) => match[1]!),
        ),
        includes: Array.from(
          text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)/gm),
          (match) =>
            match[1] === undefined ? `include/${match[2]}` : path.join(path.dirname(file), match[1]),
        ).filter((found) => !found.startsWith('..') && existsSync(placeOf(this.tree, found))),
      };
      this.headers.set(file, header);
    }
    return header;
  }
}
