import type { FileChange } from '../edit/plan.js';
import { fileDiff, quoteName } from './diff.js';

/** Columns of a diffstat in a mail, as git has it (`MAIL_DEFAULT_WRAP`, git's builtin/log.c). */
const WIDTH = 72;

interface Stat {
  readonly name: string;
  readonly added: number;
  readonly deleted: number;
}

/**
 * What `git diff --stat` says below the `---` of a mailed patch: a line a file with a graph of its changed
 * lines, then the sum. Every line ends with a newline; empty for no changes. Columns and graph follow
 * `show_stats` of git's diff.c.
 */
export function diffstat(changes: readonly FileChange[]): string {
  const stats = changes.filter((c) => c.before !== c.after).map(statOf);
  if (stats.length === 0) return '';
  const most = Math.max(...stats.map((s) => s.added + s.deleted));
  const numberWidth = String(most).length;
  let nameWidth = Math.max(...stats.map((s) => s.name.length));
  let graphWidth = most;
  if (nameWidth + numberWidth + 6 + graphWidth > WIDTH) {
    graphWidth = Math.min(graphWidth, Math.max(6, Math.floor((WIDTH * 3) / 8) - numberWidth - 6));
    const room = WIDTH - numberWidth - 6 - graphWidth;
    if (nameWidth > room) nameWidth = room;
    else graphWidth = WIDTH - numberWidth - 6 - nameWidth;
  }
  const lines = stats.map((stat) => {
    const total = stat.added + stat.deleted;
    const graph = graphOf(stat, graphWidth, most);
    const name = shorten(stat.name, nameWidth).padEnd(nameWidth);
    return ` ${name} | ${String(total).padStart(numberWidth)}${graph === '' ? '' : ` ${graph}`}\n`;
  });
  const added = stats.reduce((sum, s) => sum + s.added, 0);
  const deleted = stats.reduce((sum, s) => sum + s.deleted, 0);
  const summary = [`${stats.length} file${stats.length === 1 ? '' : 's'} changed`];
  if (added > 0 || deleted === 0) summary.push(`${added} insertion${added === 1 ? '' : 's'}(+)`);
  if (deleted > 0 || added === 0) summary.push(`${deleted} deletion${deleted === 1 ? '' : 's'}(-)`);
  return `${lines.join('')} ${summary.join(', ')}\n`;
}

function statOf(change: FileChange): Stat {
  let [added, deleted] = [0, 0];
  const diff = fileDiff(change);
  // The two name lines before the first hunk are no lines of the file.
  for (const line of diff.slice(diff.indexOf('\n@@ ') + 1).split('\n')) {
    if (line.startsWith('+')) added++;
    else if (line.startsWith('-')) deleted++;
  }
  return { name: quoteName(change.file), added, deleted };
}

/** The end of a long name, from a slash on if there is one. */
function shorten(name: string, width: number): string {
  if (name.length <= width) return name;
  const tail = name.slice(name.length - Math.max(0, width - 3));
  const slash = tail.indexOf('/');
  return `...${slash < 0 ? tail : tail.slice(slash)}`;
}

function graphOf(stat: Stat, width: number, most: number): string {
  let { added, deleted } = stat;
  if (width <= most) {
    const scale = (n: number): number => (n === 0 ? 0 : 1 + Math.floor((n * (width - 1)) / most));
    let total = scale(added + deleted);
    if (total < 2 && added > 0 && deleted > 0) total = 2;
    if (added < deleted) {
      added = scale(added);
      deleted = total - added;
    } else {
      deleted = scale(deleted);
      added = total - deleted;
    }
  }
  return '+'.repeat(added) + '-'.repeat(deleted);
}
