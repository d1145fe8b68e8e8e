import { z } from 'zod';
import { openApiDocument } from './openapi.ts';
import type { Route } from './route.ts';
import { anySchema } from './schemas.ts';
import { DESCRIPTION_TYPE, describeCollection } from './wot.ts';

const statusSchema = z.looseObject({ node: z.string(), group: z.string() }).partial();

/**
 * What concerns the node and not one of its things.
 *
 * @param routes - All routes of the API, these among them.
 */
export function nodeRoutes(routes: () => readonly Route[]): Route[] {
  return [
    {
      path: '/status',
      operations: {
        GET: {
          ...{ id: 'getStatus', summary: 'The state of the node.', role: 'read' },
          answers: {
            200: { description: 'Its state.', content: { 'application/json': statusSchema } },
          },
          answer: ({ options }) => Response.json(options.status()),
        },
      },
    },
    {
      path: '/.well-known/wot',
      operations: {
        GET: {
          ...{
            id: 'getWot',
            summary: 'Where the things of this node are described.',
            role: 'read',
          },
          answers: {
            200: { description: 'A collection.', content: { [DESCRIPTION_TYPE]: anySchema } },
          },
          answer: describeCollection,
        },
      },
    },
    {
      path: '/openapi.json',
      operations: {
        GET: {
          ...{ id: 'getOpenApi', summary: 'This description.', role: 'read' },
          answers: {
            200: { description: 'OpenAPI 3.1.', content: { 'application/json': anySchema } },
          },
          answer: ({ caller }) => Response.json(openApiDocument(routes(), caller.needsToken)),
        },
      },
    },
  ];
}
