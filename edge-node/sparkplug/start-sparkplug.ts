import { randomUUID } from 'node:crypto';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { SparkplugAccess } from '../broker/sparkplug-rules.ts';
import type { EdgeConfig } from '../edge-config.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { SparkplugHost } from './sparkplug-host.ts';

/** Whom the node's broker lets in for Sparkplug; the host's token is new with each start. */
export function sparkplugAccess({ id, sparkplug }: EdgeConfig): SparkplugAccess {
  const { enabled, host = id, observers, operators } = sparkplug;
  const own = enabled ? { id: host, token: randomUUID() } : undefined;
  return { host: own, observers, operators };
}

export interface SparkplugHostParts {
  readonly access: SparkplugAccess;
  /** Of the node's own broker. */
  readonly mqttPort: number;
  readonly twins: TwinStore;
  readonly clock: Clock;
  readonly events: Events;
  readonly log: Log;
}

/** Starts the host application; `undefined` where the configuration has none. */
export function startSparkplugHost(
  { group, mqtt, sparkplug }: EdgeConfig,
  { access, mqttPort, ...parts }: SparkplugHostParts,
): SparkplugHost | undefined {
  if (access.host === undefined) return undefined;
  const { id: host, token } = access.host;
  const own = mqtt.host.includes(':') ? `[${mqtt.host}]` : mqtt.host;
  const { url = `mqtt://${own}:${mqttPort}`, nodesMax } = sparkplug;
  return new SparkplugHost({ url, host, token, group, nodesMax, ...parts });
}
