import { createPublicKey, verify } from 'node:crypto';
import type { VerifySignature } from '#shared/identity/signature.ts';
import { signingBytes } from '#shared/identity/signing-bytes.ts';

/** As `verifyPortably`, with the same verdicts, by OpenSSL: some eight times as fast. */
export const verifyNatively: VerifySignature = ({ publicKey, context, message, signature }) => {
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, signingBytes(context, message), key, Buffer.from(signature, 'hex'));
};
