import Parser from 'tree-sitter';
import C from 'tree-sitter-c';
import { describe, expect, it } from 'vitest';
import { EditRefused } from '../../src/edit/refusal.js';
import { renderPlan } from '../../src/edit/render.js';
import { editFixtures, type Fixture } from './fixture.js';

const fixtures = editFixtures();
const applied = fixtures.filter((f) => f.after !== undefined);
const refused = fixtures.filter((f) => f.refused !== undefined);

function render(fixture: Fixture, text: string): string {
  const changes = renderPlan(fixture.plan(text), () => text, fixture.includes(text));
  expect(changes.map((c) => c.file)).toEqual([fixture.file]);
  expect(changes[0]!.before).toBe(text);
  return changes[0]!.after;
}

const count = (text: string, word: RegExp): number => text.match(word)?.length ?? 0;

describe('an idiom of the kernel', () => {
  it.each(applied)('$name', (fixture) => {
    expect(render(fixture, fixture.before)).toBe(fixture.after);
  });

  it.each(applied)('$name, with CRLF line ends', (fixture) => {
    const text = fixture.before.replaceAll('\n', '\r\n');
    expect(render(fixture, text)).toBe(fixture.after!.replaceAll('\n', '\r\n'));
  });

  it.each(applied)('$name, without a last newline', (fixture) => {
    const text = fixture.before.replace(/\n$/, '');
    expect(render(fixture, text)).toBe(fixture.after!.replace(/\n$/, ''));
  });

  it.each(applied)('$name, after bytes that are no text', (fixture) => {
    // A form feed and invalid UTF-8 in a comment at the end, where no include is placed by it.
    const tail = '\f\n/* \xff\xfe\xe9 */\n';
    expect(render(fixture, fixture.before + tail)).toBe(fixture.after! + tail);
  });

  it.each(applied)('$name still parses', (fixture) => {
    const parser = new Parser();
    parser.setLanguage(C as unknown as Parser.Language);
    const bad = (text: string): number =>
      parser.parse(text).rootNode.descendantsOfType(['ERROR']).length +
      (parser
        .parse(text)
        .rootNode.toString()
        .match(/MISSING/g)?.length ?? 0);
    expect(bad(fixture.after!)).toBeLessThanOrEqual(bad(fixture.before));
  });

  it.each(applied)('$name has no line longer than 80 columns, or than it had', (fixture) => {
    const width = (line: string): number =>
      [...line].reduce((w, c) => (c === '\t' ? w - (w % 8) + 8 : w + 1), 0);
    const limit = Math.max(80, ...fixture.before.split('\n').map(width));
    expect(fixture.after!.split('\n').filter((line) => width(line) > limit)).toEqual([]);
  });

  it('is covered for every refusal and result, never both', () => {
    expect(fixtures.filter((f) => (f.after === undefined) === (f.refused === undefined))).toEqual([]);
    expect(count(applied.map((f) => f.after).join(''), /_save\(\)/g)).toBeGreaterThan(applied.length / 2);
  });
});

describe('a place that cannot take the edit', () => {
  it.each(refused)('$name', (fixture) => {
    let error: unknown;
    try {
      render(fixture, fixture.before);
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(EditRefused);
    expect({ line: (error as EditRefused).line, reason: (error as EditRefused).reason }).toEqual(
      fixture.refused,
    );
  });
});

describe('renderPlan', () => {
  it('has nothing to say about an empty plan', () => {
    const never = (): never => {
      throw new Error('read');
    };
    expect(renderPlan({ scopes: [], downgrades: [], removals: [] }, never, { provides: never })).toEqual([]);
  });

  it('leaves out a file whose text does not change', () => {
    const downgrade = { site: 'x', file: 'a.c', function: 'f', start: 0, end: 3, scopes: [], transform: 't' };
    const plan = { scopes: [], downgrades: [{ ...downgrade, replacement: 'abc' }], removals: [] };
    expect(renderPlan(plan, () => 'abc', { provides: () => true })).toEqual([]);
  });

  it('gives files in the order of their names', () => {
    const at = (file: string) => ({
      site: file,
      file,
      function: null,
      start: 0,
      end: 8,
      replacement: 'GFP_KERNEL',
      scopes: [],
      transform: 't',
    });
    const plan = { scopes: [], downgrades: [at('fs/b.c'), at('fs/a.c')], removals: [] };
    const changes = renderPlan(plan, () => 'GFP_NOFS', { provides: () => true });
    expect(changes.map((c) => c.file)).toEqual(['fs/a.c', 'fs/b.c']);
    expect(changes[0]!.after).toBe('GFP_KERNEL');
  });
});
