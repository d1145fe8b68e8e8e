import type { Database } from '#runtime/database/database.ts';
import { textToMark } from '#shared/twin/prediction/report-chain.ts';
import { qualities, type Sample } from '#shared/twin/sample.ts';

export interface StateRow {
  epoch: string;
  started_ms: number;
  produced: number;
  acknowledged: number;
  dropped: number;
}

export interface SampleRow {
  sequence: number;
  property: string;
  time_ms: number;
  value: number | null;
  quality: number;
  report: string | null;
}

/** All that an outbox asks of its file. */
export function prepareOutbox(database: Database) {
  const columns =
    'SELECT sequence, properties.name AS property, time_ms, value, quality, report ' +
    'FROM samples JOIN properties ON properties.id = property';
  return {
    begin: database.prepare('INSERT OR IGNORE INTO outbox VALUES (1, ?, ?, 0, 0, 1, 0)'),
    state: database.prepare('SELECT * FROM outbox'),
    save: database.prepare(
      'UPDATE outbox SET produced = :produced, acknowledged = :acknowledged, ' +
        'available = :available, dropped = :dropped',
    ),
    insert: database.prepare(
      'INSERT INTO samples (sequence, property, time_ms, value, quality, report) ' +
        'VALUES (:sequence, :property, :timeMs, :value, :quality, :report)',
    ),
    property: database.prepare(
      'INSERT INTO properties (name) VALUES (?) ' +
        'ON CONFLICT (name) DO UPDATE SET name = name RETURNING id',
    ),
    addProduced: database.prepare('UPDATE properties SET produced = produced + ? WHERE id = ?'),
    addDropped: database.prepare(
      'INSERT INTO drops VALUES (:epoch, :property, :rule, :count) ' +
        'ON CONFLICT DO UPDATE SET count = count + excluded.count',
    ),
    dropped: database.prepare(
      'SELECT name AS property, rule, count FROM drops JOIN properties ON id = property ' +
        'WHERE epoch = ? ORDER BY name, rule',
    ),
    countBetween: database
      .prepare('SELECT count(*) FROM samples WHERE sequence > ? AND sequence <= ?')
      .pluck(),
    oldestAfter: database.prepare('SELECT min(sequence) FROM samples WHERE sequence > ?').pluck(),
    heldAt: database
      .prepare('SELECT sequence FROM samples WHERE sequence > ? ORDER BY sequence LIMIT 1 OFFSET ?')
      .pluck(),
    ...prepareNewEpoch(database),
    producedOf: database.prepare('SELECT produced FROM properties WHERE name = ?'),
    removeThrough: database.prepare('DELETE FROM samples WHERE sequence <= ?'),
    following: database.prepare(`${columns} WHERE sequence > ? ORDER BY sequence LIMIT ?`),
    newestOf: database.prepare(
      `${columns} WHERE properties.name = ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?`,
    ),
  };
}

function prepareNewEpoch(database: Database) {
  return {
    shift: database.prepare('UPDATE samples SET sequence = sequence - :shared'),
    sequencesAfter: database
      .prepare('SELECT sequence FROM samples WHERE sequence > ? ORDER BY sequence')
      .pluck(),
    renumber: database.prepare('UPDATE samples SET sequence = ? WHERE sequence = ?'),
    addPastEpoch: database.prepare('INSERT INTO past_epochs VALUES (:epoch, :produced, :shared)'),
    setEpoch: database.prepare('UPDATE outbox SET epoch = ?'),
    resetThinned: database.prepare('UPDATE properties SET thinned = 0'),
  };
}

/** A sample as the outbox keeps it. */
export function rowToSample(row: SampleRow): Sample {
  return {
    sequence: row.sequence,
    property: row.property,
    timeMs: row.time_ms,
    value: row.value,
    quality: qualities[row.quality]!,
    ...textToMark(row.report),
  };
}
