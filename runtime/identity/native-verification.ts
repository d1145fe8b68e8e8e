import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import {
  type AccountKey,
  ed25519Of,
  isLowS,
  type VerifyAccount,
} from '#shared/identity/account-key.ts';
import type { VerifyRaw, VerifySignature } from '#shared/identity/signature.ts';
import { signingBytes } from '#shared/identity/signing-bytes.ts';

/** What DER puts before the key in a SubjectPublicKeyInfo (RFC 8410, 4; RFC 5480, 2). */
const SPKI_PREFIX = {
  ed25519: '302a300506032b6570032100',
  p256: '3039301306072a8648ce3d020106082a8648ce3d030107032200',
} as const;

/** Keys that are kept ready: reading one in takes half as long as verifying with it. */
const KEYS_MAX = 4096;

const keys = new Map<string, KeyObject>();

/** As `verifyAccountPortably`, with the same verdicts, by OpenSSL: over ten times as fast. */
export const verifyAccountNatively: VerifyAccount = ({ key, context, message, signature }) => {
  const bytes = signingBytes(context, message);
  const signatureBytes = Buffer.from(signature, 'hex');
  if (key.algorithm === 'ed25519') return verify(null, bytes, keyObjectOf(key), signatureBytes);
  if (!isLowS(signature)) return false;
  const options = { key: keyObjectOf(key), dsaEncoding: 'ieee-p1363' } as const;
  return verify('sha256', bytes, options, signatureBytes);
};

/** As `verifyPortably`, with the same verdicts. */
export const verifyNatively: VerifySignature = ed25519Of(verifyAccountNatively);

/** As `verifyRawPortably`, with the same verdicts. */
export const verifyRawNatively: VerifyRaw = (publicKey, message, signature) =>
  verify(null, message, keyObjectOf({ algorithm: 'ed25519', publicKey }), signature);

function keyObjectOf({ algorithm, publicKey }: AccountKey): KeyObject {
  const known = keys.get(publicKey);
  if (known !== undefined) return known;
  const der = Buffer.from(SPKI_PREFIX[algorithm] + publicKey, 'hex');
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  // The one that has been there longest goes: a map keeps the order of insertion.
  if (keys.size === KEYS_MAX) keys.delete(keys.keys().next().value!);
  keys.set(publicKey, key);
  return key;
}
