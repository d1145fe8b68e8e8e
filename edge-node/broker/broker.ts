import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes, type AuthenticateError, type Client, type Subscription } from 'aedes';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import { requireLoopback } from '#runtime/process/loopback-only.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import { clientIdOf } from '#shared/wire/client-ids.ts';
import type { AccessRules } from './access-rules.ts';
import { Gatekeeper } from './gatekeeper.ts';
import { LocalClient } from './local-client.ts';
import { PacketScanner } from './packet-scanner.ts';
import { errorToRefusal, type Refusal, type RefusalCode, RefusalError } from './refusal.ts';
import { cleanSessionPersistence, RetainedMessages } from './retained-messages.ts';
import { type Traffic, TrafficMeter } from './traffic.ts';

const CONNECT_TIMEOUT_MS = 5000;
/** A client that does not take its messages for so long is dropped. */
const DRAIN_TIMEOUT_MS = 20_000;
/** Connections beyond the clients: of those that take over, and of those yet to be refused. */
const SPARE_CONNECTIONS = 32;
const RETAINED_LIMITS = { countMax: 100_000, bytesMax: 256 * 2 ** 20 };

export interface BrokerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly payloadSizeBytesMax: number;
  readonly clientsMax: number;
  readonly access: AccessRules;
  readonly events: Events;
}

export interface ConnectedClient {
  readonly id: string;
  readonly connectedSinceMs: number;
}

export interface BrokerCounters extends Traffic {
  readonly refused: Readonly<Partial<Record<RefusalCode, number>>>;
}

/**
 * The embedded MQTT 3.1.1 broker (aedes), for clean sessions. Retained messages live in memory:
 * whoever published them publishes them again after a restart.
 */
export interface Broker extends AsyncDisposable {
  readonly port: number;
  /** A client in this process; the broker disposes of it at the latest with itself. */
  localClient(): MqttClient;
  clients(): readonly ConnectedClient[];
  /** Ends a device's connections at once, where it has some: it may not be here any more. */
  disconnect(device: string): void;
  counters(): BrokerCounters;
}

