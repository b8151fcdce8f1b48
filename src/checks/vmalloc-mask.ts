import { VMALLOC_SCOPE } from '../kernel/allocators.js';
import type { Rule } from './rule.js';

/** Allocators that end in __vmalloc_area_node() (mm/vmalloc.c, include/linux/vmalloc.h, mm/util.c). */
const VMALLOC = /^(?:__vmalloc\w*|kvm?z?alloc\w*|kvcalloc\w*|kvrealloc\w*)$/;

export const vmallocMask: Rule = {
  id: 'vmalloc-mask',
  level: 'warning',
  title: 'A mask that vmalloc does not honour',
  help: 'The vmalloc of this tree allocates its page tables with GFP_KERNEL whatever the mask says. Open a scope around the call.',
  find: ({ findings, report }) => {
    const inner = findings.index.functions.filter(
      ({ file, facts }) => file.file === VMALLOC_SCOPE.file && facts.name === VMALLOC_SCOPE.function,
    );
    const ignores =
      inner.length > 0 &&
      !inner.some(({ facts }) => facts.calls.some(([, op]) => op.fn === VMALLOC_SCOPE.call));
    if (!ignores) return [];
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
