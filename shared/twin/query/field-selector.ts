import { type Failure, ok, type Result } from '../../basics/result.ts';
import { isJsonObject, type JsonObject, type JsonValue, ownValue } from '../document/json.ts';
import { parsePointer } from '../document/json-pointer.ts';

/** A tree of selected keys; `'all'` where everything below is. `*` is any feature. */
export type FieldSelection = 'all' | ReadonlyMap<string, FieldSelection>;

export type FieldsFailure = Failure<'fields-invalid'> & { readonly position: number };

const LENGTH_MAX = 4096;
const DEPTH_MAX = 16;
const FIELDS_MAX = 256;

/**
 * Reads Ditto's `fields`: paths parted by commas, in which parentheses group what shares a parent,
 * as in `thingId,attributes(a,b/c)`, and a feature named `*` is any.
 */
export function parseFields(text: string): Result<FieldSelection, FieldsFailure> {
  if (text.length > LENGTH_MAX) {
    return refuse(`fields has at most ${LENGTH_MAX} characters; shorten it`, LENGTH_MAX);
  }
  const read = readPaths(text);
  if (!read.ok) return read;
  const root: Draft = new Map();
  for (const keys of read.value) select(root, keys);
  return ok(root as FieldSelection);
}

/** What of a document is selected, in the document's order; objects left empty are left out. */
export function selectFields(document: JsonObject, selection: FieldSelection): JsonObject {
  const selected = project(document, selection, []);
  return isJsonObject(selected) ? selected : {};
}

type Draft = Map<string, Draft | 'all'>;

function project(
  value: JsonValue,
  selection: FieldSelection,
  keys: readonly string[],
): JsonValue | undefined {
  if (selection === 'all') return value;
  if (!isJsonObject(value)) return undefined;
  const anyFeature = keys.length === 1 && keys[0] === 'features' ? selection.get('*') : undefined;
  const names = anyFeature === undefined ? selection.keys() : Object.keys(value);
  const wanted = new Set(names);
  const entries = Object.keys(value).flatMap((key) => {
    if (!wanted.has(key)) return [];
    const inner = merged(selection.get(key), anyFeature);
    if (inner === undefined) return [];
    const selected = project(ownValue(value, key)!, inner, [...keys, key]);
    return selected === undefined ? [] : [[key, selected] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function merged(
  a: FieldSelection | undefined,
  b: FieldSelection | undefined,
): FieldSelection | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a === 'all' || b === 'all') return 'all';
  return new Map(
    [...a.keys(), ...b.keys()].map((key) => [key, merged(a.get(key), b.get(key))!] as const),
  );
}

function select(root: Draft, keys: readonly string[]): void {
  let node = root;
  for (const [level, key] of keys.entries()) {
    const known = node.get(key);
    if (known === 'all') return;
    if (level === keys.length - 1) {
      node.set(key, 'all');
      return;
    }
    const next: Draft = known ?? new Map();
    node.set(key, next);
    node = next;
  }
}

/** The paths of a selector, groups written out. */
function readPaths(text: string): Result<(readonly string[])[], FieldsFailure> {
  const paths: (readonly string[])[] = [];
  /** Parents of the groups that are open. */
  const parents: (readonly string[])[] = [[]];
  let start = 0;
  let afterGroup = false;
  for (let position = 0; position <= text.length; position++) {
    const character = text[position] ?? ',';
    if (!'(),'.includes(character)) continue;
    const piece = text.slice(start, position).trim();
    start = position + 1;
    if (afterGroup !== (piece === '')) {
      const reason = afterGroup ? 'expected a comma behind ")"' : 'expected a field';
      return refuse(reason, position);
    }
    if (!afterGroup) {
      const keys = parsePointer(piece);
      if (!keys.ok) return refuse(keys.error.message, position);
      if (keys.value.length === 0) return refuse('expected a field', position);
      const path = [...parents.at(-1)!, ...keys.value];
      if (character === '(') parents.push(path);
      else paths.push(path);
    } else if (character === '(') {
      return refuse('expected a field', position);
    }
    if (character === ')') parents.pop();
    if (parents.length === 0) return refuse('a ")" without its "("', position);
    if (parents.length > DEPTH_MAX) return refuse(`more than ${DEPTH_MAX} groups deep`, position);
    if (paths.length > FIELDS_MAX) return refuse(`more than ${FIELDS_MAX} fields`, position);
    afterGroup = character === ')';
  }
  return parents.length === 1 ? ok(paths) : refuse('a "(" without its ")"', text.length);
}

function refuse(reason: string, position: number): Result<never, FieldsFailure> {
  const message = `fields, at character ${position}: ${reason}`;
  return { ok: false, error: { code: 'fields-invalid', message, position } };
}
