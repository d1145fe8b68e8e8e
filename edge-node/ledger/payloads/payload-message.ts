import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import { digestSchema } from '#shared/identity/digest.ts';
import { CHUNK_SIZE_BYTES } from './payload-file.ts';

const sizeSchema = z.int().min(0);

const requestSchema = z.strictObject({
  v: z.literal(1),
  digest: digestSchema,
  offset: sizeSchema,
  length: z.int().min(1).max(CHUNK_SIZE_BYTES),
});

const answerSchema = z.strictObject({
  v: z.literal(1),
  sizeBytes: sizeSchema.nullable(),
  bytes: z.instanceof(Uint8Array).refine((bytes) => bytes.length <= CHUNK_SIZE_BYTES),
});

export type PayloadRequest = z.infer<typeof requestSchema>;
export interface PayloadAnswer {
  readonly v: 1;
  /** Of the whole payload; null where the peer does not have it. */
  readonly sizeBytes: number | null;
  readonly bytes: Uint8Array;
}

export function encodePayloadMessage(
  message: PayloadRequest | PayloadAnswer,
): Uint8Array<ArrayBuffer> {
  return encodeCanonical({ ...message });
}

export function decodePayloadRequest(
  bytes: Uint8Array,
): Result<PayloadRequest, Failure<'payload-malformed'>> {
  return parse(requestSchema, bytes);
}

export function decodePayloadAnswer(
  bytes: Uint8Array,
): Result<PayloadAnswer, Failure<'payload-malformed'>> {
  return parse(answerSchema, bytes);
}

function parse<T>(
  schema: z.ZodType<T>,
  bytes: Uint8Array,
): Result<T, Failure<'payload-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('payload-malformed', decoded.error.message);
  const parsed = schema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('payload-malformed', `the message at ${path.join('.') || 'its root'}: ${message}`);
}
