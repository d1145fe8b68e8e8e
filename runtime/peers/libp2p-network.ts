import type { Clock } from '#runtime/clock/clock.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { PeerLimits, PeerNetwork } from './peer-network.ts';

export interface Libp2pNetworkOptions {
  /** Seed of the node's Ed25519 key among its peers (RFC 8032), 32 bytes. */
  readonly seed: Uint8Array;
  /** Multiaddrs such as `/ip4/127.0.0.1/tcp/0`; none where the node only dials. */
  readonly listen: readonly string[];
  readonly limits?: Partial<PeerLimits>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Peers over TCP, Noise, Yamux and gossipsub. libp2p is loaded here and not before: a node without
 * peers does without its memory and half a second of start.
 * @throws {ProgramError} `peers-unlistenable`
 */
export async function startLibp2pNetwork(options: Libp2pNetworkOptions): Promise<PeerNetwork> {
  const { openLibp2pPeers } = await import('./libp2p-peers.ts');
  return openLibp2pPeers(options);
}
