import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Version in the `package.json` of this program, which is above the sources and above the built files. */
export function packageVersion(): string {
  for (let directory = path.dirname(fileURLToPath(import.meta.url)); ; directory = path.dirname(directory)) {
    let text: string;
    try {
      text = readFileSync(path.join(directory, 'package.json'), 'utf8');
    } catch (error) {
      if (directory === path.dirname(directory)) throw error;
      continue;
    }
    return (JSON.parse(text) as { version: string }).version;
  }
}
