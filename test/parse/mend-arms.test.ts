import { describe, expect, it } from 'vitest';
import { clean, expectSamePlaces, mendPasses, parse } from './mended.js';

/** Passes of a text that must all parse, each with the words of `wanted` that stand in it. */
function passes(source: string, wanted: readonly string[]): string[][] {
  return mendPasses(source).map((pass) => {
    expectSamePlaces(source, pass);
    expect(parse(pass.text).hasError, pass.text).toBe(false);
    return wanted.filter((word) => pass.text.includes(word));
  });
}

describe('groups of whole statements, declarations, members', () => {
  it('stay as they are, with all arms', () => {
    const source =
      'int demo(void)\n{\n#ifdef CONFIG_A\n\tone();\n#elif defined(CONFIG_B) && !X\n\ttwo();\n#else\n\tthree();\n#endif\n\treturn 0;\n}\n#if IS_ENABLED(CONFIG_C)\nint c;\n#endif\nstruct s {\n#ifdef A\n\tint a;\n#endif\n\tint b;\n};\nenum e {\n#ifdef A\n\tA,\n#endif\n\tB,\n};\n';
    const { text, arms, root } = clean(source);
    expect(text).toBe(source);
    expect(arms).toEqual([]);
    expect(root.descendantsOfType('preproc_ifdef').length).toBe(3);
    expect(mendPasses(source).length).toBe(1);
  });

  it('lose what stands after #else and #endif, and conditions beyond the grammar', () => {
    clean(
      '#if __has_include(<a.h>)\nint a;\n#else CONFIG_A\nint b;\n#endif CONFIG_A\n#if A ? B : C\nint c;\n#endif\n',
    );
  });

  it('nested in a list of constants', () => {
    const { root } = clean('enum e {\n#ifdef A\n\tA,\n#ifdef B\n\tB,\n#endif\n#endif\n\tC,\n};\n');
    expect(root.descendantsOfType('enumerator').length).toBe(3);
  });
});

describe('groups that split something', () => {
  it('a condition: both ends of it come alive', () => {
    const source =
      'int demo(void)\n{\n#ifdef A\n\tif (one(a)) {\n#else\n\tif (two(b)) {\n#endif\n\t\tthree();\n\t}\n\treturn 0;\n}\n';
    expect(passes(source, ['one', 'two', 'three'])).toEqual([
      ['one', 'three'],
      ['two', 'three'],
    ]);
    const arm = mendPasses(source)[0]!.arms[0]!;
    expect(source.slice(arm.start, arm.end)).toBe('\n\tif (two(b)) {\n');
  });

  it('a pair of braces: groups on one condition go the same way', () => {
    const source =
      'int demo(void)\n{\n#ifndef A\n\tif (one()) {\n#else\n\twhile (two()) { do {\n#endif\n\t\tthree();\n#ifdef A\n\t} while (0); }\n#else\n\t}\n#endif\n\treturn 0;\n}\n';
    expect(passes(source, ['one', 'two', 'three'])).toEqual([
      ['one', 'three'],
      ['two', 'three'],
    ]);
  });

  it('parameters, arguments, operands, an else', () => {
    const source =
      'int demo(int a,\n#ifdef A\n\tint one,\n#endif\n\tint b)\n{\n\tcall(a,\n#ifdef A\n\t\tone\n#else\n\t\ttwo\n#endif\n\t\t);\n\tif (a\n#ifdef A\n\t    && one\n#endif\n\t    )\n\t\treturn 1;\n#ifdef A\n\telse if (one)\n\t\treturn 2;\n#endif\n\treturn 0;\n}\n';
    expect(passes(source, ['two', 'else'])).toEqual([['else'], ['two', 'else']]);
  });

  it('three arms take three passes', () => {
    const source = 'int demo(\n#if A\n\tint one\n#elif B\n\tint two\n#else\n\tint three\n#endif\n\t)\n{\n}\n';
    expect(passes(source, ['one', 'two', 'three'])).toEqual([['one'], ['two'], ['three']]);
  });

  it('elements of an initializer keep all arms', () => {
    const source =
      'struct ops ops = {\n\t.a = one,\n#ifdef A\n\t.b = two,\n#else\n\t.b = three,\n#endif\n#ifdef B\n\t.c = four\n#endif\n};\n';
    expect(passes(source, ['one', 'two', 'three', 'four'])).toEqual([['one', 'two', 'three', 'four']]);
  });

  it('after a label', () => {
    const source = 'int demo(void)\n{\nout:\n#ifdef A\n\tone();\n#endif\n\treturn 0;\n}\n';
    expect(passes(source, ['one'])).toEqual([['one']]);
  });

  it('extern "C"', () => {
    const source =
      '#ifdef __cplusplus\nextern "C" {\n#endif\nint demo(void) { return 1; }\n#ifdef __cplusplus\n}\n#endif\n';
    const { root } = clean(source);
    expect(root.descendantsOfType('function_definition').length).toBe(1);
  });
});

describe('what nothing compiles', () => {
  it('comes in a pass of its own, the last', () => {
    const source =
      'int demo(void)\n{\n#if 0\n\tdead();\n#else\n\tlive();\n#endif\n\treturn 0;\n}\n#if 1\nint a;\n#else\nint never;\n#endif\n';
    expect(passes(source, ['dead', 'live', 'never', 'int a'])).toEqual([
      ['live', 'int a'],
      ['dead', 'live', 'never', 'int a'],
    ]);
  });

  it('may be no C at all', () => {
    const { text } = clean("#if 0\nThis isn't { C ( at all\n#endif\nint demo(void) { return 1; }\n");
    expect(text).not.toContain('This');
  });
});
