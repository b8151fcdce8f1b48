#!/usr/bin/env node
/**
 * How much of a kernel tree parses: counts the functions that a scan by braces finds in the source, and
 * how many of them come out of tree-sitter whole, raw and mended.
 *
 *   npx tsc -p tsconfig.json && node bench/parse-coverage.mjs TREE [DIR...] [--list] [--raw]
 *
 * --list names the functions that fail with the first error position; --raw also parses the files as
 * they come.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import Parser from 'tree-sitter';
import C from 'tree-sitter-c';

export const DEFAULT_DIRS = ['fs', 'mm', 'block', 'drivers/md', 'drivers/block', 'net/ceph'];

const SITE = /\bGFP_NO(?:FS|IO)\b/g;
const LEXEME =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/(?:\\\r?\n|[^\n])*|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?/g;
/** Words that are followed by parentheses in a function's head and are not its name. */
const ATTRIBUTE =
  /^(?:__attribute__|__attribute|__(?:printf|scanf|acquires?|releases?|must_hold\w*|cond_\w+|aligned|section|alloc_size|counted_by|assume_aligned|nonnull|malloc|realloc_size|diagnose_as|access|no_sanitize|no_kcsan\w*|target\w*))$/;

/**
 * The functions of a file, found without a grammar: at depth 0, a `{` after something with a parameter
 * list. Depth starts again from the `#if` at each `#else`; where arms differ in
 * depth, a `}` in column 0 ends whatever is open.
 */
export function scanFunctions(source) {
  // Comments, literals and directives out of the way, offsets kept.
  let text = source.replace(LEXEME, (m) =>
    m[0] === '"' ? `"${m.slice(1, -1).replace(/[^\n]/g, '.')}"`.slice(0, m.length) : m.replace(/[^\n]/g, ' '),
  );
  const saved = [];
  const marks = new Map();
  text = text.replace(/^[ \t]*#(?:\\\r?\n|[^\n])*/gm, (m, at) => {
    marks.set(at, /#\s*(\w*)/.exec(m)[1]);
    return m.replace(/[^\n]/g, ' ');
  });
  const out = [];
  let depth = 0;
  let parens = 0;
  let head = 0;
  let open = -1;
  let openHead = 0;
  let uneven = false;
  const linkage = [];
  for (let i = 0; i < text.length; i++) {
    if (marks.has(i)) {
      const word = marks.get(i);
      if (/^if/.test(word)) saved.push([depth, parens, head]);
      else if (/^el/.test(word) && saved.length > 0) {
        uneven ||= depth !== saved[saved.length - 1][0];
        [depth, parens] = saved[saved.length - 1];
        if (depth === 0) head = parens === 0 ? i : head;
      } else if (word === 'endif') uneven ||= depth !== saved.pop()?.[0];
      if (depth === 0 && parens === 0 && /^(define|include|undef|pragma|error|warning)/.test(word)) head = i;
    }
    switch (text.charCodeAt(i)) {
      case 40:
        if (depth === 0) parens++;
        break;
      case 41:
        if (depth === 0 && parens > 0) parens--;
        break;
      case 59:
        if (depth === 0 && parens === 0) head = i + 1;
        break;
      case 123:
        if (depth === 0 && parens === 0) {
          if (/\bextern\s*"\.*"\s*$/.test(text.slice(head, i))) {
            linkage.push(i);
            head = i + 1;
            break;
          }
          open = i;
          openHead = head;
        }
        if (parens === 0) depth++;
        break;
      case 125:
        if (parens > 0 && depth === 0) break;
        if (depth === 0) {
          if (linkage.length > 0) linkage.pop();
          head = i + 1;
          break;
        }
        depth--;
        if (uneven && text[i - 1] === '\n') depth = 0;
        if (depth === 0) {
          uneven = false;
          const found = functionAt(text, openHead, open);
          if (found !== undefined) out.push({ ...found, start: open, end: i + 1 });
          // A struct or an initializer goes on to its `;`.
          if (found !== undefined) head = i + 1;
        }
        break;
    }
  }
  const sites = [...text.matchAll(SITE)].map((m) => m.index);
  return { functions: out, sites };
}

