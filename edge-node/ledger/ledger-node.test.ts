import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { exampleMember, operator } from '#shared/ledger/chain.fixture.ts';
import { encodeMessage } from '#shared/ledger/consensus/message-codec.ts';
import { sign, signableVote } from '#shared/ledger/consensus/message-signature.ts';
import { signTransaction } from '#shared/ledger/transaction.ts';
import { encodeFrame } from './consensus/consensus-frame.ts';
import { Cluster, type ClusterNode, until } from './ledger-cluster.fixture.ts';
import { nativeMember } from './native-member.fixture.ts';
import { LedgerFile } from './store/ledger-file.ts';

describe('a ledger of four nodes', { timeout: 30_000 }, () => {
  it('commits what any of them is given, and all agree', async () => {
    await using cluster = new Cluster(4);
    const nodes = cluster.startAll();
    const receipts = await Promise.all(
      Array.from({ length: 50 }, (_, i) => nodes[i % 4]!.ledger.submit(cluster.transaction())),
    );
    assert.deepEqual(new Set(receipts.map((r) => r.ok && r.value.outcome)), new Set(['accepted']));
    await agreed(nodes);
    for (const n of [0, 1, 2, 3]) {
      using file = new LedgerFile(cluster.file(n));
      const verified = file.verify(verifyAccountNatively);
      assert.equal(verified.ok && verified.value.transactions, 50);
    }
  });

  it('goes on without one of them, which catches up when it is back', async () => {
    await using cluster = new Cluster(4);
    const nodes = cluster.startAll();
    await commit(cluster, nodes[0]!);
    await agreed(nodes);
    await cluster.stop(3);
    for (let i = 0; i < 5; i++) await commit(cluster, nodes[i % 3]!);
    const back = cluster.start(3);
    await agreed(cluster.nodes);
    await commit(cluster, back);
    await agreed(cluster.nodes);
    assert.equal(back.ledger.status().signing, 'signing');
  });

  it('stands still with two of them, and goes on with three', async () => {
    await using cluster = new Cluster(4);
    const nodes = cluster.startAll();
    await commit(cluster, nodes[0]!);
    await agreed(nodes);
    await cluster.stop(2);
    await cluster.stop(3);
    const waiting = nodes[0]!.ledger.submit(cluster.transaction());
    await sleep(700);
    assert.deepEqual(new Set(cluster.nodes.map(({ ledger }) => ledger.head.height)), new Set([1]));
    cluster.start(3);
    assert.ok((await waiting).ok);
    await agreed(cluster.nodes);
  });

  it('goes on after all of them were stopped', async () => {
    await using cluster = new Cluster(4);
    await commit(cluster, cluster.startAll()[0]!);
    for (const n of [0, 1, 2, 3]) await cluster.stop(n);
    const nodes = cluster.startAll();
    await commit(cluster, nodes[2]!);
    await agreed(nodes);
    assert.equal(nodes[0]!.ledger.head.height, 2);
  });

  it('records who says two things at once, and goes on without its vote', async () => {
    await using cluster = new Cluster(4);
    const nodes = [0, 1, 2].map((n) => cluster.start(n));
    const { peer: key, publicKey } = exampleMember(3);
    const liar = cluster.hub.join({ key, clock: cluster.clock, log: silentLog });
    liar.setPeers(new Map(nodes.map(({ network }) => [network.self, network.addresses])));
    await until(() => liar.connected().length === 3);
    const voter = keyIdOf(publicKey);
    for (const value of ['ab'.repeat(32), null]) {
      const vote = { type: 'prevote', height: 1, round: 0, value, validRound: -1, voter } as const;
      const signature = sign(nativeMember(3), signableVote(cluster.genesis.chainId, vote));
      const message = encodeMessage({ kind: 'vote', vote: { ...vote, signature } });
      liar.send(nodes[0]!.network.self, encodeFrame({ message }));
    }
    await until(() => nodes.every(({ ledger }) => ledger.state.get(`accused/${voter}`)));
    for (let i = 0; i < 3; i++) await commit(cluster, nodes[i]!);
    await agreed(nodes);
    assert.equal(nodes[0]!.ledger.store.chain.roster.keys.size, 3);
    await liar[Symbol.asyncDispose]();
  });

  it('drops who was removed at once, though there is no other news', async () => {
    await using cluster = new Cluster(4);
    const nodes = cluster.startAll();
    await until(() => nodes.every(({ network }) => network.connected().length === 3));
    const [gone, ...left] = nodes.toReversed() as [ClusterNode, ...ClusterNode[]];
    const keyId = keyIdOf(exampleMember(3).publicKey);
    for (const n of [0, 1]) {
      const place = { chainId: 'site', signerSequence: 1, notAfterHeight: 100 };
      const content = { type: 'validator.remove', body: { keyId } } as const;
      const approval = signTransaction(content, place, operator(n));
      assert.ok(approval.ok && (await nodes[0]!.ledger.submitEncoded(approval.value)).ok);
    }
    await until(() => left.every(({ network }) => network.connected().length === 2));
    assert.ok(left.every(({ network }) => !network.connected().includes(gone.network.self)));
  });

  it('makes a block from time to time though there is nothing to say', async () => {
    await using cluster = new Cluster(4, { timing: { heartbeatMs: 50 } });
    const nodes = cluster.startAll();
    await until(() => nodes.every(({ ledger }) => ledger.head.height >= 2));
    assert.equal(nodes[0]!.ledger.store.chain.log.size, 0);
  });
});

describe('a ledger of one node', { timeout: 40_000 }, () => {
  it('commits by itself, and goes on after a restart', async () => {
    await using cluster = new Cluster(1);
    const { ledger } = cluster.start(0);
    const receipts = await Promise.all([1, 2, 3].map(() => ledger.submit(cluster.transaction())));
    assert.deepEqual(
      receipts.map((receipt) => receipt.ok && receipt.value.height),
      [1, 1, 1],
    );
    await cluster.stop(0);
    const again = cluster.start(0);
    await commit(cluster, again);
    assert.equal(again.ledger.head.height, 2);
  });
});

async function commit(cluster: Cluster, { ledger }: ClusterNode): Promise<void> {
  const receipt = await ledger.submit(cluster.transaction());
  assert.ok(receipt.ok, receipt.ok ? '' : receipt.error.message);
}

/** Waits until all have the highest head of all, and checks that it is one. */
async function agreed(nodes: readonly ClusterNode[]): Promise<void> {
  const height = Math.max(...nodes.map(({ ledger }) => ledger.head.height));
  await until(() => nodes.every(({ ledger }) => ledger.head.height >= height));
  const hashes = nodes.map(({ ledger }) => [...ledger.blocks(height)][0]!.hash);
  assert.equal(new Set(hashes).size, 1);
  const digests = nodes.map(({ ledger }) => ledger.status().stateDigest);
  assert.equal(new Set(digests).size, 1);
}
