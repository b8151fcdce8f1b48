import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Report, Scope, Site, Step } from '../../src/analysis/report.js';
import {
  type Downgrade,
  type FileChange,
  type Plan,
  planWithout,
  type ScopePlan,
  type StatementRange,
} from '../../src/edit/plan.js';
import { renderPlan } from '../../src/edit/render.js';
import { mailDate, patchFileName, quotedPrintable, wrapText } from '../../src/output/mail.js';
import { planSeries, type SeriesPatch } from '../../src/output/series.js';
import { seriesCover } from '../../src/output/series-cover.js';
import {
  folderNames,
  formatSeries,
  type SeriesOptions,
  writeMails,
  writeSeries,
} from '../../src/output/series-files.js';
import { prefixIn, subjectPrefix, subsystemOf } from '../../src/output/subsystem.js';
import { isCi } from '../kernel-trees.js';

const OPTIONS: SeriesOptions = {
  from: { name: 'Dee Developer', email: 'dee@example.org' },
  date: new Date('2030-01-01T10:20:30Z'),
  version: '1.2.3',
};

/** One function of one file, with locks taken one inside the other and an allocation in the middle. */
function source(name: string, locks: readonly string[]): string {
  const lines = [`\tdown_write(&info->LOCK);`, `\tup_write(&info->LOCK);`];
  return [
    '#include <linux/sched/mm.h>',
    '',
    `int ${name}(struct demo_info *info)`,
    '{',
    '\tint ret;',
    '',
    ...locks.map((lock) => lines[0]!.replace('LOCK', lock)),
    '\tret = demo_alloc(info, GFP_NOFS);',
    ...[...locks].reverse().map((lock) => lines[1]!.replace('LOCK', lock)),
    '\treturn ret;',
    '}',
    '',
  ].join('\n');
}

const FILES: Record<string, string> = {
  'fs/demo/log.c': source('demo_log', ['table_lock', 'log_sem']),
  'fs/demo/dir.c': source('demo_dir', ['log_sem']),
  'fs/lib/lib.c': source('demo_lib', ['log_sem']),
  'mm/cache.c': source('demo_cache', []),
};

const CHAIN: Step[] = [
  { function: 'demo_evict_inode', file: 'fs/demo/inode.c', line: 10 },
  { function: 'demo_forget', file: 'fs/demo/log.c', line: 20 },
];

function range(file: string, text: string): StatementRange {
  const start = FILES[file]!.indexOf(text);
  expect(start).toBeGreaterThan(0);
  return { start, end: start + text.length };
}

function scope(file: string, name: string, lock: string): ScopePlan {
  const text = FILES[file]!;
  return {
    id: `${file}:${name}:demo_info.${lock}`,
    file,
    function: name,
    body: { start: text.indexOf('{'), end: text.lastIndexOf('}') + 1 },
    api: 'nofs',
    lock: `demo_info.${lock}`,
    lockText: `&info->${lock}`,
    reclaim: CHAIN,
    context: 'evicting an inode',
    saves: [{ at: 'before', statement: range(file, `down_write(&info->${lock});`) }],
    restores: [{ at: 'after', statement: range(file, `up_write(&info->${lock});`) }],
  };
}

function downgrade(file: string, name: string, scopes: readonly ScopePlan[]): Downgrade {
  return {
    ...range(file, 'GFP_NOFS'),
    site: `${file}:8:26`,
    file,
    function: name,
    replacement: 'GFP_KERNEL',
    scopes: scopes.map((s) => s.id),
    transform: 'test',
  };
}

const SCOPES = {
  logTable: scope('fs/demo/log.c', 'demo_log', 'table_lock'),
  log: scope('fs/demo/log.c', 'demo_log', 'log_sem'),
  dir: scope('fs/demo/dir.c', 'demo_dir', 'log_sem'),
  lib: scope('fs/lib/lib.c', 'demo_lib', 'log_sem'),
};

const PLAN: Plan = {
  removals: [],
  // In no helpful order.
  scopes: [SCOPES.logTable, SCOPES.lib, SCOPES.dir, SCOPES.log],
  downgrades: [
    downgrade('mm/cache.c', 'demo_cache', [SCOPES.lib, SCOPES.dir]),
    downgrade('fs/demo/log.c', 'demo_log', [SCOPES.log, SCOPES.logTable]),
    downgrade('fs/demo/dir.c', 'demo_dir', [SCOPES.dir]),
    { ...downgrade('fs/lib/lib.c', 'demo_lib', []), scopes: ['fs/lib/lib.c:1'] },
  ],
};

const REPORT: Report = {
  tree: { root: '/nowhere', version: '6.1.0' },
  sites: PLAN.downgrades.map(
    (d): Site => ({
      id: d.site,
      file: d.file,
      line: 8,
      column: 26,
      start: d.start,
      end: d.end,
      edit: null,
      function: d.function,
      flag: 'GFP_NOFS',
      api: 'nofs',
      call: 'demo_alloc',
      verdict: 'scopable',
      reason: '',
      scopes: d.scopes,
      kept: '',
      paths: [],
    }),
  ),
  scopes: [],
  locks: [],
  unresolved: 0,
  skipped: [],
};

const render = (plan: Plan): FileChange[] =>
  renderPlan(plan, (file) => FILES[file]!, { provides: () => true });

