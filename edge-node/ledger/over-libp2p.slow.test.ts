import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { verifyAccountNatively, verifyRawNatively } from '#runtime/identity/native-verification.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { startLibp2pNetwork } from '#runtime/peers/libp2p-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { ExampleChain, operator } from '#shared/ledger/chain.fixture.ts';
import { verifyProof } from '#shared/ledger/light-verifier.ts';
import { seededNoteSigner } from '#shared/ledger/log/log.fixture.ts';
import { CHUNK_SIZE_BYTES, openPayloadDatabase } from './payloads/payload-file.ts';
import { PayloadStore } from './payloads/payload-store.ts';
import { Checkpoints } from './proofs/checkpoints.ts';
import { StoredNode, until, voucher } from './stored-node.fixture.ts';
import { BlockSync } from './sync/block-sync.ts';
import { Mempool } from './transactions/mempool.ts';

const COUNT = 4;
const folder = mkdtempSync(join(tmpdir(), 'diten-over-libp2p-'));
const chain = new ExampleChain();
const members = chain.genesis.validators;
const nodes: StoredNode[] = [];
const networks: PeerNetwork[] = [];
const pools: Mempool[] = [];
const syncs: BlockSync[] = [];
const checkpoints: Checkpoints[] = [];
const payloads: PayloadStore[] = [];

/** What a node makes of its new head. */
function committed(n: number): void {
  const { height } = nodes[n]!.head;
  const { block, outcomes } = chain.staged[height - 1]!;
  pools[n]!.committed({ height, transactions: block.transactions, outcomes });
  checkpoints[n]!.committed();
  syncs[n]!.headMoved();
}

describe('over libp2p', () => {
  before(async () => {
    for (let n = 0; n < COUNT; n++) {
      const network = await startLibp2pNetwork({
        seed: new Uint8Array(32).fill(200 + n),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        clock: systemClock,
        log: silentLog,
      });
      assert.equal(network.self, members[n]!.peer);
      networks.push(network);
    }
    const peers = new Map(networks.map(({ self, addresses }) => [self, addresses]));
    for (const [n, network] of networks.entries()) {
      const node = new StoredNode(chain, n);
      nodes.push(node);
      const events = createEvents(silentLog, systemClock);
      const shared = { network, clock: systemClock, events };
      const verify = verifyAccountNatively;
      pools.push(new Mempool({ ...shared, ledger: node.store, verify }));
      const apply = node.applyDecided.bind(node);
      node.applyDecided = (decision) => {
        const applied = apply(decision);
        if (applied.ok) committed(n);
        return applied;
      };
      syncs.push(new BlockSync({ ...shared, ledger: node, timing: { statusMs: 200 } }));
      const keys = { log: seededNoteSigner(230 + n), cosigner: seededNoteSigner(215 + n) };
      const options = { ...shared, ledger: node.store, keys, verify: verifyRawNatively };
      checkpoints.push(new Checkpoints(options));
      const database = openPayloadDatabase(join(folder, `payloads-${n}.sqlite`));
      payloads.push(new PayloadStore({ database, events, network }));
      network.setPeers(peers);
    }
    await until(() => networks.every((network) => network.connected().length === COUNT - 1));
  });

  after(async () => {
    for (const one of [...pools, ...checkpoints, ...payloads]) one[Symbol.dispose]();
    for (const sync of syncs) await sync[Symbol.asyncDispose]();
    for (const network of networks) await network[Symbol.asyncDispose]();
    for (const node of nodes) node[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  it('transactions reach all mempools', async () => {
    // Until the mesh of gossipsub is there, what was missed is asked for on meeting.
    const first = chain.sign(operator(0), voucher(0));
    const receipt = pools[0]!.submit(first);
    await until(() => pools.every((pool) => pool.known(first.digest) !== undefined));
    chain.commit(...pools[2]!.candidates());
    nodes[0]!.follow(chain);
    const settled = await receipt;
    assert.ok(settled.ok && settled.value.outcome === 'accepted');
  });

  it('a node that has no consensus follows by block sync', async () => {
    for (let n = 1; n < 30; n++) chain.commit(chain.sign(operator(0), voucher(n)));
    nodes[0]!.follow(chain);
    await until(() => nodes.every(({ head }) => head.height === 30));
    for (const { store } of nodes) assert.equal(store.chain.stateDigest, chain.chain.stateDigest);
    assert.ok(pools.every(({ size }) => size === 0));
  });

  it('checkpoints get their quorum, and prove a record', async () => {
    await until(() => checkpoints.every((one) => one.newest()?.size === 30));
    const proof = checkpoints[3]!.proofFor(17);
    assert.ok(proof.ok);
    const verified = verifyProof(proof.value, checkpoints[0]!.policyText());
    assert.ok(verified.ok && verified.value.index === 17);
  });

  it('payloads come from whoever has them', async () => {
    const bytes = randomBytes(5 * CHUNK_SIZE_BYTES + 7);
    const put = payloads[2]!.put(bytes);
    assert.ok(put.ok);
    const fetched = await payloads[1]!.fetch(put.value);
    assert.ok(fetched.ok);
    assert.deepEqual(fetched.value, bytes);
  });
});
