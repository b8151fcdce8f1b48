/** How the program ends; `docs/cli.md` documents them. */
export const EXIT = {
  /** Done, and nothing was asked about that could be a finding. */
  done: 0,
  /** With `--exit-code`: there are changes, or sites. Of `check`: there are new findings. */
  findings: 1,
  /** Bad usage or input: an unknown option, a missing tree, a path outside of it, a file that changed. */
  input: 2,
  /** A self-check failed, or the program did. */
  internal: 3,
  /** By SIGINT; other signals end with 128 and their number as well. */
  interrupted: 130,
} as const;

/** Thrown where work stops because a signal came in. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor(readonly exitCode: number = EXIT.interrupted) {
    super('interrupted');
  }
}
