import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import type { Analysis, AnalyzeOptions } from '../../src/analysis/api.js';
import { headersOf } from '../../src/cli/work.js';
import { checkedChanges } from '../../src/edit/self-check.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';
import { temporaryDirectory } from '../tree/small-tree.js';

const DEMO = fileURLToPath(new URL('../../fixtures/demo', import.meta.url));
const SITE_FILE = 'fs/demofs/alloc.c';
/** A function on which the proof of a site there rests. */
const PROVEN = 'demofs_trans_log';

type Edit = (file: string, change: (text: string) => string) => void;

/** A copy of the demo tree and a cache of its own; `run` analyses, and says how many times it had to look for itself. */
function setting() {
  const top = temporaryDirectory();
  const root = path.join(top, 'linux');
  const cache = path.join(top, 'cache');
  const copy = (to: string) => {
    cpSync(DEMO, to, { recursive: true });
    return to;
  };
  copy(root);
  const run = async (more: Partial<AnalyzeOptions> = {}) => {
    let analyses = 0;
    const analysis = await analyze({
      tree: openKernelTree(root),
      paths: ['fs'],
      jobs: 1,
      cache,
      onProgress: ({ phase }) => {
        if (phase === 'listing') analyses++;
      },
      ...more,
    });
    return { analysis, analyses: () => analyses, said: said(analysis) };
  };
  const anew = async (more: Partial<AnalyzeOptions> = {}) => (await run({ ...more, cache: false })).said;
  const edit: Edit = (file, change) => {
    const name = path.join(root, file);
    writeFileSync(name, change(readFileSync(name, 'latin1')), 'latin1');
  };
  const results = () =>
    readdirSync(cache)
      .filter((name) => name.startsWith('r-'))
      .map((name) => path.join(cache, name));
  return { root, cache, copy, run, anew, edit, results };
}

const said = ({ report, plan }: Analysis) => JSON.stringify({ report, plan });

