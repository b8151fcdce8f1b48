// SPDX-License-Identifier: GPL-2.0-only
// Times the program on a kernel tree, and its peers beside it, each as a whole process:
//
//   node bench/scan.mjs TREE [--runs N] [--only TEXT]
//
// Prints a line each: seconds (minimum, median, maximum), the highest resident memory of the process and its children added
// up (sampled every 50 ms), and the command. Needs `npm run build`; a peer that is not installed is named and left out.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '1' }, only: { type: 'string', default: '' } },
});
const [root] = positionals;
const runs = Number(values.runs);
if (root === undefined || !Number.isInteger(runs) || runs < 1) {
  console.error('usage: node bench/scan.mjs TREE [--runs N] [--only TEXT]');
  process.exit(2);
}
const tree = path.resolve(root);
const program = path.join(here, '..', 'bin', 'gfp-scope');

const scan = (...paths) => [
  program,
  'scan',
  '--no-cache',
  '--tree',
  tree,
  ...paths.map((p) => path.join(tree, p)),
];
const rows = [
  ['scan of the whole tree', scan()],
  ['scan of fs', scan('fs')],
  ['scan of fs mm block drivers', scan('fs', 'mm', 'block', 'drivers')],
  ['diff of fs/quota', [program, 'diff', '--no-cache', '--tree', tree, path.join(tree, 'fs/quota')]],
  [
    'Coccinelle, fs',
    [
      'spatch',
      '--very-quiet',
      '--jobs',
      '2',
      '--sp-file',
      path.join(here, 'closest.cocci'),
      '--dir',
      path.join(tree, 'fs'),
    ],
  ],
  [
    'tree-sitter alone, fs mm block',
    [process.execPath, path.join(here, 'parse-raw.mjs'), tree, 'fs', 'mm', 'block'],
  ],
  ['grep, the whole tree', ['grep', '-rwE', '--include=*.[ch]', 'GFP_NOFS|GFP_NOIO', tree]],
].filter(([name]) => name.includes(values.only));

/** Resident kilobytes of a process and all that it started. */
function resident(pid) {
  try {
    const own = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return children.split(' ').reduce((sum, child) => sum + (child === '' ? 0 : resident(child)), own);
  } catch {
    return 0;
  }
}

function run([command, ...args]) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(command, args, { cwd: '/', stdio: ['ignore', 'ignore', 'ignore'] });
    let peak = 0;
    const sampler = setInterval(() => {
      peak = Math.max(peak, resident(child.pid));
    }, 50);
    child.on('error', reject);
    child.on('close', (status) => {
      clearInterval(sampler);
      resolve({ seconds: (performance.now() - start) / 1000, peak, status });
    });
  });
}

console.log(`node ${process.version}, ${tree}; seconds as minimum / median / maximum of ${runs}`);
for (const [name, command] of rows) {
  if (!existsSync(command[0]) && spawnSync('sh', ['-c', `command -v ${command[0]}`]).status !== 0) {
    console.log(`${name.padEnd(32)} left out: ${command[0]} is not installed`);
    continue;
  }
  const results = [];
  for (let i = 0; i < runs; i++) results.push(await run(command));
  const seconds = results.map((r) => r.seconds).sort((a, b) => a - b);
  const peak = Math.max(...results.map((r) => r.peak));
  const failed = results.find((r) => r.status !== 0);
  const figures = [seconds[0], seconds[seconds.length >> 1], seconds.at(-1)]
    .map((s) => s.toFixed(1))
    .join(' / ');
  const shown = command.map((word) =>
    word
      .replace(here, 'bench')
      .replace(tree, 'TREE')
      .replace(/^.*bin\/gfp-scope$/, 'gfp-scope')
      .replace(process.execPath, 'node')
      .replace(tree, 'TREE'),
  );
  console.log(
    `${name.padEnd(32)} ${figures} s  ${(peak / 1024).toFixed(0)} MiB  ${shown.join(' ')}${failed ? `  (exit code ${failed.status})` : ''}`,
  );
}
