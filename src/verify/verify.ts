import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Progress } from '../tree/files.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import { Builder, type BuildOptions, fresh } from './build.js';
import { type Checked, checkpatch } from './checkpatch.js';
import { hasProgram } from './command.js';
import type { VerifyPatch } from './patches.js';
import { makeScratch } from './scratch.js';

/** What was found out about the tree with the patches up to one. */
export interface Verified {
  readonly subject: string;
  /** Objects of the files that the patch changes, and which of them were made. */
  readonly objects: readonly string[];
  readonly made: readonly string[];
  /** Made before, and not any more. */
  readonly broken: readonly string[];
  readonly warnings: readonly string[];
  /** Undefined where there is no sparse. */
  readonly sparse: readonly string[] | undefined;
  /** Undefined where the tree has no scripts/checkpatch.pl, or there is no perl. */
  readonly checkpatch: Checked | undefined;
  readonly ok: boolean;
}

export interface Verification {
  /** How the copy was made that it was built in. */
  readonly how: string;
  readonly config: string;
  /** Objects that can't be made of the tree as it is, in this configuration. */
  readonly unbuilt: readonly string[];
  readonly patches: readonly Verified[];
}

export interface VerifyOptions extends Omit<BuildOptions, 'sparse'> {
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Builds the tree as it is and with each prefix of a series, in a copy that is gone afterwards, and compares what is said.
 * @throws InputError if the tree can't be copied, configured or prepared
 */
export async function verify(
  tree: KernelTree,
  patches: readonly VerifyPatch[],
  options: VerifyOptions,
): Promise<Verification> {
  const { signal, onProgress } = options;
  const total = patches.length + 3;
  const step = (phase: string, done: number): void => onProgress({ phase, done, total });
  step('copying', 0);
  const scratch = await makeScratch(tree, signal);
  try {
    // What is verified is what the files were when they were read.
    const sparse = await hasProgram('sparse', scratch.source, signal);
    const builder = new Builder(scratch, { ...options, sparse });
    step('configuring', 1);
    await builder.prepare();
    const objectsOf = objectsFor(scratch.source);
    const all = [...new Set(patches.flatMap((patch) => objectsOf([...patch.files.keys()])))].sort();
    step('building', 2);
    const before = await builder.objects(all);
    const check = await checkpatch(scratch.source, scratch.build, signal);
    const out: Verified[] = [];
    for (const [i, { subject, files, mail }] of patches.entries()) {
      step(`patch ${i + 1}`, i + 3);
      scratch.write(files);
      const objects = objectsOf([...files.keys()]);
      const after = await builder.objects(objects);
      const broken = objects.filter((object) => before.made.has(object) && !after.made.has(object));
      const warnings = fresh(before.compiler, after.compiler);
      const complaints = sparse ? fresh(before.sparse, after.sparse) : undefined;
      const checked = await check?.(mail);
      const ok =
        broken.length + warnings.length + (complaints?.length ?? 0) === 0 &&
        (checked?.errors.length ?? 0) + (checked?.warnings.length ?? 0) === 0;
      const made = objects.filter((object) => after.made.has(object));
      out.push({ subject, objects, made, broken, warnings, sparse: complaints, checkpatch: checked, ok });
    }
    const unbuilt = all.filter((object) => !before.made.has(object));
    return { how: scratch.how, config: options.config, unbuilt, patches: out };
  } finally {
    scratch.remove();
  }
}

/** Names the objects that changed files go into: of a header those of the sources in its folder that include it. */
function objectsFor(source: string): (files: readonly string[]) => string[] {
  const including = new Map<string, string[]>();
  const of = (file: string): string[] => {
    if (file.endsWith('.c')) return [file.replace(/\.c$/, '.o')];
    let found = including.get(file);
    if (!found) {
      const folder = path.dirname(file);
      const name = path.basename(file);
      found = readdirSync(path.join(source, folder))
        .filter((one) => one.endsWith('.c'))
        .filter((one) =>
          readFileSync(path.join(source, folder, one), 'latin1')
            .split('\n')
            .some((line) => /^[ \t]*#[ \t]*include\b/.test(line) && line.includes(name)),
        )
        .map((one) => path.join(folder, one.replace(/\.c$/, '.o')));
      including.set(file, found);
    }
    return found;
  };
  return (files) => [...new Set(files.flatMap(of))].sort();
}
