import { describe, expect, it } from 'vitest';
import { extractFacts, maskTokens } from '../../src/parse/extract.js';
import type { FunctionFacts } from '../../src/parse/facts.js';

const facts = (text: string) => extractFacts('fs/examplefs/a.c', text);

function only(text: string): FunctionFacts {
  const { functions } = facts(text);
  expect(functions).toHaveLength(1);
  return functions[0]!;
}

/** Calls and returns in the order of the graph, with branches as `a ? b : c` is not needed here. */
function calls(fn: FunctionFacts): string[] {
  return fn.cfg.flatMap(({ op }) => (op.k === 'call' ? [op.fn || `*${op.target}`] : []));
}

describe('mask tokens', () => {
  it('are found in code, and not in comments, strings or longer names', () => {
    const text =
      '/* GFP_NOFS */ int a = GFP_NOFS; // GFP_NOIO\nchar *s = "GFP_NOFS"; int GFP_NOFS_X; b(GFP_NOIO);';
    expect(maskTokens(text).map(({ flag, start }) => [flag, start])).toEqual([
      ['GFP_NOFS', 23],
      ['GFP_NOIO', text.lastIndexOf('GFP_NOIO')],
    ]);
  });

  it('are not the definition of a mask, but what stands in one', () => {
    const text = '#define GFP_NOFS (__GFP_RECLAIM | __GFP_IO)\n#define OUR_MASK GFP_NOFS\n';
    expect(maskTokens(text).map(({ start }) => start)).toEqual([text.lastIndexOf('GFP_NOFS')]);
  });

  it('count a cleared bit as a mask', () => {
    expect(maskTokens('f(gfp & ~__GFP_FS); g(gfp & ~(__GFP_IO | __GFP_FS));').map((m) => m.flag)).toEqual([
      '~__GFP_FS',
      '~(__GFP_IO | __GFP_FS)',
    ]);
  });
});

describe('access paths', () => {
  it('follow fields, and see through &, *, [] and parentheses', () => {
    const fn = only('void f(struct a *a) { lock(&(*a->b)[3].c); }');
    const op = fn.cfg.find((n) => n.op.k === 'call')!.op;
    expect(op).toMatchObject({ fn: 'lock', args: ['v:a b c'] });
  });

  it('take the result of a call, the struct of container_of() and of a cast as roots', () => {
    const fn = only(
      'void f(struct work_struct *w) { one(&info(w)->x); two(&container_of(w, struct job, work)->y); three(((struct z *)w)->q); }',
    );
    const args = fn.cfg.flatMap(({ op }) =>
      op.k === 'call' && ['one', 'two', 'three'].includes(op.fn) ? [op.args[0]] : [],
    );
    expect(args).toEqual(['c:info(v:w) x', 't:job y', 't:z q']);
  });

  it('tell success from failure in what is returned', () => {
    const fn = only('int f(int a) { if (a) return -EIO; if (!a) return ERR_PTR(-EIO); return 0; }');
    const returned = fn.cfg.flatMap(({ op }) => (op.k === 'ret' ? [op.value] : []));
    expect(returned).toEqual(['#neg', '#err', '#0']);
  });
});

describe('control flow', () => {
  it('orders calls as they are evaluated, arguments first', () => {
    expect(calls(only('void f(void) { a(b(c()), d()); }'))).toEqual(['c', 'b', 'd', 'a']);
  });

  it('leaves a function by goto, return and by its end', () => {
    const fn = only('int f(int x) { if (x) goto out; work(); out: done(); return x; }');
    const work = fn.cfg.findIndex(({ op }) => op.k === 'call' && op.fn === 'work');
    const test = fn.cfg.findIndex(({ op }) => op.k === 'test');
    const jump = fn.cfg[test]!.next[0]!;
    const label = fn.cfg[jump]!.next[0]!;
    expect(fn.cfg[work]!.next).toEqual([label]);
    expect(fn.cfg.filter(({ next }) => next.includes(1))).toHaveLength(1);
  });

  it('reads an iterator macro as a loop that may run any number of times', () => {
    const fn = only(
      'void f(struct list_head *h) { struct x *p; list_for_each_entry(p, h, l) { use(p); } after(); }',
    );
    const use = fn.cfg.findIndex(({ op }) => op.k === 'call' && op.fn === 'use');
    const after = fn.cfg.findIndex(({ op }) => op.k === 'call' && op.fn === 'after');
    const test = fn.cfg.find(({ op }) => op.k === 'test')!;
    expect(test.op).toMatchObject({ rel: '?' });
    expect(test.next).toEqual([use, after]);
  });

  it.each([
    ['const auto read = a->ops->read; if (read) return read(a);', [['read', 'Auto']]],
    [
      'auto n = size(a), *p = &a->n; return n + *p;',
      [
        ['n', 'Auto'],
        ['p', 'Auto'],
      ],
    ],
    ['auto int old = 3; return old;', [['old', 'int']]],
  ])('reads a type that is inferred: %s', (body, locals) => {
    for (const reading of ['fast', 'exact'] as const) {
      const [fn] = extractFacts(
        'fs/demofs/a.c',
        `int f(struct a *a) { ${body} return 0; }`,
        reading,
      ).functions;
      expect([fn!.broken, fn!.locals]).toEqual([false, locals]);
    }
  });

  it('drops a guard wherever its block is left', () => {
    const fn = only('int f(struct a *a) { guard(mutex)(&a->m); if (a->x) return 1; work(a); return 0; }');
    expect(fn.cfg.filter(({ op }) => op.k === 'guard')).toHaveLength(1);
    expect(fn.cfg.filter(({ op }) => op.k === 'unguard')).toHaveLength(2);
  });

  it('knows no way on after BUG()', () => {
    const fn = only('void f(int x) { if (x) { BUG(); never(); } }');
    const never = fn.cfg.findIndex(({ op }) => op.k === 'call' && op.fn === 'never');
    expect(fn.cfg.some(({ next }) => next.includes(never))).toBe(false);
  });
});

