import { describe, expect, it } from 'vitest';
import { type Effect, netEffect, run } from '../../src/analysis/states.js';
import { extractFacts } from '../../src/parse/extract.js';
import type { FunctionFacts } from '../../src/parse/facts.js';

/** `lock()`/`unlock()` always succeed, `trylock()` returns non-zero on success, `lock_killable()` zero. */
const EFFECTS: Record<string, Effect> = {
  lock: { act: 'acquire', success: 'void' },
  unlock: { act: 'release', success: 'void' },
  trylock: { act: 'acquire', success: 'nonzero' },
  lock_killable: { act: 'acquire', success: 'zero' },
  start: { act: 'acquire', success: 'nonerr' },
  mutex_lock: { act: 'acquire', success: 'void' },
  mutex_trylock: { act: 'acquire', success: 'nonzero' },
};

function runOf(text: string): {
  fn: FunctionFacts;
  at: (name: string) => { low: number; high: number; held: boolean } | undefined;
  net: Effect | undefined;
} {
  const fn = extractFacts('a.c', text).functions[0]!;
  const effects = new Map<number, Effect[]>();
  for (const [node, { op }] of fn.cfg.entries()) {
    const effect = op.k === 'call' ? EFFECTS[op.fn] : undefined;
    if (effect) effects.set(node, [effect]);
  }
  const result = run(fn, effects);
  return {
    fn,
    at: (name) => result.entry[fn.cfg.findIndex(({ op }) => op.k === 'call' && op.fn === name)],
    net: netEffect(result.exits, fn.returnType !== 'int'),
  };
}

describe('two that are compared', () => {
  const body = 'lock(); if (x != y) lock(); work(); if (y != x) unlock(); unlock();';

  it('decide about a second lock of the class', () => {
    const { at, net } = runOf(`void f(struct a *x, struct a *y) { ${body} }`);
    expect(net).toBeUndefined();
    expect(at('work')).toEqual({ low: 1, high: 2, held: true });
  });

  it('don’t once one of them is another', () => {
    expect(
      runOf(`void f(struct a *x, struct a *y) { ${body.replace('work();', 'y = next(y);')} }`).net,
    ).toBeDefined();
  });

  it('don’t if one goes through a list', () => {
    const { net } = runOf(
      `void f(struct a *y) { struct a *x = NULL; list_for_each_entry(x, y, l) { ${body} } }`,
    );
    expect(net).toBeDefined();
  });
});

describe('a lock that is taken in one of two ways', () => {
  it('is held where a wait ends with it, and behind each arm of an #if', () => {
    const { at, net } = runOf(
      'void f(void)\n{\n#ifdef A\n\twait_event(q, mutex_trylock(m));\n#else\n\tlock();\n#endif\n\twork();\n\tunlock();\n}\n',
    );
    expect(net).toBeUndefined();
    expect(at('work')).toEqual({ low: 1, high: 1, held: true });
  });

  it('is dropped where the pointer that it was taken through points somewhere', () => {
    const text =
      'void f(int c) { struct mutex *m = NULL; if (c) { m = &x->m; mutex_lock(m); } work(); if (m) unlock(); }';
    expect(runOf(text).net).toBeUndefined();
  });

  it.each([
    ['the address of a member', 'm = &x->m;', true],
    ['one that a member has', 'm = x->m;', false],
    ['the value at an address', 'm = *&x->m;', false],
  ])('is dropped where a pointer is set to %s behind it: %s', (_, set, isDropped) => {
    const text = `void f(struct a *x) { struct mutex *m = NULL; if (!trylock()) goto out; ${set} work(); out: if (m) unlock(); }`;
    expect(runOf(text).net === undefined).toBe(isDropped);
  });
});

const OTHER_TESTS = 'abcdefg'.replace(/./g, 'if (x->$&) g(); ');

describe('a balanced function', () => {
  it.each([
    ['a pair', 'void f(void) { lock(); work(); unlock(); }'],
    ['goto', 'int f(int x) { lock(); work(); if (x) goto out; more(); out: unlock(); return x; }'],
    ['early returns', 'int f(int x) { lock(); work(); if (x) { unlock(); return 1; } unlock(); return 0; }'],
    [
      'a loop that drops it',
      'void f(int n) { lock(); while (n--) { work(); unlock(); rest(); lock(); } unlock(); }',
    ],
    [
      'a flag',
      'void f(int x) { bool held = false; if (x) { lock(); held = true; work(); } if (held) unlock(); }',
    ],
    ['a parameter tested twice', 'void f(int x) { if (x) lock(); other(); if (x) work(); if (x) unlock(); }'],
    [
      'a call whose result is asked three times',
      'void f(int x) { bool c = wants(x); if (c) lock(); other(); if (c) work(); if (c) unlock(); }',
    ],
    [
      'one of two calls',
      'int f(int c) { int err = c ? lock_killable() : other(); if (err) return err; if (c) work(); if (c) unlock(); return 0; }',
    ],
    [
      'a call or a number',
      'int f(int c) { int err; err = c ? lock_killable() : 0; if (err) return err; if (c) work(); if (c) unlock(); return 0; }',
    ],
    [
      'a function with many other tests',
      `void f(struct a *x) { ${OTHER_TESTS} if (x->z) lock(); ${OTHER_TESTS} if (x->z) work(); if (x->z) unlock(); }`,
    ],
    ['a trylock', 'int f(void) { if (!trylock()) return 0; work(); unlock(); return 1; }'],
    [
      'a killable lock',
      'int f(void) { int err = lock_killable(); if (err) return err; work(); unlock(); return 0; }',
    ],
    [
      'a killable lock in a condition',
      'int f(void) { if (lock_killable()) return -EINTR; work(); unlock(); return 0; }',
    ],
    [
      'a started object',
      'int f(void) { void *h = start(); if (IS_ERR(h)) return PTR_ERR(h); work(); unlock(); return 0; }',
    ],
  ])('holds it surely in %s, and leaves it as it was', (_, text) => {
    const { at, net } = runOf(text);
    expect(at('work')).toEqual({ low: 1, high: 1, held: true });
    expect(net).toBeUndefined();
  });

  it('holds it only perhaps after arms that differ in an unknown way', () => {
    expect(
      runOf('void f(int x, int y) { if (g(x)) lock(); work(); if (g(y)) unlock(); }').at('work'),
    ).toEqual({ low: 0, high: 1, held: false });
  });
});

