import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { presenceBytes, watchPresence } from '#device-agent/presence.ts';
import { deviceAccessRules } from '#edge-node/broker/access-rules.ts';
import { type Broker, startBroker } from '#edge-node/broker/broker.ts';
import { TwinHost } from '#edge-node/twins/twin-host.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { plainTelemetryCodec as codec } from '#shared/wire/telemetry.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { until } from './deadline.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-presence-'));
const group = 'lab';
let broker: Broker;
let store: TwinStore;

before(async () => {
  const events = createEvents(log, systemClock);
  store = new TwinStore(join(root, 'twins.sqlite'), { group, nowMs: 0 });
  const access = deviceAccessRules(group);
  const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
  broker = await startBroker({ host: '127.0.0.1', port: 0, ...limits, access, events });
  const mqtt = broker.localClient();
  await TwinHost.start({ store, mqtt, codec, group, twinsMax: 10, clock: systemClock, events });
});

after(async () => {
  await broker[Symbol.asyncDispose]();
  store[Symbol.dispose]();
  rmSync(root, { recursive: true });
});

function connect(device: string, epoch: string) {
  const presence = { epoch, properties: [{ property: 'a/b', unit: 'Cel' }] };
  const failures: unknown[] = [];
  const clock = createManualClock();
  const mqtt = connectMqtt({
    url: `mqtt://127.0.0.1:${broker.port}`,
    clientId: device,
    username: epoch,
    keepaliveSeconds: 5,
    reconnectPeriodMs: 20,
    will: {
      topic: topicOf(group, device, 'presence'),
      payload: presenceBytes('offline', presence),
      qos: 1,
      retain: true,
    },
    log,
  });
  watchPresence({
    mqtt,
    group,
    device,
    presence,
    clock,
    log,
    fail: (error) => failures.push(error),
  });
  return { mqtt, clock, failures, [Symbol.asyncDispose]: () => mqtt[Symbol.asyncDispose]() };
}

describe('presence', { timeout: 40_000 }, () => {
  it('brings the twin online with its units', async () => {
    await using _device = connect('mote-1', '0'.repeat(16));
    await until(() => store.get('mote-1')?.presence.online === true);
    assert.deepEqual(store.get('mote-1')?.units, { 'a/b': 'Cel' });
  });

  it('is said again to a store that could not take it', async () => {
    const change = store.change.bind(store);
    store.change = () => {
      store.change = change;
      throw new Error('the disk is full');
    };
    await using _device = connect('mote-3', '3'.repeat(16));
    await until(() => store.get('mote-3')?.presence.online === true);
  });

  it('ends the second of two devices of one name, and leaves the first alone', async () => {
    await using first = connect('mote-2', '1'.repeat(16));
    await until(() => first.mqtt.connected);
    await using second = connect('mote-2', '2'.repeat(16));
    let refused = false;
    second.mqtt.onConnectionChange((_, reason) => {
      refused ||= reason?.code === 'identifier-rejected';
    });
    await until(() => refused);
    assert.deepEqual(second.failures, []);
    second.clock.advance(20_000);
    const [error] = second.failures as { code: string; exit: number; message: string }[];
    assert.ok(error);
    assert.equal(error.code, 'duplicate-device');
    assert.equal(error.exit, 78);
    assert.match(error.message, /mote-2/);
    assert.ok(first.mqtt.connected);
    assert.equal(first.failures.length, 0);
  });
});
