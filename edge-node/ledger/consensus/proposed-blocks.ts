import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import type { VerifyAccount } from '#shared/identity/account-key.ts';
import type { Digest } from '#shared/identity/digest.ts';
import {
  type Block,
  type BlockMalformed,
  blockHash,
  decodeBlock,
  encodeBlock,
} from '#shared/ledger/block.ts';
import {
  type BlockFailure,
  type DroppedTransaction,
  executeBlock,
  type StagedBlock,
  stageBlock,
} from '#shared/ledger/execute-block.ts';
import type { EncodedTransaction } from '#shared/ledger/transaction.ts';
import type { LedgerStore } from '../store/ledger-store.ts';

/** Blocks of one height that are kept in memory with what follows from them. */
const BLOCKS_MAX = 8;

/** What waits to be put into a block. */
export interface TransactionSource {
  /** How many could go into the next block. */
  readonly size: number;
  /** In the order in which they are to be tried. */
  candidates(): Iterable<EncodedTransaction>;
  /** One that was decoded before. */
  known(digest: Digest): EncodedTransaction | undefined;
  /** Whether its signature was checked on admission. */
  isVerified(digest: Digest): boolean;
  /** These fit in no block any more. */
  drop(dropped: readonly DroppedTransaction[]): void;
}

type BlockOfAnotherHash = Failure<'block-of-another-hash'>;

interface Proposed {
  readonly block: Block;
  readonly bytes: Uint8Array;
  verdict: Result<StagedBlock, BlockFailure> | undefined;
}

/** The blocks proposed at the height under way, executed once each. */
export class ProposedBlocks {
  readonly #store: LedgerStore;
  readonly #source: TransactionSource;
  readonly #verify: VerifyAccount;
  // In the order of their last use.
  readonly #blocks = new Map<string, Proposed>();
  #unsaved = new Map<Digest, Uint8Array>();

  constructor(store: LedgerStore, source: TransactionSource, verify: VerifyAccount) {
    this.#store = store;
    this.#source = source;
    this.#verify = verify;
  }

  /** A block of what waits, on top of the head. */
  make(timeMs: number, proposer: Digest): Digest {
    const { chain, state } = this.#store;
    const transactions = this.#source.candidates();
    const verify = this.#verify;
    const draft = { transactions, timeMs, proposer, verify };
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
  take(hash: string, bytes: Uint8Array): Result<undefined, BlockMalformed | BlockOfAnotherHash> {
    const decoded = decodeBlock(bytes, (digest) => this.#source.known(digest));
    if (!decoded.ok) return decoded;
    const { header } = decoded.value;
    const actual = blockHash(header);
    if (actual !== hash) {
      return fail('block-of-another-hash', `block ${header.height} is ${actual}, not ${hash}`);
    }
    if (!this.has(hash)) this.#keep(actual, { block: decoded.value, bytes, verdict: undefined });
    return ok(undefined);
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

  /** What follows from the block, or why it cannot be decided. */
  judge(hash: string): Result<StagedBlock, BlockFailure> {
    const proposed = this.#find(hash);
    if (proposed === undefined) return fail('wrong-transactions', `block ${hash} is not here`);
    const { chain, state } = this.#store;
    const isVerified = (digest: Digest) => this.#source.isVerified(digest);
    proposed.verdict ??= executeBlock(chain, state, proposed.block, {
      verify: this.#verify,
      isVerified,
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
    this.#unsaved = new Map();
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
      const decoded = bytes && decodeBlock(bytes);
      if (!decoded?.ok) return undefined;
      found = { block: decoded.value, bytes: bytes!, verdict: undefined };
    }
    this.#blocks.delete(hash);
    this.#blocks.set(hash, found);
    this.#bound();
    return found;
  }

  #bound(): void {
    while (this.#blocks.size > BLOCKS_MAX) this.#blocks.delete(this.#blocks.keys().next().value!);
  }
}