describe('the results of an earlier run', () => {
  it('are taken where nothing has changed, and are the same', async () => {
    const { run, anew } = setting();
    const first = await run();
    expect(first.analyses()).toBe(1);
    const second = await run();
    expect(second.analyses()).toBe(0);
    expect(second.said).toBe(first.said);
    expect(second.said).toBe(await anew());
    expect(JSON.parse(second.said).report.sites.length).toBeGreaterThan(0);
  });

  it.each<[string, Partial<AnalyzeOptions>]>([
    ['paths', { paths: [SITE_FILE] }],
    ['placement', { placement: 'inside' }],
    ['api', { api: 'noio' }],
    ['minimal', { minimal: true }],
    ['waits', { waits: [{ on: 'demofs_info.wait', place: 'waits:1' }] }],
    ['transforms', { transforms: ['lock-scope', 'lock-free'] }],
  ])('are not those of other options: %s', async (_, more) => {
    const { run, anew } = setting();
    await run();
    const other = await run(more);
    expect(other.analyses()).toBe(1);
    expect(other.said).toBe(await anew(more));
    expect((await run(more)).analyses()).toBe(0);
  });

  it.each<[string, (tree: { root: string; edit: Edit }) => void]>([
    ['a file that was asked for', ({ edit }) => edit(SITE_FILE, (text) => `${text}\nint demofs_more;\n`)],
    ['a header', ({ edit }) => edit('include/linux/fs.h', (text) => `${text}\nstruct more { int a; };\n`)],
    [
      'a file that becomes a caller',
      ({ root }) => writeFileSync(path.join(root, 'mm/other.c'), 'void f(void) { demofs_map(0); }\n'),
    ],
    ['a file that goes', ({ root }) => rmSync(path.join(root, 'fs/inode.c'))],
    [
      'a file that keeps its size and its time',
      ({ root, edit }) => {
        const past = new Date(1_600_000_000_000);
        edit(SITE_FILE, (text) => text.replace('GFP_NOFS', 'GFP_NOIO'));
        utimesSync(path.join(root, SITE_FILE), past, past);
      },
    ],
    [
      'the version of the kernel',
      ({ edit }) => edit('Makefile', (text) => text.replace(/SUBLEVEL = .*/, 'SUBLEVEL = 99')),
    ],
  ])('are not those of another tree: %s', async (_, change) => {
    const { run, anew, root, edit } = setting();
    const past = new Date(1_600_000_000_000);
    utimesSync(path.join(root, SITE_FILE), past, past);
    await run();
    await new Promise((resolve) => setTimeout(resolve, 30));
    change({ root, edit });
    const second = await run();
    expect(second.analyses()).toBe(1);
    expect(second.said).toBe(await anew());
    expect((await run()).analyses()).toBe(0);
  });

  it('move with the code where only comments and white space have changed', async () => {
    const { run, anew, edit } = setting();
    await run();
    const changes: ((text: string) => string)[] = [
      (text) => `/* One line,\n * another. */\n\n${text}`,
      (text) => text.replaceAll(/^(.*GFP_NOFS.*)$/gm, '\t// Why?\n$1 /* Because. */   '),
      (text) => text.replaceAll(/;\n/g, ';\n\n/* "no\'string */\n'),
      (text) => text.replaceAll(/\/\*(?:(?!\*\/)[\s\S])*\*\/\n/g, '\n'),
      (text) => `${text}\n/* The end. */\n`,
    ];
    for (const change of changes) {
      edit(SITE_FILE, change);
      edit('include/linux/fs.h', (text) => `${text}/* More. */\n`);
      const { said: moved, analyses } = await run();
      expect([changes.indexOf(change), analyses()]).toEqual([changes.indexOf(change), 0]);
      expect(moved).toBe(await anew());
    }
    edit(SITE_FILE, (text) => `${text}int demofs_more;\n`);
    expect((await run()).analyses()).toBe(1);
  });

  it.each<[string, (text: string) => string]>([
    ['code moves within its line', (text) => text.replace('GFP_NOFS', '/* Why? */ GFP_NOFS')],
    ['a line is indented', (text) => text.replace(/^\t/m, '\t\t')],
    ['a line is broken', (text) => text.replace(/ = kmalloc/, ' =\n\t\tkmalloc')],
    ['what looks like a comment is a string', (text) => text.replace('/* b */', '/* a */')],
  ])('do not where %s', async (_, change) => {
    const { run, anew, edit } = setting();
    edit(SITE_FILE, (text) => `${text}char s[] = "/* b */";\n`);
    await run();
    edit(SITE_FILE, change);
    const { said: now, analyses } = await run();
    expect(analyses()).toBe(1);
    expect(now).toBe(await anew());
  });

  describe('of a tree with files that are not read', () => {
    const DRIVER = 'drivers/net/other.c';
    const driver = (body: string) => `int other(struct page *page)\n{\n\t${body}\n}\n`;
    const withDriver = () => {
      const tree = setting();
      mkdirSync(path.join(tree.root, 'drivers/net'), { recursive: true });
      writeFileSync(path.join(tree.root, DRIVER), driver('return 0;'));
      return tree;
    };

    it.each([
      ['other code', driver('kfree(page); return 1;')],
      ['a mask where nobody asks for it', driver('return alloc(GFP_NOIO);')],
    ])('are taken where one has %s now', async (_, text) => {
      const { run, anew, edit } = withDriver();
      await run();
      edit(DRIVER, () => text);
      const second = await run();
      expect(second.analyses()).toBe(0);
      expect(second.said).toBe(await anew());
      // And where it changes again, and where a file that was read moves besides.
      edit(DRIVER, () => driver('return 2;'));
      edit(SITE_FILE, (before) => `/* More. */\n${before}`);
      const third = await run();
      expect(third.analyses()).toBe(0);
      expect(third.said).toBe(await anew());
    });

    it('are taken where one comes, and where one goes', async () => {
      const { run, anew, root, edit } = withDriver();
      await run();
      const more = path.join(root, 'drivers/net/more.c');
      writeFileSync(more, driver('return 3;'));
      edit(SITE_FILE, (before) => `/* More. */\n${before}`);
      const second = await run();
      expect(second.analyses()).toBe(0);
      expect(second.said).toBe(await anew());
      rmSync(more);
      edit(DRIVER, () => driver('return 4;'));
      const third = await run();
      expect(third.analyses()).toBe(0);
      expect(third.said).toBe(await anew());
    });

    it.each([
      ['one comes in the core', 'fs/more.c', driver('return 3;')],
      ['one comes that was asked for before it was there', 'include/linux/pagemap.h', '#define FGP_NOFS 1\n'],
      ['a header comes', 'drivers/net/more.h', ''],
      ['one comes that calls what a proof rests on', 'drivers/net/more.c', driver(`return ${PROVEN}(page);`)],
    ])('are not taken where %s', async (_, file, text) => {
      const { run, anew, root } = withDriver();
      await run();
      writeFileSync(path.join(root, file), text);
      const second = await run();
      expect(second.analyses()).toBe(1);
      expect(second.said).toBe(await anew());
      rmSync(path.join(root, file));
      const third = await run();
      // What was kept of the first state still is.
      expect(third.analyses()).toBe(0);
      expect(third.said).toBe(await anew());
    });

    it.each<[string, string, Partial<AnalyzeOptions>]>([
      ['calls what a proof rests on', driver(`return ${PROVEN}(page);`), {}],
      ['has a mask that is asked for', driver('return alloc(GFP_NOIO);'), { paths: [''] }],
      ['opens a scope, and scopes are checked', driver('return memalloc_nofs_save();'), { checks: true }],
    ])('are not taken where one %s', async (_, text, more) => {
      const { run, anew, edit } = withDriver();
      await run(more);
      edit(DRIVER, () => text);
      const second = await run(more);
      expect(second.analyses()).toBe(1);
      expect(second.said).toBe(await anew(more));
      // It is read now if it matters.
      edit(DRIVER, () => driver('return 0;'));
      const third = await run(more);
      expect(third.said).toBe(await anew(more));
    });
  });

  it('hold for the same contents with other times, and in another place', async () => {
    const { run, root, copy } = setting();
    const first = await run();
    utimesSync(path.join(root, SITE_FILE), new Date(), new Date());
    expect((await run()).analyses()).toBe(0);
    const tree = openKernelTree(copy(`${root}-copy`));
    // Nothing is known of the files of the copy: they are read, and known then.
    await run({ tree, paths: ['fs/demofs'] });
    const there = await run({ tree });
    expect(there.analyses()).toBe(0);
    expect(there.analysis.report).toEqual({ ...first.analysis.report, tree });
  });

  it('are made again where they are damaged, cut off or something else', async () => {
    const { run, results } = setting();
    const first = await run();
    const damages: ((name: string, bytes: Buffer) => void)[] = [
      (name, bytes) => writeFileSync(name, bytes.subarray(0, bytes.length >> 1)),
      (name, bytes) => {
        bytes[bytes.length - 5]! ^= 1;
        writeFileSync(name, bytes);
      },
      (name) => writeFileSync(name, ''),
      (name) => writeFileSync(name, 'something else'),
      (name) => appendFileSync(name, 'more'),
    ];
    for (const damage of damages) {
      expect(results()).toHaveLength(1);
      for (const name of results()) damage(name, readFileSync(name));
      const again = await run();
      expect(again.analyses()).toBe(1);
      expect(again.said).toBe(first.said);
      expect((await run()).analyses()).toBe(0);
    }
  });

  it('are not kept if a file changes while it is analysed', async () => {
    const { run, edit, results, cache } = setting();
    let changed = false;
    await run({
      onProgress: ({ phase }) => {
        if (phase !== 'analysing' || changed) return;
        changed = true;
        edit(SITE_FILE, (text) => `\n${text}`);
      },
    });
    expect(readdirSync(cache).filter((name) => name.startsWith('r-'))).toEqual([]);
    expect((await run()).analyses()).toBe(1);
    expect(results()).toHaveLength(1);
  });
});

