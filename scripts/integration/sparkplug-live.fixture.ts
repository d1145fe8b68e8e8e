import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { DesiredState } from '#device-agent/control/desired-state.ts';
import { createSimulatedOutput } from '#device-agent/control/simulated-output.ts';
import { type NewSample, openOutbox } from '#device-agent/outbox/outbox.ts';
import { Publisher } from '#device-agent/outbox/publisher.ts';
import { watchPresence } from '#device-agent/presence.ts';
import { openSessionStore } from '#device-agent/sparkplug/session-store.ts';
import { SparkplugEdge } from '#device-agent/sparkplug/sparkplug-edge.ts';
import { startBroker } from '#edge-node/broker/broker.ts';
import { groupAccessRules } from '#edge-node/broker/sparkplug-rules.ts';
import { SparkplugHost } from '#edge-node/sparkplug/sparkplug-host.ts';
import { DesiredPublisher } from '#edge-node/twins/control/desired-publisher.ts';
import { reportedOf } from '#edge-node/twins/thing-facts.ts';
import { TwinHost } from '#edge-node/twins/twin-host.ts';
import { TwinStore } from '#edge-node/twins/twin-store.ts';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { clientIdOf } from '#shared/wire/client-ids.ts';
import { plainTelemetryCodec as codec } from '#shared/wire/telemetry.ts';

const [group, device] = ['lab', 'mote-1'];
export const TEMPERATURE = 'air/temperature';

/** Broker, twins and host application of an edge node. */
export async function startEdgeHalf(root: string, port = 0) {
  await using parts = new AsyncDisposableStack();
  const events = createEvents(log, clock);
  const file = join(mkdtempSync(join(root, 'edge-')), 'twins.sqlite');
  const store = parts.use(new TwinStore(file, { group, nowMs: clock.nowMs() }));
  const sparkplug = {
    ...{ host: { id: 'edge-1', token: 'secret' }, observers: true, operators: true },
  };
  const access = groupAccessRules({ group, isBarred: () => false, sparkplug });
  const limits = { payloadSizeBytesMax: 4 * 2 ** 20, clientsMax: 20 };
  const broker = parts.use(
    await startBroker({ host: '127.0.0.1', port, ...limits, access, events }),
  );
  const mqtt = broker.localClient();
  await TwinHost.start({ store, mqtt, codec, group, twinsMax: 10, clock, events });
  parts.use(await DesiredPublisher.start({ store, mqtt, group, clock, events }));
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const names = { host: 'edge-1', token: 'secret', group, nodesMax: 10 };
  const host = parts.use(new SparkplugHost({ url, ...names, twins: store, clock, events, log }));
  const kept = parts.move();
  const thing = () => store.get(device)!;
  const shown = (path: string) => {
    const found = store.get(device);
    return found && reportedOf(found, path);
  };
  return {
    ...{ store, events, broker, host, url, thing, shown },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A device's outbox, to be there before its agent is. */
export function openBox(root: string) {
  const file = join(mkdtempSync(join(root, 'agent-')), 'outbox.sqlite');
  const limits = { unacknowledgedMax: 1_000_000, acknowledgedKept: 10_000 };
  return { file, outbox: openOutbox({ file, nowMs: 0, ...limits }) };
}

/** The agent's half: control plane and Sparkplug; the durable channel only once it is asked for. */
export async function startAgentHalf(url: string, { file, outbox }: ReturnType<typeof openBox>) {
  await using parts = new AsyncDisposableStack();
  const { epoch } = outbox;
  const properties = [{ property: TEMPERATURE, unit: 'Cel' }];
  const broker = { url, keepaliveSeconds: 5, reconnectPeriodMs: 20, log };
  const mqtt = parts.use(connectMqtt({ ...broker, clientId: device, username: epoch }));
  const actuators = [createSimulatedOutput('led/on', log)];
  const outputs = await DesiredState.start({ mqtt, group, device, actuators, log });
  const fail = (error: unknown) => {
    throw error;
  };
  watchPresence({ mqtt, group, device, presence: { epoch, properties }, clock, log, fail });
  const store = openSessionStore(`${file}.sparkplug`);
  const edge = parts.use(
    new SparkplugEdge({
      ...broker,
      ...{ group, device, properties, outputs, outbox, store, clock, historyPerSecond: 1000 },
    }),
  );
  const kept = parts.move();
  let timeMs = clock.nowMs();
  const measure = (value: number) => {
    timeMs = Math.max(timeMs + 1, clock.nowMs());
    const sample: NewSample = { property: TEMPERATURE, timeMs, value, quality: 'ok' };
    outbox.append([sample]);
    edge.observe([sample], [sample], outbox.counts().produced);
  };
  const publish = (historyPerSecond: number) => {
    const channel = { outbox, mqtt, codec, group, device, clock, log };
    return Publisher.start({ ...channel, historyPerSecond });
  };
  return {
    ...{ edge, measure, publish },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A SCADA tool on the edge node's broker. */
export function connectOperator(url: string) {
  return connectMqtt({
    ...{ url, clientId: clientIdOf('scada', 'operator'), log },
    ...{ keepaliveSeconds: 10, reconnectPeriodMs: 50 },
  });
}
