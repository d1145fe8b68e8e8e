import { connect, type Socket } from 'node:net';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

export interface HttpTurn {
  readonly latenciesMs: readonly number[];
  readonly seconds: number;
}

/**
 * Loads an HTTP server over keep-alive connections, one request at a time on each. A client of its
 * own, for those of Node take more of the machine than what they measure.
 *
 * @param request - The n-th request over all connections.
 */
export async function loadHttp(
  port: number,
  request: (n: number) => HttpRequest,
  { seconds, connections }: { seconds: number; connections: number },
): Promise<HttpTurn> {
  const latenciesMs: number[] = [];
  let made = 0;
  const startMs = performance.now();
  const endMs = startMs + 1000 * seconds;
  const loads = Array.from({ length: connections }, async () => {
    using connection = await KeptConnection.open(port);
    for (let sentMs = performance.now(); sentMs < endMs; sentMs = performance.now()) {
      const status = await connection.call(request(made++));
      if (status >= 300) throw new Error(`HTTP status ${status} to ${request(made - 1).path}`);
      latenciesMs.push(performance.now() - sentMs);
    }
  });
  await Promise.all(loads);
  return { latenciesMs, seconds: (performance.now() - startMs) / 1000 };
}

/** One HTTP/1.1 connection (RFC 9112) for answers with a Content-Length, or none. */
class KeptConnection implements Disposable {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #answer: ((status: number) => void) | undefined;
  #fail: (error: Error) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  static open(port: number): Promise<KeptConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new KeptConnection(socket)));
    });
  }

  /** Resolves with the status when the answer is there whole. */
  call({ method, path, body }: HttpRequest): Promise<number> {
    const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
    const type = body === undefined ? [] : ['Content-Type: application/json'];
    const head = [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...type, ...length, '', ''];
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
      this.#socket.write(`${head.join('\r\n')}${body ?? ''}`);
    });
  }

  [Symbol.dispose](): void {
    this.#fail = () => undefined;
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end);
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined && status !== 204) {
      this.#fail(new Error(`an answer without a length: ${head.slice(0, 100)}`));
      return;
    }
    const size = end + 4 + Number(length ?? 0);
    if (this.#received.length < size) return;
    this.#received = this.#received.subarray(size);
    this.#answer?.(status);
  }
}
