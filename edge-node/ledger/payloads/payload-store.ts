import type { Database } from '#runtime/database/database.ts';
import type { Events } from '#runtime/observe/events.ts';
import { PeerError, type PeerKey, type PeerNetwork } from '#runtime/peers/peer-network.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { Digest } from '#shared/identity/digest.ts';
import { CHUNK_SIZE_BYTES, PayloadFile, sha256 } from './payload-file.ts';
import {
  decodePayloadAnswer,
  decodePayloadRequest,
  encodePayloadMessage,
} from './payload-message.ts';

const PROTOCOL = 'payload';

/** Stands for the source of what came from one peer after the other. */
const SEVERAL = 'several';

export interface PayloadLimits {
  /** All payloads together; the oldest that are not pinned make room. */
  readonly totalBytesMax: number;
  readonly payloadBytesMax: number;
  /** How long one piece may take before the next peer is asked. */
  readonly chunkTimeoutMs: number;
}

const defaultLimits: PayloadLimits = {
  totalBytesMax: 4 * 2 ** 30,
  payloadBytesMax: 256 * 2 ** 20,
  chunkTimeoutMs: 5_000,
};

export interface PayloadStoreOptions {
  /** As `openPayloadDatabase` opened it; closed with the store. */
  readonly database: Database;
  readonly events: Events;
  /** A node alone has none. */
  readonly network?: PeerNetwork;
  readonly limits?: Partial<PayloadLimits>;
}

export type PayloadFailure = Failure<
  | 'payload-too-large'
  | 'payload-store-full'
  | 'payload-disk-full'
  | 'payload-unavailable'
  | 'payload-store-closed'
>;

/** What came of asking one peer; after `mixed` nobody knows whose piece was wrong. */
type Attempt = 'more' | 'done' | 'failed' | 'mixed';

/**
 * What the ledger holds the digests of (weights, statements), by digest in one SQLite file. Bytes
 * are checked against their digest when put and whenever read, and fetched from peers piece by
 * piece; a fetch that was cut short, by a crash too, goes on where it stopped.
 */
export class PayloadStore implements Disposable {
  readonly #file: PayloadFile;
  readonly #events: Events;
  readonly #network: PeerNetwork | undefined;
  readonly #limits: PayloadLimits;
  readonly #fetches = new Map<Digest, Promise<Result<Uint8Array, PayloadFailure>>>();
  #turn = 0;
  #isClosed = false;

  /** Answers peers from now on. */
  constructor({ database, events, network, limits }: PayloadStoreOptions) {
    this.#file = new PayloadFile(database);
    this.#events = events;
    this.#network = network;
    this.#limits = { ...defaultLimits, ...limits };
    network?.answer(PROTOCOL, async (_from, body) => this.#serve(body));
  }

  /** Stores the bytes durably and says their digest. */
  put(bytes: Uint8Array): Result<Digest, PayloadFailure> {
    const digest = sha256(bytes);
    if (bytes.length > this.#limits.payloadBytesMax) {
      return this.#tooLarge(digest, bytes.length, this.#limits.payloadBytesMax);
    }
    if (this.get(digest) !== undefined) return ok(digest);
    return this.#written(() =>
      this.#file.insert(digest, bytes, this.#room()) ? ok(digest) : this.#full(digest),
    );
  }

  has(digest: Digest): boolean {
    return this.#file.has(digest);
  }

  /** The bytes of a digest; undefined where they are not here, or no longer what they were. */
  get(digest: Digest): Uint8Array | undefined {
    const bytes = this.#file.read(digest);
    if (bytes === undefined || sha256(bytes) === digest) return bytes;
    this.#damaged(digest);
    return undefined;
  }

  /** From now on never evicted, whether it is here already or comes later. */
  pin(digest: Digest): void {
    this.#file.pin(digest);
  }

  unpin(digest: Digest): void {
    this.#file.unpin(digest);
  }

