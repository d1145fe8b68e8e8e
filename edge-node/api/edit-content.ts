import { randomUUID } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '#shared/twin/document/json.ts';
import { formatPointer, valueAt } from '#shared/twin/document/json-pointer.ts';
import { thingContent } from '#shared/twin/document/thing.ts';
import type { Edit, EditPrecondition } from '#shared/twin/document/thing-step.ts';
import { ApiFailure, apiErrors, rejectionToError } from './api-error.ts';
import { type Call, keysWithin, namedThing } from './call.ts';
import {
  isNamed,
  readCondition,
  readJsonBody,
  readOptionalJsonBody,
  readTags,
} from './request-facts.ts';

/** What this API, or Ditto's, shows beside a thing's content: not for clients to say. */
const SHOWN_ONLY = new Set(['policyId', 'online', 'ageMs', 'anomalyScore']);

/** PUT and PATCH of a thing or of what stands at a path of it. */
export async function editContent(call: Call): Promise<Response> {
  const { request } = call;
  const keys = keysWithin(call);
  const path = formatPointer(keys);
  const isMerge = request.method === 'PATCH';
  const types = isMerge ? ['application/merge-patch+json'] : ['application/json'];
  const body = await readJsonBody(request, types);
  const value = keys.length === 0 ? withoutShown(body) : body;
  return await change(
    call,
    isMerge ? { op: 'merge', path, patch: value } : { op: 'put', path, value },
  );
}

/** POST: a thing under an id that no other has. */
export async function createThing(call: Call): Promise<Response> {
  const body = (await readOptionalJsonBody(call.request)) ?? {};
  if (isJsonObject(body) && body.thingId !== undefined) {
    throw new ApiFailure(apiErrors.idNotSettable());
  }
  const { group } = call.options;
  const thingId = `${group}:${randomUUID()}`;
  const params = { ...call.params, thingId };
  const segments = [...call.segments, thingId];
  return await change(
    { ...call, params, segments },
    { op: 'put', path: '', value: withoutShown(body) },
  );
}

/** DELETE of a thing or of what stands at a path of it. */
export async function deleteContent(call: Call): Promise<Response> {
  return await change(call, { op: 'delete', path: formatPointer(keysWithin(call)) });
}

/** The preconditions are read at the change's turn: nothing comes between the two. */
async function change(call: Call, edit: Edit): Promise<Response> {
  const { options, request, query, caller } = call;
  const { twins, clock, group, twinsMax } = options;
  const { device, thingId } = namedThing(call);
  const keys = keysWithin(call);
  if (device === undefined) {
    const creates = edit.op === 'put' && keys.length === 0;
    throw new ApiFailure(
      creates ? apiErrors.thingIdInvalid(group) : apiErrors.thingNotFound(thingId),
    );
  }
  let before: JsonValue | undefined;
  const changed = await twins.changeSoon(device, ({ thing, thingCount }) => {
    before = thing === undefined ? undefined : valueAt(thingContent(thing), keys);
    const seen = before === undefined ? undefined : thing?.revision;
    const precondition = readPrecondition(request, query, seen);
    if (thing === undefined && thingCount >= twinsMax) {
      throw new ApiFailure(apiErrors.tooManyThings(twinsMax));
    }
    return { kind: 'edited', nowMs: clock.nowMs(), by: caller.name, edit, precondition };
  });
  if (!changed.ok) throw new ApiFailure(rejectionToError(changed.error, { thingId, keys }));
  const headers = new Headers({ ETag: `"rev:${changed.value.revision}"` });
  if (edit.op === 'delete' || before !== undefined) {
    return new Response(null, { status: 204, headers });
  }
  headers.set('Location', `/${call.segments.map(encodeSegment).join('/')}`);
  const created = valueAt(thingContent(changed.value), keys) ?? null;
  return Response.json(created, { status: 201, headers });
}

/** @param revision - Of the thing, where it has what is edited. */
function readPrecondition(
  request: Request,
  query: URLSearchParams,
  revision: number | undefined,
): EditPrecondition {
  const match = readTags(request, 'If-Match');
  const noneMatch = readTags(request, 'If-None-Match');
  const condition = readCondition(query, 'condition');
  const now = revision === undefined ? 'it is not there' : `it is at revision ${revision}`;
  if (
    (match !== undefined && !isNamed(match, revision)) ||
    (noneMatch !== undefined && isNamed(noneMatch, revision))
  ) {
    throw new ApiFailure(apiErrors.preconditionFailed(now));
  }
  return {
    ...(Array.isArray(match) && revision !== undefined ? { revision } : {}),
    ...(condition === undefined ? {} : { condition }),
  };
}

/** A segment of a path as RFC 3986 has it; colons, which ids have, may stay. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll('%3A', ':');
}

function withoutShown(value: JsonValue): JsonValue {
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(
    ([key]) => !SHOWN_ONLY.has(key) && !key.startsWith('_'),
  );
  return Object.fromEntries(kept) satisfies JsonObject;
}
