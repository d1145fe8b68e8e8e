import type { Result } from '#shared/basics/result.ts';
import { type JsonValue, parseJson } from '#shared/twin/document/json.ts';
import { type FieldSelection, parseFields } from '#shared/twin/query/field-selector.ts';
import { parseRql } from '#shared/twin/query/parse-rql.ts';
import type { RqlCondition } from '#shared/twin/query/rql.ts';
import { ApiFailure, apiErrors, rejectionToError } from './api-error.ts';

/** Bytes of a request's body. */
const BODY_SIZE_BYTES_MAX = 256 * 1024;
/** Bytes of all bodies together that are being read: of slow senders, one another's share. */
const UNDER_WAY_BYTES_MAX = 32 * 1024 * 1024;
const REVISION = /^"rev:(\d{1,15})"$/;
const DURATION = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)?$/;
const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `If-Match` or `If-None-Match` names: revisions, any (`*`), or `undefined`: not given. */
export type Tags = '*' | readonly number[] | undefined;

export function readTags(request: Request, name: 'If-Match' | 'If-None-Match'): Tags {
  const text = request.headers.get(name);
  if (text === null) return undefined;
  if (text.trim() === '*') return '*';
  return text.split(',').map((each) => {
    const revision = REVISION.exec(each.trim())?.[1];
    if (revision === undefined) throw new ApiFailure(apiErrors.headerInvalid(name));
    return Number(revision);
  });
}

/** Whether tags given name the revision; `undefined` stands for a thing that is not there. */
export function isNamed(tags: Exclude<Tags, undefined>, revision: number | undefined): boolean {
  return revision !== undefined && (tags === '*' || tags.includes(revision));
}

export function readCondition(query: URLSearchParams, name: string): RqlCondition | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const parsed = parseRql(text);
  if (!parsed.ok) throw new ApiFailure(apiErrors.rqlInvalid(parsed.error.message));
  return parsed.value;
}

export function readFields(query: URLSearchParams): FieldSelection {
  const text = query.get('fields');
  return text === null ? 'all' : required(parseFields(text), 'fields');
}

/** A parameter that is a whole number, 0 or more. */
export function readCount(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const count = Number(text);
  if (/^\d{1,15}$/.test(text)) return count;
  throw new ApiFailure(apiErrors.queryInvalid(name, 'give a whole number'));
}

/** A parameter that is a time, in ISO 8601 or in milliseconds since 1970. */
export function readTime(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const timeMs = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(timeMs)) return timeMs;
  throw new ApiFailure(
    apiErrors.queryInvalid(name, 'give a time as 2026-11-22T12:00:00Z, or in ms since 1970'),
  );
}

/** A parameter that is a duration, `500ms`, `10s`, `1m`; in ms. A bare number is in `unitMs`. */
export function readDuration(
  query: URLSearchParams,
  name: string,
  unitMs: number,
): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (amount === undefined) {
    throw new ApiFailure(apiErrors.queryInvalid(name, 'give a duration as 500ms, 10s or 1m'));
  }
  return Math.round(Number(amount) * (unit === undefined ? unitMs : UNITS_MS[unit as 's']));
}

export function required<T>(result: Result<T, { message: string }>, name: string): T {
  if (result.ok) return result.value;
  throw new ApiFailure(apiErrors.queryInvalid(name, result.error.message));
}

/** The JSON of a request's body, of which no more is read than may be sent. */
export async function readJsonBody(
  request: Request,
  mediaTypes: readonly string[],
): Promise<JsonValue> {
  if (!mediaTypes.includes(mediaTypeOf(request))) {
    throw new ApiFailure(apiErrors.mediaTypeUnsupported(mediaTypes[0]!));
  }
  return parseBody(await readText(request));
}

/** The JSON of a body, `undefined` where it is empty. */
export async function readOptionalJsonBody(request: Request): Promise<JsonValue | undefined> {
  const text = await readText(request);
  if (text === '') return undefined;
  if (mediaTypeOf(request) === 'application/json') return parseBody(text);
  throw new ApiFailure(apiErrors.mediaTypeUnsupported('application/json'));
}

/** A message's payload: JSON, or text as such; `null` where there is none. */
export async function readMessageBody(request: Request): Promise<JsonValue> {
  const type = mediaTypeOf(request);
  if (type !== '' && type !== 'application/json' && type !== 'text/plain') {
    throw new ApiFailure(apiErrors.mediaTypeUnsupported('application/json or text/plain'));
  }
  const text = await readText(request);
  if (text === '') return null;
  if (type === '') throw new ApiFailure(apiErrors.mediaTypeUnsupported('application/json'));
  return type === 'text/plain' ? text : parseBody(text);
}

/** The parameters of a query that was sent as a form. */
export async function readFormBody(request: Request): Promise<URLSearchParams> {
  const form = 'application/x-www-form-urlencoded';
  if (mediaTypeOf(request) !== form) throw new ApiFailure(apiErrors.mediaTypeUnsupported(form));
  return new URLSearchParams(await readText(request));
}

function mediaTypeOf({ headers }: Request): string {
  const encoding = headers.get('Content-Encoding') ?? 'identity';
  if (encoding !== 'identity') throw new ApiFailure(apiErrors.encodingUnsupported());
  const [type = ''] = (headers.get('Content-Type') ?? '').split(';');
  return type.trim().toLowerCase();
}

function parseBody(text: string): JsonValue {
  const parsed = parseJson(text);
  if (parsed.ok) return parsed.value;
  throw new ApiFailure(rejectionToError(parsed.error));
}

async function readText(request: Request): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(
      await readBytes(request, BODY_SIZE_BYTES_MAX),
    );
  } catch (error) {
    if (error instanceof ApiFailure) throw error;
    throw new ApiFailure(apiErrors.bodyInvalid('it is not UTF-8'));
  }
}

/** Bytes of bodies that are being read now, of all requests. */
let underWayBytes = 0;

/** A request's body; one that is longer is refused before it is all here. */
export async function readBytes(
  request: Request,
  sizeBytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () => new ApiFailure(apiErrors.bodyTooLarge(sizeBytesMax));
  if (Number(request.headers.get('Content-Length') ?? 0) > sizeBytesMax) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of request.body ?? []) {
      sizeBytes += chunk.length;
      underWayBytes += chunk.length;
      if (sizeBytes > sizeBytesMax) throw tooLarge();
      if (underWayBytes > UNDER_WAY_BYTES_MAX) throw new ApiFailure(apiErrors.tooManyBodies());
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof ApiFailure) throw error;
    throw new ApiFailure(apiErrors.bodyInvalid('it broke off'));
  } finally {
    underWayBytes -= sizeBytes;
  }
}
