import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { isJsonObject, type JsonObject, type JsonValue, ownValue } from './json.ts';

/**
 * The document after a JSON merge patch (RFC 7396, section 2): members of objects are merged, a
 * member that the patch sets to `null` goes, anything else is replaced.
 */
export function applyMergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const before: JsonObject = isJsonObject(target) ? target : {};
  const merged = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, applyMergePatch(ownValue(before, key), value));
  }
  return Object.fromEntries(merged);
}

/** The patch of the whole document that patches what stands at a path. */
export function nestPatch(keys: readonly string[], patch: JsonValue): JsonValue {
  return keys.reduceRight<JsonValue>((inner, key) => ({ [key]: inner }), patch);
}

/**
 * Refuses Ditto's addition to RFC 7396, `"{{ ~regex~ }}": null`: what a stranger's pattern costs to
 * match has no bound, and taken as a key it would be stored instead of deleting anything.
 */
export function checkPatch(patch: JsonValue): Result<JsonValue, Failure<'patch-regex-refused'>> {
  if (!isJsonObject(patch)) return ok(patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('{{') && key.endsWith('}}')) {
      return fail(
        'patch-regex-refused',
        'keys are not deleted by pattern; set each of them to null',
      );
    }
    const inner = checkPatch(value);
    if (!inner.ok) return inner;
  }
  return ok(patch);
}
