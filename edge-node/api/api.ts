import { Hono } from 'hono';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { LedgerNode } from '../ledger/ledger-node.ts';
import type { CommandSender } from '../twins/control/command-sender.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { ApiFailure, apiErrors, toResponse } from './api-error.ts';
import { createLedgerRoutes } from './ledger-routes.ts';
import { addSearchRoutes, SEARCH_PATH } from './search-routes.ts';
import { addThingRoutes } from './thing-routes.ts';

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
  /** What `/status` shows. */
  readonly status: () => object;
}

/** The HTTP API: things in Eclipse Ditto's dialect, the node's state, a way to the ledger. */
export function createApi(options: ApiOptions): Hono {
  const { events, status, twins, ledger, clock } = options;
  const app = new Hono();
  app.use(async (context, next) => {
    if (context.req.url.length > URL_LENGTH_MAX) {
      throw new ApiFailure(apiErrors.urlTooLong(URL_LENGTH_MAX));
    }
    const foreign = foreignSource(context.req.raw);
    if (foreign !== undefined) throw new ApiFailure(apiErrors.sourceForeign(foreign));
    await next();
  });
  app.get('/status', (context) => context.json(status()));
  addSearchRoutes(app, twins);
  addThingRoutes(app, options);
  if (ledger !== undefined) app.route('/api/ledger', createLedgerRoutes({ ledger, clock }));

  const allowed: [RegExp, string][] = [
    [/^\/status$/, 'GET, HEAD'],
    [new RegExp(`^${SEARCH_PATH}(/count)?$`), 'GET, HEAD'],
    [/^\/api\/ledger\/signers\/[^/]+$/, 'GET, HEAD'],
    [/^\/api\/ledger\/transactions$/, 'POST'],
  ];
  app.notFound((context) => {
    const { path, method } = context.req;
    const methods = allowed.find(([pattern]) => pattern.test(path))?.[1];
    if (methods === undefined) return toResponse(apiErrors.notFound(path));
    const refusal = toResponse(apiErrors.methodNotAllowed(method, path));
    refusal.headers.set('Allow', methods);
    return refusal;
  });
  app.onError((error, context) => {
    if (error instanceof ApiFailure) return toResponse(error.answer);
    events.record('error', 'api-failed', { path: context.req.path, reason: error.message });
    const { code } = error as { code?: unknown };
    if (typeof code !== 'string' || !code.startsWith('SQLITE_')) {
      return toResponse(apiErrors.internal());
    }
    return toResponse(code === 'SQLITE_FULL' ? apiErrors.diskFull() : apiErrors.notKept());
  });
  return app;
}

/**
 * Where a request comes from a web page of another site, through the browser of somebody on this
 * machine: by its `Origin`, or by a name that was made to lead here (DNS rebinding).
 */
function foreignSource(request: Request): string | undefined {
  const { hostname, host } = new URL(request.url);
  if (!isLoopbackName(hostname)) return hostname;
  const origin = request.headers.get('Origin');
  if (origin === null || (URL.canParse(origin) && new URL(origin).host === host)) return undefined;
  return origin;
}

function isLoopbackName(hostname: string): boolean {
  return ['localhost', '[::1]'].includes(hostname) || /^127(?:\.\d+){3}$/.test(hostname);
}
