import type { Step } from '../analysis/report.js';
import type { Index } from '../index/link.js';
import type { FunctionFacts } from '../parse/facts.js';

/** Functions and macros that say that something is wrong where they are true: `if (WARN_ON(…))`, `if (fsck_err(…))`. */
const SAYS_ERROR = /(?:^|_)(?:err|error|warn|bug|corrupt|corrupted|inconsistent|damaged)(?:_|$)/i;

/** Is the step of a chain made only where an error was found? */
export function isOnError(index: Index, { function: name, file, line }: Step): boolean {
  const found = index.names.lookup(name, file).filter((fn) => fn.file.file === file);
  const calls = found.flatMap((fn) =>
    fn.facts.calls.flatMap(([node]) => (index.lineOf(fn, node) === line ? [{ facts: fn.facts, node }] : [])),
  );
  return calls.length > 0 && calls.every(({ facts, node }) => isGuarded(facts, node));
}

/** Does the node stand in the first arm of an `if` that asks for an error? */
function isGuarded({ cfg, statements }: FunctionFacts, node: number): boolean {
  let inner = cfg[node]!.statement;
  for (let up = statements[inner]?.parent ?? -1; up >= 0; inner = up, up = statements[up]!.parent) {
    const { kind, from, to } = statements[up]!;
    const isFirst = !statements.some((s) => s.parent === up && s.start < statements[inner]!.start);
    if (kind !== 'if' || !isFirst) continue;
    for (let n = from; n < to; n++) {
      const { op, statement } = cfg[n]!;
      if (statement === up && op.k === 'call' && SAYS_ERROR.test(op.fn)) return true;
    }
  }
  return false;
}
