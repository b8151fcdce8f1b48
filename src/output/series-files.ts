import { createHash, randomBytes } from 'node:crypto';
import * as nodeFs from 'node:fs/promises';
import path from 'node:path';
import { compareText } from '../edit/order.js';
import type { FileChange } from '../edit/plan.js';
import { InputError } from '../tree/input-error.js';
import { unifiedDiff } from './diff.js';
import { diffstat } from './diffstat.js';
import { formatMail, MAILBOX_LINE, type Person, patchFileName } from './mail.js';
import type { SeriesPatch } from './series.js';

/** What `git format-patch` and `git send-email` are told by options of the same names, and what both know of themselves. */
export interface SeriesOptions {
  readonly from: Person;
  readonly date: Date;
  /** Of this program, for the trailer of each patch and the signature of each mail. */
  readonly version: string;
  /** The cover letter's subject, without `[PATCH 0/n]`, and its text; `seriesCover` makes both. */
  readonly coverSubject?: string;
  readonly coverBody?: string;
  /** Adds `Signed-off-by:` of `from` to every patch. */
  readonly signOff?: boolean;
  /** In the place of `PATCH`. */
  readonly subjectPrefix?: string;
  readonly rfc?: boolean;
  /** Which round of the series it is, if it is not the first. */
  readonly reroll?: number;
  /** The mail that the cover letter answers, an id without angle brackets. */
  readonly inReplyTo?: string;
  /** The commit that the series applies to, 40 hex digits. */
  readonly base?: string;
  readonly to?: readonly Person[];
  readonly cc?: readonly Person[];
  /** Who is to see a patch to these files. */
  readonly recipients?: (files: readonly string[]) => readonly Person[];
  /** Writes into a directory that holds other files too; these are left alone, unless they have a name of the series. */
  readonly force?: boolean;
  /** Git's mode of a file, for the `index` lines. */
  readonly mode?: (file: string) => string;
  readonly fs?: FileSystem;
}

/** What `writeSeries` needs of the file system; tests hand in one that fails. */
export type FileSystem = Pick<
  typeof nodeFs,
  'mkdir' | 'readdir' | 'readFile' | 'open' | 'rename' | 'unlink' | 'rmdir'
>;

/** Mailing lists hold back mails with more addresses than that; the cover letter then goes to lists only. */
const MOST_RECIPIENTS = 25;

/** The commit message below the subject, with the trailers. */
export function messageBody(patch: SeriesPatch, { from, signOff, version }: SeriesOptions): string {
  const trailers = [`Generated-with: ${signatureOf(version)}`];
  if (signOff) trailers.push(`Signed-off-by: ${from.name} <${from.email}>`);
  return `${patch.body.trimEnd()}\n\n${trailers.join('\n')}`;
}

/**
 * The mails of a series by file name, as latin1 strings: the cover letter, then the patches in order, each a reply to the
 * cover letter.
 */
