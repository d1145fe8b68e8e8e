import type { Clock } from '#runtime/clock/clock.ts';
import type { PeerKey } from './peer-network.ts';

/** Who may be connected: those on the list, save those that serve a penalty. */
export interface Admission {
  readonly peers: ReadonlyMap<PeerKey, readonly string[]>;
  /** Takes a new list and returns the peers that are no longer in it. */
  setPeers(peers: ReadonlyMap<PeerKey, readonly string[]>): readonly PeerKey[];
  penalise(peer: PeerKey): void;
  isAdmitted(peer: PeerKey): boolean;
}

/** `self` is passed over in every list. Penalties outlive a peer's absence from the list. */
export function createAdmission(self: PeerKey, clock: Clock, penaltyMs: number): Admission {
  let peers: ReadonlyMap<PeerKey, readonly string[]> = new Map();
  const penaltyEndsMs = new Map<PeerKey, number>();

  return {
    get peers() {
      return peers;
    },
    setPeers(next) {
      const gone = [...peers.keys()].filter((peer) => !next.has(peer));
      peers = new Map([...next].filter(([peer]) => peer !== self));
      const nowMs = clock.monotonicMs();
      for (const [peer, endsMs] of penaltyEndsMs) {
        if (endsMs <= nowMs) penaltyEndsMs.delete(peer);
      }
      return gone;
    },
    penalise(peer) {
      if (peers.has(peer)) penaltyEndsMs.set(peer, clock.monotonicMs() + penaltyMs);
    },
    isAdmitted(peer) {
      return peers.has(peer) && (penaltyEndsMs.get(peer) ?? -Infinity) <= clock.monotonicMs();
    },
  };
}
