import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Clock } from '#runtime/clock/clock.ts';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createMemoryNetwork } from '#runtime/peers/memory-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { encodeCanonical, type Plain } from '#shared/codec/canonical.ts';
import { type AccountSigner, accountIdOf } from '#shared/identity/account-key.ts';
import {
  ExampleChain,
  exampleGenesis,
  exampleMember,
  operator,
  START_MS,
} from '#shared/ledger/chain.fixture.ts';
import {
  decodeTransaction,
  type EncodedTransaction,
  type TransactionContent,
} from '#shared/ledger/transaction.ts';
import { sha256 } from '../payloads/payload-file.ts';
import { StoredNode, until, voucher } from '../stored-node.fixture.ts';
import { Mempool } from './mempool.ts';
import { decodePendingPage, encodePendingMessage } from './mempool-message.ts';
import type { MempoolLimits } from './pending-transactions.ts';

const TOPIC = 'diten/site/transactions';

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

describe('mempools', () => {
  it('tell each other of transactions, and give what is pending to one that is back', async (t) => {
    const { pools, networks, hub, chain } = cluster(t, 3);
    await until(() => networks.every((one) => one.connected().length === 2));
    const [a, b, c] = networks.map(({ self }) => self);
    const [first, ...more] = signed(chain, operator(0), 45);
    void pools[0]!.submit(first!);
    await until(() => pools.every((pool) => pool.size === 1));
    hub.setLink(a!, c!, false);
    hub.setLink(b!, c!, false);
    for (const transaction of more) void pools[0]!.submit(transaction);
    await until(() => pools[1]!.size === 45);
    assert.equal(pools[2]!.size, 1);
    hub.setLink(b!, c!, true);
    await until(() => pools[2]!.size === 45);
  });

  it('publish again what is not committed after a while', async (t) => {
    const clock = createManualClock(START_MS);
    const { pools, networks, hub, chain } = cluster(t, 2, clock);
    await until(() => networks.every((one) => one.connected().length === 1));
    // What they ask each other when they meet is answered by then.
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    hub.setDeaf(networks[1]!.self, true);
    void pools[0]!.submit(signed(chain, operator(0), 1)[0]!);
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    hub.setDeaf(networks[1]!.self, false);
    assert.equal(pools[1]!.size, 0);
    clock.advance(60_000);
    await until(() => pools[1]!.size === 1);
  });

  it('penalise who passes on what is malformed or wrongly signed, and nobody else', async (t) => {
    const chain = new ExampleChain();
    const [first] = signed(chain, operator(0), 1);
    const ahead = chain.sign(operator(0), voucher(0), { signerSequence: 900 });
    const bodies: [string, Uint8Array, boolean][] = [
      ['garbage', Uint8Array.of(1, 2, 3), true],
      ['truncated', first!.bytes.subarray(0, 60), true],
      ['wrongly signed', tampered(chain, first!).bytes, true],
      ['oversized', new Uint8Array(40_000), true],
      ['of an unknown key', signed(chain, operator(9), 1)[0]!.bytes, false],
      ['beyond a large gap', ahead.bytes, false],
    ];
    for (const [name, body, isWrong] of bodies) {
      const { pools, networks, join } = cluster(t, 1);
      const [own] = networks;
      const peer = join(1);
      await until(() => peer.connected().length === 1);
      await peer.publish(TOPIC, body);
      const heard = isWrong ? 'published-reject' : 'published-ignore';
      await until(() => own!.counters()[heard] === 1);
      assert.equal(own!.connected().length, isWrong ? 0 : 1, name);
      assert.equal(pools[0]!.size, 0);
    }
  });

  it('penalise pages that are none, do not end, or hold what is wrong', async (t) => {
    const chain = new ExampleChain();
    const [first] = signed(chain, operator(0), 1);
    const page = (transactions: Uint8Array[], after: number | null) =>
      encodePendingMessage({ v: 1, transactions, after });
    const pages: [string, (asked: number) => Uint8Array][] = [
      ['pending-malformed', () => Uint8Array.of(9)],
      ['pending-malformed', (asked) => page([], asked)],
      ['pending-malformed', () => page([first!.bytes], 1)],
      ['wrong-signature', () => page([tampered(chain, first!).bytes], null)],
      ['transaction-malformed', () => page([Uint8Array.of(0)], null)],
    ];
    for (const [code, answer] of pages) {
      const { networks, join } = cluster(t, 1);
      let asked = 0;
      join(1).answer('pending-transactions', async () => answer(++asked));
      await until(() => (networks[0]!.counters()[code] ?? 0) > 0);
      assert.deepEqual(networks[0]!.connected(), []);
    }
  });

  it('stop asking one that has no end of pages', async (t) => {
    const { pools, networks, chain, join } = cluster(t, 1);
    const [first] = signed(chain, operator(0), 1);
    let asked = 0;
    join(1).answer('pending-transactions', async () => {
      asked++;
      return encodePendingMessage({ v: 1, transactions: [first!.bytes], after: asked });
    });
    await until(() => asked > 0);
    let before = 0;
    while (asked !== before) {
      before = asked;
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    }
    assert.equal(asked, 256);
    assert.equal(pools[0]!.size, 1);
    assert.equal(networks[0]!.connected().length, 1);
  });

  it('give pages that are bounded', async (t) => {
    const { pools, networks, chain, join } = cluster(t, 1);
    const peer = join(1);
    await until(() => peer.connected().length === 1);
    const addresses = Array.from({ length: 8 }, (_, i) => `/dns/${'x'.repeat(180)}/tcp/${i}`);
    const all = Array.from({ length: 200 }, (_, i) => {
      const body = exampleMember(5, { name: `node-${i}`, addresses });
      return chain.sign(operator(0), { type: 'validator.add', body }, { signerSequence: i + 1 });
    });
    for (const transaction of all) void pools[0]!.submit(transaction);
    const got: string[] = [];
    const sizes: number[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const body = encodePendingMessage({ v: 1, after });
      const answer = await peer.request(networks[0]!.self, 'pending-transactions', body);
      const page = decodePendingPage(answer);
      assert.ok(page.ok);
      sizes.push(answer.length);
      got.push(...page.value.transactions.map(sha256));
      after = page.value.after;
    }
    assert.equal(got.join(), all.map(({ digest }) => digest).join());
    assert.ok(sizes.length > 1 && Math.max(...sizes) < 300_000, `${sizes}`);
    await assert.rejects(
      peer.request(networks[0]!.self, 'pending-transactions', Uint8Array.of(1)),
      {
        reason: 'pending-malformed',
      },
    );
  });
});

