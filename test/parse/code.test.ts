import { describe, expect, it } from 'vitest';
import { usesFunction } from '../../src/parse/code.js';

describe('a name in a file', () => {
  it.each([
    ['in a comment', '/* f() is not for us */\n// nor here: f(1)\n'],
    ['in a string', 'void a(void)\n{\n\tprint("f()");\n}\n'],
    ['in a prototype', '#endif\nasmlinkage long f(int a, void (*b)(int),\n\t\t  int c);\n'],
    [
      'in a prototype with attributes',
      '#define X 1\nextern struct a *f(void)\n\t__attribute__((warn_unused_result)) __must_check;\n',
    ],
    ['in a prototype with its type on a line of its own', 'static inline\nint *\nf(int);\n'],
    ['that is longer', 'int af(int x);\nint b = f_all(2) + af(1);\n'],
  ])('is no use of the function %s', (_, text) => expect(usesFunction(text, 'f')).toBe(false));

  it.each([
    ['in a call', 'int f(int);\nint a(void)\n{\n\treturn f(1);\n}\n'],
    ['in a call behind a type', 'int a(void)\n{\n\tint x = f(1);\n\n\treturn x;\n}\n'],
    ['in a definition', 'int f(int x)\n{\n\treturn x;\n}\n'],
    ['as a value', 'struct ops ops = {\n\t.f = f,\n};\n'],
    ['as the value of a variable', 'int (*g)(int) = f;\nint x = f(1);\n'],
    ['in a macro', '#define g(x) f(x);\n'],
    ['for modules', 'EXPORT_SYMBOL(f);\n'],
  ])('is a use of it %s', (_, text) => expect(usesFunction(text, 'f')).toBe(true));
});