const planPatches = (...args: Parameters<typeof planSeries>): SeriesPatch[] =>
  planSeries(...args).flatMap((part) => part.patches);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'series-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('planPatches', () => {
  const patches = planPatches(PLAN, render, REPORT);

  it('makes a patch of the scopes of a class in a subsystem, then of the flags that need no others', () => {
    expect(patches.map((p) => [p.subject, p.changes.map((c) => c.file)])).toEqual([
      ['demo: open NOFS scopes where log_sem is taken', ['fs/demo/dir.c', 'fs/demo/log.c']],
      ['demo: drop GFP_NOFS inside the log_sem scope', ['fs/demo/dir.c']],
      ['demo: open a NOFS scope where table_lock is taken', ['fs/demo/log.c']],
      ['demo: drop GFP_NOFS inside the log_sem and table_lock scopes', ['fs/demo/log.c']],
      ['lib: open a NOFS scope where log_sem is taken', ['fs/lib/lib.c']],
      ['lib: drop GFP_NOFS inside existing scopes', ['fs/lib/lib.c']],
      ['mm: drop GFP_NOFS inside the log_sem scopes', ['mm/cache.c']],
    ]);
  });

  it('adds up to the whole, each patch on top of the one before', () => {
    const state = new Map(Object.entries(FILES));
    for (const patch of patches) {
      for (const change of patch.changes) {
        expect(state.get(change.file)).toBe(change.before);
        state.set(change.file, change.after);
      }
    }
    const whole = new Map(render(PLAN).map((change) => [change.file, change.after]));
    for (const file of Object.keys(FILES)) expect(state.get(file)).toBe(whole.get(file));
    expect(whole.get('fs/demo/log.c')).toContain('nofs_flags2');
  });

  it('renames no variable of an earlier patch', () => {
    for (const patch of patches.filter((p) => p.subject.includes(' open '))) {
      const removed = patch.changes.flatMap(({ before, after }) => {
        const kept = after.split('\n');
        return before.split('\n').filter((line) => !kept.includes(line));
      });
      expect(removed).toEqual([]);
    }
  });

  it('drops no flag before the last scope that it needs', () => {
    const open = new Set<string>();
    for (const patch of patches) {
      if (patch.subject.includes(' open ')) {
        for (const s of PLAN.scopes) {
          if (patch.subject.includes(s.lock.split('.')[1]!) && patch.changes.some((c) => c.file === s.file)) {
            open.add(s.id);
          }
        }
      } else {
        for (const d of PLAN.downgrades.filter((d) => patch.changes.some((c) => c.file === d.file))) {
          const proposed = d.scopes.filter((id) => PLAN.scopes.some((s) => s.id === id));
          expect(proposed.filter((id) => !open.has(id))).toEqual([]);
        }
      }
    }
    expect(open.size).toBe(PLAN.scopes.length);
  });

  it('tells the lock, the chain, the functions and what they cover', () => {
    expect(patches[0]!.body).toBe(
      [
        'Memory reclaim takes demo_info.log_sem while evicting an inode:',
        '',
        '  demo_evict_inode()  fs/demo/inode.c:10',
        '  -> demo_forget()    fs/demo/log.c:20',
        '',
        'demo_dir() holds log_sem across allocations. One that enters filesystem',
        'reclaim could come back to demo_forget() and wait there for its own task.',
        '',
        'Open NOFS scopes where the lock is taken, in:',
        '',
        '  demo_dir()  fs/demo/dir.c',
        '  demo_log()  fs/demo/log.c',
        '',
        'They cover 3 allocations that have a mask of their own today, in',
        'demo_cache(), demo_log() and demo_dir().',
      ].join('\n'),
    );
  });

  it('tells where the ways to a mask that is dropped begin', () => {
    const steps = ['demo_dir', 'demo_find', 'demo_cache'].map((name, i) => ({
      function: name,
      file: 'mm/cache.c',
      line: i,
    }));
    const existing: Scope = {
      id: 'fs/lib/lib.c:1',
      file: 'fs/lib/lib.c',
      function: 'demo_lib',
      line: 1,
      api: 'nofs',
      lock: '',
      kind: 'transaction',
      state: 'existing',
      reclaim: [],
      opens: ['demo_lib', 'demo_start', 'start_it'].map((name) => ({ function: name, file: 'f.c', line: 1 })),
    };
    const report: Report = {
      ...REPORT,
      scopes: [existing],
      sites: REPORT.sites.map((site) =>
        site.file === 'mm/cache.c'
          ? { ...site, paths: [{ steps, outcome: 'proposed', scope: SCOPES.dir.id, locks: [] }] }
          : site,
      ),
    };
    const told = planPatches(PLAN, render, report);
    expect(told.at(-1)!.body).toBe(
      [
        'The GFP_NOFS allocation in demo_cache() is reached only inside the new',
        'log_sem scopes of demo_lib() and demo_dir(), for instance demo_dir() ->',
        'demo_find() -> demo_cache().',
      ].join('\n'),
    );
    expect(told.at(-2)).toMatchObject({
      subject: 'lib: drop GFP_NOFS in the scopes of demo_start()',
      body: 'demo_lib() allocates with GFP_NOFS inside its own demo_start() scope.',
    });
  });

  it('groups the ways to masks by what opens the scopes', () => {
    const task = { how: 'waited' as const, on: '', steps: CHAIN, context: '' };
    const worker: ScopePlan = { ...SCOPES.lib, id: 'worker', lock: 'demo_lib()', task };
    const plan: Plan = {
      removals: [],
      scopes: [SCOPES.dir, SCOPES.log, worker],
      downgrades: [
        downgrade('fs/demo/dir.c', 'demo_dir', [SCOPES.dir]),
        downgrade('fs/demo/log.c', 'demo_log', [SCOPES.log]),
        downgrade('mm/cache.c', 'demo_cache', [SCOPES.dir, SCOPES.log, worker]),
      ],
    };
    const sites = REPORT.sites.map((site) => ({
      ...site,
      scopes: plan.downgrades.find((d) => d.site === site.id)?.scopes ?? [],
    }));
    const one = { subsystemOf: () => 'all', prefixOf: () => 'all' };
    const told = planSeries(plan, render, { ...REPORT, sites }, one).flatMap((part) => part.patches);
    expect(told.map(({ subject, body }) => [subject, body])).toEqual([
      ['all: open NOFS scopes where log_sem is taken', expect.stringContaining('Open NOFS scopes')],
      [
        'all: drop GFP_NOFS inside the log_sem scopes',
        'demo_dir() and demo_log() allocate with GFP_NOFS inside their own new\nlog_sem scopes.',
      ],
      [
        'all: run demo_lib() in a NOFS scope',
        expect.stringContaining('1 allocation below it, in demo_cache(), needs no\nmask of its own then.'),
      ],
      [
        'all: drop GFP_NOFS inside the log_sem and demo_lib() scopes',
        [
          'The GFP_NOFS allocation in demo_cache() is reached only inside:',
          '',
          '  - the new log_sem scopes of demo_dir() and demo_log()',
          '  - the new task scope of demo_lib()',
        ].join('\n'),
      ],
    ]);
  });

  it('says what of a lock gets no scope, and which scope covers nothing yet', () => {
    const region = { file: 'fs/demo/dir.c', function: 'demo_stat', line: 1, reason: '' };
    const report: Report = {
      ...REPORT,
      locks: [
        {
          lock: 'demo_info.log_sem',
          api: 'nofs',
          entry: '',
          context: '',
          chain: [],
          choice: '',
          regions: [
            { ...region, state: 'no-alloc' },
            { ...region, function: 'demo_sync', state: 'existing' },
            { ...region, function: 'demo_odd', state: 'refused', reason: 'no place for the restore' },
            { ...region, function: 'demo_far', file: 'fs/far.c', state: 'no-alloc' },
          ],
        },
      ],
    };
    const [patch] = planPatches({ scopes: [SCOPES.dir], downgrades: [], removals: [] }, render, report);
    const said = patch!.body.split('\n\n').slice(5);
    expect(said.map((paragraph) => paragraph.replace(/\n/g, ' '))).toEqual([
      'No mask is dropped for this scope alone: it makes the rule hold wherever log_sem is held.',
      'demo_sync() takes the lock inside a scope already.',
      'Nothing is allocated with the lock held by demo_stat(), which stays as it is.',
      'demo_odd() gets none: no place for the restore.',
    ]);
  });

  it('keeps subjects and bodies within 75 columns', () => {
    const long = {
      ...SCOPES.dir,
      lock: `demo_information_of_a_mount.${'very_long_name_'.repeat(4)}sem`,
    };
    const one = planPatches({ scopes: [long], downgrades: [], removals: [] }, render, REPORT);
    for (const patch of [...patches, ...one]) {
      expect(patch.subject.length).toBeLessThanOrEqual(75);
      for (const line of patch.body.split('\n')) {
        if (!line.includes('very_long_name')) expect(line.length).toBeLessThanOrEqual(75);
      }
    }
    expect(one).toHaveLength(1);
  });

  it('tells locks of the same field name apart', () => {
    const other = { ...SCOPES.log, id: 'x', lock: 'other_info.log_sem' };
    const two = planPatches({ scopes: [SCOPES.dir, other], downgrades: [], removals: [] }, render, REPORT);
    expect(two.map((p) => p.subject)).toEqual([
      'demo: open a NOFS scope where log_sem is taken',
      'demo: open a NOFS scope where other_info.log_sem is taken',
    ]);
  });

  it('puts lock-free sites into a patch of their own', () => {
    const free = { ...downgrade('mm/cache.c', 'demo_cache', []), scopes: [], transform: 'lock-free' };
    const [patch] = planPatches({ scopes: [], downgrades: [free], removals: [] }, render, REPORT);
    expect(patch!.subject).toBe('mm: drop GFP_NOFS where no reclaim lock is held');
    expect(patch!.body).toMatch(/^No path to demo_cache\(\) holds a lock/);
  });

  it('says which locks other callers hold, and comes behind their scopes', () => {
    const free = { ...downgrade('mm/cache.c', 'demo_cache', [SCOPES.dir]), transform: 'lock-free' };
    const patches = planPatches({ scopes: [SCOPES.dir], downgrades: [free], removals: [] }, render, REPORT);
    expect(patches).toHaveLength(2);
    expect(patches[1]!.subject).toBe('mm: drop GFP_NOFS where no reclaim lock is held');
    expect(patches[1]!.body.replace(/\n/g, ' ')).toMatch(
      /^Some callers hold .*: these are in a scope now\. No other path to demo_cache\(\) holds a lock/,
    );
  });

  it('lists where the paths without a lock begin, and no others', () => {
    const free = { ...downgrade('mm/cache.c', 'demo_cache', []), transform: 'lock-free' };
    const path = (name: string, outcome: 'lock-free' | 'existing') => ({
      steps: [{ function: name, file: 'mm/cache.c', line: 1 }],
      outcome,
      locks: [],
    });
    const paths = [path('demo_free', 'lock-free'), path('demo_scoped', 'existing')];
    const sites = REPORT.sites.map((site) => (site.id === free.site ? { ...site, paths } : site));
    const [patch] = planPatches({ scopes: [], downgrades: [free], removals: [] }, render, {
      ...REPORT,
      sites,
    });
    expect(patch!.body).toContain('demo_free()');
    expect(patch!.body).not.toContain('demo_scoped()');
  });

  it('says what the user has to answer for where no lock is held', () => {
    const free = { ...downgrade('mm/cache.c', 'demo_cache', []), scopes: [], transform: 'lock-free' };
    const bodyWith = (more: object): string => {
      const sites = REPORT.sites.map((site) => (site.id === free.site ? { ...site, ...more } : site));
      const [patch] = planPatches({ scopes: [], downgrades: [free], removals: [] }, render, {
        ...REPORT,
        sites,
      });
      return patch!.body.replace(/\n/g, ' ');
    };
    expect(bodyWith({ given: ['demo_res.event', 'demo_io.wait'] })).toContain(
      'takes for granted that no task which may wait for reclaim holds up demo_res.event or demo_io.wait.',
    );
    expect(bodyWith({})).not.toContain('takes for granted');
  });

  it('names the kind where masks have several forms', () => {
    const free = { ...downgrade('mm/cache.c', 'demo_cache', []), scopes: [], transform: 'lock-free' };
    const form = { ...free, site: 'form' };
    const sites = REPORT.sites.filter((site) => site.id === free.site);
    const both = { ...REPORT, sites: [...sites, { ...sites[0]!, id: 'form', flag: '~__GFP_FS' }] };
    const plan = { scopes: [], downgrades: [free, form], removals: [] };
    const [patch] = planPatches(plan, render, both);
    expect(patch!.subject).toBe('mm: drop NOFS masks where no reclaim lock is held');
    expect(patch!.body.replace(/\n/g, ' ')).toContain('there is nothing that NOFS keeps reclaim away from');
  });

  it('removes a parameter in a patch of its own, behind the masks of its calls', () => {
    const removal = (function_: string, calls: number, ...sites: string[]) => ({
      kind: 'parameter' as const,
      scopes: [],
      file: 'fs/demo/log.c',
      function: function_,
      parameter: 'gfp',
      calls,
      sites,
      edits: [{ start: 0, end: 1, text: `\n${FILES['fs/demo/log.c']![0]}` }],
    });
    const { downgrades } = PLAN;
    const own = downgrades.find((d) => d.function === 'demo_log')!;
    const plan: Plan = { ...PLAN, removals: [removal('demo_buffer', 3, own.site)] };
    const patches = planPatches(plan, render, REPORT);
    const at = patches.findIndex(({ subject }) => subject.includes('parameter'));
    expect(patches[at]!.subject).toBe('demo: remove the gfp parameter of demo_buffer()');
    expect(patches[at]!.body.replace(/\n/g, ' ')).toBe(
      'All 3 calls of demo_buffer() pass GFP_KERNEL now that demo_log() does. So the parameter says nothing any more: ' +
        'remove it, and let the function allocate with GFP_KERNEL by itself.  No functional change.',
    );
    const drops = patches.findIndex(({ body }) => body.includes('demo_log()'));
    expect(drops).toBeLessThan(at);
    expect(seriesCover({ plan }, REPORT).body.replace(/\n/g, ' ')).toContain(
      'Every call of demo_buffer() passes GFP_KERNEL then; the parameter goes in patches of their own, which can be left out.',
    );
  });

  it('says of a scope around an allocator what that does not honour', () => {
    const unheeded: ScopePlan = { ...SCOPES.dir, lock: '__vmalloc()', unheeded: '__vmalloc', reclaim: [] };
    const [patch] = planPatches({ scopes: [unheeded], downgrades: [], removals: [] }, render, REPORT);
    expect(patch!.subject).toBe('demo: open a NOFS scope around __vmalloc() in demo_dir()');
    expect(patch!.body.replace(/\n/g, ' ')).toContain(
      'So GFP_NOFS does not keep reclaim from recursing in demo_dir().  Open a NOFS scope around the call: every',
    );
  });

  it('takes a scope around a single call away in a patch of its own', () => {
    const inner = {
      kind: 'scope' as const,
      file: 'fs/demo/log.c',
      function: 'demo_log',
      id: 'fs/demo/log.c:9',
      api: 'nofs' as const,
      call: 'demo_fill',
      sites: [],
      scopes: [SCOPES.log.id, 'fs/elsewhere.c:1'],
      edits: [{ start: 0, end: 1, text: `\n${FILES['fs/demo/log.c']![0]}` }],
    };
    const plan: Plan = { ...PLAN, removals: [inner] };
    const patch = planPatches(plan, render, REPORT).find(({ subject }) => subject.includes('remove'));
    expect(patch!.subject).toBe('demo: remove the NOFS scope around demo_fill() in demo_log()');
    expect(patch!.body.replace(/\n/g, ' ')).toContain(
      `is inside the new ${SCOPES.log.lock.split('.').at(-1)} scope of demo_log(), where that is said.`,
    );
    expect(planWithout(plan, (edit) => edit.function === SCOPES.log.function).removals).toEqual([]);
  });

  it('drops a removal with the masks that it rests on', () => {
    const [first] = PLAN.downgrades;
    const removal = {
      kind: 'parameter' as const,
      file: 'f',
      function: 'f',
      parameter: 'gfp',
      calls: 1,
      sites: [first!.site],
      scopes: [],
      edits: [],
    };
    const plan: Plan = { ...PLAN, removals: [removal] };
    expect(planWithout(plan, () => false)).toEqual(plan);
    expect(planWithout(plan, (edit) => edit.function === first!.function).removals).toEqual([]);
  });

  it('claims no scope in the cover letter for what was dropped for want of a lock', () => {
    const free = { ...downgrade('mm/cache.c', 'demo_cache', []), scopes: [], transform: 'lock-free' };
    const checked = (plan: Plan) => {
      const cover = seriesCover({ plan }, REPORT);
      return [cover.subject, cover.body.split('\n\n').at(-1)!.replace(/\n/g, ' ')];
    };
    expect(checked({ scopes: [], downgrades: [free], removals: [] })).toEqual([
      'mm: drop allocation masks where no reclaim lock is held',
      '1 mask is gone for want of a lock: no path that is known holds one that reclaim takes. No scope is there should one be ' +
        'taken later. Nothing was compiled or run for this letter.',
    ]);
    const [, both] = checked({ ...PLAN, downgrades: [...PLAN.downgrades, free], removals: [] });
    expect(both).toContain(
      'every mask that is gone for the sake of scopes is inside one on all known paths.',
    );
    expect(both).toContain('1 mask is gone for want of a lock');
    expect(checked(PLAN)[1]).toContain('every mask that is gone is inside one on all known paths.');
    expect(checked(PLAN)[1]).not.toContain('for want of a lock');
  });

  it('keeps the parts of subsystems apart, and what rests on several for the end', () => {
    const grouping = {
      subsystemOf: (file: string) => (file.startsWith('fs/demo/') ? 'DEMO FS (Demonstration)' : 'LIB'),
      prefixOf: ([file]: readonly string[]) => `for ${file}`,
    };
    const parts = planSeries(PLAN, render, REPORT, grouping);
    const shown = parts.map(({ subsystem, after, patches }) => [subsystem, after, patches.length]);
    expect(shown).toEqual([
      ['DEMO FS (Demonstration)', [], 4],
      ['LIB', [], 2],
      [undefined, ['DEMO FS (Demonstration)', 'LIB'], 1],
    ]);
    expect(parts[0]!.patches[0]!.subject).toBe('for fs/demo/dir.c: open NOFS scopes where log_sem is taken');
    // A part by itself changes no file of another, and drops nothing that rests on one.
    for (const { subsystem, plan, patches } of parts.slice(0, 2)) {
      for (const file of patches.flatMap((patch) => patch.changes.map((change) => change.file)))
        expect(grouping.subsystemOf(file)).toBe(subsystem);
      const own = new Set(plan.scopes.map((s) => s.id));
      const elsewhere = PLAN.scopes.filter((s) => !own.has(s.id)).map((s) => s.id);
      expect(plan.downgrades.flatMap((d) => d.scopes).filter((id) => elsewhere.includes(id))).toEqual([]);
    }
    const cover = seriesCover(parts[2]!, REPORT, grouping);
    expect(cover.body.replace(/\n/g, ' ')).toContain(
      'is to be applied behind those for DEMO FS (Demonstration); LIB.',
    );
    expect(seriesCover(parts[0]!, REPORT, grouping).body).toContain('Of 2 sites in all, 2 are converted');
  });

  it('tells in the cover letter what is left alone because it is obsolete', () => {
    const [first, ...others] = PLAN.downgrades;
    const about = { plan: { ...PLAN, downgrades: others }, leftOut: new Set([first!.site]) };
    const body = seriesCover(about, REPORT).body.replace(/\n/g, ' ');
    expect(body).toContain(
      '1 is in code that MAINTAINERS calls obsolete, or rests on a scope there, and left alone.',
    );
    expect(body).not.toContain('of a kind that was not rewritten');
  });

  it('tells in the cover letter what stays and why', () => {
    const site = REPORT.sites[0]!;
    const held = (lock: string): Site => ({
      ...site,
      id: lock,
      verdict: 'partial',
      reason: `f() may hold ${lock} and no scope can be placed there`,
      paths: [{ steps: [], outcome: 'lock-held', locks: ['first.lock', lock] }],
    });
    const sites: Site[] = [
      ...REPORT.sites,
      held('a.one'),
      held('a.two'),
      held('a.two'),
      { ...site, id: 'o', verdict: 'opaque' },
      { ...site, id: 't', verdict: 'task', kept: 'nothing is known to make reclaim wait for it' },
    ];
    const { body } = seriesCover({ plan: PLAN }, { ...REPORT, sites });
    const said = body.split('\n\n').map((paragraph) => paragraph.replace(/\n/g, ' '));
    expect(said.slice(3, -1)).toEqual([
      'Of 9 sites in all, 4 are converted and 5 stay.',
      '3 are reached with a lock held that reclaim takes and for which no scope can be placed: a.two (2), a.one (1).',
      '1 is reached in ways that are not all known, or on a lock that is not.',
      '1 is in workers or kthreads: nothing is known to make reclaim wait for it.',
    ]);
  });

  it('has nothing for an empty plan', () => {
    expect(planPatches({ scopes: [], downgrades: [], removals: [] }, render, REPORT)).toEqual([]);
  });

  it('counts the sites of each lock class for the cover letter', () => {
    const cover = seriesCover({ plan: PLAN }, REPORT);
    expect(cover.subject).toBe("treewide: open NOFS scopes where reclaim's locks are taken");
    expect(cover.body).toContain(
      [
        '  lock class            api   scopes  sites before  after',
        '  demo_info.log_sem     NOFS       3             3      0',
        '  demo_info.table_lock  NOFS       1             1      0',
      ].join('\n'),
    );
    expect(cover.body).toContain('Of 4 sites in all, 4 are converted and 0 stay.');
  });
});

