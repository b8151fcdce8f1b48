import { HOOK_FILLERS } from '../kernel/hooks.js';
import { LOCK_BY_NAME } from '../kernel/locks.js';
import {
  FLAG_RESTORER_BY_NAME,
  FLAG_SETTER_BY_NAME,
  MASK_BY_NAME,
  MASK_CONSTRAINTS,
  SCOPE_APIS,
  SCOPE_BY_TASK_FLAG,
} from '../kernel/masks.js';
import { namesTracepoints, onlySays } from '../kernel/naming.js';
import { PSEUDO_BY_CALL } from '../kernel/pseudo-locks.js';
import { REGISTRARS } from '../kernel/tasks.js';
import { inModule } from '../tree/kernel-tree.js';
import { codeIn, NO_CODE } from './code.js';
import { constantsOf } from './constants.js';
import { type Cst, childByField, children, parseCst, textOf } from './cst.js';
import type {
  CfgNode,
  FileFacts,
  FunctionFacts,
  MaskFlag,
  Path,
  SiteContext,
  SiteFacts,
  TableEntry,
} from './facts.js';
import { ELEMENTS, lineAt, lineStarts, TASK_FLAGS } from './facts.js';
import { buildFlow, declaredName } from './flow.js';
import { guardsIn } from './guards.js';
import { mendPasses } from './mend.js';
import { argumentsOf, pathOf } from './paths.js';
import { readCst } from './read-c.js';
import { withoutMask } from './without.js';

const CONSTRAINTS = new Set(MASK_CONSTRAINTS.map((c) => c.name));

