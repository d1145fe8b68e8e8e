import { ed25519 } from '@noble/curves/ed25519.js';
import { z } from 'zod';
import { hexToBytes } from '../basics/bytes.ts';
import { type Digest, digestOf } from './digest.ts';
import { signingBytes } from './signing-bytes.ts';

/**
 * An Ed25519 public key, 32 bytes in lower-case hex. Only points in their canonical encoding that
 * are not of small order pass: under a small-order key one signature fits many messages.
 */
export const publicKeySchema = z
  .string()
  .refine(isSoundPoint, 'expected an Ed25519 public key in 64 hex digits')
  .brand<'PublicKey'>();
export type PublicKey = z.infer<typeof publicKeySchema>;

/** What a key is called where keys of several algorithms may stand. */
export type KeyId = Digest;

/** SHA-256 of the key under its algorithm's own context, so no two algorithms share an id. */
export function keyIdOf(publicKey: PublicKey): KeyId {
  return digestOf(signingBytes('diten/key/ed25519/v1', hexToBytes(publicKey)!));
}

/** Finding out takes as long as a signature, and the same keys come again and again. */
const SOUND_MAX = 1024;
const sound = new Set<string>();

function isSoundPoint(hex: string): boolean {
  if (sound.has(hex)) return true;
  const bytes = hexToBytes(hex);
  if (bytes === undefined) return false;
  try {
    if (ed25519.Point.fromBytes(bytes).isSmallOrder()) return false;
  } catch {
    return false;
  }
  if (sound.size === SOUND_MAX) sound.clear();
  sound.add(hex);
  return true;
}
