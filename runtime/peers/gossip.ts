import { createHash } from 'node:crypto';
import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  StrictSign,
  TopicValidatorResult,
} from '@libp2p/gossipsub';
import { type Connection, type PrivateKey, start, stop } from '@libp2p/interface';
import type { Events } from '#runtime/observe/events.ts';
import {
  createGossipLogger,
  createGossipStreams,
  type GossipStreamOptions,
} from './gossip-streams.ts';
import { peerIdOf, peerKeyOf } from './peer-identity.ts';
import type { PeerKey, PeerLimits, Verdict } from './peer-network.ts';

export type Subscriber = (from: PeerKey, body: Uint8Array) => Verdict;

export interface GossipOptions extends GossipStreamOptions {
  readonly privateKey: PrivateKey;
  readonly limits: PeerLimits;
  readonly events: Events;
  /** Whether what this key published may be heard at all. */
  isOnList(author: PeerKey): boolean;
}

/** Publishing to all that subscribe: gossipsub 1.2 over the links there are. */
export interface Gossip {
  up(peer: PeerKey, connection: Connection): void;
  down(peer: PeerKey): void;
  publish(topic: string, body: Uint8Array): Promise<void>;
  subscribe(topic: string, subscriber: Subscriber): void;
  stop(): Promise<void>;
}

/** An answer to many IWANTs comes in one frame. */
const FRAME_BYTES_MAX = 8_388_608;
/** Some 60 topics. */
const TOPIC_BYTES_MAX = 65_536;
/** Below this an IDONTWANT costs more than the copies it saves. */
const IDONTWANT_BYTES_MIN = 16_384;

const VERDICTS = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
} as const;

export async function startGossip(options: GossipOptions): Promise<Gossip> {
  const subscribers = new Map<string, Subscriber>();
  const streams = createGossipStreams(options);
  const router = createRouter(options, { registrar: streams.registrar, subscribers });
  await start(router);

  return {
    up(peer, connection) {
      const guarded = streams.guard(connection);
      for (const topology of streams.topologies) topology.onConnect?.(peerIdOf(peer), guarded);
    },
    down(peer) {
      for (const topology of streams.topologies) topology.onDisconnect?.(peerIdOf(peer));
    },
    async publish(topic, body) {
      await router.publish(topic, body);
    },
    subscribe(topic, subscriber) {
      subscribers.set(topic, subscriber);
      router.topicValidators.set(topic, (by, message) => {
        const author = message.type === 'signed' ? peerKeyOf(message.from) : undefined;
        const verdict = judge(author, () => subscriber(author!, message.data), options);
        const bearer = peerKeyOf(by);
        if (verdict === 'reject' && bearer) options.onBreach(bearer, 'published-wrong');
        return VERDICTS[verdict];
      });
      router.subscribe(topic);
    },
    stop: () => stop(router),
  };
}

function judge(
  author: PeerKey | undefined,
  subscriber: () => Verdict,
  { events, isOnList }: GossipOptions,
): Verdict {
  if (author === undefined || !isOnList(author)) {
    events.record('warn', 'published-by-stranger', { author });
    return 'ignore';
  }
  try {
    const verdict = subscriber();
    if (verdict !== 'accept') events.record('info', `published-${verdict}`);
    return verdict;
  } catch (error) {
    events.record('error', 'subscriber-failed', { error: `${error}` });
    return 'ignore';
  }
}

interface RouterParts {
  readonly registrar: GossipSubComponents['registrar'];
  readonly subscribers: ReadonlyMap<string, Subscriber>;
}

/**
 * Gossipsub for 4 to 31 nodes: up to 7 the mesh is everybody, at 31 a message is two or three hops
 * away. A message is known by the digest of topic and body, whoever signed it.
 */
function createRouter(options: GossipOptions, parts: RouterParts): GossipSub {
  const { node, privateKey, limits, events } = options;
  const create = gossipsub({
    globalSignaturePolicy: StrictSign,
    fallbackToFloodsub: false,
    D: 6,
    Dlo: 4,
    Dhi: 12,
    floodPublish: false,
    tagMeshPeers: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // One message after the other, so that what a peer sends waits in its stream and not in memory.
    awaitRpcHandler: true,
    awaitRpcMessageHandler: true,
    seenTTL: limits.seenMs,
    msgIdFn: ({ topic, data }) => createHash('sha256').update(`${topic}\0`).update(data).digest(),
    maxInboundDataLength: FRAME_BYTES_MAX,
    maxOutboundBufferSize: limits.queueSizeBytesMax,
    maxTopicBytesPerPeer: TOPIC_BYTES_MAX,
    idontwantMinDataSize: IDONTWANT_BYTES_MIN,
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    // Many nodes may share a machine; who may connect is known by key.
    scoreParams: { IPColocationFactorWeight: 0 },
    dataTransform: {
      inboundTransform(topic, data) {
        const code = refusalOf(data, limits, parts.subscribers.has(topic));
        if (code === undefined) return data;
        events.record('warn', code, { sizeBytes: data.length });
        throw new Error(code);
      },
      outboundTransform: (_topic, data) => data,
    },
  });
  return create({
    privateKey,
    peerId: node.peerId,
    peerStore: node.peerStore,
    logger: { forComponent: () => createGossipLogger(events) },
    registrar: parts.registrar,
    connectionManager: neverDials,
  });
}

function refusalOf(
  data: Uint8Array,
  limits: PeerLimits,
  isSubscribed: boolean,
): string | undefined {
  if (!isSubscribed) return 'published-topic-unknown';
  return data.length > limits.publishSizeBytesMax ? 'published-too-large' : undefined;
}

/** Gossipsub dials for direct peers and peer exchange only, and has neither. */
const neverDials = {
  openConnection: () => Promise.reject(new Error('gossip opens no connections')),
} as Partial<GossipSubComponents['connectionManager']> as GossipSubComponents['connectionManager'];
