import { z } from 'zod';
import { contentSchema } from '#shared/twin/document/thing-content.ts';
import { createThing } from './edit-content.ts';
import { listThings } from './list-things.ts';
import { parameters } from './query-parameter.ts';
import type { Route } from './route.ts';
import { anySchema, shownThingSchema } from './schemas.ts';
import { wantsEvents, watchThings } from './watch-things.ts';

const { fields, ids, namespaces, filter, scope } = parameters;
const listed = {
  'application/json': z.array(shownThingSchema),
  'text/event-stream': anySchema,
};

/** All things together. */
export const thingsRoutes: readonly Route[] = [
  {
    path: '/api/2/things',
    operations: {
      GET: {
        id: 'listThings',
        summary: 'Things, or the events of things as a stream.',
        role: 'read',
        query: [ids, namespaces, fields, filter, scope],
        answers: { 200: { description: 'The things.', content: listed } },
        answer: (call) => (wantsEvents(call.request) ? watchThings(call) : listThings(call)),
      },
      POST: {
        id: 'postThing',
        summary: 'Makes a thing under an id of the node’s choosing.',
        role: 'write',
        body: { content: { 'application/json': contentSchema }, optional: true },
        answers: {
          201: { description: 'The thing.', content: { 'application/json': shownThingSchema } },
        },
        answer: createThing,
      },
    },
  },
];
