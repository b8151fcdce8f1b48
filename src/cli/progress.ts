import { SingleBar } from 'cli-progress';
import type { Progress } from '../tree/files.js';
import type { Output } from './environment.js';

export interface ProgressDisplay {
  readonly update: (progress: Progress) => void;
  /** Takes the display off the terminal. */
  readonly stop: () => void;
}

/** Work that is done by then shows no progress. In milliseconds. */
const PATIENCE = 1000;

/** A bar on a terminal for work over a second; nothing in a pipe. `now` gives milliseconds. */
export function progressDisplay(output: Output, now: () => number = Date.now): ProgressDisplay {
  if (output.isTTY !== true) return { update: () => {}, stop: () => {} };
  const begin = now();
  let bar: SingleBar | undefined;
  return {
    update({ phase, done, total }) {
      if (!bar) {
        if (now() - begin < PATIENCE) return;
        bar = new SingleBar({
          stream: output,
          format: '{phase} [{bar}] {value}/{total}',
          barsize: 30,
          barCompleteChar: '=',
          barIncompleteChar: ' ',
          clearOnComplete: true,
          linewrap: null,
        });
        bar.start(total, done, { phase });
        return;
      }
      bar.setTotal(total);
      bar.update(done, { phase });
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}
