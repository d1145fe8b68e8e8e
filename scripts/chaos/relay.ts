import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Of a slow link, in each direction. */
const SLOW_BYTES_AT_ONCE = 2048;

/**
 * A TCP relay in front of one port, whose connections can be made to fail in the ways a network's
 * do. Everything passes until something is set.
 */
export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  #cut = false;
  #resetNext = false;
  #delayMs = 0;
  #blocked: PromiseWithResolvers<void> | undefined;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(targetPort: number): Promise<Relay> {
    const relay = new Relay(targetPort);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Ends all connections, and each new one, until healed. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets no byte through and ends nothing until healed. */
  block(): void {
    this.#blocked ??= Promise.withResolvers();
  }

  /** Holds every 2 KiB up for so long until healed. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Resets the connection whose bytes come next, in the middle of them. */
  resetNext(): void {
    this.#resetNext = true;
  }

  heal(): void {
    this.#cut = false;
    this.#resetNext = false;
    this.#delayMs = 0;
    this.#blocked?.resolve();
    this.#blocked = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.heal();
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    if (this.#cut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host: '127.0.0.1', port: this.#targetPort, noDelay: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy()); // the one end's trouble is the other's
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      void this.#carry(socket, other);
    }
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        await this.#blocked?.promise;
        if (this.#resetNext) {
          this.#resetNext = false;
          to.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => to.resetAndDestroy());
          from.resetAndDestroy();
          return;
        }
        await this.#pass(chunk, to);
      }
    } catch {
      to.destroy(); // `from` was ended from outside
    }
  }

  async #pass(chunk: Buffer, to: Socket): Promise<void> {
    let at = 0;
    while (at < chunk.length) {
      const end = this.#delayMs > 0 ? at + SLOW_BYTES_AT_ONCE : chunk.length;
      if (this.#delayMs > 0) await sleep(this.#delayMs);
      await this.#blocked?.promise;
      if (to.destroyed) return;
      if (!to.write(chunk.subarray(at, end))) await Promise.race([once(to, 'drain'), closed(to)]);
      at = end;
    }
  }
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.destroyed) await once(socket, 'close');
}
