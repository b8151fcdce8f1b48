import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MAX_PATHS } from '../../src/analysis/report.js';
import {
  explainDocument,
  explainSchema,
  explanationOf,
  nearestSites,
  type Target,
} from '../../src/output/explain-document.js';
import { explainText } from '../../src/output/explain-text.js';
import { REPORT } from './scan-report.js';

const PUBLISHED = new URL('../../docs/explain.schema.json', import.meta.url);

function place(file: string, line: number, column?: number): Target {
  return { kind: 'place', file, line, ...(column === undefined ? {} : { column }) };
}

/** Ids of the sites, ids of the scopes, names of the locks. */
function parts(target: Target): string[][] | undefined {
  const explanation = explanationOf(REPORT, target, 'x');
  return (
    explanation && [
      explanation.sites.map((site) => site.id),
      explanation.scopes.map((scope) => scope.id),
      explanation.locks.map((lock) => lock.lock),
    ]
  );
}

const SCOPE = 'fs/demo/dir.c:demo_create:demo_inode.map_sem';

describe('what is explained', () => {
  it.each<[string, Target, string[][]]>([
    [
      'a site, by its line',
      place('fs/demo/dir.c', 12),
      [['fs/demo/dir.c:12:33'], [SCOPE], ['demo_inode.map_sem']],
    ],
    [
      'a site, by line and column',
      place('fs/demo/dir.c', 12, 33),
      [['fs/demo/dir.c:12:33'], [SCOPE], ['demo_inode.map_sem']],
    ],
    [
      'a site in an existing scope',
      place('fs/demo/journal.c', 60),
      [['fs/demo/journal.c:60:9'], ['fs/demo/journal.c:50'], []],
    ],
    [
      'a site without scope, with the lock that is held',
      place('fs/demo/inode.c', 105),
      [['fs/demo/inode.c:105:7'], [], ['demo_inode.map_sem']],
    ],
    ['a scope, by its line', place('fs/demo/dir.c', 38), [[], [SCOPE], ['demo_inode.map_sem']]],
    [
      'a region that got no scope, by its line',
      place('fs/demo/inode.c', 88),
      [[], [], ['demo_inode.map_sem']],
    ],
    [
      'a function with a site',
      { kind: 'name', name: 'demo_read' },
      [['fs/demo/inode.c:105:7'], [], ['demo_inode.map_sem']],
    ],
    ['a function with a scope', { kind: 'name', name: 'demo_create' }, [[], [SCOPE], ['demo_inode.map_sem']]],
    [
      'a function with a region, in the way of a site',
      { kind: 'name', name: 'demo_fill' },
      [['fs/demo/inode.c:105:7'], [], ['demo_inode.map_sem']],
    ],
    [
      'a lock class: all that it covers or blocks',
      { kind: 'name', name: 'demo_inode.map_sem' },
      [['fs/demo/dir.c:12:33', 'fs/demo/inode.c:105:7'], [SCOPE], ['demo_inode.map_sem']],
    ],
    [
      'a lock class, by its last part',
      { kind: 'name', name: 'map_sem' },
      [['fs/demo/dir.c:12:33', 'fs/demo/inode.c:105:7'], [SCOPE], ['demo_inode.map_sem']],
    ],
  ])('is %s', (_, target, expected) => {
    expect(parts(target)).toEqual(expected);
  });

  it.each<[string, Target]>([
    ['a line without anything', place('fs/demo/dir.c', 13)],
    ['another column', place('fs/demo/dir.c', 12, 1)],
    ['another file', place('fs/demo/super.c', 12)],
    ['an unknown name', { kind: 'name', name: 'sem' }],
    ['no name', { kind: 'name', name: '' }],
  ])('is not %s', (_, target) => {
    expect(parts(target)).toBeUndefined();
  });

  it('may be meant to be a site nearby', () => {
    expect(nearestSites(REPORT, 'fs/demo/inode.c', 100, 1).map((site) => site.line)).toEqual([105]);
    expect(nearestSites(REPORT, 'fs/demo/inode.c', 1, 5).map((site) => site.line)).toEqual([5, 105]);
    expect(nearestSites(REPORT, 'fs/demo/none.c', 1, 5)).toEqual([]);
  });
});

