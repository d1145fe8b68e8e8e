import { isJsonObject, type JsonObject, type JsonValue, jsonEqual, ownValue } from './json.ts';
import { formatPointer, parsePointer, withoutValueAt, withValueAt } from './json-pointer.ts';
import type { Change } from './thing-step.ts';

/** `features/{feature}/properties/{property}`: what is inside a property changes with it. */
const LEVELS_MAX = 4;

/** The changes that make one content of the other, property by property. */
export function contentDifference(before: JsonObject, after: JsonObject): Change[] {
  return [...differences(before, after, [])];
}

/** The content after changes, oldest first; what else an entry tells of is not content. */
export function applyChanges(
  content: JsonValue | undefined,
  changes: readonly Change[],
): JsonValue | undefined {
  let next = content;
  for (const { path, value } of changes) {
    if (path === '/online' || path.startsWith('/_')) continue;
    const keys = parsePointer(path);
    if (!keys.ok) continue; // nobody but this program writes them
    if (value !== undefined) next = withValueAt(next, keys.value, value);
    else if (keys.value.length === 0) next = undefined;
    else if (isJsonObject(next)) next = withoutValueAt(next, keys.value);
  }
  return next;
}

function* differences(
  before: JsonObject,
  after: JsonObject,
  keys: readonly string[],
): Generator<Change> {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, young] = [ownValue(before, key), ownValue(after, key)];
    if (jsonEqual(old, young)) continue;
    const at = [...keys, key];
    if (isJsonObject(old) && isJsonObject(young) && at.length < LEVELS_MAX) {
      yield* differences(old, young, at);
    } else {
      const path = formatPointer(at);
      yield young === undefined ? { path } : { path, value: young };
    }
  }
}
