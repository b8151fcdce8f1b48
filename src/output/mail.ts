/**
 * Patches as mails, the way `git format-patch` writes them and `git am` reads them. Texts are Unicode
 * strings; diffs are latin1 strings (one char a byte), and so is a mail.
 */
export interface Person {
  /** `''` for an address without one, as that of a list. */
  readonly name: string;
  readonly email: string;
}

export interface PatchMail {
  readonly from: Person;
  readonly date: Date;
  /** With its `[PATCH n/m]`. */
  readonly subject: string;
  /** The commit message below its subject; for a cover letter all of the text. */
  readonly body: string;
  /** Behind the body: from the `---` on for a patch, the diffstat for a cover letter. */
  readonly patch: string;
  /** The signature, below `-- `. */
  readonly signature: string;
  /** Without the angle brackets, as are those in `references`. */
  readonly messageId?: string;
  /** The mails that it answers, from the head of the thread on; the last is the one that it is a reply to. */
  readonly references?: readonly string[];
  readonly to?: readonly Person[];
  readonly cc?: readonly Person[];
}

/** The separator line of a mailbox: the object name of no commit, and the date that git uses for it. */
export const MAILBOX_LINE = `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001`;

/** The longest header line, as git folds them. */
const HEADER_WIDTH = 78;

/**
 * One mail, as a latin1 string. Where the patch has carriage returns, the text is quoted-printable: git am
 * strips them from a plain mail unless `--keep-cr` is given, and a mail server might too.
 */
export function formatMail(mail: PatchMail): string {
  const body = mail.body.trim() === '' ? '' : `${bytesOf(guardLines(mail.body.trimEnd()))}\n`;
  const text = `\n${body}${mail.patch}-- \n${bytesOf(mail.signature)}\n\n`;
  const { messageId, references = [], to = [], cc = [] } = mail;
  const headers = [
    MAILBOX_LINE,
    ...(messageId === undefined ? [] : [`Message-ID: <${messageId}>`]),
    ...references.slice(-1).map((id) => `In-Reply-To: <${id}>`),
    ...(references.length > 0 ? [`References: ${references.map((id) => `<${id}>`).join('\n\t')}`] : []),
    `From: ${address(mail.from)}`,
    `Date: ${mailDate(mail.date)}`,
    foldHeader('Subject', mail.subject),
  ];
  const quoted = text.includes('\r');
  if (quoted || !isAscii(text)) {
    // The message is UTF-8; if it is plain ASCII the diff alone decides what to call the bytes.
    const charset = isAscii(body) && !isUtf8(mail.patch) ? 'ISO-8859-1' : 'UTF-8';
    headers.push(
      'MIME-Version: 1.0',
      `Content-Type: text/plain; charset=${charset}`,
      `Content-Transfer-Encoding: ${quoted ? 'quoted-printable' : '8bit'}`,
    );
  }
  headers.push(...addressHeader('To', to), ...addressHeader('Cc', cc));
  return `${headers.join('\n')}\n${quoted ? quotedPrintable(text) : text}`;
}

