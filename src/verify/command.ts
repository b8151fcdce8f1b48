import { spawn } from 'node:child_process';

/** How a program ended; `output` is its stdout and stderr as they came, latin1. */
export interface Ran {
  readonly status: number;
  readonly output: string;
}

/**
 * Runs a program in a process group of its own, which is killed once `signal` is aborted.
 * @throws the signal's reason, or an error if the program can't be started
 */
export function runCommand(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly signal: AbortSignal; readonly env?: NodeJS.ProcessEnv },
): Promise<Ran> {
  const { cwd, signal, env = process.env } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const kill = (): void => {
      try {
        process.kill(-child.pid!, 'SIGTERM');
      } catch {
        // It is gone already.
      }
    };
    signal.addEventListener('abort', kill, { once: true });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      signal.removeEventListener('abort', kill);
      if (signal.aborted) reject(signal.reason);
      else resolve({ status: code ?? 128, output: Buffer.concat(chunks).toString('latin1') });
    });
  });
}

/** Is there such a program? */
export async function hasProgram(name: string, cwd: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (
      (await runCommand('/bin/sh', ['-c', 'command -v -- "$1"', 'sh', name], { cwd, signal })).status === 0
    );
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
