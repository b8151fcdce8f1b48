import { copyFileSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { InputError } from '../tree/input-error.js';
import { runCommand } from './command.js';
import type { Scratch } from './scratch.js';

/** What making some objects said: how often each message came, without the numbers of lines. */
export interface Built {
  readonly compiler: ReadonlyMap<string, number>;
  readonly sparse: ReadonlyMap<string, number>;
  /** Objects that are there afterwards. */
  readonly made: ReadonlySet<string>;
}

export interface BuildOptions {
  /** A target of the tree's Makefile that makes a configuration, or the path of one. */
  readonly config: string;
  readonly jobs: number;
  readonly sparse: boolean;
  readonly signal: AbortSignal;
}

/** `file:line:column: warning: text`, as gcc, clang and sparse write it. */
const MESSAGE = /^(\S.*?):(\d+):(?:\d+:)? ((?:fatal )?error|warning): (.*)$/;

/** Builds objects of a scratch copy with the tree's own Makefile, outside of the source. */
export class Builder {
  constructor(
    private readonly scratch: Scratch,
    private readonly options: BuildOptions,
  ) {}

  private make(args: readonly string[]): ReturnType<typeof runCommand> {
    const { source, build } = this.scratch;
    return runCommand('make', ['-C', source, `O=${build}`, `-j${this.options.jobs}`, ...args], {
      cwd: source,
      signal: this.options.signal,
    });
  }

  /**
   * Makes the configuration and what every object needs.
   * @throws InputError with the end of what make said
   */
  async prepare(): Promise<void> {
    const { config } = this.options;
    const isFile = config.includes('/') || existsSync(config);
    if (isFile) {
      if (!existsSync(config)) throw new InputError(`--config ${config}: no such file`);
      copyFileSync(config, path.join(this.scratch.build, '.config'));
    }
    for (const target of [isFile ? 'olddefconfig' : config, 'prepare']) {
      const { status, output } = await this.make([target]);
      if (status === 0) continue;
      const said = output
        .split('\n')
        .filter((line) => line !== '' && !/^make(?:\[\d+\])?: \w+ing directory/.test(line));
      throw new InputError(`make ${target} fails: ${said.slice(-3).join('; ')}`);
    }
  }

  /** Makes objects, as many as can be, named by their sources' paths in the tree. */
  async objects(objects: readonly string[]): Promise<Built> {
    // An object that can't be made is then not there, and sparse looks at those only that are made.
    for (const object of objects) rmSync(path.join(this.scratch.build, object), { force: true });
    const check = this.options.sparse ? ['C=1'] : [];
    const { output } = objects.length === 0 ? { output: '' } : await this.make(['-k', ...check, ...objects]);
    const compiler = new Map<string, number>();
    const sparse = new Map<string, number>();
    for (const line of output.split('\n')) {
      const match = MESSAGE.exec(line);
      if (!match) continue;
      const [, file, , kind, text] = match;
      // gcc names the option that a warning belongs to, sparse has none.
      const counts =
        this.options.sparse && !/\[-W[\w=+-]+\]$/.test(text!) && kind !== 'fatal error' ? sparse : compiler;
      const shown = `${path.relative(this.scratch.source, path.resolve(this.scratch.build, file!))}: ${kind}: ${text}`;
      counts.set(shown, (counts.get(shown) ?? 0) + 1);
    }
    const made = new Set(objects.filter((object) => existsSync(path.join(this.scratch.build, object))));
    return { compiler, sparse, made };
  }
}

/** What was said more often than before. */
export function fresh(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...after].filter(([message, n]) => n > (before.get(message) ?? 0)).map(([message]) => message);
}
