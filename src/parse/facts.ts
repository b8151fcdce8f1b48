import type { GuardFacts } from './guards.js';

/**
 * What one file says, as plain values: the input of the linker. Offsets are 0-based bytes into the
 * file, ends exclusive.
 *
 * **Access paths** (`Path`) are strings that say where a value comes from, for typing and matching:
 * a root, then the fields that are followed, each after a blank:
 * `v:name` a variable, `c:f(args)` the result of `f` (argument paths separated by `;`), `t:tag` a value
 * known to be of that struct. `->`, `.`, `[]`, `*` and `&` are all alike here.
 * `~v:x` is computed from `x` with `|` or `&`, `~v:A|B` is the constants `A` and `B` together; `&v:x` is the address of a plain variable. Constants start with
 * `#`: `#0`, `#neg`, `#pos`, `#err` (an `ERR_PTR`), `#str`. `@n` is the result of the call in CFG node `n`.
 * `` (empty) is anything else.
 */
export type Path = string;

/** A call. `fn` is set for a call by name, `target` for a call through a pointer. */
export interface CallOp {
  readonly k: 'call';
  readonly fn: string;
  readonly target: Path;
  readonly args: readonly Path[];
  /** Where the result is assigned to, or ''. */
  to: Path;
  /** Variables that are handed over by name to a macro that sets them: known to the linker. */
  sets?: readonly Path[];
  readonly start: number;
  readonly end: number;
}

/** The flags of the running task. */
export const TASK_FLAGS: Path = 'v:current flags';

/** A plain assignment that is no call result. */
export interface SetOp {
  readonly k: 'set';
  readonly to: Path;
  readonly from: Path;
  readonly start: number;
  /** For `to |= A | B`: the names of the constants. For `to++`: `++`, for `to--`: `--`. */
  readonly adds?: readonly string[];
  /** `from` stands for the address of that (`&a->b`): never null. */
  readonly isAddress?: true;
}

/** A branch: successor 0 where `on rel` holds, successor 1 where it does not. */
export interface TestOp {
  readonly k: 'test';
  readonly on: Path;
  /**
   * `nz`: non-zero or non-null; `neg`: < 0; `pos`: > 0; `err`: `IS_ERR()`; `errnull`: `IS_ERR_OR_NULL()`; `=neg`: equals a certain
   * negative value; `err or object`: `IS_ERR()` of what is known never to be null, which no file says (`analysis/error-pointers.ts`);
   * `=task F`: the variable is what `current->F` points to; `== P`: equals what is in another path; `?`: unknown.
   */
  readonly rel:
    | 'nz'
    | 'neg'
    | 'pos'
    | 'err'
    | 'errnull'
    | 'err or object'
    | '=neg'
    | `=task ${string}`
    | `== ${Path}`
    | '?';
  /** For `variable & (A | B)` and `x->member & A`: the names of the constants. */
  readonly flags?: readonly string[];
}

export interface ReturnOp {
  readonly k: 'ret';
  readonly value: Path;
}

/** Opening (`guard`) of a lock that is dropped at the end of a block, and that drop. */
export interface GuardOp {
  readonly k: 'guard' | 'unguard';
  /** Class of the guard: `mutex`, `rwsem_read`, … */
  readonly cls: string;
  readonly arg: Path;
  readonly start: number;
}

export type Op = CallOp | SetOp | TestOp | ReturnOp | GuardOp | { readonly k: 'nop' };

export interface CfgNode {
  readonly op: Op;
  /** Indices of the successors. Node 0 is the entry, node 1 the exit. */
  readonly next: readonly number[];
  /** Index into `FunctionFacts.statements`, or -1. */
  readonly statement: number;
}

/** The same while it is made. */
export interface OpenNode extends CfgNode {
  readonly next: number[];
}

export type StatementKind =
  | 'block'
  | 'expression'
  | 'declaration'
  | 'if'
  | 'loop'
  | 'switch'
  | 'label'
  | 'case'
  | 'return'
  | 'jump'
  | 'other';

export interface Statement {
  readonly kind: StatementKind;
  readonly start: number;
  readonly end: number;
  /** Index of the enclosing statement; -1 for the body of the function. */
  readonly parent: number;
  /** CFG nodes made for it (and its parts): `[from, to)`. */
  from: number;
  to: number;
}

/** Where a mask stands. `arg`: in an argument; `init`/`assign`: gives a variable its value. */
export type SiteContext = 'arg' | 'init' | 'assign' | 'return' | 'compare' | 'other';

export interface SiteFacts {
  /** Text of the mask: `GFP_NOFS`, `GFP_NOIO`, `~__GFP_FS`, … */
  readonly flag: string;
  readonly start: number;
  readonly end: number;
  readonly context: SiteContext;
  /** CFG node of the call or assignment that it belongs to; -1 outside functions. */
  readonly node: number;
  /** 0-based argument index for `arg`. */
  readonly arg: number;
  /** Name of the called function for `arg`, or ''. */
  readonly call: string;
  /** Variable or path for `init` and `assign`. */
  readonly to: Path;
  /** What the code is without it, where it can simply be left out. */
  readonly without: TextEdit | null;
}