/**
 * Starts the broker. Refused clients and messages are events under their {@link RefusalCode}.
 *
 * Errors (exit 78): `insecure-listener`, `port-taken`, `listen-failed`.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  requireLoopback(options.host, 'mqtt.host');
  const broker = new EmbeddedBroker(options);
  await broker.start();
  return broker;
}

class EmbeddedBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #retained = new RetainedMessages(RETAINED_LIMITS);
  readonly #gatekeeper: Gatekeeper;
  readonly #traffic = new TrafficMeter();
  readonly #refused = new Map<RefusalCode, number>();
  readonly #faulty = new WeakSet<Client>();
  readonly #localClients: LocalClient[] = [];
  readonly #aedes: Aedes;
  readonly #server: Server;

  constructor(options: BrokerOptions) {
    const { access, clientsMax } = options;
    this.#options = options;
    this.#gatekeeper = new Gatekeeper({ access, clientsMax, retained: this.#retained });
    this.#aedes = this.#createAedes();
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = clientsMax + SPARE_CONNECTIONS;
    this.#server.on('drop', () => {
      const message = `${this.#server.maxConnections} connections are open already`;
      this.#refuse({ code: 'too-many-connections', message });
    });
  }

  async start(): Promise<void> {
    const { host, port } = this.#options;
    await this.#aedes.listen();
    try {
      this.#server.listen({ host, port });
      await once(this.#server, 'listening');
    } catch (cause) {
      await this.#closeAedes();
      throw toListenError(cause as NodeJS.ErrnoException, host, port);
    }
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  localClient(): MqttClient {
    const { payloadSizeBytesMax, events } = this.#options;
    const client = new LocalClient({
      aedes: this.#aedes,
      retained: this.#retained,
      payloadSizeBytesMax,
      events,
    });
    this.#localClients.push(client);
    return client;
  }

  clients(): readonly ConnectedClient[] {
    return Array.from(this.#gatekeeper.sessions.all(), ({ deviceId, connectedSinceMs }) => ({
      id: deviceId,
      connectedSinceMs,
    }));
  }

  disconnect(device: string): void {
    for (const role of ['device', 'sparkplug'] as const) {
      const client = this.#gatekeeper.sessions.holder(clientIdOf(device, role))?.client;
      if (client === undefined) continue;
      const message = `${device} was suspended or revoked`;
      this.#refuse({ code: 'device-barred', message }, client);
      client.conn.destroy();
    }
  }

  counters(): BrokerCounters {
    return { ...this.#traffic.total(), refused: Object.fromEntries(this.#refused) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#localClients) await client[Symbol.asyncDispose]();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await this.#closeAedes();
    for (const socket of this.#traffic.connections) socket.destroy();
    await closed;
  }

  #closeAedes(): Promise<void> {
    return new Promise((resolve) => {
      this.#aedes.close(resolve);
    });
  }

  #createAedes(): Aedes {
    const gatekeeper = this.#gatekeeper;
    const aedes = new Aedes({
      persistence: cleanSessionPersistence(this.#retained),
      // No limit over all clients: one that reads slowly is not to hold up the others. What is
      // under way is bounded by each sender's own, as nobody is read from before it went through.
      concurrency: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      drainTimeout: DRAIN_TIMEOUT_MS,
      preConnect: (client, packet, done) => {
        gatekeeper.announce(client, packet);
        done(null, true);
      },
      authenticate: (client, _username, _password, done) => {
        void gatekeeper.admit(client).then((admitted) => {
          if (admitted.ok) done(null, true);
          else done(new RefusalError(admitted.error) as AuthenticateError, false);
        });
      },
      authorizePublish: (client, packet, done) => {
        const allowed = gatekeeper.publish(client!, packet);
        if (!allowed.ok) return done(new RefusalError(allowed.error));
        this.#traffic.messageReceived();
        done(null);
      },
      authorizeSubscribe: (client, subscription, done) =>
        done(null, this.#authorizeSubscribe(client, subscription)),
      authorizeForward: (_client, packet) => {
        this.#traffic.messageSent();
        return packet;
      },
    });
    const onFault = (client: Client, error: Error) => this.#onFault(client, error);
    aedes.on('clientError', onFault).on('connectionError', onFault);
    aedes.on('unsubscribe', (filters, client) => gatekeeper.unsubscribed(client, filters));
    return aedes;
  }

  /** `null` grants nothing and lets the client stay (MQTT 3.1.1, 3.9.3: 0x80). */
  #authorizeSubscribe(client: Client, subscription: Subscription): Subscription | null {
    const allowed = this.#gatekeeper.subscribe(client, subscription);
    if (allowed.ok) return subscription;
    this.#refuse(allowed.error, client);
    return null;
  }

  #accept(socket: Socket): void {
    this.#traffic.follow(socket);
    const client = this.#aedes.handle(socket);
    const scanner = new PacketScanner(this.#options.payloadSizeBytesMax);
    // aedes takes a connection's bytes by its `read`, and would gather any size of packet.
    const read = socket.read.bind(socket);
    socket.read = (sizeBytes) => {
      const chunk: Buffer | null = socket.destroyed ? null : read(sizeBytes);
      const fault = chunk === null ? undefined : scanner.scan(chunk);
      if (fault === undefined) return chunk;
      const message = 'a packet was refused by its header, and its connection closed';
      this.#refuse({ code: fault, message }, client);
      socket.destroy();
      return null;
    };
  }

  /** The first fault of a connection ends it; aedes reports it again for all that was under way. */
  #onFault(client: Client, error: Error): void {
    if (this.#faulty.has(client)) return;
    this.#faulty.add(client);
    const refusal = errorToRefusal(error);
    if (refusal !== undefined) this.#refuse(refusal, client);
  }

  #refuse({ code, message }: Refusal, client?: Client): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
    this.#options.events.record('warn', code, { client: client?.id ?? null, reason: message });
  }
}

function toListenError(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  if (cause.code === 'EADDRINUSE') {
    return configurationError(
      'port-taken',
      `${host}:${port}: another program listens here; stop it, or set another port for the broker`,
      cause,
    );
  }
  return configurationError(
    'listen-failed',
    `${host}:${port}: the broker cannot listen here (${cause.message}); set another host or port`,
    cause,
  );
}
