import { isTopicFilter } from '#runtime/mqtt/topic.ts';
import { fail, ok, type Result } from '#shared/basics/result.ts';
import { commandOfTopic, commandReplyTopic } from '#shared/wire/command-topics.ts';
import { epochSchema, nameSchema } from '#shared/wire/names.ts';
import { type Channel, topicOf } from '#shared/wire/topics.ts';
import type { Refusal } from './refusal.ts';

export interface ConnectRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  /** Whether the session is to end with the connection. */
  readonly clean: boolean;
  readonly keepaliveSeconds: number;
  readonly will: PublishRequest | undefined;
}

export interface PublishRequest {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly sizeBytes: number;
}

/** Who may do what at the broker. Pure: decides from what it is given. */
export interface AccessRules {
  connect(request: ConnectRequest): Result<void, Refusal>;
  publish(clientId: string, request: PublishRequest): Result<void, Refusal>;
  subscribe(clientId: string, filter: string): Result<void, Refusal>;
}

const PUBLISHED_BY_DEVICES: readonly Channel[] = ['data', 'presence', 'update', 'ack', 'reporting'];
const KEEPALIVE_SECONDS_MAX = 300;
const RETAINED_SIZE_BYTES_MAX = 256 * 2 ** 10;

/**
 * The rules for a group of devices. A device's client id is its name and its user name the epoch of
 * its outbox. It publishes its data, presence (the only one retained), updates, acknowledgements,
 * tests of its reporting and replies to its commands, and subscribes to what is below
 * `diten/v1/{group}/{device}/`. Its will is held to the same. Nobody else is let in, nor a device
 * that `isBarred`: suspended or revoked on the ledger.
 */
export function deviceAccessRules(
  group: string,
  isBarred: (device: string) => boolean = () => false,
): AccessRules {
  const rules: AccessRules = {
    connect(request) {
      const { clientId, username, will } = request;
      if (!nameSchema.safeParse(clientId).success) {
        return fail('client-id-invalid', 'the client id is not a device name; use a-z, 0-9 and -');
      }
      if (isBarred(clientId)) {
        return fail('device-barred', `${clientId} is suspended or revoked; enrol it again`);
      }
      if (!epochSchema.safeParse(username).success) {
        return fail('epoch-invalid', "the user name is not the epoch of the device's outbox");
      }
      const session = checkSession(request);
      return !session.ok || will === undefined ? session : rules.publish(clientId, will);
    },

    publish(device, { topic, qos, retain, sizeBytes }) {
      const channel = PUBLISHED_BY_DEVICES.find((own) => topic === topicOf(group, device, own));
      if (channel === undefined && !isReplyTopic(group, device, topic)) {
        return fail('publish-forbidden', `a device may not publish to ${printable(topic)}`);
      }
      if (qos > 1) return fail('qos-unsupported', `${topic}: publish with QoS 0 or 1`);
      if (retain && (channel !== 'presence' || sizeBytes > RETAINED_SIZE_BYTES_MAX)) {
        return fail('retain-forbidden', `${topic}: ${sizeBytes} bytes may not be retained here`);
      }
      return ok(undefined);
    },

    subscribe(device, filter) {
      const tree = topicOf(group, device, 'data').slice(0, -'data'.length);
      if (filter.startsWith(tree) && isTopicFilter(filter)) return ok(undefined);
      return fail('subscription-forbidden', `${printable(filter)} is not below ${tree}`);
    },
  };
  return rules;
}

function isReplyTopic(group: string, device: string, topic: string): boolean {
  const command = commandOfTopic(topic);
  return command !== undefined && topic === commandReplyTopic(group, device, command.id);
}

/** What every client's CONNECT must have, whoever it is. */
export function checkSession({ clean, keepaliveSeconds }: ConnectRequest): Result<void, Refusal> {
  if (!clean) return fail('session-not-clean', 'sessions are not kept; ask for a clean one');
  if (keepaliveSeconds < 1 || keepaliveSeconds > KEEPALIVE_SECONDS_MAX) {
    const range = `1 to ${KEEPALIVE_SECONDS_MAX} s`;
    return fail('keepalive-invalid', `keep-alive of ${keepaliveSeconds} s; set it to ${range}`);
  }
  return ok(undefined);
}

/** A peer's text, fit for a log line. */
export function printable(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