/** A line of a message that would be read as the beginning of the patch, or of the next mail, is indented. */
function guardLines(text: string): string {
  return text.replace(/^(?=---|diff -|Index: |From |@@ -|>From )/gm, ' ');
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

function isUtf8(bytes: string): boolean {
  return Buffer.from(Buffer.from(bytes, 'latin1').toString('utf8'), 'utf8').toString('latin1') === bytes;
}

/** RFC 2822, in UTC, the day without a leading zero: `Tue, 1 Jan 2030 00:00:00 +0000`. */
export function mailDate(date: Date): string {
  const [weekday, day, month, year, time] = date.toUTCString().split(' ');
  return `${weekday} ${Number(day)} ${month} ${year} ${time} +0000`;
}

/** One address a line, as git writes them. */
function addressHeader(name: string, people: readonly Person[]): string[] {
  return people.length === 0 ? [] : [`${name}: ${people.map(address).join(',\n    ')}`];
}

/** An address as it stands in a header: the name RFC 2047 encoded if it is not ASCII, quoted if it holds specials. */
function address({ name, email }: Person): string {
  if (name === '') return email;
  if (!isAscii(name)) return `${encodeWords(name, 'From: '.length)} <${email}>`;
  // The specials of RFC 822 must not stand in a bare name.
  const bare = /[()<>@,;:\\".[\]]/.test(name) ? `"${name.replace(/(["\\])/g, '\\$1')}"` : name;
  return `${bare} <${email}>`;
}

/**
 * Reads `NAME <EMAIL>` (the name may be quoted), `<EMAIL>` or `EMAIL`; what stands behind it (the role in MAINTAINERS) is no part of it.
 * @returns undefined if there is no address in it
 */
export function personIn(text: string): Person | undefined {
  const [, named = '', angled] = /^\s*([^<>]*?)\s*<([^<>\s]+@[^<>\s]+)>/.exec(text) ?? [];
  const email = angled ?? /^\s*([^\s<>@,]+@[^\s<>@,]+)(?=\s|$)/.exec(text)?.[1];
  if (email === undefined || !isAscii(email)) return undefined;
  const [, quoted] = /^"(.*)"$/.exec(named) ?? [];
  return { name: quoted === undefined ? named : quoted.replace(/\\(.)/g, '$1'), email };
}

/** A header, folded between words; RFC 2047 encoded if it is not ASCII. */
function foldHeader(name: string, value: string): string {
  const start = `${name}: `;
  if (!isAscii(value)) {
    // A prefix in brackets stays as it is, for those that sort by it.
    const prefix = /^\[[\x20-\x7e]*?\] /.exec(value)?.[0] ?? '';
    const words = encodeWords(value.slice(prefix.length), start.length + prefix.length);
    return `${start}${prefix}${words}`;
  }
  const lines = [start.trimEnd()];
  for (const word of value.split(' ')) {
    if (lines.at(-1)!.length + 1 + word.length <= HEADER_WIDTH) lines[lines.length - 1] += ` ${word}`;
    else lines.push(` ${word}`);
  }
  return lines.join('\n');
}

/** RFC 2047 `q` encoding in words of at most 75 characters, each a whole number of UTF-8 characters. */
function encodeWords(text: string, column: number): string {
  const head = '=?UTF-8?q?';
  const words: string[] = [];
  let word = '';
  let room = HEADER_WIDTH - 2 - column - head.length;
  for (const character of text) {
    const encoded = /^[A-Za-z0-9!*+/-]$/.test(character)
      ? character
      : [...Buffer.from(character, 'utf8')].map(hex).join('');
    if (word.length + encoded.length > room) {
      words.push(word);
      word = '';
      room = 75 - head.length - 2;
    }
    word += encoded;
  }
  words.push(word);
  return words.map((w) => `${head}${w}?=`).join('\n ');
}

function hex(byte: number): string {
  return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** RFC 2045 quoted-printable of text with `\n` line ends; a `\r` in front of one is data and is encoded. */
export function quotedPrintable(text: string): string {
  const lines = text.split('\n').map((line) => {
    const parts: string[] = [];
    let part = '';
    for (let i = 0; i < line.length; i++) {
      const c = line[i]!;
      const last = i === line.length - 1;
      const literal = c === '\t' || c === ' ' ? !last : c >= '!' && c <= '~' && c !== '=';
      const encoded = literal ? c : hex(c.charCodeAt(0));
      if (part.length + encoded.length > 75) {
        parts.push(`${part}=`);
        part = '';
      }
      // `From ` at the front of a line begins a mail in a mailbox.
      part += part === '' && line.startsWith('From ', i) ? '=46' : encoded;
    }
    return [...parts, part].join('\n');
  });
  return lines.join('\n');
}

/** Fills paragraphs to 75 columns; an indented paragraph is a table or a list and stays as it is. */
export function wrapText(text: string, width = 75): string {
  return text
    .split('\n\n')
    .map((paragraph) => {
      if (/^\s/.test(paragraph)) return paragraph;
      const lines: string[] = [];
      for (const word of paragraph.split(/\s+/)) {
        const last = lines.at(-1);
        if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
        else lines[lines.length - 1] = `${last} ${word}`;
      }
      return lines.join('\n');
    })
    .join('\n\n');
}

/** As long is the name of a patch file without `.patch`: `FORMAT_PATCH_NAME_MAX`, git's log-tree.h. */
const FILE_NAME = 57;

/**
 * The file name of a patch, as git makes it from the subject: `0001-quota-open-a-NOFS-scope.patch`,
 * `v2-0001-quota-open-a-NOFS-scope.patch` for the second round.
 */
export function patchFileName(number: number, subject: string, reroll?: number): string {
  const slug = subject.replace(/[^A-Za-z0-9._]+/g, '-').replace(/\.\.+/g, '.');
  const head = `${reroll === undefined ? '' : `v${reroll}-`}${String(number).padStart(4, '0')}-`;
  const trimmed = slug
    .replace(/^[-.]+/, '')
    .slice(0, FILE_NAME - head.length)
    .replace(/[-.]+$/, '');
  return `${head}${trimmed || 'patch'}.patch`;
}