  /**
   * The bytes of a digest, from here or from the connected peers in turn. Who sends what does not
   * have the digest, or changes its mind about the size, is penalised; who is slow, refuses or has
   * nothing is passed over. What has come stays for the next call. One fetch runs for each digest;
   * who asks meanwhile gets the same.
   *
   * `sizeBytesMax` is the most that may be taken in for it.
   */
  fetch(
    digest: Digest,
    sizeBytesMax = this.#limits.payloadBytesMax,
  ): Promise<Result<Uint8Array, PayloadFailure>> {
    const running = this.#fetches.get(digest);
    if (running !== undefined) return running;
    const started = this.#fetch(digest, Math.min(sizeBytesMax, this.#limits.payloadBytesMax));
    const tracked = started.finally(() => this.#fetches.delete(digest));
    this.#fetches.set(digest, tracked);
    return tracked;
  }

  /** Bytes of all payloads, those being fetched with their whole size. */
  get totalBytes(): number {
    return this.#file.totalBytes();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#file[Symbol.dispose]();
  }

  async #fetch(digest: Digest, sizeBytesMax: number): Promise<Result<Uint8Array, PayloadFailure>> {
    if (this.#isClosed) return closed;
    const here = this.get(digest);
    if (here !== undefined) return ok(here);
    const peers = this.#peersInTurn();
    let isAlone = false;
    for (const peer of peers) {
      const attempt = await this.#fetchFrom(peer, { digest, sizeBytesMax, isAlone });
      if (!attempt.ok) return attempt;
      if (attempt.value === 'done') {
        const bytes = this.get(digest);
        if (bytes !== undefined) return ok(bytes);
      }
      // Pieces of several peers made something wrong: each is asked for all of it, once more.
      if (attempt.value === 'mixed' && !isAlone) {
        isAlone = true;
        peers.push(...this.#peersInTurn());
      }
    }
    return fail(
      'payload-unavailable',
      `none of ${peers.length} peers gave payload ${digest}; ask again when one that has it is up`,
    );
  }

  async #fetchFrom(
    peer: PeerKey,
    wanted: { digest: Digest; sizeBytesMax: number; isAlone: boolean },
  ): Promise<Result<Attempt, PayloadFailure>> {
    const { digest } = wanted;
    if (this.#isClosed) return closed;
    const isStarted = this.#file.partial(digest) !== undefined;
    if (wanted.isAlone && isStarted) this.#file.remove(digest);
    for (;;) {
      const offset = this.#file.partial(digest)?.storedBytes ?? 0;
      const answer = await this.#ask(peer, digest, offset);
      if (this.#isClosed) return closed;
      if (answer === undefined || answer.sizeBytes === null) return ok('failed');
      const { sizeBytes, bytes } = answer;
      if (sizeBytes > wanted.sizeBytesMax) {
        this.#events.record('warn', 'payload-too-large', { peer, digest, sizeBytes });
        return ok('failed');
      }
      const taken = this.#written(() => this.#take(peer, digest, { sizeBytes, bytes, offset }));
      if (!taken.ok || taken.value !== 'more') return taken;
    }
  }

  /** One piece from a peer; undefined where it gave none that could be one. */
  async #ask(peer: PeerKey, digest: Digest, offset: number) {
    const body = encodePayloadMessage({ v: 1, digest, offset, length: CHUNK_SIZE_BYTES });
    try {
      const answered = await this.#network!.request(
        ...([peer, PROTOCOL, body, this.#limits.chunkTimeoutMs] as const),
      );
      const answer = decodePayloadAnswer(answered);
      if (answer.ok) return answer.value;
      this.#network!.penalise(peer, answer.error.code);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      this.#events.record('info', 'payload-not-given', { peer, digest, code: error.code });
    }
    return undefined;
  }

  #take(
    peer: PeerKey,
    digest: Digest,
    piece: { sizeBytes: number; bytes: Uint8Array; offset: number },
  ): Result<Attempt, PayloadFailure> {
    const { sizeBytes, bytes, offset } = piece;
    if (bytes.length !== Math.min(CHUNK_SIZE_BYTES, Math.max(0, sizeBytes - offset))) {
      return this.#wrong(peer, 'payload-malformed');
    }
    const partial = this.#file.partial(digest);
    // Somebody may have put it in while the piece was on its way.
    if (this.#file.has(digest)) return ok('done');
    if ((partial?.storedBytes ?? 0) !== offset) return ok('more');
    if (partial === undefined) {
      if (!this.#file.begin(digest, { sizeBytes, source: peer }, this.#room())) {
        return this.#full(digest);
      }
    } else if (partial.sizeBytes !== sizeBytes) {
      // One of the two lies. It is known which only where both sizes are this peer's.
      this.#file.remove(digest);
      return partial.source === peer ? this.#wrong(peer, 'payload-size-changed') : ok('more');
    } else if (partial.source !== peer) {
      this.#file.mix(digest, SEVERAL);
    }
    const appended = this.#file.append(digest, bytes);
    if (appended !== 'wrong') return ok(appended);
    this.#events.record('warn', 'payload-wrong-digest', { peer, digest });
    if (partial !== undefined && partial.source !== peer) return ok('mixed');
    return this.#wrong(peer, 'payload-wrong');
  }

  #wrong(peer: PeerKey, code: string): Result<Attempt, never> {
    this.#network!.penalise(peer, code);
    return ok('failed');
  }

  /** All connected peers, from a different one on each time. */
  #peersInTurn(): PeerKey[] {
    const peers = this.#network?.connected() ?? [];
    const first = peers.length === 0 ? 0 : this.#turn++ % peers.length;
    return [...peers.slice(first), ...peers.slice(0, first)];
  }

  #serve(body: Uint8Array): Uint8Array {
    const request = decodePayloadRequest(body);
    if (!request.ok) throw new PeerError(request.error.code, request.error.message);
    const none = { v: 1, sizeBytes: null, bytes: new Uint8Array(0) } as const;
    if (this.#isClosed) return encodePayloadMessage(none);
    const { digest, offset, length } = request.value;
    const slice = this.#file.slice(digest, offset, length);
    if (slice?.bytes === undefined) {
      if (slice !== undefined) this.#damaged(digest);
      return encodePayloadMessage(none);
    }
    return encodePayloadMessage({ v: 1, sizeBytes: slice.sizeBytes, bytes: slice.bytes });
  }

  #damaged(digest: Digest): void {
    this.#events.record('error', 'payload-damaged', { digest });
    this.#file.remove(digest);
  }

