import { type Database, openDatabaseReadOnly } from '#runtime/database/database.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { assert } from '#shared/basics/assert.ts';
import { bytesEqual } from '#shared/basics/bytes.ts';
import { err, type Result } from '#shared/basics/result.ts';
import { decodeCanonical, encodeCanonical, type Plain } from '#shared/codec/canonical.ts';
import { type VerifyAccount, verifyAccountPortably } from '#shared/identity/account-key.ts';
import { digestOf } from '#shared/identity/digest.ts';
import { type Block, decodeBlock } from '#shared/ledger/block.ts';
import type { ChainState } from '#shared/ledger/chain-state.ts';
import type { Outcome } from '#shared/ledger/contract/rule.ts';
import type { StateView } from '#shared/ledger/contract/state.ts';
import { decodeGenesis } from '#shared/ledger/genesis.ts';
import { encodeLogEntry } from '#shared/ledger/log-entry.ts';
import {
  type ChainFailure,
  type DecidedBlock,
  type VerifiedChain,
  verifyChain,
} from '#shared/ledger/verify-chain.ts';
import { ledgerRefusals } from './ledger-refusals.ts';
import { prepareLedgerStatements } from './ledger-statements.ts';
import type { TransactionPlace } from './ledger-store.ts';
import { ledgerStoreSchema } from './ledger-store-schema.ts';
import { logDifference, type StoredLog } from './log-difference.ts';
import { decodeChain, encodeChain } from './stored-chain.ts';

/** A block as a node's file has it, with what became of each of its transactions. */
export interface RecordedBlock {
  readonly block: Block;
  readonly outcomes: readonly Outcome[];
}

interface ChainRow {
  readonly genesis: Uint8Array;
  readonly state: Uint8Array;
}

/**
 * A node's ledger, read from its file beside the node that writes it. Besides those of
 * {@link openDatabaseReadOnly}:
 *
 * Errors (exit 78; the file is left as it is): `ledger-old-format`, `not-a-ledger`.
 */
export class LedgerFile implements Disposable {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepareLedgerStatements>;

  constructor(file: string) {
    this.#database = openDatabaseReadOnly(file, ledgerStoreSchema);
    try {
      this.#statements = prepareLedgerStatements(this.#database);
    } catch (cause) {
      this.#database.close();
      throw cause;
    }
  }

  /** The blocks from a height on, unverified. Throws where the file does not hold them whole. */
  *blocks(fromHeight = 1): Generator<RecordedBlock> {
    for (const { block } of this.#decided(fromHeight)) {
      const decoded = decodeBlock(block);
      if (!decoded.ok) throw this.#damaged(decoded.error.message);
      const outcomes = decoded.value.transactions.map(({ digest }) => {
        const place = this.#statements.transaction.get(digest) as { outcome: Outcome } | undefined;
        if (place === undefined) throw this.#damaged(`its index has no transaction ${digest}`);
        return place.outcome;
      });
      yield { block: decoded.value, outcomes };
    }
  }

  /**
   * Executes the chain again from its genesis, in one snapshot of the file, and compares all that
   * the file derives from it. Another implementation of the signatures than the node's, unless
   * given. It cannot tell a file from an older copy of itself: compare heads for that.
   */
  verify(
    verifySignature: VerifyAccount = verifyAccountPortably,
  ): Result<VerifiedChain, ChainFailure> {
    try {
      return this.#database.transaction(() => this.#verify(verifySignature))();
    } catch (cause) {
      if (cause instanceof ProgramError) return differs(cause.code, 0, cause.message);
      if (!isDamage(cause)) throw cause;
      return differs('unreadable', 0, `SQLite cannot read the file: ${cause.message}`);
    }
  }

  /** The chain as far as the file has it. Error (exit 78): `ledger-damaged`. */
  get chain(): ChainState {
    try {
      const row = this.#row();
      assert(row !== undefined, 'it has no genesis');
      const genesis = decodeGenesis(row.genesis);
      assert(genesis.ok, 'its genesis is malformed');
      return decodeChain(row.state, genesis.value, digestOf(row.genesis));
    } catch (cause) {
      throw this.#damaged((cause as Error).message, cause);
    }
  }