describe('the prefix of subjects in a history', () => {
  const times = (n: number, subject: string): string[] => Array.from({ length: n }, () => subject);
  it.each<[string[], string | undefined]>([
    [[...times(3, 'quota: fix'), ...times(2, 'fs: move')], 'quota'],
    [[...times(3, 'scsi: lpfc: Fix'), ...times(2, 'scsi: Change')], 'scsi: lpfc'],
    [[...times(5, 'dm crypt: change'), 'dm: other: y'], 'dm crypt'],
    // Too short a history, one without a custom, and subjects without a prefix.
    [times(2, 'quota: fix'), undefined],
    [[...times(3, 'quota: fix'), ...times(4, 'Linux 6.12')], undefined],
    [[], undefined],
  ])('%j: %s', (subjects, prefix) => {
    expect(prefixIn(subjects)).toBe(prefix);
  });
});

describe('the names of folders', () => {
  it('are plain and different', () => {
    const titles = [
      'ORACLE CLUSTER FILESYSTEM 2 (OCFS2)',
      'fs/quota',
      'FS QUOTA',
      undefined,
      '\u043b',
      'D\u00f6\u0301 / "x"',
    ];
    expect(folderNames(titles)).toEqual([
      'oracle-cluster-filesystem-2-ocfs2',
      'fs-quota',
      'fs-quota-2',
      'across-subsystems',
      'series',
      'do-x',
    ]);
  });
});

