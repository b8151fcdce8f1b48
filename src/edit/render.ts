import MagicString from 'magic-string';
import type { Api } from '../kernel/types.js';
import type { TextEdit } from '../parse/facts.js';
import { furtherScopeComment, type ScopeEvidence, scopeComment } from './comment.js';
import { declarationBefore, leadingDeclarations } from './declarations.js';
import { type IncludeResolver, includeInsertion } from './includes.js';
import { Layout, LayoutRefused } from './layout.js';
import { flagsName, isNameTaken } from './names.js';
import { compareScopes, compareText, scopeSpan } from './order.js';
import type { Downgrade, FileChange, Plan, ScopePlan, ScopePoint } from './plan.js';
import { EditRefused } from './refusal.js';
import { isSplitReturn, splitReturns } from './returns.js';
import { type FunctionText, readFunction, type Statement, UnreadableBody } from './statements.js';
import { columns, lineStart } from './tokens.js';

/** The header that declares the scope API. */
export const SCOPE_HEADER = 'linux/sched/mm.h';

/** The longest line that scripts/checkpatch.pl lets pass. */
const LONGEST_LINE = 100;

/**
 * Writes a plan into the text of its files.
 *
 * @param source content of a file as latin1; offsets of the plan are offsets into it
 * @returns the files that change, in the order of their names; nothing for an empty plan
 * @throws EditRefused for a place that cannot take the edit (an `else if`, a macro definition, an `#if` in
 *   the way of braces, a statement that is none); it names the function, whose edits the caller may drop
 */
export function renderPlan(
  plan: Plan,
  source: (file: string) => string,
  includes: IncludeResolver,
): FileChange[] {
  const members = new Map(plan.scopes.flatMap(({ kept, lock }) => (kept ? [[lock, kept] as const] : [])));
  const files = new Set([
    ...[...plan.scopes, ...plan.downgrades, ...plan.removals].map((edit) => edit.file),
    ...[...members.values()].map((kept) => kept.file),
  ]);
  const changes: FileChange[] = [];
  for (const file of [...files].sort(compareText)) {
    const before = source(file);
    const out = new MagicString(before);
    const scopes = plan.scopes.filter((scope) => scope.file === file);
    for (const group of byFunction(scopes)) renderFunction(out, file, before, group);
    for (const kept of members.values())
      if (kept.file === file) for (const { start, text } of kept.member) out.appendLeft(start, text);
    const removed = plan.removals.flatMap((removal) => {
      if (removal.file !== file) return [];
      // A new declaration comes into the place of the one that goes.
      const isEmptied = !scopes.some((scope) => scope.function === removal.function);
      return removal.kind === 'scope' && removal.gap && isEmptied
        ? [...removal.edits, removal.gap]
        : removal.edits;
    });
    renderDowngrades(
      out,
      file,
      before,
      plan.downgrades.filter(
        (d) => d.file === file && !removed.some(({ start, end }) => start <= d.start && d.end <= end),
      ),
      removed,
    );
    if (scopes.length > 0 && !includes.provides(file, SCOPE_HEADER)) {
      const insertion = includeInsertion(before, SCOPE_HEADER);
      out.appendLeft(insertion.offset, insertion.text);
    }
    const after = out.toString();
    if (after !== before) changes.push({ file, before, after });
  }
  return changes;
}

function byFunction(scopes: readonly ScopePlan[]): ScopePlan[][] {
  const groups = new Map<number, ScopePlan[]>();
  for (const scope of scopes) {
    const group = groups.get(scope.body.start);
    if (group) group.push(scope);
    else groups.set(scope.body.start, [scope]);
  }
  return [...groups.values()].map((group) => group.sort(compareScopes));
}

/** One variable of a function, and whether its declaration is one of a save. */
interface Variable {
  readonly name: string;
  readonly scopes: ScopePlan[];
  /** Declared where it is set, among the declarations of a block, because the lock is taken in one of them. */
  readonly initialised: boolean;
}

