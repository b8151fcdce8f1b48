import { DECLARED_BY } from '../kernel/waits.js';
import type { Path } from '../parse/facts.js';
import { nameIn, type ParsedPath, parsePath } from '../parse/paths.js';
import type { Fn, Names } from './names.js';

/** Stands for a path that is not always the same. */
const SEVERAL = '?';

/** Declares a variable of the type of something else; `Auto` is C23's `auto` as it is read. */
const INFERRED = /^(?:typeof(?:_unqual)?|__typeof(?:_unqual)?(?:__)?|__auto_type|Auto)$/;

/** Types of access paths, as seen in a function, and where the values of its variables come from. */
export class Types {
  private readonly variablesOf = new Map<number, ReadonlyMap<string, string>>();
  /** By function: what `onlySource` gives, or `SEVERAL`. */
  private readonly sources = new Map<number, Map<Path, Path>>();

  constructor(private readonly names: Names) {}

  private variables(fn: Fn): ReadonlyMap<string, string> {
    const known = this.variablesOf.get(fn.id);
    if (known) return known;
    const found = new Map([...fn.facts.params, ...fn.facts.locals]);
    for (const [, op] of fn.facts.calls) {
      const type = DECLARED_BY.get(op.fn);
      const declared = op.args[0] ?? '';
      if (type !== undefined && declared.startsWith('v:')) found.set(declared.slice(2), type);
    }
    this.variablesOf.set(fn.id, found);
    return found;
  }

  isLocal(fn: Fn, name: string): boolean {
    return this.variables(fn).has(name);
  }

  /** Is it a variable, of the function or a global one, rather than a constant? */
  isVariable(fn: Fn, name: string): boolean {
    return this.isLocal(fn, name) || this.names.isGlobal(name);
  }

  /** Struct tag or typedef-resolved type name of a path as seen in `fn`; '' where it is unknown. */
  typeOf(fn: Fn, path: Path, depth = 0): string {
    if (depth > 8) return '';
    const p = parsePath(path);
    let type = '';
    if (p.root === 't') type = p.name;
    else if (p.root === 'v')
      type = this.variables(fn).get(p.name) ?? this.names.globalType(p.name, fn.file.file);
    else if (p.root === 'c') type = this.resultType(fn, p, depth);
    const isInferred = INFERRED.test(type);
    if (isInferred) type = '';
    // A generic pointer is what was assigned to it, and so is what has the type of that.
    if (p.root === 'v' && (isInferred || (p.fields.length > 0 && (type === 'void' || type === '')))) {
      const source = this.onlySource(fn, p.name);
      if (source !== '') type = this.typeOf(fn, source, depth + 1);
    }
    for (const field of p.fields) {
      if (type === '') return '';
      type = this.names.fieldType(type, field, fn.file.file);
    }
    return this.names.resolveTypedef(type);
  }

  private resultType(fn: Fn, p: ParsedPath, depth: number): string {
    if (this.variables(fn).has(p.name)) return '';
    for (const target of this.names.lookup(p.name, fn.file.file)) {
      if (!target.facts.isMacro) return target.facts.returnType;
      if (target.facts.value === '') continue;
      const value = this.substitute(target, target.facts.value, p.args);
      const type = this.typeOf(value.inCaller ? fn : target, value.path, depth + 1);
      if (type !== '') return type;
    }
    return this.names.declaredType(p.name);
  }

  /** A callee's path with its parameter replaced by the argument. */
  substitute(callee: Fn, path: Path, args: readonly Path[]): { path: Path; inCaller: boolean } {
    const p = parsePath(path);
    if (p.root === 'v') {
      const i = callee.facts.params.findIndex(([name]) => name === p.name);
      const arg = i < 0 ? undefined : args[i];
      if (arg !== undefined) {
        const base = arg[0] === '&' ? arg.slice(1) : arg;
        return { path: base === '' ? '' : [base, ...p.fields].join(' '), inCaller: true };
      }
    }
    return { path, inCaller: false };
  }

  /** The path that a local variable gets its value from, where there is just one; else ''. */
  onlySource(fn: Fn, name: string): Path {
    let sources = this.sources.get(fn.id);
    if (!sources) {
      sources = new Map();
      for (const { op } of fn.facts.cfg) {
        if ((op.k !== 'set' && op.k !== 'call') || !op.to.startsWith('v:')) continue;
        let from: Path;
        if (op.k === 'call') from = op.fn === '' ? '' : `c:${op.fn}(${op.args.join(';')})`;
        else if (op.from === '' || op.from[0] === '#') continue;
        else from = op.from;
        const before = sources.get(op.to);
        sources.set(op.to, before === undefined || before === '' || before === from ? from : SEVERAL);
      }
      this.sources.set(fn.id, sources);
    }
    const found = sources.get(`v:${name}`) ?? '';
    return found === SEVERAL ? '' : found;
  }

  /** The path of what a function returns, where its `return`s name one; else ''. */
  returned(fn: Fn): Path {
    let found = '';
    for (const { op } of fn.facts.cfg) {
      if (op.k !== 'ret' || op.value === '' || op.value[0] === '#') continue;
      const call = op.value[0] === '@' ? fn.facts.cfg[Number(op.value.slice(1))]?.op : undefined;
      found = call?.k === 'call' ? (call.fn === '' ? '' : `c:${call.fn}(${call.args.join(';')})`) : op.value;
    }
    return found;
  }

  /** Is the expression that a call goes through a pointer? What is a macro, or a type in parentheses, looks like one. */
  isPointer(fn: Fn, target: Path): boolean {
    const p = parsePath(target);
    if (p.fields.length > 0) {
      const field = p.fields.at(-1)!;
      const type = this.typeOf(fn, target.slice(0, target.lastIndexOf(' ')));
      return !this.names.isStruct(type) || this.names.fieldType(type, field, fn.file.file) !== '';
    }
    return (
      p.root === 'v' && !fn.facts.isMacro && !this.names.isTypedef(p.name) && this.isVariable(fn, p.name)
    );
  }

  /**
   * Names of the functions that an argument or what is called may be: the one that it names, or those that a local variable is set
   * to, whatever else it may hold.
   */
  functionsIn(fn: Fn, path: Path): readonly string[] {
    const name = nameIn(path);
    if (name === undefined) return [];
    if (!this.isLocal(fn, name)) return this.names.mayBeFunction(name) ? [name] : [];
    const to = `v:${name}`;
    return [...new Set(fn.facts.references.flatMap(([at, function_]) => (at === to ? [function_] : [])))];
  }
}
