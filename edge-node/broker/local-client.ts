import type { Aedes, AedesPublishPacket } from 'aedes';
import {
  type ConnectionListener,
  type MqttClient,
  MqttError,
  type MqttHandler,
  type MqttMessage,
  type PublishOptions,
} from '#runtime/mqtt/mqtt-client.ts';
import { isTopicFilter, isTopicName, topicMatches } from '#runtime/mqtt/topic.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { RetainedMessages } from './retained-messages.ts';

const IN_FLIGHT_MAX = 10_000;
const IN_FLIGHT_BYTES_MAX = 256 * 2 ** 20;

export interface LocalClientOptions {
  readonly aedes: Aedes;
  readonly retained: RetainedMessages;
  readonly payloadSizeBytesMax: number;
  readonly events: Events;
}

/**
 * The broker's own process as one of its clients: no TCP, not held to the access rules. A device
 * whose message it handles is not read from again until the handler's promise settles, and a
 * publication resolves when all who get it have taken it.
 */
export class LocalClient implements MqttClient {
  readonly #options: LocalClientOptions;
  readonly #subscriptions = new Map<AedesHandler, string>();
  readonly #listeners: ConnectionListener[] = [];
  #inFlight = 0;
  #inFlightBytes = 0;
  #disposed = false;

  constructor(options: LocalClientOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return !this.#disposed;
  }

  async publish(topic: string, payload: Uint8Array, options: PublishOptions = {}): Promise<void> {
    const { qos = 0, retain = false } = options;
    this.#admit(topic, payload.length, retain);
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#inFlight++;
    this.#inFlightBytes += bytes.length;
    try {
      await this.#send({ cmd: 'publish', topic, payload: bytes, qos, retain, dup: false });
    } finally {
      this.#inFlight--;
      this.#inFlightBytes -= bytes.length;
    }
  }

  async subscribe(filter: string, handler: MqttHandler): Promise<void> {
    if (!isTopicFilter(filter)) {
      throw new MqttError('topic-invalid', `not a topic filter: ${filter}`);
    }
    this.#refuseWhenDisposed(filter);
    const { aedes, retained } = this.#options;
    const deliver: AedesHandler = (packet, done) => {
      if (!topicMatches(filter, packet.topic)) return done();
      void this.#run(handler, toMessage(packet, false)).then(done);
    };
    this.#subscriptions.set(deliver, filter);
    aedes.subscribe(filter, deliver, () => undefined);
    // In the same turn, so that nothing newer comes in between.
    for (const packet of [...retained.matching([filter])]) {
      void this.#run(handler, toMessage(packet, true));
    }
  }

  onConnectionChange(listener: ConnectionListener): void {
    this.#listeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const { aedes } = this.#options;
    for (const [deliver, filter] of this.#subscriptions) {
      aedes.unsubscribe(filter, deliver, () => undefined);
    }
    this.#subscriptions.clear();
    for (const listener of this.#listeners) {
      listener(false, { code: 'closed', message: 'the broker in this process was closed' });
    }
  }

  #admit(topic: string, sizeBytes: number, retain: boolean): void {
    const { payloadSizeBytesMax, retained } = this.#options;
    this.#refuseWhenDisposed(topic);
    if (!isTopicName(topic)) throw new MqttError('topic-invalid', `not a topic name: ${topic}`);
    if (sizeBytes > payloadSizeBytesMax) {
      const sizes = `${sizeBytes} bytes, and the broker takes ${payloadSizeBytesMax}`;
      throw new MqttError('payload-too-large', `${topic}: ${sizes}`);
    }
    if (retain && !retained.hasRoom(topic, sizeBytes)) {
      throw new MqttError('retained-full', `${topic}: the broker has no room to retain this`);
    }
    if (this.#inFlight >= IN_FLIGHT_MAX || this.#inFlightBytes >= IN_FLIGHT_BYTES_MAX) {
      throw new MqttError('congested', `${topic}: ${this.#inFlight} messages are under way; wait`);
    }
  }

  #refuseWhenDisposed(what: string): void {
    if (this.#disposed) throw new MqttError('not-connected', `${what}: the broker is closed`);
  }

  #send(packet: Parameters<Aedes['publish']>[0]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#options.aedes.publish(packet, (error) => {
        if (!error) return resolve();
        reject(new MqttError('connection-lost', `${packet.topic}: the broker closed`, error));
      });
    });
  }

  async #run(handler: MqttHandler, message: MqttMessage): Promise<void> {
    if (this.#disposed) return;
    try {
      await handler(message);
    } catch (error) {
      const facts = { topic: message.topic, reason: (error as Error).message };
      this.#options.events.record('error', 'message-not-handled', facts);
    }
  }
}

type AedesHandler = (packet: AedesPublishPacket, done: () => void) => void;

function toMessage(
  { topic, payload }: { topic: string; payload: Buffer | string },
  retained: boolean,
): MqttMessage {
  return { topic, payload: typeof payload === 'string' ? Buffer.from(payload) : payload, retained };
}
