import { z } from 'zod';
import { type MessageCodec, messageCodec } from './message.ts';
import { nameSchema } from './names.ts';

/** Of a body that is passed on, and of what surrounds it. */
export const FORWARDED_BODY_BYTES_MAX = 256 * 1024;
const URL_LENGTH_MAX = 8192;

/** The headers of a request that are passed on, and those of an answer that come back. */
export const forwardedHeaders = {
  request: ['accept', 'content-type', 'if-match', 'if-none-match', 'last-event-id'],
  answer: ['allow', 'content-type', 'etag', 'location', 'vary'],
} as const;

/** More than HTTP lets in, so that no client makes one node send another what it must not. */
const HEADER_LENGTH_MAX = 32_768;

const headersSchema = z
  .array(z.tuple([z.string().max(32), z.string().max(HEADER_LENGTH_MAX)]))
  .max(8);
const bytesSchema = z.instanceof(Uint8Array);
const ticketSchema = z.string().regex(/^[0-9a-f]{32}$/);

const requestSchema = z.discriminatedUnion('kind', [
  /** Answer this in my place, as you would if it had come to you. */
  z.strictObject({
    v: z.literal(1),
    kind: z.literal('call'),
    method: z.enum(['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE']),
    /** As it was asked for, with the asking node's own name. */
    url: z.url({ protocol: /^https?$/ }).max(URL_LENGTH_MAX),
    headers: headersSchema,
    body: bytesSchema.refine((bytes) => bytes.length <= FORWARDED_BODY_BYTES_MAX).nullable(),
    caller: z.strictObject({
      name: nameSchema,
      role: z.enum(['read', 'write']),
      needsToken: z.boolean(),
    }),
  }),
  /** What has become of the call that was pending? */
  z.strictObject({ v: z.literal(1), kind: z.literal('wait'), ticket: ticketSchema }),
]);

const answerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    v: z.literal(1),
    kind: z.literal('answered'),
    status: z.int().min(200).max(599),
    headers: headersSchema,
    body: bytesSchema,
  }),
  /** It takes longer: ask again with the ticket. */
  z.strictObject({ v: z.literal(1), kind: z.literal('pending'), ticket: ticketSchema }),
]);

/** What one edge node asks of another in the place of a client of its HTTP API. */
export type ForwardingRequest = z.infer<typeof requestSchema>;
export type ForwardedCall = Extract<ForwardingRequest, { kind: 'call' }>;
export type ForwardingAnswer = z.infer<typeof answerSchema>;
export type ForwardedAnswer = Extract<ForwardingAnswer, { kind: 'answered' }>;

export const forwardingRequestCodec: MessageCodec<ForwardingRequest> = messageCodec(
  'forwarding request',
  requestSchema,
);
export const forwardingAnswerCodec: MessageCodec<ForwardingAnswer> = messageCodec(
  'forwarding answer',
  answerSchema,
);
