import Parser from 'tree-sitter';
import C from 'tree-sitter-c';
import { expect } from 'vitest';
import { type Mended, mend, mendPasses } from '../../src/parse/mend.js';

const parser = new Parser();
parser.setLanguage(C as unknown as Parser.Language);

export function parse(text: string): Parser.SyntaxNode {
  return parser.parse(text, undefined, { bufferSize: text.length * 2 + 64 }).rootNode;
}

/** What every pass over every text must hold. */
export function expectSamePlaces(source: string, pass: Mended): void {
  expect(pass.text.length).toBe(source.length);
  expect(newlines(pass.text)).toEqual(newlines(source));
  let last = 0;
  for (const arm of pass.arms) {
    expect(arm.start).toBeGreaterThanOrEqual(last);
    expect(arm.end).toBeGreaterThan(arm.start);
    expect(pass.text.slice(arm.start, arm.end).trim()).toBe('');
    last = arm.end;
  }
  expect(last).toBeLessThanOrEqual(source.length);
}

function newlines(text: string): number[] {
  const at: number[] = [];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) at.push(i);
  return at;
}

/** Mends and parses; fails the test unless the tree has no ERROR or MISSING node. */
export function clean(source: string): { text: string; root: Parser.SyntaxNode; arms: Mended['arms'] } {
  const mended = mend(source);
  expectSamePlaces(source, mended);
  const root = parse(mended.text);
  expect(root.hasError, `${mended.text}\n${root.toString()}`).toBe(false);
  return { ...mended, root };
}

/** `clean` for what stands in a function's body. */
export function cleanBody(body: string): ReturnType<typeof clean> {
  return clean(`int f(void)\n{\n${body}\n}\n`);
}

/** All calls of a tree, in order: the callee and its arguments, each as the SOURCE has it. */
export function calls(root: Parser.SyntaxNode, source: string): [string, ...string[]][] {
  return root.descendantsOfType('call_expression').map((node) => {
    const callee = node.childForFieldName('function')!;
    const list = node.childForFieldName('arguments')!;
    const text = (n: Parser.SyntaxNode): string => source.slice(n.startIndex, n.endIndex);
    return [text(callee), ...list.namedChildren.filter((c) => c.type !== 'comment').map(text)];
  });
}

/** Calls of a body that must mend cleanly. */
export function bodyCalls(body: string): [string, ...string[]][] {
  const { root } = cleanBody(body);
  return calls(root, `int f(void)\n{\n${body}\n}\n`);
}

export { mend, mendPasses };
