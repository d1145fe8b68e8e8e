import { z } from 'zod';
import { assert } from '#shared/basics/assert.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import { digestSchema } from '#shared/identity/digest.ts';
import type { HeightInput } from '#shared/ledger/consensus/height.ts';
import { decodeMessage, encodeMessage } from '#shared/ledger/consensus/message-codec.ts';

const bytesSchema = z.instanceof(Uint8Array);
const roundSchema = z.int().min(0);

const inputSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('start') }),
  z.strictObject({ kind: z.literal('value'), round: roundSchema, value: digestSchema }),
  z.strictObject({
    kind: z.literal('proposal'),
    message: bytesSchema,
    valid: z.boolean(),
    timely: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('message'), message: bytesSchema }),
  z.strictObject({
    kind: z.literal('timeout'),
    step: z.enum(['propose', 'prevote', 'precommit']),
    round: roundSchema,
  }),
]);

/** What a validator takes in at a height, as its write-ahead log keeps it. */
export function encodeInput(input: HeightInput): Uint8Array<ArrayBuffer> {
  switch (input.kind) {
    case 'proposal': {
      const { proposal, valid, timely } = input;
      const message = encodeMessage({ kind: 'proposal', proposal });
      return encodeCanonical({ kind: 'proposal', message, valid, timely });
    }
    case 'vote':
    case 'certificate':
      return encodeCanonical({ kind: 'message', message: encodeMessage(input) });
    default:
      return encodeCanonical({ ...input });
  }
}

/** Inverse of {@link encodeInput}; throws where the bytes are not its. */
export function decodeInput(bytes: Uint8Array): HeightInput {
  const decoded = decodeCanonical(bytes);
  assert(decoded.ok, 'a stored input is canonical CBOR');
  const stored = inputSchema.parse(decoded.value);
  if (stored.kind !== 'proposal' && stored.kind !== 'message') return stored;
  const message = decodeMessage(stored.message);
  assert(message.ok, 'a stored input holds a message');
  if (stored.kind === 'message') {
    assert(message.value.kind !== 'proposal', 'a stored proposal was judged');
    return message.value;
  }
  assert(message.value.kind === 'proposal', 'what was judged is a proposal');
  const { valid, timely } = stored;
  return { kind: 'proposal', proposal: message.value.proposal, valid, timely };
}
