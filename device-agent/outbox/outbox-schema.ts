import type { DatabaseSchema } from '#runtime/database/database.ts';

/** The tables of an outbox; `properties.produced` is kept by a trigger. */
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
  ],
};
