import { isFormat, onlyPrints, TRACEPOINT } from '../kernel/printing.js';
import { REGISTRARS_BY_NAME } from '../kernel/tasks.js';
import type { CallOp } from '../parse/facts.js';
import type { Member, Members } from './members.js';
import type { Fn, Names } from './names.js';
import type { Types } from './types.js';

/** Calls that lie one in the other, outermost first: the last one is that of a function pointer. */
export type Way = readonly {
  readonly fn: number;
  readonly node: number;
  /** Parameters of the function that are 0 (see `zero.ts`). */
  readonly zero?: string;
}[];

/** Ways followed for one parameter. */
export const MAX_WAYS = 16;

/** What becomes of a function pointer that is handed to a function. */
export interface Fate {
  /** All of its uses were seen and understood. */
  readonly known: boolean;
  /** It is called before that function returns. */
  readonly called: boolean;
  /** Members that it is kept in. */
  readonly members: readonly Member[];
  /** Calls of registrars that get it. */
  readonly registered: readonly { readonly fn: number; readonly node: number; readonly by: string }[];
}

const NOTHING: Fate = { known: true, called: false, members: [], registered: [] };
export const LOST: Fate = { ...NOTHING, known: false };
const MAX_FATE_DEPTH = 6;

/** The rest of a macro's arguments, as the reader has it: `, ##__VA_ARGS__` and `, __VA_ARGS__`. */
const REST = ['____VA_ARGS__', '__VA_ARGS__'];

function bothFates(a: Fate, b: Fate): Fate {
  if (!a.known || !b.known) return LOST;
  return {
    known: true,
    called: a.called || b.called,
    members: [...a.members, ...b.members],
    registered: [...a.registered, ...b.registered],
  };
}

export function isRegistrar(name: string, position: number): boolean {
  return REGISTRARS_BY_NAME.get(name)?.some((r) => r.arg === position) ?? false;
}

/** What becomes of the values of variables and arguments that hold functions. */
export class Fates {
  private readonly fates = new Map<string, Fate>();
  /** Fates that are being worked out, by depth; and the lowest depth at which one was asked for again. */
  private readonly openFates = new Map<string, number>();
  private lowestOpen = Number.POSITIVE_INFINITY;
  /** Members by which `leadsTo` was answered. */
  private readonly followed = new Set<string>();
  private readonly waysOfParams = new Map<string, readonly Way[]>();

  constructor(
    private readonly names: Names,
    private readonly types: Types,
    private readonly members: Members,
  ) {}

  /** Not only initialisers fill a member (`struct.field`), as was thought. */
  isAssigned(member: string): void {
    if (this.followed.has(member)) this.fates.clear();
  }

  /**
   * What a call leads to, with a key that names it: the functions of that name, or those in a member that only initialisers of tables
   * fill. undefined where neither says it.
   */
  private leadsTo(fn: Fn, { fn: name, target }: CallOp): { key: string; targets: readonly Fn[] } | undefined {
    const { file } = fn.file;
    if (name !== '') return { key: `${name} ${file}`, targets: this.names.lookup(name, file) };
    const cut = target.lastIndexOf(' ');
    if (cut < 0 || !this.members.isTable(fn, target)) return undefined;
    const via = `${this.types.typeOf(fn, target.slice(0, cut))}.${target.slice(cut + 1)}`;
    this.followed.add(via);
    return {
      key: via,
      targets: [...this.members.tables.get(via)!.keys()].map((id) => this.names.functions[id]!),
    };
  }

  /** What becomes of a function pointer that a call hands over. */
  fate(fn: Fn, op: CallOp, position: number, depth = 0): Fate {
    if (onlyPrints(op.fn)) return NOTHING;
    const called = this.leadsTo(fn, op);
    if (!called || called.targets.length === 0) return TRACEPOINT.test(op.fn) ? NOTHING : LOST;
    const key = `${called.key} ${position}`;
    const known = this.fates.get(key);
    if (known) return known;
    const open = this.openFates.get(key);
    if (open !== undefined) {
      // Recursion adds nothing, but what is found below it is not all there is.
      this.lowestOpen = Math.min(this.lowestOpen, open);
      return NOTHING;
    }
    this.openFates.set(key, depth);
    const each = called.targets.map((target) => {
      const { params } = target.facts;
      const param = params[position]?.[0];
      if (depth >= MAX_FATE_DEPTH) return LOST;
      if (param !== undefined) return this.fateIn(target, param, depth);
      if (target.facts.isMacro) return this.fateInRest(target, position - params.length, depth);
      return isFormat(params.at(-1)) ? NOTHING : LOST;
    });
    const answer = each.reduce(bothFates, NOTHING);
    this.openFates.delete(key);
    // In a ring of functions only the one asked for first is known in full.
    this.fates.set(key, this.lowestOpen < depth ? LOST : answer);
    if (this.lowestOpen >= depth) this.lowestOpen = Number.POSITIVE_INFINITY;
    return answer;
  }

