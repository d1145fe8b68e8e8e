import { systemClock } from '#runtime/clock/system-clock.ts';
import { openDataFolder } from '#runtime/database/data-folder.ts';
import { isDiskFull } from '#runtime/database/database.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import { connectMqtt } from '#runtime/mqtt/mqtt-js-client.ts';
import type { MqttWill } from '#runtime/mqtt/mqtt-session.ts';
import type { Log } from '#runtime/observe/log.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import { plainTelemetryCodec } from '#shared/wire/telemetry.ts';
import { topicOf } from '#shared/wire/topics.ts';
import type { AgentConfig } from './agent-config.ts';
import type { Actuator } from './control/actuator.ts';
import { createActuators } from './control/actuator-config.ts';
import { CommandListener } from './control/command-listener.ts';
import { DesiredState } from './control/desired-state.ts';
import { Forecaster } from './learning/forecaster.ts';
import { Learner } from './learning/learner.ts';
import { type NewSample, type Outbox, openOutbox } from './outbox/outbox.ts';
import { Publisher } from './outbox/publisher.ts';
import { type PresenceFacts, presenceBytes, watchPresence } from './presence.ts';
import { samplesOf } from './reporting/reporter.ts';
import { startReporting } from './reporting/start-reporting.ts';
import { startSampler } from './sensors/sampler.ts';
import type { Sensor } from './sensors/sensor.ts';
import { createSensors } from './sensors/sensor-config.ts';
import { startSparkplug } from './sparkplug/start-sparkplug.ts';
import { openCheckpointStore } from './training/checkpoint-store.ts';
import { createTemperatureLimit } from './training/temperature-limit.ts';
import { startTrainer, type TrainingBudget } from './training/trainer.ts';

/** How long a stopping agent waits for the edge node to take what the outbox holds. */
const DRAIN_MS = 10_000;
const RECONNECT_PERIOD_MS = 200;

/**
 * Starts one device agent: sensors -> outbox -> MQTT, and learning beside it. Disposal stops the
 * sensors, hands over what the outbox holds where the link allows, and says goodbye.
 */
export async function startDeviceAgent(
  config: AgentConfig,
  { log, fail }: { log: Log; fail: (error: unknown) => void },
): Promise<AsyncDisposable> {
  const clock = systemClock;
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(openDataFolder(config.data));
  const outbox = parts.use(
    openOutbox({ file: folder.file('outbox.sqlite'), nowMs: clock.nowMs(), ...config.outbox }),
  );
  const sensors = await createSensors(config.sensors, outbox);
  const { actuators } = parts.use(await createActuators(config.actuators, log));
  const { id: device, group } = config;
  requireThermometer(config, sensors);
  const presence = presenceFacts(outbox, sensors);
  const will = presenceWill(config, presence);
  const mqtt = parts.use(connect(config, { epoch: outbox.epoch, will, log }));
  const { historyPerSecond } = config.outbox;
  const link = { outbox, mqtt, group, device, clock, log };
  const publishing = { ...link, codec: plainTelemetryCodec, historyPerSecond };
  const publisher = parts.use(await Publisher.start(publishing));
  const outputs = await startControl(config, { mqtt, outbox, actuators, log });
  watchPresence({ mqtt, group, device, presence, clock, log, fail });

  const checkpoints = parts.use(openCheckpointStore(folder.file('checkpoints.sqlite')));
  const trainer = parts.use(startTrainer({ budget: trainingBudget(config, outbox), clock }));
  const { properties } = presence;
  const sparkplug = startSparkplug(config, { properties, outputs, outbox, folder, clock, log });
  const stored = (measured: readonly NewSample[], taken: readonly NewSample[]) => {
    publisher.notify();
    sparkplug?.observe(measured, taken, outbox.counts().produced);
  };
  const forecaster = new Forecaster({
    ...{ outbox, trainer, log },
    onScores: (scores) => stored(scores, scores),
    onModel: (digest) => sparkplug?.showModel(digest),
  });
  parts.use(await Learner.start({ ...link, trainer, checkpoints, forecaster }));
  const reporting = parts.use(startReporting(config.reporting, { ...link, sensors }));
  publisher.onParted(() => reporting.beginAnew());
  const sampler = startSampler({
    ...{ sensors, clock, log },
    sink(readings) {
      const { measured, taken } = reporting.store(readings);
      stored(measured, taken);
      forecaster.observe(readings);
    },
    lost(readings, cause) {
      const samples = readings.flatMap(samplesOf);
      if (isDiskFull(cause)) outbox.abandon(samples);
      reporting.beginAnew(samples.map(({ property }) => property));
      stored(samples, []);
    },
  });
  parts.defer(() => handOver(mqtt, { publisher, will, log }));
  parts.defer(() => forecaster.idle());
  parts.use(sparkplug);
  parts.use(sampler);
  return parts.move();
}

