import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { LedgerNode } from '../ledger/ledger-node.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { answerError, apiErrors } from './api-error.ts';
import { createLedgerRoutes } from './ledger-routes.ts';
import { twinToThing } from './thing.ts';

const BODY_SIZE_BYTES_MAX = 64 * 1024;
/** Far from where writing JSON runs out of stack, wherever it is written from. */
const BODY_DEPTH_MAX = 64;

export interface ApiOptions {
  readonly twins: TwinStore;
  readonly ledger: LedgerNode;
  readonly group: string;
  readonly clock: Clock;
  readonly events: Events;
  /** What `/status` shows. */
  readonly status: () => object;
}

/** The HTTP API: things in Eclipse Ditto's dialect, the node's state, a way to the ledger. */
export function createApi(options: ApiOptions): Hono {
  const { events, status } = options;
  const app = new Hono();
  app.get('/status', (context) => context.json(status()));
  app.route('/api/2/things', createThingRoutes(options));
  app.route('/api/ledger', createLedgerRoutes(options));

  const allowed: [RegExp, string][] = [
    [/^\/status$/, 'GET, HEAD'],
    [/^\/api\/2\/things(\/[^/]+)?$/, 'GET, HEAD'],
    [/^\/api\/2\/things\/[^/]+\/attributes$/, 'GET, HEAD, PUT'],
    [/^\/api\/ledger\/signers\/[^/]+$/, 'GET, HEAD'],
    [/^\/api\/ledger\/transactions$/, 'POST'],
  ];
  app.notFound((context) => {
    const { path, method } = context.req;
    const methods = allowed.find(([pattern]) => pattern.test(path))?.[1];
    if (methods === undefined) return answerError(context, apiErrors.notFound(path));
    context.header('Allow', methods);
    return answerError(context, apiErrors.methodNotAllowed(method, path));
  });
  app.onError((error, context) => {
    events.record('error', 'api-failed', { path: context.req.path, reason: error.message });
    return answerError(context, apiErrors.internal());
  });
  return app;
}

function createThingRoutes({ twins, group, clock }: ApiOptions): Hono {
  const app = new Hono();
  const twinOf = (thingId: string) => {
    const [namespace, device = '', ...rest] = thingId.split(':');
    return namespace === group && rest.length === 0 ? twins.get(device) : undefined;
  };

  app.get('/', (context) => {
    const nowMs = clock.nowMs();
    return context.json(twins.all().map((twin) => twinToThing(twin, group, nowMs)));
  });

  app.get('/:thingId', (context) => {
    const thingId = context.req.param('thingId');
    const twin = twinOf(thingId);
    if (twin === undefined) return answerError(context, apiErrors.thingNotFound(thingId));
    context.header('ETag', `"rev:${twin.revision}"`);
    return context.json(twinToThing(twin, group, clock.nowMs()));
  });

  app.get('/:thingId/attributes', (context) => {
    const thingId = context.req.param('thingId');
    const twin = twinOf(thingId);
    if (twin === undefined) return answerError(context, apiErrors.thingNotFound(thingId));
    return context.json(twin.attributes);
  });

  const limit = bodyLimit({
    maxSize: BODY_SIZE_BYTES_MAX,
    onError: (context) => answerError(context, apiErrors.bodyTooLarge(BODY_SIZE_BYTES_MAX)),
  });
  app.put('/:thingId/attributes', limit, async (context) => {
    const thingId = context.req.param('thingId');
    const twin = twinOf(thingId);
    if (twin === undefined) return answerError(context, apiErrors.thingNotFound(thingId));
    if (!/^application\/json\b/i.test(context.req.header('content-type') ?? '')) {
      return answerError(context, apiErrors.mediaTypeUnsupported('application/json'));
    }
    const attributes = parseObject(await context.req.text());
    if (typeof attributes === 'string') {
      return answerError(context, apiErrors.bodyInvalid(attributes));
    }
    twins.change(twin.device, { kind: 'attributes', attributes, nowMs: clock.nowMs() });
    return context.body(null, 204);
  });
  return app;
}

/** The object a text holds, or why it holds none. */
function parseObject(text: string): Record<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return (error as Error).message;
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) return 'it is not an object';
  if (isDeeper(value, BODY_DEPTH_MAX)) return `it is nested more than ${BODY_DEPTH_MAX} deep`;
  return value as Record<string, unknown>;
}

function isDeeper(value: unknown, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depthMax === 0 || Object.values(value).some((each) => isDeeper(each, depthMax - 1));
}
