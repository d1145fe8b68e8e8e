import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import {
  PeerBreach,
  PeerError,
  type PeerKey,
  type PeerNetwork,
  type Verdict,
} from '#runtime/peers/peer-network.ts';
import type { Failure, Result } from '#shared/basics/result.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';
import { votersOf } from '../consensus/peer-voters.ts';
import { type Rate, RateBudget } from '../consensus/rate-budget.ts';
import { sha256 } from '../payloads/payload-file.ts';
import {
  decodePendingPage,
  decodePendingRequest,
  encodePendingMessage,
  PAGE_SIZE_BYTES_MAX,
} from './mempool-message.ts';
import { isUrgent } from './turns.ts';

const PROTOCOL = 'pending-transactions';

/** Of the transactions told of together: with what surrounds them they can be published. */
const BATCH_SIZE_BYTES_MAX = 60_000;
/** What canonical CBOR puts before each. */
const LENGTH_SIZE_BYTES_MAX = 3;

/** What one peer has told and this node has not looked at; the rest is let go. */
const UNREAD_SIZE_BYTES_MAX = 2 * 2 ** 20;

/** What one peer may have looked at before what waits. */
const URGENT: Rate = { burst: 64, perSecond: 32 };

/** More than a full mempool has; a peer could go on for ever. */
const PAGES_MAX = 256;

/** Between so many transactions the rest of the program has its turn. */
const TAKEN_IN_A_ROW = 16;

export interface ExchangeOptions {
  readonly network: PeerNetwork;
  readonly events: Events;
  readonly clock: Clock;
  chain(): ChainState;
  /** Takes a transaction from a peer; undefined where it is here or was, else what came of it. */
  take(bytes: Uint8Array, digest: Digest): Result<undefined, Failure> | undefined;
  /** What is pending, taken after number `after`, in that order. */
  since(after: number): Iterable<{ readonly number: number; readonly encoded: EncodedTransaction }>;
}

/** What a peer has told and waits to be looked at. */
interface Unread {
  readonly transactions: (readonly [Digest, Uint8Array])[];
  readonly byDigest: Map<Digest, Uint8Array>;
  sizeBytes: number;
}

/**
 * The way of transactions between mempools. While all validators are connected they are told
 * directly, behind what consensus has to say; else by gossip, which goes around. Peers that meet
 * ask each other for what is pending.
 */
export class TransactionExchange implements Disposable {
  readonly #options: ExchangeOptions;
  readonly #topic: string;
  readonly #asking = new Set<PeerKey>();
  readonly #unread = new Map<PeerKey, Unread>();
  readonly #urgent: RateBudget;
  #batch: Uint8Array[] = [];
  #batchSizeBytes = 0;
  #isReading = false;
  #isClosed = false;

