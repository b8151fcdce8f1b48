import { describe, expect, it } from 'vitest';
import { NameSearch, Threads } from '../../src/index/load.js';
import { smallTree } from '../tree/small-tree.js';

describe('a search for names', () => {
  const files = {
    'b.c': 'void late(void) { first(); } /* second */',
    'a.c': 'int x = ops->second + third;',
    'c.c': 'firsts second_ .third = 1',
  };

  it('finds words, in the order of the files, again and again', async () => {
    const threads = new Threads(1);
    const search = new NameSearch(smallTree(files), ['a.c', 'b.c', 'c.c', 'gone.c'], threads);
    expect(await search.find(new Set(['first', 'none']))).toEqual(new Map([['first', ['b.c']]]));
    expect(await search.find(new Set(['second', 'third']))).toEqual(
      new Map([
        ['second', ['a.c', 'b.c']],
        ['->second', ['a.c']],
        ['third', ['a.c', 'c.c']],
      ]),
    );
    expect(await search.find(new Set())).toEqual(new Map());
    expect(await search.find(new Set(['late', 'first']))).toEqual(
      new Map([
        ['late', ['b.c']],
        ['first', ['b.c']],
      ]),
    );
    await threads.close();
  });
});
