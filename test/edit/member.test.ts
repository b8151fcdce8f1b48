import { describe, expect, it } from 'vitest';
import { newMember } from '../../src/edit/member.js';

/** The text with the new member in it, or undefined. */
function withMember(text: string, tag = 'trans'): string | undefined {
  const member = newMember(text, tag, 'nofs_flags');
  if (!member) return undefined;
  return [...member.edits]
    .sort((a, b) => b.start - a.start)
    .reduce((all, { start, end, text: added }) => all.slice(0, start) + added + all.slice(end), text);
}

describe('a new member of a struct', () => {
  it('stands beside the last one of its size', () => {
    expect(withMember('struct trans {\n\tlong a;\n\tint b;\n\tlong c;\n};\n')).toBe(
      'struct trans {\n\tlong a;\n\tint b;\n\tunsigned int nofs_flags;\n\tlong c;\n};\n',
    );
  });

  it('stands at the end where there is none', () => {
    expect(withMember('struct trans {\n\tlong a;\n\tvoid *b;\n};\n')).toBe(
      'struct trans {\n\tlong a;\n\tvoid *b;\n\tunsigned int nofs_flags;\n};\n',
    );
  });

  it('has the prefix and the column of the others', () => {
    expect(withMember('struct trans {\n\tu32\t\t\tt_a;\n\tunsigned short\t\tt_b;\n};\n')).toBe(
      'struct trans {\n\tu32\t\t\tt_a;\n\tunsigned int\t\tt_nofs_flags;\n\tunsigned short\t\tt_b;\n};\n',
    );
  });

  it('is described behind its neighbour, with the line ends of the file', () => {
    const text =
      '/**\r\n * struct trans - x\r\n * @a: one\r\n *     more\r\n * @b: two\r\n */\r\nstruct trans {\r\n\tint a;\r\n\tlong b;\r\n};\r\n';
    expect(withMember(text)).toBe(
      '/**\r\n * struct trans - x\r\n * @a: one\r\n *     more\r\n * @nofs_flags: what the save for this transaction returned\r\n * @b: two\r\n */\r\nstruct trans {\r\n\tint a;\r\n\tunsigned int nofs_flags;\r\n\tlong b;\r\n};\r\n',
    );
  });

  it.each([
    [
      'not in an inner struct',
      'struct trans {\n\tlong a;\n\tstruct {\n\t\tint b;\n\t} c;\n};\n',
      'long a;\n',
    ],
    ['not under an #if', 'struct trans {\n\tlong a;\n#ifdef X\n\tint b;\n#endif\n};\n', 'long a;\n'],
    ['not beside a bit field', 'struct trans {\n\tlong a;\n\tunsigned int b:1;\n};\n', 'b:1;\n'],
  ])('%s', (_, text, before) => {
    expect(withMember(text)).toContain(`${before}\tunsigned int nofs_flags;\n`);
  });

  it.each([
    ['the struct is not there', 'struct other {\n\tint a;\n};\n'],
    ['it is declared only', 'struct trans;\nvoid f(struct trans *t);\n'],
    ['the name is taken', 'struct trans {\n\tint nofs_flags;\n};\n'],
    ['no member has a line of its own', 'struct trans { int a; int b; };\n'],
    ['all are under an #if', 'struct trans {\n#ifdef X\n\tint b;\n#endif\n};\n'],
  ])('has no place where %s', (_, text) => {
    expect(withMember(text)).toBeUndefined();
  });
});
