import { z } from 'zod';
import {
  PeerBreach,
  PeerError,
  type PeerKey,
  type PeerNetwork,
} from '#runtime/peers/peer-network.ts';
import { bytesToHex, hexToBytes } from '#shared/basics/bytes.ts';
import { type Failure, fail, type Result } from '#shared/basics/result.ts';
import { decodeCanonical, encodeCanonical } from '#shared/codec/canonical.ts';
import { digestSchema } from '#shared/identity/digest.ts';
import { BLOCK_TRANSACTIONS_MAX } from '#shared/ledger/block.ts';
import { decodePendingPage, encodePendingMessage } from '../transactions/mempool-message.ts';
import type { ProposedBlocks } from './proposed-blocks.ts';

const BLOCK_PROTOCOL = 'proposed-block';
const PARTS_PROTOCOL = 'proposed-transactions';
/** Blocks asked for at the same time. */
const FETCHES_MAX = 8;

const partsSchema = z.strictObject({
  v: z.literal(1),
  block: digestSchema,
  /** Places in the block, from 0. */
  places: z
    .array(
      z
        .int()
        .min(0)
        .max(BLOCK_TRANSACTIONS_MAX - 1),
    )
    .max(BLOCK_TRANSACTIONS_MAX),
});

/** What a proposal wants for: the whole block, or its transactions in these places. */
export interface Wanted {
  readonly hash: string;
  readonly places: readonly number[] | undefined;
}

/** Puts an answer to its use, where it still has one; tells what is wrong with it. */
type Take = (answer: Uint8Array) => Result<undefined, Failure>;

/** Gets what a proposal names and this node lacks from who sent it, and gives others the same. */
export class BlockFetcher {
  readonly #network: PeerNetwork;
  readonly #blocks: ProposedBlocks;
  readonly #fetching = new Set<string>();

  /** Answers peers from now on. */
  constructor(network: PeerNetwork, blocks: ProposedBlocks) {
    this.#network = network;
    this.#blocks = blocks;
    network.answer(BLOCK_PROTOCOL, async (_from, body) => this.#serveBlock(body));
    network.answer(PARTS_PROTOCOL, async (_from, body) => this.#serveParts(body));
  }

  get isFull(): boolean {
    return this.#fetching.size >= FETCHES_MAX;
  }

  isFetching(hash: string): boolean {
    return this.#fetching.has(hash);
  }

  /** Asks the peer; gives what puts its answer to use. @throws {PeerError} */
  async fetch(from: PeerKey, { hash, places }: Wanted): Promise<() => ReturnType<Take>> {
    this.#fetching.add(hash);
    try {
      const [protocol, body, take]: [string, Uint8Array, Take] =
        places === undefined
          ? [BLOCK_PROTOCOL, hexToBytes(hash)!, (bytes) => this.#blocks.take(hash, bytes)]
          : [
              PARTS_PROTOCOL,
              encodeCanonical({ v: 1, block: hash, places }),
              (bytes) => this.#takeParts(hash, bytes),
            ];
      const answer = await this.#network.request(from, protocol, body);
      return () => take(answer);
    } finally {
      this.#fetching.delete(hash);
    }
  }

  #takeParts(hash: string, bytes: Uint8Array): Result<undefined, Failure> {
    const page = decodePendingPage(bytes);
    return page.ok ? this.#blocks.fill(hash, page.value.transactions) : page;
  }

  #serveBlock(body: Uint8Array): Uint8Array {
    if (body.length !== 32) throw new PeerBreach('proposed-block-malformed', 'it is no hash');
    const bytes = this.#blocks.bytes(bytesToHex(body));
    if (bytes === undefined) throw new PeerError('block-unknown', 'not proposed at this height');
    return bytes;
  }

  #serveParts(body: Uint8Array): Uint8Array {
    const request = decodePartsRequest(body);
    if (!request.ok) throw new PeerBreach(request.error.code, request.error.message);
    const { block: hash, places } = request.value;
    const block = this.#blocks.block(hash);
    if (block === undefined) throw new PeerError('block-unknown', 'not proposed at this height');
    const transactions = [...new Set(places)].map((place) => block.transactions[place]?.bytes);
    if (transactions.every((bytes) => bytes !== undefined)) {
      return encodePendingMessage({ v: 1, transactions, after: null });
    }
    throw new PeerBreach('proposed-transactions-malformed', 'the block is not as long');
  }
}

function decodePartsRequest(
  bytes: Uint8Array,
): Result<z.infer<typeof partsSchema>, Failure<'proposed-transactions-malformed'>> {
  const code = 'proposed-transactions-malformed';
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return fail(code, decoded.error.message);
  const parsed = partsSchema.safeParse(decoded.value);
  if (parsed.success) return { ok: true, value: parsed.data };
  return fail(code, parsed.error.issues[0]!.message);
}
