import { covered } from './covered.js';
import { hoist } from './hoist.js';
import { lockFree } from './lock-free.js';
import { lockScope } from './lock-scope.js';
import { masks } from './masks.js';
import { plumbing } from './plumbing.js';
import { taskScope } from './task-scope.js';
import { transactionScope } from './transaction-scope.js';
import type { Transform } from './transform.js';
import { vmallocScope } from './vmalloc-scope.js';

/** Every transform, in the order in which their edits are made. */
export const TRANSFORMS: readonly Transform[] = [
  lockScope,
  transactionScope,
  taskScope,
  covered,
  masks,
  lockFree,
  vmallocScope,
  hoist,
  plumbing,
];
