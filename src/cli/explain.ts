import type { Argv } from 'yargs';
import type { Report } from '../analysis/report.js';
import { explainDocument, explanationOf, nearestSites, type Target } from '../output/explain-document.js';
import { explainText } from '../output/explain-text.js';
import { shownName } from '../output/names.js';
import { filesMentioning, listFiles, resolvePath, resolvePaths } from '../tree/files.js';
import { InputError } from '../tree/input-error.js';
import type { KernelTree } from '../tree/kernel-tree.js';
import { coloured, type Environment, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import { type ArgumentsOf, analyzeOptions, FORMAT, treeOf, withCommon } from './options.js';
import { analyzeFor } from './work.js';

export const command = 'explain <target> [paths..]';
export const describe = 'Say why: the reclaim chain to the lock, the regions, each path to a site';

export function builder(parser: Argv) {
  return withCommon(parser)
    .positional('target', {
      type: 'string',
      demandOption: true,
      describe: 'FILE:LINE, a function, or a lock class (struct.field)',
    })
    .positional('paths', {
      type: 'string',
      array: true,
      default: [] as string[],
      defaultDescription: 'the files that have to do with the target',
      describe: 'Explain what a scan of these files or directories says',
    })
    .option('format', FORMAT)
    .example('$0 explain fs/quota/quota_v1.c:166', 'The site or the scope on that line')
    .example('$0 explain v1_read_file_info', 'The sites and scopes of a function')
    .example('$0 explain fs/ext4/inode.c:4012 fs/ext4', 'The same, as it is in a scan of fs/ext4')
    .example(
      '$0 explain quota_info.dqio_sem fs/quota',
      'A lock class: who takes it in reclaim, and where it is held',
    );
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const tree = treeOf(args, environment);
  const target = targetOf(args.target, tree, environment.cwd);
  const paths = pathsFor(target, tree, args.paths, environment.cwd);
  const { report } = await analyzeFor(environment, analyzeOptions(args, tree, paths, environment));
  const shown = target.kind === 'place' ? { ...target, file: shownName(tree, target.file) } : target;
  const explanation = explanationOf(report, shown, args.target);
  if (!explanation) throw new InputError(nothingAt(shown, report));
  const text =
    args.format === 'json'
      ? `${JSON.stringify(explainDocument(explanation), null, 2)}\n`
      : explainText(explanation, { colour: coloured(environment.stdout, environment, args.noColor) });
  await write(environment.stdout, text);
  return EXIT.done;
}

/** A function, a lock class (`sb_writers.rw_sem[SB_FREEZE_FS]`), or what is no lock but blocks like one (`a frozen queue`). */
const NAME = /^(?:[A-Za-z_][\w.]*(?:\[\w+\])?|a(?: [\w.]+)+)$/;

/** Reads `FILE:LINE`, `FILE:LINE:COLUMN` or a name. */
function targetOf(asked: string, tree: KernelTree, cwd: string): Target {
  const place = /^(.+?):(\d+)(?::(\d+))?$/.exec(asked);
  if (!place) {
    if (asked.includes('/') || /\.[ch]$/.test(asked))
      throw new InputError(`${asked}: give a line, FILE:LINE`);
    if (!NAME.test(asked))
      throw new InputError(`${asked}: neither FILE:LINE nor the name of a function or a lock class`);
    return { kind: 'name', name: asked };
  }
  const file = resolvePath(tree, place[1]!, cwd);
  const line = Number(place[2]);
  const column = place[3] === undefined ? undefined : Number(place[3]);
  if (line === 0 || column === 0) throw new InputError(`${asked}: lines and columns count from 1`);
  const [listed] = listFiles(tree, [file]).files;
  if (listed !== file) throw new InputError(`${shownName(tree, file)}: not a .c or .h file`);
  return { kind: 'place', file, line, ...(column === undefined ? {} : { column }) };
}

/**
 * What is analysed: the paths asked for, or else the files in which the target is mentioned: only they can hold a lock class or take it. What
 * an earlier run kept of the same paths is taken, and classes are chosen for all their sites.
 */
function pathsFor(target: Target, tree: KernelTree, asked: readonly string[], cwd: string): string[] {
  const paths = resolvePaths(tree, asked, cwd);
  if (target.kind === 'place') {
    if (asked.length === 0) return [target.file];
    if (!paths.some((p) => p === '' || p === target.file || target.file.startsWith(`${p}/`)))
      throw new InputError(`${shownName(tree, target.file)}: not under these paths`);
    return paths;
  }
  // What is no lock has no name in the code.
  if (target.name.includes(' ')) return paths;
  const word = target.name.slice(target.name.lastIndexOf('.') + 1).replace(/\[.*/, '');
  const mentioning = filesMentioning(tree, word, listFiles(tree, paths).files);
  if (mentioning.length === 0)
    throw new InputError(
      `${target.name}: mentioned in no file ${asked.length === 0 ? `of the ${tree.module === undefined ? 'tree' : 'module'}` : 'under these paths'}`,
    );
  return asked.length === 0 ? mentioning : paths;
}

function nothingAt(target: Target, report: Report): string {
  if (target.kind === 'name') return `${target.name}: no site, scope or reclaim lock has to do with it`;
  const { file, line } = target;
  const skipped = report.skipped.find((skip) => skip.file === file);
  if (skipped) return `${file}: ${skipped.reason}`;
  const near = nearestSites(report, file, line, 3).map((site) => site.line);
  const hint = near.length === 0 ? '' : `; the nearest sites are on line ${[...new Set(near)].join(', ')}`;
  return `${file}:${line}: no site, scope or region of a reclaim lock here${hint}`;
}
