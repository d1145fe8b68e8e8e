import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { Result } from '#shared/basics/result.ts';
import type { MessageCodec, MessageFailure } from '#shared/wire/message.ts';
import { type PresenceMessage, presenceCodec } from '#shared/wire/presence.ts';
import { type CommittedMessage, committedCodec, type DataMessage } from '#shared/wire/telemetry.ts';
import { deviceOfTopic, everyDevice, topicOf } from '#shared/wire/topics.ts';
import type { Delivery, TwinStore } from './twin-store.ts';

/** How long deliveries gather before they are committed together. */
const GATHER_MS = 4;
const PRESENCE_RETRY_MS = 1000;

export interface TwinHostOptions {
  readonly store: TwinStore;
  readonly mqtt: MqttClient;
  readonly codec: MessageCodec<DataMessage>;
  readonly group: string;
  /** Further devices are refused. */
  readonly twinsMax: number;
  readonly clock: Clock;
  readonly events: Events;
}

/**
 * Hosts the twins of one group: takes what devices publish, commits it in batches, and only then
 * acknowledges it. A device that sends faster than the disk takes it is slowed down by its link.
 */
export class TwinHost {
  readonly #options: TwinHostOptions;
  #pending: (Delivery & { committed: () => void })[] = [];
  #flushing = false;
  /** What devices last said of their presence and is still to be committed. */
  readonly #presence = new Map<string, PresenceMessage>();

  private constructor(options: TwinHostOptions) {
    this.#options = options;
  }

  /** Subscribes to what the group's devices say. */
  static async start(options: TwinHostOptions): Promise<TwinHost> {
    const host = new TwinHost(options);
    const { mqtt, group } = options;
    await mqtt.subscribe(everyDevice(group, 'data'), (message) => host.#onData(message));
    await mqtt.subscribe(everyDevice(group, 'presence'), (message) => host.#onPresence(message));
    return host;
  }

  async #onData({ topic, payload }: MqttMessage): Promise<void> {
    const { clock, codec } = this.#options;
    const received = this.#receive(topic, codec.decode(payload));
    if (received === undefined) return;
    await new Promise<void>((committed) => {
      this.#pending.push({ ...received, committed });
      if (this.#flushing) return;
      this.#flushing = true;
      clock.after(GATHER_MS, () => this.#flush());
    });
  }

  #flush(): void {
    const { store, clock, events } = this.#options;
    const deliveries = this.#pending;
    this.#pending = [];
    this.#flushing = false;
    try {
      for (const { device, committed } of store.commit(deliveries, clock.nowMs())) {
        this.#acknowledge(device, committed);
      }
    } catch (error) {
      // Nothing was acknowledged: the devices keep what they sent and send it again.
      events.record('error', 'commit-failed', { reason: (error as Error).message });
    }
    for (const { committed } of deliveries) committed();
  }

  async #onPresence({ topic, payload }: MqttMessage): Promise<void> {
    const received = this.#receive(topic, presenceCodec.decode(payload));
    if (received === undefined) return;
    const { device, message } = received;
    this.#presence.set(device, message);
    await this.#commitPresence(device, message);
  }

  /** With that of others: after a start of this node all devices come at once. */
  async #commitPresence(device: string, message: PresenceMessage): Promise<void> {
    const { store, clock, events } = this.#options;
    if (this.#presence.get(device) !== message) return; // a newer one came before the retry
    const online = message.state === 'online';
    const units = Object.fromEntries(
      message.properties.map(({ property, unit }) => [property, unit]),
    );
    let before: boolean | undefined;
    try {
      await store.changeSoon(device, ({ thing }) => {
        before = thing?.presence.online;
        if (online) store.samples.beginEpoch(device, message.epoch);
        return { kind: 'presence', online, units, nowMs: clock.nowMs() };
      });
    } catch (error) {
      // Nobody says it again while the connection lasts.
      events.record('error', 'commit-failed', { device, reason: (error as Error).message });
      clock.after(PRESENCE_RETRY_MS, () => void this.#commitPresence(device, message));
      return;
    }
    if (before !== online) {
      events.record('info', online ? 'device-online' : 'device-offline', { device });
    }
    if (this.#presence.get(device) === message) this.#presence.delete(device);
    if (online) this.#acknowledge(device, store.committed(device, message.epoch));
  }

  #receive<T>(
    topic: string,
    decoded: Result<T, MessageFailure>,
  ): { device: string; message: T } | undefined {
    const { store, twinsMax, events } = this.#options;
    const device = deviceOfTopic(topic);
    if (device === undefined || !decoded.ok) {
      const reason = decoded.ok ? 'unknown topic' : decoded.error.message;
      events.record('warn', 'message-invalid', { topic, reason });
      return undefined;
    }
    if (store.get(device) === undefined && store.size >= twinsMax) {
      events.record('warn', 'too-many-twins', { device, twinsMax });
      return undefined;
    }
    return { device, message: decoded.value };
  }

  #acknowledge(device: string, committed: CommittedMessage): void {
    const { mqtt, group, events } = this.#options;
    mqtt
      .publish(topicOf(group, device, 'committed'), committedCodec.encode(committed), {
        qos: 1,
        retain: true,
      })
      .catch((error: Error) => {
        // The device asks again by sending again.
        events.record('warn', 'acknowledgement-not-sent', { device, reason: error.message });
      });
  }
}
