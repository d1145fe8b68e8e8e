import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { VerifyAccount } from '#shared/identity/account-key.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { KeyId } from '#shared/identity/keys.ts';
import { type AdmissionFailure, applyTransaction } from '#shared/ledger/apply-transaction.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import {
  change,
  createOverlay,
  type Overlay,
  readState,
  type StateView,
  type StateWrites,
} from '#shared/ledger/contract/state.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';
import { Turns } from './turns.ts';

export interface MempoolLimits {
  readonly transactionsMax: number;
  readonly sizeBytesMax: number;
  readonly signerTransactionsMax: number;
  readonly signerSizeBytesMax: number;
  /** How far beyond its signer's next sequence a transaction may be, and wait for those between. */
  readonly gapMax: number;
  readonly gapMs: number;
}

export const mempoolLimits: MempoolLimits = {
  transactionsMax: 10_000,
  sizeBytesMax: 32 * 2 ** 20,
  signerTransactionsMax: 4_000,
  signerSizeBytesMax: 8 * 2 ** 20,
  gapMax: 64,
  gapMs: 10_000,
};

/** Why a transaction is not taken; nothing of it is kept. */
export type PoolFailure = AdmissionFailure | Failure<'mempool-full' | 'sequence-taken'>;

/** A transaction that was taken and is no more, without being in a block. */
export interface DroppedPending {
  readonly digest: Digest;
  readonly code: string;
  readonly message: string;
}

/** The ledger as committed. */
export interface CommittedState {
  readonly chain: ChainState;
  readonly state: StateView;
}

interface Pending {
  readonly encoded: EncodedTransaction;
  /** Counts all that were ever taken. */
  readonly number: number;
  readonly sinceMs: number;
  /** What it would write, once it stands in its signer's row; for those that wait none. */
  writes: StateWrites;
}

/** What is pending of one signer. */
interface SignerRow {
  readonly keyId: KeyId;
  /** Without gaps, from the sequence after the last that is committed. */
  ready: Pending[];
  /** By sequence: beyond a gap. */
  readonly waiting: Map<number, Pending>;
  sizeBytes: number;
  /** The committed state with the writes of `ready` laid over it. */
  view: Overlay;
}

/**
 * Transactions that wait to be put into a block, each admitted against the committed state and what
 * is pending of its own signer, its signature verified once. What other signers have pending is not
 * considered, so a block may still record one as rejected.
 */
export class PendingTransactions {
  readonly #ledger: CommittedState;
  readonly #verify: VerifyAccount;
  readonly #limits: MempoolLimits;
  readonly #byDigest = new Map<Digest, Pending>();
  readonly #rows = new Map<KeyId, SignerRow>();
  #sizeBytes = 0;
  /** No pending transaction expires before the block after that height. */
  #firstExpiry = Number.POSITIVE_INFINITY;
  #taken = 0;
  readonly #turns = new Turns();

  constructor(ledger: CommittedState, verify: VerifyAccount, limits: MempoolLimits) {
    this.#ledger = ledger;
    this.#verify = verify;
    this.#limits = limits;
  }

