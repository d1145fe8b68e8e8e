import { systemClock } from '#runtime/clock/system-clock.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import { connectMqtt, type MqttConnectOptions } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { ok } from '#shared/basics/result.ts';
import { type AccessRules, deviceAccessRules } from './access-rules.ts';
import { type Broker, type BrokerOptions, startBroker } from './broker.ts';

/** For tests of what is not access: everybody may do everything. */
export const openRules: AccessRules = {
  connect: () => ok(undefined),
  publish: () => ok(undefined),
  subscribe: () => ok(undefined),
};

export const trialRules: AccessRules = deviceAccessRules('trial');

/** A broker on a free port of this machine, for tests. */
export function testBroker(options: Partial<BrokerOptions> = {}): Promise<Broker> {
  return startBroker({
    host: '127.0.0.1',
    port: 0,
    payloadSizeBytesMax: 2 ** 20,
    clientsMax: 50,
    access: openRules,
    events: createEvents(silentLog, systemClock),
    ...options,
  });
}

type Wanted = Partial<MqttConnectOptions> & { readonly clientId: string };

/** A client of `broker` over TCP that tries again fast; connected or not. */
export function connectTo({ port }: { readonly port: number }, wanted: Wanted): MqttClient {
  return connectMqtt({
    url: `mqtt://127.0.0.1:${port}`,
    keepaliveSeconds: 30,
    reconnectPeriodMs: 10,
    log: silentLog,
    ...wanted,
  });
}

export async function connectedTo(broker: { port: number }, wanted: Wanted): Promise<MqttClient> {
  const client = connectTo(broker, wanted);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.onConnectionChange((connected, reason) =>
    connected ? resolve() : reject(new Error(reason?.message)),
  );
  await promise;
  return client;
}
