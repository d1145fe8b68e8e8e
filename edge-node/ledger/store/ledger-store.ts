import { randomUUID } from 'node:crypto';
import { type Database, openDatabase } from '#runtime/database/database.ts';
import { assert } from '#shared/basics/assert.ts';
import { bytesEqual } from '#shared/basics/bytes.ts';
import type { Digest } from '#shared/identity/digest.ts';
import { digestOf } from '#shared/identity/digest.ts';
import { blockHash, decodeBlock } from '#shared/ledger/block.ts';
import { type ChainState, chainStateAtGenesis } from '#shared/ledger/chain-state.ts';
import { decodeCommit, encodeCommit } from '#shared/ledger/commit-codec.ts';
import type { Commit } from '#shared/ledger/consensus/certificate.ts';
import type { LastSigned } from '#shared/ledger/consensus/sign-guard.ts';
import type { StateView } from '#shared/ledger/contract/state.ts';
import type { StagedBlock } from '#shared/ledger/execute-block.ts';
import { decodeGenesis } from '#shared/ledger/genesis.ts';
import { rootOf } from '#shared/ledger/log/merkle-log.ts';
import { encodeLogEntry } from '#shared/ledger/log-entry.ts';
import { ledgerRefusals } from './ledger-refusals.ts';
import { prepareLedgerStatements, refuseStranger } from './ledger-statements.ts';
import { ledgerStoreSchema } from './ledger-store-schema.ts';
import { StateCache } from './state-cache.ts';
import { decodeChain, encodeChain } from './stored-chain.ts';

const STATE_CACHE_SIZE_BYTES = 8 * 2 ** 20;
/** Of SQLite's pages; what else is read often is in the cache of the state, or the system's. */
const PAGE_CACHE_SIZE_KIB = 4_096;

/**
 * Pages of 4 KiB that the write-ahead log gathers before they go to their places: a page of the
 * index changes with nearly every block under load, and is so moved once in some 20 blocks.
 */
const WAL_PAGES = 4_000;

/** A decided block as it is kept and served. */
export interface StoredBlock {
  readonly height: number;
  readonly hash: string;
  readonly block: Uint8Array;
  readonly commit: Uint8Array;
}

/** Where a recorded transaction is, and what became of it. */
export interface TransactionPlace {
  readonly height: number;
  /** In its block, from 0. */
  readonly index: number;
  /** In the transparency log, from 0. */
  readonly logIndex: number;
  readonly outcome: string;
}

/** What must be on the disk before anything of a turn is told to others. */
export interface TurnRecord {
  readonly inputs: readonly Uint8Array[];
  readonly blocks: ReadonlyMap<Digest, Uint8Array>;
  readonly signed: LastSigned | undefined;
}

export interface LedgerStoreOptions {
  readonly file: string;
  readonly genesis: Uint8Array;
  /** Key id of this node. */
  readonly validator: Digest;
}

/**
 * Everything a validator must not lose, in one SQLite file with one writer; what a method has
 * returned for is on the disk. Besides those of {@link openDatabase}:
 *
 * Errors (exit 78; the file is left as it is): `ledger-old-format`, `not-a-ledger`,
 * `ledger-of-another-chain`, `ledger-of-another-key`, `ledger-damaged`.
 */
export class LedgerStore implements Disposable {
  readonly genesis: Uint8Array;
  /** The runs that the file knew before this one; none where it is new. */
  readonly runsBefore: readonly string[];
  /** This run of the program. */
  readonly run: string = randomUUID();
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepareLedgerStatements>;
  readonly #state: StateCache;
  #chain: ChainState;
  #checkpointSize: number;

  constructor({ file, genesis, validator }: LedgerStoreOptions) {
    this.genesis = genesis;
    refuseStranger(file);
    this.#database = openDatabase(file, ledgerStoreSchema);
    this.#database.pragma(`wal_autocheckpoint = ${WAL_PAGES}`);
    this.#database.pragma(`cache_size = -${PAGE_CACHE_SIZE_KIB}`);
    try {
      this.#statements = prepareLedgerStatements(this.#database);
      this.#state = this.#createState();
      const opened = this.#database.transaction(() => this.#open(genesis, validator))();
      this.runsBefore = opened.runsBefore;
      this.#chain = opened.chain;
      this.#checkpointSize = this.newestCheckpoint()?.size ?? -1;
    } catch (cause) {
      this.#database.close();
      throw cause;
    }
  }