describe('an explanation in words', () => {
  function text(target: Target, colour = false): string {
    return explainText(explanationOf(REPORT, target, 'x')!, { colour });
  }

  it('says that there may be more paths than are kept', () => {
    const [site] = REPORT.sites;
    const paths = Array.from({ length: MAX_PATHS }, () => site!.paths[0]!);
    const report = { ...REPORT, sites: [{ ...site!, paths }] };
    const target: Target = { kind: 'place', file: site!.file, line: site!.line };
    expect(explainText(explanationOf(report, target, 'x')!, { colour: false })).toContain(
      '  The first 24 paths to it:\n',
    );
  });

  it('goes from reclaim to the lock, over the regions, to each path', () => {
    expect(text({ kind: 'name', name: 'map_sem' })).toMatchInlineSnapshot(`
      "demo_inode.map_sem
        Filesystem reclaim takes this lock while evicting an inode (super_operations.evict_inode):
          demo_evict_inode  fs/demo/super.c:20   calls demo_truncate
          demo_truncate     fs/demo/inode.c:200  acquires demo_inode.map_sem
        Chosen: 2 sites have no cover without it, all cheaper classes being there; 3 regions can have a scope.
        Held in 2 regions:
          fs/demo/dir.c:38    demo_create  scope proposed
          fs/demo/inode.c:88  demo_fill    no scope can be placed  released in another function

      Scopes
        fs/demo/dir.c:38  demo_create  proposed memalloc_nofs scope  lock demo_inode.map_sem

      fs/demo/dir.c:12:33: GFP_NOFS in demo_add_entry, argument of kmalloc
        scopable: every path is in a scope on demo_inode.map_sem
        1 path to it:
          1. inside the proposed scope of demo_create (fs/demo/dir.c:38), holding demo_inode.map_sem
             demo_create     fs/demo/dir.c:40  calls demo_add_entry through an operation table
             demo_add_entry  fs/demo/dir.c:12

      fs/demo/inode.c:105:7: GFP_NOFS in demo_read, argument of kzalloc
        partial: demo_fill holds demo_inode.map_sem and no scope can be placed
        3 paths to it:
          1. in no scope, and none can be placed, holding demo_inode.map_sem
             demo_fill  fs/demo/inode.c:90   calls demo_read
             demo_read  fs/demo/inode.c:105
          2. in no scope, and no reclaim lock is held
             demo_readahead  fs/demo/inode.c:130  calls demo_read by the name of the field only
             demo_read       fs/demo/inode.c:105
          3. who calls this is not known
             demo_read  fs/demo/inode.c:105
      "
    `);
  });

  it('of a site in an existing scope names that scope', () => {
    expect(text(place('fs/demo/journal.c', 60))).toMatchInlineSnapshot(`
      "fs/demo/journal.c:60:9: GFP_NOIO in demo_log, argument of mempool_alloc
        covered: every path is in the scope of demo_commit
        1 path to it:
          1. inside the existing scope of demo_commit (fs/demo/journal.c:50)
             demo_commit  fs/demo/journal.c:52  calls demo_log
             demo_log     fs/demo/journal.c:60

      Scopes
        fs/demo/journal.c:50  demo_commit  existing memalloc_noio scope  transaction
          demo_commit  fs/demo/journal.c:50  calls demo_begin
          demo_begin   fs/demo/journal.c:14  calls memalloc_noio_save
      "
    `);
  });

  it('of a site counts the regions that are not on the way to it', () => {
    const [lock] = REPORT.locks;
    const far = Array.from({ length: 9 }, (_, i) => ({
      ...lock!.regions[1]!,
      function: `demo_far_${i}`,
      state: i === 0 ? ('no-alloc' as const) : ('refused' as const),
    }));
    const report = { ...REPORT, locks: [{ ...lock!, regions: [...lock!.regions, ...far] }] };
    const of = (target: Target) => explainText(explanationOf(report, target, 'x')!);
    expect(of(place('fs/demo/dir.c', 12))).toMatch(
      /^fs\/demo\/dir\.c:12:33[\s\S]*Held in 11 regions:\n {4}fs\/demo\/dir\.c:38 +demo_create .*\n {4}more: 9 no scope can be placed, 1 nothing allocates; to see them, explain demo_inode\.map_sem\n$/,
    );
    expect(of({ kind: 'name', name: 'map_sem' })).toContain('demo_far_8');
  });

  it('of a site names locks that it only may meet', () => {
    const [lock] = REPORT.locks;
    const others = Array.from({ length: 9 }, (_, i) => ({ ...lock!, lock: `a_${i}.lock` }));
    const [site] = REPORT.sites.filter((one) => one.id === 'fs/demo/inode.c:105:7');
    const [path] = site!.paths;
    const all = others.map((one) => one.lock);
    const paths = [{ ...path!, locks: [...all, lock!.lock] }];
    const report = { ...REPORT, locks: [...others, lock!], sites: [{ ...site!, paths }] };
    const said = explainText(explanationOf(report, place('fs/demo/inode.c', 105), 'x')!);
    expect(said).toContain(
      'holding a_0.lock, a_1.lock, a_2.lock, a_3.lock, a_4.lock, a_5.lock, a_6.lock, a_7.lock and 2 more\n',
    );
    expect(said.match(/^\S+\.(?:lock|map_sem)$/gm)).toEqual(['demo_inode.map_sem', ...all.slice(0, 3)]);
    expect(said).toMatch(
      /\n6 more reclaim locks on the way; to see one, explain it: a_3\.lock, .*a_8\.lock\n$/,
    );
  });

  it('of a site without paths says so', () => {
    expect(text(place('fs/demo/inode.c', 5))).toMatchInlineSnapshot(`
      "fs/demo/inode.c:5:20: GFP_NOFS | __GFP_ZERO outside functions
        opaque: the value of a macro whose users are not known
        No path to this site is known.
      "
    `);
  });

  it('says the same in colours', () => {
    const coloured = text({ kind: 'name', name: 'map_sem' }, true);
    expect(coloured).toContain('\x1b[33mpartial\x1b[39m');
    expect(stripVTControlCharacters(coloured)).toBe(text({ kind: 'name', name: 'map_sem' }));
  });
});