  /** As the newest block left it. */
  get state(): StateView {
    return { get: (key) => this.#stateValue(key) };
  }

  decided(height: number): DecidedBlock | undefined {
    return this.#statements.block.get(height) as DecidedBlock | undefined;
  }

  /** Where a transaction is recorded, and what became of it. */
  transaction(digest: string): TransactionPlace | undefined {
    return this.#statements.transaction.get(digest) as TransactionPlace | undefined;
  }

  /** An entry of the transparency log, made of its block again. */
  logEntry(logIndex: number): Uint8Array | undefined {
    const place = this.#statements.transactionAt.get(logIndex) as TransactionPlace | undefined;
    if (place === undefined) return undefined;
    const { height, index, outcome } = place;
    const [recorded] = this.blocks(height);
    const transaction = recorded?.block.transactions[index]?.bytes;
    return transaction && encodeLogEntry({ v: 1, height, index, outcome, transaction });
  }

  logNode(level: number, index: number): Uint8Array | undefined {
    return this.#statements.logNode.get(level, index) as Uint8Array | undefined;
  }

  /** The newest head of the log that the node knows a quorum to have cosigned. */
  newestCheckpoint(): { size: number; height: number; note: string } | undefined {
    return this.#statements.checkpoint.get() as ReturnType<LedgerFile['newestCheckpoint']>;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #stateValue(key: string): Plain | undefined {
    const bytes = this.#statements.stateValue.get(key) as Uint8Array | undefined;
    if (bytes === undefined) return undefined;
    const decoded = decodeCanonical(bytes);
    if (decoded.ok) return decoded.value;
    throw this.#damaged(`its state at "${key}"`, decoded.error);
  }

  #row(): ChainRow | undefined {
    return this.#statements.chain.get() as ChainRow | undefined;
  }

  #verify(verifySignature: VerifyAccount): Result<VerifiedChain, ChainFailure> {
    const row = this.#row();
    if (row === undefined) return differs('genesis-missing', 0, 'the file has no genesis');
    const { genesis } = row;
    const verified = verifyChain({ genesis, blocks: this.#decided(1) }, verifySignature);
    if (!verified.ok) return verified;
    const failure = this.#differenceFrom(verified.value, row);
    return failure === undefined ? verified : err(failure);
  }

  /** What the file says otherwise than its own blocks. */
  #differenceFrom({ chain, state, transactions }: VerifiedChain, row: ChainRow) {
    const { height } = chain.head;
    const failure = (code: string, message: string) => ({ code, message, height });
    if (!bytesEqual(encodeChain(chain), row.state)) {
      return failure('head-differs', 'the blocks do not come to what the file says of its head');
    }
    const { count } = this.#statements.blockRange.get() as { count: number };
    if (count !== height || this.#bodiesUpTo(height) !== height) {
      return failure('stray-blocks', `there are blocks beside heights 1 to ${height}`);
    }
    const values = this.#count('state');
    if (values !== state.size) {
      return failure('state-differs', `the state has ${values} values rather than ${state.size}`);
    }
    for (const [key, value] of state) {
      const stored = this.#statements.stateValue.get(key) as Uint8Array | undefined;
      if (stored === undefined || !bytesEqual(stored, encodeCanonical(value))) {
        return failure('state-differs', `the state has something else at "${key}"`);
      }
    }
    const indexed = this.#count('transactions');
    if (indexed !== transactions) {
      return failure('index-differs', `the index has ${indexed} transactions, not ${transactions}`);
    }
    const difference = logDifference(this.#storedLog(), chain);
    return difference && failure(difference.code, difference.message);
  }

  #storedLog(): StoredLog {
    return {
      nodes: this.#count('log_nodes'),
      logNode: (level, index) => this.logNode(level, index),
      blocks: () => this.blocks(),
      transaction: (digest) => this.transaction(digest),
      newestCheckpoint: () => this.newestCheckpoint(),
    };
  }

  #damaged(what: string, cause?: unknown): Error {
    return ledgerRefusals(this.#database.name).damaged(what, cause);
  }

  /** Beyond the head there may be one that was proposed. */
  #bodiesUpTo(height: number): number {
    const sql = 'SELECT count(*) FROM bodies WHERE height <= ?';
    return this.#database.prepare(sql).pluck().get(height) as number;
  }

  #count(table: 'state' | 'transactions' | 'log_nodes'): number {
    return this.#database.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
  }

  *#decided(fromHeight: number): Generator<DecidedBlock> {
    for (let height = Math.max(1, fromHeight); ; height++) {
      const stored = this.#statements.block.get(height) as DecidedBlock | undefined;
      if (stored === undefined) return;
      yield stored;
    }
  }
}

function differs(code: string, height: number, message: string): Result<never, ChainFailure> {
  return err({ code, message, height });
}

function isDamage(cause: unknown): cause is Error {
  return (
    cause instanceof Error &&
    'code' in cause &&
    /^SQLITE_(?:CORRUPT|NOTADB)/.test(String(cause.code))
  );
}
