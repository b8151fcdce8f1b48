import { describe, expect, it } from 'vitest';
import { clean } from './mended.js';

/** Name and return type of the first function definition. */
function definition(source: string): { name: string; type: string; params: string[] } {
  const { root } = clean(source);
  const node = root.descendantsOfType('function_definition')[0]!;
  let name = node.childForFieldName('declarator')!;
  while (name.type !== 'identifier') name = name.childForFieldName('declarator')!;
  const params = node
    .childForFieldName('declarator')!
    .descendantsOfType('parameter_declaration')
    .map((p) => p.text.replace(/\s+/g, ' '));
  return { name: name.text, type: node.childForFieldName('type')!.text, params };
}

describe('attributes are blanked, known or not', () => {
  it.each([
    ['static int __init demo_init(void) { return 0; }', 'demo_init', 'int'],
    ['static noinline int demo(void) { return 0; }', 'demo', 'int'],
    ['int noinline demo(void) { return 0; }', 'demo', 'int'],
    ['static __always_inline struct inode *demo(void) { return 0; }', 'demo', 'struct inode'],
    ['asmlinkage __visible void demo(void) { }', 'demo', 'void'],
    ['static ssize_t noinline demo(void) { return 0; }', 'demo', 'ssize_t'],
    ['static noinline demo_t demo(void) { return 0; }', 'demo', 'demo_t'],
    ['static demo_t __never_heard_of demo(void) { return 0; }', 'demo', 'demo_t'],
    ['STATIC int\ndemo(void)\n{\n}', 'demo', 'int'],
    ['static struct inode * __must_check demo(void) { return 0; }', 'demo', 'struct inode'],
    ['static __printf(2, 3) void demo(struct s *s, const char *fmt, ...) { }', 'demo', 'void'],
    ['static void __printf(2, 3)\n__demo(struct s *s, const char *fmt, ...) { }', '__demo', 'void'],
    [
      'void __printf(3, 4) __cold\ndemo(const struct inode *inode, const char *l, const char *fmt, ...) { }',
      'demo',
      'void',
    ],
    ['static int __demo(int a) __must_hold(lock) { return 0; }', '__demo', 'int'],
    [
      'static void demo(struct s *s)\n\t__acquires(&s->lock)\n\t__releases(&s->other->lock)\n{ }',
      'demo',
      'void',
    ],
    ['int __attribute__((format(printf, 1, 2))) demo(const char *fmt, ...) { }', 'demo', 'int'],
    ['static int demo(void) __attribute__((cold)) { }', 'demo', 'int'],
    ['__weak u64 demo(void) { return 0; }', 'demo', 'u64'],
    ['static inline __u32 demo(void) { return 0; }', 'demo', '__u32'],
  ])('%s', (source, name, type) => {
    expect(definition(source)).toMatchObject({ name, type });
  });

  it('of parameters, whose names stay', () => {
    const source =
      'ssize_t demo(struct file *file, const char __user *buf, size_t len __maybe_unused,\n' +
      '\tconst char __user *const __user *__argv, struct s __rcu **inline_slot, void __iomem *)\n{ }';
    expect(definition(source).params).toEqual([
      'struct file *file',
      'const char *buf',
      'size_t len',
      'const char *const *__argv',
      'struct s **inline_slot',
      'void *',
    ]);
  });

  it.each([
    ['static struct kmem_cache *cachep __read_mostly;', ['cachep']],
    ['static unsigned long map[4] __aligned(8), other __initdata = 3;', ['map', 'other']],
    ['struct node node __aligned(8);', ['node']],
    ['u64 count __guarded_by(lock);', ['count']],
    ['struct { int a; } __packed size_buf = { 0 };', ['size_buf']],
    ['static struct { int a; } __state = { 0 };', ['__state']],
    ['typedef unsigned int __bitwise demo_t;', ['demo_t']],
    ['typedef __u32 __bitwise __portpair;', ['__portpair']],
    ['typedef struct { int a; } __kernel_demo;', ['__kernel_demo']],
    ['extern __printf(1, 2) void demo(const char *, ...);', ['demo']],
    ['extern void __compiletime_error("too wide") __demo(void);', ['__demo']],
    ['typedef enum demo_ret (demo_fn)(struct request *, int);', ['demo_fn']],
    ['static int (*demo_hook)(struct inode *) __read_mostly;', ['demo_hook']],
  ])('%s', (source, names) => {
    const { root } = clean(source);
    const declared = root.namedChildren[0]!.childrenForFieldName('declarator').map((node) => {
      let name = node;
      while (!/identifier$/.test(name.type)) {
        name = name.childForFieldName('declarator') ?? name.namedChildren.at(-1)!;
      }
      return name.text;
    });
    expect(declared).toEqual(names);
  });
});

