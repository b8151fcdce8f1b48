import { describe, expect, it } from 'vitest';
import { Locks } from '../../src/analysis/locks.js';
import type { Edge, Index } from '../../src/index/link.js';
import { callsOf, functionIn, linked } from './linked.js';

const STRUCTS = `
struct super_block { void *s_fs_info; };
struct inode { struct super_block *i_sb; struct mutex i_lock; };
struct sb_info { struct mutex lock; struct { struct mutex inner; } part; struct map map; };
struct map { struct rw_semaphore sem; };
typedef struct sb_info sb_t;
DEFINE_MUTEX(big_lock);
`;

/** Class of the lock in the first `mutex_lock()` of `f`. */
function classOf(code: string): string {
  const index = linked({ 'fs/a/a.c': STRUCTS + code });
  const fn = functionIn(index, 'f');
  const { op } = fn.facts.cfg[callsOf(fn, 'mutex_lock')[0]!]!;
  return op.k === 'call' ? index.locks.lockClass(fn, op.args[0]!) : '';
}

describe('the class of a lock', () => {
  it('is that of the argument where a macro pastes its name', () => {
    const index = linked({
      'fs/a/a.c': `struct hdw { struct mutex big_mutex; int big_held; };
#define TAKE(x) do { mutex_lock(&x##_mutex); x##_held = 1; } while (0)
void f(struct hdw *hdw) { TAKE(hdw->big); }`,
    });
    const locks = new Locks(index);
    expect(locks.classes(functionIn(index, 'f'))).toEqual(['hdw.big_mutex']);
  });

  it.each([
    ['a field', 'void f(struct sb_info *s) { mutex_lock(&s->lock); }', 'sb_info.lock'],
    ['a field of a typedef', 'void f(sb_t *s) { mutex_lock(&s->lock); }', 'sb_info.lock'],
    ['a field of a local', 'void f(void) { struct sb_info s; mutex_lock(&s.lock); }', 'sb_info.lock'],
    ['a field of a field', 'void f(struct sb_info *s) { mutex_lock(&s->map.sem); }', 'map.sem'],
    [
      'a field of a struct without a name',
      'void f(struct sb_info *s) { mutex_lock(&s->part.inner); }',
      'sb_info.part.inner',
    ],
    ...['auto', '__auto_type', 'typeof(s)', '__typeof__(*s) *'].map((type): [string, string, string] => [
      `a field of a variable of the type of another: ${type}`,
      `void f(struct sb_info *s) { ${type} p = s; mutex_lock(&p->lock); }`,
      'sb_info.lock',
    ]),
    [
      'a field of a variable of which the type is not known',
      'void f(void) { auto p = unknown(); mutex_lock(&p->other); }',
      '',
    ],
    ['a global', 'void f(void) { mutex_lock(&big_lock); }', 'big_lock'],
    [
      'one of the function',
      'void f(void) { static DEFINE_MUTEX(own_lock); mutex_lock(&own_lock); }',
      'own_lock',
    ],
    [
      'a local pointer',
      'void f(struct sb_info *s) { struct mutex *m = &s->lock; mutex_lock(m); }',
      'sb_info.lock',
    ],
    [
      'a pointer with two meanings',
      'void f(struct sb_info *s, struct sb_info *t) { struct mutex *m = &s->lock; if (t) m = &big_lock; mutex_lock(m); }',
      '',
    ],
    [
      'a generic pointer',
      'void f(struct super_block *sb) { struct sb_info *s = sb->s_fs_info; mutex_lock(&s->lock); }',
      'sb_info.lock',
    ],
    [
      'the result of a function',
      'static inline struct sb_info *SB(struct super_block *sb) { return sb->s_fs_info; }\nvoid f(struct super_block *sb) { mutex_lock(&SB(sb)->lock); }',
      'sb_info.lock',
    ],
    [
      'the result of a prototype',
      'struct sb_info *SB(struct super_block *sb);\nvoid f(struct super_block *sb) { mutex_lock(&SB(sb)->lock); }',
      'sb_info.lock',
    ],
    [
      'the result of a macro',
      '#define SB(sb) ((struct sb_info *)(sb)->s_fs_info)\nvoid f(struct super_block *sb) { mutex_lock(&SB(sb)->lock); }',
      'sb_info.lock',
    ],
    [
      'a container',
      'void f(struct map *m) { mutex_lock(&container_of(m, struct sb_info, map)->lock); }',
      'sb_info.lock',
    ],
    [
      'a function that gives a lock',
      'static struct mutex *lock_of(struct sb_info *s) { return &s->lock; }\nvoid f(struct sb_info *s) { mutex_lock(lock_of(s)); }',
      'sb_info.lock',
    ],
    ['a parameter', 'void f(struct mutex *m) { mutex_lock(m); }', 'param:0'],
    ['one of each processor', 'void f(int cpu) { mutex_lock(&per_cpu(cpu_lock, cpu)); }', 'cpu_lock'],
    ['a global of a header that was not read', 'void f(void) { mutex_lock(&far_lock); }', 'far_lock'],
    ['what is not known', 'void f(void) { mutex_lock(&strange()->lock_of_nobody); }', ''],
  ])('%s', (_, code, expected) => {
    expect(classOf(code)).toBe(expected);
  });
});

