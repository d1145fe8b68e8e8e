import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import { reportingCodec } from '#shared/wire/reporting.ts';
import { deviceOfTopic, everyDevice } from '#shared/wire/topics.ts';
import type { TwinStore } from '../twin-store.ts';

export interface BackTestHostOptions {
  readonly store: TwinStore;
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly events: Events;
}

/** Keeps what devices say of how far their twins go astray in silence. */
export async function startBackTestHost(options: BackTestHostOptions): Promise<void> {
  const { mqtt, group } = options;
  await mqtt.subscribe(everyDevice(group, 'reporting'), (message) => keep(message, options));
}

function keep({ topic, payload }: MqttMessage, { store, events }: BackTestHostOptions): void {
  const device = deviceOfTopic(topic);
  const decoded = reportingCodec.decode(payload);
  // A device announces itself first: one without a thing is one too many.
  const isKnown = device !== undefined && store.current(device) !== undefined;
  if (!isKnown || !decoded.ok) {
    const reason = decoded.ok ? 'no such device' : decoded.error.message;
    events.record('warn', 'message-invalid', { topic, reason });
    return;
  }
  try {
    store.tracks.saveTests(device, decoded.value.tests);
  } catch (error) {
    // The device says it anew with its next test.
    events.record('error', 'commit-failed', { device, reason: (error as Error).message });
  }
}