function renderFunction(out: MagicString, file: string, text: string, scopes: readonly ScopePlan[]): void {
  const { body, function: functionName } = scopes[0]!;
  const refuse = (offset: number, reason: string): EditRefused =>
    new EditRefused(file, functionName, text.slice(0, offset).split('\n').length, reason);
  try {
    const wanted = scopes.flatMap((s) => [...s.saves, ...s.restores]).map((p) => p.statement.start);
    const fn = readFunction(text, body.start, body.end, wanted);
    const layout = new Layout(text, fn);
    const statementOf = (point: ScopePoint): Statement => {
      const statement = fn.at(point.statement.start);
      if (!statement) throw refuse(point.statement.start, 'no statement begins here');
      return statement;
    };

    const variables = chooseVariables(text, fn, scopes, statementOf);
    const nesting = [...scopes].sort(outerFirst);
    const nameOf = new Map(variables.flatMap((v) => v.scopes.map((scope) => [scope.id, v] as const)));

    const split = new Set<Statement>();
    // In the order of the text, so that the first save on a lock gets the whole comment.
    const explained = new Set<string>();
    const saves = nesting
      .flatMap((scope, depth) => scope.saves.map((point) => ({ scope, point, depth })))
      .sort((a, b) => placeOf(a.point) - placeOf(b.point));
    for (const { scope, point, depth } of saves) {
      const variable = nameOf.get(scope.id);
      const statement = statementOf(point);
      if (scope.kept?.does === 'rest') {
        const line = `${variable!.name} = ${scope.kept.place};`;
        place(layout, fn, statement, point, [line], [1, depth], false, refuse);
        continue;
      }
      const key = `${scope.api} ${scope.lock}`;
      const evidence: ScopeEvidence = scope;
      const indent = columns(indentAt(layout, fn, statement));
      const comment = explained.has(key)
        ? furtherScopeComment(evidence, indent)
        : scopeComment(evidence, indent);
      explained.add(key);
      const initialised = variable?.initialised === true;
      const save = `${scope.kept?.place ?? variable!.name} = memalloc_${scope.api}_save();`;
      const line = initialised ? `unsigned int ${save}` : save;
      place(layout, fn, statement, point, [...comment, line], [1, depth], initialised, refuse);
    }
    nesting.forEach((scope, depth) => {
      for (const point of scope.restores) {
        const value = nameOf.get(scope.id)?.name ?? scope.kept!.place;
        const line = `memalloc_${scope.api}_restore(${value});`;
        place(layout, fn, statementOf(point), point, [line], [0, -depth], false, refuse);
        if (isSplitReturn(text, point)) split.add(statementOf(point));
      }
    });
    if (split.size > 0) splitReturns(out, text, fn, layout, [...split], refuse);
    declareVariables(text, fn, layout, variables);
    layout.write(out);
  } catch (error) {
    if (error instanceof UnreadableBody || error instanceof LayoutRefused)
      throw refuse(error.offset, error.message);
    throw error;
  }
}

/** Where a point stands among the other points of its function. */
function placeOf(point: ScopePoint): number {
  return point.at === 'before' ? point.statement.start : point.statement.end;
}

function outerFirst(a: ScopePlan, b: ScopePlan): number {
  const [x, y] = [scopeSpan(a), scopeSpan(b)];
  return x.start - y.start || y.end - x.end || compareScopes(a, b);
}

/** The statements of a block after its declarations begin here. */
function firstStatement(block: Statement): Statement | undefined {
  return block.children[leadingDeclarations(block).length];
}

function isArm(fn: FunctionText, statement: Statement): boolean {
  return statement.kind === 'block' && (statement === fn.root || statement.role !== 'item');
}

function indentAt(layout: Layout, fn: FunctionText, statement: Statement): string {
  return isArm(fn, statement) ? layout.insideIndent(statement) : layout.indentOf(statement);
}

type Refuse = (offset: number, reason: string) => EditRefused;

