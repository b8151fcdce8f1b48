import { describe, expect, it } from 'vitest';
import { bodyCalls, clean, cleanBody } from './mended.js';

const inBody = 'int f(void)\n{\n'.length;

describe('iterators', () => {
  it('become while loops over their arguments, at the same offsets', () => {
    const { text, root } = cleanBody('\tlist_for_each_entry(pos, &c->head, member) {\n\t\tuse(pos);\n\t}');
    expect(text.slice(inBody)).toBe(
      '\twhile              (pos, &c->head, member) {\n\t\tuse(pos);\n\t}\n}\n',
    );
    expect(root.descendantsOfType('while_statement').length).toBe(1);
  });

  it('with a single statement, nested, and with no arguments', () => {
    const { root } = cleanBody(
      '\tfor_each_node(nid)\n\t\tfor_each_zone (zone)\n\t\t\tuse(nid, zone);\n\tfor_each_demo() {\n\t\tuse(0, 0);\n\t}',
    );
    expect(root.descendantsOfType('while_statement').length).toBe(3);
  });

  it('with an if as the statement', () => {
    const { root } = cleanBody(
      '\thlist_for_each_entry_rcu(p, head, node)\n\t\tif (p->a)\n\t\t\treturn p;\n\treturn 0;',
    );
    expect(root.descendantsOfType('while_statement')[0]!.descendantsOfType('if_statement').length).toBe(1);
  });

  it('with a typed argument', () => {
    const { root } = cleanBody(
      '\txa_for_each_marked(&m->xa, index, (struct folio *)x, unsigned long) {\n\t\tuse(x);\n\t}',
    );
    expect(root.descendantsOfType('while_statement').length).toBe(1);
  });

  it('at the end of a do', () => {
    const { root } = cleanBody('\tdo {\n\t\tuse(t);\n\t} while_each_thread(g, t);');
    expect(root.descendantsOfType('do_statement').length).toBe(1);
  });
});

describe('guards', () => {
  it('scoped_guard() becomes an if', () => {
    const { text, root } = cleanBody(
      '\tscoped_guard(mutex, &c->lock) {\n\t\tuse(c);\n\t}\n\tscoped_guard(spinlock, &c->s)\n\t\tuse(c);',
    );
    expect(text).toContain('\tif          (mutex, &c->lock) {');
    expect(root.descendantsOfType('if_statement').length).toBe(2);
  });

  it('guard() and CLASS() stay calls of calls', () => {
    expect(bodyCalls('\tguard(mutex)(&c->lock);\n\tCLASS(fd, f)(fd);\n\tuse(f);')).toEqual([
      ['guard(mutex)', '&c->lock'],
      ['guard', 'mutex'],
      ['CLASS(fd, f)', 'fd'],
      ['CLASS', 'fd', 'f'],
      ['use', 'f'],
    ]);
  });

  it('__free() on a local', () => {
    const { text } = cleanBody('\tchar *str __free(kfree) = kmemdup(a, b, GFP_NOFS);');
    expect(text).toContain('\tchar *str               = kmemdup(a, b, GFP_NOFS);');
  });
});

describe('type arguments', () => {
  it.each([
    ['container_of(x, struct demo, member);', ['container_of', 'x', 'demo', 'member']],
    ['container_of(x, const struct demo __rcu, member);', ['container_of', 'x', 'demo', 'member']],
    ['min_t(unsigned int, a, b);', ['min_t', 'unsigned', 'a', 'b']],
    ['max_t(size_t, a, b);', ['max_t', 'size_t', 'a', 'b']],
    ['va_arg(args, char *);', ['va_arg', 'args', 'char']],
    ['va_arg(args, u64 *);', ['va_arg', 'args', 'u64']],
    ['DEFINE_RAW_FLEX(struct demo, d, a, 4);', ['DEFINE_RAW_FLEX', 'demo', 'd', 'a', '4']],
    ['list_entry(p, typeof(*q), node);', ['list_entry', 'p', 'typeof', 'node']],
    [
      'kmalloc_array(n, sizeof(struct demo), GFP_NOFS);',
      ['kmalloc_array', 'n', 'sizeof(struct demo)', 'GFP_NOFS'],
    ],
    ['CMP(a, ==, b);', ['CMP', 'a', '=', 'b']],
    ['rb_entry_safe(rb, union demo, node);', ['rb_entry_safe', 'rb', 'demo', 'node']],
    ['set_flag(tp, 5780_CLASS);', ['set_flag', 'tp', '5780_CLASS']],
  ])('%s', (body, call) => {
    expect(bodyCalls(`\t${body}`)[0]).toEqual(call);
  });

  it('leave the positions of the other arguments alone', () => {
    expect(bodyCalls('\tx = foo(struct a *, , bar(int, y), { .z = 1, }, b);')[0]!.length).toBe(6);
  });
});

