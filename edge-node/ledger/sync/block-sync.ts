import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import {
  PeerError,
  type PeerKey,
  type PeerNetwork,
  type Verdict,
} from '#runtime/peers/peer-network.ts';
import type { Failure, Result } from '#shared/basics/result.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { Roster } from '#shared/ledger/roster.ts';
import {
  BATCH_BLOCKS_MAX,
  BATCH_SIZE_BYTES_MAX,
  decodeAnnouncement,
  decodeBlocksAnswer,
  decodeBlocksRequest,
  decodeStatus,
  encodeSyncMessage,
} from './block-sync-message.ts';
import { SyncPeers } from './sync-peers.ts';

const STATUS_PROTOCOL = 'status';
const BLOCKS_PROTOCOL = 'blocks';

/** So few heights behind, a validator is about to decide them by itself. */
const NEAR = 3;

/** A block and the certificate that decided it, as they are kept. */
export interface EncodedDecision {
  readonly block: Uint8Array;
  readonly commit: Uint8Array;
}

/** The ledger as block sync sees it. */
export interface SyncedLedger {
  readonly chainId: string;
  readonly head: { readonly height: number; readonly hash: Digest };
  /** Of the next height. */
  readonly roster: Roster;
  /** Whether this node votes; one that does not lives by block sync alone. */
  readonly isVoting: boolean;
  /** The decision of a height up to the head's. */
  decision(height: number): EncodedDecision | undefined;
  /**
   * Checks block and commit against what this node knows by itself, and commits the block: durable
   * when it returns. An error says that the pair is no decision of the next height. Throws where
   * the disk fails or this node itself is at odds with what a quorum decided.
   */
  applyDecided(decision: EncodedDecision): Result<unknown, Failure>;
}

export interface SyncTiming {
  /** How often each peer is asked for its height. */
  readonly statusMs: number;
  readonly requestTimeoutMs: number;
  /** How long a validator leaves the next heights to the consensus before it asks for them. */
  readonly graceMs: number;
  /** New heights are announced no more often than this; the newest counts. */
  readonly announceMs: number;
  /** How long to wait after the disk has failed. */
  readonly retryMs: number;
}

const defaultTiming: SyncTiming = {
  statusMs: 5_000,
  requestTimeoutMs: 10_000,
  graceMs: 300,
  announceMs: 100,
  retryMs: 1_000,
};

export interface BlockSyncOptions {
  readonly network: PeerNetwork;
  readonly ledger: SyncedLedger;
  readonly clock: Clock;
  readonly events: Events;
  readonly timing?: Partial<SyncTiming>;
}

/**
 * Fetches the decided blocks that this node lacks. What a peer says of its height only makes it one
 * to ask: each block comes with its commit certificate, checked against the roster that this node
 * derives itself, and nothing else changes the ledger. A peer that says it has a height and does
 * not give it, goes back in height, or gives a block that was not decided, is penalised; one that
 * is slow or refuses is passed over for a while, and the next one is asked.
 */
export class BlockSync implements AsyncDisposable {
  readonly #network: PeerNetwork;
  readonly #ledger: SyncedLedger;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #timing: SyncTiming;
  readonly #topic: string;
  readonly #peers = new SyncPeers();
  readonly #polling = new Set<PeerKey>();
  readonly #timers = new Map<string, () => void>();
  #running: Promise<void> | undefined;
  #isClosed = false;

