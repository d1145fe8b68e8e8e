import type { Client, ConnectPacket, Subscription } from 'aedes';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { err, fail, ok, type Result } from '#shared/basics/result.ts';
import type { AccessRules, PublishRequest } from './access-rules.ts';
import type { Refusal } from './refusal.ts';
import type { RetainedMessages } from './retained-messages.ts';
import { Sessions } from './sessions.ts';

const FILTERS_PER_CLIENT_MAX = 32;

export interface GatekeeperOptions {
  readonly access: AccessRules;
  readonly clientsMax: number;
  readonly retained: RetainedMessages;
}

/** Applies the access rules, and the limits on top of them, to who is connected. */
export class Gatekeeper {
  readonly sessions = new Sessions();
  readonly #options: GatekeeperOptions;
  readonly #connects = new WeakMap<Client, ConnectPacket>();

  constructor(options: GatekeeperOptions) {
    this.#options = options;
  }

  /** Keeps what a CONNECT said until it is decided upon. */
  announce(client: Client, packet: ConnectPacket): void {
    this.#connects.set(client, packet);
  }

  /**
   * Decides upon a CONNECT. A device that comes back under the same epoch takes over from its own
   * earlier connection, which may be half open; under another it is a second device of that name.
   */
  async admit(client: Client): Promise<Result<void, Refusal>> {
    const packet = this.#connects.get(client)!;
    const { clientId, username, clean = true, keepalive = 0 } = packet;
    const will = packet.will === undefined ? undefined : toPublishRequest(packet.will);
    const { access, clientsMax } = this.#options;
    const allowed = access.connect({
      clientId,
      username,
      clean,
      keepaliveSeconds: keepalive,
      will,
    });
    if (!allowed.ok) return allowed;

    const epoch = username ?? '';
    const held = this.sessions.holder(clientId);
    if (held !== undefined && held.epoch !== epoch) {
      const message = `${clientId} is connected already, with another outbox; rename one of them`;
      return fail('duplicate-device', message);
    }
    if (held === undefined && this.sessions.size >= clientsMax) {
      return fail('too-many-clients', `${clientsMax} clients are connected already`);
    }
    // aedes does this too, but by name; and where the end of one connection meets the start of the
    // next, it forgets the name's new holder in place of the old.
    if (held !== undefined) await closed(held.client);
    if (client.closed) return ok(undefined);
    const connectedSinceMs = systemClock.nowMs();
    const filters = new Set<string>();
    this.sessions.add({ client, deviceId: clientId, epoch, connectedSinceMs, filters });
    return ok(undefined);
  }

  /** Decides upon a message of a client, or upon its will after it went. */
  publish(client: Client, packet: Message) {
    const request = toPublishRequest(packet);
    const allowed = this.#options.access.publish(client.id, request);
    if (!allowed.ok) return allowed;
    const { topic, retain, sizeBytes } = request;
    if (retain && !this.#options.retained.hasRoom(topic, sizeBytes)) {
      return err<Refusal>({ code: 'retained-full', message: `${topic}: no room to retain this` });
    }
    return ok(undefined);
  }

  subscribe(client: Client, { topic }: Subscription): Result<void, Refusal> {
    const allowed = this.#options.access.subscribe(client.id, topic);
    if (!allowed.ok) return allowed;
    const filters = this.sessions.of(client)?.filters;
    if (filters === undefined || (!filters.has(topic) && filters.size >= FILTERS_PER_CLIENT_MAX)) {
      return fail('too-many-subscriptions', `${FILTERS_PER_CLIENT_MAX} filters are the most`);
    }
    filters.add(topic);
    return ok(undefined);
  }

  unsubscribed(client: Client, filters: readonly string[]): void {
    for (const filter of filters) this.sessions.of(client)?.filters.delete(filter);
  }
}

/** What a PUBLISH and a will have in common. */
type Message = NonNullable<ConnectPacket['will']>;

function toPublishRequest({ topic, payload, qos = 0, retain = false }: Message): PublishRequest {
  return { topic, qos, retain, sizeBytes: Buffer.byteLength(payload) };
}

function closed(client: Client): Promise<void> {
  return new Promise((resolve) => {
    client.close(resolve);
  });
}
