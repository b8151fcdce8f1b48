import type { Findings } from '../src/analysis/analyze.js';
import { editOf, type LocatedSite } from '../src/analysis/sites.js';
import { vmallocIgnoresMasks } from '../src/analysis/vmalloc.js';
import type { Downgrade, ScopePlan } from '../src/edit/plan.js';
import { VMALLOC } from '../src/kernel/allocators.js';
import { inModule } from '../src/tree/kernel-tree.js';
import type { Transform } from './transform.js';

/**
 * Opens a scope around a `__vmalloc()` whose mask the kernel does not honour: before 5.17 it allocates page tables with `GFP_KERNEL`
 * whatever the mask says, so the mask protects nothing, and a scope does. What that kernel's vmalloc does is read from the tree.
 *
 * Applies to sites whose mask no other transform drops. Refuses calls that are no statement of their own: in a condition, a
 * declaration, a `return`.
 */
export const vmallocScope: Transform = {
  name: 'vmalloc-scope',
  summary: 'open scopes around a __vmalloc() that does not honour its mask',
  plan: (findings, report, _options, before) => {
    if (!vmallocIgnoresMasks(findings.index)) return {};
    const dropped = new Set(before.downgrades.map(({ site }) => site));
    const kept = new Set(report.sites.flatMap((site) => (site.kept === '' ? [] : [site.id])));
    const edits = findings.sites.flatMap((site) => {
      const id = `${site.file.file}:${site.line}:${site.column}`;
      const skipped = !VMALLOC.test(site.facts.call) || dropped.has(id) || kept.has(id);
      const edit = skipped ? undefined : editsFor(site, id, findings);
      return edit ? [edit] : [];
    });
    return { scopes: edits.map(({ scope }) => scope), downgrades: edits.map(({ mask }) => mask) };
  },
};

function editsFor(
  site: LocatedSite,
  id: string,
  { index }: Findings,
): { scope: ScopePlan; mask: Downgrade } | undefined {
  const { fn, facts, api } = site;
  const edit = editOf(index, site);
  if (!fn || fn.facts.isMacro || fn.facts.arms || edit === undefined) return undefined;
  if (index.names.hasModule && !inModule(fn.file.file)) return undefined;
  const { statements, cfg } = fn.facts;
  const statement = statements[cfg[facts.node]?.statement ?? -1];
  if (statement?.kind !== 'expression') return undefined;
  const { start, end } = statement;
  const place = { file: fn.file.file, function: fn.facts.name };
  const scope: ScopePlan = {
    ...place,
    id: `${id}:${facts.call}()`,
    body: { start: fn.facts.bodyStart, end: fn.facts.end },
    api,
    lock: `${facts.call}()`,
    unheeded: facts.call,
    lockText: `${facts.call}()`,
    reclaim: [],
    context: '',
    saves: [{ at: 'before', statement: { start, end } }],
    restores: [{ at: 'after', statement: { start, end } }],
  };
  const mask: Downgrade = {
    ...place,
    site: id,
    start: edit.start,
    end: edit.end,
    replacement: edit.text,
    scopes: [scope.id],
    transform: 'vmalloc-scope',
  };
  return { scope, mask };
}
