import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient, OfflineReason } from '#runtime/mqtt/mqtt-client.ts';
import type { Log } from '#runtime/observe/log.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import { type PresenceMessage, presenceCodec } from '#shared/wire/presence.ts';
import { topicOf } from '#shared/wire/topics.ts';

/**
 * How long a broker may go on refusing the device's name before the agent takes it for a mistake
 * and not for its own old connection, which the broker drops after 1.5 keep-alives.
 */
const NAME_REFUSED_MS = 20_000;

export type PresenceFacts = Pick<PresenceMessage, 'epoch' | 'properties'>;

/** The message that says whether the device is there, and what it measures. */
export function presenceBytes(
  state: PresenceMessage['state'],
  { epoch, properties }: PresenceFacts,
): Uint8Array {
  const announced = properties.map(({ property, unit }) => ({ property, unit }));
  return presenceCodec.encode({
    v: 1,
    state,
    epoch,
    properties: state === 'online' ? announced : [],
  });
}

export interface PresenceOptions {
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly device: string;
  readonly presence: PresenceFacts;
  readonly clock: Clock;
  readonly log: Log;
  readonly fail: (error: unknown) => void;
}

/**
 * Announces the device on every connection. Fails with `duplicate-device` (exit 78) where the
 * broker goes on refusing the device's name before it has ever been let in.
 */
export function watchPresence(options: PresenceOptions): void {
  const { mqtt, device, clock, fail } = options;
  let wasOnline = false;
  let cancelVerdict: () => void = () => undefined;

  const onChange = (connected: boolean, reason?: OfflineReason) => {
    cancelVerdict();
    if (connected) {
      wasOnline = true;
      announce(options);
    } else if (reason?.code === 'identifier-rejected' && !wasOnline) {
      cancelVerdict = clock.after(NAME_REFUSED_MS, () => fail(duplicateDevice(device)));
    }
  };
  mqtt.onConnectionChange(onChange);
  if (mqtt.connected) onChange(true);
}

function announce({ mqtt, group, device, presence, log }: PresenceOptions): void {
  const online = presenceBytes('online', presence);
  mqtt
    .publish(topicOf(group, device, 'presence'), online, { qos: 1, retain: true })
    // The link went down again; its return announces again.
    .catch((error: Error) => log.warn({ reason: error.message }, 'presence not announced'));
}

function duplicateDevice(device: string): Error {
  return configurationError(
    'duplicate-device',
    `id: another device is connected as "${device}"; give each board an id of its own`,
  );
}
