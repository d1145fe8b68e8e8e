import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { accountIdOf } from '#shared/identity/account-key.ts';
import { ExampleChain, operator, START_MS } from '#shared/ledger/chain.fixture.ts';
import type { EncodedTransaction, TransactionContent } from '#shared/ledger/transaction.ts';
import { StoredNode, voucher } from '../stored-node.fixture.ts';
import { signed, tampered } from './mempool.fixture.ts';
import { Mempool } from './mempool.ts';
import type { MempoolLimits } from './pending-transactions.ts';

describe('a mempool', () => {
  it('gives a receipt once the transaction is in a block, and again if asked again', async (t) => {
    const { pool, chain, commit } = alone(t);
    const [first, second] = signed(chain, operator(0), 2);
    const receipts = [first, second].map((one) => pool.submit(one!));
    const again = pool.submit(first!);
    assert.equal(pool.size, 2);
    assert.ok(pool.isVerified(first!.digest));
    commit();
    const expected = { digest: first!.digest, height: 1, index: 0, outcome: 'accepted' };
    assert.deepEqual(await receipts[0], { ok: true, value: expected });
    assert.deepEqual(await again, { ok: true, value: expected });
    assert.deepEqual(await pool.submit(first!), { ok: true, value: expected });
    assert.equal((await receipts[1])!.ok, true);
    assert.equal(pool.size, 0);
  });

  it('lets a transaction wait for those before it, for a while', async (t) => {
    const { pool, chain, clock } = alone(t);
    const [first, second, third, fourth] = signed(chain, operator(0), 4);
    void pool.submit(third!);
    void pool.submit(second!);
    assert.equal(pool.size, 0);
    const taken = await pool.submit(signed(chain, operator(0), 3, 7)[2]!);
    assert.equal(!taken.ok && taken.error.code, 'sequence-taken');
    void pool.submit(first!);
    assert.equal(pool.size, 3);
    assert.deepEqual([...pool.candidates()], [first, second, third]);
    const [, , late] = signed(chain, operator(1), 3);
    const overdue = pool.submit(late!);
    clock.advance(20_000);
    const dropped = await overdue;
    assert.equal(!dropped.ok && dropped.error.code, 'sequence-gap');
    assert.equal(pool.nextSequence(accountIdOf(operator(0).key)), 4);
    void pool.submit(fourth!);
    assert.equal(pool.size, 4);
  });

  it('refuses what its rules refuse, with the code', async (t) => {
    const { pool, chain, commit } = alone(t, { gapMax: 4 });
    const [first, second] = signed(chain, operator(0), 2);
    void pool.submit(first!);
    commit();
    const stranger = signed(chain, operator(9), 1)[0]!;
    const forged = tampered(chain, second!);
    const place = { signerSequence: 2, notAfterHeight: 1 };
    const refusals: [string, EncodedTransaction][] = [
      ['stale-sequence', signed(chain, operator(0), 1, 5)[0]!],
      ['sequence-gap', signed(chain, operator(0), 8)[7]!],
      ['unknown-key', stranger],
      ['wrong-signature', forged],
      ['wrong-signature', tampered(chain, signed(chain, operator(0), 4)[3]!)],
      ['voucher-exists', chain.sign(operator(0), voucher(0), { signerSequence: 2 })],
      ['expired', chain.sign(operator(0), voucher(3), place)],
      ['not-permitted', chain.sign(operator(0), twin, { signerSequence: 2 })],
    ];
    for (const [code, transaction] of refusals) {
      const refused = await pool.submit(transaction);
      assert.equal(!refused.ok && refused.error.code, code);
    }
    assert.equal(pool.size, 0);
  });

  it('is bounded in all and for each signer, and says so', async (t) => {
    const limits = { transactionsMax: 5, signerTransactionsMax: 3 };
    const { pool, chain, commit } = alone(t, limits);
    const zero = signed(chain, operator(0), 4);
    const one = signed(chain, operator(1), 4, 10);
    for (const transaction of zero.slice(0, 3)) void pool.submit(transaction);
    const beyond = await pool.submit(zero[3]!);
    assert.equal(!beyond.ok && beyond.error.code, 'mempool-full');
    for (const transaction of one.slice(0, 2)) void pool.submit(transaction);
    const full = await pool.submit(one[2]!);
    assert.equal(!full.ok && full.error.code, 'mempool-full');
    assert.equal(pool.size, 5);
    commit();
    void pool.submit(one[2]!);
    assert.equal(pool.size, 1);
    const small = alone(t, { sizeBytesMax: zero[0]!.bytes.length });
    void small.pool.submit(zero[0]!);
    const large = await small.pool.submit(one[0]!);
    assert.equal(!large.ok && large.error.code, 'mempool-full');
  });

  it('takes turns among the signers, each in order', (t) => {
    const { pool, chain } = alone(t);
    const rows = [signed(chain, operator(0), 4), signed(chain, operator(1), 1, 10)];
    for (const transaction of rows.flat()) void pool.submit(transaction);
    const [a, b] = rows;
    const order = [...pool.candidates()].map(({ digest }) => digest);
    const expected = [a![0], b![0], a![1], a![2], a![3]].map((one) => one!.digest);
    assert.deepEqual(order, expected);
    const next = [...pool.candidates()].map(({ digest }) => digest);
    assert.deepEqual(next.slice(0, 2), [expected[1], expected[0]]);
  });

  it('drops what has expired or become stale, and tells who submitted it', async (t) => {
    const { pool, chain, commit, node } = alone(t);
    const until1 = { signerSequence: 1, notAfterHeight: 1 };
    const expiring = pool.submit(chain.sign(operator(0), voucher(1), until1));
    const after = chain.sign(operator(0), voucher(2), { signerSequence: 2 });
    const following = pool.submit(after);
    const stale = pool.submit(chain.sign(operator(1), voucher(3)));
    const [rival] = signed(chain, operator(1), 1, 4);
    chain.commit(rival!);
    node.follow(chain);
    pool.committed({ height: 1, transactions: [rival!], outcomes: ['accepted'] });
    for (const [submitted, code] of [
      [expiring, 'expired'],
      [stale, 'stale-sequence'],
    ] as const) {
      const dropped = await submitted;
      assert.equal(!dropped.ok && dropped.error.code, code);
    }
    // What came after the expired one waits for another in its place.
    assert.equal(pool.size, 0);
    void pool.submit(chain.sign(operator(0), voucher(5), { signerSequence: 1 }));
    assert.equal(pool.size, 2);
    commit();
    assert.equal((await following).ok, true);
  });

  it('drops what a block could not take, and goes on with the rest', async (t) => {
    const { pool, chain } = alone(t);
    const [first, second] = signed(chain, operator(0), 2);
    const submitted = pool.submit(first!);
    void pool.submit(second!);
    pool.drop([{ digest: first!.digest, code: 'unknown-key', message: 'it was removed' }]);
    const dropped = await submitted;
    assert.equal(!dropped.ok && dropped.error.code, 'unknown-key');
    assert.equal(pool.size, 0);
    void pool.submit(first!);
    assert.equal(pool.size, 2);
  });

  it('tells all who wait that it closes', async (t) => {
    const { pool, chain } = alone(t);
    const submitted = pool.submit(signed(chain, operator(0), 1)[0]!);
    pool[Symbol.dispose]();
    const closed = await submitted;
    assert.equal(!closed.ok && closed.error.code, 'ledger-closed');
  });
});

const twin: TransactionContent = {
  type: 'twin.place',
  body: { device: 'meter-1', edge: 'edge-0', epoch: 1 },
};

/** A mempool without peers; `commit` puts all that is pending into a block. */
function alone(t: TestContext, limits: Partial<MempoolLimits> = {}) {
  const chain = new ExampleChain();
  const node = new StoredNode(chain, 0);
  const clock = createManualClock(START_MS);
  const options = { ledger: node.store, verify: verifyAccountNatively, clock, limits };
  const events = createEvents(silentLog, clock);
  const pool = new Mempool({ ...options, events });
  t.after(() => {
    pool[Symbol.dispose]();
    node[Symbol.dispose]();
  });
  const commit = () => {
    const { block, outcomes } = chain.commit(...pool.candidates());
    node.follow(chain);
    const { height } = block.header;
    pool.committed({ height, transactions: block.transactions, outcomes });
  };
  return { pool, chain, node, clock, commit };
}
