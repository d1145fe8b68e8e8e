import type { Clock } from '#runtime/clock/clock.ts';
import type { DataFolder } from '#runtime/database/data-folder.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { AgentConfig } from '../agent-config.ts';
import type { Outputs } from '../control/desired-state.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { PropertyDescriptor } from '../sensors/sensor.ts';
import { openSessionStore } from './session-store.ts';
import { SparkplugEdge } from './sparkplug-edge.ts';

const RECONNECT_PERIOD_MS = 200;

export interface SparkplugParts {
  readonly folder: DataFolder;
  readonly outbox: Outbox;
  readonly outputs: Outputs;
  readonly properties: readonly PropertyDescriptor[];
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Starts the agent as an edge node of Sparkplug; `undefined` where the configuration has none.
 *
 * Errors: those of `openDatabase`.
 */
export function startSparkplug(
  { id: device, group, mqtt, sparkplug }: AgentConfig,
  { folder, ...parts }: SparkplugParts,
): SparkplugEdge | undefined {
  if (!sparkplug.enabled) return undefined;
  const { url = mqtt.url, primaryHost, historyPerSecond } = sparkplug;
  const store = openSessionStore(folder.file('sparkplug.sqlite'));
  const { keepaliveSeconds } = mqtt;
  return new SparkplugEdge({
    ...{ url, keepaliveSeconds, group, device, primaryHost, historyPerSecond, store },
    reconnectPeriodMs: RECONNECT_PERIOD_MS,
    ...parts,
  });
}
