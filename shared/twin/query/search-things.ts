import { assert } from '../../basics/assert.ts';
import { bytesToHex, hexToBytes } from '../../basics/bytes.ts';
import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import { decodeCanonical, encodeCanonical, type Plain } from '../../codec/canonical.ts';
import { digestOfPlain } from '../../identity/digest.ts';
import { type JsonObject, ownValue } from '../document/json.ts';
import { compileRql, valuesAt } from './compile-rql.ts';
import { formatProperty, formatRql, type RqlCondition, type RqlValue } from './rql.ts';
import type { SearchOptions, SortKey } from './search-options.ts';

export interface SearchPage {
  readonly items: readonly JsonObject[];
  /** Where the next page begins; left out on the last one. */
  readonly cursor?: string;
}

export type SearchFailure = Failure<'cursor-invalid'>;

/** Of the text a thing is sorted by, so that a cursor stays small. */
const SORT_TEXT_MAX = 128;
const QUERY_DIGITS = 16;

/** What decides a thing's place: a value for each sort key, at last its id. */
type Place = readonly (RqlValue | undefined)[];

/**
 * One page of the things of which `filter` holds; no more than a page is kept in memory, however
 * many match. A cursor marks a place, not a thing: what was deleted meanwhile is no hole, and what
 * moved behind the place comes again.
 *
 * @param documents - Things as the API shows them, each with its `thingId`, in any order.
 */
export function searchThings(
  documents: Iterable<JsonObject>,
  filter: RqlCondition | undefined,
  { sort, size, cursor }: SearchOptions,
): Result<SearchPage, SearchFailure> {
  const query = queryDigest(filter, sort);
  const after = cursor === undefined ? ok(undefined) : readCursor(cursor, query, sort.length + 1);
  if (!after.ok) return after;
  const test = filter === undefined ? () => true : compileRql(filter);
  const order = [...sort.map(({ descending }) => descending), false];
  const page: { place: Place; document: JsonObject }[] = [];
  for (const document of documents) {
    const place = placeOf(document, sort);
    if (after.value !== undefined && comparePlaces(place, after.value, order) <= 0) continue;
    // Behind the page whatever it is: in the order of their ids, that is most of them.
    const beyond = page[size];
    if (beyond !== undefined && comparePlaces(place, beyond.place, order) > 0) continue;
    if (!test(document)) continue;
    insert(page, { place, document }, { order, lengthMax: size + 1 });
  }
  const items = page.slice(0, size);
  const last = items.at(-1);
  return ok({
    items: items.map(({ document }) => document),
    ...(last === undefined || page.length <= size
      ? {}
      : { cursor: writeCursor(query, last.place) }),
  });
}

/**
 * The page that pages of the same search make, each of other things: what comes first of all.
 *
 * @param pages - As {@link searchThings} gave them for the same filter and options.
 */
export function mergePages(
  pages: readonly SearchPage[],
  filter: RqlCondition | undefined,
  { sort, size }: SearchOptions,
): SearchPage {
  const things = new Map(
    pages.flatMap(({ items }) => items.map((item) => [String(item.thingId), item])),
  );
  const merged = searchThings(things.values(), undefined, { sort, size });
  assert(merged.ok, 'a search without a cursor does not fail');
  const { items } = merged.value;
  const last = items.at(-1);
  const isCut = things.size > size || pages.some(({ cursor }) => cursor !== undefined);
  if (last === undefined || !isCut) return { items };
  return { items, cursor: writeCursor(queryDigest(filter, sort), placeOf(last, sort)) };
}

/** How many things a condition holds of. */
export function countThings(
  documents: Iterable<JsonObject>,
  filter: RqlCondition | undefined,
): number {
  const test = filter === undefined ? () => true : compileRql(filter);
  let count = 0;
  for (const document of documents) if (test(document)) count += 1;
  return count;
}

function insert(
  page: { place: Place; document: JsonObject }[],
  found: { place: Place; document: JsonObject },
  { order, lengthMax }: { order: readonly boolean[]; lengthMax: number },
): void {
  let [low, high] = [0, page.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePlaces(page[middle]!.place, found.place, order) < 0) low = middle + 1;
    else high = middle;
  }
  page.splice(low, 0, found);
  if (page.length > lengthMax) page.pop();
}

function placeOf(document: JsonObject, sort: readonly SortKey[]): Place {
  const id = String(ownValue(document, 'thingId'));
  if (sort.length === 0) return [id];
  const values = sort.map(({ property }) => valuesAt(document, property)[0]);
  const keys = values.map((value) => {
    if (typeof value === 'string') return value.slice(0, SORT_TEXT_MAX).toWellFormed();
    return typeof value === 'object' && value !== null ? undefined : value;
  });
  return [...keys, id];
}

/** Ascending: what is not there, null, false, true, numbers, texts. */
function rankOf(value: RqlValue | undefined): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  return { boolean: 2, number: 3, string: 4 }[typeof value as 'boolean' | 'number' | 'string'];
}

function comparePlaces(a: Place, b: Place, descending: readonly boolean[]): number {
  for (let index = 0; index < descending.length; index++) {
    const [left, right, turned] = [a[index], b[index], descending[index]];
    if (left === right) continue;
    const rank = rankOf(left) - rankOf(right);
    const difference = rank !== 0 ? rank : left! < right! ? -1 : 1;
    return turned ? -difference : difference;
  }
  return 0;
}

function queryDigest(filter: RqlCondition | undefined, sort: readonly SortKey[]): string {
  const keys = sort.map(
    ({ property, descending }) => `${descending ? '-' : '+'}${formatProperty(property)}`,
  );
  const plain = [filter === undefined ? '' : formatRql(filter), ...keys];
  return digestOfPlain(plain).slice(0, QUERY_DIGITS);
}

function writeCursor(query: string, place: Place): string {
  const values: Plain[] = place.map((value) => (value === undefined ? [] : [value]));
  return bytesToHex(encodeCanonical([query, ...values]));
}

function readCursor(cursor: string, query: string, length: number): Result<Place, SearchFailure> {
  const bytes = hexToBytes(cursor);
  const decoded = bytes === undefined ? undefined : decodeCanonical(bytes);
  const parts = decoded?.ok === true && Array.isArray(decoded.value) ? decoded.value : [];
  const [itsQuery, ...values] = parts as Plain[];
  if (itsQuery !== query || values.length !== length) {
    const mend = 'use the cursor of the page before, with the same filter and sort';
    return fail('cursor-invalid', `the cursor is of another search; ${mend}`);
  }
  return ok(values.map((each) => (Array.isArray(each) ? (each[0] as RqlValue) : undefined)));
}
