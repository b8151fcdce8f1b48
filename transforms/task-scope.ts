import { chosenScopes, downgradesOf } from './scopes.js';
import type { Transform } from './transform.js';

/**
 * Opens a scope around the body of a worker or kthread that memory reclaim depends on, and drops the masks of what it calls.
 *
 * Applies to sites whose every path is in a scope then (`task`). Reclaim depends on the task where it waits for it (flushes
 * it, or sleeps on what it wakes), where a task that holds a reclaim lock flushes it, or where it is queued on a workqueue with
 * `WQ_MEM_RECLAIM`. Refuses bodies in which no placement balances, and workers of code that all filesystems share.
 */
export const taskScope: Transform = {
  name: 'task-scope',
  summary: 'open a scope around a worker or kthread that reclaim depends on, and drop the masks below it',
  plan: (findings, report) => ({
    scopes: chosenScopes(findings, report, (r) => r.task !== undefined),
    downgrades: downgradesOf(report, 'task', 'task-scope'),
  }),
};
