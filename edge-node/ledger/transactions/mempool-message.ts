import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import { TRANSACTION_SIZE_BYTES_MAX } from '#shared/ledger/log-entry.ts';

/** Of the transactions in one answer; the first may go beyond it. */
export const PAGE_SIZE_BYTES_MAX = 262_144;
const PAGE_LENGTH_MAX = 4_096;

const requestSchema = z.strictObject({ v: z.literal(1), after: z.int().min(0) });

const answerSchema = z.strictObject({
  v: z.literal(1),
  transactions: z
    .array(
      z
        .instanceof(Uint8Array)
        .refine((bytes) => bytes.length <= TRANSACTION_SIZE_BYTES_MAX)
        .transform((bytes): Uint8Array => bytes),
    )
    .max(PAGE_LENGTH_MAX),
  /** What to ask for next; null where this was all. */
  after: z.int().min(1).nullable(),
  /** Told by itself, to be looked at before what waits. */
  isUrgent: z.literal(true).optional(),
});

type PendingRequest = z.infer<typeof requestSchema>;
type PendingPage = z.infer<typeof answerSchema>;

export function encodePendingMessage(
  message: PendingRequest | PendingPage,
): Uint8Array<ArrayBuffer> {
  return encodeCanonical({ ...message });
}

export function decodePendingRequest(
  bytes: Uint8Array,
): Result<PendingRequest, Failure<'pending-malformed'>> {
  return parse(requestSchema, bytes);
}

/** Says nothing of what the transactions are. */
export function decodePendingPage(
  bytes: Uint8Array,
): Result<PendingPage, Failure<'pending-malformed'>> {
  return parse(answerSchema, bytes);
}

function parse<T>(
  schema: z.ZodType<T>,
  bytes: Uint8Array,
): Result<T, Failure<'pending-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('pending-malformed', decoded.error.message);
  const parsed = schema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('pending-malformed', `the message at ${path.join('.') || 'its root'}: ${message}`);
}
