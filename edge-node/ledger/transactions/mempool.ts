import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import {
  PeerError,
  type PeerKey,
  type PeerNetwork,
  type Verdict,
} from '#runtime/peers/peer-network.ts';
import { err, type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { VerifyAccount } from '#shared/identity/account-key.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { KeyId } from '#shared/identity/keys.ts';
import { decodeTransaction, type EncodedTransaction } from '#shared/ledger/transaction.ts';
import { sha256 } from '../payloads/payload-file.ts';
import {
  decodePendingPage,
  decodePendingRequest,
  encodePendingMessage,
  PAGE_SIZE_BYTES_MAX,
} from './mempool-message.ts';
import {
  type CommittedState,
  type DroppedPending,
  type MempoolLimits,
  mempoolLimits,
  PendingTransactions,
} from './pending-transactions.ts';
import { RecentDigests } from './recent-digests.ts';

const PROTOCOL = 'pending-transactions';

/** Committed ones that are known by digest without a look at the disk, should they come again. */
const RECENT_MAX = 16_384;

/** Who wait for the receipt of one transaction. */
const WAITERS_MAX = 64;

/** How often is looked for what waits too long; the network forgets what it has seen in 30 s. */
const SWEEP_MS = 5_000;
const REPUBLISH_MS = 35_000;
const REPUBLISHED_MAX = 256;

/** More than a full mempool has; a peer could go on for ever. */
const PAGES_MAX = 256;

/** Between so many transactions of a page the rest of the program has its turn. */
const TAKEN_IN_A_ROW = 16;

/** Where a transaction is on the ledger, and what became of it. */
export interface Receipt {
  readonly digest: Digest;
  readonly height: number;
  /** In its block, from 0. */
  readonly index: number;
  /** `accepted`, or the code of the rejection that is recorded. */
  readonly outcome: string;
}

/** The committed ledger, and where it has a transaction. */
export interface MempoolLedger extends CommittedState {
  transaction(
    digest: string,
  ): { readonly height: number; readonly index: number; readonly outcome: string } | undefined;
}

export interface MempoolOptions {
  readonly ledger: MempoolLedger;
  readonly verify: VerifyAccount;
  readonly clock: Clock;
  readonly events: Events;
  /** A node alone has none. */
  readonly network?: PeerNetwork;
  readonly limits?: Partial<MempoolLimits>;
}

/** A block just committed, as far as its transactions are concerned. */
export interface CommittedBlock {
  readonly height: number;
  readonly transactions: readonly EncodedTransaction[];
  readonly outcomes: readonly string[];
}

type Waiter = (outcome: Result<Receipt, Failure>) => void;

/**
 * Holds transactions from their admission to the block that has them, and tells the other nodes of
 * them: by gossip, again after a while, and to a node that has come back. Whoever submits one here
 * learns its receipt, or why there will be none.
 */
export class Mempool implements Disposable {
  readonly #ledger: MempoolLedger;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #network: PeerNetwork | undefined;
  readonly #pending: PendingTransactions;
  readonly #topic: string;
  readonly #recent = new RecentDigests(RECENT_MAX);
  readonly #waiters = new Map<Digest, Waiter[]>();
  readonly #publishedMs = new Map<Digest, number>();
  readonly #asking = new Set<PeerKey>();
  readonly #arrivals: (() => void)[] = [];
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  /** Answers and hears peers from now on. */
  constructor({ ledger, verify, clock, events, network, limits }: MempoolOptions) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#events = events;
    this.#network = network;
    this.#pending = new PendingTransactions(ledger, verify, { ...mempoolLimits, ...limits });
    this.#topic = `diten/${ledger.chain.chainId}/transactions`;
    network?.answer(PROTOCOL, async (_from, body) => this.#page(body));
    network?.subscribe(this.#topic, (from, body) => this.#hear(from, body));
    network?.onConnection((peer, isConnected) => {
      if (isConnected) this.#askPending(peer);
    });
    for (const peer of network?.connected() ?? []) this.#askPending(peer);
  }

  /** How many transactions could go into the next block. */
  get size(): number {
    return this.#pending.readyCount;
  }

  /** What could go into the next block, in a fair order over the signers. */
  candidates(): Iterable<EncodedTransaction> {
    return this.#pending.inTurns();
  }

  /** A pending one by its digest. */
  known(digest: Digest): EncodedTransaction | undefined {
    return this.#pending.get(digest);
  }

  /** Whether the signature of a transaction was verified when it was taken. */
  isVerified(digest: Digest): boolean {
    return this.#pending.get(digest) !== undefined;
  }

  /** The sequence for a signer's next transaction, after those that are pending. */
  nextSequence(keyId: KeyId): number {
    return this.#pending.nextSequence(keyId);
  }

  /** Calls the handler whenever something has come that could go into a block. */
  onArrival(handler: () => void): void {
    this.#arrivals.push(handler);
  }

  /**
   * Takes a transaction, tells the others, and waits for its block; one that is pending or
   * committed already gives the same receipt. Fails where it is not taken, with the reason
   * (`mempool-full` is one), and where it is dropped later: `expired`, `ledger-closed`, or why it
   * fits in no block.
   */
  async submit(encoded: EncodedTransaction): Promise<Result<Receipt, Failure>> {
    const { digest } = encoded;
    if (this.#isClosed) return fail('ledger-closed', 'this node is stopping; send it to another');
    const place = this.#ledger.transaction(digest);
    if (place !== undefined) return ok(receiptOf(digest, place));
    if (this.#pending.get(digest) === undefined) {
      const taken = this.#take(encoded);
      if (!taken.ok) return taken;
      this.#publish(encoded);
    }
    const waiters = this.#waiters.get(digest) ?? [];
    if (waiters.length >= WAITERS_MAX) {
      return fail('mempool-full', `too many wait for transaction ${digest}; ask again later`);
    }
    return new Promise((resolve) => {
      this.#waiters.set(digest, [...waiters, resolve]);
    });
  }

  /** These fit in no block any more. */
  drop(unfit: readonly DroppedPending[]): void {
    this.#dropped(this.#pending.drop(unfit));
  }

  /** To be called when a block was committed, with the ledger after it. */
  committed({ height, transactions, outcomes }: CommittedBlock): void {
    const dropped = this.#pending.committed(transactions);
    for (const [index, { digest }] of transactions.entries()) {
      this.#recent.add(digest);
      this.#settle(digest, ok(receiptOf(digest, { height, index, outcome: outcomes[index]! })));
    }
    this.#dropped(dropped);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const digest of [...this.#waiters.keys()]) {
      this.#settle(digest, fail('ledger-closed', 'this node stopped; ask the ledger for it later'));
    }
  }

  #take(encoded: EncodedTransaction): Result<undefined, Failure> {
    const [timeMs, nowMs] = [Math.floor(this.#clock.nowMs()), this.#clock.monotonicMs()];
    const taken = this.#pending.take(encoded, { timeMs, nowMs });
    if (!taken.ok) {
      this.#events.record('info', `transaction-${taken.error.code}`);
      return taken;
    }
    this.#publishedMs.set(encoded.digest, nowMs);
    this.#dropped(taken.value.dropped);
    this.#cancelSweep ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
    if (taken.value.isReady) for (const handler of this.#arrivals) handler();
    return ok(undefined);
  }

  /** A transaction from a peer; undefined where it is here or was, else what came of it. */
  #takeBytes(bytes: Uint8Array): Result<undefined, Failure> | undefined {
    const digest = sha256(bytes);
    if (this.#pending.get(digest) !== undefined || this.#recent.has(digest)) return undefined;
    if (this.#isClosed) return undefined;
    // A copy, so that no larger message stays in memory with it.
    const decoded = decodeTransaction(bytes.slice());
    if (!decoded.ok) return decoded;
    if (this.#ledger.transaction(digest) !== undefined) return undefined;
    return this.#take(decoded.value);
  }

  #hear(_from: PeerKey, body: Uint8Array): Verdict {
    const taken = this.#takeBytes(body);
    if (taken === undefined) return 'ignore';
    if (taken.ok) return 'accept';
    return isProvablyWrong(taken.error) ? 'reject' : 'ignore';
  }

  #publish({ bytes, digest }: EncodedTransaction): void {
    this.#publishedMs.set(digest, this.#clock.monotonicMs());
    this.#network?.publish(this.#topic, bytes).catch((error) => {
      // Tried again with what is not committed after a while.
      this.#events.record('info', 'transaction-not-published', { error: `${error}` });
    });
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMs = this.#clock.monotonicMs();
    this.#dropped(this.#pending.dropOverdue(nowMs));
    let left = REPUBLISHED_MAX;
    for (const { encoded } of this.#pending.since(0)) {
      if (left === 0) break;
      if (nowMs - this.#publishedMs.get(encoded.digest)! < REPUBLISH_MS) continue;
      this.#publish(encoded);
      left--;
    }
    if (this.#pending.count === 0 || this.#isClosed) return;
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  /** Gets what a peer has pending and this node may have missed, page after page. */
  #askPending(peer: PeerKey): void {
    if (this.#isClosed || this.#network === undefined || this.#asking.has(peer)) return;
    this.#asking.add(peer);
    void this.#takePending(this.#network, peer).finally(() => this.#asking.delete(peer));
  }

  async #takePending(network: PeerNetwork, peer: PeerKey): Promise<void> {
    try {
      let after: number | null = 0;
      for (let pages = 0; after !== null && pages < PAGES_MAX && !this.#isClosed; pages++) {
        const body = encodePendingMessage({ v: 1, after });
        const page = decodePendingPage(await network.request(peer, PROTOCOL, body));
        if (!page.ok) return network.penalise(peer, page.error.code);
        // Numbers go up, so that a page is worth its request and the pages come to an end.
        const next: number | null = page.value.after;
        const isEmpty = page.value.transactions.length === 0;
        if (next !== null && (next <= after || isEmpty)) {
          return network.penalise(peer, 'pending-malformed');
        }
        const failure = await this.#takePage(page.value.transactions);
        if (failure !== undefined && isProvablyWrong(failure)) {
          return network.penalise(peer, failure.code);
        }
        if (failure !== undefined) return;
        after = next;
      }
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      this.#events.record('info', 'pending-not-given', { peer, code: error.code });
    }
  }

  /** Takes a page; tells what is wrong with it, or that there is no room for more. */
  async #takePage(transactions: readonly Uint8Array[]): Promise<Failure | undefined> {
    for (const [index, bytes] of transactions.entries()) {
      if (index % TAKEN_IN_A_ROW === TAKEN_IN_A_ROW - 1) await new Promise(setImmediate);
      const taken = this.#takeBytes(bytes);
      if (taken === undefined || taken.ok) continue;
      if (isProvablyWrong(taken.error) || taken.error.code === 'mempool-full') return taken.error;
    }
    return undefined;
  }

  #page(body: Uint8Array): Uint8Array {
    const request = decodePendingRequest(body);
    if (!request.ok) throw new PeerError(request.error.code, request.error.message);
    const transactions: Uint8Array[] = [];
    let sizeBytes = 0;
    let last = request.value.after;
    for (const { number, encoded } of this.#pending.since(last)) {
      sizeBytes += encoded.bytes.length;
      if (transactions.length > 0 && sizeBytes > PAGE_SIZE_BYTES_MAX) {
        return encodePendingMessage({ v: 1, transactions, after: last });
      }
      transactions.push(encoded.bytes);
      last = number;
    }
    return encodePendingMessage({ v: 1, transactions, after: null });
  }

  #dropped(dropped: readonly DroppedPending[]): void {
    for (const { digest, code, message } of dropped) {
      this.#events.record('info', `transaction-dropped-${code}`);
      this.#settle(digest, err({ code, message }));
    }
  }

  #settle(digest: Digest, outcome: Result<Receipt, Failure>): void {
    this.#publishedMs.delete(digest);
    const waiters = this.#waiters.get(digest) ?? [];
    this.#waiters.delete(digest);
    for (const waiter of waiters) waiter(outcome);
  }
}

/** What says of itself that it is wrong, whatever this node knows: no correct node passes it on. */
function isProvablyWrong({ code }: Failure): boolean {
  return code === 'transaction-malformed' || code === 'wrong-signature';
}

function receiptOf(
  digest: Digest,
  { height, index, outcome }: { height: number; index: number; outcome: string },
): Receipt {
  return { digest, height, index, outcome };
}
