import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { createMemoryNetwork, type MemoryNetwork } from '#runtime/peers/memory-network.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { seededSigner } from '#shared/identity/seeded-signer.ts';
import { CHUNK_SIZE_BYTES, openPayloadDatabase, sha256 } from './payload-file.ts';
import {
  decodePayloadRequest,
  encodePayloadMessage,
  type PayloadAnswer,
} from './payload-message.ts';
import { type PayloadLimits, PayloadStore } from './payload-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-payloads-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

describe('a payload store', () => {
  it('keeps bytes by digest over a restart, and forgets bytes that changed on the disk', (t) => {
    const bytes = randomBytes(CHUNK_SIZE_BYTES + 5);
    const file = newFile();
    const first = open(t, { file });
    const put = first.store.put(bytes);
    assert.ok(put.ok);
    assert.equal(put.value, sha256(bytes));
    first.store[Symbol.dispose]();
    const { store, events } = open(t, { file });
    assert.deepEqual(store.get(put.value), bytes);
    const database = openPayloadDatabase(file);
    database.exec('UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE number = 1');
    database.close();
    assert.equal(store.get(put.value), undefined);
    assert.equal(events.counts()['payload-damaged'], 1);
    assert.ok(!store.has(put.value) && store.totalBytes === 0);
  });

  it('makes room by evicting the oldest that is not pinned, and refuses where all are', (t) => {
    const { store } = open(t, { limits: { totalBytesMax: 250 } });
    const [a, b, c, d] = [1, 2, 3, 4].map((byte) => new Uint8Array(100).fill(byte));
    const digest = (bytes: Uint8Array | undefined) => sha256(bytes!);
    store.pin(digest(a));
    for (const bytes of [a, b, c]) assert.ok(store.put(bytes!).ok);
    assert.deepEqual(
      [a, b, c].map(digest).map((one) => store.has(one)),
      [true, false, true],
    );
    store.pin(digest(c));
    const refused = store.put(d!);
    assert.equal(!refused.ok && refused.error.code, 'payload-store-full');
    store.unpin(digest(a));
    assert.ok(store.put(d!).ok);
    assert.deepEqual(
      [a, b, c, d].map(digest).map((one) => store.has(one)),
      [false, false, true, true],
    );
    assert.ok(store.totalBytes <= 250);
  });

  it('refuses what is too large, and says so where the disk is full', (t) => {
    const file = newFile();
    const { store } = open(t, { file, limits: { payloadBytesMax: 2_000_000 } });
    const large = store.put(new Uint8Array(2_000_001));
    assert.equal(!large.ok && large.error.code, 'payload-too-large');
    const full = open(t, { file: newFile(), pagesMax: 40 });
    const refused = full.store.put(randomBytes(500_000));
    assert.equal(!refused.ok && refused.error.code, 'payload-disk-full');
    assert.equal(full.store.totalBytes, 0);
    assert.ok(full.store.put(randomBytes(5_000)).ok);
  });
});

