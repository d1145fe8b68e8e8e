import type { Database } from '#runtime/database/database.ts';
import { ledgerRefusals } from './ledger-refusals.ts';

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
        'SELECT height, hash, block, decision AS "commit" FROM blocks WHERE height = ?',
      ),
      blockRange: prepare('SELECT count(*) AS count, max(height) AS newest FROM blocks'),
      putBlock: prepare('INSERT INTO blocks VALUES (:height, :hash, :block, :decision)'),
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
      proposed: prepare('SELECT block FROM proposed WHERE hash = ?').pluck(),
      putProposed: prepare('INSERT OR IGNORE INTO proposed VALUES (?, ?)'),
      clearProposed: prepare('DELETE FROM proposed'),
      signed: prepare('SELECT height, round, step, digest, signature FROM signed'),
      putSigned: prepare(
        'INSERT OR REPLACE INTO signed VALUES (1, :height, :round, :step, :digest, :signature)',
      ),
      checkpoint: prepare('SELECT size, height, note FROM checkpoints ORDER BY size DESC LIMIT 1'),
      putCheckpoint: prepare('INSERT INTO checkpoints VALUES (:size, :height, :note)'),
      clearCheckpoints: prepare('DELETE FROM checkpoints'),
    };
  } catch (cause) {
    const columns = database.pragma('table_info(chain)') as { name: string }[];
    const refuse = ledgerRefusals(database.name);
    const isOld = columns.some(({ name }) => name === 'hash');
    throw isOld ? refuse.oldFormat() : refuse.notALedger(cause);
  }
}
