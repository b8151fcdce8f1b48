import { Writable } from 'node:stream';
import type { Analysis, AnalyzeOptions } from '../../src/analysis/api.js';
import type { Report, Site } from '../../src/analysis/report.js';
import { loadEngine } from '../../src/cli/engine.js';
import type { Engine, Environment, Output } from '../../src/cli/environment.js';
import { runCli } from '../../src/cli/run.js';
import type { FileChange, Plan } from '../../src/edit/plan.js';
import { type KernelTree, openKernelTree } from '../../src/tree/kernel-tree.js';
import { smallTree } from '../tree/small-tree.js';

/** A stream that keeps what is written; `isTTY` makes it a terminal. */
export class Kept extends Writable {
  readonly chunks: Buffer[] = [];
  readonly columns = 80;
  constructor(readonly isTTY: boolean = false) {
    super();
  }
  override _write(chunk: Buffer | string, _: BufferEncoding, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }
  text(encoding: 'utf8' | 'latin1' = 'utf8'): string {
    return Buffer.concat(this.chunks).toString(encoding);
  }
}

/** A file with one site, as the tests' tree has it, and as it becomes. */
export const CHANGE: FileChange = {
  file: 'fs/demo/dir.c',
  before: `/* \xe9 */\nint demo_add(struct demo *d)\n{\n\treturn demo_grow(d, GFP_NOFS);\n}\n`,
  after: `/* \xe9 */\nint demo_add(struct demo *d)\n{\n\treturn demo_grow(d, GFP_KERNEL);\n}\n`,
};

const SITE: Site = {
  id: 'fs/demo/dir.c:4:22',
  file: 'fs/demo/dir.c',
  line: 4,
  column: 22,
  start: 57,
  end: 65,
  edit: null,
  function: 'demo_add',
  flag: 'GFP_NOFS',
  api: 'nofs',
  call: 'demo_grow',
  verdict: 'covered',
  reason: 'every path is in a scope',
  scopes: ['fs/demo/dir.c:90'],
  kept: '',
  paths: [],
};

const PLAN: Plan = {
  removals: [],
  scopes: [],
  downgrades: [
    {
      site: SITE.id,
      file: SITE.file,
      function: SITE.function,
      start: SITE.start,
      end: SITE.end,
      replacement: 'GFP_KERNEL',
      scopes: SITE.scopes,
      transform: 'call-argument',
    },
  ],
};

export interface Session {
  readonly code: number;
  readonly stdout: string;
  /** The bytes of stdout as latin1. */
  readonly bytes: string;
  readonly stderr: string;
  readonly tree: KernelTree;
  /** With what the analysis was called, in order. */
  readonly asked: readonly AnalyzeOptions[];
}

export interface Setting {
  readonly tree?: KernelTree;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly report?: Partial<Report>;
  readonly plan?: Plan;
  readonly engine?: Partial<Engine>;
  readonly stdout?: Kept | Output;
  readonly stderr?: Kept;
  readonly signal?: AbortSignal;
}

/** Runs the program in this process on a small tree, with an analysis that says what the setting has. */
export async function session(argv: readonly string[], setting: Setting = {}): Promise<Session> {
  const tree = setting.tree ?? smallTree({ [CHANGE.file]: CHANGE.before });
  const stdout = setting.stdout ?? new Kept();
  const stderr = setting.stderr ?? new Kept();
  const asked: AnalyzeOptions[] = [];
  const engine: Engine = {
    analyze: async (options) => {
      asked.push(options);
      const report: Report = {
        tree: openKernelTree(options.tree.root),
        sites: [SITE],
        scopes: [],
        locks: [],
        unresolved: 0,
        skipped: [],
        ...setting.report,
      };
      const analysis: Analysis = {
        report,
        plan: setting.plan ?? PLAN,
        basis: { read: [], absent: [], counted: [] },
        recheck: () => [],
        source: () => CHANGE.before,
      };
      return analysis;
    },
    checkedChanges: () => ({ changes: [CHANGE], problems: [] }),
    renderer: () => (subset) => (subset.downgrades.length > 0 ? [CHANGE] : []),
    ...setting.engine,
  };
  const environment: Environment = {
    stdout,
    stderr,
    cwd: setting.cwd ?? tree.root,
    env: setting.env ?? {},
    signal: setting.signal ?? new AbortController().signal,
    uninterrupted: (work) => work(),
    loadEngine: async () => engine,
  };
  const code = await runCli(argv, environment);
  const kept = stdout instanceof Kept ? stdout : new Kept();
  return { code, stdout: kept.text(), bytes: kept.text('latin1'), stderr: stderr.text(), tree, asked };
}

/** Runs the program in this process as it is, with the analysis; output is latin1, a character a byte. */
export async function realSession(
  cwd: string,
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  const stdout = new Kept();
  const stderr = new Kept();
  const status = await runCli([...argv, '--jobs', '1'], {
    stdout,
    stderr,
    cwd,
    env,
    signal: new AbortController().signal,
    uninterrupted: (work) => work(),
    loadEngine,
  });
  return { status, stdout: stdout.text('latin1'), stderr: stderr.text('latin1') };
}
