// SPDX-License-Identifier: GPL-2.0-only
// Compares what the program says of Linux 6.1 with what upstream then did by hand, up to 6.12: needs `npm run build`.
//
//   node scripts/compare-upstream.mjs TREE-6.1 TREE-6.12 [--check] [--scan FILE]
//
// Writes docs/upstream-comparison.md, or with --check says whether it is as committed. --scan takes a document that
// `gfp-scope scan --format json fs/quota fs/xfs` printed before. The table of what upstream did is test/kernel/upstream.json;
// it is held against the two trees first. A miss needs an explanation in scripts/upstream-notes.json; the status is 1 if
// one is missing or no longer needed, if the table is wrong, or if the committed document is another.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { extractFacts } from '../dist/src/parse/extract.js';
import { listFiles, readSource } from '../dist/src/tree/files.js';
import { openKernelTree } from '../dist/src/tree/kernel-tree.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const inProject = (...names) => path.join(here, '..', ...names);
const DOCUMENT = inProject('docs/upstream-comparison.md');

const NOTES = 'scripts/upstream-notes.json';

const isAccepted = ({ verdict, kept }) =>
  /^(?:covered|scopable|lock-free)$/.test(verdict) || (verdict === 'task' && kept === '');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean', default: false }, scan: { type: 'string' } },
});
if (positionals.length !== 2) {
  console.error('usage: node scripts/compare-upstream.mjs TREE-6.1 TREE-6.12 [--check] [--scan FILE]');
  process.exit(2);
}
const [before, after] = positionals.map((root) => openKernelTree(root));
const { conversions } = JSON.parse(readFileSync(inProject('test/kernel/upstream.json'), 'utf8'));
const { causes, misses } = JSON.parse(readFileSync(path.join(here, 'upstream-notes.json'), 'utf8'));
const folders = [...new Set(conversions.map(({ file }) => file.split('/').slice(0, 2).join('/')))].sort();
const problems = [];

/**
 * Functions of these folders, `file name` → what they hold: uses of a NOFS mask, words GFP_KERNEL and __GFP_NOLOCKDEP,
 * scopes. What stands for a mask in the tree (KM_NOFS) counts as one.
 */
function countUses(tree) {
  const texts = new Map();
  for (const file of listFiles(tree, folders).files) {
    const read = readSource(tree, file);
    if ('text' in read) texts.set(file, read.text);
  }
  const flags = new Set();
  for (const [file, text] of texts)
    for (const { flag } of extractFacts(file, text, 'fast').maskFlags) flags.add(flag);
  const functions = new Map();
  for (const [file, text] of texts) {
    const facts = extractFacts(file, text, 'fast', flags);
    const code = text.replace(/\/\*.*?\*\/|\/\/[^\n]*/gs, (comment) => ' '.repeat(comment.length));
    for (const fn of facts.functions) {
      if (fn.isMacro) continue;
      const body = code.slice(fn.start, fn.end);
      functions.set(`${file} ${fn.name}`, {
        masks: fn.sites.filter((site) => /^(?:GFP_|KM_)NOFS$/.test(site.flag)).length,
        plain: body.match(/\bGFP_KERNEL\b/g)?.length ?? 0,
        noLockdep: body.match(/\b__GFP_NOLOCKDEP\b/g)?.length ?? 0,
        saves: fn.calls.filter(([, op]) => op.fn === 'memalloc_nofs_save').length,
      });
    }
  }
  return functions;
}

const was = countUses(before);
const is = countUses(after);

/** What the two trees say, in the shape of the table: `file name` → count. */
const seen = { downgraded: new Map(), scoped: new Set() };
for (const [key, now] of is) {
  const then = was.get(key);
  if (then === undefined) continue;
  const count = Math.min(then.masks - now.masks, now.plain - then.plain);
  if (count > 0) seen.downgraded.set(key, count);
  if (now.saves > then.saves) seen.scoped.add(key);
}
const told = { downgraded: new Map(), scoped: new Set() };
for (const { file, scoped, downgraded } of conversions) {
  for (const [name, count] of Object.entries(downgraded)) told.downgraded.set(`${file} ${name}`, count);
  for (const name of scoped) told.scoped.add(`${file} ${name}`);
}
for (const key of new Set([...told.downgraded.keys(), ...seen.downgraded.keys()])) {
  const [there, here] = [told.downgraded.get(key) ?? 0, seen.downgraded.get(key) ?? 0];
  if (there !== here)
    problems.push(`test/kernel/upstream.json: ${key}: ${there} downgraded, the trees say ${here}`);
}
for (const key of new Set([...told.scoped, ...seen.scoped])) {
  if (told.scoped.has(key) !== seen.scoped.has(key))
    problems.push(
      `test/kernel/upstream.json: ${key}: ${told.scoped.has(key) ? 'not ' : ''}scoped in the trees`,
    );
}

