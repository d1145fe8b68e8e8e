import type { Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { serve } from '@hono/node-server';
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

/**
 * Serves HTTP/1.1 until disposed of; slow and idle clients are cut off after 30 s.
 *
 * Errors (exit 78): `insecure-listener`, `port-taken`, `listen-failed`.
 */
export async function serveHttp(
  fetch: FetchHandler,
  { host, port, isGuarded = false }: HttpListener,
): Promise<HttpServer> {
  if (!isGuarded && !isLoopback(host)) {
    throw configurationError(
      'insecure-listener',
      `http.host: ${host} is open to other machines, and nobody has a token; make one with ` +
        'diten token new, or set it to 127.0.0.1',
    );
  }
  const server = serve({
    fetch: (request, env) => {
      const { outgoing } = env as { outgoing: ServerResponse };
      return fetch(request, { cutOff: () => outgoing.destroy() });
    },
    ...{ hostname: host, port },
  }) as Server;
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  server.maxConnections = 1000;
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