describe('fetching a payload', () => {
  const bytes = randomBytes(3 * CHUNK_SIZE_BYTES + 100);
  const digest = sha256(bytes);

  it('asks the peers in turn, one fetch for all who ask', async (t) => {
    const { nodes, stores } = await cluster(t, 3);
    stores[2]!.store.put(bytes);
    const fetches = [stores[0]!.store.fetch(digest), stores[0]!.store.fetch(digest)];
    assert.equal(fetches[0], fetches[1]);
    const fetched = await fetches[0]!;
    assert.ok(fetched.ok);
    assert.deepEqual(fetched.value, bytes);
    assert.ok(stores[0]!.store.has(digest));
    assert.equal(nodes[0]!.connected().length, 2);
    const absent = await stores[0]!.store.fetch(sha256(Uint8Array.of(1)));
    assert.equal(!absent.ok && absent.error.code, 'payload-unavailable');
  });

  it('goes on where it stopped, after a restart too', async (t) => {
    const { network, nodes, keys } = await cluster(t, 2, { stores: 0 });
    const asked: number[] = [];
    serve(nodes[1]!, bytes, (answer, offset) => {
      asked.push(offset);
      if (asked.length === 3) network.setLink(keys[0]!, keys[1]!, false);
      return answer;
    });
    const file = newFile();
    const first = open(t, { file, network: nodes[0]! });
    const cut = await first.store.fetch(digest);
    assert.equal(!cut.ok && cut.error.code, 'payload-unavailable');
    first.store[Symbol.dispose]();
    const again = await rejoined(network, nodes);
    const second = open(t, { file, network: again });
    const fetched = await second.store.fetch(digest);
    assert.ok(fetched.ok);
    assert.deepEqual(
      asked,
      [0, 1, 2, 2, 3].map((number) => number * CHUNK_SIZE_BYTES),
    );
  });

  it('refuses what is larger than was said, before it takes any of it in', async (t) => {
    const { stores } = await cluster(t, 2);
    stores[1]!.store.put(bytes);
    const refused = await stores[0]!.store.fetch(digest, bytes.length - 1);
    assert.equal(!refused.ok && refused.error.code, 'payload-unavailable');
    assert.equal(stores[0]!.events.counts()['payload-too-large'], 1);
    assert.equal(stores[0]!.store.totalBytes, 0);
  });

  const lies: [
    string,
    string,
    (answer: PayloadAnswer, offset: number) => PayloadAnswer | Uint8Array,
  ][] = [
    ['a wrong piece', 'payload-wrong', (answer, offset) => (offset > 0 ? flipped(answer) : answer)],
    [
      'a piece too short',
      'payload-malformed',
      (answer) => ({ ...answer, bytes: answer.bytes.subarray(1) }),
    ],
    ['no bytes', 'payload-malformed', (answer) => ({ ...answer, bytes: new Uint8Array(0) })],
    [
      'another size later',
      'payload-size-changed',
      (answer, offset) =>
        offset === 0 ? answer : { ...answer, sizeBytes: answer.sizeBytes! + CHUNK_SIZE_BYTES },
    ],
    ['garbage', 'payload-malformed', () => Uint8Array.of(1, 2, 3)],
    [
      'an unknown field',
      'payload-malformed',
      (answer) => ({ ...answer, more: 1 }) as PayloadAnswer,
    ],
  ];
  for (const [name, code, lie] of lies) {
    it(`penalises who gives ${name}, and takes it from another`, async (t) => {
      const { nodes, stores, keys } = await cluster(t, 3, { stores: 1 });
      // Whoever of the two is asked first.
      let liar: PeerNetwork | undefined;
      for (const node of nodes.slice(1)) {
        serve(node, bytes, (answer, offset) => {
          liar ??= node;
          return liar === node ? lie(answer, offset) : answer;
        });
      }
      const fetched = await stores[0]!.store.fetch(digest);
      assert.ok(fetched.ok);
      assert.deepEqual(fetched.value, bytes);
      assert.equal(nodes[0]!.counters()[code], 1);
      assert.deepEqual(
        nodes[0]!.connected(),
        keys.slice(1).filter((key) => key !== liar!.self),
      );
    });
  }

  it('blames nobody for a mixture, and asks each for the whole', async (t) => {
    const { nodes, stores } = await cluster(t, 3, { stores: 1 });
    // The first to be asked gives a wrong piece and falls silent; the other completes it.
    let first: PeerNetwork | undefined;
    for (const node of nodes.slice(1)) {
      serve(node, bytes, (answer, offset) => {
        first ??= node;
        if (node === first && offset > 0) throw new Error('falls silent');
        return node === first ? flipped(answer) : answer;
      });
    }
    const fetched = await stores[0]!.store.fetch(digest);
    // Asked first again, the liar spoils the second turn no more: pieces are not mixed in it.
    assert.ok(fetched.ok);
    assert.equal(stores[0]!.events.counts()['payload-wrong-digest'], 1);
    assert.equal(nodes[0]!.connected().length, 2);
  });

  it('goes on to the next where one is too slow', async (t) => {
    const { nodes, stores } = await cluster(t, 3, { stores: 1, chunkTimeoutMs: 30 });
    let slow: PeerNetwork | undefined;
    for (const node of nodes.slice(1)) {
      serve(node, bytes, (answer) => {
        slow ??= node;
        return slow === node ? new Promise<PayloadAnswer>(() => undefined) : answer;
      });
    }
    assert.ok((await stores[0]!.store.fetch(digest)).ok);
    assert.equal(stores[0]!.events.counts()['payload-not-given'], 1);
    assert.equal(nodes[0]!.connected().length, 2);
  });

  it('penalises who sends requests that are none', async (t) => {
    const requests = [
      Uint8Array.of(0xff),
      encodePayloadMessage({ v: 1, digest, offset: 0, length: CHUNK_SIZE_BYTES + 1 }),
      encodePayloadMessage({ v: 1, digest, offset: -1, length: 1 }),
    ];
    for (const body of requests) {
      const { nodes, keys } = await cluster(t, 2);
      await assert.rejects(nodes[0]!.request(keys[1]!, 'payload', body), { name: 'PeerError' });
      assert.equal(nodes[1]!.counters()['payload-malformed'], 1);
      assert.deepEqual(nodes[1]!.connected(), []);
    }
  });

  it('serves nothing that was damaged', async (t) => {
    const { nodes, stores } = await cluster(t, 2);
    stores[1]!.store.put(bytes);
    const database = openPayloadDatabase(stores[1]!.file);
    database.exec('UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE number = 0');
    database.close();
    const fetched = await stores[0]!.store.fetch(digest);
    assert.equal(!fetched.ok && fetched.error.code, 'payload-unavailable');
    assert.equal(stores[1]!.events.counts()['payload-damaged'], 1);
    assert.equal(nodes[0]!.connected().length, 1);
  });
});

