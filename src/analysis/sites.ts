import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import { ALLOCATORS, KEPT_MASKS } from '../kernel/allocators.js';
import { DOWNGRADES, MASK_BY_NAME } from '../kernel/masks.js';
import type { Api } from '../kernel/types.js';
import {
  type CallOp,
  type FileFacts,
  lineAt,
  type Path,
  type SiteFacts,
  type TextEdit,
} from '../parse/facts.js';
import type { KeptMasks, KeptUse } from './kept-masks.js';

/** A site with its place in the linked tree. */
export interface LocatedSite {
  readonly facts: SiteFacts;
  readonly file: FileFacts;
  readonly fn: Fn | undefined;
  readonly api: Api;
  /** CFG nodes at which the mask takes effect; empty where that can't be told. */
  readonly nodes: readonly number[];
  /** Why the nodes are not known, or ''. */
  readonly unclear: string;
  /** Where the mask takes effect that is kept in a tree: for each function, this site with `fn` and `nodes` there. */
  readonly parts?: readonly LocatedSite[];
  /** 1-based. */
  readonly line: number;
  readonly column: number;
}

/** Bits that GFP_NOFS and GFP_NOIO have in common with GFP_KERNEL: who tests one of them sees no difference. */
const OTHER_BITS = /^__GFP_(?!FS$|IO$|BITS)\w+$/;

const LOOKED_AT = 'looks at the mask itself';

const ALLOCATOR_NAMES = new Set(ALLOCATORS.map((a) => a.name));
const KEPT_BY_INIT = new Map(KEPT_MASKS.map((k) => [k.init, k]));

/** The site as it has to be in scopes: itself, or one for each function in which the mask takes effect. */
export function partsOf(site: LocatedSite): readonly LocatedSite[] {
  return site.parts ?? [site];
}

/** Every site of a file. */
export function sitesOf(
  index: Index,
  kept: KeptMasks,
  file: FileFacts,
  functions: readonly Fn[],
): LocatedSite[] {
  const out: LocatedSite[] = [];
  const add = (facts: SiteFacts, fn: Fn | undefined): void => {
    const line = lineAt(file.lines, facts.start);
    const where = fn
      ? effectiveNodes(index, fn, facts)
      : { nodes: [], unclear: 'the mask stands outside of any function' };
    const site: LocatedSite = {
      facts,
      file,
      fn,
      api: apiOf(index.names.maskFlags.get(facts.flag) ?? facts.flag),
      ...where,
      line,
      column: facts.start - file.lines[line - 1]! + 1,
    };
    const uses = fn && where.nodes.length > 0 ? keptUses(kept, fn, facts) : undefined;
    if (!uses) out.push(site);
    else if (uses.length === 0)
      out.push({
        ...site,
        nodes: [],
        unclear: 'the mask is kept in a tree, and what is added to it was not found',
      });
    else out.push({ ...site, parts: uses.map((use) => ({ ...site, ...use })) });
  };
  for (const fn of functions) for (const site of fn.facts.sites) add(site, fn);
  for (const site of file.sites) add(site, undefined);
  return out.sort((a, b) => a.facts.start - b.facts.start);
}

function apiOf(flag: string): Api {
  return MASK_BY_NAME.get(flag)?.api ?? (flag.includes('__GFP_IO') ? 'noio' : 'nofs');
}

/** Is it a mask that has a name, rather than a flag or bits that are cleared? */
export function isWholeMask(flag: string): boolean {
  return DOWNGRADES.some((d) => d.from === flag);
}

/** How a site is written in a scope of its kind; undefined where its mask has to stay. */
export function editOf(index: Index, { facts, api, file }: LocatedSite): TextEdit | undefined {
  const { flag, start, end, without } = facts;
  const text = DOWNGRADES.find((d) => d.from === flag && d.under.includes(api))?.to;
  if (text === undefined) return without ?? undefined;
  // A macro that takes any number of arguments may be called without its last.
  const isDefault = without && index.names.lookup(facts.call, file.file).some((f) => f.facts.isVariadic);
  return isDefault ? without : { start, end, text };
}

