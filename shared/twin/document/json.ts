import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { repeatedKey } from './repeated-key.ts';

/** What JSON can say (RFC 8259), as plain data that nobody changes in place. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export interface JsonLimits {
  /** Objects and arrays inside each other. */
  readonly depthMax: number;
  /** Values of all kinds together, objects and arrays included. */
  readonly valuesMax: number;
  /** Of the JSON text without white space, in UTF-16 units; what is escaped counts once. */
  readonly charactersMax: number;
}

/** What a whole thing may hold. */
const documentLimits: JsonLimits = {
  depthMax: 32,
  valuesMax: 10_000,
  charactersMax: 256 * 1024,
};

/** What one property may hold, so that a thousand of them stay small. */
export const propertyLimits: JsonLimits = { depthMax: 16, valuesMax: 256, charactersMax: 4096 };

export type JsonFailure = Failure<
  'json-invalid' | 'json-key-refused' | 'json-too-deep' | 'json-too-many-values' | 'json-too-large'
>;

/** Room of a number, `true`, `false` or `null`; numbers are written in up to 24 characters. */
const SCALAR_CHARACTERS = 24;
/** Of a key in an error's sentence. */
const KEY_SHOWN_MAX = 40;
// Ditto's rule for keys: neither slashes, which part a path, nor control characters.
const KEY = /^[^/\p{Cc}]+$/u;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What an object itself holds under a key, whatever objects inherit under that name. */
export function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The object without one key. */
export function withoutKey<T>(
  record: Readonly<Record<string, T>>,
  key: string,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}

/** Whether two values say the same; the order of an object's keys says nothing. */
export function jsonEqual(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((each, index) => jsonEqual(each, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && jsonEqual(a[key], b[key]))
  );
}

/** Reads JSON text; its length is checked before anything is built from it. */
export function parseJson(
  text: string,
  limits: JsonLimits = documentLimits,
): Result<JsonValue, JsonFailure> {
  // White space and escapes take room that the value will not.
  if (text.length > 6 * limits.charactersMax) return tooLarge(limits);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return fail('json-invalid', `not JSON: ${(cause as Error).message}`);
  }
  const checked = checkJson(value, limits);
  const repeated = checked.ok ? repeatedKey(text) : undefined;
  if (repeated === undefined) return checked;
  const shown = JSON.stringify(repeated.slice(0, KEY_SHOWN_MAX));
  return fail('json-invalid', `an object has the key ${shown} twice; leave one out`);
}

/**
 * Whether a value is JSON within the limits. Refused are also numbers and text that do not survive
 * being written (NaN, lone surrogates), and keys that no path can name.
 */
export function checkJson(
  value: unknown,
  limits: JsonLimits = documentLimits,
): Result<JsonValue, JsonFailure> {
  const spent: Spent = { values: 0, characters: 0 };
  const failure = findFault(value, limits, { depth: 0, spent });
  return failure ?? ok(value as JsonValue);
}

interface Spent {
  values: number;
  characters: number;
}

type Fault = Result<never, JsonFailure> | undefined;

function findFault(
  value: unknown,
  limits: JsonLimits,
  { depth, spent }: { depth: number; spent: Spent },
): Fault {
  spent.values += 1;
  spent.characters += typeof value === 'string' ? value.length + 2 : SCALAR_CHARACTERS;
  if (spent.values > limits.valuesMax) {
    return fail(
      'json-too-many-values',
      `it holds more than ${limits.valuesMax} values; send fewer`,
    );
  }
  if (spent.characters > limits.charactersMax) return tooLarge(limits);
  if (value === null || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : fail('json-invalid', `${value} is not JSON`);
  }
  if (typeof value === 'string') {
    return value.isWellFormed() ? undefined : fail('json-invalid', 'a string is not Unicode text');
  }
  if (!isPlain(value)) return fail('json-invalid', `a ${typeof value} of its kind is not JSON`);
  if (depth >= limits.depthMax) {
    return fail('json-too-deep', `it is nested more than ${limits.depthMax} deep; flatten it`);
  }
  const inside = { depth: depth + 1, spent };
  for (const [key, member] of Object.entries(value)) {
    const fault =
      (Array.isArray(value) ? undefined : keyFault(key, spent)) ??
      findFault(member, limits, inside);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

function keyFault(key: string, spent: Spent): Fault {
  spent.characters += key.length + 3;
  // Libraries that copy key by key would make the object's prototype of it.
  if (KEY.test(key) && key !== '__proto__' && key.isWellFormed()) return undefined;
  const shown = JSON.stringify(key.slice(0, KEY_SHOWN_MAX));
  return fail('json-key-refused', `the key ${shown} is empty, reserved, or has a slash or control`);
}

function tooLarge({ charactersMax }: JsonLimits): Result<never, JsonFailure> {
  return fail('json-too-large', `it is longer than ${charactersMax} characters; shorten it`);
}
