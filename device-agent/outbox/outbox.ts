import { randomBytes } from 'node:crypto';
import { type Database, openDatabase } from '#runtime/database/database.ts';
import { assert } from '#shared/basics/assert.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { markToText, textToMark } from '#shared/twin/prediction/report-chain.ts';
import { qualities, type Sample } from '#shared/twin/sample.ts';
import { MeasuredRecord, type StoredValue } from './measured-record.ts';
import { outboxSchema } from './outbox-schema.ts';

export type NewSample = Omit<Sample, 'sequence'>;

export interface OutboxOptions {
  readonly file: string;
  /** Wall time now, for a new outbox to remember when its epoch began. */
  readonly nowMs: number;
  /** The most unacknowledged samples it holds; beyond that the oldest are dropped and counted. */
  readonly unacknowledgedMax: number;
  /** How many acknowledged samples stay for learning from. */
  readonly acknowledgedKept: number;
}

export interface OutboxCounts {
  /** Samples ever appended; the newest sequence. */
  readonly produced: number;
  /** Every sequence up to this one is safe at the edge node. */
  readonly acknowledged: number;
  /** The oldest sequence still to be delivered: those before are acknowledged or dropped. */
  readonly available: number;
  /** Samples given up undelivered because the outbox was full. */
  readonly dropped: number;
}

/**
 * The device's durable queue of samples. What `append` has returned for survives kill -9 and power
 * loss, stays until the edge node acknowledges it, and keeps its sequence for ever.
 */
export interface Outbox extends Disposable {
  /** 16 random hex digits, made with the file: sequences count within it. */
  readonly epoch: string;
  readonly startedMs: number;
  /**
   * Stores the samples in one transaction; values that are not finite become `null`. `measured` are
   * those of properties that are sent in part: all of them, for learning, and for nobody else.
   */
  append(samples: readonly NewSample[], measured?: readonly NewSample[]): void;
  /** Takes note that every sequence up to this one is safe at the edge node; never goes back. */
  acknowledge(sequence: number): void;
  counts(): OutboxCounts;
  /** The samples that follow `afterSequence`, oldest first. */
  following(afterSequence: number, countMax: number): Sample[];
  /** How many samples of one property were ever appended, sent or only measured. */
  producedOf(property: string): number;
  /**
   * The newest samples of one property that are to be sent, oldest first, acknowledged or not; up
   * to the sequence `through` where it is given.
   */
  newestOf(property: string, count: number, through?: number): Sample[];
  /** The device's own record of what it measured. */
  readonly measured: MeasuredRecord;
}

interface SampleRow {
  sequence: number;
  property: string;
  time_ms: number;
  value: number | null;
  quality: number;
  report: string | null;
}

/** Opens a device's outbox, and makes it where the file is new; errors of `openDatabase`. */
export function openOutbox(options: OutboxOptions): Outbox {
  const database = openDatabase(options.file, outboxSchema);
  return new SqliteOutbox(database, options);
}

class SqliteOutbox implements Outbox {
  readonly epoch: string;
  readonly startedMs: number;
  readonly measured: MeasuredRecord;
  readonly #database: Database;
  readonly #options: OutboxOptions;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #propertyIds = new Map<string, number>();
  #counts: OutboxCounts;

  constructor(database: Database, options: OutboxOptions) {
    this.#database = database;
    this.#options = options;
    this.#statements = prepare(database);
    this.#statements.begin.run(bytesToHex(randomBytes(8)), options.nowMs);
    const row = this.#statements.state.get() as OutboxCounts & {
      epoch: string;
      started_ms: number;
    };
    this.epoch = row.epoch;
    this.startedMs = row.started_ms;
    this.#counts = {
      produced: row.produced,
      acknowledged: row.acknowledged,
      available: row.available,
      dropped: row.dropped,
    };
    this.measured = new MeasuredRecord(database, { kept: options.acknowledgedKept, outbox: this });
  }

  append(samples: readonly NewSample[], measured: readonly NewSample[] = []): void {
    const before = this.#counts;
    const produced = before.produced + samples.length;
    const available = Math.max(before.available, produced - this.#options.unacknowledgedMax + 1);
    const dropped = before.dropped + available - before.available;
    const after = { ...before, produced, available, dropped };
    try {
      this.#database.transaction(() => {
        for (const [index, sample] of samples.entries()) {
          this.#insert(before.produced + 1 + index, sample);
        }
        for (const sample of measured) {
          this.measured.add(this.#stored(sample), produced);
        }
        this.#removeSpent(after);
        this.#statements.save.run(after);
      })();
    } catch (error) {
      this.#propertyIds.clear(); // some of them may have been rolled back
      throw error;
    }
    this.#counts = after;
  }

  acknowledge(sequence: number): void {
    assert(sequence <= this.#counts.produced, 'an acknowledged sample was produced here');
    if (sequence <= this.#counts.acknowledged) return;
    // Stored with the next append: an acknowledgement lost in a crash only has the samples behind
    // it sent once more.
    const available = Math.max(this.#counts.available, sequence + 1);
    this.#counts = { ...this.#counts, acknowledged: sequence, available };
  }

  counts(): OutboxCounts {
    return this.#counts;
  }

  following(afterSequence: number, countMax: number): Sample[] {
    const rows = this.#statements.following.all(afterSequence, countMax) as SampleRow[];
    return rows.map(rowToSample);
  }

  producedOf(property: string): number {
    const row = this.#statements.producedOf.get(property) as { produced: number } | undefined;
    return row?.produced ?? 0;
  }

  newestOf(property: string, count: number, through = Number.MAX_SAFE_INTEGER): Sample[] {
    const rows = this.#statements.newestOf.all(property, through, count) as SampleRow[];
    return rows.reverse().map(rowToSample);
  }

  [Symbol.dispose](): void {
    this.#statements.save.run(this.#counts);
    this.#database.close();
  }

  #insert(sequence: number, sample: NewSample): void {
    const report = markToText(sample.report);
    this.#statements.insert.run({ sequence, ...this.#stored(sample), report });
  }

  #stored({ property, timeMs, value, quality }: NewSample): StoredValue {
    const usable = value !== null && Number.isFinite(value);
    const stored = !usable && quality === 'ok' ? 'range' : quality;
    return {
      property: this.#propertyId(property),
      timeMs,
      value: usable ? value : null,
      quality: qualities.indexOf(stored),
    };
  }

  #propertyId(property: string): number {
    const known = this.#propertyIds.get(property);
    if (known !== undefined) return known;
    const { id } = this.#statements.property.get(property) as { id: number };
    this.#propertyIds.set(property, id);
    return id;
  }

  #removeSpent({ produced, acknowledged, available, dropped }: OutboxCounts): void {
    const spent = Math.min(acknowledged, produced - this.#options.acknowledgedKept);
    const full = dropped > this.#counts.dropped ? available - 1 : 0;
    this.#statements.removeThrough.run(Math.max(spent, full));
  }
}

function prepare(database: Database) {
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
    producedOf: database.prepare('SELECT produced FROM properties WHERE name = ?'),
    removeThrough: database.prepare('DELETE FROM samples WHERE sequence <= ?'),
    following: database.prepare(`${columns} WHERE sequence > ? ORDER BY sequence LIMIT ?`),
    newestOf: database.prepare(
      `${columns} WHERE properties.name = ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?`,
    ),
  };
}

function rowToSample(row: SampleRow): Sample {
  return {
    sequence: row.sequence,
    property: row.property,
    timeMs: row.time_ms,
    value: row.value,
    quality: qualities[row.quality]!,
    ...textToMark(row.report),
  };
}
