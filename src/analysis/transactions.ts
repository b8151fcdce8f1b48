import type { NewMember } from '../edit/member.js';
import type { ScopePoint } from '../edit/plan.js';
import type { Index } from '../index/link.js';
import { directoryGroup, type Fn } from '../index/names.js';
import { gfpArgument } from '../kernel/allocators.js';
import { FREES } from '../kernel/layers.js';
import { SCOPE_APIS } from '../kernel/masks.js';
import type { Path } from '../parse/facts.js';
import { parsePath } from '../parse/paths.js';
import { inModule } from '../tree/kernel-tree.js';
import { lockOfScope, type OpenScope, type ScopesAt } from './coverage.js';
import { Locks, type ScopeEffect, scopeClass } from './locks.js';
import { type Placement, placeAfter, placeFrom } from './placement.js';
import type { Reclaim, ReclaimChain } from './reclaim.js';
import { crosses } from './regions.js';
import { byNode, type Effect, type Run, run } from './states.js';
import { usesMember } from './task-held.js';

const API = 'nofs';
const SAVE = `memalloc_${API}_save`;
const RESTORE = `memalloc_${API}_restore`;
const SCOPE = scopeClass(API);
const CURRENT = 'v:current ';

/** What has to be written into one function for the scopes of a transaction. */
export interface TransactionPiece {
  readonly fn: Fn;
  readonly node: number;
  /**
   * `start`: what the save returns goes into the handle. `end`: the restore takes it from there. `rest`: it is taken from there into a
   * variable, because the handle is given up before what it held is, and restored at the end of the function.
   */
  readonly does: 'start' | 'end' | 'rest';
  /** The handle as the function writes it, up to the member: `tr->`. */
  readonly handle: string;
  readonly saves: readonly ScopePoint[];
  readonly restores: readonly ScopePoint[];
}

/**
 * A transaction with a handle: an object that a start function puts into the task (`current->F`) and an end function takes out
 * again. Reclaim starts such transactions, too, and starting one may wait for those that are open.
 */
export interface Transaction {
  /** Tag of the struct that the handle is. */
  readonly type: string;
  /** Its name as a class: `struct gfs2_trans`. */
  readonly lock: string;
  /** Part of the kernel whose transactions these are. */
  readonly group: string;
  /** File that defines the struct. */
  readonly definition: string;
  /** Where the handle is to keep what the save returned. */
  readonly member: NewMember;
  readonly pieces: readonly TransactionPiece[];
  /** Functions that take a handle out of the task. */
  readonly ending: readonly Fn[];
  /** How reclaim comes to start one. */
  readonly chain: Pick<ReclaimChain, 'entry' | 'steps'>;
}

/** Handles of one type in one part of the kernel, as they were found. */
interface Handles {
  readonly group: string;
  readonly field: string;
  readonly type: string;
  readonly stores: { readonly fn: Fn; readonly node: number; readonly object: Path }[];
}

/** Transactions that have no scope yet and could have one. */
export interface ProposedTransactions {
  readonly transactions: readonly Transaction[];
  /** Where these scopes, or those that are there, would be open. */
  readonly scopes: ScopesAt;
  /** What the function begins and ends of them. */
  readonly along: (fn: Fn) => Along | undefined;
  /** Would one of them cross that scope, or be open together with it where it is open on a condition? */
  readonly crosses: (fn: Fn, scope: Placement) => boolean;
}

/** What a function does to the scopes of a transaction, by CFG node. */
interface Along {
  readonly scope: OpenScope;
  readonly effects: ReadonlyMap<number, readonly Effect[]>;
}

/** Where scopes of transactions are open, and what else opens them beside a region. */
export interface Begun {
  readonly at: ScopesAt;
  readonly along: ProposedTransactions['along'];
}

