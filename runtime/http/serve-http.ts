import { createServer, type ServerResponse, STATUS_CODES } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { isLoopback } from '#runtime/process/loopback-only.ts';
import { configurationError } from '#runtime/process/program-error.ts';

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

/** A request handler in the shape of the web platform's fetch. */
export type FetchHandler = (
  request: Request,
  connection: HttpConnection,
) => Response | Promise<Response>;

/** What a request came on. */
export interface HttpConnection {
  /** Ends it at once, whatever is under way. */
  cutOff(): void;
}

export interface HttpListener {
  readonly host: string;
  readonly port: number;
  /** Whether the handler asks for tokens; else it is served on loopback only. */
  readonly isGuarded?: boolean;
}

/** How long a client may take, in ms. */
export interface HttpPatience {
  readonly headersMs: number;
  /** Headers and body. */
  readonly requestMs: number;
}

const patience: HttpPatience = { headersMs: 10_000, requestMs: 30_000 };
const CONNECTIONS_MAX = 1000;

/**
 * Serves HTTP/1.1 until disposed of; who sends too slowly is cut off. What is no request at all is
 * answered as the handler would: with `status`, `error`, `message` and `description`.
 *
 * Errors (exit 78): `insecure-listener`, `port-taken`, `listen-failed`.
 */
export async function serveHttp(
  fetch: FetchHandler,
  { host, port, isGuarded = false }: HttpListener,
  { headersMs, requestMs } = patience,
): Promise<HttpServer> {
  if (!isGuarded && !isLoopback(host)) {
    throw configurationError(
      'insecure-listener',
      `http.host: ${host} is open to other machines, and nobody has a token; make one with ` +
        'diten token new, or set it to 127.0.0.1',
    );
  }
  const server = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: Math.min(1000, headersMs),
    },
    getRequestListener(
      (request, env) => {
        const { outgoing } = env as { outgoing: ServerResponse };
        return fetch(request, { cutOff: () => outgoing.destroy() });
      },
      { hostname: host, errorHandler: () => Response.json(malformed, { status: 400 }) },
    ),
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.on('clientError', refuse);
  server.listen(port, host);
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(toProgramError(cause, host, port)),
    );
  });
  const address = server.address() as { port: number };
  const shown = isIP(host) === 6 ? `[${host}]` : host;
  return {
    port: address.port,
    url: `http://${shown}:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What the parser of Node.js refuses, by its codes; all else is malformed. */
const refusals: Readonly<Record<string, object>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    error: 'api:headers.toolarge',
    message: 'The URL and the headers are too large.',
    description: 'Send at most 16 KiB of both together.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    error: 'api:request.timeout',
    message: 'The request did not arrive in time.',
    description: 'Send it without long pauses.',
  },
};
const malformed = {
  status: 400,
  error: 'api:request.malformed',
  message: 'This is no HTTP request.',
  description: 'See RFC 9112 for what is.',
};

function refuse({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const answer = refusals[code] ?? malformed;
  const { status } = answer as typeof malformed;
  const body = JSON.stringify(answer);
  const headers = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function toProgramError(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  return cause.code === 'EADDRINUSE'
    ? configurationError(
        'port-taken',
        `HTTP port ${port} on ${host} is taken; stop what uses it, or set another http.port`,
        cause,
      )
    : configurationError(
        'listen-failed',
        `cannot listen for HTTP on ${host}:${port} (${cause.message}); correct http.host or ` +
          'http.port',
        cause,
      );
}
