import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExampleChain, operator } from '#shared/ledger/chain.fixture.ts';
import type { EncodedTransaction, TransactionContent } from '#shared/ledger/transaction.ts';
import { voucher } from '../stored-node.fixture.ts';
import { Turns } from './turns.ts';

const chain = new ExampleChain();
const revocation: TransactionContent = {
  type: 'device.revoke',
  body: { device: 'mote-1', reason: 'lost' },
};

/** A signer's row; the transactions in `urgent` places are revocations. */
function row(signer: number, length: number, urgent: readonly number[] = []): EncodedTransaction[] {
  return Array.from({ length }, (_, n) => {
    const content = urgent.includes(n) ? revocation : voucher(n);
    return chain.sign(operator(signer), content, { signerSequence: n + 1 });
  });
}

const a = row(0, 50);
const b = row(1, 50, [2]);

describe('turns', () => {
  it('let what is urgent go ahead, after what its signer sent before it', () => {
    const order = [...new Turns().of([a, b])];
    assert.deepEqual(order.slice(0, 7), [b[0], b[1], b[2], a[0], b[3], a[1], b[4]]);
    assert.equal(order.length, 3 + 16);
    assert.equal(new Set(order).size, order.length);
  });

  it('leave nothing out of the block after a short one, nor where nothing is urgent', () => {
    const turns = new Turns();
    assert.equal([...turns.of([a, b])].length, 19);
    const all = [...turns.of([a, b])];
    assert.deepEqual(new Set(all), new Set([...a, ...b]));
    assert.equal(all[0], b[0]);
    assert.equal([...turns.of([a, b])].length, 19);
    assert.equal([...turns.of([a])].length, 50);
  });

  it('let so many go ahead and no more', () => {
    const many = [row(0, 60, [40]), row(1, 60, [40]), row(2, 90, [80])];
    const order = [...new Turns().of(many)];
    assert.deepEqual(order.slice(0, 41), many[0]!.slice(0, 41));
    assert.deepEqual(order.slice(41, 44), [many[0]![41], many[1]![0], many[2]![0]]);
    assert.equal(order.length, 41 + 16);
  });
});
