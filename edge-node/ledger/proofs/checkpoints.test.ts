import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { verifyRawNatively } from '#runtime/identity/native-verification.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createMemoryNetwork } from '#runtime/peers/memory-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import {
  ExampleChain,
  exampleGenesis,
  exampleMember,
  operator,
  START_MS,
} from '#shared/ledger/chain.fixture.ts';
import { verifyProof } from '#shared/ledger/light-verifier.ts';
import {
  cosignCheckpoint,
  cosignerNameOf,
  originOf,
  signCheckpoint,
} from '#shared/ledger/log/checkpoint.ts';
import { seededNoteSigner } from '#shared/ledger/log/log.fixture.ts';
import { rootOf } from '#shared/ledger/log/merkle-log.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';
import { StoredNode, until, voucher } from '../stored-node.fixture.ts';
import { Checkpoints } from './checkpoints.ts';
import { type Cosignature, Cosignatures, encodeCosignature } from './cosignatures.ts';

describe('checkpoints', () => {
  it('of a node alone are there at once, and prove each record', (t) => {
    const { chain, nodes, grow } = start(t, { members: 1, nodes: 1 });
    const { checkpoints, node } = nodes[0]!;
    assert.equal(checkpoints.newest(), undefined);
    const none = checkpoints.proofFor(0);
    assert.equal(!none.ok && none.error.code, 'record-unknown');
    grow(5);
    assert.equal(checkpoints.newest()!.size, 5);
    for (let index = 0; index < 5; index++) {
      const { digest } = chain.staged[index]!.block.transactions[0]!;
      for (const record of [index, digest]) {
        const proof = checkpoints.proofFor(record);
        assert.ok(proof.ok);
        const verified = verifyProof(proof.value, checkpoints.policyText());
        assert.ok(verified.ok, verified.ok ? '' : verified.error.message);
        assert.equal(verified.value.entry.height, index + 1);
        assert.deepEqual(verified.value.root, rootOf(node.store.chain.log));
      }
    }
    const unknown = checkpoints.proofFor('0'.repeat(64));
    assert.equal(!unknown.ok && unknown.error.code, 'record-unknown');
  });

  it('need a quorum: of four nodes any three, and no two', async (t) => {
    const { nodes, networks, hub, grow } = start(t, { nodes: 4 });
    await until(() => networks.every((one) => one.connected().length === 3));
    const [, b, c, d] = networks.map(({ self }) => self);
    for (const { self } of networks) {
      for (const other of [c!, d!]) if (other !== self) hub.setLink(self, other, false);
    }
    grow(2);
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    for (const { checkpoints } of nodes) assert.equal(checkpoints.newest(), undefined);
    hub.setLink(b!, c!, true);
    await until(() => nodes[1]!.checkpoints.newest()?.size === 2);
    const { policyText, proofFor } = bound(nodes[1]!.checkpoints);
    const proof = proofFor(1);
    assert.ok(proof.ok);
    const verified = verifyProof(proof.value, policyText());
    assert.ok(verified.ok);
    assert.equal(verified.value.cosigners.length, 3);
    assert.equal(nodes[3]!.checkpoints.newest(), undefined);
    const last = nodes[0]!.checkpoints.proofFor(1);
    assert.equal(!last.ok && last.error.code, 'checkpoint-behind');
  });

  it('come to those who follow only', async (t) => {
    const { nodes, networks, grow } = start(t, { nodes: 5, followers: 1, members: 5 });
    await until(() => networks.every((one) => one.connected().length === 4));
    grow(3);
    await until(() => nodes[4]!.checkpoints.newest()?.size === 3);
    const { policyText, proofFor } = bound(nodes[4]!.checkpoints);
    const proof = proofFor(2);
    assert.ok(proof.ok && verifyProof(proof.value, policyText()).ok);
  });

  it('choose the same blocks everywhere when they come fast, and the last at last', async (t) => {
    const { chain, clock, nodes, networks, grow } = start(t, { nodes: 4 });
    await until(() => networks.every((one) => one.connected().length === 3));
    grow(1);
    const follow = (lag: number): void => {
      for (const [n, { node, checkpoints }] of nodes.entries()) {
        const height = Math.max(node.head.height, chain.decided.length - lag * n);
        while (node.head.height < height) {
          node.follow(chain, node.head.height + 1);
          checkpoints.committed();
        }
      }
    };
    // Ten blocks to an interval of 100 ms, at each node two blocks later than at the one before.
    for (let i = 0; i < 30; i++) {
      chain.commit(chain.sign(operator(0), voucher(chain.decided.length)));
      clock.advance(10);
      // All begin together, so that their timers would fire together, at different blocks.
      follow(i === 0 ? 0 : 2);
      await new Promise(setImmediate);
    }
    const sizes = () => nodes.map(({ checkpoints }) => checkpoints.newest()?.size);
    await until(() => sizes().every((size) => size! > 1 && size === sizes()[0]));
    assert.ok(sizes()[0]! < 25);
    follow(0);
    clock.advance(100);
    await until(() => sizes().every((size) => size === 31));
    assert.equal(networks[0]!.counters()['checkpoint-forked'], undefined);
  });

  it('are cosigned anew for those who are the validators by then', async (t) => {
    const { chain, nodes, hub, networks, grow } = start(t, { members: 1, nodes: 2, operators: 1 });
    const [first, second] = networks.map(({ self }) => self);
    hub.setLink(first!, second!, false);
    const body = exampleMember(1);
    grow(1, () => [chain.sign(operator(0), { type: 'validator.add', body })]);
    grow(1);
    const { checkpoints } = nodes[0]!;
    const holds = () => {
      const proof = checkpoints.proofFor(0);
      return proof.ok && verifyProof(proof.value, checkpoints.policyText()).ok;
    };
    // From height 3 on there are two, and one of them alone is no quorum.
    assert.equal(checkpoints.newest()!.size, 1);
    assert.ok(!holds());
    hub.setLink(first!, second!, true);
    await until(holds);
    assert.equal(checkpoints.newest()!.size, 2);
    grow(1, () => []);
    assert.equal(checkpoints.newest()!.size, 2);
  });

  it('are kept over a restart, and grow in spite of blocks long ago', async (t) => {
    const { chain, clock, nodes, grow } = start(t, { members: 1, nodes: 1 });
    grow(3);
    const { node } = nodes[0]!;
    node[Symbol.dispose]();
    const again = new StoredNode(chain, 0, node.file);
    t.after(() => again[Symbol.dispose]());
    assert.equal(again.store.newestCheckpoint()!.size, 3);
    clock.advance(3_600_000);
    const checkpoints = open(again, 0, { clock });
    for (let height = 4; height <= 20; height++) {
      chain.commit(chain.sign(operator(0), voucher(height)));
      again.follow(chain);
      checkpoints.committed();
    }
    assert.equal(checkpoints.newest()!.size, 3);
    clock.advance(100);
    assert.equal(checkpoints.newest()!.size, 20);
    checkpoints[Symbol.dispose]();
  });
});

