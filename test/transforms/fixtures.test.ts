import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BASE, type Case, casesIn, KINDS, type Outcome, runCase } from './case.js';

/** The sites as `expected.json` lists them. */
function verdicts({ sites }: Outcome): unknown[] {
  return sites.map((site) => ({ function: site.function, verdict: site.verdict, reason: site.reason }));
}

function expectedVerdicts({ expected }: Case, { sites }: Outcome): unknown[] {
  const listed: NonNullable<Case['expected']['sites']> =
    expected.sites ?? sites.map((site) => ({ function: site.function, verdict: 'scopable' }));
  return listed.map(({ reason = '', ...site }) => ({ ...site, reason: expect.stringContaining(reason) }));
}

describe.each(KINDS)('%s', (kind) => {
  const cases = casesIn(kind);

  it.each(cases)('$name', async (fixture) => {
    const outcome = await runCase(fixture, fixture.before);
    expect(verdicts(outcome)).toEqual(expectedVerdicts(fixture, outcome));
    expect(outcome.problems).toEqual([]);
    expect(outcome.after).toBe(fixture.after);
    expect(outcome.others).toEqual(fixture.others);
  });

  it.each(cases)('$name, a second time', async (fixture) => {
    const outcome = await runCase(fixture, fixture.after, fixture.others);
    expect({ after: outcome.after, others: outcome.others }).toEqual({ after: fixture.after, others: {} });
    expect(outcome.plan).toEqual({ scopes: [], downgrades: [], removals: [] });
    expect(outcome.problems).toEqual([]);
  });

  it.each(cases)('$name, with CRLF line ends', async (fixture) => {
    const crlf = (text: string): string => text.replaceAll('\n', '\r\n');
    const outcome = await runCase(fixture, crlf(fixture.before));
    expect(outcome.problems).toEqual([]);
    expect(outcome.after).toBe(crlf(fixture.after));
  });

  it.each(cases)('$name is C, before and after', (fixture) => {
    for (const text of new Set([fixture.before, fixture.after])) expect(warningsOf(text, fixture)).toBe('');
  });
});

/** What a compiler says. */
function warningsOf(text: string, { folder }: Case): string {
  const options = ['-x', 'c', '-fsyntax-only', '-std=gnu11', '-Wall', '-Wno-unused', '-nostdinc'];
  const include = [path.join(folder, 'tree'), BASE]
    .flatMap((tree) => [path.join(tree, 'include'), path.join(tree, 'fs/examplefs')])
    .map((dir) => `-I${dir}`);
  try {
    execFileSync('gcc', [...options, ...include, '-'], { input: text, stdio: 'pipe', encoding: 'latin1' });
    return '';
  } catch (error) {
    return (error as { stderr?: string }).stderr || String(error);
  }
}