describe('an explanation as JSON', () => {
  it('has the schema that is published', async () => {
    const schema = `${JSON.stringify(z.toJSONSchema(explainSchema), null, 2)}\n`;
    await expect(schema).toMatchFileSnapshot(PUBLISHED.pathname);
  });

  it.each<Target>([
    { kind: 'name', name: 'map_sem' },
    place('fs/demo/journal.c', 60),
    place('fs/demo/inode.c', 5),
  ])('holds to it: %j', (target) => {
    const validate = new Ajv2020({ allErrors: true }).compile(JSON.parse(readFileSync(PUBLISHED, 'utf8')));
    const document = JSON.parse(JSON.stringify(explainDocument(explanationOf(REPORT, target, 'asked')!)));
    expect(validate(document) || validate.errors).toBe(true);
    expect(document.target).toBe('asked');
    expect(validate({ ...document, target: 1 })).toBe(false);
  });

  it('has the whole evidence', () => {
    const document = explainDocument(explanationOf(REPORT, place('fs/demo/inode.c', 105), 'x')!);
    expect(document.sites[0]!.paths).toEqual([
      {
        steps: [
          { function: 'demo_fill', file: 'fs/demo/inode.c', line: 90, edge: 'direct' },
          { function: 'demo_read', file: 'fs/demo/inode.c', line: 105, edge: null },
        ],
        outcome: 'lock-held',
        scope: null,
        locks: ['demo_inode.map_sem'],
      },
      expect.objectContaining({ outcome: 'lock-free' }),
      expect.objectContaining({ outcome: 'unknown' }),
    ]);
    expect(document.locks[0]).toMatchObject({
      entry: 'super_operations.evict_inode',
      regions: [
        { function: 'demo_create' },
        { function: 'demo_fill', reason: 'released in another function' },
      ],
    });
  });
});
