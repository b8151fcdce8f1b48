import { parameterEdits } from '../src/edit/parameter.js';
import type { Downgrade, ParameterRemoval } from '../src/edit/plan.js';
import type { Fn } from '../src/index/names.js';
import type { Transform } from './transform.js';

/** What a parameter must be in every call. */
const PLAIN = 'GFP_KERNEL';

/**
 * Removes a `gfp_t` parameter that is `GFP_KERNEL` in every call once the masks of the other transforms are gone.
 *
 * Opt-in (`--plumbing`): it makes nothing safer, and touches lines that have no mask. Applies to static functions, all of whose
 * calls are in one file. Refuses a function whose address is taken, that a macro names or that is defined twice, and a parameter
 * that is tested, assigned or changed.
 */
export const plumbing: Transform = {
  name: 'plumbing',
  summary: 'remove gfp_t parameters that are GFP_KERNEL in every call now',
  plan: ({ index, sites, source }, _report, _options, { downgrades }) => {
    const dropped = new Map(downgrades.map((d) => [d.site, d]));
    const functions = new Map<string, Fn[]>();
    for (const fn of index.functions) {
      const same = functions.get(fn.file.file);
      if (same) same.push(fn);
      else functions.set(fn.file.file, [fn]);
    }
    const removals = new Map<string, ParameterRemoval>();
    for (const { file, line, column, facts } of sites) {
      const name = facts.context === 'arg' ? facts.call : '';
      if (name === '' || !dropped.has(`${file.file}:${line}:${column}`)) continue;
      const key = `${file.file} ${name} ${facts.arg}`;
      if (removals.has(key)) continue;
      const removal = removalFrom(
        functions.get(file.file) ?? [],
        name,
        facts.arg,
        source(file.file),
        downgrades.filter((d) => d.file === file.file),
      );
      if (removal) removals.set(key, removal);
    }
    return { removals: [...removals.values()] };
  },
};

function removalFrom(
  inFile: readonly Fn[],
  name: string,
  position: number,
  text: string,
  downgrades: readonly Downgrade[],
): ParameterRemoval | undefined {
  const [fn, ...others] = inFile.filter(({ facts }) => facts.name === name && !facts.arms);
  if (!fn || others.length > 0 || !fn.facts.isStatic || fn.facts.isMacro || !fn.file.file.endsWith('.c'))
    return undefined;
  const [parameter, type] = fn.facts.params[position] ?? [];
  if (parameter === undefined || type !== 'gfp_t') return undefined;
  const body = { start: fn.facts.bodyStart, end: fn.facts.end };
  const bodies = inFile
    .filter(({ facts }) => !facts.isMacro)
    .map(({ facts }) => ({ start: facts.bodyStart, end: facts.end }));
  const found = parameterEdits(text, name, parameter, position, body, bodies, PLAIN);
  if (!found) return undefined;
  const sites: string[] = [];
  for (const { start, end } of found.handed) {
    const inside = downgrades.find((d) => start <= d.start && d.end <= end);
    const now = inside
      ? text.slice(start, inside.start) + inside.replacement + text.slice(inside.end, end)
      : text.slice(start, end);
    if (now !== PLAIN) return undefined;
    if (inside) sites.push(inside.site);
  }
  return {
    kind: 'parameter',
    file: fn.file.file,
    function: name,
    parameter,
    calls: found.handed.length,
    sites,
    scopes: [],
    edits: found.edits,
  };
}
