import { z } from 'zod';
import { type Relation, readRelations } from '#shared/twin/document/relations.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { answerWithout, askOthers, hostedThings, isForNode } from './ask-others.ts';
import { type Call, existing } from './call.ts';
import { parameters } from './query-parameter.ts';
import type { Route } from './route.ts';

const relationsSchema = z
  .array(z.object({ type: z.string(), thingId: z.string() }))
  .meta({ id: 'Relations' });
const bothSchema = z
  .object({
    outgoing: relationsSchema.describe('What the thing says of others.'),
    incoming: relationsSchema.describe('What others say of it.'),
    unanswered: z.array(z.string()).optional().describe('Edge nodes that did not answer in time.'),
  })
  .meta({ id: 'ThingRelations' });

/** What stands in `attributes/relations`, both ways. */
export const relationRoutes: readonly Route[] = [
  {
    path: '/api/2/things/{thingId}/relations',
    operations: {
      GET: {
        id: 'getRelations',
        summary: 'What a thing is to others, and others to it.',
        role: 'read',
        query: [parameters.scope],
        answers: {
          200: { description: 'Both.', content: { 'application/json': bothSchema } },
        },
        answer: showRelations,
      },
    },
  },
  {
    path: '/api/2/relations',
    operations: {
      GET: {
        id: 'findRelations',
        summary: 'Which things say something of a thing, which need not be there itself.',
        role: 'read',
        query: [parameters.relatedTo, parameters.scope],
        answers: {
          200: { description: 'They.', content: { 'application/json': relationsSchema } },
        },
        answer: findRelations,
      },
    },
  },
];

async function showRelations(call: Call): Promise<Response> {
  const { thing } = existing(call);
  const { incoming, unanswered } = await incomingOf(call, thing.thingId);
  return Response.json({
    outgoing: readRelations(thing.attributes),
    incoming,
    ...(unanswered.length === 0 ? {} : { unanswered }),
  });
}

async function findRelations(call: Call): Promise<Response> {
  const thingId = call.query.get('to');
  if (thingId === null) throw new ApiFailure(apiErrors.queryInvalid('to', 'name a thing'));
  if (isForNode(call)) return Response.json(incomingHere(call, thingId));
  const { incoming, unanswered } = await incomingOf(call, thingId);
  return answerWithout(incoming, unanswered);
}

/** Also for another node, which asked for the thing: this one knows who else to ask. */
async function incomingOf(call: Call, thingId: string) {
  const here = incomingHere(call, thingId);
  const { forwarder } = call.options;
  if (forwarder === undefined || call.query.get('scope') === 'node') {
    return { incoming: here, unanswered: [] };
  }
  const query = new URLSearchParams({ to: thingId });
  const { answers, unanswered } = await askOthers(call, `/api/2/relations?${query}`);
  const incoming = [...here, ...(answers as unknown as Relation[][]).flat()];
  return { incoming: incoming.sort(byThing), unanswered };
}

function incomingHere(call: Call, thingId: string): Relation[] {
  return hostedThings(call).flatMap(({ thingId: from, attributes }) =>
    readRelations(attributes)
      .filter((relation) => relation.thingId === thingId)
      .map(({ type }) => ({ type, thingId: from })),
  );
}

function byThing(a: Relation, b: Relation): number {
  const [left, right] = [`${a.thingId} ${a.type}`, `${b.thingId} ${b.type}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
