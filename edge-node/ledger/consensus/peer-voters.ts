import type { PeerKey } from '#runtime/peers/peer-network.ts';
import { type KeyId, keyIdOf } from '#shared/identity/keys.ts';
import type { Roster } from '#shared/ledger/roster.ts';

// A roster lives as long as nobody joins or leaves, and each message asks for its sender.
const known = new WeakMap<Roster, ReadonlyMap<PeerKey, KeyId>>();

/** The key id of the validator that the peer is, if it has a vote in this roster. */
export function voterOf(roster: Roster, peer: PeerKey): KeyId | undefined {
  return votersOf(roster).get(peer);
}

/** The peers that have a vote in this roster, with the key ids they vote by. */
export function votersOf(roster: Roster): ReadonlyMap<PeerKey, KeyId> {
  let voters = known.get(roster);
  if (voters === undefined) {
    const members = roster.members.filter(({ weight }) => weight > 0);
    voters = new Map(members.map(({ peer, publicKey }) => [peer, keyIdOf(publicKey)]));
    known.set(roster, voters);
  }
  return voters;
}
