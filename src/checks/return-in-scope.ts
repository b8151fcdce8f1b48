import type { Rule } from './rule.js';
import { imbalancesIn } from './unbalanced-scope.js';

export const returnInScope: Rule = {
  id: 'return-in-scope',
  level: 'error',
  title: 'A path returns inside a scope',
  help: 'The task keeps the scope for good: all that it allocates from then on is as weak. Restore before the return.',
  find: (context) => imbalancesIn(context, ['returns']),
};