  /** The same for the argument of a macro that is so many places behind its last parameter. */
  private fateInRest(macro: Fn, behind: number, depth: number): Fate {
    const isHandedOn = (name: string): boolean =>
      macro.facts.calls.some(([, op]) => op.args.includes(`v:${name}`));
    const last = macro.facts.params.at(-1)?.[0] ?? '';
    const rest = REST.filter(isHandedOn);
    if (rest.length === 0) return isHandedOn(last) ? this.fateIn(macro, last, depth, behind + 1) : LOST;
    return rest.map((name) => this.fateIn(macro, name, depth, behind)).reduce(bothFates, NOTHING);
  }

  /** The same for a variable or parameter of a function; what it hands on comes `shift` places behind where its name stands. */
  fateIn(fn: Fn, name: string, depth: number, shift = 0): Fate {
    if (fn.facts.lost.includes(name)) return LOST;
    const path = `v:${name}`;
    let fate = NOTHING;
    const goesTo = (owner: string, field: string): Fate =>
      owner === '' || field === '' ? LOST : { ...NOTHING, members: [{ owner, field }] };
    const entries = fn.file.tables.filter((entry) => entry.within === fn.facts.name && entry.fn === name);
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      if (op.k === 'ret' && op.value === path) return LOST;
      if (op.k === 'set' && op.from === `&${path}`) return LOST;
      if (op.k === 'set' && op.from === path) {
        const cut = op.to.lastIndexOf(' ');
        if (cut < 0) return LOST;
        const field = op.to.slice(cut + 1);
        // In an initialiser: what is initialised the table below says.
        if (op.to.startsWith('t:?') && entries.some((entry) => entry.field === field)) continue;
        fate = bothFates(fate, goesTo(this.types.typeOf(fn, op.to.slice(0, cut)), field));
      }
      if (op.k !== 'call') continue;
      if (op.fn === name || op.target === path) fate = bothFates(fate, { ...NOTHING, called: true });
      for (const [i, arg] of op.args.entries()) {
        if (arg.replace(/^[&~]/, '') !== path) continue;
        if (arg !== path) return LOST;
        if (isRegistrar(op.fn, i))
          fate = bothFates(fate, { ...NOTHING, registered: [{ fn: fn.id, node, by: op.fn }] });
        else fate = bothFates(fate, this.fate(fn, op, i + shift, depth + 1));
      }
      if (!fate.known) return LOST;
    }
    for (const entry of entries) {
      const owner = this.names.resolveTypedef(entry.struct);
      const field =
        entry.field[0] === '#'
          ? this.names.fieldAt(owner, Number(entry.field.slice(1)), fn.file.file)
          : entry.field;
      fate = bothFates(fate, goesTo(owner, field));
    }
    return fate;
  }

  /** How what a call leads to comes to call the argument; not all that there are, where these are `MAX_WAYS`. */
  ways(fn: Fn, op: CallOp, position: number, depth = 0): readonly Way[] {
    const called = this.leadsTo(fn, op);
    if (!called) return [];
    const key = `${called.key} ${position}`;
    const known = this.waysOfParams.get(key);
    if (known) return known;
    // Recursion brings no way that is not found without it.
    this.waysOfParams.set(key, []);
    const out: Way[] = [];
    for (const target of called.targets) {
      const param = target.facts.params[position]?.[0];
      if (param === undefined || depth > 6) continue;
      for (const [node, op] of target.facts.calls) {
        const here = { fn: target.id, node };
        if (op.fn === param || op.target === `v:${param}`) out.push([here]);
        for (const [i, arg] of op.args.entries()) {
          if (arg.replace(/^[&~]/, '') !== `v:${param}`) continue;
          for (const way of this.ways(target, op, i, depth + 1)) out.push([here, ...way]);
        }
      }
    }
    const found = out.slice(0, MAX_WAYS);
    this.waysOfParams.set(key, found);
    return found;
  }
}
