import type { Clock } from '#runtime/clock/clock.ts';
import type { FetchHandler } from '#runtime/http/serve-http.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { LedgerNode } from '../ledger/ledger-node.ts';
import type { Presence } from '../sparkplug/node-table.ts';
import type { CommandSender } from '../twins/control/command-sender.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import type { Access } from './access/access.ts';
import { type ApiError, ApiFailure, apiErrors, toResponse } from './api-error.ts';
import type { Call, Caller } from './call.ts';
import { passOn } from './pass-on.ts';
import { readSegments } from './path-segments.ts';
import { allowedMethods, createRouter, type FoundRoute, type Method } from './route.ts';
import { routesOf } from './route-table.ts';

const URL_LENGTH_MAX = 8192;

export interface ApiOptions {
  readonly twins: TwinStore;
  /** Without one there is nothing under `/api/ledger`. */
  readonly ledger?: LedgerNode;
  readonly commands: Pick<CommandSender, 'send'>;
  readonly group: string;
  /** Further things are not made. */
  readonly twinsMax: number;
  readonly clock: Clock;
  readonly events: Events;
  /** Whether a device is seen live over Sparkplug. */
  readonly seenLive?: (device: string) => Presence | undefined;
  readonly access: Access;
  /** The way to the other edge nodes; without one, what is not here is not there. */
  readonly forwarder?: Forwarder;
  /** What `/status` shows. */
  readonly status: () => object;
}

/** The HTTP API: things in Eclipse Ditto's dialect, the node's state, a way to the ledger. */
export interface Api {
  readonly fetch: FetchHandler;
  /** Answers for another edge node, which knows who asks. */
  answer(request: Request, caller: Caller): Promise<Response>;
}

export function createApi(options: ApiOptions, routes = routesOf(options)): Api {
  const { events, access } = options;
  const findRoute = createRouter(routes);
  const streams = { open: 0 };

  async function respond(
    request: Request,
    caller: () => Caller,
    cutOff: () => void,
  ): Promise<Response> {
    try {
      if (request.url.length > URL_LENGTH_MAX) {
        throw new ApiFailure(apiErrors.urlTooLong(URL_LENGTH_MAX));
      }
      const { pathname, searchParams: query } = new URL(request.url);
      const who = caller();
      const segments = readSegments(pathname);
      const found = findRoute(segments);
      if (found === undefined) throw new ApiFailure(apiErrors.notFound(pathname));
      const { params } = found;
      const call = { options, request, caller: who, query, segments, params, streams, cutOff };
      return await answerFound(call, found);
    } catch (error) {
      return toResponse(...refusalOf(error, request));
    }
  }

  function refusalOf(error: unknown, request: Request): [ApiError, Record<string, string>?] {
    if (error instanceof ApiFailure) {
      const { answer } = error;
      return [answer, answer.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="diten"' } : {}];
    }
    const { code, message } = error as { code?: unknown; message?: unknown };
    events.record('error', 'api-failed', { path: new URL(request.url).pathname, reason: message });
    if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return [apiErrors.internal()];
    return [code === 'SQLITE_FULL' ? apiErrors.diskFull() : apiErrors.notKept()];
  }

  return {
    fetch: (request, { cutOff }) => respond(request, () => access.identify(request), cutOff),
    answer: (request, caller) =>
      respond(
        request,
        () => caller,
        () => undefined,
      ),
  };
}

async function answerFound(call: Call, { route }: FoundRoute): Promise<Response> {
  const { request, caller } = call;
  const { method } = request;
  const Allow = allowedMethods(route);
  if (method === 'OPTIONS') return new Response(null, { status: 204, headers: { Allow } });
  const operation = route.operations[(method === 'HEAD' ? 'GET' : method) as Method];
  if (operation === undefined) {
    return toResponse(apiErrors.methodNotAllowed(method, new URL(request.url).pathname), { Allow });
  }
  if (operation.role === 'write' && caller.role !== 'write') {
    throw new ApiFailure(apiErrors.notAllowed(caller.name));
  }
  const response = (await passOn(call)) ?? (await operation.answer(call));
  return method === 'HEAD' ? new Response(null, response) : response;
}