/** The CFG nodes whose running under a scope makes the mask redundant. */
function effectiveNodes(index: Index, fn: Fn, site: SiteFacts): { nodes: number[]; unclear: string } {
  const no = (unclear: string): { nodes: number[]; unclear: string } => ({ nodes: [], unclear });
  if (fn.facts.broken) return no('the function does not parse');
  switch (site.context) {
    case 'arg': {
      if (site.node < 0) return no('the call is not part of the control flow that was understood');
      const { op } = fn.facts.cfg[site.node]!;
      if (op.k !== 'call') return no('the call is not part of the control flow that was understood');
      const wrong = fateOf(index, fn, op, site.arg);
      return wrong === '' ? nodesOfCall(index, fn, site.node, op) : no(wrong);
    }
    case 'init':
    case 'assign': {
      const name = /^v:(\w+)$/.exec(site.to)?.[1];
      if (name === undefined) return no('the mask is stored in a structure');
      if (!index.types.isLocal(fn, name))
        return no(`the mask is stored in ${name}, which outlives the function`);
      return variableUses(index, fn, site.to);
    }
    case 'return':
      return no('the mask is returned to the caller');
    case 'compare':
      return no('the mask is compared, not used');
    default:
      return no('the use of the mask was not understood');
  }
}

/** Where the mask takes effect that was handed to a call: there, or where the mask goes that the call made of it. */
function nodesOfCall(index: Index, fn: Fn, node: number, op: CallOp): { nodes: number[]; unclear: string } {
  if (op.to === '' || index.names.returnType(op.fn, fn.file.file) !== 'gfp_t')
    return { nodes: [node], unclear: '' };
  return /^v:\w+$/.test(op.to) && index.types.isLocal(fn, op.to.slice(2))
    ? variableUses(index, fn, op.to)
    : { nodes: [], unclear: 'the mask is stored in a structure' };
}

/** Who allocates with the mask that the call keeps in a tree; undefined where it keeps none. */
function keptUses(kept: KeptMasks, fn: Fn, site: SiteFacts): readonly KeptUse[] | undefined {
  const op = site.node < 0 ? undefined : fn.facts.cfg[site.node]!.op;
  const keeps = op?.k === 'call' ? KEPT_BY_INIT.get(op.fn) : undefined;
  if (op?.k !== 'call' || keeps?.gfpArg !== site.arg) return undefined;
  return kept.usesOf(fn, op.args[keeps.root] ?? '') ?? [];
}

/** '' where the called function does nothing with that argument but allocate with it during the call; else what it does. */
function fateOf(index: Index, fn: Fn, op: CallOp, position: number): string {
  if (op.fn !== '') return fateOfParameter(index, op.fn, position, fn.file.file, new Set());
  return op.target.includes(' ') && index.hasKernel
    ? ''
    : 'the mask is passed to a call that was not understood';
}

function fateOfParameter(
  index: Index,
  name: string,
  position: number,
  file: string,
  seen: Set<string>,
): string {
  const key = `${name} ${position}`;
  // Handed in by a wrapper: which tree it is the wrapper's callers know.
  if (KEPT_BY_INIT.has(name) && seen.size > 0) return 'keeps the mask in a tree';
  if (ALLOCATOR_NAMES.has(name) || seen.has(key)) return '';
  seen.add(key);
  const targets = index.names.lookup(name, file);
  const type = index.names.parameterTypes(name, file)[position];
  if (takesFlags(index, name, position, file, new Set())) return '';
  if (targets.length === 0 && !index.hasKernel)
    return `what ${name}() does with the mask is not known without the kernel`;
  if (targets.length === 0 && index.names.hasModule && type === undefined)
    return `${name}() is declared nowhere in the kernel or the module`;
  if (!targets.some((t) => t.facts.isMacro) && type !== undefined && type !== 'gfp_t')
    return `${name}() takes it as ${type === '' ? 'something else' : type}, not as gfp_t`;
  for (const target of targets) {
    const param = target.facts.params[position]?.[0];
    if (!param) continue;
    const used = usesOf(index, target, `v:${param}`, seen);
    if (used.kept !== '') return `${name}() ${used.kept}`;
  }
  return '';
}

/**
 * Does every definition of the function turn the flags of that argument into a mask, itself or in what it hands them to, and
 * allocate with it during the call? Looking at them is what flags are for; storing or returning them is not.
 */