/** @param memberFor where the struct of that tag, defined in that file, can have a new member */
export function proposeTransactions(
  index: Index,
  locks: Locks,
  reclaim: Reclaim,
  memberFor: (file: string, tag: string) => NewMember | undefined,
): ProposedTransactions {
  let left = findHandles(index, locks).flatMap((handles) => {
    const found = transactionOf(index, locks, reclaim, handles);
    const member = found && memberFor(found.definition, found.type);
    return member ? [{ ...found, member }] : [];
  });
  while (left.length > 0) {
    const effects = new Map<number, ScopeEffect[]>();
    for (const { pieces } of left)
      for (const piece of pieces)
        effects.set(piece.fn.id, [...(effects.get(piece.fn.id) ?? []), ...effectsOf(piece)]);
    const after = new Locks(index, { before: locks, effects });
    const sound = left.filter((t) => isSound(t, after) && isNested(index, t, locks, after));
    if (sound.length === left.length) {
      const begun = scopesOf(left, after);
      return {
        transactions: left,
        ...begun,
        crosses: (fn, scope) => crosses(after, fn, scope.open, API) || meet(begun.along(fn), scope),
      };
    }
    left = sound;
  }
  return NO_TRANSACTIONS;
}

export const NO_TRANSACTIONS: ProposedTransactions = {
  transactions: [],
  scopes: () => undefined,
  along: () => undefined,
  crosses: () => false,
};

/** What there is to know of the scopes of those transactions alone. */
export function begunOf({ scopes, along }: ProposedTransactions, wanted: ReadonlySet<string>): Begun {
  const isWanted = ({ id }: OpenScope): boolean => wanted.has(lockOfScope(id));
  return {
    at: (fn, node, zero) => {
      const scope = scopes(fn, node, zero);
      return scope && isWanted(scope) ? scope : undefined;
    },
    along: (fn) => {
      const mine = along(fn);
      return mine && isWanted(mine.scope) ? mine : undefined;
    },
  };
}

/** Id of a transaction's scopes. */
export function transactionId({ pieces, lock }: Transaction): string {
  const { fn } = pieces.find(({ does }) => does === 'start')!;
  return `${fn.file.file}:${fn.facts.name}:${lock}`;
}

function findHandles(index: Index, locks: Locks): Handles[] {
  const found = new Map<string, Handles>();
  const refused = new Set<string>();
  for (const fn of index.functions) {
    if (!fn.facts.setsCurrent) continue;
    for (const [node, { op }] of fn.facts.cfg.entries()) {
      if ((op.k !== 'set' && op.k !== 'call') || !op.to.startsWith(CURRENT)) continue;
      const field = op.to.slice(CURRENT.length);
      const object = op.k === 'set' ? op.from : '';
      if (object === '#0' || (object.includes(' ') && locks.isPutBack(fn, object, field))) continue;
      const { root, name, fields } = parsePath(object);
      const isPlain = root === 'v' && fields.length === 0;
      if (isPlain && !index.types.isVariable(fn, name)) continue;
      const type = isPlain ? index.types.typeOf(fn, object) : '';
      const [definition, ...others] = index.names.definitionsOf(type);
      const isOwn =
        definition !== undefined && others.length === 0 && directoryGroup(definition) === fn.group;
      // What else is in the task there is not known.
      if (!isOwn || fn.facts.isMacro || fn.facts.arms) {
        refused.add(`${fn.group} ${field}`);
        continue;
      }
      const key = `${fn.group} ${field} ${type}`;
      const handles = found.get(key) ?? { group: fn.group, field, type, stores: [] };
      handles.stores.push({ fn, node, object });
      found.set(key, handles);
    }
  }
  return [...found.values()].filter(
    ({ group, field, type }) =>
      !refused.has(`${group} ${field}`) &&
      ![...found.values()].some((h) => h.group === group && h.field === field && h.type !== type),
  );
}

