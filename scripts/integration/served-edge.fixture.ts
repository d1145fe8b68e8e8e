import { join } from 'node:path';
import { type CommandHandler, CommandListener } from '#device-agent/control/command-listener.ts';
import { DesiredState } from '#device-agent/control/desired-state.ts';
import { createSimulatedOutput } from '#device-agent/control/simulated-output.ts';
import { apiOptions } from '#edge-node/api/api.fixture.ts';
import { type ApiOptions, createApi } from '#edge-node/api/api.ts';
import { deviceAccessRules } from '#edge-node/broker/access-rules.ts';
import { startBroker } from '#edge-node/broker/broker.ts';
import { CommandSender } from '#edge-node/twins/control/command-sender.ts';
import { DesiredPublisher } from '#edge-node/twins/control/desired-publisher.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { serveHttp } from '#runtime/http/serve-http.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';

const group = 'lab';

/** Broker, twins and API of an edge node in this process, without ledger and learning. */
export async function startServedEdge(folder: string, given: Partial<ApiOptions> = {}) {
  await using parts = new AsyncDisposableStack();
  const events = createEvents(log, clock);
  const file = join(folder, 'twins.sqlite');
  const store = parts.use(new TwinStore(file, { group, nowMs: clock.nowMs() }));
  const limits = { payloadSizeBytesMax: 2 ** 20, clientsMax: 10 };
  const access = deviceAccessRules(group);
  const broker = parts.use(
    await startBroker({ host: '127.0.0.1', port: 0, ...limits, access, events }),
  );
  const mqtt = broker.localClient();
  parts.use(await DesiredPublisher.start({ store, mqtt, group, clock, events }));
  const commands = parts.use(await CommandSender.start({ mqtt, group, clock, events }));
  const options = apiOptions({ twins: store, commands, events, clock, ...given });
  const http = parts.use(await serveHttp(createApi(options).fetch, { host: '127.0.0.1', port: 0 }));
  const kept = parts.move();
  return {
    ...{ store, url: http.url, port: http.port, mqttPort: broker.port, options },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A device of that edge node, with a simulated output `led/on`. */
export async function startServedDevice(
  mqttPort: number,
  device: string,
  handlers: Readonly<Record<string, CommandHandler>>,
): Promise<AsyncDisposable> {
  const mqtt = connectMqtt({
    url: `mqtt://127.0.0.1:${mqttPort}`,
    ...{ clientId: device, username: '0123456789abcdef', keepaliveSeconds: 5 },
    ...{ reconnectPeriodMs: 20, log },
  });
  const actuators = [createSimulatedOutput('led/on', log)];
  await DesiredState.start({ mqtt, group, device, actuators, log });
  await CommandListener.start({ mqtt, group, device, handlers, log });
  return mqtt;
}