function takesFlags(index: Index, name: string, position: number, file: string, seen: Set<string>): boolean {
  const key = `${name} ${position}`;
  if (seen.has(key)) return false;
  seen.add(key);
  const targets = index.names.lookup(name, file);
  const reads = (target: Fn): boolean => index.names.flagReaders.has(`${target.facts.name} ${position}`);
  return (
    targets.length > 0 &&
    targets.every((target) => {
      const param = target.facts.params[position]?.[0];
      if (param === undefined) return false;
      // Its result is the mask itself: that has to be followed where it is called.
      if (reads(target)) return target.facts.returnType !== 'gfp_t';
      let used = false;
      for (const { op } of target.facts.cfg) {
        if (op.k === 'ret' && op.value.replace(/^~/, '') === `v:${param}`) return false;
        if (op.k === 'set' && op.from.replace(/^~/, '') === `v:${param}` && op.to !== `v:${param}`)
          return false;
        if (op.k !== 'call') continue;
        for (const [i, arg] of op.args.entries()) {
          if (arg === `&v:${param}`) return false;
          if (arg.replace(/^~/, '') !== `v:${param}` || op.fn === '') continue;
          const readers = index.names.lookup(op.fn, target.file.file);
          const converts =
            readers.length > 0 &&
            readers.every(
              (r) => index.names.flagReaders.has(`${r.facts.name} ${i}`) && r.facts.returnType === 'gfp_t',
            );
          if (converts) {
            const local = /^v:(\w+)$/.exec(op.to)?.[1];
            if (local === undefined || !index.types.isLocal(target, local)) return false;
            const { nodes } = usesOf(index, target, op.to, new Set([key]));
            if (nodes.length === 0) return false;
            used = true;
          } else if (takesFlags(index, op.fn, i, target.file.file, seen)) used = true;
        }
      }
      return used;
    })
  );
}

/**
 * The calls that a variable with a mask is handed to, in it or in what it is copied to; `kept` says what else
 * becomes of it, where that is more than being handed to an allocator.
 */
function usesOf(index: Index, fn: Fn, variable: Path, seen: Set<string>): { nodes: number[]; kept: string } {
  const names = new Set([variable]);
  const nodes: number[] = [];
  // Said last, so that it hides nothing worse.
  let looked = '';
  const bare = (path: Path): Path => (path[0] === '~' ? path.slice(1) : path);
  for (const name of names) {
    for (const [i, { op }] of fn.facts.cfg.entries()) {
      if (op.k === 'call') {
        if (op.args.includes(`&${name}`)) return { nodes, kept: 'takes the address of the variable' };
        for (const [position, arg] of op.args.entries()) {
          if (bare(arg) !== name) continue;
          const fate =
            op.fn === '' ? '' : fateOfParameter(index, op.fn, position, fn.file.file, new Set(seen));
          if (fate.endsWith(LOOKED_AT)) looked ||= `hands the mask on: ${fate}`;
          else if (fate !== '') return { nodes, kept: `hands the mask on: ${fate}` };
          if (!nodes.includes(i)) nodes.push(i);
          if (op.to !== '' && index.names.returnType(op.fn, fn.file.file) === 'gfp_t') names.add(op.to);
        }
      } else if (op.k === 'set' && bare(op.from) === name && op.to !== name) {
        const local = /^v:(\w+)$/.exec(op.to)?.[1];
        if (local === undefined || !index.types.isLocal(fn, local))
          return { nodes, kept: 'keeps the mask for later' };
        names.add(op.to);
      } else if (op.k === 'ret' && bare(op.value) === name) {
        // A function of masks: what becomes of its result is seen where it is called.
        if (fn.facts.returnType !== 'gfp_t' || seen.size === 0) return { nodes, kept: 'returns the mask' };
      } else if (op.k === 'test' && bare(op.on) === name && !op.flags?.every((f) => OTHER_BITS.test(f))) {
        looked ||= LOOKED_AT;
      }
    }
  }
  return { nodes, kept: looked };
}

function variableUses(index: Index, fn: Fn, variable: Path): { nodes: number[]; unclear: string } {
  const { nodes, kept } = usesOf(index, fn, variable, new Set());
  if (kept !== '') return { nodes: [], unclear: `the function ${kept}` };
  return nodes.length > 0
    ? { nodes, unclear: '' }
    : { nodes, unclear: `no use of ${variable.slice(2)} was understood` };
}

/** What a site is called in reports. */
export function siteId({ file, line, column }: LocatedSite): string {
  return `${file.file}:${line}:${column}`;
}