describe('declarations', () => {
  it('give structs their fields, anonymous members and function pointers included', () => {
    const { structs } = facts(
      'struct a { int n; struct { struct mutex m; }; union { struct b *b; } u; int (*call)(int); struct rw_semaphore s[2]; };',
    );
    expect(Object.fromEntries(structs.find(([tag]) => tag === 'a')![1])).toEqual({
      n: 'int',
      m: 'mutex',
      u: 'a.u',
      call: 'fn(int) int',
      s: 'rw_semaphore',
    });
  });

  it('give operation tables, nested and positional ones included', () => {
    const { tables } = facts(
      'static const struct ops o = { .open = my_open, .in = { .read = my_read }, .none = NULL }; static struct p q = { my_first };',
    );
    expect(tables.map(({ path, field, fn }) => [path, field, fn])).toEqual([
      ['t:ops', 'open', 'my_open'],
      ['t:ops in', 'read', 'my_read'],
      ['t:p', '#0', 'my_first'],
    ]);
  });

  it('give global locks, prototypes and macros', () => {
    const found = facts(
      'static DEFINE_MUTEX(big);\nint lookup(struct a *a, gfp_t gfp);\n#define other lookup\n#define take(a) mutex_lock(&(a)->m)\n',
    );
    expect(found.globals).toContainEqual(['big', 'mutex']);
    expect(found.prototypes).toEqual([['lookup', 'int', ['a', 'gfp_t']]]);
    expect(found.aliases).toEqual([['other', 'lookup']]);
    expect(found.functions.map((f) => [f.name, f.isMacro, calls(f)])).toEqual([
      ['take', true, ['mutex_lock']],
    ]);
  });
});

describe('sites', () => {
  it('say what the mask is for', () => {
    const text =
      'static gfp_t g = GFP_NOFS;\nvoid f(struct a *a) {\n\tgfp_t gfp = GFP_NOFS;\n\ta->p = kmalloc(8, GFP_NOFS | __GFP_ZERO);\n\tgfp = GFP_NOIO;\n\tif (gfp == GFP_NOFS)\n\t\tuse(gfp);\n}\ngfp_t h(void) { return GFP_NOFS; }\n';
    const found = facts(text);
    const sites = [...found.functions.flatMap((f) => f.sites), ...found.sites];
    expect(sites.map(({ flag, context, call }) => [flag, context, call])).toEqual([
      ['GFP_NOFS', 'init', ''],
      ['GFP_NOFS', 'arg', 'kmalloc'],
      ['GFP_NOIO', 'assign', ''],
      ['GFP_NOFS', 'compare', ''],
      ['GFP_NOFS', 'return', ''],
      ['GFP_NOFS', 'init', ''],
    ]);
    for (const site of sites) expect(text.slice(site.start, site.end)).toBe(site.flag);
  });

  it('in both arms of an #if are found once each', () => {
    const text = 'void f(void) {\n#ifdef A\n\tone(GFP_NOFS);\n#else\n\ttwo(GFP_NOFS);\n#endif\n}\n';
    const found = facts(text);
    const sites = [...found.functions.flatMap((f) => f.sites), ...found.sites];
    expect(sites.map((s) => s.call).sort()).toEqual(['one', 'two']);
    expect(new Set(sites.map((s) => s.start)).size).toBe(2);
  });

  it('in a function that does not parse are there all the same', () => {
    const found = facts('void f(void) { if ( { kmalloc(8, GFP_NOFS); }\n');
    expect([...found.functions.flatMap((f) => f.sites), ...found.sites]).toHaveLength(1);
  });
});

