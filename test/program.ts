import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/gfp-scope', import.meta.url));

/** Runs the program as it is installed, in a process of its own; `latin1` keeps the bytes of its output. */
export function runProgram(
  cwd: string,
  args: readonly string[],
): Pick<SpawnSyncReturns<string>, 'status' | 'stdout' | 'stderr'> {
  const { status, stdout, stderr } = spawnSync(BIN, args, {
    cwd,
    encoding: 'latin1',
    maxBuffer: 1 << 30,
    env: { PATH: process.env.PATH!, ...(process.env.HOME ? { HOME: path.resolve(process.env.HOME) } : {}) },
  });
  return { status, stdout, stderr };
}
