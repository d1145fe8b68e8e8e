import { isoTime } from '#shared/twin/document/iso-time.ts';
import { isJsonObject, type JsonObject } from '#shared/twin/document/json.ts';
import { valueAt } from '#shared/twin/document/json-pointer.ts';
import { thingContent } from '#shared/twin/document/thing.ts';
import { compileRql } from '#shared/twin/query/compile-rql.ts';
import { type FieldSelection, selectFields } from '#shared/twin/query/field-selector.ts';
import { deviceOf } from '../twins/thing-facts.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { type Call, existing, keysWithin, namedThing } from './call.ts';
import {
  isNamed,
  readCondition,
  readCount,
  readFields,
  readTags,
  readTime,
} from './request-facts.ts';
import { cachedDocument, shownThing } from './thing.ts';
import { withPredictions } from './thing-prediction.ts';

/** A thing as it is, or was. */
interface Version {
  readonly revision: number;
  readonly content: JsonObject;
  /** With what the API adds to the content. */
  readonly document: JsonObject;
}

/** GET of a thing or of what stands at a path of it, now or in the past. */
export function readContent(call: Call): Response {
  const { request, query } = call;
  const keys = keysWithin(call);
  const fields = readFields(query);
  const version = pastVersion(call) ?? presentVersion(call);
  const tag = `"rev:${version.revision}"`;
  const match = readTags(request, 'If-Match');
  if (match !== undefined && !isNamed(match, version.revision)) {
    throw new ApiFailure(
      apiErrors.preconditionFailed(`the thing is at revision ${version.revision}`),
    );
  }
  const noneMatch = readTags(request, 'If-None-Match');
  const condition = readCondition(query, 'condition');
  const unchanged = noneMatch !== undefined && isNamed(noneMatch, version.revision);
  if (unchanged || (condition !== undefined && !compileRql(condition)(version.document))) {
    return new Response(null, { status: 304, headers: { ETag: tag } });
  }
  const value =
    keys.length === 0
      ? addPredictions(call, version.document, fields)
      : valueAt(version.content, keys);
  if (value === undefined) throw new ApiFailure(apiErrors.partNotFound(keys));
  const shown = fields !== 'all' && isJsonObject(value) ? selectFields(value, fields) : value;
  return Response.json(shown, { headers: { ETag: tag } });
}

/** Of the time that the query names, where it does: as the twin would have said it then. */
function addPredictions(call: Call, document: JsonObject, fields: FieldSelection): JsonObject {
  const { options, query } = call;
  const { device } = namedThing(call);
  const thing = device === undefined ? undefined : options.twins.get(device);
  if (thing === undefined || query.has('at-historical-revision')) return document;
  const when = { atMs: readTime(query, 'at-historical-timestamp'), nowMs: options.clock.nowMs() };
  return withPredictions(document, { twins: options.twins, thing, fields }, when);
}

function presentVersion(call: Call): Version {
  const { clock } = call.options;
  const { thing } = existing(call);
  const whole = keysWithin(call).length === 0;
  const { seenLive, twins } = call.options;
  const device = deviceOf(thing);
  const beside = { live: seenLive?.(device), dropped: twins.samples.droppedOf(device) };
  return {
    revision: thing.revision,
    content: thingContent(thing),
    document: whole ? shownThing(thing, clock.nowMs(), beside) : cachedDocument(thing),
  };
}

/** The version that the query names, also of a thing that is deleted by now. */
function pastVersion(call: Call): Version | undefined {
  const { options, query } = call;
  const atRevision = readCount(query, 'at-historical-revision');
  const atMs = readTime(query, 'at-historical-timestamp');
  if (atRevision === undefined && atMs === undefined) return undefined;
  const { thingId, device = '' } = namedThing(call);
  const { history } = options.twins;
  const revision = atRevision ?? history.revisionAt(device, atMs!);
  const past = revision === undefined ? undefined : history.at(device, revision);
  if (past?.content === undefined) {
    const when = atRevision === undefined ? isoTime(atMs!) : `revision ${atRevision}`;
    throw new ApiFailure(apiErrors.revisionNotFound(thingId, when));
  }
  const content = { ...past.content, thingId };
  const added = { _revision: past.revision, _modified: isoTime(past.timeMs) };
  return { revision: past.revision, content, document: { ...content, ...added } };
}
