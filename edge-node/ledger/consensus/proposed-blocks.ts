import type { Clock } from '#runtime/clock/clock.ts';
import { sha256Natively } from '#runtime/identity/native-hash.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { VerifyAccount } from '#shared/identity/account-key.ts';
import { type Digest, digestOf } from '#shared/identity/digest.ts';
import {
  BLOCK_SIZE_BYTES_MAX,
  type Block,
  type BlockDecoding,
  type BlockMalformed,
  blockHash,
  type CompactBlock,
  decodeBlock,
  decodeCompactBlock,
  encodeBlock,
  encodeCompactBlock,
  transactionsDigest,
} from '#shared/ledger/block.ts';
import {
  type BlockFailure,
  type DroppedTransaction,
  executeBlock,
  type StagedBlock,
  stageBlock,
} from '#shared/ledger/execute-block.ts';
import { decodeTransaction, type EncodedTransaction } from '#shared/ledger/transaction.ts';
import type { LedgerStore } from '../store/ledger-store.ts';

/** Blocks of one height that are kept in memory with what follows from them. */
const BLOCKS_MAX = 8;

/**
 * A block is full once filling it has taken so long: the others need as long to execute it, or a
 * few times that where its transactions are new to them, and have a proposal's timeout for it.
 */
const FILLING_MS_MAX = 60;

/** A block that is no larger goes out whole: nobody is to ask for a part of it. */
const WHOLE_SIZE_BYTES_MAX = 16_384;

/** What waits to be put into a block. */
export interface TransactionSource {
  /** How many could go into the next block. */
  readonly size: number;
  /** In the order in which they are to be tried. */
  candidates(): Iterable<EncodedTransaction>;
  /** One that was decoded before. */
  known(digest: Digest): EncodedTransaction | undefined;
  /** Whether the other validators have had time to get it. */
  isSpread(digest: Digest): boolean;
  /** Whether its signature was checked on admission. */
  isVerified(digest: Digest): boolean;
  /** These fit in no block any more. */
  drop(dropped: readonly DroppedTransaction[]): void;
}

type BlockRefused = BlockMalformed | Failure<'block-of-another-hash'>;

interface Proposed {
  readonly block: Block;
  readonly bytes: Uint8Array;
  verdict: Result<StagedBlock, BlockFailure> | undefined;
}

export interface ProposedBlocksOptions {
  readonly store: LedgerStore;
  readonly source: TransactionSource;
  readonly verify: VerifyAccount;
  readonly clock: Clock;
}

/** The blocks proposed at the height under way, executed once each. */
export class ProposedBlocks {
  readonly #store: LedgerStore;
  readonly #source: TransactionSource;
  readonly #verify: VerifyAccount;
  readonly #clock: Clock;
  // In the order of their last use.
  readonly #blocks = new Map<string, Proposed>();
  /** Blocks of which transactions are missing. */
  readonly #partial = new Map<string, CompactBlock>();
  #unsaved = new Map<Digest, Uint8Array>();

  constructor({ store, source, verify, clock }: ProposedBlocksOptions) {
    this.#store = store;
    this.#source = source;
    this.#verify = verify;
    this.#clock = clock;
  }

