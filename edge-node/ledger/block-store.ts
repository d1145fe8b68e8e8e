import type { Database } from '#runtime/database/database.ts';
import { configurationError } from '#runtime/process/program-error.ts';
import { err, type Failure, type Result } from '#shared/basics/result.ts';
import type { VerifySignature } from '#shared/identity/signature.ts';
import { type Chain, type ChainFailure, type Head, verifyChain } from '#shared/ledger/chain.ts';

/** What is wrong with a chain, or with how its file keeps it. */
export type StoredChainFailure =
  | ChainFailure
  | (Failure<'genesis-missing' | 'head-differs' | 'stray-blocks' | 'unreadable'> & {
      readonly height: number;
    });

/** The rows of a ledger's file; throws `not-a-ledger` (exit 78) where it has not the tables. */
export class BlockStore {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#database = database;
    try {
      this.#statements = prepare(database);
    } catch (cause) {
      throw configurationError(
        'not-a-ledger',
        `${database.name}: cannot read this file as a ledger (${(cause as Error).message}); it ` +
          "is left as it is: check the path, or restore the ledger's own file",
        cause,
      );
    }
  }

  /** Whether nothing has ever been put in. */
  get empty(): boolean {
    return this.#chain() === undefined && this.#blockCount() === 0;
  }

  begin(genesis: Uint8Array, { height, hash }: Head): void {
    this.#statements.begin.run({ genesis, height, hash });
  }

  /** Commits a block and the head it makes, in one transaction. */
  append(block: Uint8Array, { height, hash }: Head): void {
    this.#database.transaction(() => {
      this.#statements.insertBlock.run({ height, block });
      this.#statements.moveHead.run({ height, hash });
    })();
  }

  /** The encoded blocks from a height on, up to the first that is missing. */
  *blocks(fromHeight: number): Generator<Uint8Array> {
    for (let height = fromHeight; ; height++) {
      const block = this.#statements.block.get(height) as Uint8Array | undefined;
      if (block === undefined) return;
      yield block;
    }
  }

  /** Re-checks the file from its genesis, in one snapshot of it. */
  verify(verifySignature: VerifySignature): Result<Chain, StoredChainFailure> {
    try {
      return this.#database.transaction(() => this.#verify(verifySignature))();
    } catch (cause) {
      if (!isDamage(cause)) throw cause;
      return refuse('unreadable', 0, `SQLite cannot read the file: ${cause.message}`);
    }
  }

  #verify(verifySignature: VerifySignature): Result<Chain, StoredChainFailure> {
    const row = this.#chain();
    if (row === undefined) return refuse('genesis-missing', 0, 'the file has no genesis');
    const verified = verifyChain({ genesis: row.genesis, blocks: this.blocks(1) }, verifySignature);
    if (!verified.ok) return verified;
    const { height, hash } = verified.value.head;
    if (row.height !== height || row.hash !== hash) {
      const message = `the blocks end at height ${height}, the file's head is at ${row.height}`;
      return refuse('head-differs', height, message);
    }
    if (this.#blockCount() !== height) {
      return refuse('stray-blocks', height, `there are blocks beside heights 1 to ${height}`);
    }
    return verified;
  }

  #chain(): ChainRow | undefined {
    return this.#statements.chain.get() as ChainRow | undefined;
  }

  #blockCount(): number {
    return this.#statements.blockCount.get() as number;
  }
}

interface ChainRow {
  readonly genesis: Uint8Array;
  readonly height: number;
  readonly hash: string;
}

function prepare(database: Database) {
  return {
    chain: database.prepare('SELECT genesis, height, hash FROM chain'),
    block: database.prepare('SELECT block FROM blocks WHERE height = ?').pluck(),
    blockCount: database.prepare('SELECT count(*) FROM blocks').pluck(),
    begin: database.prepare('INSERT INTO chain VALUES (1, :genesis, :height, :hash)'),
    insertBlock: database.prepare('INSERT INTO blocks VALUES (:height, :block)'),
    moveHead: database.prepare('UPDATE chain SET height = :height, hash = :hash'),
  };
}

function refuse(
  code: StoredChainFailure['code'],
  height: number,
  message: string,
): Result<never, StoredChainFailure> {
  return err({ code, message, height });
}

function isDamage(cause: unknown): cause is Error {
  return (
    cause instanceof Error &&
    'code' in cause &&
    /^SQLITE_(?:CORRUPT|NOTADB)/.test(String(cause.code))
  );
}
