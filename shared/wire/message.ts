import type { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { decodeCbor, encodeCanonical, type Plain } from '../codec/canonical.ts';

export type MessageFailure = Failure<'message-invalid'>;

/** An issue may repeat what the peer wrote, however long: enough of it for a log line. */
const REASON_LENGTH_MAX = 200;

/** One kind of message: its bytes are CBOR, its first field the version. */
export interface MessageCodec<T> {
  encode(message: T): Uint8Array;
  decode(bytes: Uint8Array): Result<T, MessageFailure>;
}

/** A codec that checks what comes in against `schema`; what goes out is the caller's type. */
export function messageCodec<T>(name: string, schema: z.ZodType<T>): MessageCodec<T> {
  return {
    encode: (message) => encodeCanonical(message as Plain),
    decode(bytes) {
      const decoded = decodeCbor(bytes);
      if (!decoded.ok) return fail('message-invalid', `${name}: ${decoded.error.message}`);
      const parsed = schema.safeParse(decoded.value);
      if (parsed.success) return ok(parsed.data);
      const issue = parsed.error.issues[0]!;
      const reason = `${issue.path.join('.')}: ${issue.message}`.slice(0, REASON_LENGTH_MAX);
      return fail('message-invalid', `${name}: ${reason}`);
    },
  };
}
