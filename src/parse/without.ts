import { ALLOCATORS } from '../kernel/allocators.js';
import { MASK_BY_NAME, MASK_CONSTRAINTS } from '../kernel/masks.js';
import { type Cst, childByField, children, textOf } from './cst.js';
import type { TextEdit } from './facts.js';
import { argumentsOf } from './paths.js';

/** `~__GFP_FS`, `~(__GFP_IO | __GFP_FS)`: these bits and no others. */
const CLEARS_BITS = /^~\s*\(?\s*__GFP_(?:FS|IO)(?:\s*\|\s*__GFP_(?:FS|IO))*\s*\)?$/;

const DEFAULTED = new Map(ALLOCATORS.filter((a) => a.defaulted).map((a) => [a.name, a.gfpArg]));

/** What binds tighter than any operator, so that parentheses around it are not needed. */
const PRIMARY = new Set([
  'identifier',
  'call_expression',
  'field_expression',
  'subscript_expression',
  'number_literal',
]);

/**
 * What the code is without the mask: `x` for `x & ~__GFP_FS` and for `x | FGP_NOFS`, `mapping_gfp_mask(m)` for
 * `mapping_gfp_constraint(m, ~__GFP_FS)`, nothing for `x &= ~__GFP_FS;`, `kmalloc_obj(*p)` for `kmalloc_obj(*p, GFP_NOFS)`.
 *
 * @param text the file
 * @param leaf the node of the mask
 * @returns byte offsets in the file; null where the code can't simply be left out
 */
export function withoutMask(cst: Cst, text: string, leaf: number, flag: string): TextEdit | null {
  const clears = CLEARS_BITS.test(flag);
  const isFlag = MASK_BY_NAME.get(flag)?.form === 'flag';
  const edit =
    clears || isFlag ? withoutOperand(cst, text, leaf, clears ? '&' : '|') : withoutArgument(cst, leaf);
  return edit && /\/\*|\/\/|^\s*#/m.test(text.slice(edit.start, edit.end)) ? null : edit;
}

function withoutOperand(cst: Cst, text: string, leaf: number, operator: '&' | '|'): TextEdit | null {
  const node = outOfParentheses(cst, leaf);
  const up = cst.parent[node]!;
  if (up < 0) return null;
  switch (cst.type[up]) {
    case 'binary_expression': {
      const left = childByField(cst, up, 'left');
      const right = childByField(cst, up, 'right');
      if (cst.type[childByField(cst, up, 'operator')] !== operator) return null;
      const other = left === node ? right : left;
      const around = outOfParentheses(cst, up);
      if (around !== up && PRIMARY.has(cst.type[other]!)) {
        return {
          start: cst.start[around]!,
          end: cst.end[around]!,
          text: text.slice(cst.start[other]!, cst.end[other]!),
        };
      }
      return other === left
        ? { start: cst.end[left]!, end: cst.end[up]!, text: '' }
        : { start: cst.start[up]!, end: cst.start[right]!, text: '' };
    }
    case 'argument_list': {
      const call = cst.parent[up]!;
      const args = argumentsOf(cst, up);
      if (operator === '|') return { start: cst.start[node]!, end: cst.end[node]!, text: '0' };
      const name = textOf(cst, childByField(cst, call, 'function'));
      const constraint = MASK_CONSTRAINTS.find((c) => c.name === name);
      if (!constraint || constraint.arg !== args.indexOf(node) || args.length !== 2) return null;
      const mapping = text.slice(cst.start[args[0]!]!, cst.end[args[0]!]!);
      const instead = `${constraint.unconstrained}(${mapping})`;
      return { start: cst.start[call]!, end: cst.end[call]!, text: instead };
    }
    case 'assignment_expression': {
      if (cst.type[childByField(cst, up, 'operator')] !== `${operator}=`) return null;
      return withoutStatement(cst, text, cst.parent[up]!);
    }
    default:
      return null;
  }
}

/** A statement that stands among others, on lines of its own, with no comment right above it. */
function withoutStatement(cst: Cst, text: string, statement: number): TextEdit | null {
  const block = statement < 0 ? -1 : cst.parent[statement]!;
  if (block < 0 || cst.type[statement] !== 'expression_statement' || cst.type[block] !== 'compound_statement')
    return null;
  const others = children(cst, block).filter(
    (c) => c !== statement && /_statement$|^decl/.test(cst.type[c]!),
  );
  const start = text.lastIndexOf('\n', cst.start[statement]!) + 1;
  const next = text.indexOf('\n', cst.end[statement]!) + 1;
  const rest = text.slice(start, cst.start[statement]!) + text.slice(cst.end[statement]!, next);
  const before = text.slice(0, start);
  // What a comment says would be said of what follows.
  const isExplained = /(?:\*\/|\/\/.*)\s*$/.test(before);
  if (next === 0 || rest.trim() !== '' || isExplained || others.length === 0) return null;
  // Of the empty lines above and below one is left.
  const below = /\n\r?\n$/.test(before) ? (/^\r?\n/.exec(text.slice(next))?.[0].length ?? 0) : 0;
  return { start, end: next + below, text: '' };
}

/** The mask alone, as the last argument of a macro for which that is `GFP_KERNEL` if it is left out. */
function withoutArgument(cst: Cst, leaf: number): TextEdit | null {
  const list = cst.parent[leaf]!;
  if (list < 0 || cst.type[list] !== 'argument_list') return null;
  const args = argumentsOf(cst, list);
  const at = DEFAULTED.get(textOf(cst, childByField(cst, cst.parent[list]!, 'function')));
  if (at === undefined || at !== args.length - 1 || args[at] !== leaf || at === 0) return null;
  return { start: cst.end[args[at - 1]!]!, end: cst.end[leaf]!, text: '' };
}

function outOfParentheses(cst: Cst, node: number): number {
  let n = node;
  for (let up = cst.parent[n]!; up >= 0 && cst.type[up] === 'parenthesized_expression'; up = cst.parent[n]!) {
    // Those of an `if` are no part of the expression.
    if (cst.field[up] === 'condition') break;
    n = up;
  }
  return n;
}
