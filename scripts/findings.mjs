// SPDX-License-Identifier: GPL-2.0-only
// Writes what the program finds in a whole kernel tree, as Markdown: needs `npm run build`.
//
//   node --max-old-space-size=12000 scripts/findings.mjs TREE [--check]
//
// Writes docs/findings-VERSION.md, or with --check says whether it is as committed. Judgements of the paths that are shown
// come from scripts/findings-notes.json, by version and site; if that has the version, a path without one, or one
// without a path, makes the status 1.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { analyze } from '../dist/src/analysis/analyze.js';
import { TRANSFORM_NAMES } from '../dist/src/analysis/api.js';
import { findingsDocument, heldPaths } from '../dist/src/output/findings-document.js';
import { openKernelTree } from '../dist/src/tree/kernel-tree.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const PATHS = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean', default: false } },
});
const [root] = positionals;
if (positionals.length !== 1 || root === undefined) {
  console.error('usage: node scripts/findings.mjs TREE [--check]');
  process.exit(2);
}
const tree = openKernelTree(root);
const version = tree.version.split('.').slice(0, 2).join('.');
const judged = JSON.parse(readFileSync(path.join(here, 'findings-notes.json'), 'utf8'))[version];
const notes = new Map(Object.entries(judged ?? {}));

const { report, plan } = await analyze({ tree, paths: [''], jobs: 2, transforms: TRANSFORM_NAMES });
const paths = heldPaths(report, PATHS);
const intro = `Generated from Linux ${tree.version} by \`node scripts/findings.mjs TREE\`; not edited by hand, but for the judgements of
paths, which come from \`scripts/findings-notes.json\`. [cli.md](cli.md) says what the verdicts mean.`;
const text = findingsDocument(report, plan, intro, paths, notes);

const file = `docs/findings-${version}.md`;
const target = path.join(here, '..', file);
const problems = [];
if (values.check) {
  if (readFileSync(target, 'utf8') !== text) problems.push(`${file} is not what this run would write`);
} else {
  writeFileSync(target, text);
}
if (judged !== undefined) {
  const shown = new Set(paths.map(({ site }) => site.id));
  for (const id of shown) if (!notes.has(id)) problems.push(`scripts/findings-notes.json: nothing on ${id}`);
  for (const id of notes.keys())
    if (!shown.has(id)) problems.push(`scripts/findings-notes.json: ${id} is not shown`);
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
