import type { DatabaseSchema } from '#runtime/database/database.ts';

/**
 * The tables of an outbox; `properties.produced` is kept by triggers. `samples.report` is
 * `[ordinal, depth, predictor, tolerance, heartbeat in ms]` where a sample stands for others that
 * were measured and not sent; all of these are in `measured`, with the newest sequence by then, 0
 * where that was of an epoch before.
 */
export const outboxSchema: DatabaseSchema = {
  name: 'outbox',
  migrations: [
    `CREATE TABLE outbox (
       only INTEGER PRIMARY KEY CHECK (only = 1),
       epoch TEXT NOT NULL,
       started_ms INTEGER NOT NULL,
       produced INTEGER NOT NULL,
       acknowledged INTEGER NOT NULL,
       available INTEGER NOT NULL,
       dropped INTEGER NOT NULL
     );
     CREATE TABLE properties (
       id INTEGER PRIMARY KEY,
       name TEXT NOT NULL UNIQUE,
       produced INTEGER NOT NULL DEFAULT 0
     );
     CREATE TABLE samples (
       sequence INTEGER PRIMARY KEY,
       property INTEGER NOT NULL REFERENCES properties (id),
       time_ms INTEGER NOT NULL,
       value REAL,
       quality INTEGER NOT NULL
     );
     CREATE INDEX samples_by_property ON samples (property, sequence);
     CREATE TRIGGER count_produced AFTER INSERT ON samples BEGIN
       UPDATE properties SET produced = produced + 1 WHERE id = NEW.property;
     END;`,
    `ALTER TABLE samples ADD COLUMN report TEXT;
     CREATE TABLE measured (
       id INTEGER PRIMARY KEY,
       property INTEGER NOT NULL REFERENCES properties (id),
       time_ms INTEGER NOT NULL,
       value REAL,
       quality INTEGER NOT NULL,
       produced INTEGER NOT NULL
     );
     CREATE INDEX measured_by_property ON measured (property, id);
     DROP TRIGGER count_produced;
     CREATE TRIGGER count_produced AFTER INSERT ON samples WHEN NEW.report IS NULL BEGIN
       UPDATE properties SET produced = produced + 1 WHERE id = NEW.property;
     END;
     CREATE TRIGGER number_anew AFTER UPDATE OF epoch ON outbox BEGIN
       UPDATE measured SET produced = 0;
     END;
     CREATE TRIGGER count_measured AFTER INSERT ON measured BEGIN
       UPDATE properties SET produced = produced + 1 WHERE id = NEW.property;
     END;`,
  ],
};
