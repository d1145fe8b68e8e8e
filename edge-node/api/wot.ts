import { collectionDescription, thingDescription } from '#shared/twin/wot/thing-description.ts';
import { type Call, existing, keysWithin } from './call.ts';

export const DESCRIPTION_TYPE = 'application/td+json';

/** Whether a request is for a thing's description. */
export function wantsDescription(call: Call): boolean {
  const accepted = call.request.headers.get('Accept') ?? '';
  return keysWithin(call).length === 0 && accepted.includes(DESCRIPTION_TYPE);
}

/** A thing's description (W3C WoT TD 1.1). */
export function describeThing(call: Call): Response {
  return answer(thingDescription(existing(call).thing, placeOf(call)));
}

/** What this node has descriptions of. */
export function describeCollection(call: Call): Response {
  const { group, twins } = call.options;
  const thingIds = twins.all().map(({ thingId }) => thingId);
  return answer(collectionDescription({ group, thingIds }, placeOf(call)));
}

function placeOf({ request, caller }: Call) {
  return { origin: new URL(request.url).origin, needsToken: caller.needsToken };
}

function answer(description: object): Response {
  const headers = { 'Content-Type': DESCRIPTION_TYPE, Vary: 'Accept' };
  return new Response(JSON.stringify(description), { headers });
}
