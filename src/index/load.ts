import { existsSync } from 'node:fs';
import path from 'node:path';
import { Tinypool } from 'tinypool';
import type { Progress } from '../analysis/api.js';
import type { Skipped } from '../analysis/report.js';
import type { FileFacts } from '../parse/facts.js';
import { listFiles, readSource } from '../tree/files.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import parseFiles, { type ParseResult } from './parse-worker.js';

/**
 * Where the code stands that every filesystem and block driver runs through. Callers elsewhere are found by name
 * (`filesNaming`) once it is known whose callers matter.
 */
const CORE = [
  'fs',
  'mm',
  'block',
  'include',
  'kernel',
  'lib',
  'ipc',
  'init',
  'security',
  'net/ceph',
  'net/core',
  'net/sunrpc',
  'drivers/md',
  'drivers/block',
  'drivers/base',
];

/** Files of which no caller of kernel code can be: tools, and code for documentation. */
const ELSEWHERE = /^(?:tools|scripts|Documentation|samples|usr)\//;

const BATCH_FILES = 60;

/** The files that an analysis of `paths` starts from. */
export function coreFiles(
  tree: KernelTree,
  paths: readonly string[],
): { files: string[]; skipped: Skipped[] } {
  const core = CORE.filter((dir) => existsSync(path.join(tree.root, dir)));
  const asked = listFiles(tree, paths);
  const rest = listFiles(tree, core);
  return { files: [...new Set([...asked.files, ...rest.files])], skipped: [...asked.skipped] };
}

/** All other C files of the tree. */
export function otherFiles(tree: KernelTree, known: ReadonlySet<string>): string[] {
  return listFiles(tree, ['']).files.filter((file) => !known.has(file) && !ELSEWHERE.test(file));
}

/** Those of `files` that name one of `names` as a word. */
export function filesNaming(
  tree: KernelTree,
  files: readonly string[],
  names: ReadonlySet<string>,
): string[] {
  if (names.size === 0) return [];
  const any = new RegExp(`\\b(?:${[...names].join('|')})\\b`);
  return files.filter((file) => {
    const source = readSource(tree, file);
    return 'text' in source && any.test(source.text);
  });
}

/** Parses files in `jobs` threads; results are in the order of `files` whatever the threads do. */
export async function parseAll(
  tree: KernelTree,
  files: readonly string[],
  jobs: number,
  onProgress?: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<ParseResult> {
  const batches: string[][] = [];
  for (let i = 0; i < files.length; i += BATCH_FILES) batches.push(files.slice(i, i + BATCH_FILES));
  let done = 0;
  const report = (batch: readonly string[]): void => {
    done += batch.length;
    onProgress?.({ phase: 'parsing', done, total: files.length });
  };
  const results: ParseResult[] = [];
  if (jobs <= 1 || batches.length <= 1) {
    for (const batch of batches) {
      signal?.throwIfAborted();
      results.push(parseFiles({ root: tree.root, files: batch }));
      report(batch);
      // Lets a signal be seen between batches.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } else {
    const pool = new Tinypool({
      filename: new URL('./parse-worker.js', import.meta.url).href,
      runtime: 'worker_threads',
      minThreads: jobs,
      maxThreads: jobs,
    });
    try {
      const pending = batches.map(async (batch, i) => {
        results[i] = await pool.run({ root: tree.root, files: batch }, signal ? { signal } : {});
        report(batch);
      });
      await Promise.all(pending);
    } finally {
      await pool.destroy();
    }
  }
  const facts: FileFacts[] = [];
  const skipped: Skipped[] = [];
  for (const result of results) {
    facts.push(...result.facts);
    skipped.push(...result.skipped);
  }
  return { facts, skipped };
}