const twin: TransactionContent = {
  type: 'twin.place',
  body: { device: 'meter-1', edge: 'edge-0', epoch: 1 },
};

/** Vouchers from number `first` on, as the signer's first transactions. */
function signed(
  chain: ExampleChain,
  signer: AccountSigner,
  count: number,
  first = 0,
): EncodedTransaction[] {
  return Array.from({ length: count }, (_, i) =>
    chain.sign(signer, voucher(first + i), { signerSequence: i + 1 }),
  );
}

/** The same, with the signature of another. */
function tampered(chain: ExampleChain, { transaction }: EncodedTransaction): EncodedTransaction {
  const { signature } = signed(chain, operator(3), 1, 40)[0]!.transaction;
  const decoded = decodeTransaction(encodeCanonical({ ...transaction, signature } as Plain));
  assert.ok(decoded.ok);
  return decoded.value;
}

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

/** Mempools of members 0 to `count` - 1 on one network; `join` adds a bare peer. */
function cluster(t: TestContext, count: number, clock: Clock = systemClock) {
  const chain = new ExampleChain();
  const hub = createMemoryNetwork();
  const members = exampleGenesis().validators;
  const peers = new Map(members.map(({ peer }) => [peer, [`/memory/${peer}`]]));
  const join = (n: number): PeerNetwork => {
    const network = hub.join({ key: members[n]!.peer, clock, log: silentLog });
    network.setPeers(peers);
    t.after(() => network[Symbol.asyncDispose]());
    return network;
  };
  const networks: PeerNetwork[] = [];
  const pools = Array.from({ length: count }, (_, n) => {
    const node = new StoredNode(chain, n);
    const network = join(n);
    networks.push(network);
    const events = createEvents(silentLog, clock);
    const options = { ledger: node.store, verify: verifyAccountNatively, clock, events, network };
    const pool = new Mempool(options);
    t.after(() => {
      pool[Symbol.dispose]();
      node[Symbol.dispose]();
    });
    return pool;
  });
  return { chain, hub, join, networks, pools };
}
