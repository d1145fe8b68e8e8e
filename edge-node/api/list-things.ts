import type { JsonObject } from '#shared/twin/document/json.ts';
import { selectFields } from '#shared/twin/query/field-selector.ts';
import { deviceOf } from '../twins/thing-facts.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { answerWithout, askOthers, hostedThing, hostedThings, isForNode } from './ask-others.ts';
import type { Call } from './call.ts';
import { readFields } from './request-facts.ts';
import { shownThing } from './thing.ts';
import { withPredictions } from './thing-prediction.ts';

/** Things in one answer without paging. */
const LISTED_MAX = 1000;

/** The things that a request lists, of this node or of all, by id or in the order of `ids`. */
export async function listThings(call: Call): Promise<Response> {
  const here = thingsHere(call);
  if (isForNode(call)) return Response.json(here.map(({ shown }) => shown));
  const { query } = call;
  // The ids are asked for too: `fields` may leave them out.
  const wanted = new URLSearchParams(query);
  const fields = query.get('fields');
  if (fields !== null) wanted.set('fields', `thingId,${fields}`);
  wanted.delete('scope');
  const { answers, unanswered } = await askOthers(call, `/api/2/things?${wanted}`);
  const selection = readFields(query);
  const there = (answers as unknown as JsonObject[][]).flat().map((thing) => ({
    thingId: String(thing.thingId),
    shown: selection === 'all' ? thing : selectFields(thing, selection),
  }));
  const all = new Map([...there, ...here].map(({ thingId, shown }) => [thingId, shown]));
  if (all.size > LISTED_MAX) throw new ApiFailure(apiErrors.idsRequired(LISTED_MAX));
  const ids = query.get('ids')?.split(',') ?? [...all.keys()].sort();
  const things = ids.flatMap((id) => all.get(id) ?? []);
  return answerWithout(things, unanswered);
}

function thingsHere(call: Call): { thingId: string; shown: JsonObject }[] {
  const { options, query } = call;
  const { twins, clock, seenLive } = options;
  const fields = readFields(query);
  const devices = readDevices(query, options.group);
  const things =
    devices === undefined
      ? hostedThings(call)
      : devices.flatMap((device) => hostedThing(call, device) ?? []);
  if (things.length > LISTED_MAX) throw new ApiFailure(apiErrors.idsRequired(LISTED_MAX));
  const nowMs = clock.nowMs();
  const droppedBy = twins.samples.dropped();
  return things.map((thing) => {
    const device = deviceOf(thing);
    const beside = { live: seenLive?.(device), dropped: droppedBy.get(device) };
    const whole = shownThing(thing, nowMs, beside);
    const shown = withPredictions(whole, { twins, thing, fields }, { nowMs });
    const { thingId } = thing;
    return { thingId, shown: fields === 'all' ? shown : selectFields(shown, fields) };
  });
}

/** Of the ids that are asked for, in their order, those of this group; `undefined`: all. */
export function readDevices(query: URLSearchParams, group: string): string[] | undefined {
  const ids = query.get('ids')?.split(',');
  if (ids !== undefined && ids.length > LISTED_MAX) {
    throw new ApiFailure(apiErrors.queryInvalid('ids', `name at most ${LISTED_MAX} things`));
  }
  if (!hasNamespace(query, group)) return [];
  const prefix = `${group}:`;
  return ids?.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
}

/** Whether things of this group are asked for, by `namespaces`. */
export function hasNamespace(query: URLSearchParams, group: string): boolean {
  const names = query.get('namespaces')?.split(',');
  return names === undefined || names.some((name) => name.trim() === group);
}
