import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { ExampleChain, exampleMember, operator, START_MS } from '#shared/ledger/chain.fixture.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';
import { StoredNode, voucher } from '../stored-node.fixture.ts';
import { ProposedBlocks } from './proposed-blocks.ts';

describe('proposed blocks', () => {
  it('hold what there was time for, and one transaction at least', () => {
    const chain = new ExampleChain();
    using node = new StoredNode(chain, 0);
    const waiting = Array.from({ length: 10 }, (_, n) =>
      chain.sign(operator(0), voucher(n), { signerSequence: n + 1 }),
    );
    for (const [perTransactionMs, expected] of [
      [1, 10],
      [20, 3],
      [1000, 1],
    ] as const) {
      const clock = createManualClock(START_MS);
      const candidates = function* (): Generator<EncodedTransaction> {
        for (const transaction of waiting) {
          clock.advance(perTransactionMs);
          yield transaction;
        }
      };
      const nothing = () => undefined;
      const rest = { size: 10, known: nothing, isVerified: () => true, drop: nothing };
      const spread = { isSpread: () => false };
      const source = { ...rest, ...spread, candidates };
      const verify = verifyAccountNatively;
      const blocks = new ProposedBlocks({ store: node.store, source, verify, clock });
      const hash = blocks.make(START_MS + 5, keyIdOf(exampleMember(0).publicKey));
      assert.equal(blocks.block(hash)!.transactions.length, expected);
      assert.ok(blocks.judge(hash).ok);
    }
  });
});