const shown = (index: Index, edges: readonly Edge[]): string[] =>
  edges.map(({ from, how, kind, via }) =>
    [index.functions[from]!.facts.name, how, kind, via].filter((word) => word !== '').join(' '),
  );

describe('who calls a function', () => {
  const callersOf = (files: Record<string, string>, name: string): string[] => {
    const index = linked(files);
    return shown(index, index.callers[functionIn(index, name).id]!).sort();
  };

  it('by name, in its own file where there is one of that name', () => {
    const files = {
      'fs/a/a.c': 'static void g(void) { }\nvoid a(void) { g(); }\n',
      'fs/b/b.c': 'void b(void) { g(); }\n',
    };
    expect(callersOf(files, 'g')).toEqual(['a call direct']);
  });

  it('through the member of its own struct, not of another with a member of that name', () => {
    const text = `
struct ops { int (*find)(int); };
struct other { int (*find)(int); };
static int g(int x) { return x; }
const struct ops ops = { .find = g };
int a(struct ops *o) { return o->find(1); }
int b(struct other *o) { return o->find(1); }
`;
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual(['a table typed ops.find']);
  });

  it('through a member of its name, where the struct is not known, if the call fits it', () => {
    const text = `
struct page { int p; };
struct inode { int i; };
static int g(struct inode *inode, unsigned long at) { return 0; }
void set(void *o) { lookup(o)->find = g; }
int fits(struct inode *inode) { return lookup(inode)->find(inode, 1); }
int number(struct inode *inode, enum how how) { return lookup(inode)->find(inode, how); }
int few(struct inode *inode) { return lookup(inode)->find(inode); }
int other(struct page *page) { return lookup(page)->find(page, 1); }
static int h(struct page *page) { return 0; }
const struct table table = { .find = h };
`;
    const index = linked({ 'fs/a/a.c': text });
    expect(index.escaped.has(functionIn(index, 'g').id)).toBe(false);
    expect(index.unresolved.map(({ from }) => index.functions[from]!.facts.name)).toEqual(['few', 'other']);
    // Whoever calls that was not seen.
    expect(index.escaped.has(functionIn(index, 'h').id)).toBe(true);
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual([
      'fits table name ?.find',
      'number table name ?.find',
    ]);
  });

  it('is seen through no member but its own', () => {
    const index = linked({
      'fs/a/a.c': `
struct one { int (*find)(int); };
struct two { int (*find)(int); };
static int g(int x) { return x; }
const struct one one = { .find = g };
const struct two two = { .find = g };
int a(struct one *o) { return o->find(1); }
`,
    });
    const g = functionIn(index, 'g').id;
    expect(shown(index, index.callers[g]!)).toEqual(['a table typed one.find']);
    // Whoever calls through the other struct was not seen.
    expect(index.escaped.has(g)).toBe(true);
  });

  it('not in a program that is no part of the kernel', () => {
    const files = {
      'fs/a/a.c': 'void g(void) { }\nvoid a(void) { g(); }\n',
      'fs/a/mktable.c': 'void b(void) { g(); }\nint main(int argc, char **argv) { b(); return 0; }\n',
    };
    expect(callersOf(files, 'g')).toEqual(['a call direct']);
  });

  it('under the name that a macro makes nobody who was seen', () => {
    const text = `
#define CAT(a, b) a##b
int CAT(sub_, add)(int n) { return n; }
int a(void) { return CAT(x_, y)(1); }
`;
    const index = linked({ 'fs/a/a.c': text });
    const made = functionIn(index, 'CAT(sub_,add)');
    expect(index.callers[made.id]).toEqual([]);
    expect(index.escaped.has(made.id)).toBe(true);
    expect(made.facts.params).toEqual([['n', 'int']]);
  });

  it('through an assigned member', () => {
    const text = `
struct ops { int (*find)(int); };
static int g(int x) { return x; }
void set(struct ops *o) { o->find = g; }
int a(struct ops *o) { return o->find(1); }
`;
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual(['a table typed ops.find']);
  });

  it('as a callback: the one that hands it over, and through whom', () => {
    const text = `
static int walk(int (*fn)(int)) { return fn(1); }
static int g(int x) { return x; }
int a(void) { return walk(g); }
`;
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual(['a callback typed', 'walk through typed']);
    const index = linked({ 'fs/a/a.c': text });
    const walk = functionIn(index, 'walk');
    const handed = index.callers[functionIn(index, 'g').id]!.find((edge) => edge.how === 'callback')!;
    expect(handed.inner).toEqual([[{ fn: walk.id, node: callsOf(walk, 'fn')[0] }]]);
    expect(index.escaped.size).toBe(0);
  });

  it('as a callback that a table hands on', () => {
    const text = `
struct ops { int (*each)(int (*fn)(int)); };
static int walk(int (*fn)(int)) { return fn(1); }
const struct ops all = { .each = walk };
static int each(const struct ops *o, int (*fn)(int)) { return o->each(fn); }
static int g(int x) { return x; }
int a(const struct ops *o) { return each(o, g); }
`;
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual(['a callback typed', 'walk through typed']);
    const index = linked({ 'fs/a/a.c': text });
    const [handed] = index.callers[functionIn(index, 'g').id]!;
    expect(handed!.inner!.map((way) => way.map(({ fn }) => index.functions[fn]!.facts.name))).toEqual([
      ['each', 'walk'],
    ]);
    expect(index.escaped.size).toBe(0);
  });

  it('through a member in which its address is kept', () => {
    const text = `
struct work { int (*run)(int); };
static void keep(struct work *w, int (*run)(int)) { w->run = run; }
static int g(int x) { return x; }
void a(struct work *w) { keep(w, &g); }
int b(struct work *w) { return w->run(1); }
`;
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual(['b table typed work.run']);
    expect(linked({ 'fs/a/a.c': text }).escaped.size).toBe(0);
  });

  it('by nobody, of a member that no file calls, and says so', () => {
    const index = linked({
      'fs/a/a.c': `
struct ops { int (*read)(int); int (*write)(int); };
static int g(int x) { return x; }
const struct ops ops = { .read = g };
int b(const struct ops *o) { return o->write(1); }
`,
    });
    expect(index.whyEscaped(functionIn(index, 'g').id)).toBe(
      'it is stored in ops.read, which nobody was seen to call',
    );
  });

  it('through a member in which what a table leads to keeps it', () => {
    const text = `
struct ops { void (*keep)(struct request *r, int (*fn)(int)); };
struct request { int (*done)(int); const struct ops *ops; };
static void keep(struct request *r, int (*fn)(int)) { r->done = fn; }
const struct ops ops = { .keep = keep };
static int g(int x) { return x; }
void a(struct request *r) { r->ops->keep(r, g); }
int end(struct request *r) { return r->done(1); }
`;
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual(['end table typed request.done']);
    expect(linked({ 'fs/a/a.c': text }).escaped.size).toBe(0);
  });

  it('as a hook of a security module', () => {
    const calls = {
      'security/security.c': `int security_link(struct dentry *d, const char *name) { return call_int_hook(link, d, name); }
void security_free(struct inode *inode) { call_void_hook(free, inode); }
int security_get(struct inode *inode) { struct lsm_static_call *scall; lsm_for_each_hook(scall, get) return scall->hl->hook.get(inode); }`,
      'include/linux/lsm_hooks.h':
        'struct security_hook_list { union security_list_options hook; };\nstruct lsm_static_call { struct security_hook_list *hl; };',
    };
    const of = (hook: string): string[] => {
      const files = {
        ...calls,
        'security/a/lsm.c': `static int g(struct inode *inode) { return 0; }
static struct security_hook_list a_hooks[] __ro_after_init = { LSM_HOOK_INIT(other, other_fn), LSM_HOOK_INIT(${hook}, g), };`,
      };
      const index = linked(files);
      expect(index.escaped.has(functionIn(index, 'g').id)).toBe(hook === 'unknown');
      return callersOf(files, 'g');
    };
    expect(of('link')).toEqual(['security_link table typed security_list_options.link']);
    expect(of('free')).toEqual(['security_free table typed security_list_options.free']);
    expect(of('get')).toEqual(['security_get table typed security_list_options.get']);
    expect(of('unknown')).toEqual([]);
  });

  it('through a variable that may hold several functions', () => {
    const index = linked({
      'fs/a.c':
        'static int g(int x) { return x; }\nstatic int h(int x) { return -x; }\n' +
        'int a(int x) { int (*fn)(int); fn = h; if (x) fn = g; return fn(2); }',
    });
    const callersOf = (name: string): string[] =>
      index.callers[functionIn(index, name).id]!.map((edge) => index.functions[edge.from]!.facts.name);
    expect([callersOf('g'), callersOf('h')]).toEqual([['a'], ['a']]);
  });

  it.each([
    ['a member', 'int a(struct s *s) { int (*fn)(int) = s->fn; if (!fn) fn = g; return fn(1); }'],
    [
      'an argument',
      'static int a(int (*fn)(int)) { if (!fn) fn = g; return fn(1); }\nint b(void) { return a(h); }',
    ],
    [
      'a result',
      'int (*get(void))(int);\nint a(void) { int (*fn)(int) = get(); if (!fn) fn = g; return fn(1); }',
    ],
  ])('through a variable that may hold %s as well', (_, code) => {
    const text = `struct s { int (*fn)(int); };\nint g(int x) { return x; }\nint h(int x) { return -x; }\nconst struct s s = { .fn = h };\n`;
    expect(callersOf({ 'fs/a.c': text + code }, 'g')).toEqual(['a pointer typed']);
  });

  it('through a macro', () => {
    const text =
      '#define twice(x) (g(x) + g(x))\nstatic int g(int x) { return x; }\nint a(void) { return twice(1); }\n';
    expect(callersOf({ 'fs/a/a.c': text }, 'g')).toEqual(['twice call direct', 'twice call direct']);
  });
});