  /** A block of what waits, on top of the head. */
  make(timeMs: number, proposer: Digest): Digest {
    const { chain, state } = this.#store;
    const transactions = this.#candidates();
    const verify = this.#verify;
    const draft = { transactions, timeMs, proposer, verify, sha256: sha256Natively };
    const { staged, dropped } = stageBlock(chain, state, draft);
    this.#source.drop(dropped);
    this.#keep(staged.hash, {
      block: staged.block,
      bytes: encodeBlock(staged.block),
      verdict: ok(staged),
    });
    return staged.hash;
  }

  /** Takes the block of that hash from a peer. */
  take(hash: string, bytes: Uint8Array): Result<undefined, BlockRefused> {
    const decoded = decodeBlock(bytes, this.#decoding());
    if (!decoded.ok) return decoded;
    const other = checkParts(decoded.value, hash);
    if (other !== undefined) return other;
    this.#keepNew(hash as Digest, { block: decoded.value, bytes });
    return ok(undefined);
  }

  /**
   * Takes the block of that hash as {@link ProposedBlocks.compact} of a peer gave it. The value has
   * the places of the transactions that are not here and have to be {@link ProposedBlocks.fill}ed
   * in; empty where the block is complete.
   */
  takeCompact(hash: string, bytes: Uint8Array): Result<readonly number[], BlockRefused> {
    const decoded = decodeCompactBlock(bytes, this.#decoding());
    if (!decoded.ok) return decoded;
    const { transactions } = decoded.value;
    const other = checkParts(decoded.value, hash);
    if (other !== undefined) return other;
    const missing = transactions.flatMap(({ bytes: known }, index) => (known ? [] : [index]));
    if (missing.length === 0) return this.#complete(hash, decoded.value);
    this.#partial.set(hash, decoded.value);
    while (this.#partial.size > BLOCKS_MAX) this.#partial.delete(firstOf(this.#partial));
    return ok(missing);
  }

  /** Completes a block with transactions, in the order of the places that were missing. */
  fill(hash: string, found: readonly Uint8Array[]): Result<undefined, BlockRefused> {
    const partial = this.#partial.get(hash);
    if (partial === undefined) return fail('block-malformed', `block ${hash} was not begun`);
    this.#partial.delete(hash);
    const transactions: EncodedTransaction[] = [];
    let next = 0;
    for (const part of partial.transactions) {
      if (part.bytes !== undefined) {
        transactions.push(part);
        continue;
      }
      const decoded = this.#named(part.digest, found[next++]);
      if (!decoded.ok) return fail('block-malformed', decoded.error.message);
      transactions.push(decoded.value);
    }
    const completed = this.#complete(hash, { ...partial, transactions });
    return completed.ok ? ok(undefined) : completed;
  }

  has(hash: string): boolean {
    return this.#find(hash) !== undefined;
  }

  block(hash: string): Block | undefined {
    return this.#find(hash)?.block;
  }

  bytes(hash: string): Uint8Array | undefined {
    return this.#find(hash)?.bytes;
  }

  /** The block with what the other validators are likely to have named only. */
  compact(hash: string): Uint8Array | undefined {
    const found = this.#find(hash);
    if (found === undefined || found.bytes.length <= WHOLE_SIZE_BYTES_MAX) return found?.bytes;
    return encodeCompactBlock(found.block, (digest) => this.#source.isSpread(digest));
  }

  /** What follows from the block, or why it cannot be decided. */
  judge(hash: string): Result<StagedBlock, BlockFailure> {
    const proposed = this.#find(hash);
    if (proposed === undefined) return fail('wrong-transactions', `block ${hash} is not here`);
    const { chain, state } = this.#store;
    const isVerified = (digest: Digest) => this.#source.isVerified(digest);
    proposed.verdict ??= executeBlock(chain, state, proposed.block, {
      verify: this.#verify,
      isVerified,
      sha256: sha256Natively,
    });
    return proposed.verdict;
  }

  /** The blocks that are not on the disk yet. */
  get unsaved(): ReadonlyMap<Digest, Uint8Array> {
    return this.#unsaved;
  }

  saved(): void {
    this.#unsaved = new Map();
  }

  /** The height is decided. */
  clear(): void {
    this.#blocks.clear();
    this.#partial.clear();
    this.#unsaved = new Map();
  }

  #decoding(): BlockDecoding {
    return { known: (digest) => this.#source.known(digest), sha256: sha256Natively };
  }

  /** What a peer gave for a name. */
  #named(digest: Digest, bytes: Uint8Array | undefined): Result<EncodedTransaction, Failure> {
    const known = this.#source.known(digest);
    if (known !== undefined) return ok(known);
    if (bytes === undefined || digestOf(bytes, sha256Natively) !== digest) {
      return fail('another-transaction', `another transaction was given than ${digest}`);
    }
    return decodeTransaction(bytes.slice(), digest);
  }

  /** Keeps a block of which nothing is missing. */
  #complete(hash: string, { header, transactions }: CompactBlock): Result<[], BlockRefused> {
    const block = { header, transactions: transactions.filter(isHere) };
    const bytes = encodeBlock(block);
    // Names are shorter than what they stand for.
    if (bytes.length > BLOCK_SIZE_BYTES_MAX) {
      const message = `the block takes ${bytes.length} bytes, of ${BLOCK_SIZE_BYTES_MAX} allowed`;
      return fail('block-malformed', message);
    }
    this.#keepNew(hash as Digest, { block, bytes });
    return ok([]);
  }

  #keepNew(hash: Digest, block: Omit<Proposed, 'verdict'>): void {
    this.#partial.delete(hash);
    if (!this.has(hash)) this.#keep(hash, { ...block, verdict: undefined });
  }

  /** What there is time for. */
  *#candidates(): Generator<EncodedTransaction> {
    const endMs = this.#clock.monotonicMs() + FILLING_MS_MAX;
    for (const transaction of this.#source.candidates()) {
      yield transaction;
      if (this.#clock.monotonicMs() >= endMs) return;
    }
  }

  #keep(hash: Digest, proposed: Proposed): void {
    this.#blocks.set(hash, proposed);
    this.#unsaved.set(hash, proposed.bytes);
    this.#bound();
  }

  #find(hash: string): Proposed | undefined {
    let found = this.#blocks.get(hash);
    if (found === undefined) {
      const bytes = this.#unsaved.get(hash as Digest) ?? this.#store.proposedBlock(hash);
      const decoded = bytes && decodeBlock(bytes, this.#decoding());
      if (!decoded?.ok) return undefined;
      found = { block: decoded.value, bytes: bytes!, verdict: undefined };
    }
    this.#blocks.delete(hash);
    this.#blocks.set(hash, found);
    this.#bound();
    return found;
  }

  #bound(): void {
    while (this.#blocks.size > BLOCKS_MAX) this.#blocks.delete(firstOf(this.#blocks));
  }
}

/** The hash stands for the header, and that for the transactions: a liar may mix two blocks. */
function checkParts(
  { header, transactions }: CompactBlock,
  hash: string,
): Result<never, BlockRefused> | undefined {
  const actual = blockHash(header);
  if (actual !== hash) {
    return fail('block-of-another-hash', `block ${header.height} is ${actual}, not ${hash}`);
  }
  if (header.transactions === transactionsDigest(transactions, sha256Natively)) return undefined;
  const message = `block ${header.height} holds other transactions than its header names`;
  return fail('block-malformed', message);
}

function isHere(part: CompactBlock['transactions'][number]): part is EncodedTransaction {
  return part.bytes !== undefined;
}

function firstOf<Key>(map: ReadonlyMap<Key, unknown>): Key {
  return map.keys().next().value!;
}
