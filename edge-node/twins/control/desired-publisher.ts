import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import { desiredMessage, type Thing } from '#shared/twin/document/thing.ts';
import { ackCodec, desiredCodec } from '#shared/wire/control.ts';
import { deviceOfTopic, everyDevice, topicOf } from '#shared/wire/topics.ts';
import { deviceOf } from '../thing-facts.ts';
import type { TwinStore } from '../twin-store.ts';

const RETRY_MS = 1000;

export interface DesiredPublisherOptions {
  readonly store: TwinStore;
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly clock: Clock;
  readonly events: Events;
}

/**
 * Tells devices what is desired of them, retained and once it is committed, and takes their
 * acknowledgements. What could not be told is tried again, in its newest state: nothing queues up.
 */
export class DesiredPublisher implements Disposable {
  readonly #options: DesiredPublisherOptions;
  /** Devices whose newest state is still to be told, or told again. */
  readonly #untold = new Set<string>();
  readonly #telling = new Set<string>();
  #cancelRetry: () => void = () => undefined;
  #unlisten: () => void = () => undefined;
  #isDisposed = false;

  private constructor(options: DesiredPublisherOptions) {
    this.#options = options;
  }

  /** Begins with what was desired before: the broker has forgotten it. */
  static async start(options: DesiredPublisherOptions): Promise<DesiredPublisher> {
    const publisher = new DesiredPublisher(options);
    const { store, mqtt, group, events } = options;
    publisher.#unlisten = store.onCommit(({ device, thing, effects }) => {
      for (const effect of effects) {
        if (effect.kind === 'publish-desired') publisher.#tell(device, thing);
        else if (effect.kind === 'ignore-acknowledgements') {
          events.record('info', 'acknowledgement-outdated', { device, paths: effect.paths });
        }
      }
    });
    for (const thing of store.all()) {
      if (thing.desiredVersion > 0) publisher.#tell(deviceOf(thing), thing);
    }
    await mqtt.subscribe(everyDevice(group, 'ack'), (message) => publisher.#onAck(message));
    return publisher;
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancelRetry();
    this.#unlisten();
  }

  #tell(device: string, thing: Thing): void {
    if (this.#telling.has(device)) {
      this.#untold.add(device);
      return;
    }
    const { mqtt, group, events } = this.#options;
    this.#untold.delete(device);
    this.#telling.add(device);
    const bytes = desiredCodec.encode(desiredMessage(thing));
    mqtt
      .publish(topicOf(group, device, 'desired'), bytes, { qos: 1, retain: true })
      .then(
        () => true,
        (error: Error) => {
          events.record('warn', 'desired-not-sent', { device, reason: error.message });
          this.#untold.add(device);
          return false;
        },
      )
      .then((sent) => {
        this.#telling.delete(device);
        if (sent) this.#tellNewest(device);
        else this.#retryLater();
      });
  }

  #tellNewest(device: string): void {
    if (this.#isDisposed || !this.#untold.has(device)) return;
    const thing = this.#options.store.current(device);
    if (thing !== undefined) this.#tell(device, thing);
  }

  #retryLater(): void {
    if (this.#isDisposed) return;
    this.#cancelRetry();
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => {
      for (const device of [...this.#untold]) this.#tellNewest(device);
    });
  }

  async #onAck({ topic, payload }: MqttMessage): Promise<void> {
    const { store, clock, events } = this.#options;
    const device = deviceOfTopic(topic);
    const decoded = ackCodec.decode(payload);
    if (device === undefined || !decoded.ok) {
      const reason = decoded.ok ? 'unknown topic' : decoded.error.message;
      events.record('warn', 'message-invalid', { topic, reason });
      return;
    }
    if (store.get(device) === undefined) {
      events.record('info', 'acknowledgement-outdated', { device });
      return;
    }
    const { epoch, acknowledgements } = decoded.value;
    const nowMs = clock.nowMs();
    try {
      await store.changeSoon(device, () => {
        return { kind: 'acknowledged', nowMs, epoch, acknowledgements };
      });
    } catch (error) {
      // The device says it again when it is told what is desired again: it is, until it is kept.
      events.record('error', 'commit-failed', { device, reason: (error as Error).message });
      this.#untold.add(device);
      this.#retryLater();
    }
  }
}
