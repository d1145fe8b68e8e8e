import type { PublicKey } from '#shared/identity/keys.ts';

/** The Ed25519 key a node is known by among its peers. */
export type PeerKey = PublicKey;

/** What a subscriber makes of what was published; `reject`: no correct peer passes it on. */
export type Verdict = 'accept' | 'ignore' | 'reject';

/** `bulk` is what may wait: it is sent where there is nothing else to send to that peer. */
export type Lane = 'prompt' | 'bulk';

/**
 * Messages between the nodes on a list and nobody else. Peers are known by key, and what arrives
 * from one is bounded by {@link PeerLimits}. Nothing here survives a restart or a lost connection:
 * whoever needs a message to arrive asks or sends again.
 */
export interface PeerNetwork extends AsyncDisposable {
  readonly self: PeerKey;
  /** Where this node listens: multiaddrs without `/p2p`, with the port the system gave. */
  readonly addresses: readonly string[];
  /**
   * The allow-list, addresses by key; the node's own entry is passed over. Keeps a connection to
   * each that has addresses, with backoff; drops those no longer in it at once.
   */
  setPeers(peers: ReadonlyMap<PeerKey, readonly string[]>): void;
  /** The peers that `send` reaches now. */
  connected(): readonly PeerKey[];
  /**
   * A link may be lost soon after it is made, since where both have dialled one gives way; what was
   * on its way then is lost. So whoever is told `true` says again what the peer must know.
   */
  onConnection(handler: (peer: PeerKey, isConnected: boolean) => void): void;
  /**
   * Messages of one lane to one peer arrive in the order they were sent in, each once or not at
   * all; the lane is `prompt` unless given. False, and counted, where the peer is not connected,
   * its queue is full, or the message is too large. The bytes must not change afterwards.
   */
  send(to: PeerKey, message: Uint8Array, lane?: Lane): boolean;
  /**
   * Hears one lane, `prompt` unless given. Messages of a peer come only while it is connected, so
   * each can be answered.
   */
  onMessage(handler: (from: PeerKey, message: Uint8Array) => void, lane?: Lane): void;
  /**
   * Asks one peer; `protocol` is a kebab-case name.
   * @throws {PeerError} `peer-not-connected`, `protocol-unknown`, `message-too-large`,
   * `request-timeout`, `request-refused`, `request-interrupted`, `answer-too-large`,
   * `answer-malformed`, `network-closed`
   */
  request(to: PeerKey, protocol: string, body: Uint8Array, timeoutMs?: number): Promise<Uint8Array>;
  /**
   * Answers requests of a protocol, one handler each, which must settle. What it throws refuses the
   * request; the asking side sees the code and message of a {@link PeerError}, of others nothing.
   */
  answer(protocol: string, handler: (from: PeerKey, body: Uint8Array) => Promise<Uint8Array>): void;
  /**
   * To all that subscribe, directly connected or not, though with no promise that it arrives. A
   * body published or seen within {@link PeerLimits.seenMs} is not passed on a second time.
   * @throws {PeerError} `message-too-large`, `network-closed`
   */
  publish(topic: string, body: Uint8Array): Promise<void>;
  /**
   * One handler for each topic; `from` is who published and signed the message. Only what it
   * accepts is passed on; a peer that passed on what it rejects is penalised.
   */
  subscribe(topic: string, handler: (from: PeerKey, body: Uint8Array) => Verdict): void;
  /**
   * Closes and refuses the peer for {@link PeerLimits.penaltyMs}: it did what no correct peer does.
   */
  penalise(peer: PeerKey, code: string): void;
  /** What was sent and received, and each kind of failure, since the start. */
  counters(): Readonly<Record<string, number>>;
}

export interface PeerLimits {
  readonly messageSizeBytesMax: number;
  /** What waits for one peer that reads too slowly, in each lane: bytes, and messages. */
  readonly queueSizeBytesMax: number;
  readonly queueLengthMax: number;
  readonly requestSizeBytesMax: number;
  readonly answerSizeBytesMax: number;
  /** Requests of one peer that are answered at the same time. */
  readonly requestsAtOnceMax: number;
  readonly requestTimeoutMs: number;
  readonly publishSizeBytesMax: number;
  /** How long a published body is remembered so as not to be passed on again. */
  readonly seenMs: number;
  readonly penaltyMs: number;
  /** First and longest wait before dialling a peer again. */
  readonly redialMsMin: number;
  readonly redialMsMax: number;
}

/** A block of 1 MiB fits with what surrounds it; of requests, an HTTP body of 256 KiB. */
export const peerLimits: PeerLimits = {
  messageSizeBytesMax: 1_114_112,
  queueSizeBytesMax: 8_388_608,
  queueLengthMax: 4096,
  requestSizeBytesMax: 327_680,
  answerSizeBytesMax: 4_194_304,
  requestsAtOnceMax: 8,
  requestTimeoutMs: 10_000,
  publishSizeBytesMax: 65_536,
  seenMs: 30_000,
  penaltyMs: 60_000,
  redialMsMin: 200,
  redialMsMax: 10_000,
};

/** Why a peer could not be asked; `reason` is the peer's own code where it refused. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly code: string;
  readonly reason: string | undefined;

  constructor(code: string, message: string, options: { reason?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.reason = options.reason;
  }
}

/** Refuses a request that no correct peer makes: whoever did is penalised under the code. */
export class PeerBreach extends PeerError {}
