import { describe, expect, it } from 'vitest';
import { createIncludeResolver, includeInsertion } from '../../src/edit/includes.js';

const HEADER = 'linux/sched/mm.h';

function provides(files: Record<string, string>, file = 'fs/demo/demo.c'): boolean {
  return createIncludeResolver((path) => files[path]).provides(file, HEADER);
}

describe('a file of a module', () => {
  const file = 'module:/src/demo.c';

  it('gets what the headers of the module and of the kernel include', () => {
    const own = { [file]: '#include "../demo.h"\n', 'module:/demo.h': '#include <linux/a.h>\n' };
    expect(provides({ ...own, 'include/linux/a.h': '#include <linux/sched/mm.h>\n' }, file)).toBe(true);
    expect(provides({ ...own, 'include/linux/a.h': '' }, file)).toBe(false);
  });

  it('finds headers where the Makefile of the module says', () => {
    const files = {
      [file]: '#include <demo.h>\n',
      'module:/Kbuild': 'ccflags-y += -I$(src)/include\n',
      'module:/include/demo.h': '#include <linux/sched/mm.h>\n',
    };
    expect(provides(files, file)).toBe(true);
  });

  it('takes nothing of the kernel for what lies above the module', () => {
    const files = { [file]: '#include "../../demo.h"\n', 'demo.h': '#include <linux/sched/mm.h>\n' };
    expect(provides(files, file)).toBe(false);
  });
});

describe('whether a file gets a header', () => {
  it.each<[string, boolean, Record<string, string>]>([
    ['itself', true, { 'fs/demo/demo.c': '#include <linux/sched/mm.h>\n' }],
    [
      'itself, with odd spacing and a comment',
      true,
      { 'fs/demo/demo.c': ' # include\t<linux/sched/mm.h> /* x */\n' },
    ],
    ['not from a comment', false, { 'fs/demo/demo.c': '/*\n#include <linux/sched/mm.h>\n*/\n' }],
    ['not from its own #if', false, { 'fs/demo/demo.c': '#ifdef A\n#include <linux/sched/mm.h>\n#endif\n' }],
    [
      'not from the other arm',
      false,
      { 'fs/demo/demo.c': '#if 1\n#else\n#include <linux/sched/mm.h>\n#endif\n' },
    ],
    ['behind an #if', true, { 'fs/demo/demo.c': '#ifdef A\n#endif\n#include <linux/sched/mm.h>\n' }],
    [
      'through a guarded header',
      true,
      {
        'fs/demo/demo.c': '#include <linux/a.h>\n',
        'include/linux/a.h': '/* x */\n#ifndef A\n#define A\n#include <linux/sched/mm.h>\n#endif\n',
      },
    ],
    [
      'not through a header whose first #ifndef is no guard',
      false,
      {
        'fs/demo/demo.c': '#include <linux/a.h>\n',
        'include/linux/a.h': '#ifndef A\n#include <linux/sched/mm.h>\n#endif\n',
      },
    ],
    [
      'not through a guard that ends before',
      false,
      {
        'fs/demo/demo.c': '#include <linux/a.h>\n',
        'include/linux/a.h':
          '#ifndef A\n#define A\n#include <linux/sched/mm.h>\n#endif\n#ifndef B\n#define B\n#endif\n',
      },
    ],
    [
      'through what only the kernel compiles',
      true,
      {
        'fs/demo/demo.c': '#include <linux/a.h>\n',
        'include/uapi/linux/a.h': '#ifdef __KERNEL__\n#include <linux/sched/mm.h>\n#endif\n',
      },
    ],
    [
      'through a quoted header beside the one that includes it',
      true,
      {
        'fs/demo/demo.c': '#include "sub/a.h"\n',
        'fs/demo/sub/a.h': '#include "../b.h"\n',
        'fs/demo/b.h': '#include <linux/sched/mm.h>\n',
      },
    ],
    [
      'through a search path of the Makefile',
      true,
      {
        'fs/demo/demo.c': '#include "a.h"\n',
        'fs/demo/Makefile': 'ccflags-y += -I $(srctree)/$(src)/lib\n',
        'fs/demo/lib/a.h': '#include <linux/sched/mm.h>\n',
      },
    ],
    [
      'in a circle',
      false,
      {
        'fs/demo/demo.c': '#include <linux/a.h>\n',
        'include/linux/a.h': '#include <linux/b.h>\n',
        'include/linux/b.h': '#include <linux/a.h>\n',
      },
    ],
    [
      "not through one architecture's header",
      false,
      {
        'fs/demo/demo.c': '#include <asm/a.h>\n',
        'arch/x86/include/asm/a.h': '#include <linux/sched/mm.h>\n',
      },
    ],
    ['not if it is unknown', false, {}],
  ])('%s: %s', (_, expected, files) => {
    expect(provides(files)).toBe(expected);
  });

  it("follows an architecture's headers in its own code", () => {
    const files = {
      'arch/x86/mm/demo.c': '#include <asm/a.h>\n',
      'arch/x86/include/asm/a.h': '#include <linux/sched/mm.h>\n',
    };
    expect(provides(files, 'arch/x86/mm/demo.c')).toBe(true);
  });
});

