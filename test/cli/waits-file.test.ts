import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWaits } from '../../src/cli/waits-file.js';
import { session } from './session.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gfp-scope-waits-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string) {
  writeFileSync(path.join(folder, 'waits'), text);
  return readWaits('waits', folder);
}

describe('a file of waits', () => {
  it('names fields with those who hold them up, and remarks', () => {
    const text =
      '# of 6.12\n\na_buf.io nobody  # the disk\r\n\ta_res.event\ta_lock a_unlock\nsums[1].wait nobody\n';
    expect(read(text)).toEqual([
      { on: 'a_buf.io', place: 'waits:3' },
      { on: 'a_res.event', held: { takes: 'a_lock', drops: 'a_unlock' }, place: 'waits:4' },
      { on: 'sums[1].wait', place: 'waits:5' },
    ]);
  });

  it('may be empty', () => expect(read('')).toEqual([]));

  it.each([
    ['a_buf.io\n', 'waits:1: behind a_buf.io stands nobody, or the function'],
    ['\na_buf.io somebody\n', 'waits:2: behind a_buf.io stands nobody, or the function'],
    ['a_buf.io nobody else\n', 'waits:1: behind a_buf.io stands'],
    ['a_buf.io a_lock() a_unlock()', 'waits:1: behind a_buf.io stands'],
    ['a_buf.io a b c', 'waits:1: behind a_buf.io stands'],
    ['a_buf->io nobody', 'waits:1: a_buf->io is no field'],
    ['a.b nobody\n# again\na.b c d', 'waits:3: a.b stands there already'],
  ])('%j is refused with its line', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('that is not there is an error of one line', async () => {
    const { code, stderr } = await session(['scan', '--waits', path.join(folder, 'none')]);
    expect([code, stderr]).toEqual([2, `gfp-scope: --waits ${folder}/none: no such file or directory\n`]);
  });
});
