import { z } from 'zod';
import { type MessageCodec, messageCodec } from './message.ts';
import { epochSchema, propertySchema } from './names.ts';

const reportingSchema = z.strictObject({
  v: z.literal(1),
  epoch: epochSchema,
  /** The newest back-test of each property that is not sent whole, of the predictor in use. */
  tests: z
    .array(
      z.strictObject({
        property: propertySchema,
        predictor: z.string().max(80),
        /** How far the twin was off after a silence, from short to long. */
        errors: z
          .array(
            z.strictObject({ silentMs: z.number().positive(), error: z.number().nonnegative() }),
          )
          .max(16),
      }),
    )
    .max(1000),
});

/** What a device says of its reporting as a whole; each message takes the place of the last. */
export type ReportingMessage = z.infer<typeof reportingSchema>;
export type PropertyTest = ReportingMessage['tests'][number];

export const reportingCodec: MessageCodec<ReportingMessage> = messageCodec(
  'reporting',
  reportingSchema,
);
