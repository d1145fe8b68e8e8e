import { p256 } from '@noble/curves/nist.js';
import { z } from 'zod';
import { hexToBytes } from '../basics/bytes.ts';
import { digestOf } from './digest.ts';
import { type KeyId, keyIdOf, publicKeySchema } from './keys.ts';
import { type Signature, type Signer, type VerifySignature, verifyPortably } from './signature.ts';
import { type SigningContext, signingBytes } from './signing-bytes.ts';

/** A P-256 public key: a compressed point (SEC 1, 2.3.3), 33 bytes in lower-case hex. */
export const p256KeySchema = z
  .string()
  .refine(isP256Point, 'expected a compressed P-256 public key in 66 hex digits')
  .brand<'P256Key'>();

/** The key of an account on the ledger; secure elements hold P-256 only. */
export const accountKeySchema = z.discriminatedUnion('algorithm', [
  z.strictObject({ algorithm: z.literal('ed25519'), publicKey: publicKeySchema }),
  z.strictObject({ algorithm: z.literal('p256'), publicKey: p256KeySchema }),
]);
export type AccountKey = z.infer<typeof accountKeySchema>;

/** Holds an account's private key; it signs only within a context. */
export interface AccountSigner {
  readonly key: AccountKey;
  sign(context: SigningContext, message: Uint8Array): Signature;
}

export interface AccountSignedMessage {
  readonly key: AccountKey;
  readonly context: SigningContext;
  readonly message: Uint8Array;
  /** 64 bytes: Ed25519's R and S (RFC 8032), or ECDSA's r and s with s in the lower half. */
  readonly signature: Signature;
}

export type VerifyAccount = (signed: AccountSignedMessage) => boolean;

/** SHA-256 of the key under its algorithm's own context; an Ed25519 key's is {@link keyIdOf}'s. */
export function accountIdOf(key: AccountKey): KeyId {
  if (key.algorithm === 'ed25519') return keyIdOf(key.publicKey);
  return digestOf(signingBytes('diten/key/p256/v1', hexToBytes(key.publicKey)!));
}

export function accountSignerOf({ publicKey, sign }: Signer): AccountSigner {
  return { key: { algorithm: 'ed25519', publicKey }, sign };
}

/** The verification of Ed25519 signatures alone, as votes and vouchers carry them. */
export function ed25519Of(verify: VerifyAccount): VerifySignature {
  return ({ publicKey, context, message, signature }) =>
    verify({ key: { algorithm: 'ed25519', publicKey }, context, message, signature });
}

/**
 * Verification in portable code. ECDSA is over SHA-256 (FIPS 186-5, 6.4.2) of the signing bytes;
 * of the two signatures (r, s) and (r, n - s) that everybody can make of one another only the one
 * with s <= n / 2 passes, so that a transaction has one digest.
 */
export const verifyAccountPortably: VerifyAccount = ({ key, context, message, signature }) => {
  if (key.algorithm === 'ed25519') {
    return verifyPortably({ publicKey: key.publicKey, context, message, signature });
  }
  const bytes = signingBytes(context, message);
  return p256.verify(hexToBytes(signature)!, bytes, hexToBytes(key.publicKey)!, {
    prehash: true,
    lowS: true,
    format: 'compact',
  });
};

/** Whether s of a 64-byte ECDSA signature over P-256 is in the lower half: at most n / 2. */
export function isLowS(signature: Signature): boolean {
  // As numbers of 64 hex digits each, which compare as text does.
  return signature.slice(64) <= HALF_ORDER;
}

const HALF_ORDER = (p256.Point.Fn.ORDER >> 1n).toString(16).padStart(64, '0');

function isP256Point(hex: string): boolean {
  const bytes = hexToBytes(hex);
  if (bytes === undefined || bytes.length !== 33) return false;
  try {
    p256.Point.fromBytes(bytes).assertValidity();
    return true;
  } catch {
    return false;
  }
}
