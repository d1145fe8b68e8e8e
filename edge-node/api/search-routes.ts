import type { Hono } from 'hono';
import type { JsonObject } from '#shared/twin/document/json.ts';
import { selectFields } from '#shared/twin/query/field-selector.ts';
import { defaultSearchOptions, parseSearchOptions } from '#shared/twin/query/search-options.ts';
import { countThings, searchThings } from '#shared/twin/query/search-things.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { readCondition, readFields, required } from './request-facts.ts';
import { cachedDocument } from './thing.ts';

export const SEARCH_PATH = '/api/2/search/things';

/**
 * Ditto's search: `filter`, `option` and `fields`, over the things as they are now; a write is
 * found by whoever searches after it.
 */
export function addSearchRoutes(app: Hono, twins: TwinStore): void {
  app.get(SEARCH_PATH, (context) => {
    const query = new URL(context.req.url).searchParams;
    const filter = readCondition(query, 'filter');
    const text = query.get('option');
    const options =
      text === null ? defaultSearchOptions : required(parseSearchOptions(text), 'option');
    const fields = readFields(query);
    const { items, cursor } = required(searchThings(documents(twins), filter, options), 'option');
    return context.json({
      items: items.map((item) => (fields === 'all' ? item : selectFields(item, fields))),
      ...(cursor === undefined ? {} : { cursor }),
    });
  });

  app.get(`${SEARCH_PATH}/count`, (context) => {
    const filter = readCondition(new URL(context.req.url).searchParams, 'filter');
    return context.json(countThings(documents(twins), filter));
  });
}

function documents(twins: TwinStore): JsonObject[] {
  return twins.all().map(cachedDocument);
}
