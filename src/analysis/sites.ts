import type { Fn, Index } from '../index/link.js';
import { ALLOCATORS } from '../kernel/allocators.js';
import { DOWNGRADES, MASK_BY_NAME } from '../kernel/masks.js';
import type { Api } from '../kernel/types.js';
import { type FileFacts, lineAt, type SiteFacts } from '../parse/facts.js';

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
  /** 1-based. */
  readonly line: number;
  readonly column: number;
}

const ALLOCATOR_NAMES = new Set(ALLOCATORS.map((a) => a.name));

/** Every site of a file. */
export function sitesOf(index: Index, file: FileFacts, functions: readonly Fn[]): LocatedSite[] {
  const out: LocatedSite[] = [];
  const add = (facts: SiteFacts, fn: Fn | undefined): void => {
    const line = lineAt(file.lines, facts.start);
    const where = fn
      ? effectiveNodes(index, fn, facts)
      : { nodes: [], unclear: 'the mask stands outside of any function' };
    out.push({
      facts,
      file,
      fn,
      api: apiOf(facts.flag),
      ...where,
      line,
      column: facts.start - file.lines[line - 1]! + 1,
    });
  };
  for (const fn of functions) for (const site of fn.facts.sites) add(site, fn);
  for (const site of file.sites) add(site, undefined);
  return out.sort((a, b) => a.facts.start - b.facts.start);
}

function apiOf(flag: string): Api {
  return MASK_BY_NAME.get(flag)?.api ?? (flag.includes('__GFP_IO') ? 'noio' : 'nofs');
}

/** What a scope of `api` makes the flag equal to, or undefined where there is no such text. */
export function replacementFor(flag: string, api: Api): string | undefined {
  return DOWNGRADES.find((d) => d.from === flag && d.under.includes(api))?.to;
}

/** The CFG nodes whose running under a scope makes the mask redundant. */
function effectiveNodes(index: Index, fn: Fn, site: SiteFacts): { nodes: number[]; unclear: string } {
  const no = (unclear: string): { nodes: number[]; unclear: string } => ({ nodes: [], unclear });
  if (fn.facts.broken) return no('the function does not parse');
  switch (site.context) {
    case 'arg': {
      if (site.node < 0) return no('the call is not part of the control flow that was understood');
      const wrong = takesMask(index, fn, site);
      return wrong === '' ? { nodes: [site.node], unclear: '' } : no(wrong);
    }
    case 'init':
    case 'assign': {
      const name = /^v:(\w+)$/.exec(site.to)?.[1];
      if (name === undefined) return no('the mask is stored in a structure');
      if (!index.isLocal(fn, name)) return no(`the mask is stored in ${name}, which outlives the function`);
      return variableUses(fn, site.to);
    }
    case 'return':
      return no('the mask is returned to the caller');
    case 'compare':
      return no('the mask is compared, not used');
    default:
      return no('the use of the mask was not understood');
  }
}

/** '' where the called function allocates with that argument during the call; else why not. */
function takesMask(index: Index, fn: Fn, site: SiteFacts): string {
  if (ALLOCATOR_NAMES.has(site.call)) return '';
  const name = site.call;
  if (!/^\w+$/.test(name)) {
    const op = fn.facts.cfg[site.node]!.op;
    const field = op.k === 'call' ? op.target.split(' ').at(-1) : '';
    return field ? '' : 'the mask is passed to a call that was not understood';
  }
  const targets = index.lookup(name, fn.file.file);
  const types = index.parameterTypes(name, fn.file.file);
  for (const target of targets) {
    const param = target.facts.params[site.arg]?.[0];
    if (param === undefined) continue;
    for (const { op } of target.facts.cfg) {
      if (op.k === 'set' && op.from === `v:${param}` && op.to.includes(' '))
        return `${name}() keeps the mask for later`;
    }
  }
  if (targets.some((t) => t.facts.isMacro)) return '';
  if (types[site.arg] === undefined || types[site.arg] === 'gfp_t') return '';
  return `${name}() takes it as ${types[site.arg] === '' ? 'something else' : types[site.arg]}, not as gfp_t`;
}

function variableUses(fn: Fn, variable: string): { nodes: number[]; unclear: string } {
  const nodes: number[] = [];
  for (const [i, { op }] of fn.facts.cfg.entries()) {
    if (op.k === 'call' && (op.args.includes(variable) || op.args.includes(`~${variable}`))) nodes.push(i);
    else if (op.k === 'call' && op.args.includes(`&${variable}`)) {
      return { nodes: [], unclear: `the address of ${variable.slice(2)} is taken` };
    } else if (op.k === 'set' && op.to !== variable && (op.from === variable || op.from === `~${variable}`)) {
      return { nodes: [], unclear: `${variable.slice(2)} is copied to ${op.to.replace(/^\w:/, '')}` };
    } else if (op.k === 'ret' && op.value === variable)
      return { nodes: [], unclear: 'the mask is returned to the caller' };
  }
  return nodes.length > 0
    ? { nodes, unclear: '' }
    : { nodes, unclear: `no use of ${variable.slice(2)} was understood` };
}
