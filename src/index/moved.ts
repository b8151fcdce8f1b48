import { type FileFacts, lineAt, type SiteFacts } from '../parse/facts.js';

/** Where the code of a file stands now. */
export interface Move {
  /** 1-based line; undefined where it is not known where that is now. */
  line(line: number): number | undefined;
  /** 0-based byte offset. */
  offset(offset: number): number | undefined;
}

/**
 * From two readings of a file that differ in comments and white space alone (`senseOf` is the same) to where each code line stands now;
 * undefined if they differ in more. Lines on which nothing begins or ends that was read are not known.
 */
export function moveBetween(before: FileFacts, now: FileFacts): Move | undefined {
  const [old, current] = [placesIn(before), placesIn(now)];
  if (old.length !== current.length) return undefined;
  const lines = new Map<number, number>();
  const pairs = [
    ...old.map((place, i) => [lineAt(before.lines, place), lineAt(now.lines, current[i]!)] as const),
    ...before.functions.map((fn, i) => [fn.line, now.functions[i]!.line] as const),
  ];
  for (const [line, to] of pairs) {
    if ((lines.get(line) ?? to) !== to) return undefined;
    lines.set(line, to);
  }
  const line = (from: number): number | undefined => lines.get(from);
  return {
    line,
    offset: (offset) => {
      const from = lineAt(before.lines, offset);
      const to = line(from);
      return to === undefined ? undefined : now.lines[to - 1]! + offset - before.lines[from - 1]!;
    },
  };
}

/** Every offset that the facts hold, always in the same order. */
function placesIn(facts: FileFacts): number[] {
  const places: number[] = [];
  const ofSites = (sites: readonly SiteFacts[]): void => {
    for (const { start, end, without } of sites) {
      places.push(start, end);
      if (without) places.push(without.start, without.end);
    }
  };
  for (const { start, bodyStart, end, cfg, statements, sites } of facts.functions) {
    places.push(start, bodyStart, end);
    for (const { op } of cfg) {
      if ('start' in op) places.push(op.start);
      if (op.k === 'call') places.push(op.end);
    }
    for (const statement of statements) places.push(statement.start, statement.end);
    ofSites(sites);
  }
  for (const { start } of facts.tables) places.push(start);
  ofSites(facts.sites);
  return places;
}

/** A value could not be translated. */
class Lost extends Error {}

/**
 * The value (of a report, a plan, or what was found out about them) with all places in files that moved where they are now; undefined
 * where one is not known. A place is a number under `line`, `start` or `end` in an object that has a `file` or is inside of one that has, or
 * `FILE:LINE` in a text.
 */
export function translated<T>(value: T, moves: ReadonlyMap<string, Move>): T | undefined {
  const named = new RegExp(
    `(?<![\\w./-])(${[...moves.keys()].map((file) => file.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|')}):(\\d+)`,
    'g',
  );
  const sure = <N>(found: N | undefined): N => {
    if (found === undefined) throw new Lost();
    return found;
  };
  const translate = (part: unknown, move: Move | undefined): unknown => {
    if (typeof part === 'string')
      return part.replace(
        named,
        (_, file: string, line: string) => `${file}:${sure(moves.get(file)!.line(Number(line)))}`,
      );
    if (Array.isArray(part)) return part.map((one) => translate(one, move));
    if (typeof part !== 'object' || part === null) return part;
    const { file } = part as { file?: unknown };
    const here = typeof file === 'string' ? moves.get(file) : move;
    return Object.fromEntries(
      Object.entries(part).map(([key, one]) => {
        if (!here || typeof one !== 'number') return [key, translate(one, here)];
        if (key === 'line') return [key, sure(here.line(one))];
        return [key, key === 'start' || key === 'end' ? sure(here.offset(one)) : one];
      }),
    );
  };
  try {
    return translate(value, undefined) as T;
  } catch (error) {
    if (error instanceof Lost) return undefined;
    throw error;
  }
}
