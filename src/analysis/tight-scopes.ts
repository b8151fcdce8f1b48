import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { Api } from '../kernel/types.js';
import { existingScopeId } from './coverage.js';
import type { Locks } from './locks.js';
import type { LocatedSite } from './sites.js';
import type { Tasks } from './tasks.js';

/** A scope of the code around one statement and nothing else. */
export interface TightScope {
  /** As other scopes of the code are called: `file:line` of its save. */
  readonly id: string;
  readonly fn: Fn;
  readonly api: Api;
  /** It stands right behind the acquire of a lock, or in the body of a task, where it belongs: it goes only if a wider one comes for the sake of something else. */
  readonly inPlace: boolean;
  readonly variable: string;
  /** Indices of the statements that save, call and restore. */
  readonly statements: readonly [save: number, call: number, restore: number];
  /** CFG nodes of the calls in between. */
  readonly calls: readonly number[];
  /** Its save, as something that is to be in another scope. */
  readonly site: LocatedSite;
}

/**
 * The scopes of the API in the files asked for that are wrapped around a single statement: save, one expression with a call, and
 * restore stand side by side in a block, and the variable serves nothing else.
 */
export function tightScopes(
  index: Index,
  locks: Locks,
  tasks: Tasks,
  asked: (file: string) => boolean,
): TightScope[] {
  return index.functions.flatMap((fn) => {
    if (!asked(fn.file.file) || fn.facts.isMacro || fn.facts.arms || fn.facts.broken) return [];
    return (['nofs', 'noio'] as const).flatMap((api) =>
      fn.facts.calls.flatMap(([node, op]) => {
        if (op.fn !== `memalloc_${api}_save`) return [];
        const found = tightAt(fn, node, `memalloc_${api}_restore`);
        if (!found) return [];
        const inPlace =
          tasks.startedAs(fn.id) !== undefined || followsAcquire(fn, found.statements[0], locks);
        return [{ ...scopeAt(index, fn, node, api, found), inPlace }];
      }),
    );
  });
}

type Found = Pick<TightScope, 'variable' | 'statements' | 'calls'>;

function tightAt(fn: Fn, save: number, restore: string): Found | undefined {
  const { cfg, calls, statements } = fn.facts;
  const { op, statement } = cfg[save]!;
  if (op.k !== 'call' || statement < 0) return undefined;
  const variable = /^v:(\w+)$/.exec(op.to)?.[1];
  const uses = calls.filter(
    ([node, other]) => node !== save && (other.to === op.to || other.args.includes(op.to)),
  );
  const [end, ...more] = uses;
  if (variable === undefined || !end || more.length > 0 || end[1].fn !== restore) return undefined;
  const last = cfg[end[0]]!.statement;
  const [first, after] = [statements[statement]!, statements[last]];
  if (!after || after.parent !== first.parent || after.kind !== 'expression') return undefined;
  if (first.kind !== 'expression' && first.kind !== 'declaration') return undefined;
  if (first.parent >= 0 && statements[first.parent]!.kind !== 'block') return undefined;
  const between = [...statements.keys()].filter(
    (i) =>
      statements[i]!.start >= first.end &&
      statements[i]!.end <= after.start &&
      // One that calls nothing may stand behind a save that is a declaration.
      (statements[i]!.kind !== 'declaration' || calls.some(([node]) => cfg[node]!.statement === i)),
  );
  const [middle] = between;
  if (middle === undefined || between.length > 1 || statements[middle]!.kind !== 'expression')
    return undefined;
  const inside = calls.flatMap(([node]) => (cfg[node]!.statement === middle ? [node] : []));
  return inside.length === 0 ? undefined : { variable, statements: [statement, middle, last], calls: inside };
}

/** Is a lock taken by the statement in front? */
function followsAcquire(fn: Fn, statement: number, locks: Locks): boolean {
  const { statements, cfg } = fn.facts;
  const { start, parent } = statements[statement]!;
  const before = [...statements.keys()].filter(
    (i) => statements[i]!.parent === parent && statements[i]!.end <= start,
  );
  const previous = before.reduce((a, b) => (statements[b]!.end > (statements[a]?.end ?? -1) ? b : a), -1);
  return locks.acquisitions(fn).some(({ node }) => cfg[node]!.statement === previous);
}

function scopeAt(index: Index, fn: Fn, node: number, api: Api, found: Found): Omit<TightScope, 'inPlace'> {
  const { op } = fn.facts.cfg[node]!;
  const range = op.k === 'call' ? { start: op.start, end: op.end } : { start: 0, end: 0 };
  const flag = api === 'nofs' ? 'GFP_NOFS' : 'GFP_NOIO';
  const facts = { ...range, flag, context: 'other' as const, node, arg: -1, call: '', to: '', without: null };
  const line = index.lineOf(fn, node);
  return {
    id: existingScopeId(index, fn, node),
    fn,
    api,
    ...found,
    site: { facts, file: fn.file, fn, api, nodes: [node], unclear: '', line, column: 1 },
  };
}
