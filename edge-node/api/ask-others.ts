import type { JsonValue } from '#shared/twin/document/json.ts';
import type { Thing } from '#shared/twin/document/thing.ts';
import { deviceOf } from '../twins/thing-facts.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import type { Call } from './call.ts';
import { passedCaller } from './pass-on.ts';

/** What the other edge nodes say, and which of them say nothing. */
export interface OthersAnswers {
  readonly answers: readonly JsonValue[];
  readonly unanswered: readonly string[];
}

/** The header that names the nodes whose things are missing in an answer that is a bare value. */
const UNANSWERED_HEADER = 'Diten-Unanswered';

/** Whether an answer is to be of this node's things only. */
export function isForNode({ query, caller, options }: Call): boolean {
  const scope = query.get('scope') ?? 'network';
  if (scope !== 'network' && scope !== 'node') {
    throw new ApiFailure(apiErrors.queryInvalid('scope', 'use network or node'));
  }
  return scope === 'node' || caller.via !== undefined || options.forwarder === undefined;
}

/** Asks every other edge node the same of its own things, for two seconds. */
export async function askOthers(call: Call, path: string): Promise<OthersAnswers> {
  const { options, request, caller } = call;
  const { origin } = new URL(request.url);
  const { answers, unanswered } = await options.forwarder!.askAll({
    ...{ method: 'GET', url: `${origin}${path}`, headers: [], body: null },
    caller: passedCaller(caller),
  });
  const values = [...answers.values()].map(({ body }) => {
    return JSON.parse(Buffer.from(body).toString('utf8')) as JsonValue;
  });
  return { answers: values, unanswered };
}

/**
 * The things here that are this node's to show: with those of all others, what it has of a device
 * that went to another node is out of date.
 */
export function hostedThings({ options, query }: Call): readonly Thing[] {
  const { twins, forwarder } = options;
  if (forwarder === undefined || query.get('scope') === 'node') return twins.all();
  const { edges } = forwarder;
  const all = twins.all();
  const isHere = (thing: Thing) => edges.elsewhere(deviceOf(thing)) === undefined;
  // The same list where nothing has moved: what was made of it serves again.
  return all.every(isHere) ? all : all.filter(isHere);
}

/** The same of one thing, by its device. */
export function hostedThing({ options, query }: Call, device: string): Thing | undefined {
  const { twins, forwarder } = options;
  const isElsewhere =
    query.get('scope') !== 'node' && forwarder?.edges.elsewhere(device) !== undefined;
  return isElsewhere ? undefined : twins.get(device);
}

/** A bare value, with the nodes that are missing in a header. */
export function answerWithout(value: unknown, unanswered: readonly string[]): Response {
  const headers = unanswered.length === 0 ? {} : { [UNANSWERED_HEADER]: unanswered.join(', ') };
  return Response.json(value, { headers });
}
