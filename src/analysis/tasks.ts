import type { Edge, Index } from '../index/link.js';
import { CALLBACK_FIELDS, REGISTRARS_BY_NAME } from '../kernel/tasks.js';
import type { RunsIn } from '../kernel/types.js';

const BY_FIELD = new Map(CALLBACK_FIELDS.map((f) => [`${f.struct}.${f.field}`, f.runs]));

/** Which functions run in a task (or interrupt) of their own, and which edges do not stay in the caller's. */
export class Tasks {
  private readonly roots = new Map<number, RunsIn>();

  constructor(index: Index) {
    for (const edges of index.callees) {
      for (const edge of edges) {
        const runs = this.runsElsewhere(edge);
        if (runs) this.roots.set(edge.to, runs);
      }
    }
    for (const { fn, runs } of index.started) this.roots.set(fn.id, runs);
    for (const [key, runs] of BY_FIELD) {
      for (const fn of index.members.tableOwners(key).keys()) this.roots.set(fn, runs);
    }
  }

  private runsElsewhere(edge: Edge): RunsIn | undefined {
    if (edge.how === 'table') return BY_FIELD.get(edge.via);
    if (edge.how !== 'callback') return undefined;
    return REGISTRARS_BY_NAME.get(edge.handedTo ?? '')?.find((r) => r.runs !== 'same-task')?.runs;
  }

  /** The callee does not run in the caller's task: no scope and no lock of the caller is there. */
  leavesTask(edge: Edge): boolean {
    return this.runsElsewhere(edge) !== undefined;
  }

  /** How the function is started, where it is the body of a worker, kthread, timer …; else undefined. */
  startedAs(fn: number): RunsIn | undefined {
    return this.roots.get(fn);
  }
}
