import { isJsonObject, type JsonObject, type JsonValue } from '#shared/twin/document/json.ts';
import { valueAt } from '#shared/twin/document/json-pointer.ts';
import { thingContent } from '#shared/twin/document/thing.ts';
import type { Edit, EditPrecondition } from '#shared/twin/document/thing-step.ts';
import { ApiFailure, apiErrors, rejectionToError } from './api-error.ts';
import type { Call } from './call.ts';
import { editorOf, isNamed, readCondition, readJsonBody, readTags } from './request-facts.ts';

/** What this API, or Ditto's, shows beside a thing's content: not for clients to say. */
const SHOWN_ONLY = new Set(['policyId', 'online', 'ageMs', 'anomalyScore']);

/** PUT and PATCH of a thing or of what stands at a path of it. */
export async function editContent(call: Call<'content'>): Promise<Response> {
  const { request, resource } = call;
  const { keys, pointer: path } = resource;
  const isMerge = request.method === 'PATCH';
  const types = isMerge ? ['application/merge-patch+json'] : ['application/json'];
  const body = await readJsonBody(request, types);
  const value = keys.length === 0 ? withoutShown(body) : body;
  return await change(
    call,
    isMerge ? { op: 'merge', path, patch: value } : { op: 'put', path, value },
  );
}

/** DELETE of a thing or of what stands at a path of it. */
export async function deleteContent(call: Call<'content'>): Promise<Response> {
  return await change(call, { op: 'delete', path: call.resource.pointer });
}

/** The preconditions are read at the change's turn: nothing comes between the two. */
async function change(call: Call<'content'>, edit: Edit): Promise<Response> {
  const { options, resource, request, query } = call;
  const { twins, clock, group, twinsMax } = options;
  const { device, thingId, keys } = resource;
  if (device === undefined) {
    const creates = edit.op === 'put' && keys.length === 0;
    throw new ApiFailure(
      creates ? apiErrors.thingIdInvalid(group) : apiErrors.thingNotFound(thingId),
    );
  }
  const by = editorOf(request);
  let before: JsonValue | undefined;
  const changed = await twins.changeSoon(device, ({ thing, thingCount }) => {
    before = thing === undefined ? undefined : valueAt(thingContent(thing), keys);
    const seen = before === undefined ? undefined : thing?.revision;
    const precondition = readPrecondition(request, query, seen);
    if (thing === undefined && thingCount >= twinsMax) {
      throw new ApiFailure(apiErrors.tooManyThings(twinsMax));
    }
    return { kind: 'edited', nowMs: clock.nowMs(), by, edit, precondition };
  });
  if (!changed.ok) throw new ApiFailure(rejectionToError(changed.error, { thingId, keys }));
  const headers = new Headers({ ETag: `"rev:${changed.value.revision}"` });
  if (edit.op === 'delete' || before !== undefined) {
    return new Response(null, { status: 204, headers });
  }
  headers.set('Location', new URL(request.url).pathname);
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

function withoutShown(value: JsonValue): JsonValue {
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(
    ([key]) => !SHOWN_ONLY.has(key) && !key.startsWith('_'),
  );
  return Object.fromEntries(kept) satisfies JsonObject;
}
