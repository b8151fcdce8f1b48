import { vmallocIgnoresMasks } from '../analysis/vmalloc.js';
import { VMALLOC } from '../kernel/allocators.js';
import type { Rule } from './rule.js';

export const vmallocMask: Rule = {
  id: 'vmalloc-mask',
  level: 'warning',
  title: 'A mask that vmalloc does not honour',
  help: 'The vmalloc of this tree allocates its page tables with GFP_KERNEL whatever the mask says. Open a scope around the call.',
  find: ({ findings, report }) => {
    if (!vmallocIgnoresMasks(findings.index)) return [];
    return report.sites
      .filter(({ call, verdict }) => call !== null && VMALLOC.test(call) && verdict !== 'covered')
      .map(({ file, line, column, function: name, flag, call }) => ({
        file,
        line,
        column,
        function: name,
        message: `${call}() does not honour ${flag}`,
        related: [],
      }));
  },
};
