import { describe, expect, it } from 'vitest';
import { type Effect, run, type Success } from '../../src/analysis/states.js';
import { callsOf, functionIn, linked } from './linked.js';

/** Runs the one function of a text; `take()` acquires, `try_take()` does if it is not 0, `take_err()` if it is, `drop()` releases. */
function states(body: string, head = 'int f(struct s *s, int flag)') {
  const fn = functionIn(linked({ 'fs/a.c': `${head}\n{\n${body}\n}\n` }), 'f');
  const effects = new Map<number, Effect[]>();
  const put = (name: string, act: Effect['act'], success: Success): void => {
    for (const node of callsOf(fn, name)) effects.set(node, [{ act, success }]);
  };
  put('take', 'acquire', 'void');
  put('try_take', 'acquire', 'nonzero');
  put('take_err', 'acquire', 'zero');
  put('get', 'acquire', 'nonerr');
  put('drop', 'release', 'void');
  const result = run(fn.facts, effects);
  return {
    /** Depth at each call of `mark()`: `1`, or `0..1` where paths differ. */
    marks: callsOf(fn, 'mark').map((node) => {
      const at = result.entry[node];
      return at === undefined ? 'never' : at.low === at.high ? `${at.low}` : `${at.low}..${at.high}`;
    }),
  };
}

describe('how deep a resource is held', () => {
  it.each([
    ['between acquire and release', 'mark(); take(); mark(); drop(); mark();', ['0', '1', '0']],
    ['twice, one in the other', 'take(); take(); mark(); drop(); mark(); drop(); mark();', ['2', '1', '0']],
    ['where one arm takes it', 'if (x()) take(); mark();', ['0..1']],
    ['where both arms take it', 'if (x()) take(); else take(); mark(); drop(); mark();', ['1', '0']],
    [
      'by a flag',
      'int l = 0; if (x()) { take(); l = 1; } mark(); if (l) { mark(); drop(); } mark();',
      ['0..1', '1', '0'],
    ],
    ['by a boolean', 'bool l = false; if (x()) { l = true; take(); } if (l) drop(); mark();', ['0']],
    [
      'by a parameter that is tested twice',
      'if (flag) take(); if (flag) { mark(); drop(); } mark();',
      ['1', '0'],
    ],
    [
      'by a parameter whose test is turned round',
      'if (!flag) take(); if (flag) { mark(); return 0; } drop(); mark();',
      ['0', '0'],
    ],
    ['after a try', 'if (!try_take()) { mark(); return 0; } mark(); drop();', ['0', '1']],
    ['in the body of a try', 'if (try_take()) { mark(); drop(); } mark();', ['1', '0']],
    ['after a try in a loop', 'while (!try_take()) mark(); mark(); drop();', ['0', '1']],
    ['after an error check', 'int e = take_err(); if (e) { mark(); return e; } mark(); drop();', ['0', '1']],
    [
      'after a second try where the first said a certain error',
      'int e = take_err(); if (e == -ENOSPC) { mark(); e = take_err(); } if (e) return e; mark(); drop();',
      ['0', '1'],
    ],
    ['after a check of less than 0', 'int e; e = take_err(); if (e < 0) return e; mark(); drop();', ['1']],
    [
      'after an IS_ERR check',
      'struct h *h = get(); if (IS_ERR(h)) { mark(); return 0; } mark(); drop();',
      ['0', '1'],
    ],
    ['after a result that nobody looks at', 'take_err(); mark();', ['0..1']],
    [
      'after a result that was overwritten',
      'int e = take_err(); e = x(); if (e) return e; mark();',
      ['0..1'],
    ],
    ['in a short-circuit', 'if (flag && try_take()) { mark(); drop(); } mark();', ['1', '0']],
    ['in an or', 'if (flag || !try_take()) { mark(); return 0; } mark(); drop();', ['0', '1']],
    ['behind a goto', 'take(); if (x()) goto out; mark(); out: mark(); drop(); mark();', ['1', '1', '0']],
    [
      'in a loop that drops and retakes',
      'take(); while (x()) { drop(); mark(); take(); } mark(); drop();',
      ['0', '1'],
    ],
    ['in a do loop', 'do { take(); mark(); drop(); } while (x()); mark();', ['1', '0']],
    [
      'in a switch',
      'switch (flag) { case 1: take(); break; case 2: mark(); return 0; default: return 0; } mark(); drop();',
      ['0', '1'],
    ],
    ['that falls through', 'take(); switch (flag) { case 1: drop(); case 2: mark(); }', ['0..1']],
    ['where nothing comes by', 'return 0; mark();', ['never']],
    ['behind what never returns', 'take(); if (x()) { BUG(); mark(); } drop(); mark();', ['never', '0']],
  ])('%s', (_, body, marks) => {
    expect(states(body).marks).toEqual(marks);
  });
});
