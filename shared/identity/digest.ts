import { sha256 as hashPortably } from '@noble/hashes/sha2.js';
import { z } from 'zod';
import { bytesToHex } from '../basics/bytes.ts';
import { encodeCanonical, type Plain } from '../codec/canonical.ts';

/** A SHA-256 digest in lower-case hex: the name of a task, a model version, a block. */
export const digestSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits')
  .brand<'Digest'>();
export type Digest = z.infer<typeof digestSchema>;

/** SHA-256 (FIPS 180-4): 32 bytes. The portable one takes eight times as long as the system's. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** SHA-256 (FIPS 180-4) of the bytes as they are. */
export function digestOf(bytes: Uint8Array, sha256: Sha256 = hashPortably): Digest {
  return bytesToHex(sha256(bytes)) as Digest;
}

/** SHA-256 of the canonical CBOR of plain data. */
export function digestOfPlain(plain: Plain, sha256?: Sha256): Digest {
  return digestOf(encodeCanonical(plain), sha256);
}