describe('a function that is a value', () => {
  const WORK = `
struct work { int (*run)(int); };
typedef int (*fn_t)(int);
static int g(int x) { return x; }
static int h(int x) { return -x; }
static void keep(struct work *w, int (*run)(int)) { w->run = run; }
int call(struct work *w) { return w->run(1); }
`;
  it.each([
    ['one of two, handed to what keeps it', 'void a(struct work *w, int x) { keep(w, x ? g : h); }'],
    ['one of two, assigned', 'void a(struct work *w, int x) { w->run = x ? 0 : g; }'],
    ['one of two in a variable', 'void a(struct work *w, int x) { fn_t f = x ? g : h; keep(w, f); }'],
    ['in parentheses and a cast', 'void a(struct work *w) { keep(w, ((fn_t)g)); }'],
    ['behind a comma', 'void a(struct work *w) { keep(w, (w->run = 0, g)); }'],
    ['in a condition', 'void a(struct work *w) { if ((w->run = g)) call(w); }'],
    ['in a local struct', 'void a(void) { struct work w = { g }; call(&w); }'],
  ])('%s, is called through the member', (_, code) => {
    const index = linked({ 'fs/a/a.c': WORK + code });
    const g = functionIn(index, 'g');
    expect(shown(index, index.callers[g.id]!)).toContain('call table typed work.run');
    expect(index.escaped.has(g.id)).toBe(false);
  });

  it.each([
    ['in a compound literal', 'void a(struct work *w) { *w = (struct work){ .run = g }; }'],
    ['in one without names', 'void a(struct work *w) { *w = (struct work){ g }; }'],
    ['in a local array', 'int a(int i) { fn_t t[] = { h, g }; return t[i](1); }'],
    ['in a pointer of the file', 'static fn_t hook = g;\nint a(void) { return hook(1); }'],
    ['returned, one of two', 'fn_t a(int x) { return x ? g : 0; }'],
    ['in the place of null', 'void a(struct work *w, fn_t f) { w->run = f ?: g; }'],
  ])('%s, has callers that are not known', (_, code) => {
    const index = linked({ 'fs/a/a.c': WORK + code });
    expect(index.escaped.has(functionIn(index, 'g').id)).toBe(true);
  });

  it('that has the name which a string says has none', () => {
    const index = linked({ 'fs/a/a.c': `${WORK}static const struct ops ops = { .name = "g", .run = h };` });
    expect(index.escaped.has(functionIn(index, 'g').id)).toBe(false);
  });

  it('that stands between quotes which are characters has callers that are not known', () => {
    const table = `static const struct work work = { .run = MAP('"', g, '"') };`;
    const index = linked({ 'fs/a/a.c': `${WORK}${table}` });
    expect(index.escaped.has(functionIn(index, 'g').id)).toBe(true);
  });

  it.each([
    ['that no header declares there has none', 'fs/b/list.h', 'fs/a/a.h', false],
    ['that one for all declares has unknown callers', 'fs/b/list.h', 'include/linux/a.h', true],
    ['of its own directory has unknown callers', 'fs/a/list.h', 'fs/a/a.h', true],
    ['has unknown callers if it is for all', 'include/linux/list.h', 'include/linux/a.h', true],
  ])('whose name stands in a list of names %s', (_, list, header, isEscaped) => {
    const index = linked({
      [list]: '#define ALL_COUNTERS() x(first, 0) x(shared, 1)\n',
      [header]: 'int shared(int x);\n',
      'fs/a/a.c': 'int shared(int x) { return x; }',
    });
    expect(index.escaped.has(functionIn(index, 'shared').id)).toBe(isEscaped);
  });

  it('of which only a header for user space has the name has none', () => {
    const header = '#define MAPPER(FN) FN(shared, 168)\n';
    const escaped = (file: string): boolean => {
      const index = linked({
        [file]: header,
        'include/linux/shared.h': 'int shared(int x);',
        'fs/a/a.c': 'int shared(int x) { return x; }',
      });
      return index.escaped.has(functionIn(index, 'shared').id);
    };
    expect(escaped('include/linux/map.h')).toBe(true);
    expect(escaped('include/uapi/linux/map.h')).toBe(false);
  });

  it('that is handed to a function with the name of a tracepoint, which keeps it, is called from there', () => {
    const index = linked({
      'fs/a/a.c': `${WORK}void trace_later(struct work *w, fn_t f) { w->run = f; }\nvoid a(struct work *w) { trace_later(w, g); }`,
    });
    expect(shown(index, index.callers[functionIn(index, 'g').id]!)).toContain('call table typed work.run');
  });

  it('that is only compared has none', () => {
    const index = linked({ 'fs/a/a.c': `${WORK}int a(fn_t f) { return f == g; }` });
    expect(index.escaped.has(functionIn(index, 'g').id)).toBe(false);
  });
});

