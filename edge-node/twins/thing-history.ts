import type { Database } from '#runtime/database/database.ts';
import { applyChanges } from '#shared/twin/document/content-difference.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#shared/twin/document/json.ts';
import { type Thing, thingContent } from '#shared/twin/document/thing.ts';
import type { Change, HistoryEntry } from '#shared/twin/document/thing-step.ts';

/** Revisions between two snapshots: as many changes at most are applied to come to a past one. */
const SNAPSHOT_PERIOD = 256;
/** Revisions of each thing that are kept; older ones go a snapshot's period at a time. */
const REVISIONS_KEPT = 100 * SNAPSHOT_PERIOD;
/** Revisions dropped at a time where all of them take too much. */
const DROPPED_AT_A_TIME = 500;

/** One revision as the file has it. */
export interface StoredRevision {
  /** Its place among the revisions of all things. */
  readonly position: number;
  readonly device: string;
  readonly revision: number;
  readonly timeMs: number;
  readonly by: string;
  readonly changes: readonly Change[];
}

export interface PastContent {
  readonly revision: number;
  readonly timeMs: number;
  /** `undefined` where the thing did not exist then. */
  readonly content: JsonObject | undefined;
}

interface OldestRow {
  readonly position: number;
  readonly device: string;
  readonly revision: number;
}
type RevisionRow = Omit<StoredRevision, 'changes'> & { readonly changes: string };

/**
 * What things were: the newest 25,600 revisions of each at most, in the tables of the twin store's
 * file.
 * Writes belong into a transaction of the caller's.
 */
export class ThingHistory {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#statements = prepare(database);
  }

  /** Keeps one revision; `thing` is as that revision left it, or later. */
  record(device: string, entry: HistoryEntry, thing: Thing): void {
    const { revision, timeMs, by, changes } = entry;
    this.#statements.insert.run(device, revision, timeMs, by, JSON.stringify(changes));
    if (thing.revision === revision && revision % SNAPSHOT_PERIOD === 0) {
      this.snapshot(device, thing);
    }
  }

  /** Keeps a thing's content whole, and drops what is too old. */
  snapshot(device: string, thing: Thing): void {
    const { revision, modifiedMs } = thing;
    const content = thing.exists ? JSON.stringify(thingContent(thing)) : 'null';
    this.#statements.snapshot.run(device, revision, modifiedMs, content);
    const oldest = this.#statements.snapshotBefore.get(device, revision - REVISIONS_KEPT) as
      | { revision: number }
      | undefined;
    if (oldest === undefined) return;
    this.#statements.dropRevisions.run(device, oldest.revision);
    this.#statements.dropSnapshots.run(device, oldest.revision);
  }

  /** Bytes that revisions and snapshots take, and how many revisions were dropped so far. */
  size(): { bytes: number; removed: number } {
    return this.#statements.size.get() as { bytes: number; removed: number };
  }

  /**
   * Drops some of the oldest revisions of all things, where all of them take more; of what is left
   * of a thing contents are known from its next snapshot on.
   */
  shrink(sizeBytesMax: number): boolean {
    if (this.size().bytes <= sizeBytesMax) return false;
    const rows = this.#statements.oldest.all(DROPPED_AT_A_TIME) as OldestRow[];
    const last = rows.at(-1);
    if (last === undefined) return false;
    this.#statements.dropOldest.run(last.position);
    for (const [device, dropped] of Map.groupBy(rows, (row) => row.device)) {
      // A snapshot of the last one dropped is what the next begins with.
      this.#statements.dropSnapshots.run(device, dropped.at(-1)!.revision);
    }
    return true;
  }

  /** Drops all that is kept of a thing. */
  forget(device: string): void {
    this.#statements.dropRevisions.run(device, Number.MAX_SAFE_INTEGER);
    this.#statements.dropSnapshots.run(device, Number.MAX_SAFE_INTEGER);
  }

  /** A thing's content at a revision; `undefined` where that is not, or no longer, kept. */
  at(device: string, revision: number): PastContent | undefined {
    const start = this.#statements.snapshotBefore.get(device, revision) as
      | { revision: number; timeMs: number; content: string }
      | undefined;
    const from = start?.revision ?? 0;
    const rows = this.#revisions(this.#statements.range.all(device, from, revision));
    const last = rows.at(-1) ?? start;
    const complete = rows.length === 0 ? start !== undefined : rows[0]!.revision === from + 1;
    if (last?.revision !== revision || !complete) return undefined;
    let content: JsonValue | undefined =
      start === undefined ? undefined : (JSON.parse(start.content) as JsonValue);
    for (const { changes } of rows) content = applyChanges(content, changes);
    const there = isJsonObject(content) && Object.hasOwn(content, 'thingId');
    return { revision, timeMs: last.timeMs, content: there ? (content as JsonObject) : undefined };
  }

  /** The newest revision that a thing had at a time, by this node's clock. */
  revisionAt(device: string, timeMs: number): number | undefined {
    const row = this.#statements.atTime.get({ device, timeMs }) as { revision: number } | undefined;
    return row?.revision;
  }

  /** Revisions of one thing behind one of them, oldest first. */
  ofThing(device: string, after: number, countMax: number): StoredRevision[] {
    return this.#revisions(this.#statements.ofThing.all(device, after, countMax));
  }

  /** Revisions of all things behind a position, oldest first. */
  ofAll(after: number, countMax: number): StoredRevision[] {
    return this.#revisions(this.#statements.ofAll.all(after, countMax));
  }

  /** The positions of the oldest and the newest revision; 0 where there is none. */
  positions(): { oldest: number; newest: number } {
    return this.#statements.positions.get() as { oldest: number; newest: number };
  }

  #revisions(rows: unknown[]): StoredRevision[] {
    return (rows as RevisionRow[]).map((row) => ({ ...row, changes: JSON.parse(row.changes) }));
  }
}

