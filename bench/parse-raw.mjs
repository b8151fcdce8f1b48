// SPDX-License-Identifier: GPL-2.0-only
// Parses the C files below some directories of a tree with tree-sitter, one after the other, and does nothing else:
//   node bench/parse-raw.mjs TREE DIR...

import Parser from 'tree-sitter';
import C from 'tree-sitter-c';
import { listFiles, readSource } from '../dist/src/tree/files.js';

const [root, ...dirs] = process.argv.slice(2);
const tree = { root, version: '' };
const parser = new Parser();
parser.setLanguage(C);
let bytes = 0;
for (const file of listFiles(tree, dirs).files) {
  const source = readSource(tree, file);
  if (!('text' in source)) continue;
  parser.parse(source.text, undefined, { bufferSize: source.text.length * 2 + 64 });
  bytes += source.text.length;
}
console.log(`${(bytes / 1e6).toFixed(1)} MB`);
