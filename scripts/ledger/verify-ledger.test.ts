import assert from 'node:assert/strict';
import { copyFileSync, existsSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { LedgerFile } from '#edge-node/ledger/store/ledger-file.ts';
import { ledgerStoreSchema } from '#edge-node/ledger/store/ledger-store-schema.ts';
import { type Database, openDatabase } from '#runtime/database/database.ts';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { useFolder } from '../model/diten.fixture.ts';
import { version, writeExampleLedger } from './example-ledger.fixture.ts';
import { runProve } from './prove-record.ts';

const at = useFolder();

/** What verification says of the example once `change` has been made to its file. */
function verdictAfter(change: (database: Database) => void): string {
  const file = at.path('changed.sqlite');
  copyFileSync(at.path('l.sqlite'), file);
  const database = openDatabase(file, ledgerStoreSchema);
  change(database);
  database.close();
  using ledger = new LedgerFile(file);
  const verified = ledger.verify(verifyAccountNatively);
  return verified.ok ? 'verified' : `${verified.error.height} ${verified.error.code}`;
}

/** Flips a bit of a column's value, in the row that the condition names. */
function flip(database: Database, [table, column, row]: readonly string[], share: number): void {
  const read = database.prepare(`SELECT ${column} FROM ${table} WHERE ${row}`).pluck();
  const value = read.get() as Buffer | string | number;
  database.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${row}`).run(flipped(value, share));
}

function flipped(value: Buffer | string | number, share: number): Buffer | string | number {
  if (typeof value === 'number') return value + 64;
  const bytes = Buffer.from(value);
  bytes[Math.floor(share * (bytes.length - 1))]! ^= 1;
  return typeof value === 'string' ? bytes.toString() : bytes;
}

describe('verification of a ledger file', () => {
  before(() => void writeExampleLedger(at.path('l.sqlite')));

  it('passes what is whole', () => {
    assert.equal(
      verdictAfter(() => undefined),
      'verified',
    );
  });

  const cells: readonly (readonly [cell: readonly string[], height: RegExp])[] = [
    [['chain', 'state', 'id = 1'], /^4 head-differs$/],
    [['bodies', 'block', 'height = 1'], /^1 /],
    [['bodies', 'block', 'height = 3'], /^3 /],
    [['blocks', 'decision', 'height = 2'], /^2 /],
    [['blocks', 'decision', 'height = 4'], /^4 /],
    [['state', 'value', "key = 'device/mote-1'"], /^4 state-differs$/],
    [['transactions', 'digest', 'log_index = 3'], /ledger-damaged$/],
    [['transactions', 'height', 'log_index = 1'], /^4 index-differs$/],
    [['transactions', 'place', 'log_index = 2'], /^4 index-differs$/],
    [['transactions', 'log_index', 'log_index = 4'], /^4 index-differs$/],
    [['transactions', 'outcome', 'log_index = 2'], /^4 log-differs$/],
    [['log_nodes', 'hash', 'level = 0 AND node = 4'], /^4 log-differs$/],
    [['log_nodes', 'hash', 'level = 2 AND node = 0'], /^4 log-differs$/],
    [['checkpoints', 'note', 'size = 4'], /^4 [a-z-]+$/],
  ];
  for (const [cell, verdict] of cells) {
    it(`finds a flipped bit in ${cell.join(' ')}`, () => {
      for (const share of [0.1, 0.5, 0.9]) {
        const found = verdictAfter((database) => flip(database, cell, share));
        assert.match(found, verdict, `at ${share}`);
      }
    });
  }

  it('lets no proof be made that does not verify', () => {
    const file = at.path('unprovable.sqlite');
    copyFileSync(at.path('l.sqlite'), file);
    const database = openDatabase(file, ledgerStoreSchema);
    flip(database, ['log_nodes', 'hash', 'level = 1 AND node = 0'], 0.5);
    database.close();
    const output = at.path('unprovable');
    assert.throws(() => runProve(version, { file, output }), { code: 'not-included', exit: 1 });
    assert.ok(!existsSync(output));
  });

  it('finds another genesis', () => {
    const found = verdictAfter((database) => flip(database, ['chain', 'genesis', 'id = 1'], 0.5));
    assert.match(found, /^[01] /);
  });

  const losses: readonly (readonly [sql: string, verdict: string])[] = [
    ['DELETE FROM blocks WHERE height = 4', '3 head-differs'],
    ['DELETE FROM blocks WHERE height = 2', '1 head-differs'],
    ['UPDATE blocks SET height = 9 WHERE height = 4', '3 head-differs'],
    ['DELETE FROM bodies WHERE height = 2', '1 head-differs'],
    ["INSERT INTO bodies VALUES (2, 'x', x'00')", '4 stray-blocks'],
    ["DELETE FROM state WHERE key = 'device/mote-1'", '4 state-differs'],
    ["INSERT INTO state VALUES ('device/x', x'f6')", '4 state-differs'],
    ['DELETE FROM transactions WHERE log_index = 0', '4 index-differs'],
    ['DELETE FROM log_nodes WHERE level = 1 AND node = 1', '4 log-differs'],
    ["INSERT INTO log_nodes VALUES (9, 9, x'00')", '4 log-differs'],
    ['UPDATE checkpoints SET size = 3', '4 checkpoint-differs'],
    ['DELETE FROM chain', '0 genesis-missing'],
  ];
  for (const [sql, verdict] of losses) {
    it(`finds the effect of ${sql}`, () => {
      assert.equal(
        verdictAfter((database) => database.exec(sql)),
        verdict,
      );
    });
  }
});