  #room() {
    return { totalBytesMax: this.#limits.totalBytesMax, kept: this.#fetches.keys() };
  }

  #tooLarge(digest: Digest, sizeBytes: number, max: number): Result<never, PayloadFailure> {
    return fail(
      'payload-too-large',
      `payload ${digest} has ${sizeBytes} bytes, at most ${max} are kept; raise the limit`,
    );
  }

  #full(digest: Digest): Result<never, PayloadFailure> {
    return fail(
      'payload-store-full',
      `no room for payload ${digest} under ${this.#limits.totalBytesMax} bytes, the rest is ` +
        'pinned or under way; unpin some, or raise the limit',
    );
  }

  /** A full or failing disk is a failure like another: nothing of the change is in the file. */
  #written<T>(change: () => Result<T, PayloadFailure>): Result<T, PayloadFailure> {
    try {
      return change();
    } catch (error) {
      if (!/^SQLITE_(?:FULL|IOERR)/.test(String((error as { code?: unknown }).code))) throw error;
      const message = `the payload store cannot write (${(error as Error).message}); make room`;
      this.#events.record('error', 'payload-disk-full', { error: message });
      return fail('payload-disk-full', message);
    }
  }
}

const closed: Result<never, PayloadFailure> = fail(
  'payload-store-closed',
  'the payload store was closed meanwhile; ask the next one',
);
