import type { DatabaseSchema } from '#runtime/database/database.ts';

/**
 * The tables of the ledger. `chain` has one row: the genesis, and the newest block, which `blocks`
 * alone could lose unseen. Blocks and genesis are canonical CBOR (`shared/ledger/`).
 */
export const ledgerSchema: DatabaseSchema = {
  name: 'ledger',
  migrations: [
    `CREATE TABLE chain (
       id INTEGER PRIMARY KEY CHECK (id = 1),
       genesis BLOB NOT NULL,
       height INTEGER NOT NULL,
       hash TEXT NOT NULL
     ) STRICT;
     CREATE TABLE blocks (
       height INTEGER PRIMARY KEY,
       block BLOB NOT NULL
     ) STRICT;`,
  ],
};