describe('a function that is printed', () => {
  const escaped = (code: string): string[] => {
    const index = linked({
      'fs/a.c': `struct s { int (*fn)(int); };\nstatic int g(int x) { return x; }\n${code}\nint call(struct s *s) { return s->fn(1); }\nstruct s s = { .fn = g };\n`,
    });
    expect(shown(index, index.callers[functionIn(index, 'g').id]!)).toContain('call table typed s.fn');
    return [...index.escaped].map((id) => index.functions[id]!.facts.name);
  };
  it.each([
    ['by name', 'void a(void) { printk("%ps", g); }'],
    ['out of a member', 'void a(struct s *s) { pr_debug_ratelimited("%d %ps", 1, s->fn); }'],
    ['by a tracepoint', 'void a(struct s *s) { trace_a_failed(s, 1, s->fn); }'],
    [
      'by a macro with more arguments',
      '#define dout(fmt, ...) pr_debug("%s " fmt, "a", ##__VA_ARGS__)\nvoid a(struct s *s) { dout("%d %ps", 1, s->fn); }',
    ],
    [
      'by a macro with named ones',
      '#define say(l, fmt, args...) dev_err(l->dev, fmt, ## args)\nvoid a(struct s *s) { say(s, "%ps %ps", s, s->fn); }',
    ],
    [
      'by a function with a format',
      'void tell(int x, const char *fmt, ...) { }\nvoid a(struct s *s) { tell(1, "%d %ps", 1, s->fn); }',
    ],
  ])('%s', (_, code) => expect(escaped(code)).toEqual([]));
  it('out of a member that holds it for nothing else', () => {
    const code = `
struct shown { void *at; };
static int g(int x) { return x; }
static void keep(struct shown *s, void *at) { s->at = at; }
void a(struct shown *s) { keep(s, g); }
void show(struct seq_file *m, struct shown *s) { if (s->at) seq_printf(m, "%ps", s->at); }
`;
    expect(
      linked({
        'fs/a/a.c': `${code}
struct s { int (*fn)(int); };
struct s one = { .fn = g };
int b(struct shown *x, struct s *s) { keep(x, s->fn); return s->fn(1); }`,
      }).escaped.size,
    ).toBe(0);
    const escapes = (files: Record<string, string>): number => linked(files).escaped.size;
    expect(escapes({ 'fs/a/a.c': code })).toBe(0);
    expect(escapes({ 'fs/a/a.c': `${code}void *b(struct shown *s) { return s->at; }` })).toBe(1);
    expect(escapes({ 'fs/a/a.c': `${code}void b(struct shown *s) { run(s->at); }` })).toBe(1);
    expect(escapes({ 'include/linux/a.h': code })).toBe(1);
  });
  it.each([
    [
      'a macro that hands it to what is not there',
      '#define keep(x, ...) keep_all(x, __VA_ARGS__)\nvoid a(struct s *s) { keep(1, s->fn); }',
    ],
    ['a macro that does nothing known with it', '#define keep(x, ...) (x)\nvoid a(void) { keep(1, g); }'],
    ['a function that may read its arguments', 'void keep(int x, ...) { }\nvoid a(void) { keep(1, g); }'],
    [
      'one with a format in another place',
      'void keep(const char *fmt, int x, ...) { }\nvoid a(void) { keep("", 1, g); }',
    ],
  ])('but not %s', (_, code) => expect(escaped(code)).toEqual(['g']));
});

