import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Every `GFP_NOFS` and `GFP_NOIO` that stands as a word in code, as `file:line:column` (1-based): what
 * `git grep -wE` finds less comments and literals. A reader of its own, so that it can judge the program's.
 */
export function maskWords(tree: string, paths: readonly string[]): string[] {
  const out: string[] = [];
  for (const directory of paths) {
    for (const name of readdirSync(path.join(tree, directory), { recursive: true, encoding: 'utf8' })) {
      if (!/\.[ch]$/.test(name)) continue;
      const file = `${directory}/${name}`;
      const code = blanked(readFileSync(path.join(tree, file), 'latin1'));
      for (const [index, line] of code.split('\n').entries())
        for (const match of line.matchAll(/\bGFP_NO(?:FS|IO)\b/g))
          out.push(`${file}:${index + 1}:${match.index + 1}`);
    }
  }
  return out.sort();
}

/** The text with a blank for every byte of a comment or literal but newlines. */
export function blanked(text: string): string {
  let out = '';
  let state: 'code' | '/*' | '//' | '"' | "'" = 'code';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    const two = text.slice(i, i + 2);
    if (state === 'code') {
      if (two === '/*' || two === '//') {
        state = two;
        out += '  ';
        i++;
      } else {
        if (c === '"' || c === "'") state = c;
        out += c;
      }
      continue;
    }
    if (c === '\n') {
      // A literal ends with its line at the latest: it was an apostrophe in text for the preprocessor.
      if (state !== '/*' && text[i - 1] !== '\\') state = 'code';
      out += c;
    } else if (state === '/*' && two === '*/') {
      state = 'code';
      out += '  ';
      i++;
    } else if ((state === '"' || state === "'") && c === '\\' && text[i + 1] !== '\n') {
      out += '  ';
      i++;
    } else {
      if (c === state) state = 'code';
      out += ' ';
    }
  }
  return out;
}
