import { z } from 'zod';
import { digestSchema } from '../identity/digest.ts';
import { type MessageCodec, messageCodec } from './message.ts';
import { nameSchema } from './names.ts';

/** Devices of one edge node that one message may name. */
const DEVICES_MAX = 10_000;

const devicesSchema = z.array(nameSchema).max(DEVICES_MAX);

const requestSchema = z.discriminatedUnion('kind', [
  /** Which of your devices could take part? */
  z.strictObject({ v: z.literal(1), kind: z.literal('eligible'), task: digestSchema }),
  /** Have these devices learn. */
  z.strictObject({
    v: z.literal(1),
    kind: z.literal('announce'),
    task: digestSchema,
    round: z
      .int()
      .min(1)
      .max(2 ** 31),
    /** Digest of the model version to start from. */
    base: digestSchema,
    participants: devicesSchema,
  }),
]);

const answerSchema = z.strictObject({
  v: z.literal(1),
  /** Devices that could take part, or that were told to. */
  devices: devicesSchema,
});

/** What the edge node that coordinates a learning task asks of the others. */
export type FederationRequest = z.infer<typeof requestSchema>;
export type RoundAnnouncement = Omit<
  Extract<FederationRequest, { kind: 'announce' }>,
  'v' | 'kind'
>;
export type FederationAnswer = z.infer<typeof answerSchema>;

export const federationRequestCodec: MessageCodec<FederationRequest> = messageCodec(
  'federation request',
  requestSchema,
);
export const federationAnswerCodec: MessageCodec<FederationAnswer> = messageCodec(
  'federation answer',
  answerSchema,
);
