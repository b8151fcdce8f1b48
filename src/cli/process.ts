import type { Engine, Environment } from './environment.js';
import { Interrupted } from './exit-codes.js';
import { failInternally, runCli } from './run.js';

/** Runs the program in this process, to its exit: arguments, streams, signals. Does not return. */
export async function runProcess(loadEngine: () => Promise<Engine>): Promise<never> {
  const controller = new AbortController();
  let uninterrupted = 0;

  const environment: Environment = {
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    env: process.env,
    signal: controller.signal,
    uninterrupted: async (work) => {
      uninterrupted++;
      try {
        return await work();
      } finally {
        uninterrupted--;
      }
    },
    loadEngine,
  };

  for (const [name, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const)
    process.on(name, () => {
      const reason = new Interrupted(128 + number);
      controller.abort(reason);
      // Files are being renamed: that ends, or is taken back, before the program does.
      if (uninterrupted > 0) return;
      // Over the rest of a progress display.
      process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}gfp-scope: interrupted\n`);
      process.exit(reason.exitCode);
    });

  // A write that fails rejects in `write`; without a listener the stream would throw as well.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, async (error: unknown) => process.exit(await failInternally(error, environment)));

  process.exit(await runCli(process.argv.slice(2), environment));
}
