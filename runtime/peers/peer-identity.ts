import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import type { PeerKey } from './peer-network.ts';

/** libp2p's name for a peer; of an Ed25519 key it is the key itself. */
export function peerIdOf(key: PeerKey): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(Buffer.from(key, 'hex')));
}

/** Undefined for identities that are no Ed25519 key; no such peer is on any list. */
export function peerKeyOf(peerId: PeerId): PeerKey | undefined {
  if (peerId.type !== 'Ed25519') return undefined;
  return Buffer.from(peerId.publicKey.raw).toString('hex') as PeerKey;
}
