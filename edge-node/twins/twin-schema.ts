import type { DatabaseSchema } from '#runtime/database/database.ts';

/**
 * The tables of the twin store. `streams.committed`: every sequence up to it is accounted for;
 * `streams.generation`: how often the device had changed its epoch by then; `streams.runs`: the
 * newest runs of its agent, as JSON. `drops` is what devices say they gave up. `twins` holds what
 * an older version left to be carried over; `things` is each thing as it is, `revisions` the
 * changes that made it so, in the order of `position`, and `snapshots` its content now and then.
 */
export const twinSchema: DatabaseSchema = {
  name: 'twin store',
  migrations: [
    `CREATE TABLE streams (
       id INTEGER PRIMARY KEY,
       device TEXT NOT NULL,
       epoch TEXT NOT NULL,
       committed INTEGER NOT NULL,
       absent INTEGER NOT NULL,
       UNIQUE (device, epoch)
     );
     CREATE TABLE properties (
       id INTEGER PRIMARY KEY,
       device TEXT NOT NULL,
       name TEXT NOT NULL,
       UNIQUE (device, name)
     );
     CREATE TABLE samples (
       stream INTEGER NOT NULL REFERENCES streams (id),
       sequence INTEGER NOT NULL,
       property INTEGER NOT NULL REFERENCES properties (id),
       time_ms INTEGER NOT NULL,
       value REAL,
       quality INTEGER NOT NULL,
       PRIMARY KEY (stream, sequence)
     ) WITHOUT ROWID;
     CREATE TABLE twins (
       device TEXT PRIMARY KEY,
       state TEXT NOT NULL
     ) WITHOUT ROWID;`,
    `ALTER TABLE streams ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
     UPDATE streams SET generation = (
       SELECT count(*) FROM streams AS earlier
       WHERE earlier.device = streams.device AND earlier.id <= streams.id
     );
     CREATE INDEX samples_by_time ON samples (property, time_ms);
     CREATE TABLE things (
       device TEXT PRIMARY KEY,
       state TEXT NOT NULL
     ) WITHOUT ROWID;
     CREATE TABLE revisions (
       position INTEGER PRIMARY KEY AUTOINCREMENT,
       device TEXT NOT NULL,
       revision INTEGER NOT NULL,
       time_ms INTEGER NOT NULL,
       by TEXT NOT NULL,
       changes TEXT NOT NULL,
       UNIQUE (device, revision)
     );
     CREATE TABLE snapshots (
       device TEXT NOT NULL,
       revision INTEGER NOT NULL,
       time_ms INTEGER NOT NULL,
       content TEXT NOT NULL,
       PRIMARY KEY (device, revision)
     ) WITHOUT ROWID;`,
    `ALTER TABLE streams ADD COLUMN runs TEXT NOT NULL DEFAULT '[]';
     CREATE TABLE drops (
       stream INTEGER NOT NULL REFERENCES streams (id),
       property TEXT NOT NULL,
       rule TEXT NOT NULL,
       count INTEGER NOT NULL,
       PRIMARY KEY (stream, property, rule)
     ) WITHOUT ROWID;`,
  ],
};
