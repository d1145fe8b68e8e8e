import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { until } from '#runtime/mqtt/mqtt-client.contract.ts';
import type { Broker } from './broker.ts';
import { connectedTo, testBroker } from './broker-bench.ts';
import { openAdmitted, openRaw, subscribePacket } from './raw-client.ts';
import type { RefusalCode } from './refusal.ts';

const refused = (broker: Broker, code: RefusalCode) =>
  until(() => broker.counters().refused[code] === 1);

describe('broker: patience', { timeout: 60_000, concurrency: true }, () => {
  it('drops a connection that says nothing', async () => {
    await using broker = await testBroker();
    const client = await openRaw(broker.port);
    await client.closed();
    await refused(broker, 'connect-timeout');
  });

  it('drops a client that falls silent', async () => {
    await using broker = await testBroker();
    const client = await openAdmitted(broker.port, { clientId: 'a', keepaliveSeconds: 1 });
    await client.closed();
    await refused(broker, 'keepalive-timeout');
  });

  it('serves the others while one does not read, and then drops it', async () => {
    await using broker = await testBroker();
    const host = broker.localClient();
    const deaf = await openAdmitted(broker.port, { clientId: 'deaf', keepaliveSeconds: 300 });
    deaf.socket.write(subscribePacket(['deaf']));
    await until(() => deaf.received().length >= 4 + 5);
    deaf.socket.pause();
    let taken = 0;
    const sending = Array.from({ length: 500 }, async () => {
      await host.publish('deaf', new Uint8Array(2 ** 16));
      taken++;
    });

    await using other = await connectedTo(broker, { clientId: 'other' });
    let answers = 0;
    await other.subscribe('other', () => {
      answers++;
    });
    for (let i = 0; i < 100; i++) await other.publish('other', new Uint8Array(1000), { qos: 1 });
    await until(() => answers === 100);
    assert.ok(taken < sending.length, 'the deaf one held nothing up');

    await Promise.all(sending);
    await refused(broker, 'slow-reader');
    assert.deepEqual(broker.counters().refused, { 'slow-reader': 1 });
    deaf.socket.destroy();
  });
});