/** Name of the function whose head stands from `from` up to the brace at `brace`, or undefined. */
function functionAt(text, from, brace) {
  // Macro calls without a semicolon stand before it: NAME(…), then a word at the start of a line.
  for (;;) {
    const call = /^\s*[A-Za-z_]\w*\s*\(/.exec(text.slice(from, brace));
    if (call === null) break;
    let at = from + call[0].length;
    for (let depth = 1; depth > 0 && at < brace; at++)
      depth += text[at] === '(' ? 1 : text[at] === ')' ? -1 : 0;
    if (
      !/^[^\S\n]*\n\s*[A-Za-z_]/.test(text.slice(at, brace)) ||
      ATTRIBUTE.test(/\w+/.exec(text.slice(at, brace))[0])
    )
      break;
    from = at;
  }
  const head = text.slice(from, brace);
  if (!/[)\w]\s*$/.test(head) || !head.includes('(')) return undefined;
  let depth = 0;
  const named = [];
  let assigned = false;
  for (const m of head.matchAll(/[()=]|[A-Za-z_]\w*(?=\s*\()/g)) {
    if (m[0] === '(') depth++;
    else if (m[0] === ')') depth--;
    else if (m[0] === '=') assigned ||= depth === 0;
    else if (depth === 0) named.push([m[0], from + m.index]);
  }
  if (assigned) return undefined;
  if (
    /^\s*(?:typedef\s+)?(?:struct|union|enum)\b[^(]*(?:\([^()]*\)+\s*\w*\s*)?$/.test(head) &&
    !/\)\s*\w*\s*$/.test(head)
  )
    return undefined;
  if (/^\s*(?:static\s+|const\s+)*(?:struct|union|enum)\s+\w+\s*\([^()]*\)\s*(?:\w+\s*)?$/.test(head))
    return undefined;
  if (named.length === 0) return undefined;
  const first = named.find(([name]) => !ATTRIBUTE.test(name)) ?? named[0];
  if (/^(?:int|void|long|char|bool|unsigned|[a-z]\w*_t)$/.test(first[0])) {
    // type (*name(params))(params)
    const inner = /[A-Za-z_]\w*(?=\s*\()/.exec(text.slice(first[1] + first[0].length, brace));
    if (inner !== null) return { name: inner[0], at: first[1] + first[0].length + inner.index };
  }
  // MACRO(name, …) with nothing before it.
  if (
    /^\s*(?:static\s+|inline\s+)*$/.test(head.slice(0, first[1] - from)) &&
    /^\s*(?:static\s|inline\s|)*\w+\s*\(/.test(head)
  ) {
    const inner = /\w+/.exec(text.slice(first[1] + first[0].length, brace));
    if (inner !== null) return { name: inner[0], at: first[1] + first[0].length + inner.index };
  }
  return { name: first[0], at: first[1] };
}

const parser = new Parser();
parser.setLanguage(C);

function parse(text) {
  return parser.parse(text, undefined, { bufferSize: text.length * 2 + 64 });
}

/** Function definitions of a text without an ERROR or MISSING node in them: body start -> {end, name}. */
function wholeFunctions(text) {
  const whole = new Map();
  for (const node of parse(text).rootNode.descendantsOfType('function_definition')) {
    if (node.hasError) continue;
    const body = node.childForFieldName('body');
    let name = node.childForFieldName('declarator');
    while (name !== null && name.type !== 'identifier') {
      name =
        name.childForFieldName('declarator') ??
        name.namedChildren.find((c) => /declarator$|^identifier$/.test(c.type)) ??
        null;
    }
    if (body !== null) whole.set(body.startIndex, { end: body.endIndex, name: name?.startIndex ?? -1 });
  }
  return whole;
}

const holds = (whole, f) => {
  const found = whole.get(f.start);
  return found !== undefined && found.end === f.end && found.name === f.at;
};
const within = (arms, at) => arms.some((arm) => arm.start <= at && at < arm.end);

/** First ERROR or MISSING node from `start` to `end` of a text, as an offset, or -1. */
function firstError(text, start, end) {
  const cursor = parse(text).walk();
  for (;;) {
    const bad = cursor.nodeType === 'ERROR' || cursor.nodeIsMissing;
    if (bad && cursor.endIndex >= start && cursor.startIndex < end) return Math.max(cursor.startIndex, start);
    if (cursor.gotoFirstChild()) continue;
    while (!cursor.gotoNextSibling()) if (!cursor.gotoParent()) return -1;
  }
}

export function sourceFiles(tree, dirs) {
  const files = [];
  for (const dir of dirs) {
    for (const entry of readdirSync(join(tree, dir), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && /\.[ch]$/.test(entry.name))
        files.push(join(entry.parentPath ?? entry.path, entry.name));
    }
  }
  return files.sort();
}

/**
 * Parses every `.c` and `.h` file under `dirs`. `mendPasses` is that of src/parse/mend.ts. A function
 * passes if one pass gives it whole; one that holds sites only if each of them is in such a pass.
 */
export function measure(tree, dirs, { mend, mendPasses, raw = false }) {
  const total = {
    files: 0,
    bytes: 0,
    mendMs: 0,
    passes: 0,
    functions: 0,
    whole: 0,
    raw: 0,
    siteFunctions: 0,
    siteWhole: 0,
    siteRaw: 0,
  };
  const failures = [];
  for (const path of sourceFiles(tree, dirs)) {
    const source = readFileSync(path, 'latin1');
    total.files++;
    total.bytes += source.length;
    if (mend !== undefined) {
      const from = performance.now();
      mend(source);
      total.mendMs += performance.now() - from;
    }
    const { functions, sites } = scanFunctions(source);
    if (functions.length === 0) continue;
    const passes = mendPasses(source);
    total.passes += passes.length - 1;
    const parsed = [];
    const parsedPass = (n) => (parsed[n] ??= wholeFunctions(passes[n].text));
    const rawWhole = raw ? wholeFunctions(source) : undefined;
    for (const f of functions) {
      const inside = sites.filter((at) => f.start < at && at < f.end);
      const at = inside.length > 0 ? inside : [f.start];
      const ok = at.every((offset) =>
        passes.some(
          (pass, n) => !within(pass.arms, offset) && !within(pass.arms, f.start) && holds(parsedPass(n), f),
        ),
      );
      total.functions++;
      if (ok) total.whole++;
      if (rawWhole !== undefined && holds(rawWhole, f)) total.raw++;
      if (inside.length > 0) {
        total.siteFunctions++;
        if (ok) total.siteWhole++;
        if (rawWhole !== undefined && holds(rawWhole, f)) total.siteRaw++;
      }
      if (!ok) {
        failures.push({
          file: relative(tree, path),
          line: lineOf(source, f.at),
          name: f.name,
          site: inside.length > 0,
          start: f.start,
          end: f.end,
          at: f.at,
          passes,
        });
      }
    }
  }
  return { total, failures };
}

function lineOf(text, offset) {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

async function main(argv) {
  const options = new Set(argv.filter((a) => a.startsWith('--')));
  const [tree, ...dirs] = argv.filter((a) => !a.startsWith('--'));
  if (tree === undefined) {
    process.stderr.write('usage: parse-coverage.mjs TREE [DIR...] [--list] [--raw]\n');
    process.exit(2);
  }
  const { mend, mendPasses } = await import('../dist/src/parse/mend.js');
  const { total, failures } = measure(tree, dirs.length > 0 ? dirs : DEFAULT_DIRS, {
    mend,
    mendPasses,
    raw: options.has('--raw'),
  });
  if (options.has('--list')) {
    for (const f of failures) {
      const pass = f.passes.find((p) => !within(p.arms, f.start)) ?? f.passes[0];
      const error = firstError(pass.text, f.at, f.end);
      const where =
        error < 0
          ? '-'
          : `${lineOf(pass.text, error)}: ${pass.text.slice(error, error + 50).replace(/\s+/g, ' ')}`;
      process.stdout.write(`${f.file}:${f.line}:${f.name}${f.site ? ' [site]' : ''} error at ${where}\n`);
    }
  }
  const share = (n, of) => `${n} (${((100 * n) / Math.max(1, of)).toFixed(3)}%)`;
  const lines = [
    `files           ${total.files}`,
    `MB              ${(total.bytes / 1e6).toFixed(1)}`,
    `mend            ${(total.bytes / 1e3 / total.mendMs).toFixed(1)} MB/s`,
    `further passes  ${total.passes}`,
    `functions       ${total.functions}`,
    ...(options.has('--raw') ? [`  raw           ${share(total.raw, total.functions)}`] : []),
    `  mended        ${share(total.whole, total.functions)}`,
    `with a site     ${total.siteFunctions}`,
    ...(options.has('--raw') ? [`  raw           ${share(total.siteRaw, total.siteFunctions)}`] : []),
    `  mended        ${share(total.siteWhole, total.siteFunctions)}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
