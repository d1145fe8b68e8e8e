import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createMemoryNetwork } from '#runtime/peers/memory-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { digestOfPlain } from '#shared/identity/digest.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { blockHash, encodeCompactBlock, transactionsDigest } from '#shared/ledger/block.ts';
import { ExampleChain, exampleMember, operator, START_MS } from '#shared/ledger/chain.fixture.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';
import { StoredNode, until, voucher } from '../stored-node.fixture.ts';
import { BlockFetcher } from './block-fetcher.ts';
import { ProposedBlocks } from './proposed-blocks.ts';

const chain = new ExampleChain();
const waiting = Array.from({ length: 100 }, (_, n) =>
  chain.sign(operator(0), voucher(n), { signerSequence: n + 1 }),
);

/** Some 30,000 bytes each. */
const large = Array.from({ length: 20 }, (_, round) => {
  const contributions = Array.from({ length: 170 }, (_, i) => ({
    ...{ device: `${'d'.repeat(50)}-${i}`, update: digestOfPlain(i), sampleCount: 100 },
  }));
  const digest = digestOfPlain(round);
  const body = {
    ...{ task: digest, round, digest, parents: [], contributions },
    ...{ aggregator: digest, rule: 'fedavg', metrics: {} },
  };
  return chain.sign(operator(1), { type: 'model.version', body });
});

describe('a block with transactions that are named only', () => {
  it('is the same block for who has them', (t) => {
    const [maker, taker] = [blocksOf(t, waiting), blocksOf(t, waiting)];
    const { hash, compact, whole } = proposed(maker);
    assert.ok(compact.length < whole.length / 3, `${compact.length} of ${whole.length} bytes`);
    assert.deepEqual(taker.takeCompact(hash, compact), { ok: true, value: [] });
    assert.deepEqual(taker.bytes(hash), whole);
    assert.ok(taker.judge(hash).ok);
  });

  it('is completed by who lacks some, with nothing but those', (t) => {
    const [maker, taker] = [blocksOf(t, waiting), blocksOf(t, waiting.slice(0, 40))];
    const { hash, compact, whole } = proposed(maker);
    const taken = taker.takeCompact(hash, compact);
    assert.ok(taken.ok && taken.value.length === 60 && taken.value[0] === 40);
    assert.equal(taker.has(hash), false);
    const found = taken.value.map((place) => waiting[place]!.bytes);
    for (const lie of [found.slice(1), found.with(3, waiting[0]!.bytes), []]) {
      const filled = taker.fill(hash, lie);
      assert.equal(!filled.ok && filled.error.code, 'block-malformed');
      assert.equal(taker.has(hash), false);
      assert.ok(taker.takeCompact(hash, compact).ok);
    }
    assert.ok(taker.fill(hash, found).ok);
    assert.deepEqual(taker.bytes(hash), whole);
    assert.ok(taker.judge(hash).ok);
  });

  it('is refused where its header names other transactions, and taken when it is right', (t) => {
    const [maker, taker] = [blocksOf(t, waiting), blocksOf(t, [])];
    const { hash, whole } = proposed(maker);
    const { header, transactions } = maker.block(hash)!;
    const mixed = { header, transactions: transactions.toReversed() };
    for (const isNamed of [true, false]) {
      const bytes = encodeCompactBlock(mixed, () => isNamed);
      const taken = taker.takeCompact(hash, bytes);
      assert.equal(!taken.ok && taken.error.code, 'block-malformed');
      assert.equal(taker.take(hash, bytes).ok, false);
    }
    assert.ok(taker.take(hash, whole).ok);
    assert.ok(taker.judge(hash).ok);
  });

  it('is refused where it is larger than a block may be', (t) => {
    const [maker, taker] = [blocksOf(t, waiting), blocksOf(t, large)];
    const transactions = [...large, ...large, ...large];
    const before = maker.block(proposed(maker).hash)!.header;
    const header = { ...before, transactions: transactionsDigest(transactions) };
    const hash = blockHash(header);
    const compact = encodeCompactBlock({ header, transactions }, () => true);
    const taken = taker.takeCompact(hash, compact);
    assert.equal(!taken.ok && taken.error.code, 'block-malformed');
    assert.equal(taker.has(hash), false);
  });
});

describe('what a proposal names and a node lacks', () => {
  it('is fetched from who sent it, all or in part', async (t) => {
    const hub = createMemoryNetwork();
    const [maker, taker] = [blocksOf(t, waiting), blocksOf(t, waiting.slice(0, 40))];
    const networks = [maker, taker].map((blocks, n) => {
      const key = exampleMember(n).peer;
      const network = hub.join({ key, clock: createManualClock(START_MS), log: silentLog });
      network.setPeers(new Map([0, 1].map((m) => [exampleMember(m).peer, ['/memory']])));
      t.after(() => network[Symbol.asyncDispose]());
      return { network, fetcher: new BlockFetcher(network, blocks) };
    });
    const [{ network: from }, { network: to, fetcher }] = networks as [Peer, Peer];
    await until(() => to.connected().length === 1);
    const { hash, compact, whole } = proposed(maker);
    const taken = taker.takeCompact(hash, compact);
    assert.ok(taken.ok && taken.value.length === 60);
    const put = await fetcher.fetch(from.self, { hash, places: taken.value });
    assert.deepEqual(put(), { ok: true, value: undefined });
    assert.deepEqual(taker.bytes(hash), whole);
    taker.clear();
    const putWhole = await fetcher.fetch(from.self, { hash, places: undefined });
    assert.ok(putWhole().ok);
    assert.deepEqual(taker.bytes(hash), whole);
    const unknown = fetcher.fetch(from.self, { hash: 'ab'.repeat(32), places: [0] });
    await assert.rejects(unknown, { reason: 'block-unknown' });
    await assert.rejects(fetcher.fetch(from.self, { hash, places: [100] }));
    assert.equal(from.counters()['proposed-transactions-malformed'], 1);
    assert.deepEqual(from.connected(), []);
  });
});

interface Peer {
  readonly network: PeerNetwork;
  readonly fetcher: BlockFetcher;
}

/** Of a node that has these transactions. */
function blocksOf(t: TestContext, known: readonly EncodedTransaction[]): ProposedBlocks {
  const stored = new StoredNode(chain, 0);
  t.after(() => stored[Symbol.dispose]());
  const byDigest = new Map(known.map((transaction) => [transaction.digest, transaction]));
  return new ProposedBlocks({
    store: stored.store,
    verify: verifyAccountNatively,
    clock: createManualClock(START_MS),
    source: {
      size: known.length,
      candidates: () => known,
      known: (digest) => byDigest.get(digest),
      isSpread: () => true,
      isVerified: (digest) => byDigest.has(digest),
      drop: () => undefined,
    },
  });
}

function proposed(blocks: ProposedBlocks) {
  const hash = blocks.make(START_MS + 5, keyIdOf(exampleMember(0).publicKey));
  return { hash, compact: blocks.compact(hash)!, whole: blocks.bytes(hash)! };
}
