import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToHex } from '../basics/bytes.ts';
import { publicKeySchema } from './keys.ts';
import { type Signer, signatureSchema } from './signature.ts';
import { signingBytes } from './signing-bytes.ts';

/** A signer anybody can make again from its number, 0 to 255: for tests and simulation only. */
export function seededSigner(seed: number): Signer {
  const { secretKey, publicKey } = ed25519.keygen(new Uint8Array(32).fill(seed));
  return {
    publicKey: publicKeySchema.parse(bytesToHex(publicKey)),
    sign: (context, message) =>
      signatureSchema.parse(bytesToHex(ed25519.sign(signingBytes(context, message), secretKey))),
  };
}