  /** Both those that may go into the next block and those that wait. */
  get count(): number {
    return this.#byDigest.size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** How many could go into the next block. */
  get readyCount(): number {
    let count = 0;
    for (const { ready } of this.#rows.values()) count += ready.length;
    return count;
  }

  get(digest: Digest): EncodedTransaction | undefined {
    return this.#byDigest.get(digest)?.encoded;
  }

  /** The sequence for a signer's next transaction. */
  nextSequence(keyId: KeyId): number {
    return nextIn(this.#rows.get(keyId)?.view ?? this.#ledger.state, keyId);
  }

  /** Takes a transaction that is not here yet; `dropped` are those whose gap it closed in vain. */
  take(
    encoded: EncodedTransaction,
    { timeMs, nowMs }: { readonly timeMs: number; readonly nowMs: number },
  ): Result<{ isReady: boolean; dropped: DroppedPending[] }, PoolFailure> {
    const { keyId, signerSequence } = encoded.transaction;
    const row = this.#rows.get(keyId) ?? this.#newRow(keyId);
    const refusal = this.#refusal(row, encoded);
    if (refusal !== undefined) return refusal;
    const isReady = signerSequence <= nextIn(row.view, keyId);
    const admitted = isReady
      ? this.#admit(row.view, encoded, timeMs)
      : this.#admitAhead(row, encoded, timeMs);
    if (!admitted.ok) return admitted;
    const pending = { encoded, number: ++this.#taken, sinceMs: nowMs, writes: admitted.value };
    this.#insert(row, pending, isReady);
    return ok({ isReady, dropped: isReady ? this.#closeGaps(row, timeMs) : [] });
  }

  /** What may go into the next block, in the order to try it in; see {@link Turns}. */
  inTurns(): Iterable<EncodedTransaction> {
    const rows = [...this.#rows.values()].filter(({ ready }) => ready.length > 0);
    return this.#turns.of(rows.map(({ ready }) => ready.map(({ encoded }) => encoded)));
  }

  /** Those taken after number `after`, in that order, with their numbers. */
  *since(
    after: number,
  ): Generator<{ number: number; sinceMs: number; encoded: EncodedTransaction }> {
    for (const pending of this.#byDigest.values()) if (pending.number > after) yield pending;
  }

  /** Removes what is in a block just committed, and what by that has become stale or expired. */
  committed(transactions: Iterable<EncodedTransaction>): DroppedPending[] {
    const changed = new Set<SignerRow>();
    for (const { digest, transaction } of transactions) {
      const row = this.#rows.get(transaction.keyId);
      if (row !== undefined) changed.add(row);
      this.#remove(digest);
    }
    const dropped: DroppedPending[] = [];
    const take = (gone: readonly DroppedPending[]): void => {
      for (const { digest } of gone) changed.add(this.#remove(digest)!);
      dropped.push(...gone);
    };
    take([...changed].flatMap((row) => this.#staleOf(row)));
    take(this.#expired());
    for (const row of changed) dropped.push(...this.#settle(row));
    return dropped;
  }

  /** Removes what fits in no block. */
  drop(unfit: Iterable<DroppedPending>): DroppedPending[] {
    const changed = new Set<SignerRow>();
    const dropped: DroppedPending[] = [];
    for (const one of unfit) {
      const row = this.#remove(one.digest);
      if (row === undefined) continue;
      changed.add(row);
      dropped.push(one);
    }
    for (const row of changed) dropped.push(...this.#settle(row));
    return dropped;
  }

  /** Removes what has waited too long for the sequences before it. */
  dropOverdue(nowMs: number): DroppedPending[] {
    const dropped: DroppedPending[] = [];
    for (const row of this.#rows.values()) {
      for (const { encoded, sinceMs } of row.waiting.values()) {
        if (nowMs - sinceMs < this.#limits.gapMs) continue;
        dropped.push(gapOf(encoded, nextIn(row.view, row.keyId)));
      }
    }
    for (const { digest } of dropped) this.#remove(digest);
    return dropped;
  }

  #staleOf({ keyId, ready, waiting }: SignerRow): DroppedPending[] {
    const next = nextIn(this.#ledger.state, keyId);
    const dropped: DroppedPending[] = [];
    for (const { encoded } of [...ready, ...waiting.values()]) {
      const { signerSequence } = encoded.transaction;
      if (signerSequence >= next || !this.#byDigest.has(encoded.digest)) continue;
      const message = `sequence ${signerSequence} was used by another transaction; sign it again`;
      dropped.push({ digest: encoded.digest, code: 'stale-sequence', message });
    }
    return dropped;
  }

  #expired(): DroppedPending[] {
    const nextHeight = this.#ledger.chain.head.height + 1;
    if (nextHeight <= this.#firstExpiry) return [];
    this.#firstExpiry = Number.POSITIVE_INFINITY;
    const dropped: DroppedPending[] = [];
    for (const [digest, { encoded }] of this.#byDigest) {
      const { notAfterHeight } = encoded.transaction;
      if (notAfterHeight >= nextHeight) {
        this.#firstExpiry = Math.min(this.#firstExpiry, notAfterHeight);
        continue;
      }
      const message = `it was to take effect up to height ${notAfterHeight}; sign it again`;
      dropped.push({ digest, code: 'expired', message });
    }
    return dropped;
  }

  #newRow(keyId: KeyId): SignerRow {
    const view = createOverlay(this.#ledger.state);
    return { keyId, ready: [], waiting: new Map(), sizeBytes: 0, view };
  }

  /** Why the transaction is not even looked at: what costs least to find out. */
  #refusal(
    row: SignerRow,
    { transaction, bytes }: EncodedTransaction,
  ): Result<never, PoolFailure> | undefined {
    const { transactionsMax, sizeBytesMax, signerTransactionsMax, signerSizeBytesMax, gapMax } =
      this.#limits;
    const { signerSequence, keyId } = transaction;
    const next = nextIn(row.view, keyId);
    if (signerSequence > next + gapMax) {
      return fail('sequence-gap', `sequence ${signerSequence} leaves a gap; the next is ${next}`);
    }
    if (row.waiting.has(signerSequence)) {
      return fail('sequence-taken', `sequence ${signerSequence} is pending already; use another`);
    }
    const isFull = this.count >= transactionsMax || this.#sizeBytes + bytes.length > sizeBytesMax;
    const isSignerFull =
      row.ready.length + row.waiting.size >= signerTransactionsMax ||
      row.sizeBytes + bytes.length > signerSizeBytesMax;
    if (!isFull && !isSignerFull) return undefined;
    const whose = isFull ? '' : ` of ${keyId}`;
    return fail('mempool-full', `too many transactions${whose} are pending; send it again later`);
  }

  #admit(
    view: StateView,
    encoded: EncodedTransaction,
    timeMs: number,
    isVerified = false,
  ): Result<StateWrites, AdmissionFailure> {
    const { chainId, head } = this.#ledger.chain;
    const applied = applyTransaction(view, encoded, {
      ...{ chainId, height: head.height + 1 },
      timeMs: Math.max(timeMs, head.timeMs + 1),
      ...{ verify: this.#verify, isVerified: () => isVerified },
    });
    if (!applied.ok) return applied;
    const { rejection, writes } = applied.value;
    return rejection === undefined ? ok(writes) : { ok: false, error: rejection };
  }

  /**
   * Verifies a transaction beyond a gap as if the gap were closed. What its rule says is no news
   * before it is.
   */
  #admitAhead(
    { view, keyId }: SignerRow,
    encoded: EncodedTransaction,
    timeMs: number,
  ): Result<StateWrites, AdmissionFailure> {
    const { signerSequence } = encoded.transaction;
    const ahead = createOverlay(view);
    ahead.write(new Map([change('signer', keyId, signerSequence - 1)]));
    const admitted = this.#admit(ahead, encoded, timeMs);
    const isUnfit = !admitted.ok && NOT_INCLUDABLE.has(admitted.error.code);
    return isUnfit ? admitted : ok(new Map());
  }

  /** Puts into the row what waited for what is there now. */
  #closeGaps(row: SignerRow, timeMs: number): DroppedPending[] {
    const dropped: DroppedPending[] = [];
    for (;;) {
      const pending = row.waiting.get(nextIn(row.view, row.keyId));
      if (pending === undefined) return dropped;
      const { encoded } = pending;
      const admitted = this.#admit(row.view, encoded, timeMs, true);
      if (!admitted.ok) {
        dropped.push({ ...admitted.error, digest: encoded.digest });
        this.#remove(encoded.digest);
        return dropped;
      }
      row.waiting.delete(encoded.transaction.signerSequence);
      pending.writes = admitted.value;
      row.ready.push(pending);
      row.view.write(pending.writes);
    }
  }

  #insert(row: SignerRow, pending: Pending, isReady: boolean): void {
    const { encoded, writes } = pending;
    if (isReady) {
      row.ready.push(pending);
      row.view.write(writes);
    } else {
      row.waiting.set(encoded.transaction.signerSequence, pending);
    }
    row.sizeBytes += encoded.bytes.length;
    this.#rows.set(row.keyId, row);
    this.#byDigest.set(encoded.digest, pending);
    this.#sizeBytes += encoded.bytes.length;
    this.#firstExpiry = Math.min(this.#firstExpiry, encoded.transaction.notAfterHeight);
  }

  /** Takes a transaction out; its row, to be settled. */
  #remove(digest: Digest): SignerRow | undefined {
    const pending = this.#byDigest.get(digest);
    if (pending === undefined) return undefined;
    const { transaction, bytes } = pending.encoded;
    const row = this.#rows.get(transaction.keyId)!;
    if (row.waiting.get(transaction.signerSequence) === pending) {
      row.waiting.delete(transaction.signerSequence);
    }
    this.#byDigest.delete(digest);
    row.sizeBytes -= bytes.length;
    this.#sizeBytes -= bytes.length;
    if (row.sizeBytes === 0) this.#rows.delete(row.keyId);
    return row;
  }

  /** Brings a row to what is committed by now and still pending; what is beyond a gap waits. */
  #settle(row: SignerRow): DroppedPending[] {
    const kept = row.ready.filter(({ encoded }) => this.#byDigest.has(encoded.digest));
    row.ready = [];
    row.view = createOverlay(this.#ledger.state);
    const dropped: DroppedPending[] = [];
    for (const pending of kept) {
      const { transaction } = pending.encoded;
      const next = nextIn(row.view, row.keyId);
      if (transaction.signerSequence === next) {
        row.ready.push(pending);
        row.view.write(pending.writes);
      } else if (transaction.signerSequence <= next + this.#limits.gapMax) {
        row.waiting.set(transaction.signerSequence, pending);
      } else {
        dropped.push(gapOf(pending.encoded, next));
      }
    }
    for (const { digest } of dropped) this.#remove(digest);
    return [...dropped, ...this.#closeGaps(row, this.#ledger.chain.head.timeMs + 1)];
  }
}

/** What no change of the state before it mends. */
const NOT_INCLUDABLE: ReadonlySet<string> = new Set([
  ...['unknown-key', 'stale-sequence', 'sequence-gap', 'wrong-signature'],
]);

function nextIn(view: StateView, keyId: KeyId): number {
  return (readState(view, 'signer', keyId) ?? 0) + 1;
}

function gapOf({ digest, transaction }: EncodedTransaction, next: number): DroppedPending {
  const message = `sequence ${transaction.signerSequence} waits for ${next}, which did not come`;
  return { digest, code: 'sequence-gap', message };
}
