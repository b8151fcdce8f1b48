import type { Rule } from './rule.js';

export const redundantMask: Rule = {
  id: 'redundant-mask',
  level: 'warning',
  title: 'A mask that a scope makes redundant',
  help: 'Every path to the allocation is in a scope already, so the mask adds nothing: write GFP_KERNEL. gfp-scope diff does it.',
  find: ({ report }) =>
    report.sites
      .filter(({ verdict, kept }) => verdict === 'covered' && kept === '')
      .map(({ file, line, column, function: name, flag, call }) => ({
        file,
        line,
        column,
        function: name,
        message: `${flag}${call === null ? '' : ` in a call of ${call}()`} is redundant: every path is in a scope`,
        related: [],
      })),
};