  /** Answers peers and asks them from now on. */
  constructor({ network, ledger, clock, events, timing }: BlockSyncOptions) {
    this.#network = network;
    this.#ledger = ledger;
    this.#clock = clock;
    this.#events = events;
    this.#timing = { ...defaultTiming, ...timing };
    this.#topic = `diten/${ledger.chainId}/blocks`;
    network.answer(STATUS_PROTOCOL, async () => this.#status());
    network.answer(BLOCKS_PROTOCOL, async (_from, body) => this.#serve(body));
    network.subscribe(this.#topic, (from, body) => this.#hear(from, body));
    network.onConnection((peer, isConnected) => this.#connection(peer, isConnected));
    for (const peer of network.connected()) this.#connection(peer, true);
    this.#pollAll();
  }

  /** The height that some correct validator has reached, as far as the peers say; or the own. */
  get knownHeight(): number {
    return Math.max(this.#ledger.head.height, this.#peers.backedHeight(this.#ledger.roster));
  }

  /** Says that a peer seems to be further than this node: it is asked for its height. */
  hint(peer: PeerKey): void {
    this.#poll(peer);
  }

  /** To be called when the head has moved: the others may hear of it. */
  headMoved(): void {
    if (!this.#ledger.isVoting) return;
    this.#once('announce', this.#timing.announceMs, () => this.#announce());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await this.#running;
  }

  #connection(peer: PeerKey, isConnected: boolean): void {
    if (this.#isClosed) return;
    if (isConnected) {
      this.#peers.connect(peer);
      this.#poll(peer);
    } else {
      this.#peers.disconnect(peer, this.#clock.monotonicMs());
    }
  }

  #pollAll(): void {
    for (const peer of this.#network.connected()) this.#poll(peer);
    this.#once('poll', this.#timing.statusMs, () => this.#pollAll());
  }

  #poll(peer: PeerKey): void {
    if (this.#isClosed || this.#polling.has(peer)) return;
    this.#polling.add(peer);
    void this.#askStatus(peer).finally(() => this.#polling.delete(peer));
  }

  async #askStatus(peer: PeerKey): Promise<void> {
    const answer = await this.#ask(peer, STATUS_PROTOCOL, new Uint8Array(0));
    if (answer === undefined || this.#isClosed) return;
    const status = decodeStatus(answer);
    const wrong = status.ok ? this.#wrongWith(peer, status.value) : status.error.code;
    if (wrong !== undefined) this.#network.penalise(peer, wrong);
    else this.#wake();
  }

  /** What no correct peer's status says; takes the height where there is nothing of that kind. */
  #wrongWith(
    peer: PeerKey,
    status: { chainId: string; height: number; hash: string },
  ): string | undefined {
    const { chainId, head } = this.#ledger;
    if (status.chainId !== chainId) return 'status-of-another-chain';
    if (status.height === head.height && status.hash !== head.hash) return 'status-wrong-hash';
    return this.#peers.takeStatus(peer, status.height) ? undefined : 'height-lowered';
  }

  #announce(): void {
    const { height, hash } = this.#ledger.head;
    this.#network
      .publish(this.#topic, encodeSyncMessage({ v: 1, height, hash }))
      .catch((error) => this.#events.record('info', 'not-announced', { error: `${error}` }));
  }

  #hear(from: PeerKey, body: Uint8Array): Verdict {
    const announcement = decodeAnnouncement(body);
    if (!announcement.ok) return 'reject';
    const { height, hash } = announcement.value;
    const { head } = this.#ledger;
    if (height === head.height && hash !== head.hash) return 'reject';
    if (this.#isClosed || height <= head.height) return 'ignore';
    this.#peers.takeAnnouncement(from, height);
    // Who announced it may be connected to others only.
    if (this.#peers.heightOf(from) === 0) {
      this.#once('heard', this.#timing.announceMs, () => this.#pollAll());
    }
    this.#wake();
    return 'accept';
  }

  /** Begins to fetch, at once where the consensus will not bring it by itself. */
  #wake(): void {
    const { head, isVoting } = this.#ledger;
    if (!this.#peers.isAnyBeyond(head.height)) return;
    const isNear = isVoting && !this.#peers.isAnyBeyond(head.height + NEAR);
    this.#once('fetch', isNear ? this.#timing.graceMs : 0, () => {
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const { height } = this.#ledger.head;
      const source = this.#peers.nextSource(height, this.#clock.monotonicMs());
      if (source === undefined) return;
      try {
        await this.#fetchFrom(source, height + 1);
      } catch (error) {
        this.#events.record('error', 'sync-failed', { error: `${error}` });
        this.#once('retry', this.#timing.retryMs, () => this.#wake());
        return;
      }
    }
  }

  async #fetchFrom(peer: PeerKey, from: number): Promise<void> {
    const answer = await this.#ask(peer, BLOCKS_PROTOCOL, encodeSyncMessage({ v: 1, from }));
    if (answer === undefined || this.#isClosed) return this.#avoid(peer);
    const decoded = decodeBlocksAnswer(answer);
    if (!decoded.ok) return this.#expel(peer, decoded.error.code);
    const { blocks } = decoded.value;
    if (blocks.length === 0) return this.#expel(peer, 'height-lied');
    for (const [index, decision] of blocks.entries()) {
      const failure = this.#apply(from + index, decision);
      if (failure !== undefined) {
        this.#events.record('warn', 'block-refused', { peer, height: from + index, ...failure });
        return this.#expel(peer, 'block-wrong');
      }
      // Each block is written to the disk: what waits goes first.
      await new Promise(setImmediate);
      if (this.#isClosed) return;
    }
    this.#peers.served(peer);
  }

  /** Why a peer's block is not the decided one; undefined also where the height is there by now. */
  #apply(height: number, decision: EncodedDecision): Failure | undefined {
    if (this.#ledger.head.height >= height) return undefined;
    const applied = this.#ledger.applyDecided(decision);
    if (!applied.ok) return applied.error;
    this.#events.record('info', 'block-fetched');
    return undefined;
  }

  async #ask(peer: PeerKey, protocol: string, body: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#network.request(peer, protocol, body, this.#timing.requestTimeoutMs);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      this.#events.record('info', 'sync-not-answered', { peer, protocol, code: error.code });
      return undefined;
    }
  }

  #avoid(peer: PeerKey): void {
    const avoidedMs = this.#peers.avoid(peer, this.#clock.monotonicMs());
    this.#once(`avoid ${peer}`, avoidedMs, () => this.#wake());
  }

  /** For what only a faulty peer does; passed over too, should it be back soon. */
  #expel(peer: PeerKey, code: string): void {
    this.#avoid(peer);
    this.#network.penalise(peer, code);
  }

  #status(): Uint8Array {
    const { chainId, head } = this.#ledger;
    return encodeSyncMessage({ v: 1, chainId, height: head.height, hash: head.hash });
  }

  #serve(body: Uint8Array): Uint8Array {
    const request = decodeBlocksRequest(body);
    if (!request.ok) throw new PeerError(request.error.code, request.error.message);
    const blocks: EncodedDecision[] = [];
    let sizeBytes = 0;
    for (let height = request.value.from; blocks.length < BATCH_BLOCKS_MAX; height++) {
      const decision = this.#isClosed ? undefined : this.#ledger.decision(height);
      if (decision === undefined) break;
      sizeBytes += decision.block.length + decision.commit.length;
      if (blocks.length > 0 && sizeBytes > BATCH_SIZE_BYTES_MAX) break;
      blocks.push(decision);
    }
    return encodeSyncMessage({
      v: 1,
      blocks: blocks.map(({ block, commit }) => ({ block, commit })),
    });
  }

  /** Runs the task after a while, unless one of that name waits already. */
  #once(name: string, delayMs: number, task: () => void): void {
    if (this.#isClosed || this.#timers.has(name)) return;
    const cancel = this.#clock.after(delayMs, () => {
      this.#timers.delete(name);
      task();
    });
    this.#timers.set(name, cancel);
  }
}
