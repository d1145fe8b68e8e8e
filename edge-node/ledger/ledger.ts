import type { Clock } from '#runtime/clock/clock.ts';
import { type Database, openDatabase, openDatabaseReadOnly } from '#runtime/database/database.ts';
import { verifyNatively } from '#runtime/identity/native-verification.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { encodeCanonical } from '#shared/codec/canonical.ts';
import type { Digest } from '#shared/identity/digest.ts';
import { type KeyId, keyIdOf } from '#shared/identity/keys.ts';
import { type Signer, verifyPortably } from '#shared/identity/signature.ts';
import { type Block, decodeBlock, encodeBlock, signBlock } from '#shared/ledger/block.ts';
import {
  type Chain,
  chainAtGenesis,
  type Head,
  nextBlock,
  type RejectedRecord,
} from '#shared/ledger/chain.ts';
import type { Genesis } from '#shared/ledger/genesis.ts';
import { type ModelVersion, type RecordInput, recordsSchema } from '#shared/ledger/record.ts';
import { BlockStore, type StoredChainFailure } from './block-store.ts';
import { ledgerSchema } from './ledger-schema.ts';

export interface LedgerOptions {
  readonly file: string;
  readonly chainId: string;
  readonly signer: Signer;
  readonly clock: Clock;
}

/** Why records were not taken: nothing of them is on the ledger. */
export type AppendFailure = Failure<'no-records' | 'malformed-record'> | RejectedRecord;

/**
 * Opens the ledger of this node, the chain's one validator, and re-checks it from its genesis;
 * begins it where the file is new. Besides those of {@link openDatabase}:
 *
 * Errors (exit 78; the file is left as it is): `not-a-ledger`, `ledger-damaged` (with the height),
 * `ledger-of-another-chain`, `ledger-of-another-key`.
 */
export function openLedger({ file, chainId, signer, clock }: LedgerOptions): Ledger {
  const database = openDatabase(file, ledgerSchema);
  try {
    const store = new BlockStore(database);
    if (store.empty) {
      const timeMs = Math.floor(clock.nowMs());
      begin(store, { v: 1, chainId, timeMs, validators: [signer.publicKey] });
    }
    const verified = store.verify(verifyNatively);
    if (!verified.ok) throw damaged(file, verified.error);
    refuseForeign(file, verified.value, { chainId, signer });
    return new Ledger({ database, store, chain: verified.value, signer, clock });
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/**
 * Re-checks a ledger's file from its genesis with the portable verifier, also beside its writer.
 * It cannot tell a file from an older copy of itself: compare heads for that.
 *
 * Errors: as {@link openDatabaseReadOnly}, `not-a-ledger`; a broken chain is a result.
 */
export function verifyLedgerFile(file: string): Result<Head, StoredChainFailure> {
  const database = openDatabaseReadOnly(file, ledgerSchema);
  try {
    return toHead(new BlockStore(database).verify(verifyPortably));
  } finally {
    database.close();
  }
}

/** The blocks of a ledger's file as they stand, unverified; errors as {@link verifyLedgerFile}. */
export function readLedgerFile(file: string): Block[] {
  const database = openDatabaseReadOnly(file, ledgerSchema);
  try {
    return [...decodedBlocks(database, new BlockStore(database), 1)];
  } finally {
    database.close();
  }
}

/** A hash chain in one SQLite file with one writer; with one validator, tamper-evident only. */
export class Ledger implements Disposable {
  /** The key id under which this node proposes blocks and aggregates. */
  readonly validator: KeyId;
  readonly #database: Database;
  readonly #store: BlockStore;
  readonly #signer: Signer;
  readonly #clock: Clock;
  #chain: Chain;

  constructor(parts: {
    database: Database;
    store: BlockStore;
    chain: Chain;
    signer: Signer;
    clock: Clock;
  }) {
    this.#database = parts.database;
    this.#store = parts.store;
    this.#chain = parts.chain;
    this.#signer = parts.signer;
    this.#clock = parts.clock;
    this.validator = keyIdOf(parts.signer.publicKey);
  }

  get head(): Head {
    return this.#chain.head;
  }

  /**
   * Puts records on the ledger in one block, all or none; the block is on the disk when this
   * returns. Throws where the disk fails, and the ledger stays as it was.
   */
  append(records: readonly RecordInput[]): Result<Block, AppendFailure> {
    if (records.length === 0) return fail('no-records', 'a block needs at least one record');
    const parsed = recordsSchema.safeParse(records);
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0]!;
      return fail('malformed-record', `records at ${path.join('.') || 'the list'}: ${message}`);
    }
    const timeMs = Math.floor(this.#clock.nowMs());
    const next = nextBlock(this.#chain, parsed.data, { timeMs, proposer: this.validator });
    if (!next.ok) return next;
    const block = signBlock(next.value.header, parsed.data, this.#signer);
    this.#store.append(encodeBlock(block), next.value.chain.head);
    this.#chain = next.value.chain;
    return ok(block);
  }

  /** The blocks from a height on, read as they are asked for. */
  blocks(fromHeight: number): Generator<Block> {
    return decodedBlocks(this.#database, this.#store, Math.max(1, fromHeight));
  }

  /** The newest version of a learning task's model, if the ledger has the task and one. */
  latestModelVersion(task: string): ModelVersion | undefined {
    return this.#chain.state.tasks.get(task as Digest)?.latest;
  }

  /** Re-reads and re-checks the file from its genesis. */
  verify(): Result<Head, StoredChainFailure> {
    return toHead(this.#store.verify(verifyNatively));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

function* decodedBlocks(
  database: Database,
  store: BlockStore,
  fromHeight: number,
): Generator<Block> {
  let height = fromHeight;
  for (const bytes of store.blocks(fromHeight)) {
    const block = decodeBlock(bytes);
    if (!block.ok) throw damaged(database.name, { ...block.error, height });
    yield block.value;
    height++;
  }
}

function begin(store: BlockStore, genesis: Genesis): void {
  store.begin(encodeCanonical(genesis), chainAtGenesis(genesis).head);
}

function damaged(file: string, { code, message, height }: StoredChainFailure): Error {
  return configurationError(
    'ledger-damaged',
    `${file}: this ledger is damaged at height ${height} (${code}: ${message}); it is left as it ` +
      'is: restore a copy, or move it away to begin a new chain',
  );
}

function refuseForeign(
  file: string,
  chain: Chain,
  { chainId, signer }: { chainId: string; signer: Signer },
): void {
  if (chain.chainId !== chainId) {
    throw configurationError(
      'ledger-of-another-chain',
      `${file}: this ledger is of chain "${chain.chainId}", the configuration says "${chainId}"; ` +
        'correct the chain id, or use another data folder',
    );
  }
  if (!chain.state.validators.has(keyIdOf(signer.publicKey))) {
    throw configurationError(
      'ledger-of-another-key',
      `${file}: this node's key is no validator of this ledger; restore the key it was begun ` +
        'with, or use another data folder',
    );
  }
}

function toHead(verified: Result<Chain, StoredChainFailure>): Result<Head, StoredChainFailure> {
  return verified.ok ? ok(verified.value.head) : verified;
}
