import { createHash } from 'node:crypto';
import type { Plan } from '../edit/plan.js';
import { type Basis, MAX_CHANGED, OtherFiles } from '../index/basis.js';
import { type Cache, contentHash } from '../index/cache.js';
import { keepFacts, keptFacts, type Listed, namesToFind, rootsOf } from '../index/load.js';
import { type Move, moveBetween, translated } from '../index/moved.js';
import { glanceAt } from '../index/parse-worker.js';
import { senseOf } from '../index/sense.js';
import type { Witness } from '../index/witness.js';
import { extractFacts } from '../parse/extract.js';
import { packFacts, unpackFacts } from '../parse/pack.js';
import { readSource } from '../tree/files.js';
import { type Analysis, type AnalyzeOptions, BY_DEFAULT } from './api.js';
import type { Report } from './report.js';

/** What is kept of an analysis. */
interface Kept {
  readonly report: Report;
  readonly plan: Plan;
  readonly basis: Basis;
}

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
    const found = this.get<Kept>('analysis');
    if (!found) return undefined;
    const report = { ...found.report, tree: this.options.tree };
    let again: Promise<Analysis> | undefined;
    return {
      report,
      plan: found.plan,
      basis: found.basis,
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
    const { report, plan, basis } = analysis;
    this.put('analysis', { report, plan, basis } satisfies Kept);
    return { ...analysis, once: this.once };
  }

  private readonly once = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const found = this.get<{ value: T }>(name);
    if (found) return found.value;
    const value = await work();
    this.put(name, { value });
    return value;
  };

  /** What was kept of this state, or of the last one if what has changed since makes no difference to it. */
  private get<T>(name: string): T | undefined {
    const found = this.read<T>(this.key(name, 'is'));
    const { changed, added } = this.witness;
    if (found !== undefined || changed.size + added.size === 0) return found;
    const before = this.read<T>(this.key(name, 'was'));
    const moves = before === undefined ? undefined : this.moves;
    if (!moves) return undefined;
    const value = moves.size === 0 ? before : translated(before!, moves);
    if (value !== undefined) this.put(name, value);
    return value;
  }

  private read<T>(key: string): T | undefined {
    const bytes = this.cache.results.get(key);
    if (!bytes) return undefined;
    try {
      return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')) as T;
    } catch {
      return undefined;
    }
  }

  private moved: { readonly moves: ReadonlyMap<string, Move> | undefined } | undefined;

  /** Where the code of each changed file that was read stands now; undefined where a file says something else that matters. */
  private get moves(): ReadonlyMap<string, Move> | undefined {
    this.moved ??= { moves: this.findMoves() };
    return this.moved.moves;
  }

  private findMoves(): ReadonlyMap<string, Move> | undefined {
    const { changed, added } = this.witness;
    if (changed.size + added.size > MAX_CHANGED) return undefined;
    const kept = this.read<Kept>(this.key('analysis', 'was'));
    const others = kept && new OtherFiles(kept.basis);
    const unread = [...changed.keys()].filter((file) => !others?.wasRead(file));
    // Somebody asked for a file that was not there.
    if (!others || [...added].some((file) => others.wasRead(file))) return undefined;
    if (!this.areAllowed([...unread, ...added], others)) return undefined;
    const moves = new Map<string, Move>();
    for (const [file, was] of changed) {
      if (!others.wasRead(file)) continue;
      const before = keptFacts(this.cache, file, was);
      const source = before && readSource(this.options.tree, file);
      if (!source || !('text' in source)) return undefined;
      const { text } = source;
      const hash = contentHash(Buffer.from(text, 'latin1'));
      // It has just changed once more.
      if (hash !== this.witness.hash(file)) return undefined;
      const sense = senseOf(text);
      if (sense !== before.sense) return undefined;
      const now = packFacts(extractFacts(file, text));
      const move = moveBetween(before.facts, unpackFacts(now));
      if (!move) return undefined;
      // So that the next change can be compared with this one.
      keepFacts(this.cache, file, hash, sense, now);
      moves.set(file, move);
    }
    return moves;
  }

  /** Are these, none of which was read, files that need not be read now either, and that name nothing new of what matters? */
  private areAllowed(files: readonly string[], others: OtherFiles): boolean {
    const { witness, listed } = this;
    const core = new Set(listed.core);
    // Where a header comes or goes, others may include it or another in its place.
    const isPlain = (file: string): boolean =>
      file.endsWith('.c') || (witness.changed.has(file) && witness.hash(file) !== undefined);
    if (!files.every((file) => isPlain(file) && !core.has(file))) return false;
    const there = files.filter((file) => witness.hash(file) !== undefined);
    const roots = rootsOf(this.options.tree);
    const asked = new Set(listed.asked);
    const masked = glanceAt({ roots, files: there, witness: false }).glances;
    if (masked.some(({ file }) => asked.has(file))) return false;
    const wanted = namesToFind(others.names);
    const { glances, seen } = glanceAt({ roots, files: there, witness: true, ...wanted });
    // One has just changed once more.
    if (seen.some(([file, { hash }]) => hash !== witness.hash(file))) return false;
    const found = new Map(glances.map((glance) => [glance.file, glance.names]));
    return files.every((file) => others.allow(file, found.get(file) ?? []));
  }

  private put(name: string, value: unknown): void {
    const key = this.key(name, 'is');
    if (this.witness.stands()) this.cache.results.put(key, Buffer.from(JSON.stringify(value), 'utf8'));
    this.cache.flush();
  }

  private readonly states: Partial<Record<'is' | 'was', string>> = {};

  private key(name: string, when: 'is' | 'was'): string {
    const {
      tree,
      paths,
      placement,
      minimal,
      transforms = BY_DEFAULT,
      api,
      checks = false,
      nolockdep = false,
      waits = [],
    } = this.options;
    this.states[when] ??= this.witness.digest(when);
    const asked = {
      version: tree.version,
      paths,
      placement,
      minimal,
      transforms: [...transforms].sort(),
      api,
      checks,
      nolockdep,
      waits,
    };
    const text = JSON.stringify([name, this.states[when], asked, this.listed.skipped]);
    return createHash('sha256').update(text).digest('hex');
  }
}
