import { z } from 'zod';
import type { JsonObject } from '#shared/twin/document/json.ts';
import { selectFields } from '#shared/twin/query/field-selector.ts';
import { defaultSearchOptions, parseSearchOptions } from '#shared/twin/query/search-options.ts';
import { countThings, searchThings } from '#shared/twin/query/search-things.ts';
import type { Call } from './call.ts';
import { hasNamespace } from './list-things.ts';
import { parameters } from './query-parameter.ts';
import { readCondition, readFields, readFormBody, required } from './request-facts.ts';
import type { Operation, Route } from './route.ts';
import { searchPageSchema } from './schemas.ts';
import { cachedDocument } from './thing.ts';

const { filter, namespaces, option, fields } = parameters;
const formSchema = z
  .object({ filter: z.string(), namespaces: z.string(), option: z.string(), fields: z.string() })
  .partial();

const search = {
  role: 'read',
  answers: {
    200: { description: 'One page.', content: { 'application/json': searchPageSchema } },
  },
} as const;
const count = {
  role: 'read',
  answers: {
    200: { description: 'How many.', content: { 'application/json': z.int() } },
  },
} as const;
const form = { content: { 'application/x-www-form-urlencoded': formSchema } };

/**
 * Ditto's search: `filter`, `option`, `namespaces` and `fields`, over the things as they are now; a
 * write is found by whoever searches after it. POST takes the same as a form.
 */
export const searchRoutes: readonly Route[] = [
  {
    path: '/api/2/search/things',
    operations: {
      GET: {
        ...{ ...search, id: 'searchThings', summary: 'Finds things.' },
        query: [filter, namespaces, option, fields],
        answer: answerSearch,
      },
      POST: {
        ...{ ...search, id: 'postSearchThings', summary: 'Finds things, by a form.', body: form },
        answer: byForm(answerSearch),
      },
    },
  },
  {
    path: '/api/2/search/things/count',
    operations: {
      GET: {
        ...{ ...count, id: 'countThings', summary: 'Counts things.' },
        query: [filter, namespaces],
        answer: answerCount,
      },
      POST: {
        ...{ ...count, id: 'postCountThings', summary: 'Counts things, by a form.', body: form },
        answer: byForm(answerCount),
      },
    },
  },
];

function byForm(answer: Operation['answer']): Operation['answer'] {
  return async (call) => answer({ ...call, query: await readFormBody(call.request) });
}

function answerSearch(call: Call): Response {
  const { query } = call;
  const condition = readCondition(query, 'filter');
  const text = query.get('option');
  const options =
    text === null ? defaultSearchOptions : required(parseSearchOptions(text), 'option');
  const shown = readFields(query);
  const page = required(searchThings(documents(call), condition, options), 'option');
  const { items, cursor } = page;
  return Response.json({
    items: items.map((item) => (shown === 'all' ? item : selectFields(item, shown))),
    ...(cursor === undefined ? {} : { cursor }),
  });
}

function answerCount(call: Call): Response {
  return Response.json(countThings(documents(call), readCondition(call.query, 'filter')));
}

function documents({ options, query }: Call): JsonObject[] {
  return hasNamespace(query, options.group) ? options.twins.all().map(cachedDocument) : [];
}
