import { existsSync, statSync } from 'node:fs';
import { type Database, openDatabaseReadOnly } from '#runtime/database/database.ts';
import { ledgerRefusals } from './ledger-refusals.ts';
import { ledgerStoreSchema } from './ledger-store-schema.ts';

/** Throws where the file has something else in it, which is not to be brought to a new format. */
export function refuseStranger(file: string): void {
  if (!existsSync(file) || statSync(file).size === 0) return;
  const database = openDatabaseReadOnly(file, ledgerStoreSchema);
  try {
    database.prepare('SELECT genesis, validator, run FROM chain');
  } catch (cause) {
    throw refusalOf(database, cause);
  } finally {
    database.close();
  }
}

/** Every statement of the ledger's file; throws where it has not the tables. */
export function prepareLedgerStatements(database: Database) {
  const prepare = (sql: string) => database.prepare(sql);
  const place = 'height, place AS "index", log_index AS logIndex, outcome';
  try {
    return {
      chain: prepare('SELECT genesis, validator, run, run_before AS runBefore, state FROM chain'),
      begin: prepare('INSERT INTO chain VALUES (1, :genesis, :validator, :run, NULL, :state)'),
      beginRun: prepare('UPDATE chain SET run_before = run, run = ?'),
      putChain: prepare('UPDATE chain SET state = ?'),
      block: prepare(
        'SELECT height, hash, block, decision AS "commit" ' +
          'FROM blocks JOIN bodies USING (height, hash) WHERE height = ?',
      ),
      blockRange: prepare('SELECT count(*) AS count, max(height) AS newest FROM blocks'),
      putBlock: prepare('INSERT INTO blocks VALUES (:height, :hash, :decision)'),
      stateValue: prepare('SELECT value FROM state WHERE key = ?').pluck(),
      putState: prepare('INSERT OR REPLACE INTO state VALUES (?, ?)'),
      deleteState: prepare('DELETE FROM state WHERE key = ?'),
      transaction: prepare(`SELECT ${place} FROM transactions WHERE digest = ?`),
      transactionAt: prepare(`SELECT ${place} FROM transactions WHERE log_index = ?`),
      putTransaction: prepare(
        'INSERT INTO transactions VALUES (:digest, :height, :place, :logIndex, :outcome)',
      ),
      logNode: prepare('SELECT hash FROM log_nodes WHERE level = ? AND node = ?').pluck(),
      putLogNode: prepare('INSERT INTO log_nodes VALUES (?, ?, ?)'),
      inputs: prepare('SELECT input FROM inputs ORDER BY sequence').pluck(),
      putInput: prepare('INSERT INTO inputs (input) VALUES (?)'),
      clearInputs: prepare('DELETE FROM inputs'),
      body: prepare('SELECT block FROM bodies WHERE height = ? AND hash = ?').pluck(),
      putBody: prepare('INSERT OR IGNORE INTO bodies VALUES (:height, :hash, :block)'),
      clearBodies: prepare('DELETE FROM bodies WHERE height = :height AND hash <> :hash'),
      signed: prepare('SELECT height, round, step, digest, signature FROM signed'),
      putSigned: prepare(
        'INSERT OR REPLACE INTO signed VALUES (1, :height, :round, :step, :digest, :signature)',
      ),
      checkpoint: prepare('SELECT size, height, note FROM checkpoints ORDER BY size DESC LIMIT 1'),
      putCheckpoint: prepare('INSERT INTO checkpoints VALUES (:size, :height, :note)'),
      clearCheckpoints: prepare('DELETE FROM checkpoints'),
    };
  } catch (cause) {
    throw refusalOf(database, cause);
  }
}

/** What the file is, where it is no ledger of this format. */
function refusalOf(database: Database, cause: unknown): Error {
  const refuse = ledgerRefusals(database.name);
  const has = (table: string, column: string) =>
    (database.pragma(`table_info(${table})`) as { name: string }[]).some(
      ({ name }) => name === column,
    );
  if (has('blocks', 'decision') && has('blocks', 'block')) return refuse.earlierFormat();
  return has('chain', 'hash') ? refuse.oldFormat() : refuse.notALedger(cause);
}
