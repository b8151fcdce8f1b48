import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Report, Site } from '../../src/analysis/report.js';
import { extractFacts } from '../../src/parse/extract.js';
import type { FileFacts, FunctionFacts } from '../../src/parse/facts.js';
import { openKernelTree } from '../../src/tree/kernel-tree.js';
import { describeKernel } from '../kernel-trees.js';

/** Where code is planted: much of it is proven there, by scopes and without. */
const PATHS = ['fs/ubifs', 'fs/ntfs3', 'fs/btrfs', 'fs/f2fs', 'fs/afs'];

/** Ways in that hold no lock; `F` is the function, `A` what it is called with, `N` a name of its own. */
const WAYS_IN: readonly string[] = [
  'int N(void *x) { F(A); return 0; }',
  'int N(void *x) { if (x && !F(A)) return 1; return 0; }',
  'int N(void *x) { keep(F(A) + 1); return 0; }',
  'int N(void *x) { (*F)(A); return 0; }',
  'int N(void *x) { (&F)(A); return 0; }',
  'int N(void *x) { (0, F)(A); return 0; }',
  'int N(void *x) { (x ? F : F)(A); return 0; }',
  'int N(void *x) { ({ F; })(A); return 0; }',
  'int N(void *x) { ((typeof(F) *)F)(A); return 0; }',
  'int N(void *x) { typeof(F) *p = F; p(A); return 0; }',
  'int N(int i) { typeof(F) *t[] = { F, NULL }; t[i](A); return 0; }',
  'int N(void *x) { goto in; while (x) { in: F(A); } return 0; }',
  'int N(int x) { switch (x) { default: return 0; case 1: F(A); } return 0; }',
  '#ifdef CONFIG_N\nint N(void *x) { F(A); return 0; }\n#endif',
  '#define N_ALIAS F\nint N(void *x) { N_ALIAS(A); return 0; }',
  '#define N_CALL(...) F(__VA_ARGS__)\nint N(void *x) { N_CALL(A); return 0; }',
  '#define N_DO(x) do { x; } while (0)\nint N(void *x) { N_DO(F(A)); return 0; }',
  '#define N_RUN(f, ...) f(__VA_ARGS__)\nint N(void *x) { N_RUN(F, A); return 0; }',
  'static int __init N(void) { F(A); return 0; }\nlate_initcall(N);',
  'static void N(struct work_struct *w) { F(A); }\nstatic DECLARE_WORK(N_work, N);',
  'int N(void *x) { keep(F); return 0; }',
  'int N(void *x) { keep(x ? F : NULL); return 0; }',
  'int N(void *x) { typeof(F) *p = x; if (!p) p = F; keep(p ?: NULL); return 0; }',
  'int N(void *x) { keep(&(struct N_s){ .f = F }); return 0; }\nstruct N_s { typeof(F) *f; };',
  'int N(void *x) { struct N_s { typeof(F) *f; } e = { F }; keep(&e); return 0; }',
  'unsigned long N_g;\nint N(void *x) { N_g = (unsigned long)F; return 0; }',
  'void *N(void *x) { return (void *)F; }',
  'struct N_s { typeof(F) *f; };\nvoid N(struct N_s *s) { s->f = F; }',
  'struct N_ops { typeof(F) *f; };\nstruct N_ops N = { .f = F };',
  'struct N_in { struct { typeof(F) *f; } ops; };\nstruct N_in N[2] = { [1].ops.f = F };',
  'void *N[] = { NULL, F };',
  'static void *N_tab[] = { F };\nvoid **N(void) { return N_tab; }',
  'extern typeof(F) N __attribute__((alias("F")));',
  'DEFINE_FREE(N, void *, if (_T) F((void *)_T))',
  'int N(void *x) { void *p __attribute__((cleanup(F))) = x; return 0; }',
];