describe('a function in a variable', () => {
  const escaped = (code: string): string[] => {
    const index = linked({
      'fs/a/a.c': `
typedef int (*fn_t)(int);
struct s { fn_t fn; const fn_t *all; fn_t at; };
static int h(int x) { return x; }
static int g(int x) { return x; }
static struct s s0 = { .fn = h };
static int each(fn_t fn) { return fn(1); }
${code}`,
    });
    return [...index.escaped].map((id) => index.functions[id]!.facts.name);
  };
  const GIVEN = 'fn_t fn = s->fn; if (!fn) fn = g; fn(1);';
  it.each([
    ['called', ''],
    ['called as what it points to', 'if (x && fn != h) return (*fn)(x);'],
    ['handed to what calls it', 'each(fn); each((fn_t)fn);'],
    ['asked for in a value', 'x = fn == h; x = !fn;'],
  ])('that is %s and nothing else has known callers', (_, use) => {
    expect(escaped(`int a(struct s *s, int x) { ${GIVEN} ${use} return 0; }`)).toEqual([]);
  });
  it.each([
    ['one of two arguments', 'keep(x ? fn : NULL);'],
    ['an argument unless it is null', 'keep(fn ?: h);'],
    ['one of two values', 's->at = x ? fn : NULL;'],
    ['a value unless it is null', 's->at = fn ?: 0;'],
    ['what is returned, one of two', 'return x ? fn : 0;'],
    ['what is returned unless it is null', 'return fn ?: 0;'],
    ['a literal without names', '*s = (struct s){ fn };'],
    ['a literal with names', '*s = (struct s){ .at = fn };'],
    ['an array', 'fn_t t[2] = { fn }; keep(t);'],
    ['an array with indices', 'fn_t t[2] = { [1] = fn }; keep(t);'],
    ['a sum', 'keep((long)fn + 1);'],
    ['what is added', 'long l = 0; l += (long)fn; keep(l);'],
    ['what is inverted', 'keep(~(long)fn);'],
    ['a pointer to a struct', 'keep((struct s *)fn);'],
    ['the value of a block', 'keep(({ x++; fn; }));'],
    ['the value of a macro', 'keep(with(x, fn));'],
    ['a literal with names and a sum', 'struct s two = { .at = fn }; keep((long)fn + 1);'],
  ])('that stands in %s may be called by anybody', (_, use) => {
    const code = `#define with(x, fn) (test(x), fn)\nint a(struct s *s, int x) { ${GIVEN} ${use} return 0; }`;
    expect(escaped(code)).toContain('g');
    expect(
      escaped(
        `#define with(x, fn) (test(x), fn)\nint b(struct s *s, int x, fn_t fn) { ${use} return 0; }\nint a(struct s *s) { return b(s, 1, g); }`,
      ),
    ).toContain('g');
  });
  it('is lost in one of two bodies with one head, whatever the other does with it', () => {
    const own = 'struct s two = { .at = g }; return two.at(1);';
    const code = `#ifdef X\nint a(struct s *s) { ${own} }\n#else\nint a(struct s *s) { return keep((long)g + 1); }\n#endif`;
    expect(escaped(code)).toContain('g');
  });
  it('of which only the name stands in a sum may be called by anybody', () => {
    expect(escaped('int a(void) { return keep((long)g + 1); }')).toContain('g');
  });
  it('that is given to a member besides has the callers of that', () => {
    const code = `int a(struct s *s) { ${GIVEN} struct s two = { .at = fn }; return 0; }`;
    expect(escaped(`${code}\nint b(struct s *s) { return s->at(1); }`)).not.toContain('g');
  });
});

