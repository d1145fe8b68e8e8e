import type { TransactionType } from '#shared/ledger/contract/contract-table.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';

/** What takes something away from somebody who may use it until the block is there. */
const URGENT: ReadonlySet<TransactionType> = new Set([
  ...(['device.revoke', 'device.suspend', 'grant.remove'] as const),
  ...(['validator.remove', 'operator.remove'] as const),
]);

/** How many go ahead in one block, those among them that only come before an urgent one. */
const AHEAD_MAX = 64;
/** How many others a block with urgent ones takes: it is to be decided soon. */
const BESIDE_MAX = 16;

/** Whether a transaction goes ahead of others. Only operators sign what is of these types. */
export function isUrgent({ transaction }: EncodedTransaction): boolean {
  return URGENT.has(transaction.type);
}

/** The order in which transactions are tried for a block; another signer begins each time. */
export class Turns {
  #turn = 0;
  #wasShort = false;

  /**
   * One of each signer's row, then the next of each; what is urgent before all, and with it what
   * its signer has before it. A block with urgent ones is short, but the one after that is not:
   * who sends them without end cannot stop the others.
   */
  *of(
    rows: readonly (readonly EncodedTransaction[])[],
  ): Generator<EncodedTransaction, undefined, undefined> {
    if (rows.length === 0) return;
    const first = this.#turn++ % rows.length;
    const ordered = [...rows.slice(first), ...rows.slice(0, first)];
    const ahead = countsAhead(ordered);
    const isShort = ahead.some((count) => count > 0) && !this.#wasShort;
    this.#wasShort = isShort;
    for (const [index, count] of ahead.entries()) yield* ordered[index]!.slice(0, count);
    let left = isShort ? BESIDE_MAX : Number.POSITIVE_INFINITY;
    const rounds = Math.max(...ordered.map((row, index) => row.length - ahead[index]!));
    for (let round = 0; round < rounds; round++) {
      for (const [index, row] of ordered.entries()) {
        const transaction = row[ahead[index]! + round];
        if (transaction === undefined) continue;
        if (left-- === 0) return;
        yield transaction;
      }
    }
  }
}

/** How many of each row, from its beginning, go ahead. */
function countsAhead(rows: readonly (readonly EncodedTransaction[])[]): number[] {
  let left = AHEAD_MAX;
  return rows.map((row) => {
    const count = 1 + row.slice(0, left).findLastIndex(isUrgent);
    left -= count;
    return count;
  });
}