/** Those who hold a lock around a call (`S`). */
const HOLDERS: readonly string[] = [
  'int N(void *x) { mutex_lock(&N_l); S mutex_unlock(&N_l); return 0; }',
  'int N(void *x) { guard(mutex)(&N_l); S return 0; }',
  'int N(void *x) { scoped_guard(mutex, &N_l) { S } return 0; }',
  'static noinline void N_in(void *x) { S }\nint N(void *x) { mutex_lock(&N_l); N_in(x); mutex_unlock(&N_l); return 0; }',
  'static void N_lock(int m) { if (m & 1) mutex_lock(&N_l); }\nstatic void N_unlock(int m) { if (m & 1) mutex_unlock(&N_l); }\nint N(void *x) { N_lock(1); S N_unlock(1); return 0; }',
  'int N(void *x) { if (x) mutex_lock(&N_l); S if (x) mutex_unlock(&N_l); return 0; }',
  'int N(void *x) { if (!mutex_trylock(&N_l)) return 0; S mutex_unlock(&N_l); return 0; }',
  'int N(void *x) { if (mutex_lock_killable(&N_l)) return -EINTR; S mutex_unlock(&N_l); return 0; }',
  'int N(void *x) { if (!x) goto out; mutex_lock(&N_l); goto in; out: return 0; in: S mutex_unlock(&N_l); return 0; }',
  'static void N_cb(void *x) { S }\nstatic void N_run(void (*f)(void *), void *x) { f(x); }\nint N(void *x) { mutex_lock(&N_l); N_run(N_cb, x); mutex_unlock(&N_l); return 0; }',
  'int N(void *x) { struct mutex *m = &N_l; mutex_lock(m); S mutex_unlock(m); return 0; }',
  'static void N_take(struct mutex *m) { mutex_lock(m); }\nint N(void *x) { N_take(&N_l); S mutex_unlock(&N_l); return 0; }',
  'static int N_get(void *x) { mutex_lock(&N_l); if (x) return 0; mutex_unlock(&N_l); return -EINVAL; }\nint N(void *x) { int err = N_get(x); if (err) return err; S mutex_unlock(&N_l); return 0; }',
];

const TAKE = 'mutex_lock(&N_l); mutex_unlock(&N_l);';
const EVICT = 'static const struct super_operations N_so = { .evict_inode = N_evict };';

/** Those who come from reclaim and wait for the lock. */
const TAKERS: readonly string[] = [
  `static unsigned long N_scan(struct shrinker *s, struct shrink_control *c) { ${TAKE} return 0; }\nstatic struct shrinker N_sh = { .scan_objects = N_scan };`,
  `static unsigned long N_scan(struct shrinker *s, struct shrink_control *c) { ${TAKE} return 0; }\nint N_reg(void) { struct shrinker *s = shrinker_alloc(0, "x"); s->scan_objects = N_scan; shrinker_register(s); return 0; }`,
  `static void N_evict(struct inode *i) { ${TAKE} }\n${EVICT}`,
  `static int N_wp(struct page *p, struct writeback_control *w) { ${TAKE} return 0; }\nstatic const struct address_space_operations N_ao = { .writepage = N_wp };`,
  `static bool N_rf(struct folio *f, gfp_t g) { ${TAKE} return true; }\nstatic const struct address_space_operations N_ao = { .release_folio = N_rf };`,
  `static void N_w(struct work_struct *w) { ${TAKE} }\nstatic DECLARE_WORK(N_work, N_w);\nstatic void N_evict(struct inode *i) { flush_work(&N_work); }\n${EVICT}`,
  `static void N_2(struct inode *i) { if (i) { ${TAKE} } }\nstatic void N_evict(struct inode *i) { N_2(i); }\n${EVICT}`,
  `static DEFINE_MUTEX(N_o);\nint N_other(void) { mutex_lock(&N_o); ${TAKE} mutex_unlock(&N_o); return 0; }\nstatic void N_evict(struct inode *i) { mutex_lock(&N_o); mutex_unlock(&N_o); }\n${EVICT}`,
];

interface Planted {
  readonly verdict: string;
  readonly code: string;
  readonly sites: string[];
}

