import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { type NewSample, type Outbox, openOutbox } from '#device-agent/outbox/outbox.ts';
import { Publisher } from '#device-agent/outbox/publisher.ts';
import type { QuotaRule } from '#device-agent/outbox/quota.ts';
import { deviceAccessRules } from '#edge-node/broker/access-rules.ts';
import { type Broker, startBroker } from '#edge-node/broker/broker.ts';
import { TwinHost } from '#edge-node/twins/twin-host.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { plainTelemetryCodec as codec } from '#shared/wire/telemetry.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-delivery-'));
after(() => rmSync(root, { recursive: true }));
export const group = 'lab';

/** The edge node's half of the way of a sample, to be stopped and started again. */
export async function startEdge(folder: string, port = 0) {
  await using parts = new AsyncDisposableStack();
  const events = createEvents(log, clock);
  const store = parts.use(new TwinStore(join(folder, 'twins.sqlite'), { group, nowMs: 0 }));
  const access = deviceAccessRules(group);
  const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
  const broker: Broker = parts.use(
    await startBroker({ host: '127.0.0.1', port, ...limits, access, events }),
  );
  const mqtt = broker.localClient();
  await TwinHost.start({ store, mqtt, codec, group, twinsMax: 10, clock, events });
  const kept = parts.move();
  return {
    store,
    events,
    port: broker.port,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A device's half, from the outbox to the broker at `port`. */
export async function startDevice(
  folder: string,
  port: number,
  {
    unacknowledgedMax = 100_000,
    rules = [],
  }: { unacknowledgedMax?: number; rules?: QuotaRule[] } = {},
) {
  await using parts = new AsyncDisposableStack();
  const outbox: Outbox = parts.use(
    openOutbox({
      file: join(folder, 'outbox.sqlite'),
      nowMs: clock.nowMs(),
      unacknowledgedMax,
      acknowledgedKept: 10,
      rules,
    }),
  );
  const mqtt: MqttClient = parts.use(
    connectMqtt({
      url: `mqtt://127.0.0.1:${port}`,
      clientId: 'mote-1',
      username: outbox.epoch,
      keepaliveSeconds: 5,
      reconnectPeriodMs: 20,
      log,
    }),
  );
  const publisher = parts.use(
    await Publisher.start({ outbox, mqtt, codec, group, device: 'mote-1', clock, log }),
  );
  const kept = parts.move();
  return { outbox, mqtt, publisher, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

let time = 0;
/** Newer than all before. */
export function samples(count: number): NewSample[] {
  return Array.from({ length: count }, () => ({
    property: 'environment/temperature',
    timeMs: ++time,
    value: Math.sin(time),
    quality: 'ok',
  }));
}

export function folders() {
  return {
    deviceFolder: mkdtempSync(join(root, 'device-')),
    edgeFolder: mkdtempSync(join(root, 'edge-')),
  };
}
