import { describe, expect, it } from 'vitest';
import {
  contextPhrase,
  furtherScopeComment,
  lockName,
  routeText,
  type ScopeEvidence,
  scopeComment,
} from '../../src/edit/comment.js';

const step = (text: string) => {
  const [name, file = 'fs/demo/inode.c'] = text.split('@');
  return { function: name!, file, line: 1 };
};

const evidence: ScopeEvidence = {
  api: 'nofs',
  lock: 'quota_info.dqio_sem',
  lockText: '&dqopt->dqio_sem',
  context: 'evicting an inode',
  file: 'fs/demo/super.c',
  function: 'demo_write_info',
  reclaim: [
    'demo_evict_inode',
    'dquot_initialize@fs/quota/dquot.c',
    '__dquot_initialize@fs/quota/dquot.c',
    'dqget@fs/quota/dquot.c',
    'demo_acquire_dquot@fs/demo/super.c',
    'dquot_acquire@fs/quota/dquot.c',
    'demo_read_dquot@fs/quota/quota_demo.c',
  ].map(step),
};

const text = (lines: readonly string[]): string =>
  lines
    .map((line) => line.replace(/^ ?[/*]+ ?| ?\*\/$/g, ''))
    .join(' ')
    .trim();

describe('the comment at a save', () => {
  it('names the lock, the moment and the chain', () => {
    expect(scopeComment(evidence, 8)).toEqual([
      '/*',
      ' * Reclaim takes dqio_sem while evicting an inode: demo_evict_inode() ->',
      ' * dquot_initialize() -> ... -> dquot_acquire() -> demo_read_dquot().',
      ' * Allocations under it must not recurse into the filesystem.',
      ' */',
    ]);
  });

  it.each(['net/demo/messenger.c', 'drivers/net/demo/main.c'])('begins on its first line in %s', (file) => {
    const elsewhere = scopeComment(evidence, 8);
    expect(scopeComment({ ...evidence, file }, 8)).toEqual([
      `/*${elsewhere[1]!.slice(' *'.length)}`,
      ...elsewhere.slice(2),
    ]);
  });

  it.each([0, 8, 16, 24, 32, 40, 48])('fits at column %i: five lines, 80 columns', (column) => {
    for (let steps = 0; steps <= evidence.reclaim.length; steps++) {
      const lines = scopeComment({ ...evidence, reclaim: evidence.reclaim.slice(0, steps) }, column);
      expect(lines.length).toBeLessThanOrEqual(5);
      expect(Math.max(...lines.map((line) => column + line.length))).toBeLessThanOrEqual(80);
      expect(text(lines)).toContain('dqio_sem');
    }
  });

  it('keeps the entry and the acquire as the room gets less, then the acquire', () => {
    const at = (column: number): string => text(scopeComment(evidence, column));
    expect(at(32)).toContain('demo_evict_inode() -> ... -> demo_read_dquot()');
    expect(at(48)).toContain('demo_read_dquot()');
  });

  it('says so when the chain ends in the function itself', () => {
    const last = evidence.reclaim.at(-1)!.function;
    expect(text(scopeComment({ ...evidence, function: last }, 8))).toMatch(
      /^Reclaim itself comes here for dqio_sem while evicting an inode: demo_evict_inode\(\) -> .*dquot_acquire\(\)\. /,
    );
    const entry = { ...evidence, function: 'demo_evict_inode', reclaim: [step('demo_evict_inode')] };
    expect(text(scopeComment(entry, 8))).toBe(
      'Reclaim calls this while evicting an inode and takes dqio_sem. ' +
        'Allocations under it must not recurse into the filesystem.',
    );
  });

  it('says what must not happen under a NOIO lock', () => {
    const noio = { ...evidence, api: 'noio' as const, context: 'mapping a bio', reclaim: [step('demo_map')] };
    expect(text(scopeComment(noio, 8))).toBe(
      'Reclaim takes dqio_sem while mapping a bio: demo_map(). Allocations under it must not start IO.',
    );
  });

  it('does without a chain or a context', () => {
    expect(text(scopeComment({ ...evidence, reclaim: [], context: '' }, 8))).toMatch(
      /^Reclaim takes dqio_sem\. /,
    );
  });

  it('names a step once where two files have it in a row', () => {
    const reclaim = ['a', 'b@x.c', 'b@y.c', 'c'].map(step);
    expect(text(scopeComment({ ...evidence, reclaim }, 8))).toContain('a() -> b() -> c().');
  });

  it('gives no line that a mail or a compiler of ASCII could spoil', () => {
    expect(scopeComment(evidence, 8).join('')).toMatch(/^[\x20-\x7e]*$/);
  });

  it('stays whole where even the shortest wording is too long', () => {
    const long = { ...evidence, lock: `demo.${'x'.repeat(60)}` };
    expect(text(scopeComment(long, 40))).toContain('x'.repeat(60));
  });
});

describe('the comment at a further save', () => {
  it('refers to the first', () => {
    expect(furtherScopeComment(evidence, 8)).toEqual(['/* Reclaim takes dqio_sem: see above. */']);
  });

  it('fits in a deep block', () => {
    expect(furtherScopeComment(evidence, 48)).toEqual(['/* dqio_sem: see above. */']);
  });
});

describe('routeText', () => {
  it('prefers the steps that enter another file, then those near the acquire', () => {
    const steps = ['a@1.c', 'b@1.c', 'c@2.c', 'd@2.c', 'e@2.c', 'f@2.c'].map(step);
    expect(routeText(steps, 6)).toBe('a() -> b() -> c() -> d() -> e() -> f()');
    expect(routeText(steps, 4)).toBe('a() -> ... -> c() -> ... -> e() -> f()');
    expect(routeText(steps, 3)).toBe('a() -> ... -> c() -> ... -> f()');
    expect(routeText(steps, 2)).toBe('a() -> ... -> f()');
    expect(routeText(steps, 1)).toBe('... -> f()');
    expect(routeText(steps, 0)).toBe('');
  });
});

describe('lockName', () => {
  it.each([
    ['quota_info.dqio_sem', '&dqopt->dqio_sem', 'dqio_sem'],
    ['demo_cache.lock', '&c->lock', 'c->lock'],
    ['demo_cache.lock', '&demo_cache_of(inode->i_sb)->lock', 'demo_cache.lock'],
    ['demo_table_mutex', '&demo_table_mutex', 'demo_table_mutex'],
    ['a transaction', 'demo_start(sb)', 'a transaction'],
    ['', '&info->log_sem', 'info->log_sem'],
  ])('%s written as %s is %s', (lock, lockText, name) => {
    expect(lockName({ lock, lockText })).toBe(name);
  });
});

describe('contextPhrase', () => {
  it.each([
    ['evicting an inode', ' while evicting an inode'],
    ['inode eviction', ' in inode eviction'],
    ['on the last iput', ' on the last iput'],
    ['', ''],
  ])("'%s'", (context, phrase) => {
    expect(contextPhrase(context)).toBe(phrase);
  });
});
