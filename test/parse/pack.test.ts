import { describe, expect, it } from 'vitest';
import { extractFacts } from '../../src/parse/extract.js';
import type { FileFacts } from '../../src/parse/facts.js';
import { packFacts, unpackFacts } from '../../src/parse/pack.js';

/** As far into a file as a number of four bytes says. */
const FAR = `/*\n${' * far\n'.repeat(400_000)} */\n`;

const SOURCE = `${FAR}
struct thing { struct mutex lock; unsigned int flags; };

static int take(struct thing *thing, unsigned int mode, gfp_t gfp)
{
	void *p;
	int err = -EINVAL;
	struct mutex *lock = &thing->lock;

	guard(mutex)(&thing->lock);
	if (mode & (MODE_A | MODE_B))
		thing->flags |= MODE_A | MODE_B;
	switch (mode) {
	case MODE_A:
		p = kmalloc(sizeof(*p), GFP_NOFS);
		break;
	default:
		p = thing->ops->get(thing, mode, gfp);
	}
	if (IS_ERR(p))
		return PTR_ERR(p);
	while (!done(p))
		err = wait_for(p);
out:
	return err;
}

static inline void nothing(void) {}
`;

/** With all that is read when it is asked for. */
function plain(facts: FileFacts): unknown {
  const functions = facts.functions.map((fn) => {
    const { name, cfg, calls, statements, params, locals, sites, isStatic, isInline, locks, line } = fn;
    return { name, cfg, calls, statements, params, locals, sites, isStatic, isInline, locks, line };
  });
  return { ...facts, functions, lines: facts.lines };
}

describe('packed facts', () => {
  const facts = extractFacts('fs/thing.c', SOURCE);

  it('are read back as they were', () => {
    const kinds = new Set(facts.functions.flatMap((fn) => fn.cfg.map(({ op }) => op.k)));
    expect([...kinds].sort()).toEqual(['call', 'guard', 'nop', 'ret', 'set', 'test', 'unguard']);
    expect(facts.functions[0]!.start).toBeGreaterThan(128 ** 3);
    expect(plain(unpackFacts(packFacts(facts)))).toEqual(plain(facts));
  });

  it('are refused where some are missing', () => {
    expect(() => unpackFacts(packFacts(facts).slice(0, -1))).toThrow('of another length');
    expect(() => unpackFacts('')).toThrow();
  });
});
