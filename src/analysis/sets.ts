import type { FunctionFacts, Op, Path } from '../parse/facts.js';

/** What an operation gives another value, by name: variables, and members of what they point to. */
export function setBy(op: Op): readonly Path[] {
  if (op.k !== 'set' && op.k !== 'call') return [];
  const byMacro = op.k === 'call' ? (op.sets ?? []) : [];
  return op.to === '' ? byMacro : [...byMacro, op.to];
}

/** Does the function give that path another value, by its name? */
export function isSetIn({ cfg }: FunctionFacts, path: Path): boolean {
  return cfg.some(({ op }) => setBy(op).includes(path));
}