export function formatSeries(
  patches: readonly SeriesPatch[],
  options: SeriesOptions,
): { name: string; content: string }[] {
  const { from, date, reroll, inReplyTo, base, to = [], cc = [], recipients = () => [] } = options;
  const signature = signatureOf(options.version);
  const digits = String(patches.length).length;
  const kind = [options.rfc ? 'RFC' : '', options.subjectPrefix ?? 'PATCH', reroll ? `v${reroll}` : ''];
  const tag = (n: number): string =>
    `[${[...kind, `${String(n).padStart(digits, '0')}/${patches.length}`].filter(Boolean).join(' ')}]`;
  const coverSubject = options.coverSubject ?? 'Scopes for allocations under locks that reclaim takes';
  const blurb = options.coverBody === undefined ? '' : `${options.coverBody.trimEnd()}\n\n`;
  const subjects = patches.map((patch) => `  ${patch.subject}\n`).join('');
  const diffs = patches.map(({ changes }) =>
    unifiedDiff(changes, options.mode ? { mode: options.mode } : {}),
  );

  // No two mails have one id: that of a patch is made from the whole series, as the one of a commit is.
  const digest = createHash('sha1').update([tag(0), coverSubject, blurb, ...subjects, ...diffs].join('\0'));
  const whole = digest.digest('hex');
  const idOf = (what: string): string =>
    `${what}.${Math.floor(date.getTime() / 1000)}.${SIGNATURE}.${from.email}`;
  const coverId = idOf(`cover-${whole.slice(0, 12)}`);
  const thread = inReplyTo === undefined ? [] : [inReplyTo];

  const seenBy = patches.map(({ changes }) => recipients(changes.map((change) => change.file)));
  const everybody = othersOnce([...cc, ...seenBy.flat()], [from, ...to]);
  const lists = othersOnce([...cc, ...seenBy.flat().filter(({ name }) => name === '')], [from, ...to]);
  const cover = formatMail({
    from,
    date,
    subject: `${tag(0)} ${coverSubject}`,
    body: `${blurb}${from.name} (${patches.length}):\n${subjects}`,
    patch: `\n${diffstat(wholeChanges(patches))}\n${base === undefined ? '' : `\nbase-commit: ${base}\n`}`,
    signature,
    messageId: coverId,
    references: thread,
    to,
    cc: everybody.length > MOST_RECIPIENTS ? lists : everybody,
  });
  const mails = patches.map((patch, i) => ({
    name: patchFileName(i + 1, patch.subject, reroll),
    content: formatMail({
      from,
      date,
      subject: `${tag(i + 1)} ${patch.subject}`,
      body: messageBody(patch, options),
      patch: `---\n${diffstat(patch.changes)}\n${diffs[i]!}`,
      signature,
      messageId: idOf(createHash('sha1').update(`${whole} ${i}`).digest('hex')),
      references: [...thread, coverId],
      to,
      cc: othersOnce([...cc, ...seenBy[i]!], [from, ...to]),
    }),
  }));
  return [{ name: patchFileName(0, 'cover-letter', reroll), content: cover }, ...mails];
}

/** Each of `people` once, without those who get the mail anyway. */
function othersOnce(people: readonly Person[], known: readonly Person[]): Person[] {
  const seen = new Set(known.map(({ email }) => email.toLowerCase()));
  return people.filter(({ email }) => !seen.has(email.toLowerCase()) && seen.add(email.toLowerCase()));
}

const SIGNATURE = 'gfp-scope';

function signatureOf(version: string): string {
  return `${SIGNATURE} ${version}`;
}

/** Every file from before the first patch to after the last. */
function wholeChanges(patches: readonly SeriesPatch[]): FileChange[] {
  const whole = new Map<string, FileChange>();
  for (const { file, before, after } of patches.flatMap((patch) => patch.changes)) {
    whole.set(file, { file, before: whole.get(file)?.before ?? before, after });
  }
  return [...whole.values()].sort((a, b) => compareText(a.file, b.file));
}

/**
 * The name of the folder for the series of a subsystem: what it is called in lower case, without what a shell would mind.
 * Several that come to the same are numbered.
 */
export function folderNames(subsystems: readonly (string | undefined)[]): string[] {
  const used = new Set<string>();
  return subsystems.map((subsystem) => {
    const words =
      (subsystem ?? 'across subsystems')
        .normalize('NFKD')
        .toLowerCase()
        .match(/[a-z0-9]+/g) ?? [];
    const plain = words.join('-').slice(0, 48).replace(/-$/, '') || 'series';
    let name = plain;
    for (let n = 2; used.has(name); n++) name = `${plain}-${n}`;
    used.add(name);
    return name;
  });
}

/** Writes the mails of `formatSeries` as `writeMails` does. */
export async function writeSeries(
  dir: string,
  patches: readonly SeriesPatch[],
  options: SeriesOptions,
): Promise<string[]> {
  if (patches.length === 0) throw new InputError('there is nothing to make a series of');
  return writeMails(dir, formatSeries(patches, options), options);
}

/**
 * Writes mails into `dir`, which is made if it is not there. All are written under other names and synced before the first is renamed,
 * so that none is ever half there; then what an earlier run left of the same round is removed.
 * @param dir absolute
 * @param mails by names relative to `dir`, in it or in a folder of it
 * @returns the absolute paths of the files in the order of the mails
 * @throws InputError if the directory holds other files and `force` is not given, or writing fails
 */
