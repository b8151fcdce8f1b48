import { readFileSync } from 'node:fs';
import { globSync } from 'tinyglobby';
import { describe, expect, it } from 'vitest';
import { expectSamePlaces, mend, mendPasses } from './mended.js';

const fixtures = globSync('fixtures/**/*.{c,h}').sort();

const ODD: Record<string, string> = {
  empty: '',
  'a NUL byte': 'int a\0;\0\nstatic __init int b;',
  CRLF: 'static int __init a(void)\r\n{\r\n\tfor_each_x(y)\r\n\t\tz();\r\n}\r\n#if A\r\nint (\r\n#else\r\n)\r\n#endif\r\n',
  'form feeds': '\f\nint __x a;\f\nMACRO(x)\f\n',
  'bytes that are no UTF-8': 'int \xe9\xff a; /* \x80\xc3 */ char *s = "\xfe";\n',
  'no last newline': '#define X 1',
  'a lone carriage return': 'int a;\rMACRO(b)\rint c;',
  'an open comment': 'int a; /* to the end\nof __init it',
  'an open string': 'char *s = "to the end\nint __init b(void) { return "\\',
  'an open character': "int a = '\nint b;\n#define C 'x\n",
  'unbalanced brackets': ') } ] int f(int a { ( [ #\n',
  'unbalanced directives': '#endif\n#else\n#if\n#elif\nint a;\n#if 0\n#ifdef',
  'a directive that ends in a backslash': '#define A \\',
  'a backslash before CRLF': '#define A \\\r\n\tb /* c \r\n d */ \\\r\n\te\r\nint x;\r\n',
  'nesting deeper than the stack': `int a = ${'('.repeat(200_000)};\n`,
  'deep blocks': `void f(void) {${'if (x) {'.repeat(3000)}${'}'.repeat(3000)}\n`,
  'a word in a row': 'word '.repeat(20_000),
  'a row of attributes': `${'__a(1) '.repeat(20_000)};\n`,
};

describe('length and newlines stay', () => {
  it.each(Object.keys(ODD))('%s', (name) => {
    for (const pass of mendPasses(ODD[name]!)) expectSamePlaces(ODD[name]!, pass);
  });

  it('there are fixtures to read', () => {
    expect(fixtures.length).toBeGreaterThan(5);
  });

  it.each(fixtures)('%s', (file) => {
    const source = readFileSync(file, 'latin1');
    const all = mendPasses(source);
    for (const pass of all) expectSamePlaces(source, pass);
    expect(all.length).toBeLessThanOrEqual(5);
    expect(all[0]).toEqual(mend(source));
  });

  it('on thousands of cut and spliced pieces of the fixtures', () => {
    const sources = fixtures.map((file) => readFileSync(file, 'latin1'));
    const splinters = [
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      ';',
      ',',
      '"',
      "'",
      '/*',
      '*/',
      '\\\n',
      '\r\n',
      '#if X\n',
      '#else\n',
    ];
    splinters.push(
      '#endif\n',
      'struct ',
      'do ',
      'case ',
      '...',
      '&&',
      '__x',
      'FOO(',
      'asm (',
      '\0',
      '\xff',
      '= {',
    );
    let seed = 20240;
    const below = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    for (let round = 0; round < 3000; round++) {
      const whole = sources[below(sources.length)]!;
      const from = below(whole.length);
      let source = whole.slice(from, from + below(3000));
      for (let n = below(10); n > 0; n--) {
        const at = below(source.length);
        const cut = below(2) === 0 ? 0 : below(20);
        source = source.slice(0, at) + splinters[below(splinters.length)]! + source.slice(at + cut);
      }
      for (const pass of mendPasses(source)) {
        // Cheaper than expectSamePlaces, which would take a minute here.
        const same =
          pass.text.length === source.length &&
          pass.text.replace(/[^\n]/g, ' ') === source.replace(/[^\n]/g, ' ');
        expect(same, JSON.stringify(source)).toBe(true);
      }
    }
  });

  it('depends on nothing but the text', () => {
    const source = 'static int __init a(void)\n{\n\tfor_each_x(y)\n\t\tz(struct a, b);\n}\n';
    const first = mend(source).text;
    mend(`${'int b(void) { return c(d); }\n'.repeat(500)}#if X\nint e(\n#endif\n`);
    expect(mend(source).text).toBe(first);
  });
});
