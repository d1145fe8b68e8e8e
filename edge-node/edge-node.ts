import { systemClock } from '#runtime/clock/system-clock.ts';
import { openDataFolder } from '#runtime/database/data-folder.ts';
import { serveHttp } from '#runtime/http/serve-http.ts';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { createEvents } from '#runtime/observe/events.ts';
import type { Log } from '#runtime/observe/log.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import { taskCodec } from '#shared/wire/learning.ts';
import { plainTelemetryCodec } from '#shared/wire/telemetry.ts';
import { createApi } from './api/api.ts';
import { nodeStatus } from './api/status.ts';
import { deviceAccessRules } from './broker/access-rules.ts';
import { startBroker } from './broker/broker.ts';
import type { EdgeConfig } from './edge-config.ts';
import { Coordinator } from './federation/coordinator.ts';
import { createLearningTask, type LearningTask } from './federation/learning-task.ts';
import { ModelStore } from './federation/model-store.ts';
import { VersionLog } from './federation/version-log.ts';
import { openLedger } from './ledger/ledger.ts';
import { TwinHost } from './twins/twin-host.ts';
import { TwinStore } from './twins/twin-store.ts';

/** Of the newest learning rounds, how many `/status` shows. */
const ROUNDS_SHOWN = 100;

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
  const twins = parts.use(new TwinStore(folder.file('twins.sqlite')));
  const models = parts.use(new ModelStore(folder.file('models.sqlite'), config.models.kept));
  const signer = openSigningKey(folder.file('node-key.pem'));
  const file = folder.file('ledger.sqlite');
  const ledger = parts.use(openLedger({ file, signer, clock, chainId: group }));

  const broker = parts.use(
    await startBroker({ ...config.mqtt, access: deviceAccessRules(group), events }),
  );
  const mqtt = broker.localClient();
  const codec = plainTelemetryCodec;
  const twinsMax = config.twins.max;
  await TwinHost.start({ store: twins, mqtt, codec, group, twinsMax, clock, events });

  const learning = config.learning && createLearningTask(config.learning);
  if (learning) requireFitting(learning, config.mqtt.payloadSizeBytesMax);
  const versions = learning && new VersionLog(ledger, { task: learning, roundsKept: ROUNDS_SHOWN });
  const coordinator =
    config.learning &&
    learning &&
    versions &&
    parts.use(
      await Coordinator.start({
        task: learning,
        rules: config.learning,
        mqtt,
        group,
        twins,
        models,
        versions,
        clock,
        events,
      }),
    );
  const sources = { config, startedMs, clock, twins, coordinator, versions, ledger, events };
  const status = () => nodeStatus(sources);
  const api = createApi({ twins, group, clock, events, status });
  const http = parts.use(await serveHttp(api.fetch, config.http));
  log.info({ api: http.url, mqttPort: broker.port }, 'edge node is up');
  return parts.move();
}

function requireFitting({ message, initialBytes }: LearningTask, sizeBytesMax: number): void {
  const sizeBytes = Math.max(taskCodec.encode(message).length, initialBytes.length + 1024);
  if (sizeBytes <= sizeBytesMax) return;
  throw configurationError(
    'task-too-large',
    `learning: the model needs messages of ${sizeBytes} bytes, mqtt.payloadSizeBytesMax is ` +
      `${sizeBytesMax}; raise it, or make the model smaller (window, hidden)`,
  );
}
