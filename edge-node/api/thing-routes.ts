import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { thingDelta } from '#shared/twin/document/delta.ts';
import type { JsonObject, JsonValue } from '#shared/twin/document/json.ts';
import { selectFields } from '#shared/twin/query/field-selector.ts';
import type { ApiOptions } from './api.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { type Call, existing } from './call.ts';
import { deleteContent, editContent } from './edit-content.ts';
import { readContent } from './read-content.ts';
import { readCount, readFields } from './request-facts.ts';
import { parseResource, resourceMethods } from './resource.ts';
import { sendMessage } from './send-message.ts';
import { shownThing } from './thing.ts';
import { explainWithAge, readPrediction, withPredictions } from './thing-prediction.ts';
import { thingSeries } from './thing-series.ts';
import { ThingStream } from './thing-stream.ts';

const PREFIX = '/api/2/things';
/** Things in one answer without paging. */
const LISTED_MAX = 1000;
const STREAMS_MAX = 64;

/** Everything under `/api/2/things`. */
export function addThingRoutes(app: Hono, options: ApiOptions): void {
  const streams = { open: 0 };
  const answer = async ({ req, env }: Context): Promise<Response> => {
    const request = req.raw;
    const { pathname, searchParams: query } = new URL(request.url);
    const resource = parseResource(pathname, { prefix: PREFIX, group: options.group });
    const method = request.method;
    const methods = resourceMethods[resource.kind];
    if (!methods.includes(method)) {
      const refusal = Response.json(apiErrors.methodNotAllowed(method, pathname), { status: 405 });
      refusal.headers.set('Allow', methods.join(', '));
      return refusal;
    }
    const call = { options, resource, request, query };
    const wantsEvents = request.headers.get('Accept')?.includes('text/event-stream') === true;
    return method === 'GET' && wantsEvents
      ? watch(call, streams, () => (env as Partial<HttpBindings>).outgoing?.destroy())
      : await respond(call);
  };
  app.all(PREFIX, answer);
  app.all(`${PREFIX}/*`, answer);
}

async function respond(call: Call): Promise<Response> {
  const { resource } = call;
  switch (resource.kind) {
    case 'list':
      return Response.json(listThings({ ...call, resource }));
    case 'content': {
      const content = { ...call, resource };
      const { method } = call.request;
      if (method === 'PUT' || method === 'PATCH') return await editContent(content);
      return method === 'DELETE' ? deleteContent(content) : readContent(content);
    }
    case 'delta':
      return Response.json(
        thingDelta(existing(call.options, resource).thing) as unknown as JsonValue,
      );
    case 'why':
      return Response.json(
        explainWithAge(
          call.options,
          existing(call.options, resource).thing,
        ) as unknown as JsonValue,
      );
    case 'timeseries': {
      const { twins, clock } = call.options;
      const { device } = existing(call.options, resource);
      const { property } = resource;
      const series = { device, property, nowMs: clock.nowMs() };
      return Response.json(thingSeries(twins, series, call.query));
    }
    case 'prediction':
      return Response.json(readPrediction({ ...call, resource }));
    case 'message':
      return await sendMessage({ ...call, resource });
  }
}

function listThings({ options, query }: Call<'list'>): JsonObject[] {
  const { twins, clock } = options;
  const fields = readFields(query);
  const devices = readDevices(query, options.group);
  const things =
    devices === undefined
      ? twins.all()
      : devices.map((device) => twins.get(device)).filter((thing) => thing !== undefined);
  if (things.length > LISTED_MAX) throw new ApiFailure(apiErrors.idsRequired(LISTED_MAX));
  const nowMs = clock.nowMs();
  const shown = things.map((thing) =>
    withPredictions(shownThing(thing, nowMs), { twins, thing, fields }, { nowMs }),
  );
  return fields === 'all' ? shown : shown.map((thing) => selectFields(thing, fields));
}

/** Of the ids that are asked for, in their order, those of this group. */
function readDevices(query: URLSearchParams, group: string): string[] | undefined {
  const ids = query.get('ids')?.split(',');
  if (ids !== undefined && ids.length > LISTED_MAX) {
    throw new ApiFailure(apiErrors.queryInvalid('ids', `name at most ${LISTED_MAX} things`));
  }
  const prefix = `${group}:`;
  return ids?.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
}

function watch(call: Call, streams: { open: number }, cutOff: () => void): Response {
  const { options, resource, request, query } = call;
  if (resource.kind !== 'list' && resource.kind !== 'content') {
    throw new ApiFailure(apiErrors.notFound(`${new URL(request.url).pathname} as a stream`));
  }
  if (streams.open >= STREAMS_MAX) throw new ApiFailure(apiErrors.tooManyStreams(STREAMS_MAX));
  const listed = resource.kind === 'list' ? readDevices(query, options.group) : undefined;
  const stream = {
    group: options.group,
    device: resource.kind === 'list' ? undefined : existing(options, resource).device,
    devices: listed === undefined ? undefined : new Set(listed),
    keys: resource.kind === 'list' ? [] : resource.keys,
    fields: readFields(query),
    after: readPosition(request, query),
    until: resource.kind === 'list' ? undefined : readCount(query, 'to-historical-revision'),
  };
  const { twins, clock } = options;
  streams.open += 1;
  const onEnd = () => {
    streams.open -= 1;
  };
  return new Response(new ThingStream({ twins, clock, onEnd, cutOff }, stream).body(), {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
  });
}

function readPosition(request: Request, query: URLSearchParams): number | undefined {
  const last = request.headers.get('Last-Event-ID');
  if (last !== null) {
    if (/^\d{1,15}$/.test(last)) return Number(last);
    throw new ApiFailure(apiErrors.headerInvalid('Last-Event-ID'));
  }
  const from = readCount(query, 'from-historical-revision');
  return from === undefined ? undefined : Math.max(0, from - 1);
}
