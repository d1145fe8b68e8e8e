import type { ForwardedAnswer } from '#shared/wire/forwarding.ts';
import { FORWARDED_BODY_BYTES_MAX, forwardedHeaders } from '#shared/wire/forwarding.ts';
import type { Forwarder, PassedCall } from '../forwarding/forwarder.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { type Call, namedThing } from './call.ts';
import { PassedStream } from './passed-stream.ts';
import { readBytes } from './request-facts.ts';
import { eventResponse, takeSlot, wantsEvents } from './watch-things.ts';

/**
 * The answer of the edge node that hosts the thing a request names, as that node gives it;
 * `undefined` where this node is to answer. The ledger says where the twins of devices are. A thing
 * that no device ever reported to is where it was made: a node that does not have it asks all.
 *
 * Throws {@link ApiFailure}: 503 and 504 where that node is away or silent.
 */
export async function passOn(call: Call): Promise<Response | undefined> {
  const { options, params, caller } = call;
  const { forwarder } = options;
  if (forwarder === undefined || params.thingId === undefined) return undefined;
  const { device, thingId } = namedThing(call);
  if (device === undefined) return undefined;
  const placed = forwarder.edges.elsewhere(device);
  if (caller.via !== undefined) {
    // The ledgers of two nodes differ for a moment: nobody passes on what was passed on.
    if (placed !== undefined) throw new ApiFailure(apiErrors.twinMoving(thingId));
    return undefined;
  }
  const edge = placed ?? (await holderOf(call, { forwarder, device }));
  if (edge === undefined) return undefined;
  const passed = await toPassedCall(call);
  const answer = await forwarder.ask(edge, passed);
  if (!('status' in answer)) throw new ApiFailure(apiErrors.notPassedOn(edge, answer));
  if (!wantsEvents(call.request) || answer.status !== 200) return toResponse(answer);
  const { clock } = options;
  const ask = (after: string) => forwarder.ask(edge, withLastId(passed, after));
  const stream = new PassedStream({ clock, ask, ...takeSlot(call) }, answer);
  return eventResponse(stream.body());
}

/** Who, of all other nodes, has a thing that the ledger does not know of. */
async function holderOf(
  { options, caller, request, segments }: Call,
  { forwarder, device }: { forwarder: Forwarder; device: string },
): Promise<string | undefined> {
  const isKnown = options.twins.current(device) !== undefined;
  if (isKnown || forwarder.edges.placeOf(device) !== undefined) return undefined;
  const { origin } = new URL(request.url);
  const path = segments.slice(0, 4).map(encodeURIComponent).join('/');
  const head = { method: 'HEAD', url: `${origin}/${path}`, headers: [], body: null } as const;
  const { answers } = await forwarder.askAll({
    ...head,
    headers: [],
    caller: passedCaller(caller),
  });
  const [holder] = [...answers.keys()].sort();
  return holder;
}

async function toPassedCall({ request, caller }: Call): Promise<PassedCall> {
  const headers = forwardedHeaders.request.flatMap((name): [string, string][] => {
    const value = request.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  const bytes = await readBytes(request, FORWARDED_BODY_BYTES_MAX);
  const { method, url } = request;
  return {
    ...{ method: method as PassedCall['method'], url, headers },
    ...{ body: bytes.length === 0 ? null : bytes, caller: passedCaller(caller) },
  };
}

function withLastId(call: PassedCall, id: string): PassedCall {
  const others = call.headers.filter(([name]) => name !== 'last-event-id');
  return { ...call, headers: [...others, ['last-event-id', id]] };
}

/** Who asks, as another node is told; it adds by way of whom itself. */
export function passedCaller({ name, role, needsToken }: Call['caller']): PassedCall['caller'] {
  return { name: name.replace(/@.*$/, ''), role, needsToken };
}

function toResponse({ status, headers, body }: ForwardedAnswer): Response {
  const isBodiless = status === 204 || status === 205 || status === 304;
  return new Response(isBodiless ? null : Uint8Array.from(body), {
    status,
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
  });
}
