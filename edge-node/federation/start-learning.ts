import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import { taskCodec } from '#shared/wire/learning.ts';
import type { EdgeConfig } from '../edge-config.ts';
import type { PayloadStore } from '../ledger/payloads/payload-store.ts';
import type { TwinPlacement } from '../twins/twin-placement.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { Coordinator } from './coordinator.ts';
import { LearningHost } from './learning-host.ts';
import type { LearningLedger } from './learning-ledger.ts';
import { LearningPeers, serveLearning } from './learning-peers.ts';
import { createLearningTask, type LearningTask } from './learning-task.ts';
import { VersionLog } from './version-log.ts';

/** Of the newest learning rounds, how many `/status` shows. */
const ROUNDS_SHOWN = 100;

export interface StartLearningOptions {
  readonly config: EdgeConfig;
  readonly mqtt: MqttClient;
  readonly twins: TwinStore;
  readonly placement: TwinPlacement;
  readonly ledger: LearningLedger;
  readonly payloads: PayloadStore;
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly events: Events;
}

/** This node's part in learning; it coordinates where its configuration has a task. */
export interface Learning extends AsyncDisposable {
  readonly coordinated: { readonly coordinator: Coordinator; readonly versions: VersionLog } | null;
}

/** Error (exit 78): `task-too-large`. */
export async function startLearning(options: StartLearningOptions): Promise<Learning> {
  const { config, ledger, network, clock, events } = options;
  await using parts = new AsyncDisposableStack();
  const { group } = config;
  const host = parts.use(await LearningHost.start({ ...options, group }));
  serveLearning(network, host);
  const rules = config.learning;
  if (rules === undefined) return started(parts.move(), null);
  const task = createLearningTask(rules);
  requireFitting(task, config.mqtt.payloadSizeBytesMax);
  const versions = new VersionLog(ledger, { task: task.message.task, roundsKept: ROUNDS_SHOWN });
  const peers = parts.use(new LearningPeers(network, { task: versions.task, clock, events }));
  const coordinator = parts.use(
    Coordinator.start({ ...options, task, rules, versions, host, peers }),
  );
  return started(parts.move(), { coordinator, versions });
}

function started(parts: AsyncDisposableStack, coordinated: Learning['coordinated']): Learning {
  return { coordinated, [Symbol.asyncDispose]: () => parts.disposeAsync() };
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
