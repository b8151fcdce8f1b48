import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * Runs the program in a child process and passes signals and its end on. The analysis keeps a thread busy
 * for seconds, in which Node runs no signal handler: so the child has none but while files are being written, an
 * interrupt ends it at once, and what the shell is to see is said here.
 */
const program = fileURLToPath(new URL('./program.js', import.meta.url));
// The analysis of a whole tree makes many short-lived objects: with little room for the young, half of its time is spent on
// collecting them. The old grow by a seventh at a time, which keeps the whole below 2 GiB and costs some seconds.
const HEAP = ['--max-semi-space-size=32', '--max-old-space-size=6144', '--heap-growing-percent=30'];
const child = spawn(process.execPath, [...process.execArgv, ...HEAP, program, ...process.argv.slice(2)], {
  // The channel tells the child if this process is killed.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
});

for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

child.on('error', (error) => {
  process.stderr.write(`gfp-scope: internal error: cannot start: ${error.message}\n`);
  process.exit(3);
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 3);
  // Over the rest of a progress display.
  const line = process.stderr.isTTY ? '\r\x1b[K' : '';
  const interrupted = signal === 'SIGHUP' || signal === 'SIGINT' || signal === 'SIGTERM';
  process.stderr.on('error', () => {});
  process.stderr.write(
    `${line}gfp-scope: ${interrupted ? 'interrupted' : `internal error: ended by ${signal}`}\n`,
  );
  process.exit(interrupted ? 128 + constants.signals[signal] : 3);
});
