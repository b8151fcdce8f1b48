import { codeIn } from './code.js';

/** A guard that the tree defines: `DEFINE_GUARD(device, struct device *, device_lock(_T), device_unlock(_T))`. */
export type GuardFacts = readonly [
  cls: string,
  /** The call that takes the lock: `device_lock(_T)`. `_T` is what the guard is given. */
  lock: string,
  /** The one that drops it; '' for a class that another one is the base of (`DEFINE_GUARD_COND`). */
  unlock: string,
  /** That class, or ''. */
  base: string,
];

/** By macro (include/linux/cleanup.h, 6.19): the places of its arguments. A condition makes a class of its own, `base` and `cls` together. */
const FORMS: Readonly<Record<string, { lock: number; unlock?: number }>> = {
  DEFINE_GUARD: { lock: 2, unlock: 3 },
  DEFINE_GUARD_COND: { lock: 2 },
  DEFINE_LOCK_GUARD_0: { lock: 1, unlock: 2 },
  DEFINE_LOCK_GUARD_1: { lock: 2, unlock: 3 },
  DEFINE_LOCK_GUARD_1_COND: { lock: 2 },
};

const DEFINES = /^(DEFINE_(?:LOCK_)?GUARD\w*)\(/gm;

/** How far behind its name a definition is looked at. */
const MAX_LENGTH = 1000;

/** The guards that a text defines. */
export function guardsIn(text: string): GuardFacts[] {
  if (!text.includes('DEFINE_GUARD') && !text.includes('DEFINE_LOCK_GUARD')) return [];
  return [...text.matchAll(DEFINES)].flatMap(({ 0: head, 1: macro, index }): GuardFacts[] => {
    const form = FORMS[macro!];
    if (!form) return [];
    const args = argumentsIn(codeIn(text.slice(index + head.length, index + MAX_LENGTH)));
    const lock = args[form.lock];
    if (lock === undefined || !/^\w+$/.test(args[0]!)) return [];
    // A `DEFINE_LOCK_GUARD_1` keeps a pointer to what it is given: `_T->lock`.
    const given = (call: string): string =>
      macro!.includes('_1') ? call.replace(/\b_T->lock\b/g, '_T') : call;
    return form.unlock === undefined
      ? [[`${args[0]}${args[1]}`, given(lock), '', args[0]!]]
      : [[args[0]!, given(lock), given(args[form.unlock] ?? ''), '']];
  });
}

/** What stands between commas up to the bracket that closes the list, white space at the ends left out. */
function argumentsIn(text: string): string[] {
  const out = [''];
  let depth = 0;
  for (const c of text) {
    if (c === ')' && depth === 0) break;
    if (c === '(') depth++;
    if (c === ')') depth--;
    if (c === ',' && depth === 0) out.push('');
    else out[out.length - 1] += c;
  }
  return out.map((arg) => arg.replace(/\s+/g, ' ').trim());
}
