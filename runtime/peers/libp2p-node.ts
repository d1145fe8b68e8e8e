import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Libp2p, MultiaddrConnection, PeerId, PrivateKey } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { configurationError } from '#runtime/process/program-error.ts';
import { peerKeyOf } from './peer-identity.ts';
import type { PeerKey } from './peer-network.ts';

export interface NodeOptions {
  /** Seed of the Ed25519 key (RFC 8032), 32 bytes. */
  readonly seed: Uint8Array;
  /** Multiaddrs such as `/ip4/127.0.0.1/tcp/0`; none where the node only dials. */
  readonly listen: readonly string[];
  admits(peer: PeerKey): boolean;
  /** Somebody who is not admitted has proved a key and is about to be closed. */
  onRefused(peer: PeerKey | undefined, address: string): void;
}

const DIAL_TIMEOUT_MS = 5000;
/** Nodes behind one address that come back at the same time, several attempts each. */
const INBOUND_PER_HOST_PER_SECOND = 64;
const INBOUND_PENDING_MAX = 64;
/** Control frames that wait for a socket nobody reads; messages are bounded before that. */
const SOCKET_BUFFER_BYTES_MAX = 16_777_216;
const STREAM_WINDOW_BYTES_MAX = 1_048_576;

/**
 * A libp2p node that talks TCP, Noise and Yamux to peers that `admits` knows: others are closed as
 * soon as they have proved their key, before any stream. No discovery, no relay, no identify:
 * nobody is told anything but the key.
 * @throws {ProgramError} `peers-unlistenable`
 */
export async function createPeerNode(
  options: NodeOptions,
): Promise<{ node: Libp2p; privateKey: PrivateKey }> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed);
  const isStranger = (peerId: PeerId, connection: MultiaddrConnection) => {
    connection.maxWriteBufferLength = SOCKET_BUFFER_BYTES_MAX;
    const peer = peerKeyOf(peerId);
    if (peer !== undefined && options.admits(peer)) return false;
    options.onRefused(peer, `${connection.remoteAddr}`);
    return true;
  };
  try {
    const node = await createLibp2p({
      privateKey,
      addresses: { listen: [...options.listen] },
      transports: [tcp({ listenOpts: { noDelay: true }, dialOpts: { noDelay: true } })],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX } })],
      connectionGater: {
        denyInboundEncryptedConnection: isStranger,
        denyOutboundEncryptedConnection: isStranger,
      },
      connectionManager: {
        dialTimeout: DIAL_TIMEOUT_MS,
        inboundUpgradeTimeout: DIAL_TIMEOUT_MS,
        inboundConnectionThreshold: INBOUND_PER_HOST_PER_SECOND,
        maxIncomingPendingConnections: INBOUND_PENDING_MAX,
        reconnectRetries: 0,
      },
    });
    return { node, privateKey };
  } catch (error) {
    const where = options.listen.join(', ');
    const message = `peers cannot be heard on ${where}: ${reasonOf(error)}; change the address`;
    throw configurationError('peers-unlistenable', message, error);
  }
}

function reasonOf(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  return (first instanceof Error ? first.message : `${first}`).replaceAll('\n', ' ');
}
