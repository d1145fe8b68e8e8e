import { createPrivateKey, hkdfSync, type KeyObject, sign } from 'node:crypto';
import type { PublicKey } from '#shared/identity/keys.ts';
import type { Signer } from '#shared/identity/signature.ts';
import type { NoteSigner } from '#shared/ledger/log/note-key.ts';
import { openPrivateKey, publicKeyOf, toSigner } from './signing-key.ts';

/** The keys of an edge node, each for one role: no two roles sign with the same. */
export interface NodeKeys {
  /** The key of the file itself: blocks, votes and transactions. */
  readonly validator: Signer;
  /** Seed of the Ed25519 key that is its libp2p identity: 32 bytes. */
  readonly peerSeed: Uint8Array;
  /** The public key of that identity. */
  readonly peer: PublicKey;
  /** Cosigns checkpoints; C2SP signatures are over raw bytes. */
  readonly cosigner: NoteSigner;
  /** Signs checkpoints of its own. */
  readonly log: NoteSigner;
}

/** What DER puts before the seed in an Ed25519 private key (PKCS #8, RFC 8410, 7). */
const PKCS8_PREFIX = '302e020100300506032b657004220420';

/**
 * Opens a node's key file, or makes it, as `openSigningKey`; the other keys are derived from its
 * seed by HKDF-SHA256 (RFC 5869) without salt, the role in `info`. So there is one file to keep,
 * and none of the derived keys tells of another.
 */
export function openNodeKeys(file: string): NodeKeys {
  const key = openPrivateKey(file);
  const seed = Buffer.from(key.export({ format: 'jwk' }).d!, 'base64url');
  const derive = (role: 'peer' | 'cosigner' | 'log') =>
    new Uint8Array(hkdfSync('sha256', seed, new Uint8Array(), `diten/node-key/${role}/v1`, 32));
  const peerSeed = derive('peer');
  return {
    validator: toSigner(key),
    peerSeed,
    peer: publicKeyOf(toPrivateKey(peerSeed)),
    cosigner: toNoteSigner(derive('cosigner')),
    log: toNoteSigner(derive('log')),
  };
}

function toNoteSigner(seed: Uint8Array): NoteSigner {
  const key = toPrivateKey(seed);
  return { publicKey: publicKeyOf(key), signRaw: (message) => sign(null, message, key) };
}

function toPrivateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from(PKCS8_PREFIX, 'hex'), seed]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
