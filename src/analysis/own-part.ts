import type { Edge, Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { CallOp } from '../parse/facts.js';
import { SHARED } from './regions.js';

/** A call in a function, by its node. */
export interface CallAt {
  readonly fn: Fn;
  readonly node: number;
}

/**
 * The shortest way by calls from a function to the first call that `isEnd` knows, that call included; undefined where there is none. Only edges that `follow` admits
 * are followed, in the function's own part of the kernel; where that serves everybody (the VFS, mm, the block layer), its own file.
 */
export function wayInOwnPart(
  index: Index,
  from: Fn,
  isEnd: (fn: Fn, op: CallOp) => boolean,
  follow: (edge: Edge) => boolean = () => true,
): readonly CallAt[] | undefined {
  const isShared = SHARED.test(from.group);
  const isOwn = (fn: Fn): boolean => (isShared ? fn.file === from.file : fn.group === from.group);
  const ways = new Map<number, readonly CallAt[]>([[from.id, []]]);
  for (const [id, way] of ways) {
    const fn = index.functions[id]!;
    for (const [node, op] of fn.facts.calls) if (isEnd(fn, op)) return [...way, { fn, node }];
    for (const edge of index.callees[id]!) {
      const called = index.functions[edge.to]!;
      // What is called at boot alone keeps nobody waiting later.
      if (edge.kind === 'name' || called.facts.isInit || ways.has(edge.to) || !isOwn(called)) continue;
      if (follow(edge)) ways.set(edge.to, [...way, { fn, node: edge.node }]);
    }
  }
  return undefined;
}
