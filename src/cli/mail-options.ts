import type { Argv } from 'yargs';
import { type Person, personIn } from '../output/mail.js';
import { InputError } from '../tree/input-error.js';

/** What git format-patch and git send-email call the same. */
export const MAIL_OPTIONS = {
  from: {
    type: 'string',
    requiresArg: true,
    defaultDescription: 'the author that git knows',
    describe: 'Who the patches are from, "NAME <EMAIL>"',
  },
  signoff: {
    type: 'boolean',
    alias: 's',
    default: false,
    describe: 'Sign the patches off in that name',
  },
  base: {
    type: 'string',
    requiresArg: true,
    describe: 'Say in the cover letter which commit the series applies to; auto: the one checked out',
  },
  'reroll-count': {
    type: 'string',
    alias: 'v',
    requiresArg: true,
    describe: 'Mark the series as round N: vN-0001-….patch, [PATCH vN 1/n]',
  },
  rfc: { type: 'boolean', default: false, describe: '[RFC PATCH] in the place of [PATCH]' },
  'subject-prefix': {
    type: 'string',
    requiresArg: true,
    default: 'PATCH',
    describe: 'In the place of PATCH in [PATCH 1/n]',
  },
  'in-reply-to': {
    type: 'string',
    requiresArg: true,
    describe: 'Make the cover letter a reply to the mail with this Message-ID',
  },
  to: { type: 'string', array: true, nargs: 1, describe: 'Address all mails to this; may be given again' },
  cc: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Send copies of all mails to this; may be given again',
  },
  'no-recipients': {
    type: 'boolean',
    default: false,
    describe: 'Copies to --cc only, and not to those whom MAINTAINERS names',
  },
} as const satisfies Parameters<Argv['options']>[0];

export interface MailArguments {
  readonly from?: string | undefined;
  readonly rerollCount?: string | undefined;
  readonly subjectPrefix: string;
  readonly inReplyTo?: string | undefined;
  readonly to?: readonly string[] | undefined;
  readonly cc?: readonly string[] | undefined;
}

/**
 * The values of the options that say how the mails look.
 * @throws InputError for one that cannot be meant
 */
export function mailSettings(args: MailArguments) {
  const { from, rerollCount, inReplyTo } = args;
  const reroll = Number(rerollCount);
  if (rerollCount !== undefined && !(/^\d+$/.test(rerollCount) && reroll >= 1))
    throw new InputError(`--reroll-count: ${rerollCount}: not a whole number from 1 on`);
  const id = inReplyTo === undefined ? undefined : /^\s*<?([^<>\s]+)>?\s*$/.exec(inReplyTo)?.[1];
  if (inReplyTo !== undefined && (id === undefined || !isPrintable(id)))
    throw new InputError(`--in-reply-to: ${inReplyTo}: not a Message-ID`);
  const subjectPrefix = args.subjectPrefix.trim();
  if (subjectPrefix !== '' && !(isPrintable(subjectPrefix) && !/[[\]]/.test(subjectPrefix)))
    throw new InputError(`--subject-prefix: ${args.subjectPrefix}: not plain ASCII without brackets`);
  return {
    ...(from === undefined ? {} : { from: authorIn(from) }),
    ...(rerollCount === undefined ? {} : { reroll }),
    ...(id === undefined ? {} : { inReplyTo: id }),
    subjectPrefix,
    to: (args.to ?? []).map((text) => recipientIn('--to', text)),
    cc: (args.cc ?? []).map((text) => recipientIn('--cc', text)),
  };
}

function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}

function authorIn(text: string): Person {
  const [, name, email] = /^\s*(\S.*?)\s*<([^<>\s]+)>\s*$/.exec(text) ?? [];
  if (!name || !email || /[\n\r]/.test(name))
    throw new InputError(`--from: ${text}: not of the form "NAME <EMAIL>"`);
  return { name, email };
}

function recipientIn(option: string, text: string): Person {
  const person = /[\n\r]|>.*\S/.test(text) ? undefined : personIn(text);
  if (!person) throw new InputError(`${option}: ${text}: not of the form "NAME <EMAIL>" or EMAIL`);
  return person;
}
