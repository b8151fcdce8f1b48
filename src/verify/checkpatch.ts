import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasProgram, runCommand } from './command.js';

export interface Checked {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly checks: readonly string[];
}

/** What runs scripts/checkpatch.pl --strict over one mail; undefined where the tree has none or there is no perl. */
export async function checkpatch(
  source: string,
  scratch: string,
  signal: AbortSignal,
): Promise<((mail: string) => Promise<Checked>) | undefined> {
  const script = path.join(source, 'scripts/checkpatch.pl');
  if (!existsSync(script) || !(await hasProgram('perl', source, signal))) return undefined;
  const file = path.join(scratch, 'mail.patch');
  return async (mail) => {
    writeFileSync(file, mail, 'latin1');
    const args = [script, '--strict', '--terse', '--show-types', '--no-summary', file];
    const { status, output } = await runCommand('perl', args, { cwd: source, signal });
    const of = (kind: string): string[] =>
      output.split('\n').flatMap((line) => {
        const match = new RegExp(`^.*?:(\\d+): (${kind}:.*)$`).exec(line);
        return match ? [match[2]!] : [];
      });
    const [errors, warnings, checks] = [of('ERROR'), of('WARNING'), of('CHECK')];
    // It ends with 1 where it has something to say, and with something else where it can't.
    const fails = status !== 0 && errors.length + warnings.length + checks.length === 0;
    return {
      errors: fails ? [`checkpatch.pl fails: ${output.trim().split('\n', 1)[0]}`] : errors,
      warnings,
      checks,
    };
  };
}