describe('a function in an array of its file', () => {
  const DECLARED = `typedef int (*fn_t)(int);
struct s { fn_t fn; const fn_t *all; };
static int g(int x) { return x; }
static int h(int x) { return -x; }
`;
  const POINTERS = 'static int (*const t[])(int) = { g,\n#ifdef CONFIG_H\n&h,\n#endif\nNULL };\n';
  it.each([
    ['by its place', `${POINTERS}int a(int i) { return t[i] ? (*t[i++])(i) : 0; }`],
    [
      'in a loop over all of them',
      `static const fn_t t[] = { g, [2] = h };
int a(int x) { int i; for (i = 0; i < ARRAY_SIZE(t); i++) x = t[i](x); return x; }`,
    ],
    ['by a variable', `${POINTERS}int a(int i) { fn_t fn = t[i]; if (!fn) return 0; return fn(i); }`],
    [
      'by a pointer',
      `${POINTERS}int a(int x) { const fn_t *p; for (p = t; *p; p++) x = (*p)(x); return x; }`,
    ],
  ])('is called %s', (_, code) => {
    const index = linked({ 'fs/a/a.c': DECLARED + code });
    for (const name of ['g', 'h'])
      expect(shown(index, index.callers[functionIn(index, name).id]!)).toEqual(['a pointer typed']);
    expect(index.escaped.size).toBe(0);
  });

  it.each([
    ['is returned', `${POINTERS}fn_t a(int i) { return t[i]; }`],
    ['goes into a member', `${POINTERS}void a(struct s *s, int i) { s->fn = t[i]; }`],
    ['goes elsewhere with all of them', `${POINTERS}void a(struct s *s) { s->all = t; }`],
    ['is in a struct of the file', `${POINTERS}struct s all = { .all = t };`],
    ['is in a struct of a function', `${POINTERS}void a(void) { struct s all = { .all = t }; keep(&all); }`],
    ['is handed on', `${POINTERS}void a(int i) { keep(t[i]); }`],
    [
      'is what a variable is that is handed on',
      `${POINTERS}static int run(fn_t fn) { return fn(1); }\nint a(int i) { fn_t fn = t[i]; return run(fn); }`,
    ],
    [
      'is what a variable may be',
      `${POINTERS}int a(int i, struct s *s) { fn_t fn = s->fn; if (i) fn = t[i]; return fn(i); }`,
    ],
    ['is handed on from one element on', `${POINTERS}int a(int i) { keep(t + 1); return t[i](i); }`],
    ['is kept from one element on', `${POINTERS}int a(struct s *s) { s->all = t + 1; return t[0](1); }`],
    ['is read by its address', `${POINTERS}int a(int i) { keep(*(t + i)); return t[i](i); }`],
    [
      'is in a pointer of the file',
      `${POINTERS}static const fn_t *p = &t[1];\nint a(int i) { return t[i](i); }`,
    ],
    ['is an argument of a macro', `${POINTERS}DEFINE_RUNNER(name, t);\nint a(int i) { return t[i](i); }`],
    ['is for the linker', `static const fn_t t[] __used __section(".fns") = { g, h };`],
    ['is named in a macro', `${POINTERS}#define GET(i) \\\n\t t[i]\n`],
    ['is named in a macro of its name', `${POINTERS}#define all t\n`],
    ['is known to other files', 'const fn_t t[] = { g, h };\nint a(int i) { return t[i](i); }'],
  ])('has callers that are not known if the array %s', (_, code) => {
    const index = linked({ 'fs/a/a.c': DECLARED + code });
    for (const name of ['g', 'h']) expect(index.escaped.has(functionIn(index, name).id)).toBe(true);
  });
});

