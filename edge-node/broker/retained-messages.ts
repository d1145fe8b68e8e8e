import { Readable } from 'node:stream';
import { topicMatches } from '#runtime/mqtt/topic.ts';

/** The part of a packet of aedes that is kept. */
export interface RetainedPacket {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
}

export interface RetainedLimits {
  readonly countMax: number;
  readonly bytesMax: number;
}

/** The newest retained message of each topic, in memory and bounded. */
export class RetainedMessages {
  readonly #limits: RetainedLimits;
  readonly #packets = new Map<string, RetainedPacket>();
  #bytes = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  hasRoom(topic: string, sizeBytes: number): boolean {
    if (sizeBytes === 0) return true;
    const held = this.#packets.get(topic);
    const count = this.#packets.size + (held === undefined ? 1 : 0);
    const bytes = this.#bytes - (held?.payload.length ?? 0) + sizeBytes;
    return count <= this.#limits.countMax && bytes <= this.#limits.bytesMax;
  }

  /** Replaces the topic's message; an empty payload removes it (MQTT 3.1.1, 3.3.1.3). */
  put({ topic, payload, qos }: RetainedPacket): void {
    this.#bytes += payload.length - (this.#packets.get(topic)?.payload.length ?? 0);
    if (payload.length === 0) this.#packets.delete(topic);
    // A copy: what came from a socket is a piece of a larger buffer, which would be kept whole.
    else this.#packets.set(topic, { topic, payload: Buffer.from(payload), qos });
  }

  *matching(filters: readonly string[]): Generator<RetainedPacket> {
    // Devices ask for their own topics: that must not take the longer the more devices there are.
    const [patterns, topics] = [filters.filter(hasWildcard), new Set(filters)];
    for (const topic of topics) {
      const packet = this.#packets.get(topic);
      if (packet !== undefined) yield packet;
    }
    if (patterns.length === 0) return;
    const wanted = patterns.map((filter) => ({ filter, prefix: literalPrefix(filter) }));
    for (const [topic, packet] of this.#packets) {
      if (topics.has(topic)) continue;
      const isWanted = wanted.some(
        ({ filter, prefix }) => topic.startsWith(prefix) && topicMatches(filter, topic),
      );
      if (isWanted) yield packet;
    }
  }
}

function hasWildcard(filter: string): boolean {
  return /[+#]/.test(filter);
}

/** What every topic that the filter matches begins with; the filter `a/#` matches `a` too. */
function literalPrefix(filter: string): string {
  return filter.slice(0, filter.search(/\/?[+#]/));
}

/**
 * What aedes asks of its persistence, for clean sessions only: nothing but retained messages
 * outlives a connection, so no client can leave anything behind.
 */
export function cleanSessionPersistence(retained: RetainedMessages) {
  const nothing = async () => undefined;
  const none = async () => [];
  return {
    setup: nothing,
    storeRetained: async (packet: RetainedPacket) => retained.put(packet),
    createRetainedStreamCombi: (filters: readonly string[]) =>
      Readable.from(retained.matching(filters)),
    cleanSubscriptions: nothing,
    subscriptionsByTopic: none,
    outgoingEnqueueCombi: nothing,
    outgoingClearMessageId: nothing,
    outgoingStream: () => Readable.from([]),
    incomingGetPacket: () => Promise.reject(new Error('no QoS 2 packet is ever stored')),
    cleanIncoming: nothing,
    putWill: nothing,
    delWill: nothing,
    streamWill: () => Readable.from([]),
  };
}
