const LEVELS = 'emerg|alert|crit|err|warn(?:ing)?|notice|info|cont|debug|devel|dbg|vdbg';

/**
 * Functions and macros that print their arguments and call none of them (include/linux/printk.h, dev_printk.h, netdevice.h, seq_file.h,
 * sprintf.h, asm-generic/bug.h, Linux 6.12), and those that look at one (likely() of linux/compiler.h).
 */
const PRINTS = new RegExp(
  [
    `(?:pr|dev|netdev|netif|drm)_(?:${LEVELS})(?:_once|_ratelimited)?`,
    '(?:__|_)?(?:no_|dev_|netdev_|trace_|drm_)?v?printk(?:_once|_ratelimited|_deferred)?',
    'v?(?:s|sn|scn)printf|k?v?asprintf|seq_v?printf|panic',
    '(?:__)?(?:WARN|BUG)(?:_ON)?(?:_ONCE)?|likely|unlikely',
    // A replacement is looked up by the function (include/kunit/static_stub.h).
    'KUNIT_STATIC_STUB_REDIRECT',
  ]
    .map((one) => `(?:${one})`)
    .join('|')
    .replace(/^/, '^(?:')
    .replace(/$/, ')$'),
);

/**
 * What `TRACE_EVENT(name)` and `DECLARE_TRACE(name)` make (include/linux/tracepoint.h, Linux 6.12): its probes write the arguments down. Nowhere
 * does a function of that name stand in the source, and where one does it is something else.
 */
export const TRACEPOINT = /^trace_\w+$/;

/** Does what is handed to it leave no trace but text? */
export function onlyPrints(name: string): boolean {
  return PRINTS.test(name);
}

/**
 * Is that parameter, the last one before `...`, a format of printf()? What comes behind it is printed (`__printf(3, 4)` of
 * linux/compiler_attributes.h says so of most, Linux 6.12; they call it `fmt`, `format`, `namefmt`, `pathfmt`).
 */
export function isFormat(param: readonly [name: string, type: string] | undefined): boolean {
  return param !== undefined && param[1] === 'char' && /(?:fmt|format)$/.test(param[0]);
}
