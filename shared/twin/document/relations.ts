import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { isJsonObject, type JsonObject, type JsonValue, jsonEqual, ownValue } from './json.ts';
import type { Thing } from './thing.ts';

/** A typed link from one thing to another. */
export interface Relation {
  /** What the other is to it, as `controls` or `partOf`. */
  readonly type: string;
  readonly thingId: string;
}

const TYPES_MAX = 64;
const TARGETS_MAX = 256;
const TYPE = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
/** Ditto's form of ids, `namespace:name`. */
const THING_ID = /^[A-Za-z0-9_.-]{1,64}:[A-Za-z0-9_.-]{1,128}$/;

/**
 * The relations that a thing's attributes hold under `relations`: by type the ids of other things,
 * `{"controls": ["lab:lamp-1"]}`. What is of another shape is none.
 */
export function readRelations(attributes: JsonObject): Relation[] {
  const relations = ownValue(attributes, 'relations');
  if (!isJsonObject(relations)) return [];
  return Object.entries(relations).flatMap(([type, ids]) =>
    Array.isArray(ids)
      ? ids.flatMap((thingId) => (typeof thingId === 'string' ? [{ type, thingId }] : []))
      : [],
  );
}

/**
 * Whether what stands under `relations` in a thing's new attributes is relations, or as it was
 * before. Another thing need not be there, or be there yet: it may be made later, and by another
 * edge node.
 */
export function checkRelations(
  attributes: JsonObject,
  before: Pick<Thing, 'thingId' | 'attributes'>,
): Result<void, Failure<'thing-invalid'>> {
  const relations = ownValue(attributes, 'relations');
  if (relations === undefined || jsonEqual(relations, ownValue(before.attributes, 'relations'))) {
    return ok(undefined);
  }
  if (!isJsonObject(relations)) return refuse('it is no object of types');
  const types = Object.entries(relations);
  if (types.length > TYPES_MAX) return refuse(`more than ${TYPES_MAX} types`);
  for (const [type, ids] of types) {
    const fault = TYPE.test(type)
      ? idsFault(ids, before.thingId)
      : 'a type is a word of letters and digits';
    if (fault !== undefined) return refuse(`${type.slice(0, 64)}: ${fault}`);
  }
  return ok(undefined);
}

function idsFault(ids: JsonValue, self: string): string | undefined {
  if (!Array.isArray(ids)) return 'give an array of ids of things';
  if (ids.length > TARGETS_MAX) return `more than ${TARGETS_MAX} things`;
  if (ids.some((id) => typeof id !== 'string' || !THING_ID.test(id))) {
    return 'ids have the form namespace:name';
  }
  if (ids.includes(self)) return 'a thing is not related to itself';
  return new Set(ids).size === ids.length ? undefined : 'it names a thing twice';
}

function refuse(reason: string): Result<never, Failure<'thing-invalid'>> {
  return fail('thing-invalid', `attributes/relations: ${reason}, as {"controls":["lab:lamp-1"]}`);
}
