import { z } from 'zod';
import { type MessageCodec, messageCodec } from './message.ts';
import { epochSchema, propertySchema } from './names.ts';

const presenceSchema = z.strictObject({
  v: z.literal(1),
  state: z.enum(['online', 'offline']),
  epoch: epochSchema,
  /** What the device measures; UCUM units. Empty in the message its broker sends on its death. */
  properties: z
    .array(z.strictObject({ property: propertySchema, unit: z.string().max(32) }))
    .max(1000),
});

/** Retained, and left with the broker as the device's will. */
export type PresenceMessage = z.infer<typeof presenceSchema>;

export const presenceCodec: MessageCodec<PresenceMessage> = messageCodec(
  'presence',
  presenceSchema,
);
