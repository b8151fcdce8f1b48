import { at, type Rule } from './rule.js';

/** Masks that say all, from the weakest: ORed together the stronger one wins (include/linux/gfp_types.h, 6.12). */
const COMPLETE = [
  'GFP_NOWAIT',
  'GFP_ATOMIC',
  'GFP_NOIO',
  'GFP_NOFS',
  'GFP_KERNEL',
  'GFP_KERNEL_ACCOUNT',
  'GFP_USER',
  'GFP_HIGHUSER',
  'GFP_HIGHUSER_MOVABLE',
];

/** A mask, and a bit that it is there to leave out. */
const LEAVES_OUT: Readonly<Record<string, readonly string[]>> = {
  GFP_NOFS: ['__GFP_FS'],
  GFP_NOIO: ['__GFP_IO', '__GFP_FS'],
  GFP_NOWAIT: ['__GFP_DIRECT_RECLAIM'],
  GFP_ATOMIC: ['__GFP_DIRECT_RECLAIM'],
};

/** Why the constants contradict each other, or ''. */
export function contradiction(constants: readonly string[]): string {
  const complete = COMPLETE.filter((name) => constants.includes(name));
  if (complete.length > 1) return `${complete[0]} has no effect beside ${complete.at(-1)}`;
  for (const name of complete) {
    const bit = LEAVES_OUT[name]?.find((b) => constants.includes(b));
    if (bit !== undefined) return `${bit} is what ${name} leaves out`;
  }
  return '';
}

export const contradictoryMask: Rule = {
  id: 'contradictory-mask',
  level: 'warning',
  title: 'Masks that contradict each other',
  help: 'Masks that are ORed together allow all that one of them allows. Write the one that is meant.',
  find: ({ functions }) =>
    functions.flatMap((fn) =>
      fn.facts.calls.flatMap(([node, op]) =>
        op.args.flatMap((arg) => {
          const why = /^~v:\w+(?:\|\w+)+$/.test(arg) ? contradiction(arg.slice('~v:'.length).split('|')) : '';
          return why === ''
            ? []
            : [
                at(
                  fn,
                  node,
                  `${op.fn === '' ? 'a call' : `${op.fn}()`} gets ${arg.slice(3).replaceAll('|', ' | ')}: ${why}`,
                ),
              ];
        }),
      ),
    ),
};
