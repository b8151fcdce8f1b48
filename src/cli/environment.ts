import type { Writable } from 'node:stream';
import type { Analysis, Analyze } from '../analysis/api.js';
import type { FileChange, Plan } from '../edit/plan.js';

/** Where text goes: a terminal, a pipe or a file. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** A function whose edits the self-check threw away, and why. */
export interface Problem {
  readonly file: string;
  readonly function: string;
  readonly message: string;
}

export interface CheckedChanges {
  readonly changes: readonly FileChange[];
  readonly problems: readonly Problem[];
}

/** The rooms that the verbs drive; loaded when a verb needs them, so that `--help` need not wait. */
export interface Engine {
  readonly analyze: Analyze;
  /** Turns the plan into text and checks it; `readHeader` gives a file of the tree, `undefined` if there is none. */
  readonly checkedChanges: (
    analysis: Analysis,
    readHeader: (file: string) => string | undefined,
  ) => CheckedChanges | Promise<CheckedChanges>;
  /** Gives what turns any part of the plan into changes of the files as they were read. */
  readonly renderer: (
    analysis: Analysis,
    readHeader: (file: string) => string | undefined,
  ) => (subset: Plan) => FileChange[];
}

/** All that a verb touches of the process that it runs in. */
export interface Environment {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted, with an `Interrupted` as the reason, when a signal came in. */
  readonly signal: AbortSignal;
  /** Runs work that a signal must not cut off; it watches `signal` itself. */
  readonly uninterrupted: <T>(work: () => Promise<T>) => Promise<T>;
  readonly loadEngine: () => Promise<Engine>;
}

/**
 * Writes text and waits until the system has it. `latin1` for what is bytes of files.
 * @throws the stream's error, with `code` `EPIPE` if nobody reads any more.
 */
export function write(output: Output, text: string, encoding: 'utf8' | 'latin1' = 'utf8'): Promise<void> {
  if (text === '') return Promise.resolve();
  return new Promise((resolve, reject) => {
    output.write(Buffer.from(text, encoding), (error) => (error ? reject(error) : resolve()));
  });
}

/** A message to the person, on stderr. That nobody reads it is no reason to fail. */
export function say(environment: Environment, message: string): Promise<void> {
  return write(environment.stderr, `${message}\n`).catch(() => {});
}

/** Whether to colour what goes to `output`: on a terminal, unless NO_COLOR (https://no-color.org) or the person says no. */
export function coloured(output: Output, environment: Environment, noColor: boolean): boolean {
  const { NO_COLOR, TERM } = environment.env;
  return !noColor && !NO_COLOR && TERM !== 'dumb' && output.isTTY === true;
}
