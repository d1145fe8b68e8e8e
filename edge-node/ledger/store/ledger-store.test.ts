import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openDatabase } from '#runtime/database/database.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { ExampleChain, member } from '#shared/ledger/chain.fixture.ts';
import { encodeGenesis } from '#shared/ledger/genesis.ts';
import { taskDefinition, testGenesis } from '../ledger-cluster.fixture.ts';
import { nativeMember } from '../native-member.fixture.ts';
import { StoredNode } from '../stored-node.fixture.ts';
import { LedgerFile } from './ledger-file.ts';
import { LedgerStore } from './ledger-store.ts';
import { ledgerStoreSchema } from './ledger-store-schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-store-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${files++}.sqlite`);

const validator = keyIdOf(member(0).publicKey);
const example = new ExampleChain(testGenesis(4));
const genesis = example.encodedGenesis;
const signer = nativeMember(0);
for (const n of [1, 2, 3]) {
  const key = { algorithm: 'ed25519' as const, publicKey: signer.publicKey };
  example.commit(example.sign({ key, sign: signer.sign }, taskDefinition(n)));
}
const good = newFile();
{
  using node = new StoredNode(example, 0, good);
  node.follow(example);
}

describe('the ledger’s file', () => {
  it('goes on where it stopped', () => {
    using store = new LedgerStore({ file: good, genesis, validator });
    assert.deepEqual(store.chain.head, example.chain.head);
    assert.equal(store.chain.stateDigest, example.chain.stateDigest);
    assert.deepEqual(store.chain.log, example.chain.log);
    for (const [key, value] of example.state) assert.deepEqual(store.state.get(key), value);
    assert.equal(store.state.get('task/none'), undefined);
  });

  it('has each block, transaction and entry where the others look for it', () => {
    using store = new LedgerStore({ file: good, genesis, validator });
    assert.deepEqual(
      [...store.blocks(2)].map(({ height }) => height),
      [2, 3],
    );
    for (const [index, { block, entries }] of example.staged.entries()) {
      const { digest } = block.transactions[0]!;
      const place = { height: index + 1, index: 0, logIndex: index, outcome: 'accepted' };
      assert.deepEqual(store.transaction(digest), place);
      assert.deepEqual(store.logEntry(index), entries[0]);
    }
    assert.equal(store.logEntry(3), undefined);
  });

  it('keeps what was put in before a decision, and forgets it after', () => {
    const file = newFile();
    const [first] = example.staged;
    const signed = { height: 1, round: 0, step: 1, digest: 'd', signature: 's' } as const;
    {
      using store = new LedgerStore({ file, genesis, validator });
      const blocks = new Map([[first!.hash, Uint8Array.of(1)]]);
      store.persist({ inputs: [Uint8Array.of(1), Uint8Array.of(2)], blocks, signed });
      store.persist({ inputs: [Uint8Array.of(3)], blocks: new Map(), signed });
    }
    using node = new StoredNode(example, 0, file);
    const { store } = node;
    assert.deepEqual(
      store.inputs().map((input) => [...input]),
      [[1], [2], [3]],
    );
    assert.deepEqual(store.lastSigned, signed);
    assert.deepEqual([...store.proposedBlock(first!.hash)!], [1]);
    node.follow(example, 1);
    assert.deepEqual(store.inputs(), []);
    assert.equal(store.proposedBlock(first!.hash), undefined);
    assert.deepEqual(store.lastSigned, signed);
  });

  it('takes over what an earlier version wrote', () => {
    const file = newFile();
    const [earlier] = ledgerStoreSchema.migrations;
    const database = openDatabase(file, { name: 'ledger', migrations: [earlier!] });
    database.exec(`ATTACH '${good}' AS newer`);
    for (const table of ['chain', 'state', 'transactions', 'log_nodes']) {
      database.exec(`INSERT INTO ${table} SELECT * FROM newer.${table}`);
    }
    database.exec(
      'INSERT INTO blocks SELECT height, hash, block, decision ' +
        'FROM newer.blocks JOIN newer.bodies USING (height, hash)',
    );
    database.exec("INSERT INTO proposed VALUES ('of height 4', x'04')");
    database.close();
    assert.throws(() => new LedgerFile(file), { code: 'ledger-old-format', exit: 78 });
    using store = new LedgerStore({ file, genesis, validator });
    using other = new LedgerStore({ file: good, genesis, validator });
    assert.deepEqual([...store.blocks(1)], [...other.blocks(1)]);
    assert.deepEqual([...store.proposedBlock('of height 4')!], [4]);
  });

  it('stays as it was where a block cannot be written', () => {
    using node = new StoredNode(example, 0, newFile());
    // The last write of the transaction fails.
    edit(node.file, `CREATE TRIGGER t BEFORE UPDATE ON chain BEGIN SELECT raise(ABORT, 'no'); END`);
    assert.throws(() => node.follow(example, 1), /no/);
    assert.equal(node.store.chain.head.height, 0);
    edit(node.file, 'DROP TRIGGER t');
    node.follow(example);
    assert.equal(node.store.chain.stateDigest, example.chain.stateDigest);
  });
});

describe('the ledger’s file is refused', () => {
  it('of another chain', () => {
    const other = encodeGenesis({ ...testGenesis(4), chainId: 'elsewhere' });
    refuses(good, 'ledger-of-another-chain', { genesis: other });
  });

  it('of another key', () => {
    refuses(good, 'ledger-of-another-key', { validator: keyIdOf(member(1).publicKey) });
  });

  it('with a genesis that is none', () => {
    refuses(newFile(), 'genesis-malformed', { genesis: Uint8Array.of(1) });
  });

  it('of the time before consensus', () => {
    const file = newFile();
    const table = 'CREATE TABLE chain (genesis BLOB, height INTEGER, hash TEXT)';
    openDatabase(file, { name: 'ledger', migrations: [table] }).close();
    refuses(file, 'ledger-old-format');
  });

  it('that is something else', () => {
    const file = newFile();
    openDatabase(file, { name: 'other', migrations: ['CREATE TABLE other (x)'] }).close();
    refuses(file, 'not-a-ledger');
  });

  it('that is no database', () => {
    const file = newFile();
    writeFileSync(file, 'not a database\n'.repeat(100));
    refuses(file, 'database-corrupt');
  });

  for (const [name, sql] of [
    ['without its newest block', 'DELETE FROM blocks WHERE height = 3'],
    ['without a block', 'DELETE FROM blocks WHERE height = 2'],
    ['with another newest block', 'UPDATE bodies SET block = (SELECT block FROM bodies)'],
    ['with another commit', 'UPDATE blocks SET decision = (SELECT decision FROM blocks)'],
    ['with another head', "UPDATE chain SET state = x'00'"],
  ] as const) {
    it(name, () => {
      const file = newFile();
      copyFileSync(good, file);
      edit(file, sql);
      refuses(file, 'ledger-damaged');
    });
  }

  function refuses(file: string, code: string, changes: object = {}): void {
    const options = { file, genesis, validator, ...changes };
    const before = files > 0 && code !== 'genesis-malformed' ? readFileSync(file) : undefined;
    assert.throws(() => new LedgerStore(options), { code, exit: 78, message: /^[^\n]+$/ });
    if (before !== undefined) assert.deepEqual(readFileSync(file), before);
  }
});

function edit(file: string, sql: string): void {
  const database = openDatabase(file, ledgerStoreSchema);
  database.exec(sql);
  database.close();
}
