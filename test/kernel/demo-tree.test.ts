import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const demo = fileURLToPath(new URL('../../fixtures/demo', import.meta.url));

describe('the example tree', () => {
  it('is C that a compiler takes without a warning', () => {
    expect(() =>
      execFileSync('make', ['-C', demo, 'check'], { stdio: 'pipe', encoding: 'utf8' }),
    ).not.toThrow();
  });
});