function scan() {
  if (values.scan !== undefined) return JSON.parse(readFileSync(values.scan, 'utf8'));
  const args = ['scan', '--tree', before.root, '--format', 'json', ...folders];
  const { status, stdout, stderr } = spawnSync(inProject('bin/gfp-scope'), args, {
    cwd: '/',
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`scan: ${stderr}`);
  return JSON.parse(stdout);
}

const document = scan();
const rows = [...told.downgraded].map(([key, count]) => {
  const [file, name] = key.split(' ');
  const sites = document.sites.filter(
    (s) => s.file === file && s.function === name && /^(?:GFP_|KM_)NOFS$/.test(s.flag),
  );
  // Where upstream changed only some uses of a function, the best of them count.
  const best = [...sites].sort((a, b) => isAccepted(b) - isAccepted(a)).slice(0, count);
  if (best.length < count) problems.push(`scan: ${key}: ${sites.length} sites, upstream changed ${count}`);
  return { key, file, name, count, sites: best, noLockdep: is.get(key)?.noLockdep > 0 };
});
const scopes = [...told.scoped].map((key) => {
  const [file, name] = key.split(' ');
  const own = document.scopes.filter((s) => s.file === file && s.function === name && s.state === 'proposed');
  return { key, file, name, locks: [...new Set(own.map((s) => s.lock))] };
});

/** `file name` → what is wrong there, a line each; the same reason is said once, with all its lines. */
const missed = new Map();
for (const { key, locks } of scopes) if (locks.length === 0) missed.set(key, ['no scope is proposed']);
for (const { key, sites } of rows) {
  const lines = new Map();
  for (const site of sites) {
    if (isAccepted(site)) continue;
    const why = `${site.verdict}: ${site.reason}`;
    lines.set(why, [...(lines.get(why) ?? []), site.line]);
  }
  for (const [why, at] of lines)
    missed.set(key, [...(missed.get(key) ?? []), `line ${at.join(', ')}, ${why}`]);
}
for (const key of missed.keys())
  if (causes[misses[key]] === undefined) problems.push(`${NOTES}: no explanation for ${key}`);
for (const key of Object.keys(misses))
  if (!missed.has(key)) problems.push(`${NOTES}: ${key} is no miss any more`);

/** Misses by cause, in the order of the notes, those without one last. */
const byCause = [...Object.keys(causes), undefined]
  .map((cause) => ({
    cause,
    keys: [...missed.keys()].filter((key) => (causes[misses[key]] ? misses[key] : undefined) === cause),
  }))
  .filter(({ keys }) => keys.length > 0);

function missText({ cause, keys }) {
  const items = keys.map((key) => {
    const [file, name] = key.split(' ');
    return `- ${name}() ${file}: ${missed.get(key).join('; ')}`;
  });
  return `### ${cause ?? 'Not explained'}\n\n${cause ? `${causes[cause]}\n\n` : ''}${items.join('\n')}`;
}

const percent = (part, all) => (all === 0 ? '' : ` (${((100 * part) / all).toFixed(0)}%)`);
const totalRow = (name, within) => {
  const s = scopes.filter(({ file }) => within(file));
  const sites = rows.filter(({ file }) => within(file)).flatMap((row) => row.sites);
  const proposed = s.filter(({ locks }) => locks.length > 0).length;
  const accepted = sites.filter((site) => isAccepted(site)).length;
  return `| ${name} | ${s.length} | ${proposed}${percent(proposed, s.length)} | ${sites.length} | ${accepted}${percent(accepted, sites.length)} |`;
};
const verdictCell = (site) => `${isAccepted(site) ? '' : '**'}${site.verdict}${isAccepted(site) ? '' : '**'}`;

const text = `# What upstream did by hand, and what the program says

Generated by \`node scripts/compare-upstream.mjs TREE-${short(before)} TREE-${short(after)}\`; not edited by hand.

Between Linux ${short(before)} and ${short(after)} upstream moved ${folders.map((f) => `\`${f}\``).join(' and ')} from flags to scopes by hand. This holds every
function that both kernels have and that gained a scope, or in which uses of \`GFP_NOFS\` or \`KM_NOFS\` became \`GFP_KERNEL\`, against what
\`gfp-scope scan\` says of ${before.version}. The list is \`test/kernel/upstream.json\`; it agrees with what the script counts in both trees
(${after.version} the other). A site is accepted if its verdict is \`covered\`, \`scopable\`, \`task\` with a scope, or \`lock-free\`: the program, too, says that the flag can go.

| | functions given a scope | of these proposed | uses downgraded | of these accepted |
|---|---:|---:|---:|---:|
${[...folders.map((f) => totalRow(f, (file) => file.startsWith(`${f}/`))), totalRow('total', () => true)].join('\n')}

## Scopes

| function | proposed around |
|---|---|
${scopes.map((s) => `| ${s.name}() ${s.file} | ${s.locks.map((l) => `\`${l}\``).join(', ') || '**none**'} |`).join('\n')}

## Uses

A verdict in bold is a miss. \`__GFP_NOLOCKDEP\` means that upstream's mask has it: the allocation may also run outside of any
scope, where reclaim is safe and lockdep can't know it.

| function | line | flag | verdict | upstream's mask now |
|---|---:|---|---|---|
${rows
  .flatMap((row) =>
    row.sites.map(
      (site) =>
        `| ${row.name}() ${row.file} | ${site.line} | \`${site.flag}\` | ${verdictCell(site)} | ${row.noLockdep ? '`GFP_KERNEL`, `__GFP_NOLOCKDEP`' : '`GFP_KERNEL`'} |`,
    ),
  )
  .join('\n')}

## Misses

${byCause.length === 0 ? 'None.' : byCause.map(missText).join('\n\n')}
`;

function short(tree) {
  return tree.version.split('.').slice(0, 2).join('.');
}

if (values.check) {
  if (readFileSync(DOCUMENT, 'utf8') !== text)
    problems.push('docs/upstream-comparison.md is not what this run would write');
} else {
  writeFileSync(DOCUMENT, text);
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
