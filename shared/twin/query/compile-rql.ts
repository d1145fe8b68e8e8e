import { isJsonObject, type JsonObject, type JsonValue, ownValue } from '../document/json.ts';
import { compileLike } from './like-pattern.ts';
import type { Comparison, RqlCondition, RqlValue } from './rql.ts';

/** Whether a condition holds of a thing's document. */
export type RqlTest = (document: JsonObject) => boolean;

/**
 * A condition made ready to be asked of many things, with the meaning of Ditto's search: values are
 * compared within one type; an array's elements each count; `ne` asks for a value that is there;
 * `features/*` asks for one feature of which it holds. Texts are ordered by UTF-16 units.
 */
export function compileRql(condition: RqlCondition): RqlTest {
  const { kind } = condition;
  switch (kind) {
    case 'and': {
      const tests = condition.parts.map(compileRql);
      return (document) => tests.every((test) => test(document));
    }
    case 'or': {
      const tests = condition.parts.map(compileRql);
      return (document) => tests.some((test) => test(document));
    }
    case 'not': {
      const test = compileRql(condition.part);
      return (document) => !test(document);
    }
    default:
      return propertyTest(condition.property, valuesTest(condition));
  }
}

/** What stands at a path: each of an array's elements, and nothing where nothing does. */
export function valuesAt(document: JsonValue | undefined, keys: readonly string[]): JsonValue[] {
  let value = document;
  for (let level = 0; level < keys.length; level++) {
    if (Array.isArray(value)) {
      const rest = keys.slice(level);
      return value.flatMap((each) => valuesAt(each, rest));
    }
    if (!isJsonObject(value)) return [];
    value = ownValue(value, keys[level]!);
  }
  if (Array.isArray(value)) return value.flatMap((each) => valuesAt(each, []));
  return value === undefined ? [] : [value];
}

type ValuesTest = (values: readonly JsonValue[]) => boolean;
type PropertyCondition = Exclude<RqlCondition, { kind: 'and' | 'or' | 'not' }>;

function propertyTest(keys: readonly string[], test: ValuesTest): RqlTest {
  const [first, second, ...rest] = keys;
  if (first !== 'features' || second !== '*') {
    return (document) => test(valuesWithArrays(document, keys));
  }
  return ({ features }) =>
    isJsonObject(features) &&
    Object.values(features).some((feature) => test(valuesWithArrays(feature, rest)));
}

/** As {@link valuesAt}; an empty array is itself the value, so that it exists and is empty. */
function valuesWithArrays(document: JsonValue, keys: readonly string[]): readonly JsonValue[] {
  const values = valuesAt(document, keys);
  if (values.length > 0) return values;
  const last = keys.reduce<JsonValue | undefined>(
    (value, key) => (isJsonObject(value) ? ownValue(value, key) : undefined),
    document,
  );
  return last === undefined ? [] : [last];
}

function valuesTest(condition: PropertyCondition): ValuesTest {
  switch (condition.kind) {
    case 'exists':
      return (values) => values.length > 0;
    case 'empty':
      return (values) => values.every(isEmpty);
    case 'ne': {
      const { value } = condition;
      return (values) => values.length > 0 && values.every((each) => each !== value);
    }
    case 'in': {
      const wanted = new Set<JsonValue>(condition.values);
      return (values) => values.some((each) => wanted.has(each));
    }
    case 'like':
    case 'ilike': {
      const isLike = compileLike(condition.pattern, condition.kind === 'ilike');
      return (values) => values.some((each) => typeof each === 'string' && isLike(each));
    }
    default: {
      const { kind, value } = condition;
      return (values) => values.some((each) => compare(kind, each, value));
    }
  }
}

function isEmpty(value: JsonValue): boolean {
  if (value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function compare(kind: Exclude<Comparison, 'ne'>, value: JsonValue, wanted: RqlValue): boolean {
  if (kind === 'eq') return value === wanted;
  // Another type, null among them, is neither above nor below.
  if (typeof value !== typeof wanted || value === null || wanted === null) return false;
  const actual = value as number;
  const bound = wanted as number;
  switch (kind) {
    case 'gt':
      return actual > bound;
    case 'ge':
      return actual >= bound;
    case 'lt':
      return actual < bound;
    case 'le':
      return actual <= bound;
  }
}
