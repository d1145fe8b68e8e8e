import { parameters } from './query-parameter.ts';
import type { Operation, Route } from './route.ts';
import { anySchema } from './schemas.ts';
import { sendMessage } from './send-message.ts';

/**
 * Messages to things and their features. What a feature's device is asked for has the subject
 * `features/FEATURE/SUBJECT`; a claim has the subject `claim`.
 */
export const messageRoutes: readonly Route[] = [
  {
    path: '/api/2/things/{thingId}/inbox/claim',
    operations: { POST: operation('claim', 'Claims a thing.', () => 'claim') },
  },
  {
    path: '/api/2/things/{thingId}/inbox/messages/{subject+}',
    operations: {
      POST: operation('messageThing', 'Sends a command to a thing.', ({ subject }) => subject!),
    },
  },
  {
    path: '/api/2/things/{thingId}/features/{featureId}/inbox/messages/{subject+}',
    operations: {
      POST: operation(
        'messageFeature',
        'Sends a command to a feature of a thing.',
        ({ featureId, subject }) => `features/${featureId}/${subject}`,
      ),
    },
  },
];

function operation(
  id: string,
  summary: string,
  subjectOf: (params: Readonly<Record<string, string>>) => string,
): Operation {
  return {
    ...{ id, summary, role: 'write' },
    query: [parameters.timeout],
    body: { content: { 'application/json': anySchema, 'text/plain': anySchema }, optional: true },
    answers: {
      200: {
        description: 'The reply, with the status the device gave it.',
        content: { 'application/json': anySchema },
      },
      202: { description: 'Sent; nobody waits for the reply (timeout=0).' },
      204: { description: 'The reply, which says no more.' },
      408: { description: 'The device did not reply in time.' },
    },
    answer: (call) => sendMessage(call, subjectOf(call.params)),
  };
}
