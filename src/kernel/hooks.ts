/** A macro with the name of a hook and, where it fills one, a function among its arguments. */
interface HookMacro {
  readonly name: string;
  /** The struct or union that has a member for each hook. */
  readonly table: string;
  /** Place of the argument that names the member. */
  readonly hook: number;
  readonly source: string;
}

/** Macros that initialise an element of an array of hooks: the argument after the hook is the function. */
export const HOOK_FILLERS: readonly HookMacro[] = [
  {
    name: 'LSM_HOOK_INIT',
    table: 'security_list_options',
    hook: 0,
    source: 'include/linux/lsm_hooks.h',
  },
];

/** Macros that call what is in a hook: security modules are static calls since 6.12, and lists of pointers in 6.1. */
const HOOK_CALLERS: readonly HookMacro[] = ['call_int_hook', 'call_void_hook'].map((name) => ({
  name,
  table: 'security_list_options',
  hook: 0,
  source: 'security/security.c',
}));

export const HOOK_MACROS = [...HOOK_FILLERS, ...HOOK_CALLERS];

export const HOOK_CALLER_BY_NAME: ReadonlyMap<string, HookMacro> = new Map(
  HOOK_CALLERS.map((macro) => [macro.name, macro]),
);
