import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { type Database, openDatabase } from '#runtime/database/database.ts';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { assert as expect } from '#shared/basics/assert.ts';
import { digestOfPlain } from '#shared/identity/digest.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { blockHash, decodeBlock, encodeBlock, signBlock } from '#shared/ledger/block.ts';
import {
  exampleRecords,
  exampleTask,
  modelVersion,
  taskDefinition,
  versionDigest,
} from '#shared/ledger/example-records.ts';
import { type Ledger, openLedger, readLedgerFile, verifyLedgerFile } from './ledger.ts';
import { ledgerSchema } from './ledger-schema.ts';

const HEIGHT = 6;
let files = 0;
const folder = mkdtempSync(join(tmpdir(), 'diten-ledger-'));
after(() => rmSync(folder, { recursive: true }));

const clock = createManualClock(1_700_000_000_000);
const signer = openSigningKey(join(folder, 'key.pem'));
const validator = keyIdOf(signer.publicKey);
const good = newFile();
{
  using ledger = open(good);
  for (const record of exampleRecords(validator, HEIGHT)) put(ledger, record);
}

describe('the ledger', () => {
  it('begins empty, verified, at height 0', () => {
    const file = newFile();
    using ledger = open(file);
    assert.equal(ledger.head.height, 0);
    assert.deepEqual(ledger.verify(), { ok: true, value: ledger.head });
    assert.equal(ledger.latestModelVersion(exampleTask), undefined);
  });

  it('has a block on the disk when append returns, beside its writer', () => {
    const file = newFile();
    using ledger = open(file);
    for (const [index, record] of exampleRecords(validator, 3).entries()) {
      put(ledger, record);
      const read = verifyLedgerFile(file);
      assert.deepEqual(read, { ok: true, value: ledger.head });
      assert.equal(read.ok && read.value.height, index + 1);
    }
  });

  it('goes on where it stopped', () => {
    const file = copy();
    {
      using ledger = open(file);
      assert.equal(ledger.head.height, HEIGHT);
      assert.equal(ledger.latestModelVersion(exampleTask)?.digest, versionDigest(HEIGHT - 2));
      put(ledger, modelVersion(validator, HEIGHT - 1));
    }
    using ledger = open(file);
    assert.equal(ledger.head.height, HEIGHT + 1);
    assert.equal(ledger.latestModelVersion(exampleTask)?.round, HEIGHT - 1);
    assert.deepEqual(ledger.verify(), { ok: true, value: ledger.head });
  });

  it('gives its blocks from a height on', () => {
    using ledger = open(good);
    const heights = (from: number) => [...ledger.blocks(from)].map(({ header }) => header.height);
    assert.deepEqual(heights(0), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(heights(5), [5, 6]);
    assert.deepEqual(heights(7), []);
    assert.deepEqual([...ledger.blocks(1)][0]?.records, [taskDefinition()]);
    assert.deepEqual(readLedgerFile(good), [...ledger.blocks(1)]);
  });

  it('takes records in one block, all or none', () => {
    const file = newFile();
    using ledger = open(file);
    const records = exampleRecords(validator, 3);
    const refused = ledger.append([...records, modelVersion(validator, 5)]);
    assert.ok(!refused.ok && refused.error.code === 'round-not-next');
    assert.equal(ledger.head.height, 0);
    assert.ok(ledger.append(records).ok);
    assert.equal(ledger.head.height, 1);
    assert.equal(ledger.latestModelVersion(exampleTask)?.round, 1);
  });

  it('refuses nothing at all, and what is no record', () => {
    using ledger = open(newFile());
    const body = { task: 'not a digest', model: versionDigest(0) };
    const malformed = ledger.append([{ v: 1, type: 'task.define', body }]);
    assert.ok(!malformed.ok && malformed.error.code === 'malformed-record');
    assert.match(malformed.error.message, /0\.body\.task/);
    const nothing = ledger.append([]);
    assert.ok(!nothing.ok && nothing.error.code === 'no-records');
    assert.equal(ledger.head.height, 0);
  });

  it('stays as it was where a block cannot be written', () => {
    const file = newFile();
    using ledger = open(file);
    put(ledger, taskDefinition());
    const { head } = ledger;
    // Fails after the block's row is in: the transaction has to take it out again.
    edit(file, `CREATE TRIGGER broken BEFORE UPDATE ON chain BEGIN SELECT raise(ABORT, 'no'); END`);
    assert.throws(() => ledger.append([modelVersion(validator, 0)]), /no/);
    assert.deepEqual(ledger.head, head);
    edit(file, 'DROP TRIGGER broken');
    assert.deepEqual(ledger.verify(), { ok: true, value: head });
    put(ledger, modelVersion(validator, 0));
    assert.deepEqual(verifyLedgerFile(file), { ok: true, value: ledger.head });
  });
});

describe('a ledger file is found out', () => {
  it('whichever byte of a block is flipped', () => {
    const file = copy();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: HEIGHT }), fc.nat(), fc.nat(7), (height, at, bit) => {
        const block = storedBlock(good, height);
        const altered = Buffer.from(block);
        altered[at % block.length]! ^= 1 << bit;
        replaceBlock(file, height, altered);
        found(file, { height });
        replaceBlock(file, height, block);
      }),
      { numRuns: 60 },
    );
    assert.ok(verifyLedgerFile(file).ok);
  });

  it('with a byte flipped in the file itself', () => {
    const file = copy();
    const bytes = readFileSync(file);
    const block = storedBlock(good, 3);
    // SQLite leaves stale copies where it has moved a row.
    for (let at = bytes.indexOf(block); at >= 0; at = bytes.indexOf(block)) bytes[at + 100]! ^= 1;
    writeFileSync(file, bytes);
    found(file, { height: 3 });
  });

  it('while the node that writes it runs', () => {
    const file = copy();
    using ledger = open(file);
    replaceBlock(file, 2, storedBlock(file, 1));
    const verdict = ledger.verify();
    assert.ok(!verdict.ok && verdict.error.height === 2);
  });

  it('with its genesis altered', () => {
    const file = copy();
    using database = openDatabaseOf(file);
    const genesis = database.prepare('SELECT genesis FROM chain').pluck().get() as Buffer;
    const altered = Buffer.from(genesis);
    altered[altered.indexOf('test-chain')]! ^= 1;
    database.prepare('UPDATE chain SET genesis = ?').run(altered);
    found(file, { height: 1, code: 'wrong-previous' });
  });

  it('where a validly signed block does not follow on the one before', () => {
    const file = copy();
    const decoded = decodeBlock(storedBlock(file, HEIGHT));
    expect(decoded.ok, 'it was written by the ledger');
    const { header, records } = decoded.value;
    const forged = { ...header, previous: digestOfPlain('elsewhere') };
    replaceBlock(file, HEIGHT, encodeBlock(signBlock(forged, records, signer)));
    edit(file, `UPDATE chain SET hash = '${blockHash(forged)}'`);
    found(file, { height: HEIGHT, code: 'wrong-previous' });
  });

  for (const [name, sql, facts] of [
    ['without its first block', 'DELETE FROM blocks WHERE height = 1', { height: 0 }],
    ['without a block in the middle', 'DELETE FROM blocks WHERE height = 4', { height: 3 }],
    ['without its last block', `DELETE FROM blocks WHERE height = ${HEIGHT}`, { height: 5 }],
    ['without any block', 'DELETE FROM blocks', { height: 0, code: 'head-differs' }],
    ['without its genesis', 'DELETE FROM chain', { height: 0, code: 'genesis-missing' }],
    [
      'with two blocks swapped',
      `UPDATE blocks SET height = -2 WHERE height = 2;
       UPDATE blocks SET height = 2 WHERE height = 5;
       UPDATE blocks SET height = 5 WHERE height = -2`,
      { height: 2, code: 'wrong-height' },
    ],
    [
      'with a block doubled past the end',
      'INSERT INTO blocks SELECT height + 1, block FROM blocks WHERE height = 6',
      { height: 7, code: 'wrong-height' },
    ],
    [
      'with a block astray',
      'INSERT INTO blocks SELECT 99, block FROM blocks WHERE height = 6',
      { height: 6, code: 'stray-blocks' },
    ],
    ['with its head moved', 'UPDATE chain SET height = 5', { height: 6, code: 'head-differs' }],
    ['with its head renamed', `UPDATE chain SET hash = 'ab'`, { height: 6, code: 'head-differs' }],
  ] as const) {
    it(name, () => {
      const file = copy();
      edit(file, sql);
      found(file, facts);
    });
  }

  it('with pages that SQLite cannot read', () => {
    const file = copy();
    const bytes = readFileSync(file);
    // Every page but the first, which holds the tables' definitions.
    bytes.fill(0xff, 4096);
    writeFileSync(file, bytes);
    const verdict = verifyLedgerFile(file);
    assert.ok(!verdict.ok && verdict.error.code === 'unreadable');
    assert.throws(() => open(file), { code: 'database-corrupt', exit: exitCode.configuration });
  });
});