describe('a function whose callers are not all known', () => {
  const G = 'struct s { int (*fn)(int); };\nstatic int g(int x) { return x; }\n';
  it.each([
    ['stands in an array', `${G}int (*t[])(int) = { g };`],
    ['stands in a macro in an array', `${G}struct s t[] = { ENTRY(run, g), };`],
    ['stands in a macro for a member', `${G}struct s t = { .fn = WRAPPED(g) };`],
    ['is returned', `${G}typedef int (*fn_t)(int);\nfn_t a(void) { return g; }`],
    ['is handed to what is not there', `${G}void a(void) { keep(g); }`],
    [
      'is handed to what keeps it',
      `${G}void keep(struct s *s, int (*fn)(int)) { s->fn = fn; }\nvoid a(struct s *s) { keep(s, g); }`,
    ],
    ['is in a member that nobody calls', `${G}struct s a = { .fn = g };`],
    [
      'is handed on through a member of which not all is known',
      `${G}struct ops { int (*each)(int (*fn)(int)); };\nint a(struct ops *o) { return o->each(g); }`,
    ],
    [
      'is in a member that is handed on through one of which not all is known',
      `${G}struct ops { int (*each)(int (*fn)(int)); };
struct s t = { .fn = g };
int b(struct s *s) { return s->fn(1); }
int a(struct ops *o, struct s *s) { return o->each(s->fn); }`,
    ],
    [
      'is handed to what keeps it through a table',
      `${G}struct ops { void (*keep)(struct s *s, int (*fn)(int)); };
static void keep(struct s *s, int (*fn)(int)) { s->fn = fn; }
const struct ops ops = { .keep = keep };
void a(const struct ops *o, struct s *s) { o->keep(s, g); }`,
    ],
    [
      'is handed out of a member to what keeps it in one that nobody calls',
      `${G}struct q { int (*run)(int); };\nstruct s t = { .fn = g };
static void keep(struct q *q, int (*fn)(int)) { q->run = fn; }
void a(struct q *q, struct s *s) { keep(q, s->fn); }`,
    ],
    [
      'is what a parameter becomes that is handed to what is not there',
      `${G}void a(int (*fn)(int)) { if (!fn) fn = g; keep(fn); }`,
    ],
    [
      'is in a variable whose address is taken',
      `${G}void a(struct s *s) { int (*fn)(int) = s->fn; if (!fn) fn = g; s->at = &fn; }`,
    ],
    [
      'may be what a variable holds that is handed to what is not there',
      `${G}void a(int x) { int (*fn)(int) = 0; if (x) fn = g; keep(fn); }`,
    ],
    [
      'is copied into a member that nobody calls',
      `${G}struct q { int (*run)(int); };\nstruct s t = { .fn = g };\nvoid a(struct q *q, struct s *s) { q->run = s->fn; }`,
    ],
    [
      'is copied into a member of what is not known',
      `${G}struct s t = { .fn = g };\nvoid a(struct s *s) { unknown->run = s->fn; }`,
    ],
  ])('%s', (_, text) => {
    const index = linked({ 'fs/a/a.c': text });
    expect([...index.escaped]).toEqual([functionIn(index, 'g').id]);
  });

  it.each([
    ['is only called', `${G}int a(void) { return g(1); }`],
    [
      'is handed to what calls it',
      `${G}static int walk(int (*fn)(int)) { return fn(1); }\nint a(void) { return walk(g); }`,
    ],
    [
      'may be what a variable holds that is called and handed to what calls it',
      `${G}static int h(int x) { return -x; }\nstatic int walk(int (*fn)(int)) { return fn(1); }
int a(int x) { int (*fn)(int); fn = h; if (x) fn = g; return walk(fn) + fn(2); }`,
    ],
    [
      'is in a member that is called',
      `${G}struct s t = { .fn = g };\nint a(struct s *s) { return s->fn(1); }`,
    ],
    [
      'is copied from member to member, and called from the last',
      `${G}struct q { int (*run)(int); };\nstruct r { int (*last)(int); };\nstruct s t = { .fn = g };
int c(struct r *r) { return r->last(1); }
void b(struct q *q, struct r *r) { r->last = q->run; }
void a(struct q *q, struct s *s) { q->run = s->fn; }`,
    ],
    [
      'is handed out of a member to what keeps it in another, and called from there',
      `${G}struct q { int (*run)(int); };\nstruct s t = { .fn = g };
int b(struct q *q) { return q->run(1); }
static void keep(struct q *q, int (*fn)(int)) { q->run = fn; }
void a(struct q *q, struct s *s) { keep(q, s->fn); }`,
    ],
    [
      'is what a variable holds that a member has no value for',
      `${G}static int h(int x) { return -x; }\nstruct s t = { .fn = h };
int a(struct s *s) { int (*fn)(int) = s->fn; if (!fn) fn = g; return fn(1); }`,
    ],
    [
      'is what a parameter becomes that nobody gave a value',
      `${G}static int h(int x) { return -x; }
static int b(int (*fn)(int)) { if (!fn) fn = g; return fn(1); }
int a(void) { return b(h) + b(0); }`,
    ],
    [
      'is put into a struct by an initialiser, and called from there',
      `${G}typedef int (*fn_t)(int);
int call(void *priv) { struct s *q = priv; return q->fn(1); }
int walk(fn_t fn) { struct s q = { .fn = fn }; return call(&q); }
int a(void) { return walk(g); }`,
    ],
  ])('is none that %s', (_, text) => {
    expect([...linked({ 'fs/a/a.c': text }).escaped]).toEqual([]);
  });
});

