import type { DatabaseSchema } from '#runtime/database/database.ts';

/**
 * The tables of an outbox; `properties.produced` is kept by triggers. `properties.thinned`: how
 * far the rule `thin` came in its present turn, which leaves `gap` sequences between samples;
 * `runs`: which process took the samples from a sequence on; `drops`: what was given up, by epoch;
 * `past_epochs`: how far each was shared with the edge node when that was found to have samples of
 * another copy of this file. `samples.report` is `[ordinal, depth, predictor, tolerance, heartbeat
 * in ms]` where a sample stands for others that were measured and not sent; all of these are in
 * `measured`, with the newest sequence by then, 0 where that was of an epoch before.
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
    `ALTER TABLE properties ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE properties ADD COLUMN gap INTEGER NOT NULL DEFAULT 2;
     CREATE TABLE runs (
       first INTEGER PRIMARY KEY,
       id TEXT NOT NULL
     );
     CREATE TABLE drops (
       epoch TEXT NOT NULL,
       property INTEGER NOT NULL REFERENCES properties (id),
       rule TEXT NOT NULL,
       count INTEGER NOT NULL,
       PRIMARY KEY (epoch, property, rule)
     ) WITHOUT ROWID;
     CREATE TABLE past_epochs (
       epoch TEXT PRIMARY KEY,
       produced INTEGER NOT NULL,
       shared INTEGER NOT NULL
     ) WITHOUT ROWID;
     INSERT INTO properties (name) SELECT 'any/any' FROM outbox WHERE dropped > 0
       ON CONFLICT DO NOTHING;
     INSERT INTO drops SELECT epoch, properties.id, 'oldest', dropped FROM outbox
       JOIN properties ON name = 'any/any' WHERE dropped > 0;`,
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
