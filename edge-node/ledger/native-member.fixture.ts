import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { toSigner } from '#runtime/identity/signing-key.ts';
import type { Signer } from '#shared/identity/signature.ts';
import { exampleMember, member } from '#shared/ledger/chain.fixture.ts';
import type { NoteSigner } from '#shared/ledger/log/note-key.ts';
import type { LedgerNodeOptions } from './ledger-node.ts';

/** What DER puts before the seed in an Ed25519 private key (RFC 8410, 7). */
const PKCS8_PREFIX = '302e020100300506032b657004220420';

const signers = new Map<number, Signer>();

/** Example member `n`, signing by OpenSSL: many times as fast. */
export function nativeMember(n: number): Signer {
  const known = signers.get(n) ?? toSigner(keyOf(1 + n));
  signers.set(n, known);
  if (known.publicKey !== member(n).publicKey) throw new Error('members have seeds from 1 on');
  return known;
}

/** All keys of example member `n` but the seed of its network identity. */
export function memberKeys(n: number): LedgerNodeOptions['keys'] {
  const { peer, cosigner, log } = exampleMember(n);
  const noteSigner = (seed: number, publicKey: NoteSigner['publicKey']): NoteSigner => {
    const key = keyOf(seed);
    return { publicKey, signRaw: (message) => sign(null, message, key) };
  };
  return {
    validator: nativeMember(n),
    peer,
    cosigner: noteSigner(215 + n, cosigner),
    log: noteSigner(230 + n, log),
  };
}

function keyOf(seed: number): KeyObject {
  const der = Buffer.concat([Buffer.from(PKCS8_PREFIX, 'hex'), Buffer.alloc(32, seed)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