interface Opened {
  readonly store: PayloadStore;
  readonly events: Events;
  readonly file: string;
}

function newFile(): string {
  return join(folder, `payloads-${files++}.sqlite`);
}

function open(
  t: TestContext,
  options: {
    file?: string;
    network?: PeerNetwork;
    limits?: Partial<PayloadLimits>;
    pagesMax?: number;
  },
): Opened {
  const file = options.file ?? newFile();
  const events = createEvents(silentLog, systemClock);
  const { network, limits } = options;
  const database = openPayloadDatabase(file);
  if (options.pagesMax !== undefined) database.pragma(`max_page_count = ${options.pagesMax}`);
  const store = new PayloadStore({
    ...{ database, events },
    ...(network === undefined ? {} : { network }),
    ...(limits === undefined ? {} : { limits }),
  });
  t.after(() => store[Symbol.dispose]());
  return { store, events, file };
}

async function cluster(
  t: TestContext,
  count: number,
  { stores: storeCount = count, chunkTimeoutMs = 5000 } = {},
) {
  const network = createMemoryNetwork();
  const keys = Array.from({ length: count }, (_, i) => seededSigner(i + 1).publicKey);
  const nodes = keys.map((key) => network.join({ key, clock: systemClock, log: silentLog }));
  const peers = new Map(nodes.map((node) => [node.self, node.addresses]));
  for (const node of nodes) node.setPeers(peers);
  t.after(() => Promise.all(nodes.map((node) => node[Symbol.asyncDispose]())));
  await settled(nodes, count - 1);
  const stores = nodes
    .slice(0, storeCount)
    .map((node) => open(t, { network: node, limits: { chunkTimeoutMs } }));
  return { network, nodes, stores, keys };
}

/** The first node again, with nothing of what it was. */
async function rejoined(
  network: MemoryNetwork,
  nodes: readonly PeerNetwork[],
): Promise<PeerNetwork> {
  const [{ self: key }, other] = [nodes[0]!, nodes[1]!];
  network.setLink(key, other.self, true);
  const again = network.join({ key, clock: systemClock, log: silentLog });
  again.setPeers(new Map([[other.self, other.addresses]]));
  await settled([again], 1);
  return again;
}

async function settled(nodes: readonly PeerNetwork[], peers: number): Promise<void> {
  while (nodes.some((node) => node.connected().length < peers)) await new Promise(setImmediate);
}

/** Answers requests for the payload as a peer that may lie. */
function serve(
  node: PeerNetwork,
  payload: Uint8Array,
  shape: (
    answer: PayloadAnswer,
    offset: number,
  ) => PayloadAnswer | Uint8Array | Promise<PayloadAnswer>,
): void {
  node.answer('payload', async (_from, body) => {
    const request = decodePayloadRequest(body);
    assert.ok(request.ok);
    const { offset, length } = request.value;
    const bytes = payload.subarray(offset, offset + length);
    const shaped = await shape({ v: 1, sizeBytes: payload.length, bytes }, offset);
    return shaped instanceof Uint8Array ? shaped : encodePayloadMessage(shaped);
  });
}

function flipped(answer: PayloadAnswer): PayloadAnswer {
  const bytes = Uint8Array.from(answer.bytes);
  bytes[0]! ^= 1;
  return { ...answer, bytes };
}
