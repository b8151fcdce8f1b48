import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { ArgumentsCamelCase, Argv, Options } from 'yargs';
import { type AnalyzeOptions, BY_DEFAULT, TRANSFORM_NAMES, type TransformName } from '../analysis/api.js';
import { cacheFolder } from '../index/cache.js';
import { listFiles } from '../tree/files.js';
import { InputError } from '../tree/input-error.js';
import {
  findKernelTree,
  type KernelTree,
  kernelTreeAround,
  MODULE,
  openKernelTree,
  withModule,
} from '../tree/kernel-tree.js';
import type { Environment } from './environment.js';
import { readWaits } from './waits-file.js';

/** The arguments that a verb gets after its builder declared them. */
export type ArgumentsOf<B extends (parser: Argv) => unknown> =
  ReturnType<B> extends Argv<infer T> ? ArgumentsCamelCase<T> : never;

/** The options that every verb has that analyses. */
export interface CommonArguments {
  readonly tree?: string | undefined;
  readonly module?: string | undefined;
  readonly jobs: number;
  readonly noColor: boolean;
  readonly noCache: boolean;
  readonly placement: 'around' | 'inside';
  readonly minimal: boolean;
  readonly lockFree: boolean;
  readonly nolockdep: boolean;
  readonly hoist: boolean;
  readonly plumbing: boolean;
  readonly transform?: readonly TransformName[] | undefined;
  readonly noTransform?: readonly TransformName[] | undefined;
  readonly api: 'nofs' | 'noio' | 'both';
  readonly waits?: string | undefined;
}

const COMMON = {
  tree: {
    type: 'string',
    requiresArg: true,
    describe: 'Top of the kernel tree (default: the nearest parent that is one)',
  },
  module: {
    type: 'string',
    requiresArg: true,
    describe: 'Directory of an out-of-tree module: analyse that, against the kernel tree if there is one',
  },
  api: {
    choices: ['nofs', 'noio', 'both'] as const,
    default: 'both' as const,
    requiresArg: true,
    describe: 'Which masks to look at: GFP_NOFS, GFP_NOIO or both',
  },
  placement: {
    choices: ['around', 'inside'] as const,
    default: 'around' as const,
    requiresArg: true,
    describe: 'Open a scope before its lock is taken, or just after',
  },
  minimal: {
    type: 'boolean',
    default: false,
    describe: 'Scopes only where sites need them, not at every region of a lock',
  },
  'lock-free': {
    type: 'boolean',
    default: false,
    describe: 'Downgrade the sites on whose paths no reclaim lock is held, too',
  },
  nolockdep: {
    type: 'boolean',
    default: false,
    describe: 'With --lock-free: GFP_KERNEL | __GFP_NOLOCKDEP where lockdep would report what is no deadlock',
  },
  hoist: {
    type: 'boolean',
    default: false,
    describe: 'Move scopes that are wrapped around a single call out to where the lock is taken, too',
  },
  plumbing: {
    type: 'boolean',
    default: false,
    describe: 'Remove gfp_t parameters that are GFP_KERNEL in every call then, too',
  },
  transform: {
    choices: TRANSFORM_NAMES,
    array: true,
    nargs: 1,
    describe: 'Only this kind of rewrite; may be given again for more',
  },
  'no-transform': {
    choices: TRANSFORM_NAMES,
    array: true,
    nargs: 1,
    describe: 'Not this kind of rewrite; may be given again for more',
  },
  waits: {
    type: 'string',
    requiresArg: true,
    describe: 'File that says who holds up what reclaim waits for, where the analysis cannot tell',
  },
  jobs: {
    type: 'number',
    alias: 'j',
    requiresArg: true,
    default: availableParallelism(),
    defaultDescription: 'one for each processor',
    describe: 'How many threads may work at the same time',
  },
  'no-cache': {
    type: 'boolean',
    default: false,
    describe: 'Read everything anew, and keep nothing for the next run',
  },
  'no-color': {
    type: 'boolean',
    default: false,
    describe: 'No colours, on a terminal either (as NO_COLOR)',
  },
} satisfies Record<string, Options>;

export const EXIT_CODE = (what: string) =>
  ({ type: 'boolean', default: false, describe: `Exit with 1 if there are ${what}` }) satisfies Options;

export const FORMAT = {
  choices: ['text', 'json'] as const,
  default: 'text' as const,
  requiresArg: true,
  describe: 'For a reader, or as one JSON document',
} satisfies Options;

export const OBSOLETE = {
  type: 'boolean',
  default: false,
  describe: 'Change code that MAINTAINERS calls obsolete, too',
} satisfies Options;

/** Adds the options that every verb has. */
export function withCommon<T>(parser: Argv<T>) {
  // Not global: the other verbs have no such option.
  return parser.options(COMMON).check(({ jobs }) => {
    // For the top-level help the check runs without any value.
    if (jobs !== undefined && !(Number.isInteger(jobs) && jobs >= 1))
      throw new Error('--jobs must be a whole number, at least 1');
    return true;
  }, false);
}

/** Adds `[paths..]` and the options that every verb has. */
export function withPaths<T>(parser: Argv<T>) {
  return withCommon(parser).positional('paths', {
    type: 'string',
    array: true,
    default: [] as string[],
    defaultDescription: 'the whole tree',
    describe: 'Files or directories of the tree (or module), from here or from its top',
  });
}

/** The tree that the options name, or that the current directory is in, with the module if there is one. */
export function treeOf(args: CommonArguments, environment: Environment): KernelTree {
  const { cwd } = environment;
  if (args.tree === '') throw new InputError('--tree: empty path');
  if (args.module === '') throw new InputError('--module: empty path');
  const named = args.tree === undefined ? undefined : openKernelTree(path.resolve(cwd, args.tree));
  if (args.module === undefined) return named ?? findKernelTree(cwd);
  const tree = withModule(named ?? kernelTreeAround(cwd), path.resolve(cwd, args.module));
  if (listFiles(tree, [MODULE]).files.some((file) => file.endsWith('.c'))) return tree;
  throw new InputError(`--module ${args.module}: no .c file in it`);
}

/** What the analysis is told by the options. */
export function analyzeOptions(
  args: CommonArguments,
  tree: KernelTree,
  paths: readonly string[],
  environment: Environment,
): AnalyzeOptions {
  const { jobs, placement, minimal, api, noCache, nolockdep } = args;
  const cache = noCache ? false : cacheFolder(environment.env);
  const waits = args.waits === undefined ? [] : readWaits(args.waits, environment.cwd);
  return {
    tree,
    paths,
    jobs,
    placement,
    minimal,
    transforms: transformsOf(args),
    nolockdep,
    api,
    waits,
    cache,
  };
}

function transformsOf({
  transform = BY_DEFAULT,
  noTransform = [],
  lockFree,
  hoist,
  plumbing,
}: CommonArguments): TransformName[] {
  const wanted = new Set<TransformName>(transform);
  if (lockFree) wanted.add('lock-free');
  if (hoist) wanted.add('hoist');
  if (plumbing) wanted.add('plumbing');
  return TRANSFORM_NAMES.filter((name) => wanted.has(name) && !noTransform.includes(name));
}
