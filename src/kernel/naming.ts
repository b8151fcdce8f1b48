/** Macros outside of functions that have nothing called: they say something of the functions they name, or name something else (a hook). */
export const SAYINGS: readonly { readonly name: string; readonly source: string }[] = [
  { name: 'EXPORT_SYMBOL', source: 'include/linux/export.h' },
  { name: 'EXPORT_SYMBOL_GPL', source: 'include/linux/export.h' },
  { name: 'NOKPROBE_SYMBOL', source: 'include/asm-generic/kprobes.h' },
  { name: 'LSM_HOOK', source: 'include/linux/lsm_hooks.h' },
  { name: 'ALLOW_ERROR_INJECTION', source: 'include/asm-generic/error-injection.h' },
];

const NAMES: ReadonlySet<string> = new Set(SAYINGS.map(({ name }) => name));

/** Is it one of them, or a relative of `EXPORT_SYMBOL` (`EXPORT_SYMBOL_NS()`, `IWL_EXPORT_SYMBOL()`)? */
export function onlySays(macro: string): boolean {
  return NAMES.has(macro) || macro.includes('EXPORT_SYMBOL');
}

/**
 * Is it a header of tracepoints (include/trace/events/, fs/xfs/xfs_trace.h, Linux 6.12)? Many have the names of the functions in which they
 * are hit, and macros of their own to declare several.
 */
export function namesTracepoints(text: string): boolean {
  return /^#define\s+TRACE_SYSTEM\b/m.test(text);
}
