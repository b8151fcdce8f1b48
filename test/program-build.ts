import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Compiles the program once, before any test runs: tests that start it as a process must not see it half-written.
 * Type errors are for `npm run typecheck`; exit code 1 would mean that nothing was written.
 */
export default function build(): void {
  const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const { bin } = JSON.parse(readFileSync(path.join(typescript, 'package.json'), 'utf8'));
  const { status, stdout } = spawnSync(process.execPath, [path.join(typescript, bin.tsc), '-p', ROOT], {
    encoding: 'utf8',
  });
  if (status !== 0 && status !== 2) throw new Error(`the program does not compile:\n${stdout}`);
}
