import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { smallTree, temporaryDirectory } from '../tree/small-tree.js';

/** The program as it is installed: `bin/gfp-scope` over the built files, in a process of its own. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = path.join(ROOT, 'bin/gfp-scope');

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
      'no place for a series',
      ['series'],
      /^gfp-scope: series: say where the patches go, with --output-directory DIR or --branch NAME\n$/,
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

describe('on the example filesystem', () => {
  const demo = ['--tree', path.join(ROOT, 'fixtures/demo')];
  const published = (name: string) =>
    new Ajv2020({ allErrors: true }).compile(
      JSON.parse(readFileSync(path.join(ROOT, 'docs', `${name}.schema.json`), 'utf8')),
    );

  it('scan prints a document that holds to its schema, and a listing of the same sites', () => {
    const json = run(['scan', ...demo, '--format', 'json', 'fs/demofs']);
    expect([json.status, json.stderr]).toEqual([0, '']);
    const document = JSON.parse(json.stdout);
    const validate = published('scan');
    expect(validate(document) || validate.errors).toBe(true);
    const ids: string[] = document.sites.map((site: { id: string }) => site.id);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
    const text = run(['scan', ...demo, 'fs/demofs']);
    expect(text.stdout.match(/^\S+:\d+:\d+(?= )/gm)).toEqual(ids);
  });

  it('scan says the same with one thread and with more, and with --exit-code that there are sites', () => {
    const one = run(['scan', ...demo, '--jobs', '1', '--exit-code', 'fs/demofs']);
    expect(one.status).toBe(1);
    expect(run(['scan', ...demo, '--jobs', '3', '--exit-code', 'fs/demofs'])).toEqual(one);
  });

  it('explain says why for a place that scan names', () => {
    const { sites } = JSON.parse(run(['scan', ...demo, '--format', 'json', 'fs/demofs']).stdout);
    const validate = published('explain');
    for (const site of [sites[0], sites.at(-1)]) {
      const { status, stdout, stderr } = run(['explain', ...demo, '--format', 'json', site.id]);
      expect([status, stderr]).toEqual([0, '']);
      const document = JSON.parse(stdout);
      expect(validate(document) || validate.errors).toBe(true);
      expect(document.sites).toEqual([expect.objectContaining(site)]);
    }
  });
});

describe('a signal', () => {
  /**
   * The program as `main.js` runs it, but with an engine of the test's own: the analysis and the rendering are
   * the given bodies. `begun` gets the process id once the program says so on stdout.
   */
  function inWork(verb: string[], engine: string, tree: string, begun: (pid: number) => void) {
    const built = temporaryDirectory();
    writeFileSync(path.join(built, 'package.json'), '{"type":"module"}');
    cpSync(path.join(ROOT, 'dist/src/cli/main.js'), path.join(built, 'main.js'));
    const module = path.join(ROOT, 'dist/src/cli/process.js');
    writeFileSync(
      path.join(built, 'program.js'),
      `import { writeSync } from 'node:fs';
       import { runProcess } from ${JSON.stringify(module)};
       const begun = () => writeSync(1, 'begun');
       await runProcess(async () => (${engine}));`,
    );
    const child = spawn(process.execPath, [path.join(built, 'main.js'), ...verb], { cwd: tree });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.stdout.once('data', () => begun(child.pid!));
    return new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) =>
      child.on('close', (code, signal) => resolve({ code, signal, stderr })),
    );
  }

  const BUSY = '{ analyze: async () => { begun(); for (;;); } }';
  const WAITING = '{ analyze: () => { begun(); return new Promise((done) => setTimeout(done, 60_000)); } }';

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends busy and waiting work at once, with exit code %i', async (signal, exitCode) => {
    for (const engine of [BUSY, WAITING]) {
      const ended = await inWork(['scan'], engine, smallTree().root, (pid) => process.kill(pid, signal));
      expect(ended).toEqual({ code: exitCode, signal: null, stderr: 'gfp-scope: interrupted\n' });
    }
  });

  it('that ends the child otherwise is an internal error', async () => {
    const engine = `{ analyze: async () => { begun(); process.kill(process.pid, 'SIGKILL'); } }`;
    const ended = await inWork(['scan'], engine, smallTree().root, () => {});
    expect(ended).toEqual({ code: 3, signal: null, stderr: 'gfp-scope: internal error: ended by SIGKILL\n' });
  });

  it('while files are being written leaves no half of the work', async () => {
    const files = Array.from({ length: 200 }, (_, i) => `fs/demo/f${i}.c`);
    const tree = smallTree(Object.fromEntries(files.map((file) => [file, 'old\n'])));
    // Once the first of the new contents lie beside their targets, the work is at a point that must not be cut off.
    const engine = `{
      analyze: async () => ({ report: { tree: { root: 'linux', version: '' }, sites: [], scopes: [], skipped: [] }, plan: { scopes: [], downgrades: [], removals: [] } }),
      checkedChanges: () => {
        setTimeout(begun, 0);
        return { changes: ${JSON.stringify(files)}.map((file) => ({ file, before: 'old\\n', after: 'new\\n' })), problems: [] };
      },
    }`;
    const ended = await inWork(['apply', '--force'], engine, tree.root, (pid) => process.kill(pid, 'SIGINT'));
    expect(readdirSync(path.join(tree.root, 'fs/demo')).sort()).toEqual(
      files.map((file) => path.basename(file)).sort(),
    );
    const contents = new Set(files.map((file) => readFileSync(path.join(tree.root, file), 'utf8')));
    // A machine that has written them all before the signal came is done, and says so.
    const done = { code: 0, signal: null, stderr: expect.stringContaining('in 200 files') };
    const interrupted = { code: 130, signal: null, stderr: 'gfp-scope: interrupted\n' };
    expect(ended).toEqual(contents.has('new\n') ? done : interrupted);
    expect(contents.size).toBe(1);
  });

  it('that kills the parent ends the child', async () => {
    const ended = await inWork(['scan'], WAITING, smallTree().root, (pid) => process.kill(pid, 'SIGKILL'));
    // The pipes are closed, or this would not have come, once the child has let go of them, too.
    expect(ended.signal).toBe('SIGKILL');
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
    expect(offered('gfp-scope', 'scan', '--no-ca')).toEqual(['--no-cache']);
    expect(offered('gfp-scope', 'cache', '')).toEqual(expect.arrayContaining(['info', 'clear']));
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