function transactionOf(
  index: Index,
  locks: Locks,
  reclaim: Reclaim,
  { group, field, type, stores }: Handles,
): Omit<Transaction, 'member'> | undefined {
  const mine = index.functions.filter((fn) => fn.group === group && !fn.facts.isMacro && !fn.facts.arms);
  const [definition] = index.names.definitionsOf(type);
  if (definition === undefined || (index.names.hasModule && !inModule(definition))) return undefined;
  if (mine.some((fn) => keepsSave(index, fn, type))) return undefined;
  const chain = stores.map(({ fn }) => reclaim.chainToBegin(fn, group)).find((c) => c !== undefined);
  if (!chain) return undefined;
  // Where the task may have another handle than the one that ends, the scope is as long as that is there.
  const isCounted = mine.some((fn) =>
    fn.facts.readsCurrent || fn.facts.setsCurrent
      ? fn.facts.cfg.some(
          ({ op }) =>
            op.k === 'test' && op.rel === `=task ${field}` && index.types.typeOf(fn, op.on) === type,
        )
      : false,
  );
  const pieces = isCounted
    ? mine.flatMap((fn) => [...makes(index, fn, type), ...frees(index, fn, type)])
    : [
        ...stores.map(({ fn, node, object }) =>
          piece(fn, node, 'start', object, { saves: [before(fn, node)] }),
        ),
        ...mine.flatMap((fn) => (fn.facts.setsCurrent ? clears(index, locks, fn, field, type) : [])),
      ];
  const all = pieces.filter((p) => p !== undefined);
  if (
    all.length < pieces.length ||
    !all.some((p) => p.does === 'start') ||
    all.every((p) => p.does === 'start')
  )
    return undefined;
  const ending = mine.filter(
    (fn) =>
      fn.facts.setsCurrent &&
      handleIn(index, fn, field, type) !== '' &&
      fn.facts.cfg.some(({ op }) => op.k === 'set' && op.to === `${CURRENT}${field}` && op.from === '#0'),
  );
  return { type, lock: `struct ${type}`, group, definition, pieces: all, ending, chain };
}

/** Does the function keep what a save returned in such a struct? */
function keepsSave(index: Index, fn: Fn, type: string): boolean {
  return (
    fn.facts.locks &&
    fn.facts.calls.some(
      ([, op]) =>
        SCOPE_APIS.some(({ save }) => save === op.fn) &&
        op.to.includes(' ') &&
        index.types.typeOf(fn, op.to.slice(0, op.to.lastIndexOf(' '))) === type,
    )
  );
}

/** Where the function allocates such an object; undefined for a place where no save can stand. */
function makes(index: Index, fn: Fn, type: string): (TransactionPiece | undefined)[] {
  return fn.facts.calls.flatMap(([node, op]) => {
    if (
      !/^v:\w+$/.test(op.to) ||
      gfpArgument(op.fn, op.args.length) === undefined ||
      index.types.typeOf(fn, op.to) !== type
    )
      return [];
    const point = placeAfter(fn, node, op.to);
    return [point && piece(fn, node, 'start', op.to, { saves: [point] })];
  });
}

/** Is the object surely there at the node: used there, used or tested on every way to it, or used on every way from it? */
function isThere(fn: Fn, node: number, object: Path): boolean {
  const { cfg } = fn.facts;
  const withoutUse = (from: readonly number[]): Set<number> => {
    const seen = new Set(from);
    for (const at of seen) {
      const { op, next } = cfg[at]!;
      if (usesMember(op, object)) continue;
      const isTest = op.k === 'test' && op.on === object && op.rel === 'nz';
      for (const to of isTest ? next.slice(1) : next) if (to >= 0) seen.add(to);
    }
    return seen;
  };
  return (
    usesMember(cfg[node]!.op, object) || !withoutUse([0]).has(node) || !withoutUse(cfg[node]!.next).has(1)
  );
}

