import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { bytesSchema } from '../codec/bytes-schema.ts';
import { decodeCanonical, encodeCanonical } from '../codec/canonical.ts';

export const TRANSACTION_SIZE_BYTES_MAX = 32 * 1024;

const entrySchema = z.strictObject({
  v: z.literal(1),
  height: z.int().min(1),
  /** The transaction's place in its block, from 0. */
  index: z.int().min(0),
  /** `accepted`, or the code of what spoke against it. */
  outcome: z.string().regex(/^[a-z-]{1,40}$/),
  transaction: bytesSchema.refine(
    (bytes) => bytes.length <= TRANSACTION_SIZE_BYTES_MAX,
    'is too large',
  ),
});

/** What the transparency log holds of each transaction: its bytes and what became of it. */
export type LogEntry = z.infer<typeof entrySchema>;

/** Canonical CBOR, below the 65,536 bytes that a C2SP tile can hold of an entry. */
export function encodeLogEntry(entry: LogEntry): Uint8Array<ArrayBuffer> {
  return encodeCanonical(entry);
}

/** Inverse of {@link encodeLogEntry}; the transaction inside is not looked at. */
export function decodeLogEntry(bytes: Uint8Array): Result<LogEntry, Failure<'entry-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('entry-malformed', `the entry is ${decoded.error.message}`);
  const parsed = entrySchema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('entry-malformed', `the entry at ${path.join('.') || 'its root'}: ${message}`);
}
