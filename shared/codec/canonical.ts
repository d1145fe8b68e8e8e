import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import { bytesEqual } from '../basics/bytes.ts';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import { decodeFast, LEFT_OUT } from './fast-decoder.ts';
import { encodeFast } from './fast-encoder.ts';

/** Plain data that CBOR carries: what wire messages and ledger records are made of. */
export type Plain =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [key: string]: Plain };

const DECODE_OPTIONS = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: false,
  allowInfinity: false,
  allowNaN: false,
  rejectDuplicateMapKeys: true,
};

/** Core deterministic CBOR (RFC 8949, 4.2.1): the same data give the same bytes everywhere. */
export function encodeCanonical(value: Plain): Uint8Array<ArrayBuffer> {
  return encodeFast(value) ?? encode(value, rfc8949EncodeOptions);
}

/** Decodes CBOR of any key order; the value is unchecked beyond being plain data. */
export function decodeCbor(bytes: Uint8Array): Result<unknown, Failure<'cbor-invalid'>> {
  try {
    return ok(decode(bytes, DECODE_OPTIONS));
  } catch (cause) {
    // Also a RangeError, where hostile nesting exhausts the stack.
    return fail('cbor-invalid', `not valid CBOR: ${(cause as Error).message}`);
  }
}

/** As {@link decodeCbor}, but refuses bytes that {@link encodeCanonical} would not have written. */
export function decodeCanonical(
  bytes: Uint8Array,
): Result<Plain, Failure<'cbor-invalid' | 'cbor-not-canonical'>> {
  const value = decodeFast(bytes);
  return value === LEFT_OUT ? decodeCanonically(bytes) : ok(value);
}

/** {@link decodeCanonical} of all there is, by a second encoding. */
export function decodeCanonically(bytes: Uint8Array): ReturnType<typeof decodeCanonical> {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok) return decoded;
  const value = decoded.value as Plain;
  try {
    if (bytesEqual(encodeCanonical(value), bytes)) return ok(value);
  } catch {
    // Nesting that decoding has just borne: encoding takes more of the stack.
    return fail('cbor-invalid', 'CBOR is nested too deeply');
  }
  return fail('cbor-not-canonical', 'CBOR bytes are not in their canonical form');
}
