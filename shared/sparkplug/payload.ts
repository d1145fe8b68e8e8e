import { err, ok, type Result } from '../basics/result.ts';
import type { Payload, PayloadFailure } from './metric.ts';
import { PayloadReader } from './payload-reader.ts';
import { writePayload } from './payload-writer.ts';
import { decodeProto, encodeProto, type PayloadProto } from './tahu-proto.ts';
import { checkPayloadBytes, defaultPayloadLimits, type PayloadLimits } from './wire-bounds.ts';

/**
 * The message of a verb as bytes (Sparkplug 3.0, 6.4.1). Texts must be well formed, times and seq
 * whole and not negative, and values as `toWireValue` makes them.
 */
export function encodePayload(payload: Payload): Uint8Array {
  return encodeProto(writePayload(payload));
}

/**
 * The message from its bytes, in memory bounded by the limits. Fields and extensions that the
 * specification does not know are passed over.
 *
 * Errors: `payload-too-large`, `payload-malformed`, `payload-limit`, `payload-invalid`, and
 * `value-mismatch` for a cell of a data set.
 */
export function decodePayload(
  bytes: Uint8Array,
  limits: PayloadLimits = defaultPayloadLimits,
): Result<Payload, PayloadFailure> {
  const beyond = checkPayloadBytes(bytes, limits);
  if (beyond !== undefined) return err(beyond);
  let proto: PayloadProto;
  try {
    proto = decodeProto(bytes);
  } catch (cause) {
    const message = `not a Sparkplug B payload: ${(cause as Error).message}`;
    return err({ code: 'payload-malformed', message });
  }
  const reader = new PayloadReader();
  const payload = reader.payload(proto);
  return reader.failure === undefined ? ok(payload) : err(reader.failure);
}
