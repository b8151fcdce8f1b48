import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/gfp-scope', import.meta.url));

/** How a run of the program ended; output is latin1, a character a byte. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ENV = { PATH: process.env.PATH!, HOME: process.env.HOME ?? '/' };

/** Runs the program as it is installed, in a process of its own, and waits for it. */
export function runProgram(cwd: string, args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(BIN, args, {
    cwd,
    env: ENV,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** The same, beside whatever else is going on. */
export function startProgram(cwd: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(BIN, args, { cwd, env: ENV, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('latin1').on('data', (text: string) => {
        output[name] += text;
      });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...output }));
  });
}
