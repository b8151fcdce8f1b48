import { Cover } from '../analysis/coverage.js';
import type { ReclaimChain } from '../analysis/reclaim.js';
import type { Fn } from '../index/names.js';
import { gfpArgument, maskByDefault } from '../kernel/allocators.js';
import { at, type Rule } from './rule.js';

/** Masks that let direct reclaim enter filesystems (include/linux/gfp_types.h, 6.12). */
const ENTERS_FS =
  /^(?:~v:)?(?:v:)?(?:\w+\|)*GFP_(?:KERNEL|KERNEL_ACCOUNT|USER|HIGHUSER|HIGHUSER_MOVABLE)(?:\|\w+)*$/;

/**
 * With these a filesystem uses files of another one (fs/read_write.c, fs/open.c, 6.12): what comes behind them is that one's, and
 * comes back to the first only in an analysis that can't tell them apart.
 */
const STACKING = /^(?:kernel_(?:write|read)|vfs_\w+|dentry_open|filp_open)$/;

/** lockdep has a class of these for each kind of filesystem (`struct file_system_type`), and some filesystems for each kind of inode. */
const OF_EVERY_INODE = /^(?:inode|super_block|sb_writers|address_space)\./;

/** A chain that a reader would take for evidence: common, through the code's own filesystem, to a lock that it may share with another task. */
function isEvidence(chain: ReclaimChain | undefined, fn: Fn): chain is ReclaimChain {
  return (
    chain !== undefined &&
    chain.group === fn.group &&
    chain.believable &&
    !chain.going &&
    !chain.entry.rare &&
    !OF_EVERY_INODE.test(chain.lock) &&
    !chain.steps.some((step) => STACKING.test(step.function))
  );
}

export const reclaimUnderLock: Rule = {
  id: 'reclaim-under-lock',
  level: 'warning',
  title: 'An allocation that may enter reclaim under a lock that reclaim takes',
  help: 'Direct reclaim may block on the lock that the task itself holds: a deadlock. Open a scope where the lock is taken. The chain is shown from the reclaim entry.',
  find: ({ findings, functions }) => {
    const { locks, nofs, callers } = findings;
    const likely = functions.flatMap((fn) =>
      fn.facts.calls.flatMap(([node, op]) => {
        const mask = op.args[gfpArgument(op.fn, op.args.length) ?? -1] ?? maskByDefault(op.fn) ?? '';
        if (!ENTERS_FS.test(mask) || mask.includes('__GFP_NOLOCKDEP')) return [];
        return locks
          .classes(fn)
          .filter((lock) => locks.mustHold(fn, lock, node))
          .flatMap((lock) => {
            const chain = nofs.chains.chainFor(lock, fn.group);
            return isEvidence(chain, fn) ? [{ fn, node, op, lock, chain }] : [];
          });
      }),
    );
    callers.extend(likely.map(({ fn }) => fn.id));
    const cover = new Cover(callers, locks, nofs.existing);
    return likely
      .filter(({ fn, node }) => !nofs.existing(fn, node) && !cover.covered(fn.id))
      .map(({ fn, node, op, lock, chain }) =>
        at(
          fn,
          node,
          `${op.fn}() may enter reclaim, which takes ${lock} while ${chain.entry.context}`,
          chain.steps,
        ),
      );
  },
};