  get file(): string {
    return this.#database.name;
  }

  get chain(): ChainState {
    return this.#chain;
  }

  get state(): StateView {
    return this.#state;
  }

  get lastSigned(): LastSigned | undefined {
    return this.#statements.signed.get() as LastSigned | undefined;
  }

  /** What has happened to the height under way, as it was put in. */
  inputs(): Uint8Array[] {
    return this.#statements.inputs.all() as Uint8Array[];
  }

  proposedBlock(hash: string): Uint8Array | undefined {
    const height = this.#chain.head.height + 1;
    return this.#statements.body.get(height, hash) as Uint8Array | undefined;
  }

  /** One transaction: what a turn took in, and what it signed. */
  persist({ inputs, blocks, signed }: TurnRecord): void {
    this.#database.transaction(() => {
      const height = this.#chain.head.height + 1;
      for (const [hash, block] of blocks) this.#statements.putBody.run({ height, hash, block });
      for (const input of inputs) this.#statements.putInput.run(input);
      if (signed !== undefined) this.#statements.putSigned.run({ ...signed });
    })();
  }

  /**
   * One transaction: the block, its commit, state, log and index, and the end of its height, whose
   * inputs are of no more use.
   */
  commit(
    { block, chain, writes, logNodes, outcomes }: StagedBlock,
    bytes: { readonly block: Uint8Array; readonly commit: Commit },
    signed?: LastSigned,
  ): void {
    const { height, hash } = chain.head;
    assert(height === this.#chain.head.height + 1, 'a block follows on the head');
    const statements = this.#statements;
    const showWrites = this.#database.transaction(() => {
      const decision = encodeCommit(bytes.commit);
      statements.putBlock.run({ height, hash, decision });
      statements.putBody.run({ height, hash, block: bytes.block });
      statements.clearBodies.run({ height, hash });
      const show = this.#state.write(writes);
      for (const { level, index, hash: of } of logNodes)
        statements.putLogNode.run(level, index, of);
      for (const [place, { digest }] of block.transactions.entries()) {
        const logIndex = this.#chain.log.size + place;
        statements.putTransaction.run({
          digest,
          height,
          place,
          logIndex,
          outcome: outcomes[place],
        });
      }
      statements.putChain.run(encodeChain(chain));
      if (signed !== undefined) statements.putSigned.run({ ...signed });
      statements.clearInputs.run();
      return show;
    })();
    showWrites();
    this.#chain = chain;
  }

  block(height: number): StoredBlock | undefined {
    return this.#statements.block.get(height) as StoredBlock | undefined;
  }

  /** From a height on, read as they are asked for. */
  *blocks(fromHeight: number): Generator<StoredBlock> {
    for (let height = Math.max(1, fromHeight); ; height++) {
      const stored = this.block(height);
      if (stored === undefined) return;
      yield stored;
    }
  }

  transaction(digest: string): TransactionPlace | undefined {
    return this.#statements.transaction.get(digest) as TransactionPlace | undefined;
  }

  /** The entry of the transparency log, rebuilt from its block. */
  logEntry(logIndex: number): Uint8Array | undefined {
    const place = this.#statements.transactionAt.get(logIndex) as TransactionPlace | undefined;
    if (place === undefined) return undefined;
    const { height, index, outcome } = place;
    const decoded = decodeBlock(this.block(height)!.block);
    assert(decoded.ok, `the stored block ${height} is one`);
    const transaction = decoded.value.transactions[index]!.bytes;
    return encodeLogEntry({ v: 1, height, index, outcome, transaction });
  }

  logNode(level: number, index: number): Uint8Array | undefined {
    return this.#statements.logNode.get(level, index) as Uint8Array | undefined;
  }

  /**
   * Keeps the newest checkpoint that has a quorum; an older one changes nothing. It is on the disk
   * with the next block only: one that is lost is gathered again, and is not worth a sync.
   */
  putCheckpoint(checkpoint: { size: number; height: number; note: string }): void {
    if (checkpoint.size < this.#checkpointSize) return;
    this.#database.pragma('synchronous = NORMAL');
    try {
      this.#database.transaction(() => {
        this.#statements.clearCheckpoints.run();
        this.#statements.putCheckpoint.run(checkpoint);
      })();
    } finally {
      this.#database.pragma('synchronous = FULL');
    }
    this.#checkpointSize = checkpoint.size;
  }

  newestCheckpoint(): { size: number; height: number; note: string } | undefined {
    return this.#statements.checkpoint.get() as ReturnType<LedgerStore['newestCheckpoint']>;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #createState(): StateCache {
    const { stateValue, putState, deleteState } = this.#statements;
    const rows = {
      get: (key: string) => stateValue.get(key) as Uint8Array | undefined,
      put: (key: string, value: Uint8Array) => void putState.run(key, value),
      delete: (key: string) => void deleteState.run(key),
    };
    return new StateCache(rows, STATE_CACHE_SIZE_BYTES);
  }

  /** Begins a new file from the genesis, or checks the one that is there; notes this run. */
  #open(bytes: Uint8Array, validator: Digest): { chain: ChainState; runsBefore: string[] } {
    const refuse = ledgerRefusals(this.#database.name);
    const decoded = decodeGenesis(bytes);
    if (!decoded.ok) throw refuse.genesisMalformed(decoded.error.message);
    const row = this.#statements.chain.get() as ChainRow | undefined;
    if (row === undefined) {
      const { chain, writes } = chainStateAtGenesis(decoded.value);
      this.#state.write(writes);
      const state = encodeChain(chain);
      this.#statements.begin.run({ genesis: bytes, validator, run: this.run, state });
      return { chain, runsBefore: [] };
    }
    if (!bytesEqual(row.genesis, bytes)) throw refuse.anotherChain(row.genesis, bytes);
    if (row.validator !== validator) throw refuse.anotherKey();
    let chain: ChainState;
    try {
      chain = decodeChain(row.state, decoded.value, digestOf(bytes));
      this.#checkHead(chain);
    } catch (cause) {
      throw refuse.damaged((cause as Error).message, cause);
    }
    this.#statements.beginRun.run(this.run);
    return { chain, runsBefore: row.runBefore === null ? [row.run] : [row.run, row.runBefore] };
  }

  /** Whether the newest block is the one the chain's state says, and follows from its parts. */
  #checkHead({ head, log, stateDigest }: ChainState): void {
    const { count, newest } = this.#statements.blockRange.get() as BlockRange;
    assert(count === head.height && (newest ?? 0) === head.height, 'a block is missing or astray');
    const signedAt = this.lastSigned?.height ?? 0;
    assert(signedAt <= head.height + 1, `this node signed at height ${signedAt}`);
    if (head.height === 0) return;
    const stored = this.block(head.height)!;
    const block = decodeBlock(stored.block);
    const commit = decodeCommit(stored.commit);
    assert(block.ok && commit.ok, 'the newest block or its commit cannot be read');
    const { header } = block.value;
    assert(blockHash(header) === head.hash, 'the newest block has another hash');
    assert(commit.value.value === head.hash, 'the newest commit is for another block');
    assert(header.state === stateDigest, 'the newest block certifies another state');
    assert(header.logSize === log.size, 'the newest block certifies another log');
    assert(header.logRoot === hexOf(rootOf(log)), 'the newest block certifies another log');
  }
}

interface ChainRow {
  readonly genesis: Uint8Array;
  readonly validator: string;
  readonly run: string;
  readonly runBefore: string | null;
  readonly state: Uint8Array;
}

interface BlockRange {
  readonly count: number;
  readonly newest: number | null;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
