import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/analysis/report.js';
import { smallTree, temporaryDirectory } from '../tree/small-tree.js';
import { CHANGE, realSession, session } from './session.js';

const FINDING: Finding = {
  rule: 'return-in-scope',
  level: 'error',
  file: CHANGE.file,
  line: 4,
  column: 2,
  function: 'demo_add',
  message: 'a path returns without restoring flags',
  related: [],
};

const LINE = `${CHANGE.file}:4:2: demo_add(): error: ${FINDING.message} [return-in-scope]\n`;
const found = { report: { findings: [FINDING] } };

describe('check', () => {
  it('prints the findings and exits with 1', async () => {
    const { code, stdout, stderr, asked } = await session(['check'], found);
    expect(stdout).toBe(`${LINE}1 finding: 1 return-in-scope\n`);
    expect(stderr).toBe('');
    expect(code).toBe(1);
    expect(asked[0]).toMatchObject({ checks: true });
  });

  it('exits with 0 where there are none', async () => {
    const { code, stdout } = await session(['check'], { report: { findings: [] } });
    expect([code, stdout]).toEqual([0, 'no findings\n']);
  });

  it.each([
    ['json', 'schema', 'gfp-scope/check@1'],
    ['sarif', 'version', '2.1.0'],
  ])('--format %s is one document', async (format, key, value) => {
    const { code, stdout } = await session(['check', '--format', format], found);
    expect(JSON.parse(stdout)[key]).toBe(value);
    expect(code).toBe(1);
  });

  it('writes a baseline, then finds nothing new', async () => {
    const file = path.join(temporaryDirectory(), 'known.json');
    const written = await session(['check', '--baseline', file, '--update-baseline'], found);
    expect([written.code, written.stdout]).toEqual([0, '']);
    expect(written.stderr).toBe(`${file}: 1 finding in the files asked for\n`);
    expect(readdirSync(path.dirname(file))).toEqual(['known.json']);

    const again = await session(['check', '--baseline', file], {
      report: { findings: [{ ...FINDING, line: 9 }] },
    });
    expect([again.code, again.stdout]).toEqual([0, 'no findings; 1 more in the baseline\n']);

    const more = await session(['check', '--baseline', file], {
      report: { findings: [FINDING, { ...FINDING, function: 'demo_remove' }] },
    });
    expect(more.code).toBe(1);
    expect(more.stdout).toContain('demo_remove');
    expect(more.stdout).not.toContain('demo_add');
  });

  it('keeps a baseline that it cannot read as it is', async () => {
    const file = path.join(temporaryDirectory(), 'known.json');
    writeFileSync(file, 'nonsense');
    for (const argv of [[], ['--update-baseline']]) {
      const { code, stderr } = await session(['check', '--baseline', file, ...argv], found);
      expect(code).toBe(2);
      expect(stderr).toMatch(/known\.json: not a baseline of gfp-scope: .*JSON/);
      expect(readFileSync(file, 'utf8')).toBe('nonsense');
    }
  });

  it.each([
    [['--baseline', '/nowhere/known.json'], /nowhere\/known\.json: /],
    [['--baseline', '/nowhere/known.json', '--update-baseline'], /nowhere\/known\.json: /],
    [['--update-baseline'], /--update-baseline needs --baseline FILE/],
    [['--format', 'xml'], /format/],
  ])('%j is bad input', async (argv, message) => {
    const { code, stderr } = await session(['check', ...argv], found);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync('/nowhere')).toBe(false);
  });

  it('goes all the way from the tree', async () => {
    const tree = smallTree({
      'fs/demo/dir.c': [
        'int demo_add(struct demo *d)',
        '{',
        '\tunsigned int flags = memalloc_nofs_save();',
        '',
        '\tif (demo_grow(d))',
        '\t\treturn -1;',
        '\tmemalloc_nofs_restore(flags);',
        '\treturn 0;',
        '}',
        '',
      ].join('\n'),
    });
    const { status, stdout } = await realSession(tree.root, ['check', '--no-cache']);
    expect(stdout).toBe(
      'fs/demo/dir.c:6:3: demo_add(): error: a path returns without restoring flags [return-in-scope]\n1 finding: 1 return-in-scope\n',
    );
    expect(status).toBe(1);
  });
});