describe('the self-check of an earlier run', () => {
  const changesOf = async (analysis: Analysis, root: string) =>
    await checkedChanges(analysis, headersOf(openKernelTree(root)));

  it('is not made again where nothing has changed', async () => {
    const { run, root } = setting();
    const first = await run();
    const made = await changesOf(first.analysis, root);
    expect(made.changes.length).toBeGreaterThan(0);
    const second = await run();
    const again = await changesOf({ ...second.analysis, recheck: () => expect.fail('checked again') }, root);
    expect(again).toEqual(made);
  });

  it('is made where only the report was kept', async () => {
    const { run, root } = setting();
    const first = await run();
    const second = await run();
    const made = await changesOf(second.analysis, root);
    // The whole was analysed once more, for the check.
    expect(second.analyses()).toBe(1);
    expect(made).toEqual(await changesOf(first.analysis, root));
  });

  it('remembers what failed', async () => {
    const { run, root } = setting();
    const first = await run();
    const [scope] = first.analysis.plan.scopes;
    const problem = { file: scope!.file, function: scope!.function, message: 'it does not hold' };
    let checks = 0;
    const failing: Analysis = { ...first.analysis, recheck: () => (checks++ === 0 ? [problem] : []) };
    const made = await changesOf(failing, root);
    expect(made.problems).toEqual([problem]);
    const second = await run();
    const again = await changesOf({ ...second.analysis, recheck: () => expect.fail('checked again') }, root);
    expect(again).toEqual(made);
  });

  it('ends where what it finds is found again and again', async () => {
    const { run, root } = setting();
    const { analysis } = await run();
    const { file, function: name } = analysis.plan.scopes[0]!;
    const found = [name, 'not_edited'].map((fn) => ({ file, function: fn, message: 'a second run' }));
    const made = await changesOf({ ...analysis, recheck: () => [found[0]!, ...found] }, root);
    expect(made.problems).toEqual(found);
  });
});
