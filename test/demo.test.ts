import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runProgram } from './program.js';
import { temporaryDirectory } from './tree/small-tree.js';

const DEMO = fileURLToPath(new URL('../fixtures/demo', import.meta.url));

/** A git tree of its own with the example in it; removed when the test ends. */
function demoTree(): string {
  const tree = path.join(temporaryDirectory(), 'linux');
  cpSync(DEMO, tree, { recursive: true });
  git(tree, 'init', '-q', '-b', 'main');
  git(tree, 'add', '.');
  git(tree, 'commit', '-q', '-m', 'The example tree');
  return tree;
}

function git(cwd: string, ...args: string[]): string {
  const as = [
    '-c',
    'user.name=A U Thor',
    '-c',
    'user.email=author@example.com',
    '-c',
    'commit.gpgsign=false',
  ];
  return execFileSync('git', [...as, ...args], { cwd, encoding: 'latin1', stdio: 'pipe' });
}

/** Every file of the tree's last commit and of its work tree. */
function treeOf(tree: string): string {
  git(tree, 'add', '-A');
  return git(tree, 'write-tree').trim();
}

describe('the example tree, with the program as it is installed', () => {
  it('scan finds every verdict but opaque, and the scopes of one lock', () => {
    const { status, stdout, stderr } = runProgram(demoTree(), ['scan', '--format', 'json', 'fs/demofs']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { schema, tree, sites, scopes, summary } = JSON.parse(stdout);
    expect({ schema, tree }).toEqual({
      schema: 'gfp-scope/scan@1',
      tree: { version: '6.12.0', module: null, limits: [] },
    });
    expect(summary).toEqual({
      sites: 11,
      byVerdict: { covered: 2, scopable: 6, 'lock-free': 1, partial: 1, task: 1, opaque: 0 },
    });
    const text = readFileSync(path.join(DEMO, 'fs/demofs/alloc.c'), 'utf8').split('\n');
    for (const site of sites.filter((s: { file: string }) => s.file === 'fs/demofs/alloc.c'))
      expect(text[site.line - 1]!.slice(site.column - 1)).toMatch(/^GFP_NOFS\b/);
    const proposed = scopes.filter((s: { state: string }) => s.state === 'proposed');
    expect(proposed.map((s: { function: string; lock: string }) => [s.function, s.lock])).toEqual([
      ['demofs_reserve', 'demofs_sb_info.map_lock'],
      ['demofs_resize', 'demofs_sb_info.map_lock'],
      ['demofs_commit_work', 'demofs_commit_work()'],
    ]);
    expect(proposed[0].reclaim.map((step: { function: string }) => step.function)).toEqual([
      'demofs_scan_extents',
      'demofs_shrink_extents',
    ]);
  });

  it('diff is what git apply takes, writes nothing, and says in exit codes what it found', () => {
    const tree = demoTree();
    const before = treeOf(tree);
    const shown = runProgram(tree, ['diff', 'fs/demofs']);
    expect(shown.status).toBe(0);
    expect(shown.stderr).toContain('3 scopes and 9 downgraded masks in 3 files');
    expect(treeOf(tree)).toBe(before);
    expect(runProgram(tree, ['diff', '--exit-code', 'fs/demofs']).status).toBe(1);
    expect(runProgram(tree, ['fs/demofs'])).toEqual(shown);

    execFileSync('git', ['apply', '--whitespace=error-all', '-'], { cwd: tree, input: shown.stdout });
    const applied = treeOf(tree);
    git(tree, 'reset', '-q', '--hard');
    expect(runProgram(tree, ['apply', 'fs/demofs']).status).toBe(0);
    expect(treeOf(tree)).toBe(applied);
  });

  it('apply leaves C that compiles, and nothing to do', () => {
    const tree = demoTree();
    expect(runProgram(tree, ['apply', 'fs/demofs']).status).toBe(0);
    expect(() => execFileSync('make', ['check'], { cwd: tree, stdio: 'pipe' })).not.toThrow();
    git(tree, 'commit', '-q', '-a', '-m', 'Open NOFS scopes');
    const again = runProgram(tree, ['diff', '--exit-code', 'fs/demofs']);
    expect({ status: again.status, stdout: again.stdout }).toEqual({ status: 0, stdout: '' });
    expect(again.stderr).toContain('no changes');
  });

  it('apply does not touch what git could not give back', () => {
    const tree = demoTree();
    execFileSync('sh', ['-c', 'echo "/* mine */" >> fs/demofs/alloc.c'], { cwd: tree });
    const before = treeOf(tree);
    const refused = runProgram(tree, ['apply', 'fs/demofs']);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('fs/demofs/alloc.c');
    expect(treeOf(tree)).toBe(before);
    expect(runProgram(tree, ['apply', '--force', 'fs/demofs']).status).toBe(0);
    expect(readFileSync(path.join(tree, 'fs/demofs/alloc.c'), 'utf8')).toMatch(/\/\* mine \*\/\n$/);
    expect(treeOf(tree)).not.toBe(before);
  });

  it('series is what git am takes, and comes to the same tree; each patch compiles', () => {
    const tree = demoTree();
    const out = path.join(temporaryDirectory(), 'outgoing');
    const args = ['series', '-o', out, '--from', 'A U Thor <author@example.com>', '--signoff', 'fs/demofs'];
    const { status, stdout } = runProgram(tree, args);
    expect(status).toBe(0);
    const patches = readdirSync(out).sort();
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => path.basename(line)),
    ).toEqual(patches);
    expect(patches[0]).toBe('0000-cover-letter.patch');
    expect(patches.length).toBeGreaterThan(2);
    for (const patch of patches.slice(1)) {
      git(tree, 'am', '-q', path.join(out, patch));
      expect(() => execFileSync('make', ['check'], { cwd: tree, stdio: 'pipe' })).not.toThrow();
    }
    const after = git(tree, 'rev-parse', 'HEAD^{tree}').trim();
    const other = demoTree();
    runProgram(other, ['apply', 'fs/demofs']);
    expect(after).toBe(treeOf(other));
  });
});
