import type { Mended } from '../src/parse/mend.js';

export const DEFAULT_DIRS: readonly string[];

/** A function found by its braces: `at` is the offset of its name, `start`/`end` those of its body. */
export interface ScannedFunction {
  readonly name: string;
  readonly at: number;
  readonly start: number;
  readonly end: number;
}

export function scanFunctions(source: string): { functions: ScannedFunction[]; sites: number[] };

export interface Coverage {
  readonly files: number;
  readonly bytes: number;
  readonly mendMs: number;
  /** Passes after the main one, over all files. */
  readonly passes: number;
  readonly functions: number;
  readonly whole: number;
  readonly raw: number;
  readonly siteFunctions: number;
  readonly siteWhole: number;
  readonly siteRaw: number;
}

export interface CoverageFailure extends ScannedFunction {
  readonly file: string;
  readonly line: number;
  readonly site: boolean;
  readonly passes: readonly Mended[];
}

export function sourceFiles(tree: string, dirs: readonly string[]): string[];

export function measure(
  tree: string,
  dirs: readonly string[],
  mending: {
    mend?: (source: string) => Mended;
    mendPasses: (source: string) => Mended[];
    raw?: boolean;
  },
): { total: Coverage; failures: CoverageFailure[] };