describe('a ledger is not opened', () => {
  it('of another chain, or with another key', () => {
    refuses(() => open(good, { chainId: 'other-chain' }), 'ledger-of-another-chain');
    const stranger = openSigningKey(join(folder, 'stranger.pem'));
    refuses(() => open(good, { signer: stranger }), 'ledger-of-another-key');
    assert.ok(verifyLedgerFile(good).ok);
  });

  it('from a file that is something else', () => {
    const file = newFile();
    openDatabase(file, { name: 'other', migrations: ['CREATE TABLE other (x)'] }).close();
    refuses(() => open(file), 'not-a-ledger');
    refuses(() => verifyLedgerFile(file), 'not-a-ledger');
    refuses(() => verifyLedgerFile(newFile()), 'database-unreadable');
  });
});

function open(file: string, changes: Partial<Parameters<typeof openLedger>[0]> = {}): Ledger {
  return openLedger({ file, chainId: 'test-chain', signer, clock, ...changes });
}

function put(ledger: Ledger, record: Parameters<Ledger['append']>[0][number]): void {
  clock.advance(1000);
  const appended = ledger.append([record]);
  expect(appended.ok, 'the example fits');
}

function newFile(): string {
  return join(folder, `${files++}.sqlite`);
}

function copy(): string {
  const file = newFile();
  copyFileSync(good, file);
  return file;
}