/** Where the function frees such an object. */
function frees(index: Index, fn: Fn, type: string): (TransactionPiece | undefined)[] {
  return fn.facts.calls.flatMap(([node, op]) => {
    if (!FREES.has(op.fn)) return [];
    const object = op.args.find((arg) => index.types.typeOf(fn, arg) === type);
    if (object === undefined) return [];
    // In a function that makes one the states say whether it is there.
    const isMade = fn.facts.calls.some(
      ([, call]) => call.to === object && gfpArgument(call.fn, call.args.length) !== undefined,
    );
    if (!/^v:\w+$/.test(object) || !(isMade || isThere(fn, node, object))) return [undefined];
    return [piece(fn, node, 'end', object, { restores: [before(fn, node)] })];
  });
}

/** Where the function takes the handle out of the task. */
function clears(
  index: Index,
  locks: Locks,
  fn: Fn,
  field: string,
  type: string,
): (TransactionPiece | undefined)[] {
  return [...fn.facts.cfg.entries()].flatMap(([node, { op }]) => {
    if (op.k !== 'set' || op.to !== `${CURRENT}${field}` || (op.from !== '#0' && !op.from.includes(' ')))
      return [];
    const owner = op.from.includes(' ')
      ? op.from.slice(0, op.from.lastIndexOf(' '))
      : handleIn(index, fn, field, type);
    if (!/^v:\w+$/.test(owner) || index.types.typeOf(fn, owner) !== type || !isThere(fn, node, owner))
      return [undefined];
    // What the handle held is dropped behind this.
    const holds = locks
      .classes(fn)
      .some((lock) => locks.netEffect(fn, lock)?.act === 'release' && !locks.mayHaveDropped(fn, lock, node));
    const rest = holds ? placeFrom(fn, node) : undefined;
    if (rest && !('refused' in rest)) return [piece(fn, node, 'rest', owner, rest)];
    return [piece(fn, node, 'end', owner, { restores: [before(fn, node)] })];
  });
}

/** The variable of the function that is the task's handle. */
function handleIn(index: Index, fn: Fn, field: string, type: string): Path {
  for (const { op } of fn.facts.cfg)
    if (op.k === 'set' && op.from === `${CURRENT}${field}` && index.types.typeOf(fn, op.to) === type)
      return op.to;
  const param = fn.facts.params.find(([name]) => index.types.typeOf(fn, `v:${name}`) === type);
  return param ? `v:${param[0]}` : '';
}

function piece(
  fn: Fn,
  node: number,
  does: TransactionPiece['does'],
  object: Path,
  points: Partial<Pick<TransactionPiece, 'saves' | 'restores'>>,
): TransactionPiece {
  const isAddress = object[0] === '&';
  const handle = `${object.slice(isAddress ? 3 : 2)}${isAddress ? '.' : '->'}`;
  return { fn, node, does, handle, saves: [], restores: [], ...points };
}

function before(fn: Fn, node: number): ScopePoint {
  const { start, end } = fn.facts.statements[fn.facts.cfg[node]!.statement]!;
  return { at: 'before', statement: { start, end } };
}

function effectsOf({ fn, node, does, restores }: TransactionPiece): ScopeEffect[] {
  const { cfg, statements } = fn.facts;
  if (does === 'start')
    return [
      { api: API, node, act: 'acquire', ...(cfg[node]!.op.k === 'call' ? { success: 'nonzero' } : {}) },
    ];
  if (does === 'end') return [{ api: API, node, act: 'release' }];
  return [...cfg.keys()].flatMap((at) => {
    const { start, end } = statements[cfg[at]!.statement] ?? {};
    const isEnd = restores.some(({ statement }) => statement.start === start && statement.end === end);
    return isEnd && cfg[at]!.next.includes(1) ? [{ api: API, node: at, act: 'release' as const }] : [];
  });
}

