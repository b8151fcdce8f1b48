import { Index } from '../../src/index/link.js';
import type { Fn } from '../../src/index/names.js';
import { extractFacts } from '../../src/parse/extract.js';

/** Links source texts by file name. */
export function linked(files: Readonly<Record<string, string>>): Index {
  return new Index(Object.entries(files).map(([file, text]) => extractFacts(file, text)));
}

/** The function of that name. */
export function functionIn(index: Index, name: string): Fn {
  const found = index.functions.filter((fn) => fn.facts.name === name);
  if (found.length !== 1) throw new Error(`${found.length} functions are called ${name}`);
  return found[0]!;
}

/** CFG nodes of a function at which that function is called, in order. */
export function callsOf(fn: Fn, name: string): number[] {
  return [...fn.facts.cfg.keys()].filter((node) => {
    const { op } = fn.facts.cfg[node]!;
    return op.k === 'call' && op.fn === name;
  });
}
