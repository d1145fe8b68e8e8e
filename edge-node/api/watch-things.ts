import { ApiFailure, apiErrors } from './api-error.ts';
import { type Call, existing, keysWithin } from './call.ts';
import { readDevices } from './list-things.ts';
import { readCondition, readCount, readFields } from './request-facts.ts';
import { type StreamOptions, ThingStream } from './thing-stream.ts';

const STREAMS_MAX = 64;

/** Whether a request is for a stream of events. */
export function wantsEvents({ method, headers }: Request): boolean {
  return method === 'GET' && headers.get('Accept')?.includes('text/event-stream') === true;
}

/** The events of one thing, of what stands at a path of it, or, without one, of things. */
export function watchThings(call: Call): Response {
  const { options, params, caller, request, query } = call;
  const isList = params.thingId === undefined;
  const listed = isList ? readDevices(query, options.group) : undefined;
  const stream = {
    group: options.group,
    device: isList ? undefined : existing(call).device,
    devices: listed === undefined ? undefined : new Set(listed),
    keys: keysWithin(call),
    fields: readFields(query),
    filter: readCondition(query, 'filter'),
    after: readPosition(request, query),
    inPortions: caller.via !== undefined,
    until: isList ? undefined : readCount(query, 'to-historical-revision'),
  };
  const { twins, clock } = options;
  const slot = takeSlot(call);
  return eventResponse(new ThingStream({ twins, clock, ...slot }, stream).body());
}

/** A reader's place among those there are for readers, until `onEnd`. */
export function takeSlot(call: Call): Pick<StreamOptions, 'mayGoOn' | 'onEnd' | 'cutOff'> {
  const { streams, cutOff, caller, request, options } = call;
  if (streams.open >= STREAMS_MAX) throw new ApiFailure(apiErrors.tooManyStreams(STREAMS_MAX));
  streams.open += 1;
  const onEnd = () => {
    streams.open -= 1;
  };
  // Where another node asks, that one looks to it.
  const mayGoOn = () => caller.via !== undefined || options.access.admits(request);
  return { mayGoOn, onEnd, cutOff };
}

/** Server-sent events (WHATWG HTML, 9.2). */
export function eventResponse(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, {
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
