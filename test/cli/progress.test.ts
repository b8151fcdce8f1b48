import { describe, expect, it } from 'vitest';
import { progressDisplay } from '../../src/cli/progress.js';
import { Kept } from './session.js';

/** Shows progress on `output` as if each update came after so many milliseconds. */
function shown(output: Kept, times: readonly number[]): string {
  let time = 0;
  const display = progressDisplay(output, () => time);
  times.forEach((at, index) => {
    time = at;
    display.update({ phase: 'parsing', done: index, total: times.length });
  });
  display.stop();
  return output.text();
}

describe('the progress display', () => {
  it('shows on a terminal how far work over a second is', () => {
    const text = shown(new Kept(true), [10, 900, 1100, 1200]);
    expect(text).toContain('parsing [');
    expect(text).toContain('2/4');
  });

  it('shows nothing for work that takes less', () => {
    expect(shown(new Kept(true), [10, 500, 999])).toBe('');
  });

  it('shows nothing in a pipe', () => {
    expect(shown(new Kept(false), [10, 1100, 9000])).toBe('');
  });

  it('may stop before it began', () => {
    expect(() => progressDisplay(new Kept(true)).stop()).not.toThrow();
  });
});