function connect(
  { id, mqtt: { url, keepaliveSeconds } }: AgentConfig,
  { epoch, will, log }: { epoch: string; will: MqttWill; log: Log },
): MqttClient {
  return connectMqtt({
    ...{ url, clientId: id, username: epoch, keepaliveSeconds, will, log },
    reconnectPeriodMs: RECONNECT_PERIOD_MS,
  });
}

function presenceFacts(outbox: Outbox, sensors: readonly Sensor[]): PresenceFacts {
  return {
    get epoch() {
      return outbox.epoch; // another one where the outbox turns out to be brought back from a copy
    },
    properties: sensors.flatMap((each) => each.properties),
  };
}

function presenceWill({ id, group }: AgentConfig, presence: PresenceFacts): MqttWill {
  const payload = presenceBytes('offline', presence);
  return { topic: topicOf(group, id, 'presence'), payload, qos: 1, retain: true };
}

async function startControl(
  { id: device, group }: AgentConfig,
  { mqtt, outbox, actuators, log }: ControlParts,
): Promise<DesiredState> {
  const outputs = await DesiredState.start({ mqtt, group, device, actuators, log });
  const handlers = {
    ping: async (payload: JsonValue) => ({ status: 200, payload }),
    outbox: async () => ({ status: 200, payload: { epoch: outbox.epoch, ...outbox.counts() } }),
  };
  await CommandListener.start({ mqtt, group, device, handlers, log });
  return outputs;
}

function requireThermometer({ training }: AgentConfig, sensors: readonly Sensor[]): void {
  const wanted = training.temperature?.property;
  const given = sensors.flatMap(({ properties }) => properties.map(({ property }) => property));
  if (wanted === undefined || given.includes(wanted)) return;
  throw configurationError(
    'no-thermometer',
    `training.temperature.property: no sensor gives ${wanted}; name one of ${given.join(', ')}`,
  );
}

function trainingBudget({ training }: AgentConfig, outbox: Outbox): TrainingBudget {
  const { cpuShare, temperature } = training;
  if (temperature === undefined) return { cpuShare };
  const { property, celsiusMax } = temperature;
  const readCelsius = () => outbox.measured.newestOf(property, 1)[0]?.value ?? undefined;
  return { cpuShare, mayTrain: createTemperatureLimit({ readCelsius, celsiusMax }) };
}

interface ControlParts {
  readonly mqtt: MqttClient;
  readonly outbox: Outbox;
  readonly actuators: readonly Actuator[];
  readonly log: Log;
}

interface Farewell {
  readonly publisher: Publisher;
  /** Said by the agent itself where it can; the broker keeps it for when it cannot. */
  readonly will: MqttWill;
  readonly log: Log;
}

async function handOver(mqtt: MqttClient, { publisher, will, log }: Farewell): Promise<void> {
  const patience = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => patience.resolve('late'), DRAIN_MS);
  if ((await Promise.race([publisher.drained(), patience.promise])) === 'late') {
    log.warn('stopping with samples the edge node has not acknowledged; they stay in the outbox');
  }
  clearTimeout(timer);
  if (!mqtt.connected) return;
  await mqtt
    .publish(will.topic, will.payload, will)
    .catch((error: Error) => log.warn({ reason: error.message }, 'farewell not sent'));
}
