import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createMemoryNetwork } from '#runtime/peers/memory-network.ts';
import { PeerError, type PeerNetwork } from '#runtime/peers/peer-network.ts';
import type { Digest } from '#shared/identity/digest.ts';
import { ExampleChain, exampleGenesis, operator } from '#shared/ledger/chain.fixture.ts';
import { encodeCommit } from '#shared/ledger/commit-codec.ts';
import { StoredNode, until, voucher } from '../stored-node.fixture.ts';
import { BlockSync, type SyncTiming } from './block-sync.ts';
import {
  decodeBlocksAnswer,
  decodeBlocksRequest,
  encodeSyncMessage,
} from './block-sync-message.ts';

const timing: SyncTiming = {
  ...{ statusMs: 20, requestTimeoutMs: 60, graceMs: 5, announceMs: 1, retryMs: 5 },
};

describe('block sync', () => {
  it('catches up from the peers, and follows what comes after', async (t) => {
    const chain = grown(40);
    const { nodes, syncs } = start(t, chain, [40, 40, 0]);
    await until(() => nodes[2]!.head.height === 40);
    assert.equal(nodes[2]!.store.chain.stateDigest, chain.chain.stateDigest);
    grow(chain, 5);
    for (const node of nodes.slice(0, 2)) node.follow(chain);
    for (const { sync } of syncs) sync.headMoved();
    await until(() => nodes[2]!.head.height === 45);
    assert.equal(nodes[2]!.refused, 0);
  });

  it('lets a follower live by announcements alone', async (t) => {
    const chain = grown(1);
    const slow = { ...timing, statusMs: 1e6 };
    const { nodes, syncs } = start(t, chain, [1, 1, 1], slow);
    nodes[2]!.isVoting = false;
    await until(() => syncs.every(({ network }) => network.connected().length === 2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    grow(chain, 3);
    nodes[0]!.follow(chain);
    syncs[0]!.sync.headMoved();
    await until(() => nodes[2]!.head.height === 4);
  });

  it('serves batches that are bounded in bytes and in count', async (t) => {
    const { nodes, syncs } = start(t, grown(1), [1]);
    const { network, join } = syncs[0]!;
    const peer = join(1);
    await until(() => peer.connected().length === 1);
    const counts: number[] = [];
    for (const sizeBytes of [2 ** 20, 400_000, 1]) {
      const decision = { block: new Uint8Array(sizeBytes), commit: new Uint8Array(7_000) };
      nodes[0]!.decision = () => decision;
      const body = encodeSyncMessage({ v: 1, from: 1 });
      const answer = decodeBlocksAnswer(await peer.request(network.self, 'blocks', body));
      assert.ok(answer.ok);
      counts.push(answer.value.blocks.length);
    }
    assert.deepEqual(counts, [1, 2, 149]);
  });

  it('believes a height that a correct validator must have claimed, no single one', async (t) => {
    const chain = grown(3);
    const { syncs } = start(t, chain, [3]);
    const claim = (n: number, height: number) => {
      const peer = syncs[0]!.join(n);
      peer.answer('status', async () => statusOf(height, chain));
      peer.answer('blocks', () => new Promise(() => undefined));
    };
    claim(1, 1_000_000);
    // It was asked for blocks, so its claim is known.
    await until(() => (syncs[0]!.events.counts()['sync-not-answered'] ?? 0) > 0);
    assert.equal(syncs[0]!.sync.knownHeight, 3);
    claim(2, 7);
    await until(() => syncs[0]!.sync.knownHeight === 7);
  });
});

describe('block sync, from peers that are at fault', () => {
  const faults: [string, string, (liar: PeerNetwork, chain: ExampleChain) => void][] = [
    [
      'says it has a height and does not give it',
      'height-lied',
      (liar, chain) => {
        liar.answer('status', async () => statusOf(99, chain));
        liar.answer('blocks', async () => encodeSyncMessage({ v: 1, blocks: [] }));
      },
    ],
    [
      'goes back in height',
      'height-lowered',
      (liar, chain) => {
        let height = 20;
        liar.answer('status', async () => statusOf(height--, chain));
        liar.answer('blocks', () => new Promise(() => undefined));
      },
    ],
    [
      'gives a block with a byte changed',
      'block-wrong',
      (liar, chain) => {
        liar.answer('status', async () => statusOf(10, chain));
        serve(liar, chain, ({ block, commit }) => ({ block: flipped(block), commit }));
      },
    ],
    [
      'gives a commit with a byte changed',
      'block-wrong',
      (liar, chain) => {
        liar.answer('status', async () => statusOf(10, chain));
        serve(liar, chain, ({ block, commit }) => ({ block, commit: flipped(commit) }));
      },
    ],
    [
      'gives blocks in another order',
      'block-wrong',
      (liar, chain) => {
        liar.answer('status', async () => statusOf(10, chain));
        liar.answer('blocks', async () =>
          encodeSyncMessage({ v: 1, blocks: [...chain.decided].reverse() }),
        );
      },
    ],
    [
      'gives a block that too few have decided',
      'block-wrong',
      (liar) => {
        const { block, commit } = tooFewVotes();
        liar.answer('status', async () => statusOf(1, undefined));
        liar.answer('blocks', async () => encodeSyncMessage({ v: 1, blocks: [{ block, commit }] }));
      },
    ],
    [
      'gives another chain',
      'status-of-another-chain',
      (liar) => {
        liar.answer('status', async () =>
          encodeSyncMessage({ v: 1, chainId: 'elsewhere', height: 9, hash: ZERO }),
        );
      },
    ],
    [
      'answers garbage',
      'sync-malformed',
      (liar) => {
        liar.answer('status', async () => Uint8Array.of(1, 2, 3));
      },
    ],
    [
      'gives blocks in a form that is none',
      'sync-malformed',
      (liar, chain) => {
        liar.answer('status', async () => statusOf(10, chain));
        liar.answer('blocks', async () => Uint8Array.of(0xa0));
      },
    ],
    [
      'is at odds about a decided block',
      'status-wrong-hash',
      (liar) => {
        liar.answer('status', async () =>
          encodeSyncMessage({ v: 1, chainId: 'site', height: 0, hash: ZERO }),
        );
      },
    ],
  ];
  for (const [name, code, misbehave] of faults) {
    it(`penalises one that ${name}, and takes it from another`, async (t) => {
      const chain = grown(10);
      const { nodes, syncs } = start(t, chain, [0]);
      const { network } = syncs[0]!;
      misbehave(syncs[0]!.join(1), chain);
      await until(() => (network.counters()[code] ?? 0) > 0);
      assert.deepEqual(network.connected(), []);
      assert.equal(nodes[0]!.head.height, 0);
      const honest = syncs[0]!.join(2);
      honest.answer('status', async () => statusOf(10, chain));
      serve(honest, chain, (decision) => decision);
      await until(() => nodes[0]!.head.height === 10);
      assert.deepEqual(network.connected(), [honest.self]);
    });
  }

  for (const [name, answer] of [
    ['is too slow', () => new Promise<Uint8Array>(() => undefined)],
    ['refuses', () => Promise.reject(new PeerError('busy', 'not now'))],
  ] as const) {
    it(`passes over one that ${name}, and takes it from another`, async (t) => {
      const chain = grown(10);
      const { nodes, syncs } = start(t, chain, [0]);
      const idle = syncs[0]!.join(1);
      let asked = 0;
      idle.answer('status', async () => statusOf(10, chain));
      idle.answer('blocks', () => {
        asked++;
        return answer();
      });
      await until(() => asked === 1);
      const honest = syncs[0]!.join(2);
      honest.answer('status', async () => statusOf(10, chain));
      serve(honest, chain, (decision) => decision);
      await until(() => nodes[0]!.head.height === 10);
      assert.equal(syncs[0]!.network.connected().length, 2);
    });
  }

  it('penalises who sends requests that are none, and has nothing beyond its head', async (t) => {
    const chain = grown(2);
    for (const body of [Uint8Array.of(0xff), encodeSyncMessage({ v: 1, from: 0 })]) {
      const { network, join } = start(t, chain, [2]).syncs[0]!;
      const peer = join(1);
      await until(() => peer.connected().length === 1);
      await assert.rejects(peer.request(network.self, 'blocks', body), { name: 'PeerError' });
      assert.equal(network.counters()['sync-malformed'], 1);
      assert.deepEqual(network.connected(), []);
    }
    const { syncs } = start(t, chain, [2]);
    const peer = syncs[0]!.join(1);
    await until(() => peer.connected().length === 1);
    const beyond = encodeSyncMessage({ v: 1, from: 2 ** 40 });
    const none = await peer.request(syncs[0]!.network.self, 'blocks', beyond);
    assert.deepEqual(none, encodeSyncMessage({ v: 1, blocks: [] }));
  });

  it('rejects announcements that are none or of another block', async (t) => {
    const chain = grown(2);
    const { syncs } = start(t, chain, [2]);
    const { self } = syncs[0]!.network;
    for (const [n, body] of [
      [1, Uint8Array.of(7)],
      [2, encodeSyncMessage({ v: 1, height: 2, hash: ZERO })],
    ] as const) {
      const peer = syncs[0]!.join(n);
      await until(() => peer.connected().includes(self));
      await peer.publish('diten/site/blocks', body);
      await until(() => !peer.connected().includes(self));
    }
    assert.equal(syncs[0]!.network.counters()['published-reject'], 2);
  });

  it('waits and tries again where the disk fails', async (t) => {
    const chain = grown(5);
    const { nodes, syncs } = start(t, chain, [0, 0], { ...timing, statusMs: 1e6 });
    let failures = 3;
    const apply = nodes[0]!.applyDecided.bind(nodes[0]);
    nodes[0]!.applyDecided = (decision) => {
      if (failures-- > 0) throw new Error('database or disk is full');
      return apply(decision);
    };
    nodes[1]!.follow(chain);
    syncs[1]!.sync.headMoved();
    await until(() => nodes[0]!.head.height === 5);
    assert.equal(syncs[0]!.events.counts()['sync-failed'], 3);
    assert.equal(syncs[0]!.network.connected().length, 1);
  });
});

const ZERO = '0'.repeat(64) as Digest;

function grown(height: number): ExampleChain {
  const chain = new ExampleChain();
  grow(chain, height);
  return chain;
}

function grow(chain: ExampleChain, blocks: number): void {
  for (let i = 0; i < blocks; i++) {
    chain.commit(chain.sign(operator(0), voucher(chain.decided.length % 50)));
  }
}

/** A first block, with the votes of two of its four validators. */
function tooFewVotes() {
  const chain = new ExampleChain();
  const staged = chain.commit(chain.sign(operator(0), voucher(0)));
  const before = new ExampleChain();
  const commit = encodeCommit(before.commitOf(staged, 2));
  return { block: chain.decided[0]!.block, commit };
}

function statusOf(height: number, chain: ExampleChain | undefined): Uint8Array {
  const hash = chain?.staged[height - 1]?.hash ?? ZERO;
  return encodeSyncMessage({ v: 1, chainId: 'site', height, hash });
}

function serve(
  peer: PeerNetwork,
  chain: ExampleChain,
  shape: (decision: { block: Uint8Array; commit: Uint8Array }) => {
    block: Uint8Array;
    commit: Uint8Array;
  },
): void {
  peer.answer('blocks', async (_from, body) => {
    const request = decodeBlocksRequest(body);
    assert.ok(request.ok);
    const blocks = chain.decided.slice(request.value.from - 1).map(shape);
    return encodeSyncMessage({ v: 1, blocks });
  });
}

function flipped(bytes: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[changed.length >> 1]! ^= 1;
  return changed;
}

/** Nodes with block sync, member `n` up to the nth height; `join` adds a bare peer. */
function start(t: TestContext, chain: ExampleChain, heights: readonly number[], times = timing) {
  const hub = createMemoryNetwork();
  const members = exampleGenesis().validators;
  const peers = new Map(members.map(({ peer }) => [peer, [`/memory/${peer}`]]));
  const join = (n: number) => {
    const network = hub.join({ key: members[n]!.peer, clock: systemClock, log: silentLog });
    network.setPeers(peers);
    t.after(() => network[Symbol.asyncDispose]());
    return network;
  };
  const nodes: StoredNode[] = [];
  const syncs = heights.map((height, n) => {
    const node = new StoredNode(chain, n);
    node.follow(chain, height);
    nodes.push(node);
    const network = join(n);
    const events = createEvents(silentLog, systemClock);
    const options = { network, ledger: node, clock: systemClock, events, timing: times };
    const sync = new BlockSync(options);
    t.after(async () => {
      await sync[Symbol.asyncDispose]();
      node[Symbol.dispose]();
    });
    return { sync, network, events, join };
  });
  return { nodes, syncs };
}
