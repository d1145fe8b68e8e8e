import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { collect, until } from '#runtime/mqtt/mqtt-client.contract.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import { createEvents, type Events } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import type { Broker } from './broker.ts';
import { connectedTo, connectTo, openRules, testBroker, trialRules } from './broker-bench.ts';
import {
  connectPacket,
  header,
  openAdmitted,
  openRaw,
  publishPacket,
  subscribePacket,
} from './raw-client.ts';
import type { RefusalCode } from './refusal.ts';

const EPOCH = '0123456789abcdef';
const OTHER_EPOCH = 'fedcba9876543210';
const device = { clientId: 'mote-1', username: EPOCH };
const topic = (channel: string) => `diten/v1/trial/mote-1/${channel}`;
const text = ({ payload }: { payload: Uint8Array }) => new TextDecoder().decode(payload);

describe('broker', { timeout: 40_000 }, () => {
  let events: Events;
  let broker: Broker;
  let host: MqttClient;

  beforeEach(async () => {
    events = createEvents(silentLog, systemClock);
    broker = await testBroker({ access: trialRules, events, clientsMax: 3 });
    host = broker.localClient();
  });
  afterEach(() => broker[Symbol.asyncDispose]());

  const refused = (code: RefusalCode) => until(() => broker.counters().refused[code] === 1);

  it('sends the will of a client that dies, and not of one that says goodbye', async () => {
    const presence = await collect(host, topic('presence'));
    const will = { topic: topic('presence'), payload: 'gone', retain: true };
    const dying = await openAdmitted(broker.port, { ...device, will });
    dying.socket.destroy();
    await until(() => presence.length === 1);
    assert.equal(text(presence[0]!), 'gone');
    assert.equal(presence[0]!.retained, false);

    const polite = await connectedTo(broker, {
      ...device,
      will: { ...will, payload: Buffer.from('not sent') },
    });
    await polite.publish(topic('presence'), Buffer.from('bye'), { qos: 1 });
    await polite[Symbol.asyncDispose]();
    await until(() => broker.clients().length === 0);
    assert.deepEqual(presence.map(text), ['gone', 'bye']);
  });

  it('refuses a second device of a name while the first is connected', async () => {
    await using first = await connectedTo(broker, device);
    const second = connectTo(broker, { ...device, username: OTHER_EPOCH });
    const reasons: (string | undefined)[] = [];
    second.onConnectionChange((_, reason) => reasons.push(reason?.code));
    await until(() => reasons.length > 0);
    assert.deepEqual(reasons, ['identifier-rejected']);
    assert.ok((events.counts()['duplicate-device'] ?? 0) >= 1);
    assert.ok(first.connected);
    await first[Symbol.asyncDispose]();
    await until(() => second.connected);
    await second[Symbol.asyncDispose]();
  });

  it('lets a device that comes back take over from its own dead connection', async () => {
    const presence = await collect(host, topic('presence'));
    const will = { topic: topic('presence'), payload: 'will of the first' };
    const halfOpen = await openAdmitted(broker.port, { ...device, will });
    const back = await connectedTo(broker, device);
    await back.publish(topic('presence'), Buffer.from('back'), { qos: 1 });
    await until(() => presence.length === 2);
    await halfOpen.closed();
    assert.deepEqual(presence.map(text), ['will of the first', 'back']);
    assert.deepEqual(
      broker.clients().map(({ id }) => id),
      ['mote-1'],
    );
    assert.ok(back.connected);
    await back[Symbol.asyncDispose]();
  });

  it('keeps one holder of a name where an end and a beginning meet', async () => {
    const presence = await collect(host, topic('presence'));
    const will = { topic: topic('presence'), payload: 'will' };
    const request = { ...device, will };
    for (let i = 1; i <= 10; i++) {
      const old = await openAdmitted(broker.port, request);
      old.socket.write(subscribePacket([topic('#')]));
      await until(() => old.received().length >= 4 + 5);
      const next = await openRaw(broker.port);
      await meet(old.socket, () => next.socket.write(connectPacket(request)));
      await until(() => next.received().length >= 4);
      const last = await openAdmitted(broker.port, request);
      await Promise.all([old.closed(), next.closed()]);
      assert.equal(broker.clients().length, 1);
      last.socket.destroy();
      await until(() => presence.length === 3 * i && broker.clients().length === 0);
    }
    assert.deepEqual(broker.counters().refused, {});
  });

  it('disconnects a device at once, with its will, and no other', async () => {
    const presence = await collect(host, topic('presence'));
    const will = { topic: topic('presence'), payload: 'gone', retain: true };
    const barred = await openAdmitted(broker.port, { ...device, will });
    await using other = await connectedTo(broker, { ...device, clientId: 'mote-2' });
    const closed = once(barred.socket, 'close');
    broker.disconnect('mote-1');
    broker.disconnect('mote-3');
    await closed;
    await until(() => presence.length === 1);
    await refused('device-barred');
    assert.ok(other.connected);
  });

  it('admits so many clients and no more', async () => {
    for (const clientId of ['a', 'b', 'c']) {
      await openAdmitted(broker.port, { clientId, username: EPOCH });
    }
    const extra = await openRaw(broker.port, connectPacket({ ...device, clientId: 'd' }));
    assert.deepEqual([...(await extra.closed())], [0x20, 2, 0, 3]);
    await refused('too-many-clients');
  });

  for (const [what, change, returnCode, code] of [
    ['a name that is none', { clientId: 'Mote 1' }, 2, 'client-id-invalid'],
    ['no epoch', { username: 'x' }, 4, 'epoch-invalid'],
    ['a session to be kept', { clean: false }, 5, 'session-not-clean'],
    ['no keep-alive', { keepaliveSeconds: 0 }, 5, 'keepalive-invalid'],
    ["another's will", { will: { topic: 'a', payload: '' } }, 5, 'publish-forbidden'],
  ] as const) {
    it(`refuses a CONNECT with ${what}`, async () => {
      const client = await openRaw(broker.port, connectPacket({ ...device, ...change }));
      assert.deepEqual([...(await client.closed())], [0x20, 2, 0, returnCode]);
      await refused(code);
      assert.deepEqual(broker.clients(), []);
    });
  }

  for (const [what, packet, code] of [
    ['to a forbidden topic', publishPacket('a/b', Buffer.from('x')), 'publish-forbidden'],
    ['with QoS 2', publishPacket(topic('data'), Buffer.from('x'), 7), 'qos-unsupported'],
    ['to a wildcard', publishPacket('#', Buffer.from('x')), 'malformed-packet'],
    ['too deep', publishPacket('a/'.repeat(100), Buffer.from('x')), 'malformed-packet'],
  ] as const) {
    it(`drops a client that publishes ${what}`, async () => {
      const all = await collect(host, '#');
      const client = await openAdmitted(broker.port, device);
      client.socket.write(packet);
      await client.closed();
      await refused(code);
      assert.deepEqual(all, []);
    });
  }

  it('grants no subscription outside of a device and no more than a number within', async () => {
    const client = await openAdmitted(broker.port, device);
    const within = Array.from({ length: 33 }, (_, i) => topic(`command/${i}`));
    client.socket.write(subscribePacket(['#', ...within]));
    await until(() => client.received().length >= 4 + 4 + 34);
    const granted = [...client.received().subarray(8)];
    assert.deepEqual(granted, [0x80, ...Array.from({ length: 32 }, () => 1), 0x80]);
    await refused('subscription-forbidden');
    await refused('too-many-subscriptions');
    assert.equal(broker.clients().length, 1);
  });

  it('tells a client of a subscription that was refused', async () => {
    await using client = await connectedTo(broker, device);
    await assert.rejects(
      client.subscribe('diten/v1/trial/mote-2/#', () => undefined),
      { code: 'subscription-refused' },
    );
  });

  it('closes the connection of a malformed packet, and only that', async () => {
    const garbage = await openRaw(broker.port, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await garbage.closed();
    await refused('malformed-packet');
    const half = await openAdmitted(broker.port, device);
    half.socket.write(header(0x82, 1));
    half.socket.write(Buffer.from([0]));
    await half.closed();
    await until(() => broker.counters().refused['malformed-packet'] === 2);
    await (await connectedTo(broker, device))[Symbol.asyncDispose]();
  });

  it('does not read from a device whose messages are still being handled', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let handled = 0;
    await host.subscribe(topic('data'), async () => {
      handled++;
      await released;
    });
    const client = await openAdmitted(broker.port, device);
    const packet = publishPacket(topic('data'), new Uint8Array(2 ** 16));
    const count = 1000;
    for (let i = 0; i < count; i++) client.socket.write(packet);
    await until(() => handled > 0);
    const { bytesReceived } = broker.counters();
    assert.ok(bytesReceived < (count * packet.length) / 10, `${bytesReceived} bytes were read`);
    release();
    await until(() => handled === count);
    client.socket.destroy();
  });

  it('does not blame a client that dies with messages on their way to it', async () => {
    const deaf = await openAdmitted(broker.port, device);
    deaf.socket.write(subscribePacket([topic('#')]));
    await until(() => deaf.received().length >= 4 + 5);
    deaf.socket.pause();
    const payload = new Uint8Array(2 ** 19);
    let taken = 0;
    const sending = Array.from({ length: 100 }, async () => {
      await host.publish(topic('model'), payload);
      taken++;
    });
    await until(() => taken > 0);
    deaf.socket.end();
    await Promise.all(sending);
    await until(() => broker.clients().length === 0);
    deaf.socket.destroy();
    assert.deepEqual(broker.counters().refused, {});
  });

  it('counts what goes over its connections', async () => {
    await using client = await connectedTo(broker, device);
    const messages = await collect(client, topic('committed'));
    await host.publish(topic('committed'), Buffer.from('1'), { qos: 1 });
    await client.publish(topic('data'), new Uint8Array(1000), { qos: 1 });
    await until(() => messages.length === 1);
    const { messagesReceived, messagesSent, bytesReceived, bytesSent } = broker.counters();
    assert.deepEqual([messagesReceived, messagesSent], [1, 1]);
    assert.ok(bytesReceived > 1000 && bytesSent > 0);
  });

  it('refuses what its own process publishes too large', async () => {
    await assert.rejects(host.publish('a', new Uint8Array(2 ** 20 + 1)), {
      code: 'payload-too-large',
    });
  });
});

