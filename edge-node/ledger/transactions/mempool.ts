import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { err, type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { VerifyAccount } from '#shared/identity/account-key.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { KeyId } from '#shared/identity/keys.ts';
import { decodeTransaction, type EncodedTransaction } from '#shared/ledger/transaction.ts';
import {
  type CommittedState,
  type DroppedPending,
  type MempoolLimits,
  mempoolLimits,
  PendingTransactions,
} from './pending-transactions.ts';
import { RecentDigests } from './recent-digests.ts';
import { TransactionExchange } from './transaction-exchange.ts';

/** Committed ones that are known by digest without a look at the disk, should they come again. */
const RECENT_MAX = 16_384;

/** Who wait for the receipt of one transaction. */
const WAITERS_MAX = 64;

/** How often is looked for what waits too long; gossip forgets what it has seen in 30 s. */
const SWEEP_MS = 5_000;
const TELL_AGAIN_MS = 35_000;
const TOLD_AGAIN_MAX = 256;
/** What has been here so long is likely to be with all who are connected. */
const SPREAD_MS = 30;

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
 * them: at once, again after a while, and when they meet. Whoever submits one here learns its
 * receipt, or why there will be none.
 */
export class Mempool implements Disposable {
  readonly #ledger: MempoolLedger;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #exchange: TransactionExchange | undefined;
  readonly #pending: PendingTransactions;
  readonly #recent = new RecentDigests(RECENT_MAX);
  readonly #waiters = new Map<Digest, Waiter[]>();
  readonly #toldMs = new Map<Digest, number>();
  readonly #arrivals: (() => void)[] = [];
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  /** Answers and hears peers from now on. */
  constructor({ ledger, verify, clock, events, network, limits }: MempoolOptions) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#events = events;
    this.#pending = new PendingTransactions(ledger, verify, { ...mempoolLimits, ...limits });
    this.#exchange =
      network &&
      new TransactionExchange({
        ...{ network, events, clock },
        chain: () => ledger.chain,
        take: (bytes, digest) => this.#takeBytes(bytes, digest),
        since: (after) => this.#pending.since(after),
      });
  }

  /** How many transactions could go into the next block. */
  get size(): number {
    return this.#pending.readyCount;
  }

  /** What could go into the next block, in a fair order over the signers. */
  candidates(): Iterable<EncodedTransaction> {
    return this.#pending.inTurns();
  }

  /** One by its digest that is pending, or was told by a peer and has not been looked at yet. */
  known(digest: Digest): EncodedTransaction | undefined {
    const pending = this.#pending.get(digest);
    if (pending !== undefined) return pending;
    const unread = this.#exchange?.unread(digest);
    const decoded = unread && decodeTransaction(unread.slice(), digest);
    return decoded?.ok ? decoded.value : undefined;
  }

  /** Whether the other nodes have had time to get it. */
  isSpread(digest: Digest): boolean {
    const toldMs = this.#toldMs.get(digest);
    return toldMs !== undefined && this.#clock.monotonicMs() - toldMs >= SPREAD_MS;
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
    const place = this.#committed(encoded);
    if (place !== undefined) return ok(receiptOf(digest, place));
    if (this.#pending.get(digest) === undefined) {
      const taken = this.#take(encoded);
      if (!taken.ok) return taken;
      this.#tell(encoded);
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
    this.#exchange?.[Symbol.dispose]();
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
    this.#toldMs.set(encoded.digest, nowMs);
    this.#dropped(taken.value.dropped);
    this.#cancelSweep ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
    if (taken.value.isReady) for (const handler of this.#arrivals) handler();
    return ok(undefined);
  }

  /** A transaction from a peer; undefined where it is here or was, else what came of it. */
  #takeBytes(bytes: Uint8Array, digest: Digest): Result<undefined, Failure> | undefined {
    if (this.#pending.get(digest) !== undefined || this.#recent.has(digest)) return undefined;
    if (this.#isClosed) return undefined;
    // In memory of its own, so that no larger message stays with it.
    const own = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
    const decoded = decodeTransaction(own, digest);
    if (!decoded.ok) return decoded;
    if (this.#committed(decoded.value) !== undefined) return undefined;
    return this.#take(decoded.value);
  }

  /** Where it is recorded: the disk is asked only for a sequence that is used. */
  #committed({
    digest,
    transaction,
  }: EncodedTransaction): ReturnType<MempoolLedger['transaction']> {
    const isUsed = transaction.signerSequence < this.nextSequence(transaction.keyId);
    return isUsed ? this.#ledger.transaction(digest) : undefined;
  }

  #tell(encoded: EncodedTransaction): void {
    this.#toldMs.set(encoded.digest, this.#clock.monotonicMs());
    this.#exchange?.tell(encoded);
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMs = this.#clock.monotonicMs();
    this.#dropped(this.#pending.dropOverdue(nowMs));
    let left = TOLD_AGAIN_MAX;
    for (const { encoded } of this.#pending.since(0)) {
      if (left === 0) break;
      if (nowMs - this.#toldMs.get(encoded.digest)! < TELL_AGAIN_MS) continue;
      this.#tell(encoded);
      left--;
    }
    if (this.#pending.count === 0 || this.#isClosed) return;
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  #dropped(dropped: readonly DroppedPending[]): void {
    for (const { digest, code, message } of dropped) {
      this.#events.record('info', `transaction-dropped-${code}`);
      this.#settle(digest, err({ code, message }));
    }
  }

  #settle(digest: Digest, outcome: Result<Receipt, Failure>): void {
    this.#toldMs.delete(digest);
    const waiters = this.#waiters.get(digest) ?? [];
    this.#waiters.delete(digest);
    for (const waiter of waiters) waiter(outcome);
  }
}

function receiptOf(
  digest: Digest,
  { height, index, outcome }: { height: number; index: number; outcome: string },
): Receipt {
  return { digest, height, index, outcome };
}