/**
 * Puts lines at a point. A block that is the body of something is entered: its front and its end are meant. What begins with a
 * label is preceded above that: who jumps there comes in behind the lines.
 */
function place(
  layout: Layout,
  fn: FunctionText,
  statement: Statement,
  { at, statement: range }: ScopePoint,
  lines: readonly string[],
  rank: readonly number[],
  declares: boolean,
  refuse: Refuse,
): void {
  if (isArm(fn, statement)) {
    const first = at === 'before' ? firstStatement(statement) : undefined;
    if (first) layout.before(first, lines, rank);
    else layout.atEndOf(statement, lines, rank);
    return;
  }
  if (!declares && statement.kind === 'declaration' && statement.parent) {
    const declarations = leadingDeclarations(statement.parent);
    if (declarations.includes(statement)) {
      const next = firstStatement(statement.parent);
      const behind = declarations.slice(declarations.indexOf(statement) + (at === 'before' ? 0 : 1));
      // Declarations that run nothing may as well stand in front.
      if (behind.some(({ start, end }) => layout.text.slice(start, end).includes('(')))
        throw refuse(statement.start, 'a statement cannot stand among the declarations of a block');
      if (next && fn.conditionalDepth(next.start) === fn.conditionalDepth(statement.start)) {
        layout.before(next, lines, [-1, ...rank]);
        return;
      }
    }
  }
  if (at === 'before' && statement.labels.some(({ start }) => start === range.start))
    layout.above(statement, range.start, lines, rank);
  else if (at === 'before') layout.before(statement, lines, rank);
  else layout.after(statement, lines, rank);
}

/** Gives each scope a variable: one is used again where the scopes do not overlap. */
function chooseVariables(
  text: string,
  fn: FunctionText,
  scopes: readonly ScopePlan[],
  statementOf: (point: ScopePoint) => Statement,
): Variable[] {
  const variables: Variable[] = [];
  const numbers: Record<Api, number> = { nofs: 0, noio: 0 };
  for (const scope of scopes) {
    if (scope.kept && scope.kept.does !== 'rest') continue;
    const initialised = savesAmongDeclarations(scope, statementOf);
    const shared = variables.find(
      (v) => !v.initialised && !initialised && v.scopes.every((s) => s.api === scope.api && apart(s, scope)),
    );
    if (shared) {
      shared.scopes.push(scope);
      continue;
    }
    let name: string;
    do {
      name = flagsName(scope.api, ++numbers[scope.api]);
    } while (isNameTaken(text, name, fn.root.start, fn.root.end));
    variables.push({ name, scopes: [scope], initialised });
  }
  return variables;
}

function apart(a: ScopePlan, b: ScopePlan): boolean {
  const [x, y] = [scopeSpan(a), scopeSpan(b)];
  return x.end <= y.start || y.end <= x.start;
}

/**
 * Whether the lock is taken in an initialiser, other declarations following: the save must then be a
 * declaration too, which serves only restores in the same block.
 */
function savesAmongDeclarations(scope: ScopePlan, statementOf: (point: ScopePoint) => Statement): boolean {
  if (scope.saves.length !== 1) return false;
  const point = scope.saves[0]!;
  const statement = statementOf(point);
  const block = statement.parent;
  if (statement.kind !== 'declaration' || block?.kind !== 'block') return false;
  const declarations = leadingDeclarations(block);
  if (!declarations.includes(statement)) return false;
  if (point.at === 'after' && statement === declarations.at(-1)) return false;
  return scope.restores.every((restore) => {
    for (let s = statementOf(restore).parent; s; s = s.parent) if (s === block) return true;
    return false;
  });
}

