import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { columns, oneLine } from '../../src/output/scan-listing.js';
import { scanText } from '../../src/output/scan-text.js';
import { REPORT } from './scan-report.js';

describe('the scan listing', () => {
  it('has a line for each site, file by file, then the totals', () => {
    expect(scanText(REPORT)).toMatchInlineSnapshot(`
      "fs/demo/dir.c:12:33  scopable  GFP_NOFS  demo_add_entry  every path is in a scope on demo_inode.map_sem

      fs/demo/inode.c:5:20   opaque   GFP_NOFS | __GFP_ZERO  -          the value of a macro whose users are not known
      fs/demo/inode.c:105:7  partial  GFP_NOFS               demo_read  demo_fill holds demo_inode.map_sem and no scope can be placed

      fs/demo/journal.c:60:9  covered  GFP_NOIO  demo_log  every path is in the scope of demo_commit

      4 sites in 3 files of Linux 6.1.7
        covered   1  already in a scope on every path: downgraded
        scopable  1  in a scope on every path once the proposed ones are in: downgraded
        partial   1  some path holds a reclaim lock and can have no scope: kept
        opaque    1  callers, lock or function not understood: kept
      1 scope proposed
        1  memalloc_nofs, lock demo_inode.map_sem
      3 calls through a pointer of which no target is known, in all that was read
      "
    `);
  });

  it('colours the verdicts and nothing else', () => {
    const coloured = scanText(REPORT, { colour: true });
    expect(coloured).toContain('\x1b[32mscopable\x1b[39m');
    expect(coloured).toContain('\x1b[31mopaque\x1b[39m');
    expect(coloured).toContain('\x1b[33mpartial\x1b[39m');
    expect(stripVTControlCharacters(coloured)).toBe(scanText(REPORT));
  });

  it('says so if there is nothing', () => {
    expect(scanText({ ...REPORT, sites: [], scopes: [] })).toBe('no use of GFP_NOFS or GFP_NOIO\n');
  });
});

describe('a listing', () => {
  it('aligns its columns and leaves no blanks at the ends of lines', () => {
    expect(columns([['a', 'bbb', 'c'], ['aaa', 'b', ''], ['aa']])).toBe('a    bbb  c\naaa  b\naa\n');
    expect(
      columns(
        [
          ['1', 'x'],
          ['10', 'y'],
        ],
        undefined,
        [0],
      ),
    ).toBe(' 1  x\n10  y\n');
    expect(columns([])).toBe('');
  });

  it('shows source text on one line, without what a terminal would obey', () => {
    expect(oneLine('GFP_NOFS |\r\n\t __GFP_ZERO')).toBe('GFP_NOFS | __GFP_ZERO');
    expect(oneLine('a\x1b[31mb\x9bc\x7f')).toBe('a [31mb c');
  });
});