describe('subsystems', () => {
  it.each([
    [['fs/quota/quota_v2.c'], 'fs/quota', 'quota'],
    [['fs/xfs/libxfs/xfs_ag.c', 'fs/xfs/xfs_buf.c'], 'fs/xfs', 'xfs'],
    [['fs/inode.c'], 'fs', 'fs'],
    [['mm/vmscan.c'], 'mm', 'mm'],
    [['net/ceph/messenger.c'], 'net/ceph', 'ceph'],
    [['include/linux/quotaops.h'], 'include/linux', 'quotaops'],
    [['drivers/md/bcache/alloc.c'], 'drivers/md', 'bcache'],
    [['drivers/block/nbd.c'], 'drivers/block', 'nbd'],
    [['drivers/md/dm.c', 'drivers/md/raid5.c'], 'drivers/md', 'md'],
  ])('%j', (files, subsystem, prefix) => {
    expect(subsystemOf(files[0]!)).toBe(subsystem);
    expect(subjectPrefix(files)).toBe(prefix);
  });
});

describe('the mails', () => {
  const git = (cwd: string, ...args: string[]): string =>
    execFileSync('git', args, {
      cwd,
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_COMMITTER_NAME: 'C',
        GIT_COMMITTER_EMAIL: 'c@example.org',
        GIT_AUTHOR_NAME: 'Dee Developer',
        GIT_AUTHOR_EMAIL: 'dee@example.org',
        TZ: 'UTC',
      },
    });

  function repository(files: Record<string, string>): string {
    const tree = join(directory, 'tree');
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, file)), { recursive: true });
      writeFileSync(join(tree, file), content, 'latin1');
    }
    writeFileSync(join(tree, '.gitattributes'), '*.c diff=cpp\n');
    git(tree, 'init', '-q');
    git(tree, 'add', '-A');
    git(tree, 'commit', '-qm', 'tree');
    return tree;
  }

  async function applied(
    patches: SeriesPatch[],
    files: Record<string, string>,
    options: Partial<SeriesOptions> = {},
    ...flags: string[]
  ): Promise<string> {
    const tree = repository(files);
    const [, ...mails] = await writeSeries(join(directory, 'out'), patches, { ...OPTIONS, ...options });
    git(tree, 'am', '-q', ...flags, ...mails);
    for (const patch of patches) {
      for (const { file } of patch.changes) {
        const last = patches.flatMap((p) => p.changes).findLast((c) => c.file === file)!;
        expect(readFileSync(join(tree, file), 'latin1')).toBe(last.after);
      }
    }
    expect(git(tree, 'status', '--porcelain')).toBe('');
    return tree;
  }

  const mode = (): string => '100644';

  it('are what git am takes, in order', async () => {
    const patches = planPatches(PLAN, render, REPORT);
    const tree = await applied(patches, FILES, { signOff: true });
    expect(git(tree, 'log', '--reverse', '--format=%s', 'HEAD~7..').trim().split('\n')).toEqual(
      patches.map((p) => p.subject),
    );
    const message = `${patches.at(-1)!.body}\n\nGenerated-with: gfp-scope 1.2.3\nSigned-off-by: Dee Developer <dee@example.org>\n`;
    expect(git(tree, 'log', '-1', '--format=%b').trimEnd()).toBe(message.trimEnd());
    expect(git(tree, 'log', '-1', '--format=%an <%ae> %aI').trim()).toBe(
      'Dee Developer <dee@example.org> 2030-01-01T10:20:30+00:00',
    );
  });

  /** With names in the place of ids, in the order in which they are met; git dates a cover letter with the time of the call. */
  function compared(mails: readonly string[]): string[] {
    const ids: string[] = [];
    return mails.map((mail, i) => {
      const named = mail.replace(
        /^(?:Message-I[dD]: |In-Reply-To: |References: |\t)<(.*)>$/gm,
        (line, id: string) => {
          if (!ids.includes(id)) ids.push(id);
          return line.replace(id, `id ${ids.indexOf(id)}`).replace('-Id:', '-ID:');
        },
      );
      return i === 0 ? named.replace(/^(?:Date|From):.*\n/gm, '') : named;
    });
  }

  it.each<[string, Partial<SeriesOptions>, string[]]>([
    ['alone', {}, []],
    // Where both are given, older versions of git heed the last of them only.
    ['as a request for comments', { rfc: true }, ['--rfc']],
    [
      'with all options',
      {
        reroll: 2,
        subjectPrefix: 'PATCH demo-next',
        inReplyTo: 'first@example.org',
        to: [{ name: '', email: 'list@example.org' }],
        cc: [
          { name: 'One', email: 'one@example.org' },
          { name: 'Two, Jr.', email: 'two@example.org' },
        ],
      },
      [
        '-v2',
        '--subject-prefix=PATCH demo-next',
        '--in-reply-to=<first@example.org>',
        '--to=list@example.org',
        '--cc=One <one@example.org>',
        '--cc="Two, Jr." <two@example.org>',
        '--base=HEAD~7',
      ],
    ],
  ])('are what git format-patch writes, %s', async (_, options, flags) => {
    const patches = planPatches(PLAN, render, REPORT);
    const cover = { coverSubject: '*** SUBJECT HERE ***', coverBody: '*** BLURB HERE ***' };
    const tree = await applied(patches, FILES, { ...cover, mode });
    const ours = join(directory, 'ours');
    const base = flags.includes('--base=HEAD~7') ? { base: git(tree, 'rev-parse', 'HEAD~7').trim() } : {};
    await writeSeries(ours, patches, { ...OPTIONS, ...cover, mode, ...options, ...base });
    const theirs = join(directory, 'theirs');
    const format = ['--cover-letter', '--zero-commit', '--abbrev=12', '--signature=gfp-scope 1.2.3'];
    git(tree, 'format-patch', '-q', '--thread=shallow', ...format, ...flags, '-o', theirs, 'HEAD~7');
    const names = readdirSync(theirs).sort();
    expect(readdirSync(ours).sort()).toEqual(names);
    const mails = (from: string) => compared(names.map((name) => readFileSync(join(from, name), 'latin1')));
    expect(mails(ours)).toEqual(mails(theirs));
  });

  it('go to who is named, with names as RFC 2047 and 2822 ask', async () => {
    const cc = [
      { name: 'J\u00f6rg (Sub) D\u00f6', email: 'joerg@example.org' },
      { name: 'D. "Dee" Other', email: 'other@example.org' },
      { name: '', email: 'linux-demo@example.org' },
      OPTIONS.from,
    ];
    const options = { ...OPTIONS, recipients: () => cc, to: [{ name: 'Al', email: 'OTHER@example.org' }] };
    const files = await writeSeries(join(directory, 'out'), planPatches(PLAN, render, REPORT), options);
    for (const file of files)
      expect(readFileSync(file, 'latin1')).toContain(
        [
          '\nTo: Al <OTHER@example.org>',
          'Cc: =?UTF-8?q?J=C3=B6rg=20=28Sub=29=20D=C3=B6?= <joerg@example.org>,',
          '    linux-demo@example.org',
          '',
          '',
        ].join('\n'),
      );
  });

  it('go to lists only where a cover letter would have too many addresses', async () => {
    const everybody = Array.from({ length: 26 }, (_, i) => ({ name: `P ${i}`, email: `p${i}@example.org` }));
    const recipients = () => [...everybody, { name: '', email: 'list@example.org' }];
    const [cover, patch] = await writeSeries(join(directory, 'out'), planPatches(PLAN, render, REPORT), {
      ...OPTIONS,
      recipients,
    });
    expect(readFileSync(cover!, 'latin1')).toContain('\nCc: list@example.org\n');
    expect(readFileSync(patch!, 'latin1')).toContain('\nCc: P 0 <p0@example.org>,\n');
  });

  const sendEmail = spawnSync('git', ['send-email', '-h'], { encoding: 'utf8' });
  it.skipIf(!`${sendEmail.stdout}${sendEmail.stderr}`.includes('--dry-run') && !isCi())(
    'are what git send-email sends, as one thread (needs git-send-email)',
    async () => {
      const tree = repository(FILES);
      const files = await writeSeries(join(directory, 'out'), planPatches(PLAN, render, REPORT), {
        ...OPTIONS,
        to: [{ name: '', email: 'list@example.org' }],
        recipients: () => [{ name: 'J\u00f6rg D\u00f6, Jr.', email: 'joerg@example.org' }],
      });
      const send = ['--dry-run', '--confirm=never', '--smtp-server=/bin/false', '--suppress-cc=self'];
      const said = git(tree, 'send-email', '--from=Dee Developer <dee@example.org>', ...send, ...files);
      expect(said.match(/^Dry-OK\. Log says:$/gm)).toHaveLength(files.length);
      expect(
        said.match(/^RCPT TO:<joerg@example\.org>$|<joerg@example\.org>$/gm)?.length,
      ).toBeGreaterThanOrEqual(files.length);
      const [, cover] = /^Message-ID: (<cover.*>)$/im.exec(said) ?? [];
      expect(said.split('\n').filter((line) => line === `In-Reply-To: ${cover}`)).toHaveLength(
        files.length - 1,
      );
    },
  );

  const one = (
    file: string,
    before: string,
    after: string,
    subject = 'demo: change',
    body = 'Why.',
  ): SeriesPatch[] => [{ subject, body, changes: [{ file, before, after }] }];

  it.each<[string, string, string]>([
    ['CRLF line ends', 'a\r\nb\r\nc\r\n', 'a\r\nB = "=0D"\r\nc \r\n'],
    ['no last newline', 'a\nb', 'a\nB'],
    ['a last newline that was missing', 'a\nb', 'a\nb\n'],
    ['bytes that are no UTF-8', 'J\xf6rg\nb\n', 'J\xf6rg\n\xff\xfe\n'],
    ['UTF-8', 'J\xc3\xb6rg\nb\n', 'J\xc3\xb6rg\nB\n'],
    ['form feeds and trailing blanks', 'a\n\f\nb \t\n', 'a\n\f\nB \t\n'],
    [
      'CRLF and bytes that are no UTF-8, in long lines',
      `${'\xe9 '.repeat(90)}\r\nb\r\n`,
      `${'\xe9 '.repeat(90)}\r\nB\r\n`,
    ],
    ['lines that look like mail', 'From here\n-- \n---\nx\n', 'From there\n-- \n---\ny\n'],
  ])('carry %s through git am', async (_, before, after) => {
    await applied(one('fs/demo/a.c', before, after), { 'fs/demo/a.c': before });
  });

  it('carry CRLF through git am --keep-cr too', async () => {
    await applied(one('a.c', 'a\r\nb\r\n', 'a\r\nB\r\n'), { 'a.c': 'a\r\nb\r\n' }, {}, '--keep-cr');
  });

  it('carry names and texts beyond ASCII', async () => {
    const subject =
      'demo: l\u00f6se die Sperre, \u0434\u043b\u0438\u043d\u043d\u044b\u0439 \u0442\u0435\u043a\u0441\u0442 \u043f\u0440\u043e \u0431\u043b\u043e\u043a\u0438\u0440\u043e\u0432\u043a\u0443';
    const from = { name: 'J\u00f6rg D\u00f6', email: 'joerg@example.org' };
    const tree = await applied(
      one('a.c', 'J\xf6rg\n', 'j\xf6rg\n', subject, 'Gr\u00fc\u00dfe.'),
      { 'a.c': 'J\xf6rg\n' },
      { from },
    );
    const log = Buffer.from(git(tree, 'log', '-1', '--format=%an|%s|%b'), 'latin1').toString('utf8');
    expect(log.trim()).toBe(`${from.name}|${subject}|Gr\u00fc\u00dfe.\n\nGenerated-with: gfp-scope 1.2.3`);
    expect(readFileSync(join(directory, 'out', '0000-cover-letter.patch'), 'latin1')).toMatch(
      /^From: =\?UTF-8\?q\?J=C3=B6rg=20D=C3=B6\?= <joerg@example\.org>$/m,
    );
  });

  it('carry a name with specials, a long subject, and a message that looks like a patch', async () => {
    const from = { name: 'D. "Dee" Developer', email: 'dee@example.org' };
    const subject = 'demo: open NOFS scopes where demo_information.some_semaphore is taken now';
    const body = 'Why:\n\ndiff --git a/x b/x\n---\nFrom me';
    const tree = await applied(one('a.c', 'a\n', 'b\n', subject, body), { 'a.c': 'a\n' }, { from });
    expect(git(tree, 'log', '-1', '--format=%an|%s').trim()).toBe(`${from.name}|${subject}`);
    expect(git(tree, 'log', '-1', '--format=%b')).toMatch(
      /^Why:\n\n diff --git a\/x b\/x\n ---\n From me\n\n/,
    );
  });

  it('show the stat that git shows', async () => {
    const long = `fs/${'deep/'.repeat(14)}demo_file_with_a_long_name.c`;
    const many = Array.from({ length: 300 }, (_, i) => `line ${i}\n`).join('');
    const files = { [long]: many, 'a.c': 'a\nb\n', 'fs/b.c': 'x\n' };
    const patches: SeriesPatch[] = [
      {
        subject: 'demo: many',
        body: 'Why.',
        changes: [
          { file: 'a.c', before: 'a\nb\n', after: 'a\n' },
          { file: 'fs/b.c', before: 'x\n', after: `${'y\n'.repeat(40)}x\n` },
          { file: long, before: many, after: many.replace(/[1-3]\n/g, '$&++\n--\n') },
        ],
      },
    ];
    const tree = await applied(patches, files);
    const stat = git(tree, 'format-patch', '--stdout', '-1').split('\n---\n')[1]!.split('\n\n')[0]!;
    const mail = readFileSync(join(directory, 'out', '0001-demo-many.patch'), 'latin1');
    expect(mail.split('\n---\n')[1]!.split('\n\n')[0]).toBe(stat);
  });
});

