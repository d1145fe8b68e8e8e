import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Connection, Libp2p, PrivateKey, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { encodeFrame } from './frames.ts';
import { startLibp2pNetwork } from './libp2p-network.ts';
import { createPeerNode } from './libp2p-node.ts';
import { collect, listOf, until } from './peer-bench.ts';
import { peerKeyOf } from './peer-identity.ts';
import type { PeerKey, PeerNetwork } from './peer-network.ts';

const MESSAGES = '/diten/messages/1';
const MESHSUB = '/meshsub/1.2.0';
const ECHO = '/diten/request/echo/1';
const bytes = (text: string) => new TextEncoder().encode(text);
const noise = (sizeBytes: number) =>
  Uint8Array.from({ length: sizeBytes }, (_, i) => (i === 0 ? 255 : i * 197));

describe('a peer of libp2p that misbehaves', { timeout: 60_000 }, () => {
  let a: PeerNetwork;
  let honest: PeerNetwork;
  let raw: Libp2p;
  let rawKey: PeerKey;
  let privateKey: PrivateKey;
  let link: Connection;

  const open = (number: number) =>
    startLibp2pNetwork({
      seed: new Uint8Array(32).fill(number),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      limits: { redialMsMin: 20, redialMsMax: 200, penaltyMs: 60_000, requestTimeoutMs: 300 },
      clock: systemClock,
      log: silentLog,
    });
  const count = (code: string) => a.counters()[code] ?? 0;

  beforeEach(async () => {
    [a, honest] = [await open(1), await open(2)];
    ({ node: raw, privateKey } = await createPeerNode({
      seed: new Uint8Array(32).fill(3),
      listen: [],
      admits: () => true,
      onRefused: () => undefined,
    }));
    rawKey = peerKeyOf(raw.peerId)!;
    await raw.handle(MESSAGES, (stream) => stream.addEventListener('message', () => undefined));
    a.answer('echo', async (_, body) => body);
    a.setPeers(new Map([[rawKey, []], ...listOf(honest)]));
    honest.setPeers(listOf(a));
    link = await raw.dial(multiaddr(a.addresses[0]!));
    await until(() => a.connected().length === 2);
  });

  afterEach(async () => {
    const received = collect(honest);
    assert.ok(a.send(honest.self, bytes('after')), 'the others go on');
    await until(() => received.length === 1);
    await raw.stop();
    await a[Symbol.asyncDispose]();
    await honest[Symbol.asyncDispose]();
  });

  const isPenalised = () => until(() => !a.connected().includes(rawKey));

  for (const [protocol, code] of [
    [MESSAGES, 'frame-too-large'],
    [ECHO, 'request-too-large'],
    [MESHSUB, 'gossip-frame-wrong'],
  ] as const) {
    it(`is penalised for garbage on ${protocol}`, async () => {
      const stream = await link.newStream(protocol);
      stream.send(noise(100_000));
      await isPenalised();
      assert.equal(count(code), 1);
      const again = await raw.dial(multiaddr(a.addresses[0]!)).catch((error: Error) => error);
      await until(() => count('penalised-refused') === 1);
      if (!(again instanceof Error)) await until(() => again.status !== 'open');
    });
  }

  it('has its half messages counted, and stays', async () => {
    const stream = await link.newStream(MESSAGES);
    stream.send(encodeFrame(noise(1000)).subarray(0, 500));
    await stream.close();
    await until(() => count('frame-truncated') === 1);
    const asked = await link.newStream(ECHO);
    asked.send(encodeFrame(noise(1000)).subarray(0, 3));
    await asked.close();
    await until(() => count('request-broken-off') === 1);
    assert.ok(a.connected().includes(rawKey));
  });

  it('has a request ended that it does not make, or whose answer it does not read', async () => {
    await link.newStream(ECHO);
    await until(() => count('request-broken-off') === 1);
    a.answer('blob', async () => noise(4_000_000));
    const deaf = await link.newStream('/diten/request/blob/1');
    deaf.pause();
    deaf.send(encodeFrame(bytes('x')));
    await until(() => count('answer-undelivered') === 1);
    assert.ok(a.connected().includes(rawKey));
  });

  it('may open streams over and over, of which one is kept', async () => {
    const received = collect(a);
    const streams: Stream[] = [];
    for (let i = 0; i < 50; i++) {
      const stream = await link.newStream(MESSAGES);
      stream.send(encodeFrame(bytes(`${i}`)));
      streams.push(stream);
      await until(() => received.length > i);
    }
    await until(() => streams.slice(0, -1).every(({ status }) => status !== 'open'));
    assert.equal(streams.at(-1)?.status, 'open');
    await assert.rejects(link.newStream('/diten/nothing/1'), { name: 'UnsupportedProtocolError' });
  });

  it('publishes nothing without its own signature, and nothing undecodable', async () => {
    const heard: string[] = [];
    a.subscribe('news', (_, body) => {
      heard.push(new TextDecoder().decode(body));
      return 'accept';
    });
    const stream = await link.newStream(MESHSUB);
    const say = (data: string, rest: Partial<Published>) => ({
      ...{ data: bytes(data), from: identity(rawKey), seqno: noise(8), ...rest },
    });
    const sign = async (message: Published) => {
      const signed = Buffer.concat([bytes('libp2p-pubsub:'), encodePublished(message)]);
      return { ...message, signature: await privateKey.sign(signed) };
    };
    const genuine = await sign(say('genuine', {}));
    for (const message of [
      { data: bytes('anonymous') },
      say('unsigned', {}),
      { ...genuine, data: bytes('altered') },
      { ...genuine, from: identity(honest.self) },
      say('garbled', { from: noise(38), signature: noise(64) }),
      genuine,
    ]) {
      stream.send(prefix(Buffer.concat([Buffer.of(18), prefix(encodePublished(message))])));
    }
    stream.send(prefix(noise(50)));
    await until(() => count('gossip-malformed') > 0);
    assert.deepEqual(heard, ['genuine']);
  });

  it('may send bytes that are no libp2p, and hold sockets open', async () => {
    const port = Number(a.addresses[0]!.split('/').at(-1));
    const sockets = Array.from({ length: 30 }, () => connect(port, '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => undefined);
    for (const socket of sockets.slice(0, 15)) socket.write(noise(10_000));
    const late = await open(4);
    late.setPeers(new Map([[a.self, []]]));
    a.setPeers(new Map([[rawKey, []], ...listOf(honest, late)]));
    await until(() => a.connected().includes(late.self));
    await late[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
  });

  it('may have addresses that are none', async () => {
    const late = await open(4);
    const addresses = ['nonsense', '/ip4/127.0.0.1/tcp/1', '/dns4/x/udp/3', ...late.addresses];
    a.setPeers(new Map([[late.self, addresses], [rawKey, ['']], ...listOf(honest)]));
    late.setPeers(new Map([[a.self, []]]));
    await until(() => a.connected().includes(late.self));
    assert.ok(count('address-malformed') > 0);
    await late[Symbol.asyncDispose]();
  });
});

type Published = Partial<Record<'data' | 'from' | 'seqno' | 'signature', Uint8Array>>;

/** Bytes with their count before them, as a varint; less than 16,384 of them. */
function prefix(body: Uint8Array): Uint8Array {
  const { length } = body;
  return Buffer.concat([Buffer.from(length < 128 ? [length] : [length | 128, length >> 7]), body]);
}

/** A message of gossipsub's RPC in protobuf: from 1, data 2, seqno 3, topic 4, signature 5. */
function encodePublished({ from, data, seqno, signature }: Published): Uint8Array {
  const fields = [from, data, seqno, bytes('news'), signature].map((value, i) =>
    value === undefined
      ? new Uint8Array()
      : Buffer.concat([Buffer.of((i << 3) + 10), prefix(value)]),
  );
  return Buffer.concat(fields);
}

/** The multihash of an Ed25519 peer: identity, 36 bytes, protobuf of type 1 and the key. */
function identity(key: PeerKey): Uint8Array {
  return Buffer.concat([Buffer.of(0, 36, 8, 1, 18, 32), Buffer.from(key, 'hex')]);
}