describe('a function whose braces are indented', () => {
  it('is whole where it closes in the column in which its body opens', () => {
    expect(only('static int f(void)\n\t{\n\treturn g();\n\t}\n').broken).toBe(false);
  });

  it('is cut short where it closes in another', () => {
    expect(only('static int f(void)\n{\n\treturn g();\n\t}\n').broken).toBe(true);
  });
});

describe('macros called outside of functions', () => {
  const text =
    '/* OLD(gone) */\nMODULE_ALIAS_FS("demofs");\nint demo_read(struct inode *inode, loff_t at);\n' +
    'int\ndemo_write(struct inode *inode)\n{\n\tINSIDE(name);\n\treturn 0;\n}\nEXPORT_SYMBOL_NS_GPL(demo_write, DEMO);\n' +
    'static struct attr a = ATTR_RO(size);\nmodule_init(demo_init)\n';

  it('are there for a file of a module, with the arguments that are names', () => {
    expect(extractFacts('module:/a.c', text).invocations.filter(([, names]) => names.length > 0)).toEqual([
      ['EXPORT_SYMBOL_NS_GPL', ['demo_write', 'DEMO']],
      ['ATTR_RO', ['size']],
      ['module_init', ['demo_init']],
    ]);
  });

  it('are not asked of the kernel', () => {
    expect(extractFacts('fs/demofs/a.c', text).invocations).toEqual([]);
  });

  it('have what they name called, and what they are handed calls', () => {
    const entered = (code: string): readonly string[] => extractFacts('fs/demofs/a.c', code).entered;
    expect(entered(text)).toEqual(['demo_init']);
    expect(entered('DEFINE_FREE(demo, struct demo *, if (_T)\n\t    demo_put(_T))\n')).toEqual([
      'if',
      'demo_put',
      'demo',
    ]);
    expect(entered('ATTR(size, 0444,\n     show_size, /* store_size, */ NULL);\n')).toEqual([
      'size',
      'show_size',
    ]);
    expect(entered('void f(void)\n{\nRUN(g);\n}\n')).toEqual([]);
    expect(entered('ALLOW_ERROR_INJECTION(f, ERRNO);\nIWL_EXPORT_SYMBOL(f);\n')).toEqual([]);
    expect(entered('#define TRACE_SYSTEM demofs\nTRACE_EVENT(f, TP_PROTO(int x));\n')).toEqual([]);
    expect(entered('UNCLOSED(f,\n')).toEqual(['f']);
  });

  it('start what a registrar is handed', () => {
    const code =
      '/* DECLARE_WORK(old_work, old_run) */\nstatic DECLARE_WORK(demo_work, demo_run);\nstruct x y = { .work = __WORK_INITIALIZER(y.work, demo_run) };\n' +
      'void f(void)\n{\n\tDECLARE_WORK(other, demo_run);\n}\n';
    expect(extractFacts('fs/demofs/a.c', code).started).toEqual([
      ['DECLARE_WORK', ['demo_work', 'demo_run']],
      ['__WORK_INITIALIZER', ['y.work', 'demo_run']],
    ]);
  });

  it('are like attributes that name a function', () => {
    for (const attribute of ['__alias(f)', '__attribute__((alias("f")))', '__attribute__((__cleanup__(f)))'])
      expect(extractFacts('fs/demofs/a.c', `void g(void) ${attribute};\n`).entered).toEqual(['f']);
    expect(extractFacts('fs/demofs/a.c', 'void g(void)\n{\n\tint x __cleanup(f);\n}\n').entered).toEqual([
      'f',
    ]);
  });
});

describe('an argument that is one of two', () => {
  const made = (body: string): string[] =>
    only(`void f(int x, int *p) { ${body} }`).locals.flatMap(([name]) =>
      name.startsWith('__either') ? [name] : [],
    );

  it.each([
    ['a function', 'keep(x ? one : 0);', 1],
    ['a function or a variable', 'int *q = p; keep(x ? one : q);', 1],
    ['a parameter', 'keep(x ? p : 0);', 0],
    ['a variable without a value', 'int *q; q = p; keep(x ? q : 0);', 0],
    ['a mask', 'keep(x ? GFP_NOFS : mask);', 0],
  ])('%s', (_, body, expected) => {
    expect(made(body)).toHaveLength(expected);
  });
});