describe('cosignatures from peers that are at fault', () => {
  const faults: [string, string, (right: Cosignature) => Uint8Array][] = [
    ['garbage', 'checkpoint-malformed', () => Uint8Array.of(1, 2)],
    [
      'a field too many',
      'checkpoint-malformed',
      (right) => encodeCosignature({ ...right, more: 1 } as Cosignature),
    ],
    ['a size of zero', 'checkpoint-malformed', (right) => encodeCosignature({ ...right, size: 0 })],
    ['another size', 'cosignature-wrong', (right) => encodeCosignature({ ...right, size: 1 })],
    [
      'a wrong cosignature',
      'cosignature-wrong',
      (right) => encodeCosignature({ ...right, cosignature: flipped(right.cosignature) }),
    ],
    [
      'a wrong log signature',
      'cosignature-wrong',
      (right) => encodeCosignature({ ...right, logSignature: flipped(right.logSignature) }),
    ],
    [
      'another log',
      'checkpoint-forked',
      ({ size }) => encodeCosignature(cosigned(1, size, new Uint8Array(32))),
    ],
  ];
  for (const [name, code, shape] of faults) {
    it(`penalise one that sends ${name}`, async (t) => {
      const { nodes, networks, join, grow } = start(t, { nodes: 1 });
      grow(2);
      const peer = join(1);
      const right = cosigned(1, 2, rootOf(nodes[0]!.node.store.chain.log));
      peer.answer('checkpoint', async () => shape(right));
      await until(() => networks[0]!.counters()[code] === 1);
      assert.deepEqual(networks[0]!.connected(), []);
    });
  }

  it('count no follower, and wait where they are ahead', async (t) => {
    const { nodes, networks, join, grow } = start(t, { nodes: 1, members: 5, followers: 1 });
    const [own] = networks;
    grow(2);
    const { log } = nodes[0]!.node.store.chain;
    const [follower, validator] = [join(4), join(1)];
    for (const peer of [follower, validator]) {
      peer.answer('checkpoint', async () => new Uint8Array(0));
      await until(() => peer.connected().includes(own!.self));
    }
    const refused = follower.request(
      ...([own!.self, 'checkpoint', encodeCosignature(cosigned(4, 2, rootOf(log)))] as const),
    );
    await assert.rejects(refused, { reason: 'cosigner-unknown' });
    // Of a log so long that this node cannot tell yet.
    for (let size = 100; size < 120; size++) {
      const ahead = encodeCosignature(cosigned(1, size, new Uint8Array(32)));
      await validator.request(own!.self, 'checkpoint', ahead);
    }
    assert.equal(nodes[0]!.checkpoints.newest(), undefined);
    assert.equal(own!.connected().length, 2);
  });

  it('are bounded for each validator', () => {
    const cosignatures = new Cosignatures('site');
    for (let size = 1; size <= 20; size++) {
      cosignatures.put(exampleMember(1), cosigned(1, size, new Uint8Array(32)));
    }
    assert.deepEqual(cosignatures.sizes(20), [20, 19, 18, 17, 16, 15, 14, 13]);
  });

  it('find out a fork when they get there', async (t) => {
    const { networks, join, grow } = start(t, { nodes: 1 });
    const peer = join(1);
    const ahead = encodeCosignature(cosigned(1, 3, new Uint8Array(32)));
    let asked = 0;
    peer.answer('checkpoint', async () => (asked++ === 0 ? ahead : new Uint8Array(0)));
    await until(() => peer.connected().length === 1);
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    assert.equal(networks[0]!.connected().length, 1);
    grow(3);
    await until(() => networks[0]!.counters()['checkpoint-forked'] === 1);
    assert.deepEqual(networks[0]!.connected(), []);
  });
});

