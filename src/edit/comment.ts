import type { Step } from '../analysis/report.js';
import type { TaskReason } from '../analysis/task-bodies.js';
import type { Api } from '../kernel/types.js';

/** What a comment at a save is made from. */
export interface ScopeEvidence {
  readonly api: Api;
  /** Lock class: `quota_info.dqio_sem`, a global's name, or a name for a pseudo-lock. */
  readonly lock: string;
  /** The lock as the function writes it: `&dqopt->dqio_sem`. */
  readonly lockText: string;
  /** Reclaim chain to the acquire, reclaim entry first. */
  readonly reclaim: readonly Step[];
  /** What reclaim does at the head of the chain: `evicting an inode`. */
  readonly context: string;
  /** The file and the function that the save is in. */
  readonly file: string;
  readonly function: string;
  /** Set where the scope is around the body of a worker or kthread. */
  readonly task?: TaskReason;
  /** Set where the scope is as long as a transaction, whose handle keeps what the save returned. */
  readonly kept?: { readonly place: string };
  /** Set where it is around one call of an allocator that does not honour its mask: its name. */
  readonly unheeded?: string;
}

/** A comment is at most five lines, delimiters included. */
const TEXT_LINES = 3;
const LAST_COLUMN = 80;

/**
 * The comment above a save, without indentation or line ends: three to five lines.
 * @param indentColumns the columns that the indentation takes (a tab is eight)
 */
export function scopeComment(evidence: ScopeEvidence, indentColumns: number): string[] {
  const room = LAST_COLUMN - indentColumns - ' * '.length;
  let fewestLines: string[] | undefined;
  for (const text of wordings(evidence)) {
    const lines = wrap(text, room);
    if (lines.length <= TEXT_LINES && lines.every((line) => line.length <= room))
      return block(lines, evidence);
    fewestLines = lines;
  }
  // Not even the shortest wording fits (a very deep indentation, a very long name): it is the shortest there is.
  return block((fewestLines ?? []).length > TEXT_LINES ? [fewestLines!.join(' ')] : fewestLines!, evidence);
}

/** The comment at a further save on a lock that the function has explained further up. One line where it fits. */
export function furtherScopeComment(evidence: ScopeEvidence, indentColumns: number): string[] {
  const room = LAST_COLUMN - indentColumns;
  if (evidence.unheeded !== undefined) return ['/* As above. */'];
  const lock = lockName(evidence);
  const verb = takesVerb(evidence);
  const wordings = [`Reclaim ${verb} ${lock}: see above.`, `${lock}: see above.`];
  for (const text of wordings) {
    if (text.length + '/*  */'.length <= room) return [`/* ${text} */`];
  }
  return block(wrap(wordings[0]!, room - ' * '.length).slice(0, TEXT_LINES), evidence);
}

