import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { smallTree, temporaryDirectory } from '../tree/small-tree.js';

/** The program as it is installed: `bin/gfp-scope` over the built files, in a process of its own. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = path.join(ROOT, 'bin/gfp-scope');

beforeAll(() => {
  const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const { bin } = JSON.parse(readFileSync(path.join(typescript, 'package.json'), 'utf8'));
  const tsc = path.join(typescript, bin.tsc);
  // Type errors are for `npm run typecheck`; exit code 1 would mean that nothing was written.
  expect([0, 2]).toContain(spawnSync(process.execPath, [tsc, '-p', ROOT]).status);
});

function run(args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const { status, signal, stdout, stderr } = spawnSync(BIN, args, {
    encoding: 'utf8',
    cwd: options.cwd ?? temporaryDirectory(),
    env: { PATH: process.env.PATH!, ...options.env },
  });
  return { status, signal, stdout, stderr };
}

/** Runs a line of bash in which `gfp-scope` is the program. */
function bash(line: string): string {
  const script = `PATH="${path.dirname(BIN)}:$PATH"\n${line}`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: temporaryDirectory() });
}

describe('the program', () => {
  it('shows help and version on stdout', () => {
    expect(run(['--help'])).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('Examples:'),
    });
    expect(run(['--version'])).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it.each([
    ['an unknown option', ['--frobnicate'], /^gfp-scope: Unknown argument: frobnicate .*\n$/],
    ['no tree around', ['scan'], /^gfp-scope: .* is not in a kernel tree; say which one with --tree DIR\n$/],
    ['a missing tree', ['--tree', '/none/linux'], /^gfp-scope: \/none\/linux: no such file or directory\n$/],
    [
      'no directory for a series',
      ['series'],
      /^gfp-scope: Missing required argument: output-directory .*\n$/,
    ],
  ])('ends with 2 and one line for %s', (_, args, message) => {
    expect(run(args)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(message) });
  });

  it('ends with 2 and one line for a path outside of the tree', () => {
    const { root } = smallTree({ 'fs/a.c': '' });
    for (const verb of [[], ['diff'], ['apply'], ['scan'], ['series', '-o', 'x']]) {
      const { status, stdout, stderr } = run([...verb, '/'], { cwd: root });
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toBe(`gfp-scope: / is outside of the kernel tree ${root}\n`);
    }
  });

  it('says so if it is not built', () => {
    const copy = temporaryDirectory();
    mkdirSync(path.join(copy, 'bin'));
    cpSync(BIN, path.join(copy, 'bin/gfp-scope'));
    writeFileSync(path.join(copy, 'package.json'), '{"type":"module"}');
    const { status, stdout, stderr } = spawnSync(path.join(copy, 'bin/gfp-scope'), ['--help'], {
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toBe('gfp-scope: not built yet: run "npm ci && npm run build" in its directory first\n');
  });

  it('runs through a symbolic link', () => {
    const link = path.join(temporaryDirectory(), 'gfp-scope');
    execFileSync('ln', ['-s', BIN, link]);
    expect(execFileSync(link, ['--version'], { encoding: 'utf8' })).toMatch(/^\d/);
  });

  it('ends quietly if nobody reads', () => {
    expect(bash('gfp-scope --help 2>said | true; echo "status $PIPESTATUS"; cat said')).toBe('status 0\n');
  });

  it.skipIf(!existsSync('/dev/full'))('ends with 2 if stdout is a full disk', () => {
    expect(bash('gfp-scope --help 2>&1 >/dev/full; echo "status $?"')).toMatch(
      /^gfp-scope: cannot write the output: .*no space left on device.*\nstatus 2\n$/,
    );
  });
});

describe('a signal', () => {
  /** The program, in an analysis that does not end; `after` is done with it once it began. */
  function inAnalysis(verb: string[], after: (pid: number) => void) {
    const module = path.join(ROOT, 'dist/src/cli/process.js');
    const script = `
      import { runProcess } from ${JSON.stringify(module)};
      process.argv.splice(1, 0, 'gfp-scope');
      await runProcess(async () => ({
        analyze: () => {
          process.stdout.write('begun');
          return new Promise((resolve) => setTimeout(resolve, 60_000));
        },
      }));`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script, '--', ...verb], {
      cwd: smallTree().root,
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.stdout.on('data', () => after(child.pid!));
    return new Promise<{ code: number | null; stderr: string }>((resolve) =>
      child.on('close', (code) => resolve({ code, stderr })),
    );
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends it with exit code %i', async (signal, exitCode) => {
    const ended = await inAnalysis(['scan'], (pid) => process.kill(pid, signal));
    expect(ended).toEqual({ code: exitCode, stderr: 'gfp-scope: interrupted\n' });
  });
});

describe('the completion script for bash', () => {
  /** What bash would offer for the last word. */
  function offered(...words: string[]): string[] {
    const line = words.map((word) => `'${word}'`).join(' ');
    return bash(
      `source <(gfp-scope completion bash)
       COMP_WORDS=(${line}) COMP_CWORD=${words.length - 1}
       _gfp_scope
       printf '%s\\n' "\${COMPREPLY[@]}"`,
    )
      .split('\n')
      .filter((word) => word !== '');
  }

  it('offers verbs, options and their choices', () => {
    expect(offered('gfp-scope', 's')).toEqual(['series', 'scan']);
    expect(offered('gfp-scope', 'scan', '--f')).toEqual(['--format']);
    expect(offered('gfp-scope', 'scan', '--format', '')).toEqual(['text', 'json']);
    expect(offered('gfp-scope', 'completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
  });

  it('leaves paths to the shell', () => {
    expect(offered('gfp-scope', 'scan', 'fs/q')).toEqual([]);
    expect(offered('gfp-scope', 'fs/q')).toEqual([]);
  });
});

describe('the completion scripts', () => {
  it('are for the shell that is named, or else that of $SHELL', () => {
    for (const [shell, mark] of [
      ['bash', 'complete -o default'],
      ['zsh', '#compdef gfp-scope'],
      ['fish', 'complete --command gfp-scope'],
    ] as const) {
      const named = run(['completion', shell]);
      expect(named).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining(mark) });
      expect(run(['completion'], { env: { SHELL: `/usr/bin/${shell}` } }).stdout).toBe(named.stdout);
    }
  });
});
