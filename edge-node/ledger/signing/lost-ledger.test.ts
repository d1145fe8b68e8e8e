import assert from 'node:assert/strict';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Cluster, type ClusterNode, until } from '../ledger-cluster.fixture.ts';

describe('a validator whose database is not its newest', { timeout: 30_000 }, () => {
  it('observes where it was deleted, until the others are beyond what it signed', async () => {
    await using cluster = new Cluster(4);
    await commit(cluster.startAll()[0]!, cluster);
    await cluster.stop(3);
    remove(cluster.file(3));
    await recovers(cluster);
  });

  it('observes where it was exchanged for an older copy', async () => {
    await using cluster = new Cluster(4);
    const nodes = cluster.startAll();
    await commit(nodes[0]!, cluster);
    await reached(nodes, 1);
    await cluster.stop(3);
    copyFileSync(cluster.file(3), `${cluster.file(3)}.old`);
    const back = cluster.start(3);
    for (let i = 0; i < 3; i++) await commit(back, cluster);
    await cluster.stop(3);
    remove(cluster.file(3));
    copyFileSync(`${cluster.file(3)}.old`, cluster.file(3));
    // A restart of the same program changes nothing about it.
    assert.equal(cluster.start(3).ledger.status().signing, 'observing');
    await cluster.stop(3);
    await recovers(cluster);
  });

  it('is refused where there is no other validator to ask', async () => {
    await using cluster = new Cluster(1);
    await commit(cluster.start(0), cluster);
    await cluster.stop(0);
    remove(cluster.file(0));
    assert.throws(() => cluster.start(0), { code: 'ledger-not-the-last', exit: 78 });
    rmSync(cluster.markerFile(0));
    rmSync(cluster.file(0), { force: true });
    await commit(cluster.start(0), cluster);
  });

  /** Starts the fourth node, which must follow, stay silent for two heights, and sign after. */
  async function recovers(cluster: Cluster): Promise<void> {
    const { ledger } = cluster.start(3);
    assert.equal(ledger.status().signing, 'observing');
    const others = cluster.nodes.slice(0, 3);
    const before = Math.max(...others.map((node) => node.ledger.head.height));
    await until(() => ledger.head.height >= before);
    assert.equal(ledger.status().signing, 'observing');
    for (let i = 0; i < 3; i++) await commit(others[i]!, cluster);
    await until(() => ledger.status().signing === 'signing');
    assert.ok(ledger.head.height >= before + 2);
    await commit(others[0]!, cluster);
    await until(() => (ledger.store.lastSigned?.height ?? 0) > before + 2);
    for (const { events } of cluster.nodes) {
      assert.equal(events.counts()['evidence-duplicate-vote'], undefined);
    }
  }
});

describe('a validator that is started from a copy', { timeout: 30_000 }, () => {
  it('finds its own signatures with the others, and observes until they are outrun', async () => {
    await using cluster = new Cluster(4);
    const nodes = cluster.startAll();
    await commit(nodes[0]!, cluster);
    await reached(nodes, 1);
    await cluster.stop(3);
    const copy = { file: cluster.file(4), markerFile: cluster.markerFile(4) };
    copyFileSync(cluster.file(3), copy.file);
    copyFileSync(cluster.markerFile(3), copy.markerFile);
    // Without the third no block is decided but with the signature of the fourth.
    await cluster.stop(2);
    cluster.start(3);
    for (let i = 0; i < 3; i++) await commit(nodes[0]!, cluster);
    await reached(cluster.nodes, 4);
    await cluster.stop(3);
    const third = cluster.start(2);
    const { ledger, events } = cluster.start(3, copy);
    await until(() => ledger.status().signing !== 'asking');
    assert.equal(ledger.status().signing, 'observing');
    assert.equal(events.counts()['key-signed-elsewhere'], 1);
    await until(() => ledger.head.height >= 4 && third.ledger.head.height >= 4);
    for (let i = 0; i < 3; i++) await commit(nodes[0]!, cluster);
    await until(() => ledger.status().signing === 'signing');
    assert.ok(ledger.head.height >= 6);
  });
});

function remove(file: string): void {
  for (const each of [file, `${file}-wal`, `${file}-shm`]) {
    if (existsSync(each)) rmSync(each);
  }
}

async function reached(nodes: readonly ClusterNode[], height: number): Promise<void> {
  await until(() => nodes.every(({ ledger }) => ledger.head.height >= height));
}

async function commit({ ledger }: ClusterNode, cluster: Cluster): Promise<void> {
  const receipt = await ledger.submit(cluster.transaction());
  assert.ok(receipt.ok, receipt.ok ? '' : receipt.error.message);
}