/** In `net/` and `drivers/net/` the text begins on the first line (Documentation/process/coding-style.rst, 6.1). */
function block(lines: readonly string[], { file }: ScopeEvidence): string[] {
  if (/^(?:drivers\/)?net\//.test(file))
    return [`/* ${lines[0]}`, ...lines.slice(1).map((line) => ` * ${line}`), ' */'];
  return ['/*', ...lines.map((line) => ` * ${line}`), ' */'];
}

/** Greedy filling; an arrow stays on the line of the function that it leads away from. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.replaceAll(' ->', '\u0000->').split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map((line) => line.replaceAll('\u0000', ' '));
}

/** From the one that says most to the one that says least. */
function* wordings(evidence: ScopeEvidence): Generator<string> {
  const where = evidence.task || evidence.kept ? 'in it' : 'under it';
  const tails =
    evidence.api === 'nofs'
      ? [`Allocations ${where} must not recurse into the filesystem.`, `No FS reclaim ${where}.`]
      : [`Allocations ${where} must not start IO.`, `No IO from reclaim ${where}.`];
  if (evidence.unheeded !== undefined) {
    for (const tail of tails.map((text) =>
      text.replace(/^Allocations under it/, 'They').replace('under it', 'here'),
    ))
      yield `${evidence.unheeded}() allocates page tables with GFP_KERNEL, whatever mask it is given. ${tail}`;
    yield `${evidence.unheeded}() does not honour a mask for page tables.`;
    return;
  }
  if (evidence.task && evidence.task.how !== 'waited') {
    yield* taskWordings(evidence.task, evidence.context, tails);
    return;
  }
  const chain = distinct(evidence.reclaim);
  const here = chain.at(-1)?.function === evidence.function;
  const shown = here ? chain.slice(0, -1) : chain;
  const shortest = Math.min(2, shown.length);
  for (let kept = shown.length; kept >= shortest; kept--) {
    const route = routeText(shown, kept);
    // The last steps of shortening keep a tail: a chain of three says enough to find the rest.
    for (const tail of kept > 3 ? tails.slice(0, 1) : tails) yield `${lead(evidence, here, route)} ${tail}`;
  }
  const briefest = routeText(shown, shortest);
  yield lead(evidence, here, briefest);
  yield lead({ ...evidence, context: '' }, here, briefest);
  if (shown.length > 1) yield lead({ ...evidence, context: '' }, here, routeText(shown, 1));
  yield `${lead(evidence, here, '')} ${tails[0]}`;
  yield lead({ ...evidence, context: '' }, here, '');
}

/** Of a task that reclaim is not seen to wait for itself. */
function* taskWordings(
  { how, on, by, steps }: TaskReason,
  context: string,
  tails: readonly string[],
): Generator<string> {
  const lock = lockName({ lock: on, lockText: '' });
  const leads = {
    waited: [],
    queue: [
      `Runs on ${on}, a workqueue that memory reclaim may wait for.`,
      'Memory reclaim may wait for this work.',
    ],
    ends: [
      `Ends I/O that memory reclaim may wait for: ${on} in ${steps.at(-1)!.function}().`,
      'Ends I/O that memory reclaim may wait for.',
    ],
    flushed: [
      `${by?.function}() waits for this under ${lock}, which reclaim takes${contextPhrase(context)}.`,
      `${by?.function}() waits for this under ${lock}, a reclaim lock.`,
    ],
  }[how];
  for (const text of leads) for (const tail of tails) yield `${text} ${tail}`;
  yield* leads.slice(-1);
}

function lead(evidence: ScopeEvidence, here: boolean, route: string): string {
  const lock = lockName(evidence);
  const verb = takesVerb(evidence);
  const when = contextPhrase(evidence.context);
  if (!here) return `Reclaim ${verb} ${lock}${when}${route === '' ? '' : `: ${route}`}.`;
  // The chain ends in this very function: reclaim is a caller of it.
  if (route === '') return `Reclaim calls this${when} and ${verb} ${lock}.`;
  return `Reclaim itself comes here for ${lock}${when}: ${route}.`;
}

/** The words for the moment: a gerund (`evicting an inode`) follows `while`, any other phrase `in`. */
export function contextPhrase(context: string): string {
  const phrase = context.trim().replace(/[.:]+$/, '');
  if (phrase === '') return '';
  if (/^(?:when|while|on|in|at|for|during|from|as|after|before)\b/i.test(phrase)) return ` ${phrase}`;
  return /^[A-Za-z-]+ing\b/.test(phrase) ? ` while ${phrase}` : ` in ${phrase}`;
}

/** A lock that is an object is taken; what has a wording of its own (a transaction, a work item) is waited for. */
export function takesVerb(evidence: Pick<ScopeEvidence, 'lock'>): 'takes' | 'waits for' {
  return /^[\w.>:[\]-]+$/.test(evidence.lock) || evidence.lock === '' ? 'takes' : 'waits for';
}

/** Field names that say nothing without their owner. */
const VAGUE = /^(?:\w{0,5}|(?:rw_?|r_?)?(?:lock|sem|mutex|rwsem|semaphore)s?)$/;

/**
 * The name of a lock for a reader: the field where it is telling (`dqio_sem`), else the lock as the
 * function writes it where that is short (`c->lock`), else the class.
 */
export function lockName(evidence: Pick<ScopeEvidence, 'lock' | 'lockText'>): string {
  if (evidence.lock.startsWith('struct ')) return 'a transaction';
  const field = /^[\w$]+(?:\.[\w$]+)*\.([\w$]+)$/.exec(evidence.lock)?.[1];
  if (field !== undefined && !VAGUE.test(field)) return field;
  const written = evidence.lockText
    .replace(/^\s*&\s*/, '')
    .replace(/\s+/g, ' ')
    .trim();
  const readable = /^[\w$]+(?:(?:->|\.)[\w$]+)+$/.test(written) && written.length <= 30;
  if (field !== undefined) return readable ? written : evidence.lock;
  return evidence.lock || written;
}

/** Consecutive repeats (a wrapper of the same name in another file) are one step to a reader. */
export function distinct(steps: readonly Step[]): Step[] {
  return steps.filter((step, i) => step.function !== steps[i - 1]?.function);
}

/**
 * `a() -> ... -> d()` with `kept` of the steps: the entry and the acquire first, then the steps that
 * enter another file (a reader knows the layers, not every function), then those nearest to the acquire.
 */
export function routeText(steps: readonly Step[], kept: number): string {
  if (steps.length === 0 || kept === 0) return '';
  const chosen = steps
    .map((_, i) => ({ i, weight: weightOf(steps, i) }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, kept)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
  const parts: string[] = [];
  let previous = -1;
  for (const i of chosen) {
    if (i !== previous + 1) parts.push('...');
    parts.push(`${steps[i]!.function}()`);
    previous = i;
  }
  return parts.join(' -> ');
}

function weightOf(steps: readonly Step[], i: number): number {
  if (i === steps.length - 1) return 4000;
  if (i === 0) return 3000;
  const file = steps[i]!.file;
  const directory = file.slice(0, file.lastIndexOf('/'));
  const entersFile = file !== steps[i - 1]!.file;
  // The call that leaves the filesystem for a library says most about how the chain got there.
  const entersLayer = !steps.slice(0, i).some((s) => s.file.slice(0, s.file.lastIndexOf('/')) === directory);
  return (entersLayer ? 2000 : entersFile ? 1000 : 0) + i;
}
