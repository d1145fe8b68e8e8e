import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { collect, until } from '#runtime/mqtt/mqtt-client.contract.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import type { Broker, BrokerCounters } from './broker.ts';
import { connectedTo, testBroker, trialRules } from './broker-bench.ts';
import {
  connectPacket,
  header,
  openAdmitted,
  openRaw,
  publishPacket,
  subscribePacket,
} from './raw-client.ts';

const EPOCH = '0123456789abcdef';
const topic = (channel: string) => `diten/v1/trial/mote-9/${channel}`;
const will = { topic: topic('presence'), payload: 'gone', retain: true };
const connect = connectPacket({ clientId: 'mote-9', username: EPOCH, will });

const wellFormed = fc.constantFrom(
  connect,
  publishPacket(topic('data'), Buffer.from('data')),
  publishPacket(topic('data'), Buffer.from('data'), 3),
  subscribePacket([topic('#')]),
  header(0xc0, 0),
  Buffer.from([0x40, 2, 0, 1]),
  Buffer.from([0x50, 2, 0, 1]),
  Buffer.from([0x62, 2, 0, 1]),
);

/** Well-formed packets with bytes overwritten, and an end cut off. */
const damaged = fc
  .tuple(
    fc.array(wellFormed, { minLength: 1, maxLength: 4 }),
    fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
    fc.nat(200),
  )
  .map(([packets, changes, length]) => {
    const bytes = Buffer.concat(packets);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.subarray(0, Math.max(1, length));
  });
const noise = fc.uint8Array({ minLength: 1, maxLength: 300 });

describe('broker under abuse', { timeout: 30_000 }, () => {
  let broker: Broker;
  let good: MqttClient;
  before(async () => {
    broker = await testBroker({ access: trialRules });
    good = await connectedTo(broker, { clientId: 'good', username: EPOCH });
  });
  after(async () => {
    await good[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
  });

  for (const [what, bytes] of [
    ['noise', noise.map((tail) => Buffer.from(tail))],
    ['noise after a CONNECT', noise.map((tail) => Buffer.concat([connect, tail]))],
    ['damaged packets', damaged],
    ['damaged packets after a CONNECT', damaged.map((tail) => Buffer.concat([connect, tail]))],
  ] as const) {
    it(`outlives ${what}`, async () => {
      const property = fc.asyncProperty(bytes, async (sent) => {
        const client = await openRaw(broker.port, sent);
        client.socket.end();
        await client.closed();
      });
      await fc.assert(property, { seed: 2, numRuns: 150 });
      await serves(broker, good);
    });
  }

  it('closes at the header of a packet too large, before it takes it in', async () => {
    const announced = 200 * 2 ** 20;
    const client = await openAdmitted(broker.port, { clientId: 'mote-9', username: EPOCH });
    const before = broker.counters();
    client.socket.write(header(0x30, announced));
    const piece = new Uint8Array(2 ** 16);
    for (let sent = 0; sent < announced && client.socket.writable; sent += piece.length) {
      if (!client.socket.write(piece)) await new Promise(setImmediate);
    }
    await client.closed();
    assert.equal(tooLarge(broker.counters()) - tooLarge(before), 1);
    const taken = broker.counters().bytesReceived - before.bytesReceived;
    assert.ok(taken < 2 ** 20, `${taken} bytes were taken in`);
    assert.ok(client.socket.bytesWritten < 2 ** 25, `${client.socket.bytesWritten} were written`);
    await serves(broker, good);
  });

  it('does not gather a CONNECT that is longer than any', async () => {
    const before = tooLarge(broker.counters());
    const client = await openRaw(broker.port, header(0x10, 2 ** 20));
    await client.closed();
    assert.equal(tooLarge(broker.counters()) - before, 1);
  });
});

function tooLarge({ refused }: BrokerCounters): number {
  return refused['payload-too-large'] ?? 0;
}

async function serves(broker: Broker, good: MqttClient): Promise<void> {
  await using host = broker.localClient();
  const messages = await collect(host, 'diten/v1/trial/good/data');
  await good.publish('diten/v1/trial/good/data', Buffer.from('1'), { qos: 1 });
  await until(() => messages.length === 1);
}
