import { type Transaction, transactionId } from '../src/analysis/transactions.js';
import type { ScopePlan } from '../src/edit/plan.js';
import { downgradesOf, restsOnTransaction } from './scopes.js';
import type { Transform } from './transform.js';

/**
 * Opens a scope for as long as a transaction is open: what the save returns is kept in a new member of the handle, and the restore
 * takes it from there. Drops the masks of what runs in these transactions.
 *
 * Applies to handles that a start function puts into the task (`current->journal_info`) and an end function takes out again, where
 * reclaim starts such transactions, too. Refuses handles that keep a save already, those of which it is not known who puts them into
 * the task, and structs that another part of the kernel defines.
 */
export const transactionScope: Transform = {
  name: 'transaction-scope',
  summary: 'keep a scope open for as long as a transaction, in its handle, and drop the masks below it',
  plan: (findings, report) => ({
    scopes: findings.nofs.choice.transactions.flatMap(piecesOf),
    downgrades: downgradesOf(report, 'scopable', 'transaction-scope').filter((d) =>
      restsOnTransaction(findings, d),
    ),
  }),
};

function piecesOf(transaction: Transaction): ScopePlan[] {
  const { lock, definition, member, chain, pieces } = transaction;
  const id = transactionId(transaction);
  const starts = pieces.filter(({ does }) => does === 'start');
  return pieces.map((piece): ScopePlan => {
    const { fn, node, does, handle, saves, restores } = piece;
    return {
      // What rests on the transaction rests on its first start.
      id: piece === starts[0] ? id : `${id}:${fn.facts.name}:${node}`,
      file: fn.file.file,
      function: fn.facts.name,
      body: { start: fn.facts.bodyStart, end: fn.facts.end },
      api: 'nofs',
      lock,
      lockText: lock,
      reclaim: chain.steps,
      context: chain.entry.context,
      saves,
      restores,
      kept: { does, place: `${handle}${member.name}`, file: definition, member: member.edits },
    };
  });
}
