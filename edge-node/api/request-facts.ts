import type { Result } from '#shared/basics/result.ts';
import { type JsonValue, parseJson } from '#shared/twin/document/json.ts';
import { type FieldSelection, parseFields } from '#shared/twin/query/field-selector.ts';
import { parseRql } from '#shared/twin/query/parse-rql.ts';
import type { RqlCondition } from '#shared/twin/query/rql.ts';
import { nameSchema } from '#shared/wire/names.ts';
import { ApiFailure, apiErrors, rejectionToError } from './api-error.ts';

/** Bytes of a request's body. */
const BODY_SIZE_BYTES_MAX = 256 * 1024;
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

/** Who says that they edit; on a loopback interface nobody checks it. */
export function editorOf(request: Request): string {
  const name = request.headers.get('X-Diten-By') ?? 'http';
  if (nameSchema.safeParse(name).success && name !== 'device') return name;
  throw new ApiFailure(apiErrors.headerInvalid('X-Diten-By'));
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
export async function readJsonBody(request: Request, mediaTypes: readonly string[]) {
  const [type = ''] = (request.headers.get('Content-Type') ?? '').split(';');
  if (!mediaTypes.includes(type.trim().toLowerCase())) {
    throw new ApiFailure(apiErrors.mediaTypeUnsupported(mediaTypes[0]!));
  }
  const parsed = parseJson(await readText(request));
  if (parsed.ok) return parsed.value satisfies JsonValue;
  throw new ApiFailure(rejectionToError(parsed.error));
}

/** A request's body as text. */
async function readText(request: Request): Promise<string> {
  const tooLarge = () => new ApiFailure(apiErrors.bodyTooLarge(BODY_SIZE_BYTES_MAX));
  if (Number(request.headers.get('Content-Length') ?? 0) > BODY_SIZE_BYTES_MAX) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_SIZE_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
