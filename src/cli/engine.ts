import type { Engine } from './environment.js';

/** Loads the rooms that read, analyse and edit: the parser's native code is slow to come up. */
export async function loadEngine(): Promise<Engine> {
  const room = (name: string): Promise<Engine> => import(name);
  const [{ analyze }, { checkedChanges }, { writeSeries }] = await Promise.all([
    room('../analysis/analyze.js'),
    room('../edit/self-check.js'),
    room('../output/series.js'),
  ]);
  return { analyze, checkedChanges, writeSeries };
}