/** Ends a connection so that the broker sees what `first` sends just before, in the same turn. */
async function meet(ending: Socket, first: () => void): Promise<void> {
  await sleep(2);
  await new Promise(setImmediate);
  setTimeout(first, 0);
  // The timer is due before the next turn; what ends here is sent in it, after the timers.
  const dueMs = performance.now() + 2;
  while (performance.now() < dueMs);
  ending.end();
}

describe('broker: coming and going', { timeout: 40_000 }, () => {
  it('is found again on its port, its subscriptions renewed', async () => {
    const first = await testBroker();
    const { port } = first;
    await using client = await connectedTo(first, { clientId: 'a' });
    const messages = await collect(client, 'x/#');
    const states: boolean[] = [];
    client.onConnectionChange((connected) => states.push(connected));
    await first[Symbol.asyncDispose]();
    await until(() => !client.connected);

    await using second = await testBroker({ port });
    await second.localClient().publish('x/kept', Buffer.from('kept'), { qos: 1, retain: true });
    await until(() => messages.length === 1);
    await second.localClient().publish('x/live', Buffer.from('live'));
    await until(() => messages.length === 2);
    assert.deepEqual(messages.map(text), ['kept', 'live']);
    assert.deepEqual(states, [false, true]);
  });

  it('takes a subscription made before there was a broker', async () => {
    const gone = await testBroker();
    const { port } = gone;
    await gone[Symbol.asyncDispose]();
    await using client = connectTo({ port }, { clientId: 'a' });
    const messages = await collect(client, 'x');
    await using broker = await testBroker({ port });
    await until(() => client.connected && broker.clients().length === 1);
    await client.publish('x', Buffer.from('1'), { qos: 1 });
    await until(() => messages.length === 1);
  });

  it('names the mend where its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await until(() => other.listening);
    const { port } = other.address() as { port: number };
    await assert.rejects(testBroker({ port }), (error: Error & { code: string; exit: number }) => {
      assert.equal(error.code, 'port-taken');
      assert.equal(error.exit, 78);
      assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${port}: .*port`));
      return true;
    });
    other.close();
  });

  it('listens on loopback only', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.5', 'edge.local', '127.evil.example']) {
      await assert.rejects(testBroker({ host }), { code: 'insecure-listener', exit: 78 });
    }
    await (await testBroker({ host: 'localhost', access: openRules }))[Symbol.asyncDispose]();
  });
});