  /** Answers and hears peers from now on. */
  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { network } = options;
    this.#urgent = new RateBudget(options.clock, URGENT);
    this.#topic = `diten/${options.chain().chainId}/transactions`;
    network.answer(PROTOCOL, async (_from, body) => this.#page(body));
    network.subscribe(this.#topic, (_from, body) => this.#hear(body));
    network.onMessage((from, body) => this.#receive(from, body), 'bulk');
    network.onConnection((peer, isConnected) => {
      if (isConnected) this.#askPending(peer);
      else this.#unread.delete(peer);
    });
    for (const peer of network.connected()) this.#askPending(peer);
  }

  /** Tells the other validators, together with all that this turn of the program brings. */
  tell(encoded: EncodedTransaction): void {
    const { bytes } = encoded;
    if (isUrgent(encoded)) {
      // What its signer has sent before goes first: this one would be of no use without.
      this.#flush();
      this.#send([bytes], true);
      return;
    }
    const sizeBytes = bytes.length + LENGTH_SIZE_BYTES_MAX;
    if (this.#batchSizeBytes + sizeBytes > BATCH_SIZE_BYTES_MAX) this.#flush();
    if (this.#batch.length === 0) setImmediate(() => this.#flush());
    this.#batch.push(bytes);
    this.#batchSizeBytes += sizeBytes;
  }

  /** What a peer has told and was not looked at. */
  unread(digest: Digest): Uint8Array | undefined {
    for (const { byDigest } of this.#unread.values()) {
      const bytes = byDigest.get(digest);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#unread.clear();
  }

  #flush(): void {
    if (this.#batch.length === 0 || this.#isClosed) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchSizeBytes = 0;
    this.#send(batch, false);
  }

  #send(transactions: Uint8Array[], isUrgent: boolean): void {
    if (this.#isClosed) return;
    const { network, events } = this.#options;
    const page = { v: 1, transactions, after: null } as const;
    const body = encodePendingMessage(isUrgent ? { ...page, isUrgent } : page);
    const voters = this.#otherVoters();
    const connected = new Set(network.connected());
    if (voters.every((peer) => connected.has(peer))) {
      for (const peer of voters) network.send(peer, body, 'bulk');
      return;
    }
    network.publish(this.#topic, body).catch((error) => {
      // Tried again with what is not committed after a while.
      events.record('info', 'transaction-not-published', { error: `${error}` });
    });
  }

  #otherVoters(): PeerKey[] {
    const { network, chain } = this.#options;
    const { roster, nextRoster } = chain();
    const voters = new Set([...votersOf(roster).keys(), ...votersOf(nextRoster).keys()]);
    voters.delete(network.self);
    return [...voters];
  }

  #hear(body: Uint8Array): Verdict {
    const batch = decodePendingPage(body);
    if (!batch.ok) return 'reject';
    let verdict: Verdict = 'ignore';
    let isUnchecked = false;
    for (const bytes of batch.value.transactions) {
      const taken = this.#options.take(bytes, sha256(bytes));
      if (taken === undefined) continue;
      if (taken.ok) verdict = 'accept';
      else if (isProvablyWrong(taken.error)) return 'reject';
      else isUnchecked = true;
    }
    // To others it may be provably wrong, and they would hold it against this node.
    return isUnchecked ? 'ignore' : verdict;
  }

  #receive(from: PeerKey, body: Uint8Array): void {
    if (this.#isClosed) return;
    const { network, events } = this.#options;
    const unread = this.#unread.get(from) ?? newUnread();
    if (unread.sizeBytes + body.length > UNREAD_SIZE_BYTES_MAX) {
      events.record('info', 'transactions-unread', { peer: from });
      return;
    }
    const batch = decodePendingPage(body);
    if (!batch.ok) {
      network.penalise(from, batch.error.code);
      return;
    }
    if (batch.value.isUrgent === true && this.#urgent.spend(from)) {
      const failure = this.#read(batch.value.transactions.slice(0, 1).map(named));
      if (failure !== undefined) network.penalise(from, failure.code);
      return;
    }
    for (const bytes of batch.value.transactions) {
      const digest = sha256(bytes);
      unread.transactions.push([digest, bytes]);
      unread.byDigest.set(digest, bytes);
      unread.sizeBytes += bytes.length;
    }
    this.#unread.set(from, unread);
    this.#readSoon();
  }

  /** Not at once: what consensus has to say comes in between. */
  #readSoon(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    setImmediate(() => {
      this.#isReading = false;
      const [first] = this.#unread;
      if (first === undefined) return;
      const [from, unread] = first;
      this.#unread.delete(from);
      const next = unread.transactions.splice(0, TAKEN_IN_A_ROW);
      for (const [digest, { length }] of next) {
        unread.byDigest.delete(digest);
        unread.sizeBytes -= length;
      }
      const failure = this.#read(next);
      if (failure !== undefined) this.#options.network.penalise(from, failure.code);
      // Behind the other peers.
      else if (unread.transactions.length > 0) this.#unread.set(from, unread);
      if (this.#unread.size > 0) this.#readSoon();
    });
  }

  /** What no correct peer would have told. */
  #read(transactions: readonly (readonly [Digest, Uint8Array])[]): Failure | undefined {
    for (const [digest, bytes] of transactions) {
      const taken = this.#options.take(bytes, digest);
      if (taken !== undefined && !taken.ok && isProvablyWrong(taken.error)) return taken.error;
    }
    return undefined;
  }

  /** Gets what a peer has pending and this node may have missed, page after page. */
  #askPending(peer: PeerKey): void {
    if (this.#isClosed || this.#asking.has(peer)) return;
    this.#asking.add(peer);
    void this.#takePending(peer).finally(() => this.#asking.delete(peer));
  }

  async #takePending(peer: PeerKey): Promise<void> {
    const { network, events } = this.#options;
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
      events.record('info', 'pending-not-given', { peer, code: error.code });
    }
  }

  /** Takes a page; tells what is wrong with it, or that there is no room for more. */
  async #takePage(transactions: readonly Uint8Array[]): Promise<Failure | undefined> {
    for (const [index, bytes] of transactions.entries()) {
      if (index % TAKEN_IN_A_ROW === TAKEN_IN_A_ROW - 1) await new Promise(setImmediate);
      const taken = this.#options.take(bytes, sha256(bytes));
      if (taken === undefined || taken.ok) continue;
      if (isProvablyWrong(taken.error) || taken.error.code === 'mempool-full') return taken.error;
    }
    return undefined;
  }

  #page(body: Uint8Array): Uint8Array {
    const request = decodePendingRequest(body);
    if (!request.ok) throw new PeerBreach(request.error.code, request.error.message);
    const transactions: Uint8Array[] = [];
    let sizeBytes = 0;
    let last = request.value.after;
    for (const { number, encoded } of this.#options.since(last)) {
      sizeBytes += encoded.bytes.length;
      if (transactions.length > 0 && sizeBytes > PAGE_SIZE_BYTES_MAX) {
        return encodePendingMessage({ v: 1, transactions, after: last });
      }
      transactions.push(encoded.bytes);
      last = number;
    }
    return encodePendingMessage({ v: 1, transactions, after: null });
  }
}

function named(bytes: Uint8Array): readonly [Digest, Uint8Array] {
  return [sha256(bytes), bytes];
}

function newUnread(): Unread {
  return { transactions: [], byDigest: new Map(), sizeBytes: 0 };
}

/** What says of itself that it is wrong, whatever this node knows: no correct node passes it on. */
function isProvablyWrong({ code }: Failure): boolean {
  return code === 'transaction-malformed' || code === 'wrong-signature';
}