describe('members', () => {
  function members(body: string): string[] {
    const { root } = clean(`struct demo {\n${body}\n};\n`);
    return root.descendantsOfType('field_identifier').map((n) => n.text);
  }

  it('attributes of the struct and of its members', () => {
    const { root } = clean(
      'struct __packed demo {\n\tint a __aligned(8);\n\tint b;\n} __attribute__((packed)) ____cacheline_aligned;\n',
    );
    expect(root.descendantsOfType('struct_specifier')[0]!.childForFieldName('name')!.text).toBe('demo');
    expect(root.descendantsOfType('field_identifier').map((n) => n.text)).toEqual(['a', 'b']);
  });

  it('a macro that declares its first argument', () => {
    expect(members('\tDECLARE_BITMAP(flags, NR_FLAGS);\n\tDECLARE_BITMAP(set[2], 256);\n\tint a;')).toEqual([
      'flags',
      'set',
      'a',
    ]);
  });

  it('a macro with a type and a name', () => {
    expect(
      members('\tDECLARE_FLEX_ARRAY(struct bkey, start);\n\tDECLARE_FLEX_ARRAY(char, value) __aligned(8);'),
    ).toEqual(['start', 'value']);
  });

  it('struct_group() gives its members', () => {
    expect(members('\tstruct_group(algs,\n\t\tchar a[8];\n\t\tint b, c;\n\t);\n\tint d;')).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  it('bit-fields without a name, and stray semicolons', () => {
    expect(members('\tu8 a:1, :3, b:4;\n\tunsigned int :3;\n\tu8 :1, :1, c:6;;')).toEqual(['a', 'b', 'c']);
  });

  it('a macro that brings members of its own, with and without arguments', () => {
    expect(
      members(
        '\tint a;\n\tDEMO_MEMBERS\n\tREG(write)\n\tREG(read)\n\tint b;\n#define X(i) int i\n\tDEMO_ITEMS\n#undef X',
      ),
    ).toEqual(['a', 'b']);
  });

  it('an enum with macros and attributes among its constants', () => {
    const { root } = clean('enum demo : u8 {\n\tA __deprecated,\n\tEM(B)\n\tC = 3,\n#define D D\n\tD,\n};\n');
    expect(root.descendantsOfType('enumerator').map((n) => n.childForFieldName('name')!.text)).toEqual([
      'A',
      'EM',
      'C',
      'D',
    ]);
  });
});

describe('macros at file scope', () => {
  it('static MACRO(name) stays a call', () => {
    const { root } = clean('static DEFINE_MUTEX(demo_mutex);\nstatic LIST_HEAD(demo_list);\n');
    expect(root.descendantsOfType('call_expression').map((n) => n.text)).toEqual([
      'DEFINE_MUTEX(demo_mutex)',
      'LIST_HEAD(demo_list)',
    ]);
  });

  it('MACRO(type, name) = … declares the name', () => {
    const { root } = clean('static DEFINE_PER_CPU(struct bh_lru, bh_lrus) = { { 0 } };\n');
    expect(root.descendantsOfType('init_declarator')[0]!.childForFieldName('declarator')!.text).toBe(
      'bh_lrus',
    );
    expect(root.descendantsOfType('type_identifier')[0]!.text).toBe('bh_lru');
  });

  it('without a semicolon: gets one where there is room, and spoils nothing after it', () => {
    const { root } = clean(
      'module_init(demo_init) /* no */\nEXPORT_SYMBOL(x)\nMODULE_LICENSE("GPL")\n\nint demo(void)\n{\n}\n',
    );
    expect(root.descendantsOfType('function_definition').length).toBe(1);
  });

  it('a list macro on its own', () => {
    const { root } = clean(
      '#define X(a) int a;\nDEMO_LIST\n#undef X\n\nDEMO_OTHER\n\nint demo(void)\n{\n}\n',
    );
    expect(root.descendantsOfType('function_definition').length).toBe(1);
    expect(root.descendantsOfType('preproc_function_def').length).toBe(1);
  });

  it('SYSCALL_DEFINE and its like become functions with their parameters', () => {
    const source =
      'SYSCALL_DEFINE3(demo, int, fd, char __user *, buf, size_t, count)\n{\n\treturn demo_read(fd);\n}\n';
    expect(definition(source)).toEqual({
      name: 'demo',
      type: 'SYSCALL_DEFINE3',
      params: ['int fd', 'char * buf', 'size_t count'],
    });
    expect(definition('SYSCALL_DEFINE0(demo)\n{\n}\n')).toMatchObject({
      name: 'demo',
      type: 'SYSCALL_DEFINE0',
    });
    expect(definition('static CLOSURE_CALLBACK(demo_done)\n\t__releases(&c->lock)\n{\n}\n')).toMatchObject({
      name: 'demo_done',
    });
  });

  it('statements as arguments', () => {
    clean(
      'DEFINE_FREE(demo, struct demo *, if (_T) demo_free(_T))\nTRACE_EVENT(demo,\n\tTP_PROTO(struct inode *inode),\n\tTP_fast_assign(\n\t\t__entry->a = 1;\n\t\t__entry->b = 2;\n\t)\n);\nDEFINE_GUARD(demo, struct demo *, lock(_T), unlock(_T))\nint after;\n',
    );
  });
});

describe('macro definitions', () => {
  it('keep their text, but for named variadics and comments that hide the rest', () => {
    const { root, text } = clean(
      '#define DEMO(fmt, args...) \\\n\tdo { \\\n\t\t/* why */ \\\n\t\tprintk(fmt, ##args); \\\n\t} while (0)\n#define N\t(A /\\\n\t B)\nint after;\n',
    );
    expect(root.descendantsOfType('preproc_function_def')[0]!.childForFieldName('value')!.text).toContain(
      'while (0)',
    );
    expect(text).toContain('#define DEMO(fmt, args   )');
    expect(root.descendantsOfType('declaration').length).toBe(1);
  });

  it('in the middle of a function', () => {
    const { root } = clean(
      'int demo(void)\n{\n\tu64 mask = 0\n#define x(n) | n\n\tDEMO_LIST()\n#undef x\n\t;\n\tswitch (mask) {\n#define M(n) case n: break;\n\tMESSAGES\n#undef M\n\t}\n\treturn mask;\n}\n',
    );
    expect(root.descendantsOfType('function_definition').length).toBe(1);
  });
});