function declareVariables(
  text: string,
  fn: FunctionText,
  layout: Layout,
  variables: readonly Variable[],
): void {
  const declarations = leadingDeclarations(fn.root);
  const declared = variables.filter((variable) => !variable.initialised);
  if (declared.length === 0) return;
  for (const [index, variable] of declared.entries()) {
    const value = variable.scopes.some((scope) => scope.conditional) ? ' = 0' : '';
    const line = `unsigned int ${variable.name}${value};`;
    layout.declare(fn.root, declarationBefore(text, fn, declarations, line.length), line, index);
  }
  const last = declarations.at(-1) ?? null;
  // Declarations that end inside an `#if` are set off behind it, or were not before either.
  if (last === null || fn.conditionalDepth(last.end) === 0) layout.blankAfter(fn.root, last);
}

function renderDowngrades(
  out: MagicString,
  file: string,
  text: string,
  downgrades: readonly Downgrade[],
  removed: readonly TextEdit[],
): void {
  for (const { start, end, text: instead } of removed) out.update(start, end, instead);
  const ordered = [...downgrades].sort((a, b) => a.start - b.start || a.end - b.end);
  let previous: Downgrade | undefined;
  for (const downgrade of ordered) {
    const { start, end, replacement } = downgrade;
    if (previous && start < previous.end) {
      if (start === previous.start && end === previous.end && replacement === previous.replacement) continue;
      const line = text.slice(0, start).split('\n').length;
      throw new EditRefused(file, downgrade.function, line, 'two replacements overlap here');
    }
    previous = downgrade;
    if (text.slice(start, end) !== replacement) out.update(start, end, replacement);
  }
  const taken: { start: number; end: number }[] = [...removed, ...ordered];
  for (const mend of ordered.flatMap((downgrade) => errorsOnLine(text, downgrade))) {
    if (taken.some(({ start, end }) => mend.start < end && start < mend.end)) continue;
    out.update(mend.start, mend.end, mend.text);
    taken.push(mend);
  }
  const split = ordered.map((downgrade) => assignmentInCondition(text, downgrade));
  for (const { start, end, text: lines } of split.flatMap((edits) => edits ?? []))
    out.update(start, end, lines);
  const whole = ordered.filter((_, i) => !split[i]);
  const longer = removed.flatMap(({ start, end, text: replacement }) => ({ start, end, replacement }));
  for (const gap of overlongLines(text, [...whole, ...longer])) out.update(gap.start, gap.end, gap.text);
}

/**
 * What scripts/checkpatch.pl calls an error on the line of a mask: `(type*)`, and a blank before the parenthesis behind the mask.
 * Nothing where the whole line goes.
 */
