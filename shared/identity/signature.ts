import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { z } from 'zod';
import { bytesEqual, hexToBytes } from '../basics/bytes.ts';
import type { PublicKey } from './keys.ts';
import { type SigningContext, signingBytes } from './signing-bytes.ts';

/** An Ed25519 signature, R and S, 64 bytes in lower-case hex. */
export const signatureSchema = z
  .string()
  .regex(/^[0-9a-f]{128}$/, 'expected 128 hex digits')
  .brand<'Signature'>();
export type Signature = z.infer<typeof signatureSchema>;

/** Holds a private key; it signs only within a context. */
export interface Signer {
  readonly publicKey: PublicKey;
  sign(context: SigningContext, message: Uint8Array): Signature;
}

export interface SignedMessage {
  readonly publicKey: PublicKey;
  readonly context: SigningContext;
  readonly message: Uint8Array;
  readonly signature: Signature;
}

export type VerifySignature = (signed: SignedMessage) => boolean;

const { BASE, Fn } = ed25519.Point;

/** Whether `signature` (64 bytes) is the key's over the message's bytes as they are. */
export type VerifyRaw = (
  publicKey: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean;

/**
 * Ed25519 verification in portable code, about 600 a second.
 *
 * RFC 8032, 5.1.7 leaves open what implementations differ on (the cofactor, unreduced encodings),
 * and validators that differ fork. One rule is pinned here, the one OpenSSL keeps too: S below the
 * group's order, and R compared as bytes with the encoding of [S]B - [k]A, without the cofactor.
 * What makes a key sound is {@link publicKeySchema}'s to say.
 */
export const verifyRawPortably: VerifyRaw = (publicKey, message, signature) => {
  if (signature.length !== 64) return false;
  const key = hexToBytes(publicKey)!;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= Fn.ORDER) return false;
  const challenge = sha512.create().update(r).update(key).update(message).digest();
  const k = littleEndian(challenge) % Fn.ORDER;
  const a = ed25519.Point.fromBytes(key);
  return bytesEqual(BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k)).toBytes(), r);
};

/** {@link verifyRawPortably} of a message within its context. */
export const verifyPortably: VerifySignature = ({ publicKey, context, message, signature }) =>
  verifyRawPortably(publicKey, signingBytes(context, message), hexToBytes(signature)!);

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
}
