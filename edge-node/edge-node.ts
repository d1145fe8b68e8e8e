import { systemClock } from '#runtime/clock/system-clock.ts';
import { openDataFolder } from '#runtime/database/data-folder.ts';
import { createEvents } from '#runtime/observe/events.ts';
import type { Log } from '#runtime/observe/log.ts';
import { plainTelemetryCodec } from '#shared/wire/telemetry.ts';
import { startApi } from './api/start-api.ts';
import { nodeStatus } from './api/status.ts';
import { startBroker } from './broker/broker.ts';
import { groupAccessRules } from './broker/sparkplug-rules.ts';
import type { EdgeConfig } from './edge-config.ts';
import { startLearning } from './federation/start-learning.ts';
import { EdgeMap } from './forwarding/edge-map.ts';
import { Forwarder } from './forwarding/forwarder.ts';
import { barredBy, isBarred, startLedger } from './ledger/start-ledger.ts';
import { sparkplugAccess, startSparkplugHost } from './sparkplug/start-sparkplug.ts';
import { CommandSender } from './twins/control/command-sender.ts';
import { DesiredPublisher } from './twins/control/desired-publisher.ts';
import { FeedbackHost } from './twins/feedback-host.ts';
import { startBackTestHost } from './twins/prediction/back-test-host.ts';
import { RetentionHost } from './twins/retention/retention-host.ts';
import { TwinHost } from './twins/twin-host.ts';
import { TwinPlacement } from './twins/twin-placement.ts';
import { TwinStore } from './twins/twin-store.ts';

/**
 * Starts one edge node: broker, twins, learning rounds, ledger and HTTP API. Everything it keeps is
 * in its data folder.
 */
export async function startEdgeNode(config: EdgeConfig, log: Log): Promise<AsyncDisposable> {
  const clock = systemClock;
  const startedMs = clock.monotonicMs();
  const events = createEvents(log, clock);
  const { group } = config;
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(openDataFolder(config.data));
  const twins = parts.use(
    new TwinStore(folder.file('twins.sqlite'), {
      ...{ group, nowMs: clock.nowMs(), retention: config.retention },
      sizeBytesMax: config.twins.sizeBytesMax,
    }),
  );
  const { ledger, payloads, network, member } = parts.use(
    await startLedger({ config, folder, clock, events, log }),
  );
  const sparkplugRoles = sparkplugAccess(config);
  const barred = (device: string) => isBarred(ledger.state, device);
  const access = groupAccessRules({ group, isBarred: barred, sparkplug: sparkplugRoles });
  const broker = parts.use(await startBroker({ ...config.mqtt, access, events }));
  const mqtt = broker.localClient();
  ledger.onCommit(({ writes }) => {
    for (const device of barredBy(ledger.state, writes)) broker.disconnect(device);
  });
  const codec = plainTelemetryCodec;
  const twinsMax = config.twins.max;
  await TwinHost.start({ store: twins, mqtt, codec, group, twinsMax, clock, events });
  await startBackTestHost({ store: twins, mqtt, group, events });
  parts.use(await DesiredPublisher.start({ store: twins, mqtt, group, clock, events }));
  parts.use(new RetentionHost({ store: twins, clock, events }));
  parts.use(new FeedbackHost({ store: twins, rules: config.feedback, clock, events }));
  const commands = parts.use(await CommandSender.start({ mqtt, group, clock, events }));
  const placement = parts.use(new TwinPlacement({ ledger: member, twins, clock, events }));
  const learning = parts.use(
    await startLearning({
      ...{ config, mqtt, twins, placement, ledger: member, payloads, network, clock, events },
    }),
  );
  const sources = { config, startedMs, clock, twins, learning, ledger, network, events };
  const host = { access: sparkplugRoles, mqttPort: broker.port, twins, clock, events, log };
  const sparkplug = parts.use(startSparkplugHost(config, host));
  const status = () => ({ ...nodeStatus(sources), sparkplug: sparkplug?.status() ?? null });
  const seenLive = (device: string) => sparkplug?.presenceOf(device);
  const edges = new EdgeMap({ state: ledger.state, self: member.node.name });
  ledger.onCommit(({ writes }) => edges.committed(writes));
  const forwarder = new Forwarder({ network, edges, clock, events });
  const served = { twins, ledger, commands, forwarder, clock, events, status, seenLive };
  const http = parts.use(await startApi({ config, folder, network, ...served }));
  log.info({ api: http.url, mqttPort: broker.port, peers: network.addresses }, 'edge node is up');
  return parts.move();
}