/** Text that hints at a site; a file without it has none. */
const SITE_HINT = /\bGFP_NO(?:FS|IO)\b|~\s*\(?\s*__GFP_(?:FS|IO)\b/;

/**
 * Comments, literals and the names of what is defined are skipped by matching them first; what is left over is a mask in code.
 * A clearing mask is `~__GFP_FS`, `~__GFP_IO` or `~(… __GFP_FS …)`.
 */
const SITE_TOKEN =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|#[ \t]*define[ \t]+GFP_NO(?:FS|IO)\b|\b(GFP_NOFS|GFP_NOIO)\b|(~\s*__GFP_(?:FS|IO)\b|~\s*\([^()]*__GFP_(?:FS|IO)\b[^()]*\))/g;

/** Every mask that stands in code, by its text, in order of offset. */
export function maskTokens(text: string): { flag: string; start: number; end: number }[] {
  if (!SITE_HINT.test(text)) return [];
  const out: { flag: string; start: number; end: number }[] = [];
  for (const match of text.matchAll(SITE_TOKEN)) {
    const flag = match[1] ?? match[2];
    if (flag !== undefined) out.push({ flag, start: match.index, end: match.index + flag.length });
  }
  return out;
}

/** Every use in code of a flag that stands for a mask, in order of offset. */
function flagTokens(
  text: string,
  flags: ReadonlySet<string>,
): { flag: string; start: number; end: number }[] {
  if (flags.size === 0) return [];
  const token = new RegExp(`${NO_CODE.source}|\\b(${[...flags].join('|')})\\b`, 'g');
  return [...text.matchAll(token)].flatMap((match) =>
    match[1] === undefined
      ? []
      : [{ flag: match[1], start: match.index, end: match.index + match[1].length }],
  );
}

/** `exact`: by tree-sitter, which alone tells what does not parse. `fast`: by the own reader wherever it understands the text. */
export type Reading = 'exact' | 'fast';

/**
 * Reads one file. Never throws on bad C; functions that do not parse are marked `broken`. Uses of `flags` in arguments and
 * variables are sites, too: what a flag stands for is known only once the whole tree has been read.
 */
export function extractFacts(
  file: string,
  text: string,
  reading: Reading = 'fast',
  flags: ReadonlySet<string> = new Set(),
): FileFacts {
  const facts = new Extraction(file, text, reading, flags);
  const passes = mendPasses(text);
  facts.readPass(passes[0]?.text ?? text, undefined);
  for (const [i, pass] of passes.entries()) {
    // A later pass only adds what stands in an arm that the passes before had blanked.
    if (i > 0) facts.readPass(pass.text, passes[0]!.arms);
  }
  return facts.finish();
}

/** `NAME(a, b)` outside of functions, with those arguments that are names. Arguments with a type are a prototype's. */
function invocationsIn(text: string, functions: readonly FunctionFacts[]): [string, string[]][] {
  let outside = '';
  let from = 0;
  for (const { start, end } of functions) {
    if (start > from) outside += text.slice(from, start);
    from = Math.max(from, end);
  }
  outside += text.slice(from);
  return [...codeIn(outside).matchAll(/\b([A-Za-z_]\w*)\s*\(([^(){};]*)\)/g)].map(([, macro, args]) => [
    macro!,
    args!.split(',').flatMap((arg) => /^\s*&?\s*([A-Za-z_]\w*)\s*$/.exec(arg)?.[1] ?? []),
  ]);
}

/** Attributes with the name of a function: `__alias(f)`, `__attribute__((alias("f")))`, `__cleanup(f)`. */
const NAMING_ATTRIBUTE = /\b(?:__)?(?:alias|cleanup)(?:__)?\s*\(\s*"?([a-z_]\w*)"?\s*\)/g;

/** How far behind its name what a macro is called with is looked at. */
const MAX_INVOCATION = 8000;

function isWithin(functions: readonly FunctionFacts[], at: number): boolean {
  return functions.some(({ start, end }) => start <= at && at < end);
}

/** Macros that make what runs a callback, with names as their arguments: `DECLARE_WORK(work, f)`. */
const STARTER = new RegExp(
  `${NO_CODE.source}|\\b(${REGISTRARS.flatMap(({ name }) => (/^[A-Z_]+$/.test(name) ? [name] : [])).join('|')})\\s*\\(([\\s\\w.,&]*)\\)`,
  'g',
);

/** See `FileFacts.started`. */
function startedIn(text: string, functions: readonly FunctionFacts[]): [string, string[]][] {
  if (!/_WORK|_INIT|_TIMER|_TASKLET/.test(text)) return [];
  return [...text.matchAll(STARTER)].flatMap(({ 1: macro, 2: args, index }): [string, string[]][] =>
    macro === undefined || isWithin(functions, index)
      ? []
      : [[macro, args!.split(',').map((arg) => arg.trim())]],
  );
}

/** See `FileFacts.guarded`. */
function guardedIn(functions: readonly FunctionFacts[]): string[] {
  const guards = functions.flatMap(({ locks, cfg }) =>
    locks ? cfg.flatMap(({ op }) => (op.k === 'guard' ? [op.cls] : [])) : [],
  );
  return [...new Set(guards)];
}

/** See `FileFacts.entered`. */
function enteredIn(text: string, functions: readonly FunctionFacts[]): string[] {
  const found = new Set<string>();
  if (namesTracepoints(text)) return [];
  for (const { 0: head, 1: macro, index } of text.matchAll(/^(?:static\s+)?([A-Za-z_]\w*)\s*\(/gm)) {
    if (onlySays(macro!) || isWithin(functions, index)) continue;
    const from = index + head.length;
    for (const name of namesHandedTo(codeIn(text.slice(from, from + MAX_INVOCATION)))) found.add(name);
  }
  if (/(?:alias|cleanup)(?:__)?\s*\(/.test(text))
    for (const [, name] of text.matchAll(NAMING_ATTRIBUTE)) found.add(name!);
  return [...found];
}

/** In what follows the bracket that opens a list of arguments: names that are an argument, and those that are called. */
function namesHandedTo(code: string): string[] {
  let depth = 1;
  let end = 0;
  for (; end < code.length && depth > 0; end++) depth += code[end] === '(' ? 1 : code[end] === ')' ? -1 : 0;
  const list = code.slice(0, depth > 0 ? end : end - 1);
  const called = [...list.matchAll(/(?<![.\w])([a-z_]\w*)\s*\(/g)];
  const handed = [...list.matchAll(/(?:^|,)\s*&?\s*([a-z_]\w*)\s*(?=,|$)/g)];
  return [...called, ...handed].map(([, name]) => name!);
}

type Arms = readonly { readonly start: number; readonly end: number }[];

/** Starts the path of a member of the running task. */
const CURRENT = 'v:current ';

class Extraction {
  private readonly lines: readonly number[];
  private readonly functions: FunctionFacts[] = [];
  private readonly structs = new Map<string, Map<string, string>>();
  private readonly tags = new Set<string>();
  private readonly typedefs: [string, string][] = [];
  private readonly globals: [string, string][] = [];
  private readonly prototypes: [string, string, string[]][] = [];
  private readonly tables: TableEntry[] = [];
  private readonly aliases: [string, string][] = [];
  private readonly mentions = new Set<string>();
  /** Arrays that no other file can use. */
  private readonly ownArrays = new Set<string>();
  private readonly indexed = new Map<string, boolean>();
  private code: string | undefined;
  private readonly outside: SiteFacts[] = [];
  private readonly maskFlags: MaskFlag[] = [];
  private readonly masks: { flag: string; start: number; end: number }[];
  private readonly taken = new Set<number>();
  private readonly seen = new Set<number>();
  private arms: Arms | undefined;
  private cst!: Cst;

  constructor(
    private readonly file: string,
    private readonly text: string,
    private readonly reading: Reading,
    private readonly flags: ReadonlySet<string>,
  ) {
    this.lines = lineStarts(text);
    this.masks = [...maskTokens(text), ...flagTokens(text, flags)].sort((a, b) => a.start - b.start);
  }

  /** Reads the mended text; with `arms`, only what overlaps one of them. */
  readPass(mended: string, arms: Arms | undefined): void {
    this.cst = this.parse(mended);
    this.arms = arms;
    this.items(0);
  }

  private parse(mended: string, base = 0): Cst {
    return (this.reading === 'fast' ? readCst(mended, base) : undefined) ?? parseCst(mended, base);
  }

  finish(): FileFacts {
    for (const mask of this.masks) {
      // A flag outside of functions is its definition, or a table of names for tracing.
      if (!this.taken.has(mask.start) && !this.flags.has(mask.flag)) {
        this.outside.push({ ...mask, context: 'other', node: -1, arg: -1, call: '', to: '', without: null });
      }
    }
    this.functions.sort((a, b) => a.start - b.start);
    return {
      file: this.file,
      lines: this.lines,
      functions: this.functions,
      structs: [...this.structs].map(([tag, fields]) => [tag, [...fields]] as const),
      tags: [...this.tags],
      typedefs: this.typedefs,
      globals: this.globals,
      prototypes: this.prototypes,
      tables: this.tables,
      aliases: this.aliases,
      mentions: [...this.mentions],
      entered: enteredIn(this.text, this.functions),
      guards: guardsIn(this.text),
      guarded: guardedIn(this.functions),
      started: startedIn(this.text, this.functions),
      invocations: inModule(this.file) ? invocationsIn(this.text, this.functions) : [],
      constants: constantsOf(this.text),
      maskFlags: this.maskFlags,
      sites: this.outside,
    };
  }

  private wanted(node: number): boolean {
    if (!this.arms) return true;
    const start = this.cst.start[node]!;
    const end = this.cst.end[node]!;
    return this.arms.some((arm) => arm.start < end && start < arm.end);
  }

  private items(parent: number): void {
    const { cst } = this;
    for (let c = cst.first[parent]!; c >= 0; c = cst.next[c]!) {
      switch (cst.type[c]) {
        case 'function_definition':
          if (this.wanted(c)) {
            // By its body: that may have several heads.
            const body = childByField(cst, c, 'body');
            const at = cst.start[body < 0 ? c : body]!;
            this.functionDefinition(c, this.seen.has(at) ? this.arms : undefined);
            this.seen.add(at);
          }
          break;
        case 'declaration':
          if (this.wanted(c)) this.fileDeclaration(c);
          break;
        case 'expression_statement':
          // `DEFINE_MUTEX(name);` at file scope.
          if (this.wanted(c)) this.lockMacro(c);
          break;
        case 'type_definition':
          if (this.wanted(c)) this.typeDefinition(c);
          break;
        case 'struct_specifier':
        case 'union_specifier':
          if (this.wanted(c)) this.typeName(c, '');
          break;
        case 'preproc_def':
          if (!this.arms) this.plainMacro(c);
          break;
        case 'preproc_function_def':
          if (!this.arms) this.macro(c);
          break;
        case 'preproc_if':
        case 'preproc_ifdef':
        case 'preproc_else':
        case 'preproc_elif':
        case 'preproc_elifdef':
        case 'linkage_specification':
        case 'declaration_list':
        case 'ERROR':
          this.items(c);
          break;
      }
    }
  }

  /** Name of a type: struct tag, typedef name or words of a basic type. Registers struct bodies met. */
  private typeName(node: number, anonymous: string): string {
    const { cst } = this;
    if (node < 0) return '';
    const type = cst.type[node]!;
    if (type === 'struct_specifier' || type === 'union_specifier') {
      const named = childByField(cst, node, 'name');
      const tag = named >= 0 ? textOf(cst, named) : anonymous;
      if (named >= 0 && !/[a-z]/.test(tag)) this.tags.add(tag);
      const body = childByField(cst, node, 'body');
      if (body >= 0 && tag !== '') this.fields(tag, body);
      return tag;
    }
    if (type === 'enum_specifier') return 'int';
    if (type === 'macro_type_specifier') return '';
    return textOf(cst, node);
  }

  private fields(tag: string, body: number): void {
    const { cst } = this;
    let fields = this.structs.get(tag);
    if (!fields) {
      fields = new Map();
      this.structs.set(tag, fields);
    }
    for (const c of children(cst, body)) {
      if (/^preproc_/.test(cst.type[c]!)) {
        this.fields(tag, c);
        continue;
      }
      if (cst.type[c] !== 'field_declaration') continue;
      const type = childByField(cst, c, 'type');
      const declarators: number[] = [];
      for (let d = cst.first[c]!; d >= 0; d = cst.next[d]!)
        if (cst.field[d] === 'declarator') declarators.push(d);
      const inline = type >= 0 && childByField(cst, type, 'body') >= 0;
      if (declarators.length === 0) {
        // An anonymous struct or union: its members are members of this one.
        if (inline && childByField(cst, type, 'name') < 0) this.fields(tag, childByField(cst, type, 'body'));
        else this.typeName(type, '');
        continue;
      }
      const names = declarators.map((d) => declaredName(cst, d));
      const base = this.typeName(type, `${tag}.${names[0]}`);
      for (const [i, d] of declarators.entries()) {
        if (names[i] !== '')
          fields.set(names[i]!, this.isFunctionPointer(d) ? this.functionType(d, base) : base);
      }
    }
  }

  private isFunctionPointer(declarator: number): boolean {
    for (let n = declarator; n >= 0; n = childByField(this.cst, n, 'declarator')) {
      if (this.cst.type[n] === 'function_declarator') return true;
      if (this.cst.type[n] === 'parenthesized_declarator') return false;
    }
    return false;
  }

  /** `x[]`, or `(*x[])(int)`. */
  private isArray(declarator: number): boolean {
    for (let n = declarator; n >= 0; n = this.inner(n)) {
      const type = this.cst.type[n];
      if (type === 'array_declarator') return this.cst.type[this.inner(n)] === 'identifier';
    }
    return false;
  }

  /** What a declarator is about: `parenthesized_declarator` has no field for it. */
  private inner(declarator: number): number {
    const { cst } = this;
    const named = childByField(cst, declarator, 'declarator');
    if (named >= 0 || cst.type[declarator] !== 'parenthesized_declarator') return named;
    return children(cst, declarator).find((c) => cst.type[c]!.endsWith('declarator')) ?? -1;
  }

  /** Can no other file use what is declared? */
  private isOfFile(declaration: number): boolean {
    const { cst } = this;
    const isStatic = (c: number): boolean =>
      cst.type[c] === 'storage_class_specifier' && textOf(cst, c) === 'static';
    return this.file.endsWith('.c') && children(cst, declaration).some(isStatic);
  }

  /**
   * Does the file use an array, outside of macros, by one element after the other, by its size and by `p = array;` alone? What becomes of
   * an element the linker sees.
   */
  private isIndexed(array: string): boolean {
    let answer = this.indexed.get(array);
    if (answer === undefined) {
      this.code ??= codeIn(this.text);
      const inMacro = new RegExp(`^[ \\t]*#[ \\t]*define\\b(?:.*\\\\\\r?\\n)*.*\\b${array}\\b`, 'm');
      const understood = `(?<!(?<!&)&\\s*)\\b${array}\\s*\\[|\\bARRAY_SIZE\\(${array}\\)|\\bsizeof\\(${array}\\)|=\\s*${array}\\s*;`;
      const rest = this.code.replace(new RegExp(understood, 'g'), ' ');
      answer = !inMacro.test(this.code) && !new RegExp(`\\b${array}\\b`).test(rest);
      this.indexed.set(array, answer);
    }
    return answer;
  }

  private typeDefinition(node: number): void {
    const { cst } = this;
    const type = childByField(cst, node, 'type');
    for (let d = cst.first[node]!; d >= 0; d = cst.next[d]!) {
      if (cst.field[d] !== 'declarator') continue;
      const name = declaredName(cst, d);
      if (name === '') continue;
      const result = this.typeName(type, name);
      const target = this.isFunctionPointer(d) ? this.functionType(d, result) : result;
      if (target !== name) this.typedefs.push([name, target]);
    }
  }

  private fileDeclaration(node: number): void {
    const { cst } = this;
    const type = childByField(cst, node, 'type');
    let base: string | undefined;
    for (let d = cst.first[node]!; d >= 0; d = cst.next[d]!) {
      if (cst.field[d] !== 'declarator') continue;
      const inner = cst.type[d] === 'init_declarator' ? childByField(cst, d, 'declarator') : d;
      const name = declaredName(cst, inner);
      base ??= this.typeName(type, name === '' ? '' : `${name}.type`);
      if (name === '') continue;
      const signature = this.functionDeclarator(inner);
      if (signature >= 0 && this.cst.type[childByField(cst, signature, 'declarator')] === 'identifier') {
        this.prototypes.push([name, base, this.parameters(signature).map(([, t]) => t)]);
        continue;
      }
      this.globals.push([name, this.isFunctionPointer(inner) ? this.functionType(inner, base) : base]);
      if (cst.type[d] === 'init_declarator') {
        const value = childByField(cst, d, 'value');
        const isArray = this.isArray(inner);
        if (isArray && this.isOfFile(node)) this.ownArrays.add(name);
        this.initializer(value, `t:${base}`, '', name, isArray);
        if ((this.isFunctionPointer(inner) && !isArray) || cst.type[value] === 'identifier')
          this.namesIn(value, '');
        this.sitesIn(d, undefined);
      }
    }
    base ?? this.typeName(type, '');
    this.lockMacro(node);
  }

  /** `static DEFINE_MUTEX(name);` reads as a declaration of a function: the name is a global lock. */
  private lockMacro(node: number): void {
    const text = textOf(this.cst, node);
    const match =
      /\b(?:DEFINE|DECLARE)_(MUTEX|RWSEM|SEMAPHORE|STATIC_PERCPU_RWSEM|PERCPU_RWSEM)\s*\(\s*(\w+)/.exec(text);
    if (!match) return;
    const type = { MUTEX: 'mutex', SEMAPHORE: 'semaphore', RWSEM: 'rw_semaphore' }[match[1]!];
    this.globals.push([match[2]!, type ?? 'percpu_rw_semaphore']);
  }

  private functionDeclarator(declarator: number): number {
    let found = -1;
    for (let n = declarator; n >= 0; n = childByField(this.cst, n, 'declarator')) {
      if (this.cst.type[n] === 'function_declarator') found = n;
    }
    return found;
  }

  /** `fn(inode,int) void`: types of the parameters and of the result of what a declarator points to. */
  private functionType(declarator: number, result: string): string {
    return `fn(${this.parameters(this.functionDeclarator(declarator)).map(([, type]) => type)}) ${result}`;
  }

  private parameters(signature: number): [string, string][] {
    const { cst } = this;
    const out: [string, string][] = [];
    let isNone = false;
    const list = childByField(cst, signature, 'parameters');
    if (list < 0) return out;
    for (const c of children(cst, list)) {
      if (cst.type[c] !== 'parameter_declaration') continue;
      const declarator = childByField(cst, c, 'declarator');
      const pointer = declarator >= 0 && this.functionDeclarator(declarator) >= 0;
      const type = pointer ? 'fn' : this.typeName(childByField(cst, c, 'type'), '');
      out.push([declarator < 0 ? '' : declaredName(cst, declarator), type]);
      isNone = declarator < 0 && type === 'void' && out.length === 1;
    }
    // `(void)`, but not `(void *)`.
    return isNone ? [] : out;
  }

  /** Records functions that an initialiser stores in struct fields. `owner` is the path of the struct. */
  private initializer(node: number, owner: Path, within: string, variable: string, isArray: boolean): void {
    const { cst } = this;
    if (node < 0 || cst.type[node] !== 'initializer_list') return;
    let position = 0;
    for (const c of children(cst, node)) {
      const type = cst.type[c]!;
      if (type === '{' || type === '}' || type === ',') continue;
      if (type !== 'initializer_pair') {
        if (type === 'initializer_list') this.initializer(c, isArray ? owner : '', within, variable, false);
        else if (isArray) this.element(c, within, variable);
        else this.tableEntry(owner, `#${position}`, c, within, variable);
        position++;
        continue;
      }
      const names: string[] = [];
      let index = false;
      for (let d = cst.first[c]!; d >= 0; d = cst.next[d]!) {
        if (cst.field[d] !== 'designator') continue;
        if (cst.type[d] === 'field_designator') names.push(textOf(cst, d).replace(/^\.\s*/, ''));
        else index = true;
      }
      const value = childByField(cst, c, 'value');
      if (value < 0) continue;
      const field = names.pop();
      const base = [owner, ...names].join(' ');
      if (cst.type[value] === 'initializer_list') {
        const inner = field === undefined ? base : `${base} ${field}`;
        this.initializer(value, inner, within, variable, field !== undefined ? false : !index && isArray);
      } else if (field === undefined) {
        this.element(value, within, variable);
      } else {
        this.tableEntry(base, field, value, within, variable);
      }
    }
  }

  /** A value of an array. */
  private element(value: number, within: string, variable: string): void {
    const [, macro, hook, fn] = /^(\w+)\(\s*(\w+),\s*(\w+)\s*\)$/.exec(textOf(this.cst, value)) ?? [];
    const filler = HOOK_FILLERS.find(({ name }) => name === macro);
    if (filler) {
      const { table: struct } = filler;
      const start = this.cst.start[value]!;
      this.tables.push({ struct, path: `t:${struct}`, within, field: hook!, fn: fn!, start, variable });
    } else if (
      within === '' &&
      this.ownArrays.has(variable) &&
      /^&?\s*[a-z_]\w*$/.test(textOf(this.cst, value)) &&
      this.isIndexed(variable)
    )
      this.tableEntry(ELEMENTS, ELEMENTS, value, '', variable);
    else this.namesIn(value, within);
  }

  private tableEntry(owner: Path, field: string, value: number, within: string, variable: string): void {
    const path = pathOf(this.cst, value, this.text).replace(/^&/, '');
    if (!/^v:\w+$/.test(path) || owner === '') {
      this.namesIn(value, within);
      return;
    }
    this.tables.push({
      struct: /^t:(\w+)$/.exec(owner)?.[1] ?? '',
      path: owner,
      within,
      field,
      fn: path.slice(2),
      start: this.cst.start[value]!,
      variable,
    });
  }

  private functionDefinition(node: number, arms?: Arms): void {
    const { cst } = this;
    const body = childByField(cst, node, 'body');
    const declarator = childByField(cst, node, 'declarator');
    const named = this.functionDeclarator(declarator);
    const around = this.aroundMadeName(declarator, named);
    const signature = around >= 0 ? around : named;
    // All of what makes a name is no other function's.
    const name =
      around >= 0
        ? textOf(cst, named).replace(/\s+/g, '')
        : declaredName(cst, named >= 0 ? named : declarator);
    if (body < 0 || name === '') return;
    let isStatic = false;
    let isInline = false;
    for (const c of children(cst, node)) {
      if (cst.type[c] !== 'storage_class_specifier') continue;
      isStatic ||= textOf(cst, c) === 'static';
      isInline ||= textOf(cst, c).includes('inline');
    }
    this.addFunction({
      name: this.syscallName(cst.start[node]!) ?? name,
      isMacro: false,
      isVariadic: signature >= 0 && this.isVariadic(signature),
      isStatic,
      isInline,
      isInit: this.isInit(cst.start[node]!, cst.start[body]!),
      returnType: this.typeName(childByField(cst, node, 'type'), ''),
      params: signature < 0 ? [] : this.parameters(signature),
      start: cst.start[node]!,
      end: cst.end[node]!,
      nameAt: cst.start[declarator]!,
      node,
      body,
      value: '',
      ...(arms ? { arms: arms.filter((a) => a.start < cst.end[node]! && a.end > cst.start[node]!) } : {}),
    });
  }

  /** What a macro names, `int CAT(a, b)(void)`: the declarator around `CAT(a, b)`; -1 where the function has a name of its own. */
  private aroundMadeName(declarator: number, signature: number): number {
    const { cst } = this;
    for (let n = declarator; n >= 0 && n !== signature; n = childByField(cst, n, 'declarator')) {
      const isAround =
        cst.type[n] === 'function_declarator' && childByField(cst, n, 'declarator') === signature;
      if (isAround) return n;
    }
    return -1;
  }

  /** What a definition begins with may be no part of it, for the parser. */
  private isInit(start: number, body: number): boolean {
    const before = this.text.slice(Math.max(0, start - 120), start);
    const ends = Math.max(...[';', '}', '/'].map((end) => before.lastIndexOf(end)));
    return /\b__init\b/.test(before.slice(ends + 1) + this.text.slice(start, body));
  }

  private isVariadic(signature: number): boolean {
    const list = childByField(this.cst, signature, 'parameters');
    return list >= 0 && children(this.cst, list).some((c) => this.cst.type[c] === 'variadic_parameter');
  }

  /** `SYSCALL_DEFINE2(link, …)` defines `sys_link`; its bare name would be taken for other functions' calls. */
  private syscallName(start: number): string | undefined {
    const match = /^(?:COMPAT_)?SYSCALL(?:32)?_DEFINE\d\s*\(\s*(\w+)/.exec(
      this.text.slice(start, start + 200),
    );
    return match ? `sys_${match[1]}` : undefined;
  }

  private addFunction(f: {
    name: string;
    isMacro: boolean;
    isVariadic: boolean;
    isStatic: boolean;
    isInline: boolean;
    isInit: boolean;
    returnType: string;
    params: [string, string][];
    start: number;
    end: number;
    nameAt: number;
    node: number;
    body: number;
    value: Path;
    arms?: Arms;
  }): void {
    const { cst } = this;
    const names = f.params.map(([name]) => name);
    const flow = buildFlow(cst, f.body, this.text, names, f.isMacro);
    const locals: [string, string][] = [];
    const entries = this.tables.length;
    for (const d of flow.declarations) this.localDeclaration(d, locals, f.name);
    for (const name of flow.made) locals.push([name, '']);
    if (!f.isMacro) this.findMaskFlags(f.node, f.name, f.params);
    const variables = new Set([...f.params, ...locals].map(([name]) => name));
    const references = referencesOf(flow.cfg, variables);
    const memberReads = flow.cfg.flatMap(({ op }) =>
      op.k === 'set' && /^[vct]:.* \w+$/.test(op.from) ? [[op.to, op.from] as const] : [],
    );
    const given = new Set([...references, ...memberReads].map(([to]) => to));
    const lost = notInTables(flow.lost, this.tables.slice(entries));
    this.functions.push({
      name: f.name,
      isMacro: f.isMacro,
      isVariadic: f.isVariadic,
      isStatic: f.isStatic,
      isInline: f.isInline,
      isInit: f.isInit,
      returnType: f.returnType,
      params: f.params,
      locals,
      start: f.start,
      end: f.end,
      bodyStart: cst.start[f.body]!,
      line: lineAt(this.lines, f.nameAt),
      broken: cst.broken[f.node] === 1 || (!f.isMacro && !this.endsInFirstColumn(cst.start[f.body]!, f.end)),
      cfg: flow.cfg,
      calls: flow.cfg.flatMap(({ op }, node) => (op.k === 'call' ? [[node, op] as const] : [])),
      references: [
        ...references,
        ...lost.flatMap((name): [Path, string][] => (variables.has(name) ? [] : [['', name]])),
      ],
      lost: lost.filter((name) => names.includes(name) || given.has(`v:${name}`)),
      memberReads,
      locks: flow.cfg.some(
        ({ op }) =>
          op.k === 'guard' ||
          (op.k === 'call' && actsOnLocks(op.fn)) ||
          (op.k === 'set' && op.to === TASK_FLAGS && op.adds?.some((flag) => SCOPE_BY_TASK_FLAG.has(flag))),
      ),
      handsNames: flow.cfg.some(
        ({ op }) =>
          op.k === 'call' &&
          op.args.some((arg) => /^&?v:\w*[a-z]\w*$/.test(arg) && !variables.has(arg.replace(/^&?v:/, ''))),
      ),
      testsFlags: flow.cfg.some(({ op }) => op.k === 'test' && op.flags && !op.on.includes(' ')),
      testedParams: testedParams(flow.cfg, f.params),
      readsCurrent:
        f.value.startsWith(CURRENT) ||
        flow.cfg.some(
          ({ op }) =>
            (op.k === 'set' && op.from.startsWith(CURRENT)) ||
            (op.k === 'ret' && op.value.startsWith(CURRENT)),
        ),
      setsCurrent: flow.cfg.some(
        ({ op }) => (op.k === 'set' || op.k === 'call') && op.to.startsWith('v:current '),
      ),
      statements: flow.statements,
      sites: this.sitesIn(f.node, flow.nodeOf),
      value: f.value,
      ...(f.arms ? { arms: f.arms } : {}),
    });
  }

  /**
   * The kernel closes a function in the first column; where the body opens on a line of its own, in that one's column. A
   * body of several lines that ends elsewhere was cut short by braces that macros hide.
   */
  private endsInFirstColumn(bodyStart: number, end: number): boolean {
    const line = lineAt(this.lines, end - 1);
    const opens = lineAt(this.lines, bodyStart);
    if (this.lines[line - 1] === end - 1 || opens === line) return true;
    const margin = this.text.slice(this.lines[opens - 1], bodyStart);
    return /^\s+$/.test(margin) && this.text.slice(this.lines[line - 1], end - 1) === margin;
  }

  private localDeclaration(node: number, locals: [string, string][], within: string): void {
    const { cst } = this;
    const type = childByField(cst, node, 'type');
    let base: string | undefined;
    for (let d = cst.first[node]!; d >= 0; d = cst.next[d]!) {
      if (cst.field[d] !== 'declarator') continue;
      const inner = cst.type[d] === 'init_declarator' ? childByField(cst, d, 'declarator') : d;
      const name = declaredName(cst, inner);
      base ??= this.typeName(type, name === '' ? '' : `${within}.${name}`);
      if (name === '') continue;
      locals.push([name, this.functionDeclarator(inner) >= 0 ? this.functionType(inner, base) : base]);
      if (cst.type[d] === 'init_declarator') {
        const value = childByField(cst, d, 'value');
        this.initializer(value, `t:${base}`, within, name, cst.type[inner] === 'array_declarator');
      }
    }
  }

  /** `#define name target`, or a body that calls something. */
  private plainMacro(node: number): void {
    const text = this.text.slice(this.cst.start[node]!, this.cst.end[node]!);
    const alias = /^#\s*define\s+(\w+)\s+([A-Za-z_]\w*)\s*$/.exec(text);
    if (alias) this.aliases.push([alias[1]!, alias[2]!]);
    else this.mention(text.replace(/^#\s*define\s+\w+/, ''));
  }

  /** What is named in a value of the file that is not understood may be called by anybody; in a body values are run. */
  private namesIn(value: number, within: string): void {
    if (within !== '') return;
    const names = codeIn(textOf(this.cst, value)).matchAll(/(?<![.\w])[a-z_]\w*\b(?!\s*\()/g);
    for (const [name] of names) this.mentions.add(name);
  }

  private mention(body: string): void {
    for (const match of body.matchAll(/\b([a-z_]\w*)\s*\(/g)) this.mentions.add(match[1]!);
  }

  /**
   * A function-like macro, parsed as a function body of its own. Its text is put at its own offset in an
   * otherwise empty text, so that places in it are places in the file.
   */
  private macro(node: number): void {
    const { cst } = this;
    const value = childByField(cst, node, 'value');
    const named = childByField(cst, node, 'name');
    const list = childByField(cst, node, 'parameters');
    if (value < 0 || named < 0 || !/\w\s*\(|->|&\w+\[/.test(textOf(cst, value))) return;
    const name = textOf(cst, named);
    const params = children(cst, list)
      .filter((c) => cst.type[c] === 'identifier')
      .map((c): [string, string] => [textOf(cst, c), '']);
    const start = cst.start[value]!;
    const raw = this.text.slice(start, cst.end[value]!);
    // Same length: a line's backslash becomes a blank, `#x` and `a##b` become words.
    const body = raw
      .replace(/\\(\r?\n)/g, ' $1')
      .replace(/##|#/g, (m) => '_'.repeat(m.length))
      .trimEnd();
    const head = 'void m(void){';
    const outer = this.cst;
    // A body that is an expression wants its `;`; one that is statements has what it wants.
    this.cst = this.parse(mendPasses(`${head}${body};}`)[0]!.text, start - head.length);
    const definition = this.cst.first[0]!;
    const block = definition < 0 ? -1 : childByField(this.cst, definition, 'body');
    // What can't be read as code still names what it calls.
    if (
      block < 0 ||
      this.cst.type[definition] !== 'function_definition' ||
      this.cst.broken[definition] === 1
    ) {
      this.mention(body);
    }
    if (block >= 0 && this.cst.type[definition] === 'function_definition') {
      const only = children(this.cst, block).filter((c) => !['{', '}', ';'].includes(this.cst.type[c]!));
      const expression =
        only.length >= 1 && this.cst.type[only[0]!] === 'expression_statement'
          ? this.cst.first[only[0]!]!
          : -1;
      this.addFunction({
        name,
        isMacro: true,
        isVariadic: list >= 0 && /\.\.\.\s*\)?$/.test(textOf(cst, list)),
        isStatic: false,
        isInline: true,
        isInit: false,
        returnType: '',
        params,
        start: cst.start[node]!,
        end: start + body.length,
        nameAt: cst.start[named]!,
        node: definition,
        body: block,
        value: expression < 0 ? '' : pathOf(this.cst, expression, this.text),
      });
    }
    this.cst = outer;
  }

  /** Sites below `node`; with a flow they belong to a function, else they go to the file's list. */
  private sitesIn(node: number, nodeOf: Map<number, number> | undefined): SiteFacts[] {
    const { cst } = this;
    const from = cst.start[node]!;
    const to = cst.end[node]!;
    const out: SiteFacts[] = [];
    for (const mask of this.masks) {
      if (mask.start < from || mask.end > to || this.taken.has(mask.start)) continue;
      const leaf = this.leafAt(node, mask.start, mask.end);
      if (leaf < 0) continue;
      this.taken.add(mask.start);
      const without = withoutMask(cst, this.text, leaf, mask.flag);
      const site = { ...mask, ...this.contextOf(leaf, node, nodeOf), without };
      // Looking at a flag, or taking it away, is no use of it as a mask.
      if (this.flags.has(mask.flag) && (!nodeOf || !this.setsFlag(leaf, node))) continue;
      (nodeOf ? out : this.outside).push(site);
    }
    return out;
  }

  /** The smallest syntax node that spans the range, or -1 where the text there was blanked. */
  private leafAt(root: number, start: number, end: number): number {
    const { cst } = this;
    if (cst.text.slice(start - cst.base, end - cst.base).trim() === '') return -1;
    let node = root;
    for (;;) {
      let inner = -1;
      for (let c = cst.first[node]!; c >= 0; c = cst.next[c]!) {
        if (cst.start[c]! <= start && cst.end[c]! >= end) {
          inner = c;
          break;
        }
      }
      if (inner < 0) return node;
      node = inner;
    }
  }

  /** Is the identifier a value, or an operand of `|`, rather than tested with `&` or cleared with `~`? */
  private setsFlag(leaf: number, top: number): boolean {
    const { cst } = this;
    for (let n = leaf; n >= 0 && n !== top; n = cst.parent[n]!) {
      const type = cst.type[n];
      if (type === 'argument_list' || type === 'init_declarator' || type === 'assignment_expression')
        return true;
      if (type === 'unary_expression' || type === 'case_statement') return false;
      if (type === 'binary_expression' && cst.type[childByField(cst, n, 'operator')] !== '|') return false;
    }
    return false;
  }

  /** Flags of a parameter that the function tests to choose a mask: `if (flags & F) gfp &= ~__GFP_FS;`. */
  private findMaskFlags(node: number, fn: string, params: readonly (readonly [string, string])[]): void {
    const { cst } = this;
    for (const mask of this.masks) {
      if (mask.start < cst.start[node]! || mask.end > cst.end[node]!) continue;
      const leaf = this.leafAt(node, mask.start, mask.end);
      for (let n = leaf; n >= 0 && n !== node; n = cst.parent[n]!) {
        const up = cst.parent[n]!;
        // Behind another operator, or handed to a call, it is no longer the mask that the flag stands for.
        if (cst.type[up] === 'argument_list') break;
        if (cst.type[up] !== 'if_statement' && cst.type[up] !== 'conditional_expression') continue;
        if (cst.field[n] === 'consequence') {
          const condition = textOf(cst, childByField(cst, up, 'condition'));
          const test = /^\(?\s*(\w+)\s*&\s*([A-Z]\w+)\s*\)?$/.exec(condition);
          const param = params.findIndex(([name]) => name === test?.[1]);
          const isKnown = MASK_BY_NAME.get(test?.[2] ?? '')?.form === 'flag';
          if (test && param >= 0 && (isKnown || !this.flags.has(mask.flag)))
            this.maskFlags.push({ flag: test[2]!, fn, param, mask: mask.flag });
        }
        break;
      }
    }
  }

  private contextOf(
    leaf: number,
    top: number,
    nodeOf: Map<number, number> | undefined,
  ): { context: SiteContext; node: number; arg: number; call: string; to: Path } {
    const { cst } = this;
    const none = { context: 'other' as SiteContext, node: -1, arg: -1, call: '', to: '' };
    for (let n = leaf; n >= 0 && n !== top; n = cst.parent[n]!) {
      const up = cst.parent[n]!;
      switch (cst.type[up]) {
        case 'argument_list': {
          const call = cst.parent[up]!;
          const callee = childByField(cst, call, 'function');
          // The mask goes where the constrained one goes.
          if (callee >= 0 && CONSTRAINTS.has(textOf(cst, callee))) {
            n = up;
            break;
          }
          return {
            context: 'arg',
            node: nodeOf?.get(call) ?? -1,
            arg: argumentsOf(cst, up).indexOf(n),
            call: callee < 0 ? '' : textOf(cst, callee),
            to: '',
          };
        }
        case 'init_declarator': {
          const name = declaredName(cst, childByField(cst, up, 'declarator'));
          return { ...none, context: 'init', node: nodeOf?.get(up) ?? -1, to: `v:${name}` };
        }
        case 'initializer_pair':
        case 'initializer_list':
          return { ...none, context: 'init' };
        case 'assignment_expression': {
          const to = pathOf(cst, childByField(cst, up, 'left'), this.text);
          return { ...none, context: 'assign', node: nodeOf?.get(up) ?? -1, to };
        }
        case 'return_statement':
          return { ...none, context: 'return', node: nodeOf?.get(up) ?? -1 };
        case 'binary_expression': {
          const operator = cst.type[childByField(cst, up, 'operator')];
          if (operator === '==' || operator === '!=' || operator === '&&' || operator === '||') {
            return { ...none, context: 'compare' };
          }
          break;
        }
      }
    }
    return none;
  }
}

const SCOPE_CALLS = new Set(SCOPE_APIS.flatMap((api) => [api.save, api.restore]));

function actsOnLocks(name: string): boolean {
  return (
    LOCK_BY_NAME.has(name) ||
    PSEUDO_BY_CALL.has(name) ||
    SCOPE_CALLS.has(name) ||
    FLAG_SETTER_BY_NAME.has(name) ||
    FLAG_RESTORER_BY_NAME.has(name)
  );
}

/** See `FunctionFacts.testedParams`. */
function testedParams(cfg: readonly CfgNode[], params: FunctionFacts['params']): number[] {
  const tested = new Set<Path>();
  for (const { op } of cfg) if (op.k === 'test' && (op.flags || !/^[?=]/.test(op.rel))) tested.add(op.on);
  for (const { op } of cfg) if (op.k === 'set' && tested.has(op.to)) tested.add(op.from);
  return params.flatMap(([name], i) => (tested.has(`v:${name}`) ? [i] : []));
}

/** See `FunctionFacts.references`. */
function referencesOf(cfg: readonly CfgNode[], variables: ReadonlySet<string>): [Path, string][] {
  const out: [Path, string][] = [];
  for (const { op } of cfg) {
    const value = op.k === 'set' ? op.from : op.k === 'ret' ? op.value : '';
    const name = /^&?v:(\w+)$/.exec(value)?.[1];
    if (name === undefined || variables.has(name)) continue;
    const to = op.k === 'set' ? op.to : '';
    if (!to.startsWith('t:?')) out.push([to, name]);
  }
  return out;
}

/** Names in a body whose value goes nobody knows where; where it is put into a table of the body, that says it. */
function notInTables(lost: readonly Path[], tables: readonly TableEntry[]): string[] {
  const times = new Map<string, number>();
  const count = (name: string, by: number): void => void times.set(name, (times.get(name) ?? 0) + by);
  for (const path of lost) count(path.replace(/^&?v:/, ''), 1);
  for (const { fn } of tables) count(fn, -1);
  return [...times].flatMap(([name, more]) => (more > 0 && /[a-z]/.test(name) ? [name] : []));
}