function prepare(database: Database) {
  const columns = 'position, device, revision, time_ms AS timeMs, by, changes';
  return {
    insert: database.prepare(
      'INSERT INTO revisions (device, revision, time_ms, by, changes) VALUES (?, ?, ?, ?, ?)',
    ),
    snapshot: database.prepare('INSERT OR IGNORE INTO snapshots VALUES (?, ?, ?, ?)'),
    snapshotBefore: database.prepare(
      'SELECT revision, time_ms AS timeMs, content FROM snapshots ' +
        'WHERE device = ? AND revision <= ? ORDER BY revision DESC LIMIT 1',
    ),
    dropRevisions: database.prepare('DELETE FROM revisions WHERE device = ? AND revision <= ?'),
    dropSnapshots: database.prepare('DELETE FROM snapshots WHERE device = ? AND revision < ?'),
    size: database.prepare('SELECT bytes, removed FROM history_size'),
    oldest: database.prepare(
      'SELECT position, device, revision FROM revisions ORDER BY position LIMIT ?',
    ),
    dropOldest: database.prepare('DELETE FROM revisions WHERE position <= ?'),
    range: database.prepare(
      `SELECT ${columns} FROM revisions WHERE device = ? AND revision > ? AND revision <= ?
       ORDER BY revision`,
    ),
    ofThing: database.prepare(
      `SELECT ${columns} FROM revisions WHERE device = ? AND revision > ?
       ORDER BY revision LIMIT ?`,
    ),
    ofAll: database.prepare(
      `SELECT ${columns} FROM revisions WHERE position > ? ORDER BY position LIMIT ?`,
    ),
    atTime: database.prepare(
      `SELECT max(revision) AS revision FROM (
         SELECT revision FROM (
           SELECT revision FROM revisions WHERE device = :device AND time_ms <= :timeMs
           ORDER BY revision DESC LIMIT 1)
         UNION ALL
         SELECT revision FROM snapshots WHERE device = :device AND time_ms <= :timeMs)
       HAVING max(revision) IS NOT NULL`,
    ),
    positions: database.prepare(
      `SELECT coalesce((SELECT min(position) FROM revisions), 0) AS oldest,
              coalesce((SELECT max(position) FROM revisions), 0) AS newest`,
    ),
  };
}
