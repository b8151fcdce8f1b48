import path from 'node:path';
import type { Argv } from 'yargs';
import type { FileChange } from '../edit/plan.js';
import { personIn } from '../output/mail.js';
import type { SeriesPatch } from '../output/series.js';
import { seriesCover } from '../output/series-cover.js';
import {
  folderNames,
  formatSeries,
  messageBody,
  type SeriesOptions,
  writeMails,
} from '../output/series-files.js';
import { commitAsInWorkTree, gitAuthor } from '../tree/git.js';
import { type NewCommit, prepareBranch } from '../tree/git-branch.js';
import { InputError } from '../tree/input-error.js';
import { recipientsOf } from '../tree/recipients.js';
import { type Environment, say, write } from './environment.js';
import { EXIT } from './exit-codes.js';
import { MAIL_OPTIONS, mailSettings } from './mail-options.js';
import { type ArgumentsOf, EXIT_CODE, OBSOLETE, withPaths } from './options.js';
import { seriesOf } from './parts.js';
import { packageVersion } from './version.js';
import { changesFor, gitModeIn, summaryOf } from './work.js';

export const command = 'series [paths..]';
export const describe = 'Write the changes as a patch series with a cover letter, for git am';

export function builder(parser: Argv) {
  return withPaths(parser)
    .option('output-directory', {
      type: 'string',
      alias: 'o',
      requiresArg: true,
      describe: 'Where to put 0000-cover-letter.patch, 0001-….patch and so on',
    })
    .option('branch', {
      type: 'string',
      requiresArg: true,
      describe: 'Commit the patches on top of HEAD, on a new branch of this name',
    })
    .option('split', {
      choices: ['none', 'subsystem'] as const,
      default: 'none' as const,
      requiresArg: true,
      describe: 'One series, or one for each subsystem in a folder of its own',
    })
    .option('obsolete', OBSOLETE)
    .options(MAIL_OPTIONS)
    .option('force', {
      type: 'boolean',
      default: false,
      describe: 'Write into a directory that holds other files, too',
    })
    .option('exit-code', EXIT_CODE('changes'))
    .example('$0 series -o outgoing fs/quota', 'The patches for fs/quota, in outgoing')
    .example('$0 series --branch scopes --signoff fs/quota', 'The same as commits on a new branch')
    .example('git am outgoing/000[1-9]-*.patch', 'Apply them, without the cover letter');
}

export async function run(args: ArgumentsOf<typeof builder>, environment: Environment): Promise<number> {
  const mails = mailSettings(args);
  if (args.outputDirectory === undefined && args.branch === undefined)
    throw new InputError('series: say where the patches go, with --output-directory DIR or --branch NAME');
  const checked = await changesFor(environment, args);
  const { analysis, problems, edited } = checked;
  const series = await seriesOf(checked, environment, args);
  if (series.changes.length > 0) {
    const { parts, plan, changes, grouping, sections, leftOut } = series;
    const all = parts.flatMap((part) => part.patches);
    checkSum(all, changes);
    const base =
      args.base === undefined
        ? undefined
        : commitAsInWorkTree(
            edited,
            args.base === 'auto' ? 'HEAD' : args.base,
            changes.map(({ file }) => file),
            `--base ${args.base}`,
          );
    const mode = gitModeIn(edited);
    const options: SeriesOptions = {
      ...mails,
      from: mails.from ?? gitAuthor(edited),
      date: dateIn(environment),
      version: packageVersion(),
      signOff: args.signoff,
      rfc: args.rfc,
      ...(base === undefined ? {} : { base }),
      ...(args.noRecipients
        ? {}
        : {
            recipients: (files) =>
              recipientsOf(edited.root, sections, files).flatMap((r) => personIn(r) ?? []),
          }),
      mode,
    };
    const branch =
      args.branch === undefined
        ? undefined
        : prepareBranch(edited, args.branch, commitsOf(all, options, mode), {
            author: options.from,
            date: options.date,
          });
    const lines: string[] = [];
    if (args.outputDirectory !== undefined) {
      const names = folderNames(parts.map((part) => part.subsystem));
      const folders: readonly Folder[] =
        args.split === 'subsystem'
          ? parts.map((part, i) => ({ name: names[i]!, about: { ...part, leftOut }, patches: part.patches }))
          : [{ name: '', about: { plan, leftOut }, patches: all }];
      const files = folders.flatMap((folder) => {
        const { subject, body } = seriesCover(folder.about, analysis.report, grouping);
        const cover = { coverSubject: subject, coverBody: body };
        return formatSeries(folder.patches, { ...options, ...cover }).map(({ name, content }) => ({
          name: path.join(folder.name, name),
          content,
        }));
      });
      const directory = path.resolve(environment.cwd, args.outputDirectory);
      await environment.uninterrupted(() => writeMails(directory, files, args));
      // As git format-patch does: what was written, one name a line.
      lines.push(...files.map(({ name }) => path.join(args.outputDirectory!, name)));
    }
    if (branch) {
      branch.publish();
      // As git log --oneline does.
      lines.push(...branch.commits.map((commit, i) => `${commit.slice(0, 12)} ${all[i]!.subject}`));
    }
    await write(environment.stdout, lines.map((line) => `${line}\n`).join(''));
  }
  await say(environment, summaryOf(checked));
  if (problems.length > 0) return EXIT.internal;
  return args.exitCode && series.changes.length > 0 ? EXIT.findings : EXIT.done;
}

/** What goes into one folder of the output. */
interface Folder {
  readonly name: string;
  readonly about: Parameters<typeof seriesCover>[0];
  readonly patches: readonly SeriesPatch[];
}

function commitsOf(
  patches: readonly SeriesPatch[],
  options: SeriesOptions,
  mode: (file: string) => string,
): NewCommit[] {
  return patches.map((patch) => ({
    message: `${patch.subject}\n\n${messageBody(patch, options)}`,
    files: patch.changes.map(({ file, after }) => ({ file, content: after, mode: mode(file) })),
  }));
}

/** The patches one after the other must come to what `apply` would write, which is what was checked. */
function checkSum(patches: readonly SeriesPatch[], changes: readonly FileChange[]): void {
  const last = new Map(patches.flatMap((patch) => patch.changes).map(({ file, after }) => [file, after]));
  for (const { file, after } of changes) {
    if (last.get(file) !== after)
      throw new Error(`the series does not come to the checked changes in ${file}`);
    last.delete(file);
  }
  const [more] = last.keys();
  if (more !== undefined) throw new Error(`the series changes ${more}, which the checked changes do not`);
}

/** Now, or what SOURCE_DATE_EPOCH says (https://reproducible-builds.org/docs/source-date-epoch/). */
function dateIn(environment: Environment): Date {
  const epoch = environment.env.SOURCE_DATE_EPOCH;
  return epoch !== undefined && /^\d+$/.test(epoch) ? new Date(Number(epoch) * 1000) : new Date();
}
