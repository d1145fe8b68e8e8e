import { z } from 'zod';
import { definitionSchema, jsonObjectSchema } from '#shared/twin/document/thing-content.ts';
import { errorBases } from '#shared/twin/prediction/answer.ts';
import { qualities } from '#shared/twin/sample.ts';

/** Any JSON value. */
export const anySchema = z.unknown();

export const errorSchema = z
  .object({
    status: z.int(),
    error: z.string().describe('What is wrong, for programs.'),
    message: z.string().describe('What is wrong, for people.'),
    description: z.string().describe('The mend.'),
  })
  .meta({ id: 'Error' });

export const shownFeatureSchema = z
  .object({
    definition: z.array(definitionSchema).optional(),
    properties: jsonObjectSchema.optional().describe('What the device reported.'),
    desiredProperties: jsonObjectSchema.optional().describe('What is wanted of it.'),
  })
  .meta({ id: 'Feature' });

export const shownThingSchema = z
  .object({
    thingId: z.string(),
    definition: z.string().optional(),
    attributes: jsonObjectSchema,
    features: z.record(z.string(), shownFeatureSchema),
    _revision: z.int(),
    _created: z.iso.datetime(),
    _modified: z.iso.datetime(),
    _metadata: jsonObjectSchema.optional(),
    _predictions: jsonObjectSchema
      .optional()
      .describe('What the twin takes each property to be; only where fields names it.'),
    online: z.boolean(),
    ageMs: z.number().nullish(),
    anomalyScore: z.number().nullish(),
  })
  .partial()
  .meta({ id: 'Thing', description: 'A twin, or the fields of it that were asked for.' });

export const searchPageSchema = z
  .object({
    items: z.array(shownThingSchema),
    cursor: z.string().optional(),
    unanswered: z
      .array(z.string())
      .optional()
      .describe('Edge nodes that did not answer in time: their things are missing.'),
  })
  .meta({ id: 'SearchPage' });

const explainedSchema = z.object({
  path: z.string().describe('feature/property'),
  desired: anySchema,
  version: z.int(),
  reported: anySchema.optional(),
  state: z.enum(['in-step', 'unseen', 'in-progress', 'rejected', 'unconfirmed', 'differs']),
  acknowledged: z.boolean(),
  pendingSinceMs: z.number().optional(),
});

export const deltaSchema = z.array(explainedSchema).meta({ id: 'Delta' });

export const whySchema = z
  .array(
    explainedSchema.extend({
      reasons: z.array(
        z.object({
          code: z.string(),
          sinceMs: z.number().optional(),
          by: z.string().optional(),
          message: z.string(),
        }),
      ),
    }),
  )
  .meta({ id: 'Why' });

export const seriesSchema = z
  .object({
    property: z.string(),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    stepMs: z.number().optional(),
    data: z.array(jsonObjectSchema),
  })
  .meta({ id: 'Series' });

export const predictionSchema = z
  .object({
    value: z.number().nullable(),
    time: z.iso.datetime().describe('The moment it is of.'),
    origin: z.enum(['reported', 'predicted']),
    quality: z.enum(qualities),
    reported: z.iso.datetime().describe('Of the newest report that it is made from.'),
    ageMs: z.number().describe('From that report on.'),
    expectedError: z.number().nullable().describe('In the unit of measure; null: not known.'),
    errorBasis: z.enum(errorBases),
    predictor: z.string(),
    tolerance: z.number().optional().describe('What the device promised, where it did.'),
    unit: z.string().optional(),
  })
  .meta({ id: 'Prediction' });

export const predictionsSchema = z.record(z.string(), predictionSchema);
