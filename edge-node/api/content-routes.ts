import { z } from 'zod';
import {
  contentSchema,
  definitionSchema,
  featureSchema,
  jsonObjectSchema,
} from '#shared/twin/document/thing-content.ts';
import type { Call } from './call.ts';
import { deleteContent, editContent } from './edit-content.ts';
import { parameters } from './query-parameter.ts';
import { readContent } from './read-content.ts';
import type { Route } from './route.ts';
import { anySchema, shownFeatureSchema, shownThingSchema } from './schemas.ts';
import { wantsEvents, watchThings } from './watch-things.ts';
import { DESCRIPTION_TYPE, describeThing, wantsDescription } from './wot.ts';

/** One part of a thing: where it stands, what it is called, and what it looks like. */
interface Part {
  readonly path: string;
  /** What operations on it are called by. */
  readonly name: string;
  readonly shown: z.ZodType;
  readonly written: z.ZodType;
}

const featuresSchema = z.record(z.string(), featureSchema);
const shownFeatures = z.record(z.string(), shownFeatureSchema);
const definitions = z.array(definitionSchema);
const object = { shown: jsonObjectSchema, written: jsonObjectSchema };
const value = { shown: anySchema, written: anySchema };

const parts: readonly Part[] = [
  { path: '', name: 'Thing', shown: shownThingSchema, written: contentSchema },
  { path: '/definition', name: 'Definition', shown: definitionSchema, written: definitionSchema },
  { path: '/attributes', name: 'Attributes', ...object },
  { path: '/attributes/{attributePath+}', name: 'Attribute', ...value },
  { path: '/features', name: 'Features', shown: shownFeatures, written: featuresSchema },
  {
    path: '/features/{featureId}',
    name: 'Feature',
    shown: shownFeatureSchema,
    written: featureSchema,
  },
  {
    path: '/features/{featureId}/definition',
    name: 'FeatureDefinition',
    shown: definitions,
    written: definitions,
  },
  { path: '/features/{featureId}/properties', name: 'Properties', ...object },
  { path: '/features/{featureId}/properties/{propertyPath+}', name: 'Property', ...value },
  { path: '/features/{featureId}/desiredProperties', name: 'DesiredProperties', ...object },
  {
    path: '/features/{featureId}/desiredProperties/{propertyPath+}',
    name: 'DesiredProperty',
    ...value,
  },
];

function read(call: Call): Response {
  if (wantsEvents(call.request)) return watchThings(call);
  return wantsDescription(call) ? describeThing(call) : readContent(call);
}

/** A thing and every part of its content. */
export const contentRoutes: readonly Route[] = parts.map(routeOf);

function routeOf({ path, name, shown, written }: Part): Route {
  const what = path === '' ? 'the thing' : `what stands at ${path.replaceAll('+', '')}`;
  const { condition, fields, revisionAt, timeAt, revisionFrom, revisionTo, filter } = parameters;
  const changed = { 204: { description: 'It was there, and is changed.' } };
  const json = { 'application/json': shown };
  const made = { 201: { description: 'It was made.', content: json } };
  const streamed = {
    ...json,
    'text/event-stream': anySchema,
    ...(path === '' ? { [DESCRIPTION_TYPE]: anySchema } : {}),
  };
  return {
    path: `/api/2/things/{thingId}${path}`,
    operations: {
      GET: {
        id: `get${name}`,
        summary: `Shows ${what}, or its events as a stream.`,
        role: 'read',
        query: [fields, condition, revisionAt, timeAt, revisionFrom, revisionTo, filter],
        answers: {
          200: { description: 'It, with its revision as ETag.', content: streamed },
          304: { description: 'It has not changed, or the condition does not hold.' },
        },
        answer: read,
      },
      PUT: {
        id: `put${name}`,
        summary: `Puts ${what}.`,
        role: 'write',
        query: [condition],
        body: { content: { 'application/json': written } },
        answers: { ...made, ...changed },
        answer: editContent,
      },
      PATCH: {
        id: `patch${name}`,
        summary: `Merges into ${what} (RFC 7396).`,
        role: 'write',
        query: [condition],
        body: { content: { 'application/merge-patch+json': anySchema } },
        answers: { ...made, ...changed },
        answer: editContent,
      },
      DELETE: {
        id: `delete${name}`,
        summary: `Deletes ${what}.`,
        role: 'write',
        query: [condition],
        answers: { 204: { description: 'It is gone.' } },
        answer: deleteContent,
      },
    },
  };
}
