import type { Index } from '../index/link.js';
import { VMALLOC_SCOPE } from '../kernel/allocators.js';

/** Does the vmalloc of the tree ignore the mask for a part of what it allocates? Of a tree without its source that is not known. */
export function vmallocIgnoresMasks(index: Index): boolean {
  const inner = index.functions.filter(
    ({ file, facts }) => file.file === VMALLOC_SCOPE.file && facts.name === VMALLOC_SCOPE.function,
  );
  const honours = inner.some(({ facts }) => facts.calls.some(([, op]) => op.fn === VMALLOC_SCOPE.call));
  return inner.length > 0 && !honours;
}
