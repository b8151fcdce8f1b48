import type { Argv } from 'yargs';
import { scanDocument } from '../output/scan-document.js';
import { scanText } from '../output/scan-text.js';
import { resolvePaths } from '../tree/files.js';
import { coloured, type Environment, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import { type ArgumentsOf, analyzeOptions, EXIT_CODE, FORMAT, treeOf, withPaths } from './options.js';
import { analyzeFor } from './work.js';

export const command = 'scan [paths..]';
export const describe = 'List every site with its verdict, reason and place';

export function builder(parser: Argv) {
  return withPaths(parser)
    .option('format', FORMAT)
    .option('exit-code', EXIT_CODE('sites'))
    .example('$0 scan fs/quota', 'Every GFP_NOFS and GFP_NOIO in fs/quota')
    .example('$0 scan --format json fs/quota | jq .summary', 'The totals, for a script')
    .example('$0 scan --exit-code fs/mine', 'Exit with 1 if the flags are still used');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const tree = treeOf(args, environment);
  const paths = resolvePaths(tree, args.paths, environment.cwd);
  const { report } = await analyzeFor(environment, analyzeOptions(args, tree, paths, environment));
  const text =
    args.format === 'json'
      ? `${JSON.stringify(scanDocument(report), null, 2)}\n`
      : scanText(report, { colour: coloured(environment.stdout, environment, args.noColor) });
  await write(environment.stdout, text);
  return args.exitCode && report.sites.length > 0 ? EXIT.findings : EXIT.done;
}
