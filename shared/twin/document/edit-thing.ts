import { err, fail, ok, type Result } from '../../basics/result.ts';
import { compileRql } from '../query/compile-rql.ts';
import { contentDifference } from './content-difference.ts';
import { editFeatures } from './edit-features.ts';
import { checkJson, isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { parsePointer, valueAt, withoutValueAt, withValueAt } from './json-pointer.ts';
import { applyMergePatch, checkPatch, nestPatch } from './merge-patch.ts';
import { checkRelations } from './relations.ts';
import { type Thing, thingContent, thingDocument } from './thing.ts';
import { parseContent } from './thing-content.ts';
import {
  commitChange,
  type Edit,
  type EditPrecondition,
  type ThingInput,
  type ThingRejection,
  type ThingStep,
} from './thing-step.ts';

/**
 * The thing after an edit of its content, all of it or none: put, merged (RFC 7396) or deleted at a
 * path. A new desired value gets the next desired version; one that is said again does not, save
 * where the device had refused it. What the device reported is written over only by who names the
 * revision that they saw.
 */
export function editThing(
  thing: Thing,
  { nowMs, by, edit, precondition = {} }: Extract<ThingInput, { kind: 'edited' }>,
): Result<ThingStep, ThingRejection> {
  const held = checkPrecondition(thing, precondition);
  if (!held.ok) return held;
  const keys = parsePointer(edit.path);
  if (!keys.ok) return keys;
  const whole = keys.value.length === 0;
  if (!thing.exists && (!whole || edit.op === 'delete')) {
    return fail('thing-not-found', `there is no thing ${thing.thingId}; put it first`);
  }
  const before = thingContent(thing);
  const edited = whole && edit.op === 'delete' ? ok({}) : editContent(before, edit, keys.value);
  if (!edited.ok) return edited;
  const content = parseContent(edited.value, thing.thingId);
  if (!content.ok) return content;
  const related = checkRelations(content.value.attributes, thing);
  if (!related.ok) return related;
  const deleted = whole && edit.op === 'delete';
  const features = editFeatures(thing, content.value.features, {
    nowMs,
    by,
    maySeize: deleted || precondition.revision !== undefined,
    isAddressed: (path) => isAddressed(edit, keys.value, path),
  });
  if (!features.ok) return features;
  const { definition, attributes } = content.value;
  const { definition: _, ...rest } = thing;
  const next: Thing = {
    ...rest,
    ...features.value,
    ...(definition === undefined ? {} : { definition }),
    attributes,
    exists: !deleted,
  };
  const changes = deleted ? [{ path: '' }] : contentDifference(before, thingContent(next));
  const reissued = next.desiredVersion !== thing.desiredVersion;
  if (thing.exists && changes.length === 0 && !reissued) return ok({ thing, effects: [] });
  return ok(commitChange(thing, next, { nowMs, by, changes }));
}

function checkPrecondition(
  thing: Thing,
  { revision, absent, condition }: EditPrecondition,
): Result<void, ThingRejection> {
  if (revision !== undefined && (!thing.exists || revision !== thing.revision)) {
    const now = thing.exists ? `is at revision ${thing.revision}` : 'does not exist';
    return fail('precondition-failed', `the thing ${now}, not at ${revision}; read it again`);
  }
  if (absent === true && thing.exists) {
    return fail('precondition-failed', `the thing ${thing.thingId} exists already`);
  }
  if (condition !== undefined && !compileRql(condition)(thingDocument(thing))) {
    return fail('precondition-failed', 'the condition does not hold of the thing');
  }
  return ok(undefined);
}

function editContent(
  before: JsonObject,
  edit: Edit,
  keys: readonly string[],
): Result<JsonValue, ThingRejection> {
  if (edit.op === 'delete') {
    if (valueAt(before, keys) !== undefined) return ok(withoutValueAt(before, keys));
    return fail('path-not-found', `there is nothing at ${edit.path}`);
  }
  const given = checkJson(edit.op === 'put' ? edit.value : edit.patch);
  if (!given.ok) return err(given.error);
  if (edit.op === 'put') return ok(withValueAt(before, keys, given.value));
  const patch = checkPatch(given.value);
  if (!patch.ok) return patch;
  return ok(applyMergePatch(before, nestPatch(keys, patch.value)));
}

/** Whether the edit speaks of a path, in whole, in part or within. */
function isAddressed(edit: Edit, keys: readonly string[], path: readonly string[]): boolean {
  const shared = Math.min(keys.length, path.length);
  if (keys.slice(0, shared).some((key, level) => key !== path[level])) return false;
  if (edit.op !== 'merge') return true;
  let patch: JsonValue | undefined = edit.patch;
  for (const key of path.slice(shared)) {
    if (!isJsonObject(patch)) return patch !== undefined;
    patch = valueAt(patch, [key]);
  }
  return patch !== undefined;
}