function bound(checkpoints: Checkpoints) {
  return {
    policyText: () => checkpoints.policyText(),
    proofFor: (record: number) => checkpoints.proofFor(record),
  };
}

function flipped(bytes: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[changed.length - 1]! ^= 1;
  return changed;
}

/** What member `n` would send of such a log. */
function cosigned(n: number, size: number, root: Uint8Array): Cosignature {
  const checkpoint = { origin: originOf('site'), size, root };
  const signer = seededNoteSigner(215 + n);
  const name = cosignerNameOf(`edge-${n}`, 'site');
  return {
    ...{ v: 1, size, root },
    logSignature: signCheckpoint(checkpoint, seededNoteSigner(230 + n)).bytes,
    cosignature: cosignCheckpoint(checkpoint, name, { signer, timeMs: START_MS }).bytes,
  };
}

function open(
  node: StoredNode,
  n: number,
  { clock, network }: { clock: ReturnType<typeof createManualClock>; network?: PeerNetwork },
): Checkpoints {
  return new Checkpoints({
    ledger: node.store,
    keys: { log: seededNoteSigner(230 + n), cosigner: seededNoteSigner(215 + n) },
    verify: verifyRawNatively,
    ...{ clock, events: createEvents(silentLog, clock) },
    ...(network === undefined ? {} : { network }),
  });
}

/** The first nodes of a chain of so many members, the last of which only follow. */
function start(
  t: TestContext,
  {
    members = 4,
    followers = 0,
    operators = 4,
    nodes: count,
  }: { members?: number; followers?: number; operators?: number; nodes: number },
) {
  const genesis = exampleGenesis({ members, operators });
  const chain = new ExampleChain({
    ...genesis,
    validators: genesis.validators.map((member, n) =>
      n >= members - followers ? { ...member, weight: 0 } : member,
    ),
  });
  const clock = createManualClock(START_MS);
  const hub = createMemoryNetwork();
  const keys = Array.from({ length: 6 }, (_, n) => exampleMember(n).peer);
  const peers = new Map(keys.map((peer) => [peer, [`/memory/${peer}`]]));
  const join = (n: number): PeerNetwork => {
    const network = hub.join({ key: keys[n]!, clock, log: silentLog });
    network.setPeers(peers);
    t.after(() => network[Symbol.asyncDispose]());
    return network;
  };
  const networks: PeerNetwork[] = [];
  const nodes = Array.from({ length: count }, (_, n) => {
    const node = new StoredNode(chain, n);
    const network = join(n);
    networks.push(network);
    const checkpoints = open(node, n, { clock, network });
    t.after(() => {
      checkpoints[Symbol.dispose]();
      node[Symbol.dispose]();
    });
    return { node, checkpoints };
  });
  /** So many blocks of one record, 10 ms apart, at all nodes. */
  const next = () => [chain.sign(operator(0), voucher(chain.decided.length))];
  const grow = (blocks: number, records: () => EncodedTransaction[] = next): void => {
    for (let i = 0; i < blocks; i++) {
      chain.commit(...records());
      clock.advance(chain.chain.head.timeMs - clock.nowMs());
      for (const { node, checkpoints } of nodes) {
        node.follow(chain);
        checkpoints.committed();
      }
    }
    if (blocks < 10) clock.advance(100);
  };
  return { chain, clock, hub, join, networks, nodes, grow };
}
