import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ErrorWithReasonCode,
  ErrorWithSubackPacket,
  type IClientPublishOptions,
  MqttClient as MqttJs,
} from 'mqtt';
import {
  MqttError,
  type MqttMessage,
  type OfflineCode,
  type OfflineReason,
} from './mqtt-client.ts';
import { ReadGate } from './read-gate.ts';

const CONNECT_TIMEOUT_MS = 5000;
/** How long a graceful end waits for what is under way. */
const END_TIMEOUT_MS = 1000;
const IN_FLIGHT_MAX = 1000;
const IN_FLIGHT_BYTES_MAX = 64 * 2 ** 20;

export interface MqttWill {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
}

export interface MqttSessionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly will?: MqttWill | undefined;
  readonly keepaliveSeconds: number;
}

export interface MqttSessionListener {
  connected(): void;
  /** Settles when the message is done with; never rejects. */
  message(message: MqttMessage): Promise<void>;
  /** Once, whether there was a connection or not. */
  closed(reason: OfflineReason): void;
}

/** The reason codes of a refused CONNECT: MQTT 3.1.1, 3.2.2.3. */
const refusals: Readonly<Record<number, OfflineCode>> = {
  1: 'protocol-refused',
  2: 'identifier-rejected',
  3: 'server-unavailable',
  4: 'credentials-refused',
  5: 'not-authorised',
};

/**
 * One connection, from the attempt to its end, over MQTT.js (MQTT 3.1.1, clean session). Each has
 * an MQTT.js client of its own: nothing queued or half sent outlives its connection.
 */
export class MqttSession {
  readonly #client: MqttJs;
  readonly #listener: MqttSessionListener;
  readonly #gate = new ReadGate();
  readonly #inFlight = new Set<{ readonly sizeBytes: number; fail(error: MqttError): void }>();
  readonly #closed = Promise.withResolvers<void>();
  #socket!: Socket;
  #inFlightBytes = 0;
  #connected = false;
  #reached = false;
  #failure: Error | undefined;

  constructor(options: MqttSessionOptions, listener: MqttSessionListener) {
    this.#listener = listener;
    this.#client = new MqttJs(() => this.#openSocket(options), toMqttJsOptions(options));
    this.#client.handleMessage = ({ topic, payload, retain }, done) => {
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
      this.#gate.hold(listener.message({ topic, payload: bytes, retained: retain }));
      this.#gate.whenOpen(done);
    };
    this.#client.on('connect', () => {
      this.#connected = true;
      listener.connected();
    });
    this.#client.on('error', (error) => {
      this.#failure ??= error;
      this.#socket.destroy();
    });
    this.#awaitPingAnswers();
  }

  /** Errors: {@link MqttError} `congested`, `connection-lost`. */
  publish(topic: string, payload: Uint8Array, options: IClientPublishOptions): Promise<void> {
    const sizeBytes = payload.length;
    if (this.#inFlight.size >= IN_FLIGHT_MAX || this.#inFlightBytes >= IN_FLIGHT_BYTES_MAX) {
      const message = `${topic}: ${this.#inFlight.size} messages are under way already; wait`;
      return Promise.reject(new MqttError('congested', message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const answered = this.#gate.expectAnswer();
    const entry = { sizeBytes, fail: reject };
    const settle = (error?: Error) => {
      if (!this.#inFlight.delete(entry)) return;
      this.#inFlightBytes -= sizeBytes;
      answered();
      if (error) reject(lost(topic, error));
      else resolve();
    };
    this.#inFlight.add(entry);
    this.#inFlightBytes += sizeBytes;
    this.#client.publish(topic, asBuffer(payload), options, settle);
    return promise;
  }

  /** Resolves with the filters the broker refused. Errors: {@link MqttError} `connection-lost`. */
  async subscribe(filters: readonly string[]): Promise<readonly string[]> {
    const answered = this.#gate.expectAnswer();
    try {
      await this.#client.subscribeAsync([...filters], { qos: 1 });
      return [];
    } catch (error) {
      const granted = error instanceof ErrorWithSubackPacket ? error.packet?.granted : undefined;
      if (granted === undefined) throw lost(filters.join(' '), error);
      return filters.filter((_, i) => Number(granted[i]) >= 0x80);
    } finally {
      answered();
    }
  }

  /** Sends DISCONNECT after what is under way, so that the will is not sent. */
  async end(): Promise<void> {
    if (this.#connected) {
      this.#client.end();
      await Promise.race([this.#closed.promise, sleep(END_TIMEOUT_MS, undefined, { ref: false })]);
    }
    this.#socket.destroy();
    await this.#closed.promise;
  }

  /** Closes the connection without a DISCONNECT, so that the broker sends the will. */
  async drop(): Promise<void> {
    this.#socket.destroy();
    await this.#closed.promise;
  }

  /** Whether the broker's host took the connection: only then may a CONNECT have gone out. */
  get reached(): boolean {
    return this.#reached;
  }

  #openSocket({ host, port }: MqttSessionOptions): Socket {
    this.#socket = connectTcp({ host, port, noDelay: true });
    this.#socket.once('connect', () => {
      this.#reached = true;
    });
    this.#socket.once('close', () => this.#onClose());
    return this.#socket;
  }

  #onClose(): void {
    const reason = offlineReason(this.#failure, this.#connected);
    this.#connected = false;
    for (const entry of this.#inFlight) {
      entry.fail(new MqttError('connection-lost', reason.message, this.#failure));
    }
    this.#inFlight.clear();
    this.#closed.resolve();
    this.#listener.closed(reason);
  }

  #awaitPingAnswers(): void {
    let answered: (() => void) | undefined;
    this.#client.on('packetsend', ({ cmd }) => {
      if (cmd === 'pingreq') answered ??= this.#gate.expectAnswer();
    });
    this.#client.on('packetreceive', ({ cmd }) => {
      if (cmd !== 'pingresp') return;
      answered?.();
      answered = undefined;
    });
  }
}

function toMqttJsOptions(options: MqttSessionOptions) {
  const { clientId, username, password, will, keepaliveSeconds } = options;
  return {
    clientId,
    keepalive: keepaliveSeconds,
    clean: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined ? {} : { will: toMqttJsWill(will) }),
  };
}

function toMqttJsWill({ topic, payload, qos = 0, retain = false }: MqttWill) {
  return { topic, payload: asBuffer(payload), qos, retain };
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function lost(what: string, cause: unknown): MqttError {
  return new MqttError('connection-lost', `${what}: the connection to the broker went`, cause);
}

function offlineReason(failure: Error | undefined, wasConnected: boolean): OfflineReason {
  if (failure instanceof ErrorWithReasonCode && !wasConnected) {
    const code = refusals[failure.code] ?? 'protocol-refused';
    return { code, message: `the broker refused the connection: ${code}` };
  }
  const detail = failure === undefined ? 'the broker closed it' : describe(failure);
  return wasConnected
    ? { code: 'connection-lost', message: `the connection to the broker went: ${detail}` }
    : { code: 'unreachable', message: `no connection to the broker: ${detail}` };
}

function describe(error: Error & { code?: unknown }): string {
  return error.message || String(error.code ?? error.name);
}
