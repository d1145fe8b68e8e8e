import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';

const bytesSchema = z.instanceof(Uint8Array);
const frameSchema = z.strictObject({
  v: z.literal(1),
  message: bytesSchema,
  block: bytesSchema.optional(),
});

/**
 * A consensus message between two validators; a proposal brings its block where it is new, as
 * `encodeCompactBlock` writes it.
 */
export interface ConsensusFrame {
  readonly message: Uint8Array;
  readonly block?: Uint8Array | undefined;
}

/** Canonical CBOR `{v, message, block?}`. */
export function encodeFrame({ message, block }: ConsensusFrame): Uint8Array<ArrayBuffer> {
  return encodeCanonical(block === undefined ? { v: 1, message } : { v: 1, message, block });
}

/** Inverse of {@link encodeFrame}; says nothing of what is inside. */
export function decodeFrame(bytes: Uint8Array): Result<ConsensusFrame, Failure<'frame-malformed'>> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail('frame-malformed', `the frame is ${decoded.error.message}`);
  const parsed = frameSchema.safeParse(decoded.value);
  if (parsed.success) return ok(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  return fail('frame-malformed', `the frame at ${path.join('.') || 'its root'}: ${message}`);
}

/** The height that a message is about. */
export function heightOf(message: ConsensusMessage): number {
  switch (message.kind) {
    case 'vote':
      return message.vote.height;
    case 'proposal':
      return message.proposal.height;
    case 'certificate':
      return message.certificate.height;
  }
}
