import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { openDataFolder } from './data-folder.ts';
import { openDatabase, openDatabaseReadOnly } from './database.ts';

const root = mkdtempSync(join(tmpdir(), 'diten-database-'));
after(() => rmSync(root, { recursive: true }));

const one = { name: 'thing store', migrations: ['CREATE TABLE things (name TEXT NOT NULL)'] };
const two = {
  ...one,
  migrations: [...one.migrations, "ALTER TABLE things ADD COLUMN kind TEXT NOT NULL DEFAULT 'a'"],
};

let file = '';
let files = 0;
beforeEach(() => {
  file = join(root, `${files++}.sqlite`);
});

describe('database', () => {
  it('is durable at each commit', () => {
    const database = openDatabase(file, one);
    assert.equal(database.pragma('journal_mode', { simple: true }), 'wal');
    assert.equal(database.pragma('synchronous', { simple: true }), 2);
    database.close();
  });

  it('brings an older file to the newest version, with what it holds', () => {
    const older = openDatabase(file, one);
    older.exec("INSERT INTO things VALUES ('x')");
    older.close();
    const newer = openDatabase(file, two);
    assert.deepEqual(newer.prepare('SELECT * FROM things').all(), [{ name: 'x', kind: 'a' }]);
    newer.close();
  });

  it('refuses a file of a newer version', () => {
    openDatabase(file, two).close();
    assert.throws(() => openDatabase(file, one), { code: 'database-newer', exit: 78 });
    assert.throws(() => openDatabaseReadOnly(file, one), { code: 'database-newer' });
  });

  it('refuses what is not a database, in one line, and leaves it alone', () => {
    const text = 'not a database\n'.repeat(100);
    writeFileSync(file, text);
    assert.throws(() => openDatabase(file, one), { code: 'database-corrupt', message: /^[^\n]+$/ });
    assert.equal(readFileSync(file, 'utf8'), text);
  });

  it('refuses a damaged database, in one line', () => {
    const database = openDatabase(file, one);
    const insert = database.prepare('INSERT INTO things VALUES (?)');
    for (let i = 0; i < 2000; i++) insert.run(`thing ${i}`);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    const bytes = readFileSync(file);
    bytes.fill(0xff, 4096 * 2, 4096 * 3);
    writeFileSync(file, bytes);
    assert.throws(() => openDatabase(file, one), { code: 'database-corrupt', message: /^[^\n]+$/ });
  });

  it('says when there is no such folder', () => {
    const missing = join(root, 'none', 'x.sqlite');
    assert.throws(() => openDatabase(missing, one), { code: 'database-unreadable', exit: 78 });
  });
});

describe('data folder', () => {
  it('is made where it is missing, and held by one at a time', () => {
    const path = join(root, 'a', 'b');
    {
      using _folder = openDataFolder(path);
      assert.throws(() => openDataFolder(path), { code: 'data-folder-in-use', exit: 78 });
    }
    openDataFolder(path)[Symbol.dispose]();
  });

  it('says when it cannot be made', () => {
    writeFileSync(file, '');
    assert.throws(() => openDataFolder(join(file, 'x')), {
      code: 'data-folder-unwritable',
      exit: 78,
    });
  });
});
