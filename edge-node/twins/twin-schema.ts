import type { DatabaseSchema } from '#runtime/database/database.ts';

/** The tables of the twin store. `streams.committed`: every sequence up to it is accounted for. */
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
  ],
};
