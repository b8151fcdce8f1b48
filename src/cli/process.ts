import { setMaxListeners } from 'node:events';
import { constants } from 'node:os';
import type { Engine, Environment } from './environment.js';
import { Interrupted } from './exit-codes.js';
import { failInternally, runCli } from './run.js';

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/** Runs the program in this process, to its exit: arguments, streams, signals. Does not return. */
export async function runProcess(loadEngine: () => Promise<Engine>): Promise<never> {
  const controller = new AbortController();
  // Every batch of files that is being parsed listens.
  setMaxListeners(0, controller.signal);
  const interrupt = (signal: (typeof SIGNALS)[number]) =>
    controller.abort(new Interrupted(128 + constants.signals[signal]));
  let busy = 0;

  const environment: Environment = {
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    env: process.env,
    signal: controller.signal,
    // Without a handler a signal ends the process, busy as it may be. Here files are being renamed:
    // that ends, or is taken back, before the program does.
    uninterrupted: async (work) => {
      busy++;
      for (const signal of SIGNALS) process.on(signal, interrupt);
      try {
        return await work();
      } finally {
        for (const signal of SIGNALS) process.off(signal, interrupt);
        busy--;
      }
    },
    loadEngine,
  };

  // `main.ts`, which waits for this process, is gone: nobody does any more.
  process.on('disconnect', () => {
    interrupt('SIGHUP');
    if (busy === 0) process.exit(128 + constants.signals.SIGHUP);
  });

  // A write that fails rejects in `write`; without a listener the stream would throw as well.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, async (error: unknown) => process.exit(await failInternally(error, environment)));

  process.exit(await runCli(process.argv.slice(2), environment));
}
