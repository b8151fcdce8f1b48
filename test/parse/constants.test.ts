import { describe, expect, it } from 'vitest';
import { constantsOf, constantValue } from '../../src/parse/constants.js';

const TEXT = `
#define LOCK_EXCL	(1u << 0)	/* for one */
#define LOCK_SHARED (1u << 1) // for all
#define LOCK_SHIFT 24
#define LOCK_NESTED	(LOCK_SHARED << LOCK_SHIFT)
#define LOCK_MASK	(LOCK_EXCL | \\
			 LOCK_SHARED)
#define LOCK_DEEP BIT(3)
#define LOCK_COUNT (LOCK_SHIFT - 1)
#define LOCK_NAME "lock"
#define lock_of(x) ((x)->lock)
enum lock_kind {
	KIND_MUTEX = 0x10,
	KIND_RWSEM = 1UL << 5,
	KIND_NEXT,
};
typedef enum {
	MODE_NONE,	/* none, or not yet */
	MODE_READ,	// one of many
	MODE_WRITE = 0x20,
	MODE_WAIT,
#ifdef CONFIG_LOCK_ODD
	MODE_ODD,
#endif
	MODE_LAST
} lock_mode_t;
`;

/** Value of a constant of the text above. */
function value(name: string): bigint | undefined {
  const found = new RegExp(`\\n${name} (.*)\\n`).exec(constantsOf(TEXT))?.[1];
  return found === undefined ? undefined : constantValue(found, value);
}

describe('constants', () => {
  it.each([
    ['LOCK_EXCL', 1n],
    ['LOCK_SHARED', 2n],
    ['LOCK_NESTED', 2n << 24n],
    ['LOCK_MASK', 3n],
    ['LOCK_DEEP', 8n],
    ['KIND_MUTEX', 16n],
    ['KIND_RWSEM', 32n],
    ['MODE_NONE', 0n],
    ['MODE_READ', 1n],
    ['MODE_WRITE', 32n],
    ['MODE_WAIT', 33n],
  ])('%s', (name, expected) => {
    expect(value(name)).toBe(expected);
  });

  it.each(['LOCK_COUNT', 'LOCK_NAME', 'KIND_NEXT', 'MODE_ODD', 'MODE_LAST', 'lock_of'])(
    '%s has none that is followed',
    (name) => {
      expect(value(name)).toBeUndefined();
    },
  );

  it('what has no value that is followed is there all the same', () => {
    expect(constantsOf(TEXT)).toContain('\nLOCK_COUNT ?\n');
  });
});
