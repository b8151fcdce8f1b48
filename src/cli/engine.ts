import type { Engine } from './environment.js';

/** Loads the rooms that read, analyse and edit: the parser's native code is slow to come up. */
export async function loadEngine(): Promise<Engine> {
  const [{ analyze }, { createIncludeResolver }, { renderPlan }, { checkedChanges }] = await Promise.all([
    import('../analysis/analyze.js'),
    import('../edit/includes.js'),
    import('../edit/render.js'),
    import('../edit/self-check.js'),
  ]);
  return {
    analyze,
    checkedChanges,
    renderer: (analysis, readHeader) => {
      const includes = createIncludeResolver(readHeader);
      return (subset) => renderPlan(subset, (file) => analysis.source(file), includes);
    },
  };
}
