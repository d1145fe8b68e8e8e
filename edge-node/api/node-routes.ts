import { z } from 'zod';
import type { Route } from './route.ts';

const statusSchema = z.looseObject({ node: z.string(), group: z.string() }).partial();

/** What concerns the node and not one of its things. */
export const nodeRoutes: readonly Route[] = [
  {
    path: '/status',
    operations: {
      GET: {
        id: 'getStatus',
        summary: 'The state of the node.',
        role: 'read',
        answers: {
          200: { description: 'Its state.', content: { 'application/json': statusSchema } },
        },
        answer: ({ options }) => Response.json(options.status()),
      },
    },
  },
];