describe('a header with a stand-in for what is not built', () => {
  const header =
    '#ifdef CONFIG_FILL\nint fill(int n);\n#else\nstatic inline int fill(int n) { return 0; }\n#endif\n';

  it.each([
    [
      'from the header itself',
      { 'include/linux/fill.h': `${header}static inline int f(int n) { return fill(n); }\n` },
    ],
    [
      'from beside the header',
      { 'fs/a/fill.h': header, 'fs/a/a.c': '#include "fill.h"\nint f(int n) { return fill(n); }\n' },
    ],
  ])('is not all that a call may mean, %s', (_, files) => {
    const index = linked({ ...files, 'lib/fill.c': 'int fill(int n) { return n; }\n' });
    expect(
      index.names
        .lookup('fill', Object.keys(files).at(-1)!)
        .map((fn) => fn.file.file)
        .includes('lib/fill.c'),
    ).toBe(true);
  });

  it('is all of it where the header declares no other', () => {
    const index = linked({
      'fs/a/a.h':
        'static inline int fill(int n) { return 0; }\nstatic inline int f(int n) { return fill(n); }\n',
      'lib/fill.c': 'int fill(int n) { return n; }\n',
    });
    expect(index.names.lookup('fill', 'fs/a/a.h').map((fn) => fn.file.file)).toEqual(['fs/a/a.h']);
  });
});