describe('where an include goes', () => {
  const insert = (text: string): string => {
    const { offset, text: line } = includeInsertion(text, HEADER);
    return text.slice(0, offset) + line + text.slice(offset);
  };
  const LINE = '#include <linux/sched/mm.h>\n';

  it.each<[string, string, string]>([
    [
      'first of a sorted list',
      '#include <linux/slab.h>\n#include <linux/swap.h>\n',
      `${LINE}#include <linux/slab.h>\n#include <linux/swap.h>\n`,
    ],
    [
      'last of a sorted list',
      '#include <linux/a.h>\n#include <linux/b.h>\n\nint x;\n',
      `#include <linux/a.h>\n#include <linux/b.h>\n${LINE}\nint x;\n`,
    ],
    [
      'beside its directory',
      '#include <linux/sched.h>\n#include <linux/sched/signal.h>\n',
      `#include <linux/sched.h>\n${LINE}#include <linux/sched/signal.h>\n`,
    ],
    [
      'behind an unsorted list',
      '#include <linux/b.h>\n#include <linux/a.h>\n#include <asm/c.h>\n',
      `#include <linux/b.h>\n#include <linux/a.h>\n${LINE}#include <asm/c.h>\n`,
    ],
    [
      'behind an unsorted list, in front of the own headers',
      '#include <linux/b.h>\n#include <linux/a.h>\n#include "x.h"\n#include <linux/z.h>\n',
      `#include <linux/b.h>\n#include <linux/a.h>\n${LINE}#include "x.h"\n#include <linux/z.h>\n`,
    ],
    [
      'not in an #if',
      '#include <linux/a.h>\n#ifdef X\n#include <linux/s.h>\n#endif\n#include <linux/t.h>\n',
      `#include <linux/a.h>\n${LINE}#ifdef X\n#include <linux/s.h>\n#endif\n#include <linux/t.h>\n`,
    ],
    [
      'behind other system headers',
      '#include <crypto/a.h>\n\n#include "x.h"\n',
      `#include <crypto/a.h>\n${LINE}\n#include "x.h"\n`,
    ],
    ['in front of the own headers', '// x\n\n#include "x.h"\n', `// x\n\n${LINE}#include "x.h"\n`],
    ['at the front of a file without comments', 'int x;\n', `${LINE}\nint x;\n`],
    [
      'behind the licence',
      '/* licence */\n\n/* of x */\nint x;\n',
      `/* licence */\n\n${LINE}\n/* of x */\nint x;\n`,
    ],
    [
      'behind a format of messages',
      '/* licence */\n#define pr_fmt(f) f\nint x;\n',
      `/* licence */\n#define pr_fmt(f) f\n\n${LINE}\nint x;\n`,
    ],
    [
      'inside the guard of a header',
      '#ifndef A\n#define A\n#include "x.h"\n#endif\n',
      `#ifndef A\n#define A\n${LINE}#include "x.h"\n#endif\n`,
    ],
    ['behind a last line without its end', '#include <linux/a.h>', `#include <linux/a.h>\n${LINE}`],
  ])('%s', (_, before, after) => {
    expect(insert(before)).toBe(after);
  });

  it('has the line ends of the file', () => {
    expect(includeInsertion('#include <linux/a.h>\r\n\r\nint x;\r\n', HEADER).text).toBe(
      LINE.replace('\n', '\r\n'),
    );
  });
});
