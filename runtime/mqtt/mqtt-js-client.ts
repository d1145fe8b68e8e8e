import type { Log } from '#runtime/observe/log.ts';
import { BackOff } from './back-off.ts';
import { parseBrokerUrl } from './broker-url.ts';
import {
  type ConnectionListener,
  type MqttClient,
  MqttError,
  type MqttHandler,
  type MqttMessage,
  type OfflineReason,
  type PublishOptions,
} from './mqtt-client.ts';
import { MqttSession, type MqttSessionOptions, type MqttWill } from './mqtt-session.ts';
import { isTopicFilter, isTopicName, topicMatches } from './topic.ts';

export interface MqttConnectOptions {
  /** `mqtt://host:port`; the port is 1883 where there is none. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  /** What the broker publishes when the connection ends without a graceful disposal. */
  readonly will?: MqttWill;
  readonly keepaliveSeconds: number;
  /** The first wait before another attempt; doubles up to 16 times it, half of it random. */
  readonly reconnectPeriodMs: number;
  readonly log: Log;
}

/**
 * A client over TCP that connects, and connects again, by itself until disposed of; returns at
 * once.
 * Disposal sends DISCONNECT, so that the will is not sent: publish a farewell before.
 *
 * Errors (exit 78): `broker-url-invalid`.
 */
export function connectMqtt(options: MqttConnectOptions): MqttClient {
  return new MqttJsClient(options);
}

class MqttJsClient implements MqttClient {
  readonly #sessionOptions: MqttSessionOptions;
  readonly #backOff: BackOff;
  readonly #log: Log;
  readonly #handlers = new Map<string, MqttHandler[]>();
  readonly #listeners: ConnectionListener[] = [];
  #session: MqttSession;
  #connected = false;
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;
  #announced: string | undefined;

  constructor({ url, reconnectPeriodMs, log, ...rest }: MqttConnectOptions) {
    this.#sessionOptions = { ...rest, ...parseBrokerUrl(url) };
    this.#backOff = new BackOff(reconnectPeriodMs);
    this.#log = log;
    this.#session = this.#connect();
  }

  get connected(): boolean {
    return this.#connected;
  }

  async publish(topic: string, payload: Uint8Array, options: PublishOptions = {}): Promise<void> {
    if (!isTopicName(topic)) throw new MqttError('topic-invalid', `not a topic name: ${topic}`);
    if (!this.connected) {
      throw new MqttError('not-connected', `${topic}: there is no connection to the broker`);
    }
    await this.#session.publish(topic, payload, options);
  }

  async subscribe(filter: string, handler: MqttHandler): Promise<void> {
    if (!isTopicFilter(filter)) {
      throw new MqttError('topic-invalid', `not a topic filter: ${filter}`);
    }
    if (this.#disposed) throw new MqttError('not-connected', `${filter}: the client is closed`);
    this.#handlers.set(filter, [...(this.#handlers.get(filter) ?? []), handler]);
    if (!this.connected || !(await this.#grant([filter])).includes(filter)) return;
    this.#remove(filter, handler);
    throw new MqttError('subscription-refused', `the broker refused a subscription to ${filter}`);
  }

  onConnectionChange(listener: ConnectionListener): void {
    this.#listeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    clearTimeout(this.#timer);
    await this.#session.end();
    this.#handlers.clear();
    this.#announce(false, { code: 'closed', message: 'this client was closed' });
  }

  #remove(filter: string, handler: MqttHandler): void {
    const others = this.#handlers.get(filter)?.filter((other) => other !== handler) ?? [];
    if (others.length > 0) this.#handlers.set(filter, others);
    else this.#handlers.delete(filter);
  }

  #connect(): MqttSession {
    return new MqttSession(this.#sessionOptions, {
      connected: () => this.#onConnected(),
      message: (message) => this.#dispatch(message),
      closed: (reason) => this.#onClosed(reason),
    });
  }

  #onConnected(): void {
    this.#connected = true;
    this.#backOff.connected();
    // The subscriptions go out before anything a listener sends.
    if (this.#handlers.size > 0) void this.#subscribeAgain([...this.#handlers.keys()]);
    this.#announce(true);
  }

  async #subscribeAgain(filters: readonly string[]): Promise<void> {
    for (const filter of await this.#grant(filters)) {
      this.#log.error({ filter }, 'the broker refuses a subscription');
    }
  }

  /** The filters refused. A connection that goes in between is followed by one that asks again. */
  async #grant(filters: readonly string[]): Promise<readonly string[]> {
    try {
      return await this.#session.subscribe(filters);
    } catch (error) {
      this.#log.debug({ err: error }, 'subscribing interrupted');
      return [];
    }
  }

  async #dispatch(message: MqttMessage): Promise<void> {
    const matching = [...this.#handlers]
      .filter(([filter]) => topicMatches(filter, message.topic))
      .flatMap(([, handlers]) => handlers);
    await Promise.all(matching.map((handler) => this.#run(handler, message)));
  }

  async #run(handler: MqttHandler, message: MqttMessage): Promise<void> {
    try {
      await handler(message);
    } catch (error) {
      this.#log.error({ err: error, topic: message.topic }, 'a message was not handled');
    }
  }

  #onClosed(reason: OfflineReason): void {
    const delayMs = this.#backOff.closed();
    this.#connected = false;
    if (this.#disposed) return;
    this.#timer = setTimeout(() => {
      this.#session = this.#connect();
    }, delayMs);
    this.#announce(false, reason);
  }

  #announce(connected: boolean, reason?: OfflineReason): void {
    const state = connected ? 'connected' : reason?.code;
    if (state === this.#announced) return;
    this.#announced = state;
    this.#log.info({ connected, ...reason }, 'connection to the broker');
    for (const listener of this.#listeners) listener(connected, reason);
  }
}
