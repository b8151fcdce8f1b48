import { createHash } from 'node:crypto';
import type { Plan } from '../edit/plan.js';
import type { Cache } from '../index/cache.js';
import type { Listed } from '../index/load.js';
import type { Witness } from '../index/witness.js';
import { type Analysis, type AnalyzeOptions, BY_DEFAULT } from './api.js';
import type { Report } from './report.js';

/** Reports and plans of earlier runs, and what a self-check found, each for one state of the tree and one set of options. */
export class KeptResults {
  constructor(
    private readonly cache: Cache,
    private readonly witness: Witness,
    private readonly listed: Listed,
    private readonly options: AnalyzeOptions,
  ) {}

  /** The analysis that was made of this very state; `anew` makes it where that is not enough. */
  find(source: (file: string) => string, anew: () => Promise<Analysis>): Analysis | undefined {
    // Nobody has looked at this tree.
    if (!this.witness.surveyed) return undefined;
    const found = this.get<{ report: Report; plan: Plan }>('analysis');
    if (!found) return undefined;
    const report = { ...found.report, tree: this.options.tree };
    let again: Promise<Analysis> | undefined;
    return {
      report,
      plan: found.plan,
      source,
      recheck: async (edited, done) => {
        again ??= anew();
        return await (await again).recheck(edited, done);
      },
      once: this.once,
    };
  }

  /** Keeps the analysis if the tree is what it was when its files were read. */
  keep(analysis: Analysis): Analysis {
    this.put('analysis', { report: analysis.report, plan: analysis.plan });
    return { ...analysis, once: this.once };
  }

  private readonly once = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const found = this.get<{ value: T }>(name);
    if (found) return found.value;
    const value = await work();
    this.put(name, { value });
    return value;
  };

  private get<T>(name: string): T | undefined {
    const bytes = this.cache.results.get(this.key(name));
    if (!bytes) return undefined;
    try {
      return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')) as T;
    } catch {
      return undefined;
    }
  }

  private put(name: string, value: unknown): void {
    const key = this.key(name);
    if (this.witness.stands()) this.cache.results.put(key, Buffer.from(JSON.stringify(value), 'utf8'));
    this.cache.flush();
  }

  private state: string | undefined;

  private key(name: string): string {
    const {
      tree,
      paths,
      placement,
      minimal,
      transforms = BY_DEFAULT,
      api,
      checks = false,
      nolockdep = false,
    } = this.options;
    this.state ??= this.witness.digest();
    const asked = {
      version: tree.version,
      paths,
      placement,
      minimal,
      transforms: [...transforms].sort(),
      api,
      checks,
      nolockdep,
    };
    const text = JSON.stringify([name, this.state, asked, this.listed.skipped]);
    return createHash('sha256').update(text).digest('hex');
  }
}
