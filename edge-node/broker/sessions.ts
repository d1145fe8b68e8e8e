import type { Client } from 'aedes';

export interface Session {
  readonly client: Client;
  readonly deviceId: string;
  readonly epoch: string;
  readonly connectedSinceMs: number;
  readonly filters: Set<string>;
}

/** Who is connected: the one session that holds each device's name. */
export class Sessions {
  readonly #byDevice = new Map<string, Session>();
  readonly #byClient = new WeakMap<Client, Session>();

  get size(): number {
    return this.#byDevice.size;
  }

  /** The session of a connection, also while its end is being dealt with. */
  of(client: Client): Session | undefined {
    return this.#byClient.get(client);
  }

  holder(deviceId: string): Session | undefined {
    return this.#byDevice.get(deviceId);
  }

  all(): Iterable<Session> {
    return this.#byDevice.values();
  }

  add(session: Session): void {
    const { client, deviceId } = session;
    this.#byDevice.set(deviceId, session);
    this.#byClient.set(client, session);
    client.conn.once('close', () => this.#release(session));
  }

  #release(session: Session): void {
    if (this.#byDevice.get(session.deviceId) === session) this.#byDevice.delete(session.deviceId);
  }
}