/** New text for a range of a file; 0-based byte offsets, `end` exclusive. Ranges of one file do not overlap. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface FunctionFacts {
  readonly name: string;
  /** A function-like macro read as a function. */
  readonly isMacro: boolean;
  /** A macro or function that takes any number of arguments. */
  readonly isVariadic: boolean;
  readonly isStatic: boolean;
  readonly isInline: boolean;
  /** `__init`: its code is gone once the kernel or the module has started, so only such code calls it. */
  readonly isInit: boolean;
  /** Struct tag or typedef name, pointers dropped; '' where unknown. */
  readonly returnType: string;
  readonly params: readonly (readonly [name: string, type: string])[];
  readonly locals: readonly (readonly [name: string, type: string])[];
  readonly start: number;
  readonly end: number;
  readonly bodyStart: number;
  readonly line: number;
  /** Text of the function did not parse: no edits here. */
  readonly broken: boolean;
  readonly cfg: readonly CfgNode[];
  /** The calls of `cfg`, with their nodes, in order: to have without all the rest. */
  readonly calls: readonly (readonly [node: number, op: CallOp])[];
  /** Names that are no variables of the function and that it assigns (`to` is the path) or returns (`to` is `''`), as values. */
  readonly references: readonly (readonly [to: Path, name: string])[];
  /**
   * Parameters, and variables that are given what `references` and `memberReads` say, what becomes of whose value no node says: it
   * stands in one that is not understood.
   */
  readonly lost: readonly string[];
  /** Plain assignments of what a member holds: the path assigned to, and that of the member. */
  readonly memberReads: readonly (readonly [to: Path, from: Path])[];
  /** Whether it calls a lock primitive or a scope function, or has a guard. */
  readonly locks: boolean;
  /**
   * Positions of the parameters that are tested for being 0 or null, or for flags, themselves or as variables that they
   * are assigned to.
   */
  readonly testedParams: readonly number[];
  /** Whether it assigns to a member of `current`. */
  readonly setsCurrent: boolean;
  /** Whether it assigns from a member of `current`, or returns one. */
  readonly readsCurrent: boolean;
  /** Whether a call is handed a name that is none of its variables, and no name in capitals: a function, perhaps. */
  readonly handsNames: boolean;
  /** Whether it has a test of a variable with `flags`. */
  readonly testsFlags: boolean;
  readonly statements: readonly Statement[];
  readonly sites: readonly SiteFacts[];
  /** For a macro that is an expression: its value. */
  readonly value: Path;
  /**
   * Set where this is the function once more, with other `#if` arms alive: only what starts in these ranges is news,
   * all else has been said by the first reading.
   */
  readonly arms?: readonly { readonly start: number; readonly end: number }[];
}

/**
 * A flag that a function turns into a mask: `if (flags & KM_NOFS) gfp &= ~__GFP_FS`. Where the flag is used, the mask is.
 */
export interface MaskFlag {
  readonly flag: string;
  readonly fn: string;
  /** 0-based parameter in which `fn` looks for the flag. */
  readonly param: number;
  /** Text of the mask that it stands for. */
  readonly mask: string;
}

/** In the place of a field: the function is an element of an array that only functions of the file use. */
export const ELEMENTS = '[]';

/** `field` of struct `struct` is set to function `fn` (in an initialiser or by assignment). */
export interface TableEntry {
  /** Struct tag where the initialiser names it, else ''. */
  readonly struct: string;
  /** For an assignment: the path assigned to, typed by the linker within function `within`. */
  readonly path: Path;
  readonly within: string;
  readonly field: string;
  readonly fn: string;
  readonly start: number;
  /** Name of the variable initialised, or ''. */
  readonly variable: string;
}

export interface FileFacts {
  readonly file: string;
  /** Offset of the first byte of each line. */
  readonly lines: readonly number[];
  readonly functions: readonly FunctionFacts[];
  /** Struct tag → field → type (struct tag, typedef name or `fn` for a function pointer). */
  readonly structs: readonly (readonly [tag: string, fields: readonly (readonly [string, string])[]])[];
  /** Of all that stand after `struct` or `union` those without a small letter, which would pass for macros. */
  readonly tags: readonly string[];
  readonly typedefs: readonly (readonly [name: string, type: string])[];
  readonly globals: readonly (readonly [name: string, type: string])[];
  /** Prototypes: name, return type, parameter types. */
  readonly prototypes: readonly (readonly [name: string, returnType: string, params: readonly string[]])[];
  readonly tables: readonly TableEntry[];
  /** `#define name target`: one name for another. */
  readonly aliases: readonly (readonly [name: string, target: string])[];
  /** Names that stand in macro bodies which could not be read as code: whoever they name may be called from anywhere. */
  readonly mentions: readonly string[];
  /**
   * Names that a macro outside of functions is handed (`late_initcall(f)`), that are called in what it is handed (`DEFINE_FREE(…, f(_T))`),
   * or that an attribute has (`__alias(f)`): what is called so, nobody is seen to call.
   */
  readonly entered: readonly string[];
  /** Guards that the file defines. */
  readonly guards: readonly GuardFacts[];
  /** Classes of the guards that its functions have, each once. */
  readonly guarded: readonly string[];
  /** Registrars outside of functions (`DECLARE_WORK(work, f)`, see `kernel/tasks.ts`), each with its arguments. */
  readonly started: readonly (readonly [registrar: string, args: readonly string[]])[];
  /**
   * Macros called outside of functions (`EXPORT_SYMBOL(f)`), each with the names among its arguments. Only of a module's files:
   * of the kernel nobody asks.
   */
  readonly invocations: readonly (readonly [macro: string, names: readonly string[]])[];
  /** See `constantsOf()`. */
  readonly constants: string;
  /** Flags of the file's own functions that stand for a mask. */
  readonly maskFlags: readonly MaskFlag[];
  /** Sites outside functions. */
  readonly sites: readonly SiteFacts[];
}

/** 1-based line of a byte offset. */
export function lineAt(lines: readonly number[], offset: number): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Offsets of the first byte of each line. */
export function lineStarts(text: string): number[] {
  const out = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) out.push(i + 1);
  return out;
}