/** One analysis by the built program: its threads run the built parser. */
async function analysed(root: string): Promise<Report> {
  const module = new URL('../../dist/src/analysis/analyze.js', import.meta.url).href;
  const { analyze }: typeof import('../../src/analysis/analyze.js') = await import(module);
  const { report } = await analyze({
    tree: openKernelTree(root),
    paths: PATHS,
    jobs: availableParallelism(),
    transforms: ['lock-scope', 'covered', 'masks'],
  });
  return report;
}

/** Does a scope that the site rests on open outside of its function? */
function isProvenAbove(site: Site): boolean {
  return site.paths.every(({ steps }) => steps.length > 1) && site.paths.length > 0;
}

describeKernel('6.12', `code planted in ${PATHS.join(' ')}`, (tree) => {
  let copy: string;
  let before: Report;
  let after: Report;
  const planted = new Map<string, Planted>();

  /** Adds code to the end of the site's file, once for each function. */
  const plant = (site: Site, facts: FileFacts, codeFor: (fn: FunctionFacts, i: number) => string): void => {
    const key = `${site.file} ${site.function}`;
    const same = planted.get(key);
    if (same && same.verdict === site.verdict) same.sites.push(site.id);
    const fn = facts.functions.find(({ name, isMacro }) => name === site.function && !isMacro);
    if (same || !fn) return;
    const code = codeFor(fn, planted.size).replace(/\bN(?=\b|_)/g, `planted_${planted.size}`);
    planted.set(key, { verdict: site.verdict, code, sites: [site.id] });
    const file = path.join(copy, site.file);
    const text = readFileSync(file, 'latin1');
    // Another file than that of the tree, to which it is a link.
    unlinkSync(file);
    writeFileSync(file, `${text}\n${code}\n`, 'latin1');
  };

  beforeAll(async () => {
    before = await analysed(tree);
    copy = mkdtempSync(path.join(path.dirname(tree), 'planted-'));
    execFileSync('cp', ['-al', `${tree}/.`, copy]);
    for (const site of before.sites) {
      if (!site.file.endsWith('.c')) continue;
      const facts = extractFacts(site.file, readFileSync(path.join(tree, site.file), 'latin1'));
      const call = ({ name, params }: FunctionFacts): [string, string] => [
        name,
        params.map(() => '(void *)0').join(', '),
      ];
      if (site.verdict === 'scopable' && isProvenAbove(site))
        plant(site, facts, (fn, i) => {
          const [f, args] = call(fn);
          return WAYS_IN[i % WAYS_IN.length]!.replace(/\bF\b/g, f).replace(/\bA\b/g, args);
        });
      else if (site.verdict === 'lock-free')
        plant(site, facts, (fn, i) => {
          const [f, args] = call(fn);
          const holder = HOLDERS[i % HOLDERS.length]!.replace(/\bS\b/g, `${f}(${args});`);
          return `static DEFINE_MUTEX(N_l);\n${holder}\n${TAKERS[i % TAKERS.length]!}`;
        });
    }
    after = await analysed(copy);
  }, 1_200_000);

  afterAll(() => {
    if (copy !== undefined) rmSync(copy, { recursive: true });
  });

  /** Sites of that verdict around which code was planted, and what was, where they still have it. */
  const still = (verdict: Site['verdict']): { all: number; left: Record<string, string> } => {
    const is = new Map(after.sites.map((site) => [site.id, site.verdict]));
    const left: Record<string, string> = {};
    let all = 0;
    for (const { verdict: was, code, sites } of planted.values()) {
      if (was !== verdict) continue;
      all += sites.length;
      for (const id of sites) if ([verdict, 'covered', undefined].includes(is.get(id))) left[id] = code;
    }
    return { all, left };
  };

  it('a way in without a lock takes the proof by scopes away', () => {
    const { all, left } = still('scopable');
    expect(all).toBeGreaterThan(60);
    expect(left).toEqual({});
  });

  it('a lock that reclaim takes, too, takes the proof without scopes away', () => {
    const { all, left } = still('lock-free');
    expect(all).toBeGreaterThan(30);
    expect(left).toEqual({});
  });
});
