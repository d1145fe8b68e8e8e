import type { DatabaseSchema } from '#runtime/database/database.ts';

/**
 * The tables of the twin store. `streams.committed`: every sequence up to it is accounted for;
 * `streams.generation`: how often the device had changed its epoch by then; `streams.runs`: the
 * newest runs of its agent, as JSON. `drops` is what devices say they gave up. `twins` holds what
 * an older version left to be carried over; `things` is each thing as it is, `revisions` the
 * changes that made it so, in the order of `position`, and `snapshots` its content now and then.
 * `samples.report` is as in an outbox; `back_tests` is what each device said last of its own.
 * `streams.removed`: samples that retention took out; `marks`: up to which sequence a stream had
 * come by when; `roll_ups`: what is left of removed samples; `retention_progress`: how far each
 * rule is carried out; `history_size`: bytes of revisions and snapshots, and revisions removed.
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
    `ALTER TABLE samples ADD COLUMN report TEXT;
     CREATE INDEX reports ON samples (property, stream, sequence) WHERE report IS NOT NULL;
     CREATE TABLE back_tests (
       device TEXT PRIMARY KEY,
       tests TEXT NOT NULL
     ) WITHOUT ROWID;`,
    `ALTER TABLE streams ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
     CREATE TABLE marks (
       stream INTEGER NOT NULL REFERENCES streams (id),
       sequence INTEGER NOT NULL,
       received_ms INTEGER NOT NULL,
       PRIMARY KEY (stream, sequence)
     ) WITHOUT ROWID;
     CREATE INDEX marks_by_time ON marks (received_ms, stream);
     INSERT INTO marks
       SELECT id, committed, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM streams
       WHERE committed > 0;
     CREATE TABLE roll_ups (
       property INTEGER NOT NULL REFERENCES properties (id),
       time_ms INTEGER NOT NULL,
       step_ms INTEGER NOT NULL,
       count INTEGER NOT NULL,
       mean REAL NOT NULL,
       min REAL NOT NULL,
       max REAL NOT NULL,
       PRIMARY KEY (property, time_ms)
     ) WITHOUT ROWID;
     CREATE TABLE retention_progress (
       rule TEXT PRIMARY KEY,
       received_ms INTEGER NOT NULL,
       stream INTEGER NOT NULL,
       sequence INTEGER NOT NULL
     ) WITHOUT ROWID;
     CREATE TABLE history_size (bytes INTEGER NOT NULL, removed INTEGER NOT NULL);
     INSERT INTO history_size SELECT
       (SELECT coalesce(sum(octet_length(changes) + 64), 0) FROM revisions)
         + (SELECT coalesce(sum(octet_length(content) + 64), 0) FROM snapshots), 0;
     CREATE TRIGGER revision_kept AFTER INSERT ON revisions BEGIN
       UPDATE history_size SET bytes = bytes + octet_length(new.changes) + 64;
     END;
     CREATE TRIGGER revision_removed AFTER DELETE ON revisions BEGIN
       UPDATE history_size
       SET bytes = bytes - octet_length(old.changes) - 64, removed = removed + 1;
     END;
     CREATE TRIGGER snapshot_kept AFTER INSERT ON snapshots BEGIN
       UPDATE history_size SET bytes = bytes + octet_length(new.content) + 64;
     END;
     CREATE TRIGGER snapshot_removed AFTER DELETE ON snapshots BEGIN
       UPDATE history_size SET bytes = bytes - octet_length(old.content) - 64;
     END;`,
  ],
};
