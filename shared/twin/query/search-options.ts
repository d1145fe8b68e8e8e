import type { Result } from '../../basics/result.ts';
import { checkLength, type RqlFailure, RqlScanner } from './rql-scanner.ts';

/** Room for the longest cursor, which grows with the sort keys. */
const LENGTH_MAX = 8192;
const SORT_KEYS_MAX = 4;
const SIZE_DEFAULT = 25;
const SIZE_MAX = 200;

export interface SortKey {
  readonly property: readonly string[];
  readonly descending: boolean;
}

export interface SearchOptions {
  /** Most significant first; the thing's id decides behind them. */
  readonly sort: readonly SortKey[];
  readonly size: number;
  readonly cursor?: string;
}

/** What a search goes by where nothing is said. */
export const defaultSearchOptions: SearchOptions = { sort: [], size: SIZE_DEFAULT };

/**
 * Reads Ditto's search options, `sort(+a,-b),size(25),cursor(…)`, in any order and each once.
 * A plus that came through a URL as a blank is still one. Ditto's outdated `limit` is refused.
 */
export function parseSearchOptions(text: string): Result<SearchOptions, RqlFailure> {
  const checked = checkLength(text, LENGTH_MAX);
  if (!checked.ok) return checked;
  const scanner = new RqlScanner(text);
  return scanner.finish(readOptions(scanner));
}

function readOptions(scanner: RqlScanner): SearchOptions | undefined {
  let options: SearchOptions = defaultSearchOptions;
  const read = new Set<string>();
  do {
    const name = scanner.word();
    if (read.has(name)) return scanner.refuse(`${name} is given twice`);
    read.add(name);
    if (name === 'limit') return scanner.refuse('limit is not supported; use size and cursor');
    if (name !== 'sort' && name !== 'size' && name !== 'cursor') {
      return scanner.expected('sort, size or cursor');
    }
    if (!scanner.demand('(')) return undefined;
    const option = readOption(scanner, name);
    if (option === undefined || !scanner.demand(')')) return undefined;
    options = { ...options, ...option };
  } while (scanner.accept(','));
  return options;
}

function readOption(
  scanner: RqlScanner,
  name: 'sort' | 'size' | 'cursor',
): Partial<SearchOptions> | undefined {
  if (name === 'sort') {
    const sort = readSort(scanner);
    return sort === undefined ? undefined : { sort };
  }
  if (name === 'size') {
    const size = scanner.value();
    if (typeof size === 'number' && Number.isInteger(size) && size >= 1 && size <= SIZE_MAX) {
      return { size };
    }
    return scanner.refuse(`size takes a whole number from 1 to ${SIZE_MAX}`);
  }
  const cursor = scanner.bareText();
  return cursor === undefined || cursor === '' ? scanner.expected('a cursor') : { cursor };
}

function readSort(scanner: RqlScanner): SortKey[] | undefined {
  const sort: SortKey[] = [];
  do {
    const descending = scanner.accept('-');
    // Decoding a URL makes a blank of "+", and blanks are passed.
    if (!descending) scanner.accept('+');
    const property = scanner.property();
    if (property === undefined) return undefined;
    sort.push({ property, descending });
    if (sort.length > SORT_KEYS_MAX) return scanner.refuse(`more than ${SORT_KEYS_MAX} sort keys`);
  } while (scanner.accept(','));
  return sort;
}