describe('writeSeries', () => {
  const patches: SeriesPatch[] = [
    { subject: 'demo: one', body: 'Why.', changes: [{ file: 'a.c', before: 'a\n', after: 'b\n' }] },
    { subject: 'demo: two', body: 'Why.', changes: [{ file: 'a.c', before: 'b\n', after: 'c\n' }] },
  ];
  const out = (): string => join(directory, 'out');

  it('names the files as git does, and says which they are', async () => {
    const files = await writeSeries(out(), patches, OPTIONS);
    const names = ['0000-cover-letter.patch', '0001-demo-one.patch', '0002-demo-two.patch'];
    expect(files).toEqual(names.map((name) => join(out(), name)));
    expect(readdirSync(out()).sort()).toEqual(names);
    const mail = readFileSync(files[1]!, 'latin1');
    expect(mail.split('\n').slice(0, 9)).toEqual([
      'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001',
      expect.stringMatching(/^Message-ID: <[0-9a-f]{40}\.1893493230\.gfp-scope\.dee@example\.org>$/),
      expect.stringMatching(/^In-Reply-To: <cover-[0-9a-f]{12}\.1893493230\.gfp-scope\.dee@example\.org>$/),
      expect.stringMatching(/^References: <cover-/),
      'From: Dee Developer <dee@example.org>',
      'Date: Tue, 1 Jan 2030 10:20:30 +0000',
      'Subject: [PATCH 1/2] demo: one',
      '',
      'Why.',
    ]);
    expect(mail.endsWith('\n-- \ngfp-scope 1.2.3\n\n')).toBe(true);
  });

  it('replaces an earlier series, also what is no longer in it', async () => {
    await writeSeries(out(), patches, OPTIONS);
    writeFileSync(join(out(), '.0001-demo-one.patch.0123abcd'), 'left by a killed run');
    await writeSeries(out(), patches.slice(0, 1), OPTIONS);
    expect(readdirSync(out()).sort()).toEqual(['0000-cover-letter.patch', '0001-demo-one.patch']);
  });

  it('knows an earlier series in quoted-printable again', async () => {
    const crlf = [{ ...patches[0]!, changes: [{ file: 'a.c', before: 'a\r\n', after: 'b\r\n' }] }];
    await writeSeries(out(), crlf, OPTIONS);
    expect(await writeSeries(out(), crlf, OPTIONS)).toHaveLength(2);
  });

  it.each([
    ['notes.txt', 'mine'],
    ['0001-demo-one.patch', 'From 0123 Mon Sep 17 00:00:00 2001\nof somebody else\n-- \n2.39.5\n'],
  ])('refuses a directory that holds %s', async (name, content) => {
    mkdirSync(out());
    writeFileSync(join(out(), name), content);
    await expect(writeSeries(out(), patches, OPTIONS)).rejects.toThrow(
      `${out()} holds other files (${name}): nothing was written`,
    );
    expect(readdirSync(out())).toEqual([name]);
    expect(readFileSync(join(out(), name), 'utf8')).toBe(content);
  });

  it('leaves other files alone if it is forced', async () => {
    mkdirSync(out());
    writeFileSync(join(out(), 'notes.txt'), 'mine');
    await writeSeries(out(), patches, { ...OPTIONS, force: true });
    expect(readdirSync(out())).toHaveLength(4);
    expect(readFileSync(join(out(), 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('leaves what was there if a file cannot be written', async () => {
    await writeSeries(out(), patches, OPTIONS);
    const before = readdirSync(out()).map((name) => [name, readFileSync(join(out(), name), 'utf8')]);
    const open: typeof nodeFs.open = async (file, ...rest) => {
      if (String(file).includes('0002')) throw new Error('no space left on device');
      return nodeFs.open(file, ...rest);
    };
    const changed = patches.map((p) => ({ ...p, body: 'Another reason.' }));
    await expect(writeSeries(out(), changed, { ...OPTIONS, fs: { ...nodeFs, open } })).rejects.toThrow(
      /^cannot write the series: .*0002-demo-two\.patch: no space left on device$/,
    );
    expect(readdirSync(out()).map((name) => [name, readFileSync(join(out(), name), 'utf8')])).toEqual(before);
  });

  it('writes folders, and takes away those that an earlier run left', async () => {
    const [mail] = formatSeries(patches, OPTIONS);
    const named = (...names: string[]) => names.map((name) => ({ ...mail!, name }));
    const names = () => readdirSync(out(), { recursive: true }).map(String).sort();
    await writeMails(out(), named('a/0000-x.patch', 'b/0000-x.patch', 'b/v2-0000-x.patch'), {});
    expect(await writeMails(out(), named('a/0000-y.patch', 'c/0001-z.patch'), {})).toEqual([
      join(out(), 'a/0000-y.patch'),
      join(out(), 'c/0001-z.patch'),
    ]);
    // What is of another round stays.
    expect(names()).toEqual(['a', 'a/0000-y.patch', 'b', 'b/v2-0000-x.patch', 'c', 'c/0001-z.patch']);
    writeFileSync(join(out(), 'c/notes'), 'mine');
    await expect(writeMails(out(), named('0000-x.patch'), {})).rejects.toThrow('holds other files (c/notes)');
    await expect(
      writeMails(out(), named('d/0000-x.patch'), {
        force: true,
        fs: { ...nodeFs, open: async () => Promise.reject(new Error('full')) },
      }),
    ).rejects.toThrow('full');
    expect(names()).not.toContain('d');
  });

  it('says so where there is nothing to write, or no directory to be', async () => {
    await expect(writeSeries(out(), [], OPTIONS)).rejects.toThrow('there is nothing to make a series of');
    writeFileSync(out(), 'a file');
    await expect(writeSeries(out(), patches, OPTIONS)).rejects.toThrow(/^cannot write the series: .*EEXIST/);
  });
});

describe('the texts of a mail', () => {
  it('names files as git does', () => {
    expect(
      patchFileName(12, 'quota: open a NOFS scope where dqio_sem is taken, in all of its functions'),
    ).toBe('0012-quota-open-a-NOFS-scope-where-dqio_sem-is-taken-in-a.patch');
    expect(patchFileName(1, '...')).toBe('0001-patch.patch');
  });

  it('dates in UTC without a leading zero', () => {
    expect(mailDate(new Date('2030-01-01T00:00:00Z'))).toBe('Tue, 1 Jan 2030 00:00:00 +0000');
    expect(mailDate(new Date('2029-12-31T23:59:59Z'))).toBe('Mon, 31 Dec 2029 23:59:59 +0000');
  });

  it('fills paragraphs but not lists', () => {
    expect(wrapText('a b c d\n\n  a b c d\n  e', 5)).toBe('a b c\nd\n\n  a b c d\n  e');
  });

  it('encodes what quoted-printable cannot carry', () => {
    expect(quotedPrintable('a=b\r\nx \n\xe9\tz\n')).toBe('a=3Db=0D\nx=20\n=E9\tz\n');
    expect(quotedPrintable('From me')).toBe('=46rom me');
    expect(
      Math.max(
        ...quotedPrintable('\xe9'.repeat(100))
          .split('\n')
          .map((l) => l.length),
      ),
    ).toBeLessThanOrEqual(76);
  });
});