function openDatabaseOf(file: string): Database & Disposable {
  const database = openDatabase(file, ledgerSchema);
  return Object.assign(database, { [Symbol.dispose]: () => void database.close() });
}

function edit(file: string, sql: string): void {
  using database = openDatabaseOf(file);
  database.exec(sql);
}

function storedBlock(file: string, height: number): Buffer {
  using database = openDatabaseOf(file);
  return database
    .prepare('SELECT block FROM blocks WHERE height = ?')
    .pluck()
    .get(height) as Buffer;
}

function replaceBlock(file: string, height: number, block: Uint8Array): void {
  using database = openDatabaseOf(file);
  database.prepare('UPDATE blocks SET block = ? WHERE height = ?').run(block, height);
}

/** Both the verifier and the node that opens the file see it, and the node leaves it as it is. */
function found(file: string, facts: { height: number; code?: string }): void {
  const verdict = verifyLedgerFile(file);
  assert.ok(!verdict.ok, 'the file was taken');
  const { height, code } = verdict.error;
  assert.deepEqual({ height, code }, { code, ...facts });
  refuses(() => open(file), 'ledger-damaged', `at height ${height} (${code}: `);
  assert.deepEqual(verifyLedgerFile(file), verdict);
}

function refuses(work: () => unknown, code: string, part = ''): void {
  assert.throws(
    work,
    (error) =>
      error instanceof ProgramError &&
      error.code === code &&
      error.exit === exitCode.configuration &&
      error.message.includes(part) &&
      !error.message.includes('\n'),
  );
}
