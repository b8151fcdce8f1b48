import type { Engine } from './environment.js';

/** Loads the rooms that read, analyse and edit: the parser's native code is slow to come up. */
export async function loadEngine(): Promise<Engine> {
  const selfCheck = '../edit/self-check.js';
  const [{ analyze }, { createIncludeResolver }, { renderPlan }] = await Promise.all([
    import('../analysis/analyze.js'),
    import('../edit/includes.js'),
    import('../edit/render.js'),
  ]);
  return {
    analyze,
    checkedChanges: async (analysis, readHeader) => {
      const { checkedChanges }: Pick<Engine, 'checkedChanges'> = await import(selfCheck);
      return await checkedChanges(analysis, readHeader);
    },
    renderer: (analysis, readHeader) => {
      const includes = createIncludeResolver(readHeader);
      return (subset) => renderPlan(subset, (file) => analysis.source(file), includes);
    },
  };
}
