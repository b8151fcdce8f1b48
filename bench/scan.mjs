// SPDX-License-Identifier: GPL-2.0-only
// Times the program on a kernel tree, and its peers beside it, each as a whole process:
//
//   node bench/scan.mjs TREE [--runs N] [--only TEXT]
//
// The rows `warm` run on a copy of the tree (hard links, below the system's directory for temporary files if that is on the same
// filesystem, else beside the tree) with a cache of their own, which is filled first; TREE itself is never written to.
//
// Prints a line each: seconds (minimum, median, maximum), the highest resident memory of the process and its children added
// up (sampled every 50 ms), and the command. Needs `npm run build`; a peer that is not installed is named and left out.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
const WARM = 'warm';
const warm = (copy, verb, ...paths) => [
  program,
  verb,
  '--tree',
  copy,
  ...paths.map((p) => path.join(copy, p)),
];
/** A row is a name, a command (or what gives one for the copy of the tree), and what is done before each run. */
const rows = [
  ['scan of fs', scan('fs')],
  ['scan of fs mm block drivers', scan('fs', 'mm', 'block', 'drivers')],
  ['scan of the whole tree', scan()],
  [`${WARM}, nothing changed`, (copy) => warm(copy, 'scan')],
  [`${WARM}, one file changed`, (copy) => warm(copy, 'scan'), (copy) => change(copy, 'fs/ext4/inode.c')],
  [
    `${WARM}, one driver changed`,
    (copy) => warm(copy, 'scan'),
    (copy) => change(copy, 'drivers/usb/core/hub.c'),
  ],
  [
    `${WARM}, code of one driver changed`,
    (copy) => warm(copy, 'scan'),
    (copy) => changeCode(copy, 'drivers/net/ethernet/realtek/r8169_main.c'),
  ],
  [`${WARM}, diff of fs/quota`, (copy) => warm(copy, 'diff', 'fs/quota')],
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

let changes = 0;

/** Puts another file in the place of one: the other names of it keep what they have. */
function append(copy, file, text) {
  const name = path.join(copy, file);
  writeFileSync(`${name}.new`, `${readFileSync(name, 'latin1')}${text}`, 'latin1');
  renameSync(`${name}.new`, name);
}

function change(copy, file) {
  append(copy, file, `\n/* change ${++changes} */\n`);
}

function changeCode(copy, file) {
  append(copy, file, `\nint changed_${++changes}(void *p)\n{\n\tkfree(p);\n\treturn 0;\n}\n`);
}

/** A directory beside the tree with a copy of it, in links, and the cache for that; removed at the end. */
function copyOfTree() {
  for (const parent of [tmpdir(), path.dirname(tree)]) {
    const top = mkdtempSync(path.join(parent, 'gfp-scope-bench-'));
    const made = spawnSync('cp', ['-al', tree, path.join(top, 'linux')], { stdio: 'ignore' });
    if (made.status === 0) return top;
    rmSync(top, { recursive: true, force: true });
  }
  const top = mkdtempSync(path.join(tmpdir(), 'gfp-scope-bench-'));
  cpSync(tree, path.join(top, 'linux'), { recursive: true, preserveTimestamps: true });
  return top;
}

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

function run([command, ...args], env = process.env) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(command, args, { cwd: '/', env, stdio: ['ignore', 'ignore', 'ignore'] });
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
const top = rows.some(([name]) => name.startsWith(WARM)) ? copyOfTree() : undefined;
if (top) process.on('exit', () => rmSync(top, { recursive: true, force: true }));
for (const [name, given, before] of rows) {
  const copy = top && path.join(top, 'linux');
  const isWarm = typeof given === 'function';
  const command = isWarm ? given(copy) : given;
  const env = isWarm ? { ...process.env, XDG_CACHE_HOME: path.join(top, 'cache') } : process.env;
  if (!existsSync(command[0]) && spawnSync('sh', ['-c', `command -v ${command[0]}`]).status !== 0) {
    console.log(`${name.padEnd(32)} left out: ${command[0]} is not installed`);
    continue;
  }
  const results = [];
  // What a warm run finds is what an earlier one left.
  if (isWarm) await run(command, env);
  for (let i = 0; i < runs; i++) {
    before?.(copy);
    results.push(await run(command, env));
  }
  const seconds = results.map((r) => r.seconds).sort((a, b) => a - b);
  const peak = Math.max(...results.map((r) => r.peak));
  const failed = results.find((r) => r.status !== 0);
  const figures = [seconds[0], seconds[seconds.length >> 1], seconds.at(-1)]
    .map((s) => s.toFixed(1))
    .join(' / ');
  const shown = command.map((word) =>
    word
      .replace(here, 'bench')
      .replaceAll(copy ?? '\0', 'COPY')
      .replace(tree, 'TREE')
      .replace(/^.*bin\/gfp-scope$/, 'gfp-scope')
      .replace(process.execPath, 'node')
      .replace(tree, 'TREE'),
  );
  console.log(
    `${name.padEnd(32)} ${figures} s  ${(peak / 1024).toFixed(0)} MiB  ${shown.join(' ')}${failed ? `  (exit code ${failed.status})` : ''}`,
  );
}
