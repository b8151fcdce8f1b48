import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';

export type KernelVersion = '6.1' | '6.12';

export const KERNEL_VERSIONS: readonly KernelVersion[] = ['6.1', '6.12'];

/** The folder that `make kernel` unpacks the trees into. */
function kernelsFolder(): string {
  const named = process.env.GFP_SCOPE_KERNELS;
  if (named !== undefined && named !== '') return named;
  const xdg = process.env.XDG_CACHE_HOME;
  const cache = xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache');
  return join(cache, 'gfp-scope', 'kernels');
}

function expectedAt(version: KernelVersion): string {
  return join(kernelsFolder(), `linux-source-${version}`);
}

/** Root of the unpacked tree of that version, or undefined where `make kernel` has not put one. */
export function kernelTree(version: KernelVersion): string | undefined {
  const tree = expectedAt(version);
  return existsSync(join(tree, 'Kbuild')) && existsSync(join(tree, 'mm')) ? tree : undefined;
}

/**
 * A `describe` for tests that read a real kernel tree; `fn` gets the root of the tree, which is to be
 * treated as read-only. Without the tree every test in it is still listed by name, as skipped; in CI
 * one failing test is added, so that a machine without the tree never passes as tested. `fn` runs
 * with the path where the tree is expected in both cases: read the tree inside `it` and `beforeAll`,
 * never in the body of the describe.
 */
export function describeKernel(version: KernelVersion, name: string, fn: (tree: string) => void): void {
  const title = `${name} [linux ${version}]`;
  const tree = kernelTree(version);
  if (tree !== undefined) {
    describe(title, () => fn(tree));
    return;
  }
  const expected = expectedAt(version);
  if (isCi()) {
    it(`${title}: the kernel tree is there`, () => {
      throw new Error(`no kernel tree at ${expected}: run \`make kernel\``);
    });
  }
  describe.skip(`${title} (no tree at ${expected}: run \`make kernel\`)`, () => fn(expected));
}

/** Is this a run that must not pass for want of a tool? */
export function isCi(): boolean {
  const ci = process.env.CI;
  return ci !== undefined && ci !== '' && ci !== 'false' && ci !== '0';
}
