import type { Log } from '#runtime/observe/log.ts';
import { BackOff } from './back-off.ts';
import { parseBrokerUrl } from './broker-url.ts';
import type { MqttMessage, OfflineReason } from './mqtt-client.ts';
import { MqttSession, type MqttWill } from './mqtt-session.ts';

export interface MqttLinkOptions {
  /** `mqtt://host:port`; the port is 1883 where there is none. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string;
  readonly keepaliveSeconds: number;
  /** The first wait before another attempt; see {@link BackOff}. */
  readonly reconnectPeriodMs: number;
  readonly log: Log;
}

/** What happens to a link; none of it may throw. */
export interface MqttLinkListener {
  /** It is time to {@link MqttLink.open} the connection. */
  due(): void;
  /** The broker accepted the connection. */
  connected(): void;
  /** The broker granted all that was subscribed to. */
  subscribed(): void;
  message(message: MqttMessage): void;
  /** `isUnsent`: no CONNECT went out, since the broker's host did not answer at all. */
  closed(isUnsent: boolean): void;
}

/** A message to publish: a will, with everything stated. */
export type LinkMessage = Required<MqttWill>;

/**
 * An MQTT 3.1.1 connection whose every CONNECT is the caller's: with a will of its own, and closed
 * with a DISCONNECT or without. Nothing outlives a connection, and nothing is left out of one: when
 * a message cannot go or a subscription is refused, the connection is dropped and begun again.
 *
 * Errors (exit 78): `broker-url-invalid`.
 */
export class MqttLink implements AsyncDisposable {
  readonly #options: MqttLinkOptions & { readonly host: string; readonly port: number };
  readonly #listener: MqttLinkListener;
  readonly #backOff: BackOff;
  #session: MqttSession | undefined;
  #ending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;
  #announced: string | undefined;

  constructor(options: MqttLinkOptions, listener: MqttLinkListener) {
    this.#options = { ...options, ...parseBrokerUrl(options.url) };
    this.#listener = listener;
    this.#backOff = new BackOff(options.reconnectPeriodMs);
  }

  /** Opens the connection with that will; to be called when the listener hears that it is due. */
  open(will: MqttWill): void {
    if (this.#disposed || this.#session !== undefined) return;
    this.#session = new MqttSession(
      { ...this.#options, will },
      {
        connected: () => {
          this.#backOff.connected();
          this.#announce(true);
          this.#listener.connected();
        },
        message: async (message) => this.#listener.message(message),
        closed: (reason) => this.#onClosed(reason),
      },
    );
  }

  /** Makes a connection that could not be asked for due again, later. */
  postpone(): void {
    if (this.#disposed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#listener.due(), this.#backOff.closed());
  }

  /** In the order of the calls. */
  publish({ topic, payload, qos, retain }: LinkMessage): void {
    const session = this.#session;
    session
      ?.publish(topic, payload, { qos, retain })
      .catch((error: Error) => this.#giveUp(session, `${topic}: ${error.message}`));
  }

  /** Asks for messages with QoS 1; the listener hears when they are granted. */
  subscribe(filters: readonly string[]): void {
    const session = this.#session;
    session?.subscribe(filters).then(
      (refused) => {
        if (refused.length > 0) this.#giveUp(session, `${refused.join(', ')} was refused`);
        else if (session === this.#session) this.#listener.subscribed();
      },
      (error: Error) => this.#giveUp(session, error.message),
    );
  }

  /** Ends the connection: with a DISCONNECT after all under way, or so that the will is sent. */
  close({ sendPacket }: { readonly sendPacket: boolean }): void {
    const session = this.#session;
    this.#ending ??= sendPacket ? session?.end() : session?.drop();
  }

  /** Ends the connection, with a DISCONNECT where nothing else was said, for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#timer);
    this.close({ sendPacket: true });
    await this.#ending;
  }

  #giveUp(session: MqttSession, reason: string): void {
    if (session !== this.#session || this.#ending !== undefined) return;
    this.#options.log.warn({ reason }, 'the connection is begun again');
    this.#ending = session.drop();
  }

  #onClosed(reason: OfflineReason): void {
    const isUnsent = this.#session?.reached === false;
    this.#session = undefined;
    if (!this.#disposed) this.#ending = undefined;
    this.#announce(false, reason);
    this.#listener.closed(isUnsent);
    this.postpone();
  }

  #announce(connected: boolean, reason?: OfflineReason): void {
    const state = connected ? 'connected' : reason?.code;
    if (state === this.#announced) return;
    this.#announced = state;
    const { log, clientId } = this.#options;
    log.info({ client: clientId, connected, ...reason }, 'connection to the broker');
  }
}
