import type { Index } from '../index/link.js';
import { VMALLOC_SCOPE } from '../kernel/allocators.js';

/**
 * Does the vmalloc of the tree ignore the mask for a part of what it allocates? Not if it opens a scope there, itself or in a function of its
 * own (6.19). Of a tree without its source that is not known.
 */
export function vmallocIgnoresMasks({ functions, callees }: Index): boolean {
  const own = functions.filter(({ file }) => file.file === VMALLOC_SCOPE.file);
  const inner = own.filter(({ facts }) => facts.name === VMALLOC_SCOPE.function);
  const opens = new Set(
    own.flatMap(({ id, facts }) => (facts.calls.some(([, op]) => op.fn === VMALLOC_SCOPE.call) ? [id] : [])),
  );
  const honours = inner.some(({ id }) => opens.has(id) || callees[id]!.some(({ to }) => opens.has(to)));
  return inner.length > 0 && !honours;
}