/** Does each start leave the scope open where it succeeds, does each end close it, and is none opened twice? */
function isSound({ pieces, ending }: Transaction, after: Locks): boolean {
  const closes = (fn: Fn): boolean => after.netEffect(fn, SCOPE)?.act === 'release';
  return (
    ending.every(closes) &&
    pieces.every(({ fn, node, does }) => {
      const net = after.netEffect(fn, SCOPE);
      const entry = after.runOf(fn, SCOPE).entry[node];
      const { exits } = after.runOf(fn, SCOPE);
      // Who calls the start function and ends what it then can't use is one, too.
      if (net?.act === 'acquire')
        return (
          net.success !== 'maybe' &&
          exits.every((e) => e.depth >= 0) &&
          (does === 'start' ? (entry?.high ?? 0) === 0 : (entry?.low ?? 0) >= 1)
        );
      return does !== 'start' && net?.act === 'release';
    })
  );
}

/**
 * Scopes end in the order in which they began: no transaction is begun, or ended, in a scope of the code and not ended, or begun, there. A
 * restore would put back what the task had in between.
 */
function isNested(index: Index, { group }: Transaction, before: Locks, after: Locks): boolean {
  return index.functions.every((fn) => {
    if (fn.group !== group || !fn.facts.locks) return true;
    const calls = fn.facts.calls.filter(([, op]) => op.fn === SAVE || op.fn === RESTORE);
    if (calls.length === 0) return true;
    const own = new Set(before.effects(fn).flatMap((e) => (e.lock === SCOPE ? [e.node] : [])));
    const effects = new Map<number, Effect[]>();
    for (const e of after.effects(fn))
      if (e.lock === SCOPE && !own.has(e.node)) effects.set(e.node, [...(effects.get(e.node) ?? []), e]);
    if (effects.size === 0) return true;
    return calls.every(([save, { fn: name, to }]) => {
      if (name !== SAVE) return true;
      const restores = new Set(
        calls.flatMap(([at, op]) => (op.fn === RESTORE && op.args[0] === to ? [at] : [])),
      );
      const cfg = fn.facts.cfg.map((node, at) =>
        at === 0 ? { ...node, next: [save] } : restores.has(at) ? { ...node, next: [] } : node,
      );
      const { entry } = run({ ...fn.facts, cfg }, effects);
      const isEven = (at: number): boolean =>
        entry[at] === undefined || (entry[at].low === 0 && entry[at].high === 0);
      const ends = [...effects].filter(([, list]) => list.some(({ act }) => act === 'release'));
      return [...restores].every(isEven) && ends.every(([at]) => (entry[at]?.low ?? 1) >= 1);
    });
  });
}

/** The function with a scope that is open on a condition, run with what it begins and ends of transactions besides. */
export function runBeside({ effects }: Along, { conditional }: Placement): Run | undefined {
  return conditional && run(conditional.facts, new Map([...effects, ...conditional.effects]));
}

/** May both be open at once? Which of them ends first is not looked into. */
function meet(along: Along | undefined, scope: Placement): boolean {
  return along !== undefined && runBeside(along, scope)?.entry.some((at) => at && at.high > 1) === true;
}

function scopesOf(
  transactions: readonly Transaction[],
  after: Locks,
): Pick<ProposedTransactions, 'scopes' | 'along'> {
  const byGroup = new Map<string, OpenScope>(
    transactions.map((t) => [t.group, { id: transactionId(t), state: 'proposed' }]),
  );
  return {
    scopes: (fn, node, zero) => {
      const scope = byGroup.get(fn.group);
      return scope && after.has(fn, SCOPE) && after.mustHold(fn, SCOPE, node, zero) ? scope : undefined;
    },
    along: (fn) => {
      const scope = byGroup.get(fn.group);
      const mine = scope ? after.effects(fn).filter((e) => e.lock === SCOPE) : [];
      return scope && mine.length > 0 ? { scope, effects: byNode(mine) } : undefined;
    },
  };
}