export async function writeMails(
  dir: string,
  mails: readonly { readonly name: string; readonly content: string }[],
  { force = false, fs = nodeFs }: Pick<SeriesOptions, 'force' | 'fs'>,
): Promise<string[]> {
  const fresh = new Map(
    mails.map(({ name }) => {
      const { dir: folder, base } = path.parse(name);
      return [name, path.join(dir, folder, `.${base}.${randomBytes(4).toString('hex')}`)];
    }),
  );
  const written: string[] = [];
  const folders = new Set(mails.map(({ name }) => path.dirname(name)).filter((folder) => folder !== '.'));
  let at = dir;
  try {
    await fs.mkdir(dir, { recursive: true });
    const earlier = await earlierSeries(fs, dir, '', force);
    for (const folder of folders) await fs.mkdir(path.join(dir, folder), { recursive: true });
    for (const { name, content } of mails) {
      at = path.join(dir, name);
      const temporary = fresh.get(name)!;
      const handle = await fs.open(temporary, 'wx');
      written.push(temporary);
      try {
        await handle.writeFile(Buffer.from(content, 'latin1'));
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    for (const { name } of mails) {
      at = path.join(dir, name);
      await fs.rename(fresh.get(name)!, at);
      written.shift();
    }
    const current = new Set(mails.map(({ name }) => name));
    const rounds = new Set(mails.map(({ name }) => roundOf(name)));
    const stale = earlier.filter((name) => !current.has(name) && rounds.has(roundOf(name)));
    for (const name of stale) {
      at = path.join(dir, name);
      await fs.unlink(at);
    }
    for (const folder of new Set(stale.map((name) => path.dirname(name))))
      await removeIfEmpty(fs, dir, folder);
  } catch (error) {
    for (const temporary of written) await fs.unlink(temporary).catch(() => {});
    for (const folder of folders) await removeIfEmpty(fs, dir, folder);
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot write the series: ${at}: ${(error as Error).message}`);
  }
  return mails.map(({ name }) => path.join(dir, name));
}

async function removeIfEmpty(fs: Pick<FileSystem, 'rmdir'>, dir: string, folder: string): Promise<void> {
  if (folder !== '.') await fs.rmdir(path.join(dir, folder)).catch(() => {});
}

/** `v2` of `v2-0001-….patch`; `''` for the first round. */
function roundOf(name: string): string {
  return /^\.?(v\d+)-\d{4}-/.exec(path.basename(name))?.[1] ?? '';
}

/**
 * The files in `dir`, and in its folders, that an earlier run wrote, by names relative to `dir`.
 * @throws InputError if there are others, unless `force`
 */
async function earlierSeries(
  fs: Pick<FileSystem, 'readdir' | 'readFile'>,
  dir: string,
  folder: string,
  force: boolean,
): Promise<string[]> {
  const ours: string[] = [];
  for (const entry of await fs.readdir(path.join(dir, folder), { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory() && folder === '' && !entry.name.startsWith('.')) {
      ours.push(...(await earlierSeries(fs, dir, name, force)));
      continue;
    }
    // One that a killed run could not rename.
    if (entry.isFile() && /^\.(?:v\d+-)?\d{4}-.*\.patch\.[0-9a-f]{8}$/.test(entry.name)) {
      ours.push(name);
      continue;
    }
    if (entry.isFile() && /^(?:v\d+-)?\d{4}-.*\.patch$/.test(entry.name)) {
      const content = await fs.readFile(path.join(dir, name), 'latin1');
      const signature = new RegExp(`^--(?: |=20)\\n${SIGNATURE} `, 'm');
      if (content.startsWith(`${MAILBOX_LINE}\n`) && signature.test(content.slice(-200))) {
        ours.push(name);
        continue;
      }
    }
    if (!force) {
      throw new InputError(
        `${dir} holds other files (${name}): nothing was written; name an empty directory or use --force`,
      );
    }
  }
  return ours;
}
