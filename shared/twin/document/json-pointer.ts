import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { isJsonObject, type JsonObject, type JsonValue, ownValue, withoutKey } from './json.ts';

const POINTER_LENGTH_MAX = 2048;
const POINTER_LEVELS_MAX = 32;

export type PointerFailure = Failure<'pointer-invalid'>;

/**
 * The keys of a path as Eclipse Ditto reads it: a JSON pointer (RFC 6901) that may leave out its
 * first slash or end in one, and in which `~0` stands for `~`. Keys hold no slash, so `~1` stands
 * for itself. The empty path, and `/`, is the whole document.
 */
export function parsePointer(text: string): Result<readonly string[], PointerFailure> {
  if (text.length > POINTER_LENGTH_MAX) {
    return fail('pointer-invalid', `a path has at most ${POINTER_LENGTH_MAX} characters`);
  }
  if (text.includes('//')) {
    return fail('pointer-invalid', `two slashes in a row at ${text.indexOf('//')} of the path`);
  }
  const keys = text.split('/').filter((key) => key !== '');
  if (keys.length > POINTER_LEVELS_MAX) {
    return fail('pointer-invalid', `a path has at most ${POINTER_LEVELS_MAX} levels`);
  }
  return ok(keys.map((key) => key.replaceAll('~0', '~')));
}

/** The path that {@link parsePointer} reads these keys from. */
export function formatPointer(keys: readonly string[]): string {
  return keys.map((key) => `/${key.replaceAll('~', '~0')}`).join('');
}

/** What stands at a path; paths lead through objects only. */
export function valueAt(
  document: JsonValue | undefined,
  keys: readonly string[],
): JsonValue | undefined {
  let value = document;
  for (const key of keys) value = isJsonObject(value) ? ownValue(value, key) : undefined;
  return value;
}

/** The document with another value at a path; what is in the way and no object gives way. */
export function withValueAt(
  document: JsonValue | undefined,
  keys: readonly string[],
  value: JsonValue,
): JsonValue {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  const object: JsonObject = isJsonObject(document) ? document : {};
  return { ...object, [key]: withValueAt(ownValue(object, key), rest, value) };
}

/** The document without what stands at a path; the document itself where nothing does. */
export function withoutValueAt(document: JsonObject, keys: readonly string[]): JsonObject {
  const [key, ...rest] = keys;
  if (key === undefined) return document;
  const member = ownValue(document, key);
  if (rest.length === 0) return member === undefined ? document : withoutKey(document, key);
  return isJsonObject(member) ? { ...document, [key]: withoutValueAt(member, rest) } : document;
}