it('is held perhaps where a variable was tested that a macro gave another value', () => {
  const text = `void f(struct list_head *h) { struct a *p = first(h); if (p) lock(); list_for_each_entry_continue(p, h, l) { g(); } if (p) unlock(); }`;
  expect(runOf(text).net).toBeDefined();
});

it('is held perhaps where a variable that was null went through a list before it was tested', () => {
  const text =
    'void f(struct list_head *h) { struct a *p = NULL; lock(); list_for_each_entry(p, h, l) { if (p->x) break; } if (!p) unlock(); work(); }';
  expect(runOf(text).at('work')).toEqual({ low: 0, high: 1, held: false });
});

it('is held no more where a variable decides that is set once', () => {
  const text = 'void f(struct a *a) { struct b *b = find(a); if (b) lock(); work(); if (b) unlock(); }';
  expect(runOf(text).net).toBeUndefined();
});

describe('a net effect', () => {
  it.each<[string, Effect | undefined, string]>([
    ['locks always', { act: 'acquire', success: 'void' }, 'void f(void) { prepare(); lock(); }'],
    ['unlocks always', { act: 'release', success: 'void' }, 'void f(void) { unlock(); tidy(); }'],
    [
      'locks if it returns 0',
      { act: 'acquire', success: 'zero' },
      'int f(void) { if (bad()) return -EIO; lock(); return 0; }',
    ],
    [
      'hands a killable lock on',
      { act: 'acquire', success: 'zero' },
      'int f(void) { return lock_killable(); }',
    ],
    [
      'hands it on in a variable',
      { act: 'acquire', success: 'zero' },
      'int f(void) { int err; err = lock_killable(); return err; }',
    ],
    [
      'locks if it returns true',
      { act: 'acquire', success: 'nonzero' },
      'int f(void) { if (!trylock()) return 0; return 1; }',
    ],
    [
      'locks if it returns an object',
      { act: 'acquire', success: 'nonerr' },
      'struct h *f(struct h *h) { if (bad()) return ERR_PTR(-EIO); lock(); return h; }',
    ],
    ['cannot be told', { act: 'acquire', success: 'maybe' }, 'void f(int x) { if (x) lock(); }'],
    ['is none: retakes what it drops', undefined, 'void f(void) { unlock(); rest(); lock(); }'],
  ])('%s', (_, effect, text) => {
    expect(runOf(text).net).toEqual(effect);
  });

  it('knows that the caller does not hold it in between', () => {
    expect(runOf('void f(void) { unlock(); rest(); lock(); }').at('rest')).toEqual({
      low: -1,
      high: -1,
      held: false,
    });
  });

  it('knows that it is held again where it was acquired after what the caller held was dropped', () => {
    const { at } = runOf('void f(int n) { if (n) unlock(); lock(); work(); unlock(); rest(); }');
    expect(at('work')).toEqual({ low: 0, high: 1, held: true });
    expect(at('rest')!.held).toBe(false);
  });
});

describe('a parameter that is 0 on entry', () => {
  const STARTS = 'void f(void *h, int x) { void *g = h; if (!g) lock(); if (x & A) more(); work(); }';

  it('decides the branches that test it, or what it is assigned to', () => {
    const fn = extractFacts('a.c', STARTS).functions[0]!;
    const node = (name: string): number => fn.cfg.findIndex(({ op }) => op.k === 'call' && op.fn === name);
    const effects = new Map([[node('lock'), [EFFECTS.lock!]]]);
    expect(fn.testedParams).toEqual([0, 1]);
    expect(run(fn, effects).entry[node('work')]).toEqual({ low: 0, high: 1, held: false });
    const zero = run(fn, effects, undefined, ['v:h', 'v:x']);
    expect(zero.entry[node('work')]).toEqual({ low: 1, high: 1, held: true });
    expect(zero.entry[node('more')]).toBeUndefined();
  });
});

describe('the net effect on a scope', () => {
  const EXITS = [
    { depth: -1, result: 'u', pending: '', node: 2 },
    { depth: 0, result: 'z', pending: '', node: 3 },
  ] as const;

  it('is to close it where the function may do so and opens none', () => {
    expect(netEffect(EXITS, false, { opensHere: false })).toEqual({ act: 'release', success: 'void' });
    expect(netEffect(EXITS, false, { opensHere: true })).toEqual({ act: 'release', success: 'maybe' });
  });

  it('is to open it where the result says so, even if it may be open after a failure', () => {
    const exits = [
      { depth: 1, result: 'u', pending: '', node: 2 },
      { depth: 1, result: 'n', pending: '', node: 3 },
      { depth: 0, result: 'n', pending: '', node: 4 },
    ] as const;
    expect(netEffect(exits, true, { opensHere: true })).toEqual({ act: 'acquire', success: 'nonerr' });
    expect(netEffect(exits, true)).toEqual({ act: 'acquire', success: 'maybe' });
  });
});