function errorsOnLine(text: string, { start, end }: Downgrade): TextEdit[] {
  if (text[end - 1] === '\n') return [];
  const from = lineStart(text, start);
  const newline = text.indexOf('\n', end);
  const line = text.slice(from, newline < 0 ? text.length : newline);
  const blanks = /^[ \t]+(?=\))/.exec(text.slice(end))?.[0].length ?? 0;
  const mends: TextEdit[] = blanks > 0 ? [{ start: end, end: end + blanks, text: '' }] : [];
  if (/["']|\/[/*]/.test(line)) return mends;
  for (const match of line.matchAll(/(?<=\((?:\w+ )*\w+)\*(?=\**\))/g)) {
    const at = from + match.index;
    mends.push({ start: at, end: at + 1, text: ' *' });
  }
  return mends;
}

/** `if (!(p = f(…)))` on one line, perhaps below an `if (!p)` on the same. */
const ASSIGNS_IN_IF = /^(\s*)(?:if \(!([\w.>-]+)\) )?if \((!?)\(([\w.>-]+) = (?=\w+\()/;

/**
 * Takes the assignment out of the condition of an `if` whose mask is replaced: scripts/checkpatch.pl calls it an error, and who
 * touches a line answers for it. Only where the `if` is a whole statement that stands among others.
 */
function assignmentInCondition(text: string, downgrade: Downgrade): TextEdit[] | undefined {
  const start = lineStart(text, downgrade.start);
  const match = ASSIGNS_IN_IF.exec(text.slice(start, downgrade.start));
  if (!match || !/[;{}:]\s*$/.test(text.slice(0, start))) return undefined;
  const [opening, indent, tested, not, variable] = match as unknown as [
    string,
    string,
    string?,
    string?,
    string?,
  ];
  // Of `if (!q) if (!(p = f()))` the second test does not stand for both.
  if (tested !== undefined && (tested !== variable || not === '')) return undefined;
  const from = start + opening.length;
  const close = closingParenthesis(text, from);
  if (close < downgrade.end || !/^\)\)(?: \{)?\r?\n/.test(text.slice(close, close + 6))) return undefined;
  const eol = text[text.indexOf('\n', close) - 1] === '\r' ? '\r\n' : '\n';
  const lead = tested === undefined ? '' : `if (!${tested})${eol}${indent}\t`;
  return [
    { start: start + indent.length, end: from, text: `${lead}${variable} = ` },
    { start: close, end: close + 1, text: `;${eol}${indent}if (${not}${variable}` },
  ];
}

/** Offset of the parenthesis that closes one which was opened before `from`, or -1; no strings, no line ends. */
function closingParenthesis(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length && !/["'\n]/.test(text[i]!); i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && depth-- === 0) return i;
  }
  return -1;
}

type Replacement = Pick<Downgrade, 'start' | 'end' | 'replacement'>;

/** Line breaks for the lines with a replacement that are longer than a line may be: who touches a line answers for it. */
function overlongLines(
  text: string,
  replacements: readonly Replacement[],
): { start: number; end: number; text: string }[] {
  const lines = new Map<number, Replacement[]>();
  for (const downgrade of replacements) {
    const start = lineStart(text, downgrade.start);
    lines.set(start, [...(lines.get(start) ?? []), downgrade]);
  }
  const breaks: { start: number; end: number; text: string }[] = [];
  for (const [start, onLine] of lines) {
    const newline = text.indexOf('\n', start);
    const line = text.slice(start, newline < 0 ? text.length : newline).replace(/\r$/, '');
    const first = onLine[0]!;
    const longer = onLine.reduce((sum, d) => sum + d.replacement.length - (d.end - d.start), 0);
    if (columns(line) + longer <= LONGEST_LINE) continue;
    const place = breakBefore(line, first.start - start);
    if (!place) continue;
    const eol = text[newline - 1] === '\r' ? '\r\n' : '\n';
    const indent = '\t'.repeat(Math.floor(place.column / 8)) + ' '.repeat(place.column % 8);
    breaks.push({ start: start + place.start, end: start + place.end, text: eol + indent });
    // What is still too long is broken once more, behind the last `|` that fits.
    const room = LONGEST_LINE - place.column - longer;
    const rest = line.slice(place.end);
    if (rest.length <= room) continue;
    const bar = rest.slice(0, room - 1).lastIndexOf(' | ');
    if (bar > first.end - start - place.end)
      breaks.push({
        start: start + place.end + bar + 2,
        end: start + place.end + bar + 3,
        text: eol + indent,
      });
  }
  return breaks;
}

/**
 * The blank after the comma in front of the argument at `offset`, and the column behind the parenthesis
 * that the argument list opens with, where the next line is to be aligned.
 */
function breakBefore(
  line: string,
  offset: number,
): { start: number; end: number; column: number } | undefined {
  let depth = 0;
  let comma = -1;
  for (let i = offset - 1; i >= 0; i--) {
    const c = line[i];
    if (c === ')' || c === ']') depth++;
    else if (c === '(' || c === '[') {
      if (depth-- > 0) continue;
      if (comma < 0) {
        // The mask is inside the first argument of this call: the next list out may have a comma.
        depth = 0;
        continue;
      }
      return {
        start: comma + 1,
        end: comma + 1 + blanks(line, comma + 1),
        column: columns(line.slice(0, i + 1)),
      };
    } else if (c === ',' && depth === 0 && comma < 0) comma = i;
  }
  return undefined;
}

function blanks(line: string, from: number): number {
  return /^[ \t]*/.exec(line.slice(from))![0].length;
}