describe('statements', () => {
  it('a case range keeps its first value', () => {
    const { text } = cleanBody(
      "\tswitch (c) {\n\tcase '0' ... '9':\n\t\tuse(c);\n\t\tbreak;\n\tcase a ? 1 : 2:\n\tdefault:\n\t\tbreak;\n\t}",
    );
    expect(text).toContain("\tcase '0'        :");
  });

  it('macro statements without a semicolon', () => {
    expect(
      bodyCalls('\tTRACE_ONE(a)\n\tuse(b);\n\tif (a)\n\t\tLOG(a)\n\telse\n\t\tuse(b);').map((c) => c[0]),
    ).toEqual(['TRACE_ONE', 'use', 'LOG', 'use']);
  });

  it('a macro statement before a brace in the first column: its arguments stay', () => {
    expect(bodyCalls('\tuse(a);\n\tDB(EXECUTE,\n\t   printk("x", a))')).toEqual([
      ['use', 'a'],
      ['printk', '"x"', 'a'],
    ]);
  });

  it('statements as the only argument of a macro', () => {
    expect(
      bodyCalls(
        '\tD1(if (a)\n\t\tprintk("x", a));\n\tD2(list_for_each_entry(p, h, l) {\n\t\tuse(p);\n\t})\n\tuse(b);',
      ),
    ).toEqual([
      ['printk', '"x"', 'a'],
      ['use', 'p'],
      ['use', 'b'],
    ]);
  });

  it('statements among the arguments', () => {
    const all = bodyCalls(
      '\twait_event_cmd(c->wq, done(c), unlock(&c->l); put(c), lock(&c->l));\n\tCMPXCHG_LOOP(\n\t\tnew.count++;\n\t\tif (old.count <= 0)\n\t\t\treturn 0;\n\t,\n\t\treturn 1;\n\t);',
    );
    expect(all.map((c) => c[0])).toEqual(['wait_event_cmd', 'done', 'unlock', 'put', 'lock', 'CMPXCHG_LOOP']);
  });

  it('labels: with an attribute, at the end of a block, as values, computed', () => {
    const { root } = cleanBody(
      '\tvoid *p = &&out;\n\tgoto *p;\nout: __maybe_unused\n\tuse(p);\n\tif (p) {\n\t\tuse(p);\n\tnext: \n\t}',
    );
    expect(root.descendantsOfType('labeled_statement').length).toBe(2);
  });

  it('statement expressions, typeof, unusual declarations', () => {
    const { root } = cleanBody(
      '\ttypeof(*p) x = ({ int y = get(p); y; });\n\ttypeof(x) *q = (typeof(x) *)p;\n\tlong z = (typeof(z))*q + (__force long)x;\n\tstruct demo d = (struct demo) { .a = 1, .b = { [0 ... 3] = 2 } };\n\tDECLARE_BITMAP(map, 8) = { 0 };\n\tssize_t (*op)(const char *, size_t);\n\treturn x ?: y;',
    );
    expect(root.descendantsOfType('cast_expression').length).toBe(3);
    expect(root.descendantsOfType('compound_literal_expression').length).toBe(1);
  });

  it('sizeof without parentheses, offsetof of more than a member, alignof of an expression', () => {
    cleanBody(
      '\ta = sizeof *p + sizeof buf;\n\tb = offsetof(struct demo, id.list[n(sb)]);\n\tc = __alignof__(p->x) + __alignof__(struct demo);',
    );
  });

  it('assembler', () => {
    cleanBody(
      '\tasm volatile goto("1: jmp %l[l]" : : "r" (a) : "memory" : l);\n\tasm_inline volatile (ALTERNATIVE("a", "b", X) "c" : [o] "=r" (a) : "m" (*b));\n\tasm_volatile_goto("x" :::: l);\n\talternative_io(".byte", "x", FEATURE, [p] "=a" (a), "r" (b) : "cc");\nl:\n\treturn 0;',
    );
  });

  it('strings put together with macros', () => {
    cleanBody(
      '\tprintk(KERN_ERR PFX "a" __stringify(X) "b" PRIu64 "\\n", x);\n\tuse(FIRST "b", PRE(x) "c");',
    );
  });

  it('_Generic, digit separators', () => {
    cleanBody("\treturn _Generic((x), int: 1, struct demo *: 2, default: 3) + 1'000'000;");
  });

  it('a function whose parameters have their declarations after the list', () => {
    clean('int demo(a, b)\n\tint a;\n\tchar *b;\n{\n\treturn a;\n}\n');
  });
});

describe('what it leaves alone', () => {
  it('plain code, to the byte', () => {
    const source =
      '/* __init noinline */\nstatic const char *names[] = { "__init", "struct foo" };\n\nint demo(struct inode *inode, gfp_t gfp)\n{\n\tint i, err = -ENOMEM;\n\n\tfor (i = 0; i < 3; i++) {\n\t\tif (!alloc(inode, gfp | GFP_NOFS) && i > 1)\n\t\t\tgoto out;\n\t}\n\terr = 0;\nout:\n\t/* list_for_each_entry(a, b, c) { */\n\treturn err ? \'{\' : "/*}"[0];\n}\n';
    expect(clean(source).text).toBe(source);
  });
});
