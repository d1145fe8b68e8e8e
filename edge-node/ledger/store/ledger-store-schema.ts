import type { DatabaseSchema } from '#runtime/database/database.ts';

/**
 * The tables of a validator's one file; of what it had proposed, and what was decided, each block
 * is in `bodies`, once. Blocks, commits, inputs and values are canonical CBOR;
 * hashes and digests lower-case hex, hashes of the log 32 bytes. `chain` and `signed` have one row.
 */
export const ledgerStoreSchema: DatabaseSchema = {
  name: 'ledger',
  migrations: [
    `CREATE TABLE chain (
       id INTEGER PRIMARY KEY CHECK (id = 1),
       genesis BLOB NOT NULL,
       -- Key id of the node that this file belongs to.
       validator TEXT NOT NULL,
       -- The runs of the program that wrote here, the present and the one before.
       run TEXT NOT NULL,
       run_before TEXT,
       -- The chain's state after the newest block.
       state BLOB NOT NULL
     ) STRICT;
     CREATE TABLE blocks (
       height INTEGER PRIMARY KEY,
       hash TEXT NOT NULL,
       block BLOB NOT NULL,
       decision BLOB NOT NULL
     ) STRICT;
     CREATE TABLE state (
       key TEXT PRIMARY KEY,
       value BLOB NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE transactions (
       digest TEXT PRIMARY KEY,
       height INTEGER NOT NULL,
       place INTEGER NOT NULL,
       -- Its entry in the transparency log.
       log_index INTEGER NOT NULL UNIQUE,
       outcome TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE log_nodes (
       level INTEGER NOT NULL,
       node INTEGER NOT NULL,
       hash BLOB NOT NULL,
       PRIMARY KEY (level, node)
     ) STRICT, WITHOUT ROWID;
     -- What has happened to the height that is under way, in this order.
     CREATE TABLE inputs (
       sequence INTEGER PRIMARY KEY,
       input BLOB NOT NULL
     ) STRICT;
     -- Blocks proposed at that height, by their hash.
     CREATE TABLE proposed (
       hash TEXT PRIMARY KEY,
       block BLOB NOT NULL
     ) STRICT;
     -- The last thing this validator signed.
     CREATE TABLE signed (
       id INTEGER PRIMARY KEY CHECK (id = 1),
       height INTEGER NOT NULL,
       round INTEGER NOT NULL,
       step INTEGER NOT NULL,
       digest TEXT NOT NULL,
       signature TEXT NOT NULL
     ) STRICT;
     CREATE TABLE checkpoints (
       size INTEGER PRIMARY KEY,
       height INTEGER NOT NULL,
       note TEXT NOT NULL
     ) STRICT;`,
    // Each block once: it is proposed, and decided, in the same row.
    `CREATE TABLE bodies (
       height INTEGER NOT NULL,
       hash TEXT NOT NULL,
       block BLOB NOT NULL,
       PRIMARY KEY (height, hash)
     ) STRICT;
     INSERT INTO bodies SELECT height, hash, block FROM blocks ORDER BY height;
     INSERT INTO bodies
       SELECT (SELECT coalesce(max(height), 0) + 1 FROM blocks), hash, block FROM proposed;
     DROP TABLE proposed;
     ALTER TABLE blocks DROP COLUMN block;`,
  ],
};
