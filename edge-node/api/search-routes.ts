import { z } from 'zod';
import type { JsonObject } from '#shared/twin/document/json.ts';
import { candidateIds } from '#shared/twin/query/candidate-ids.ts';
import { selectFields } from '#shared/twin/query/field-selector.ts';
import type { RqlCondition } from '#shared/twin/query/rql.ts';
import { defaultSearchOptions, parseSearchOptions } from '#shared/twin/query/search-options.ts';
import {
  countThings,
  mergePages,
  type SearchPage,
  searchThings,
} from '#shared/twin/query/search-things.ts';
import { answerWithout, askOthers, hostedThing, hostedThings, isForNode } from './ask-others.ts';
import { type Call, deviceOfId } from './call.ts';
import { hasNamespace } from './list-things.ts';
import { parameters } from './query-parameter.ts';
import { readCondition, readFields, readFormBody, required } from './request-facts.ts';
import type { Operation, Route } from './route.ts';
import { searchPageSchema } from './schemas.ts';
import { cachedDocument, cachedDocuments } from './thing.ts';

const { filter, namespaces, option, fields, scope } = parameters;
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
        query: [filter, namespaces, option, fields, scope],
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
        query: [filter, namespaces, scope],
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

async function answerSearch(call: Call): Promise<Response> {
  const { query } = call;
  const condition = readCondition(query, 'filter');
  const text = query.get('option');
  const options =
    text === null ? defaultSearchOptions : required(parseSearchOptions(text), 'option');
  const shown = readFields(query);
  const here = required(searchThings(documents(call, condition), condition, options), 'option');
  const others = isForNode(call) ? nobody : await askOthers(call, pathOf(call, ['option']));
  const pages = [here, ...(others.answers as unknown as SearchPage[])];
  const page = mergePages(pages, condition, options);
  const { unanswered } = others;
  return Response.json({
    items: page.items.map((item) => (shown === 'all' ? item : selectFields(item, shown))),
    ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
    ...(unanswered.length === 0 ? {} : { unanswered }),
  });
}

async function answerCount(call: Call): Promise<Response> {
  const condition = readCondition(call.query, 'filter');
  const here = countThings(documents(call, condition), condition);
  const others = isForNode(call) ? nobody : await askOthers(call, pathOf(call, []));
  const counts = [here, ...(others.answers as readonly number[])];
  return answerWithout(
    counts.reduce((sum, each) => sum + each),
    others.unanswered,
  );
}

const nobody = { answers: [], unanswered: [] };

/** The path at which another node is asked the same: the things whole, for `fields` may be few. */
function pathOf({ segments, query }: Call, names: readonly string[]): string {
  const kept = ['filter', 'namespaces', ...names].flatMap((name): [string, string][] => {
    const value = query.get(name);
    return value === null ? [] : [[name, value]];
  });
  return `/${segments.join('/')}?${new URLSearchParams(kept)}`;
}

/** What is to be searched: all things, unless the condition names the only ones it can hold of. */
function documents(call: Call, condition: RqlCondition | undefined): readonly JsonObject[] {
  const { group } = call.options;
  if (!hasNamespace(call.query, group)) return [];
  const ids = condition === undefined ? undefined : candidateIds(condition);
  if (ids === undefined) return cachedDocuments(hostedThings(call));
  const devices = [...ids].flatMap((id) => deviceOfId(id, group) ?? []);
  return devices.flatMap((device) => hostedThing(call, device) ?? []).map(cachedDocument);
}
