import type { Database } from '#runtime/database/database.ts';
import { markToText } from '#shared/twin/prediction/report-chain.ts';
import { qualities, type Sample } from '#shared/twin/sample.ts';
import {
  admitSamples,
  type DropCount,
  type DropRule,
  type StreamRun,
} from '#shared/twin/sample-stream.ts';
import type { DataMessage } from '#shared/wire/telemetry.ts';

/** A device that invents names without end must not grow the file's tables without end. */
const PROPERTIES_PER_DEVICE_MAX = 1000;

interface StreamRow {
  id: number;
  committed: number;
  absent: number;
  generation: number;
  /** A JSON list of its newest {@link StreamRun}s. */
  runs: string;
}

interface DroppedRow {
  device: string;
  rule: DropRule;
  count: number;
}

/** How far a stream is accounted for, and from which runs of the device's agent it is. */
export interface StreamPosition {
  readonly sequence: number;
  readonly runs: readonly StreamRun[];
}

/** What of one message was new. */
export interface StoredSamples {
  readonly samples: readonly Sample[];
  /** Every sequence of the epoch up to it is accounted for. */
  readonly committed: number;
  readonly runs: readonly StreamRun[];
  readonly generation: number;
}

/**
 * Every sample that devices sent, once each, in the tables of the twin store's file. Writes belong
 * into a transaction of the caller's.
 */
export class SampleStore {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #propertyIds = new Map<string, Map<string, number>>();

  constructor(database: Database) {
    this.#statements = prepare(database);
  }

  /** How many samples the file holds, by device. */
  counts(): Map<string, number> {
    const rows = this.#statements.sampleCounts.all() as { device: string; count: number }[];
    return new Map(rows.map(({ device, count }) => [device, count]));
  }

  /** Up to which sequence one epoch of a device's outbox is accounted for. */
  position(device: string, epoch: string): StreamPosition {
    const row = this.#stream(device, epoch);
    return { sequence: row?.committed ?? 0, runs: row === undefined ? [] : runsOf(row) };
  }

  /** How many samples devices gave up, by device and rule, over all epochs; as they say. */
  dropped(): Map<string, Partial<Record<DropRule, number>>> {
    const rows = this.#statements.dropped.all() as DroppedRow[];
    return new Map(
      [...Map.groupBy(rows, ({ device }) => device)].map(([device, counts]) => [
        device,
        Object.fromEntries(counts.map(({ rule, count }) => [rule, count])),
      ]),
    );
  }

  /** The same of one device; empty where it gave up none. */
  droppedOf(device: string): Partial<Record<DropRule, number>> {
    const rows = this.#statements.droppedOf.all(device) as DroppedRow[];
    return Object.fromEntries(rows.map(({ rule, count }) => [rule, count]));
  }

  /** The epoch that a device announced last, and how far it is accounted for. */
  newestEpoch(
    device: string,
  ): { epoch: string; generation: number; committed: number } | undefined {
    return this.#statements.newestStream.get(device) as ReturnType<SampleStore['newestEpoch']>;
  }

  /**
   * Makes an epoch the device's newest, one generation on where another one was: epochs are random
   * names, and which of two came later only their host knows.
   */
  beginEpoch(device: string, epoch: string): void {
    const newest = this.newestEpoch(device);
    if (newest?.epoch === epoch) return;
    const generation = (newest?.generation ?? 0) + 1;
    this.#statements.beginStream.run({ device, epoch, generation });
  }

  /** Takes what of a message continues its stream; see {@link admitSamples}. */
  store(device: string, message: DataMessage): StoredSamples {
    const { epoch } = message;
    if (this.#stream(device, epoch) === undefined) this.beginEpoch(device, epoch);
    const { id, generation, ...row } = this.#stream(device, epoch)!;
    const before = { ...row, runs: runsOf(row) };
    const { stream, fresh, foreign } = admitSamples(before, message);
    const samples = fresh.filter((sample) => this.#insert(id, device, sample));
    const { committed, runs } = stream;
    if (!foreign) {
      const absent = stream.absent + fresh.length - samples.length;
      const runsText = runs === before.runs ? row.runs : JSON.stringify(runs);
      this.#statements.saveStream.run(committed, absent, runsText, id);
      for (const each of message.dropped ?? []) this.#saveDropped(id, device, each);
    }
    return { samples, committed, runs, generation };
  }

  /** One property's samples from a time on and before another, by time; `countMax` at most. */
  between(
    { device, property }: { device: string; property: string },
    { fromMs, toMs, countMax }: { fromMs: number; toMs: number; countMax: number },
  ): { timeMs: number; value: number | null }[] {
    const range = { device, property, fromMs, toMs, countMax };
    return this.#statements.samplesBetween.all(range) as ReturnType<SampleStore['between']>;
  }

  /** To be called after a rollback: some of the names may not be in the file. */
  forgetNames(): void {
    this.#propertyIds.clear();
  }

  #stream(device: string, epoch: string): StreamRow | undefined {
    return this.#statements.stream.get(device, epoch) as StreamRow | undefined;
  }

  #saveDropped(stream: number, device: string, { property, rule, count }: DropCount): void {
    if (this.#propertyId(device, property) === undefined) return;
    this.#statements.saveDropped.run({ stream, property, rule, count });
  }

  #insert(stream: number, device: string, sample: Sample): boolean {
    const property = this.#propertyId(device, sample.property);
    if (property === undefined) return false;
    this.#statements.insertSample.run({
      stream,
      sequence: sample.sequence,
      property,
      timeMs: sample.timeMs,
      value: sample.value,
      quality: qualities.indexOf(sample.quality),
      report: markToText(sample.report),
    });
    return true;
  }

  #propertyId(device: string, name: string): number | undefined {
    const ids = this.#propertyIds.get(device) ?? this.#loadPropertyIds(device);
    const known = ids.get(name);
    if (known !== undefined || ids.size >= PROPERTIES_PER_DEVICE_MAX) return known;
    const id = Number(this.#statements.insertProperty.run(device, name).lastInsertRowid);
    ids.set(name, id);
    return id;
  }

  #loadPropertyIds(device: string): Map<string, number> {
    const rows = this.#statements.properties.all(device) as { id: number; name: string }[];
    const ids = new Map(rows.map(({ id, name }) => [name, id]));
    this.#propertyIds.set(device, ids);
    return ids;
  }
}

function prepare(database: Database) {
  return {
    sampleCounts: database.prepare(
      'SELECT device, sum(committed - absent) AS count FROM streams GROUP BY device',
    ),
    stream: database.prepare(
      'SELECT id, committed, absent, generation, runs FROM streams ' +
        'WHERE device = ? AND epoch = ?',
    ),
    newestStream: database.prepare(
      'SELECT epoch, generation, committed FROM streams WHERE device = ? ' +
        'ORDER BY generation DESC LIMIT 1',
    ),
    beginStream: database.prepare(
      'INSERT INTO streams (device, epoch, committed, absent, generation) ' +
        'VALUES (:device, :epoch, 0, 0, :generation) ' +
        'ON CONFLICT (device, epoch) DO UPDATE SET generation = excluded.generation',
    ),
    saveStream: database.prepare(
      'UPDATE streams SET committed = ?, absent = ?, runs = ? WHERE id = ?',
    ),
    saveDropped: database.prepare(
      'INSERT INTO drops (stream, property, rule, count) ' +
        'VALUES (:stream, :property, :rule, :count) ' +
        'ON CONFLICT DO UPDATE SET count = max(count, excluded.count)',
    ),
    droppedOf: database.prepare(
      'SELECT rule, sum(count) AS count FROM drops ' +
        'WHERE stream IN (SELECT id FROM streams WHERE device = ?) GROUP BY rule ORDER BY rule',
    ),
    dropped: database.prepare(
      'SELECT device, rule, sum(count) AS count FROM drops JOIN streams ON streams.id = stream ' +
        'GROUP BY device, rule ORDER BY device, rule',
    ),
    properties: database.prepare('SELECT id, name FROM properties WHERE device = ?'),
    insertProperty: database.prepare('INSERT INTO properties (device, name) VALUES (?, ?)'),
    insertSample: database.prepare(
      `INSERT INTO samples (stream, sequence, property, time_ms, value, quality, report)
       VALUES (:stream, :sequence, :property, :timeMs, :value, :quality, :report)`,
    ),
    samplesBetween: database.prepare(
      `SELECT time_ms AS timeMs, value FROM samples
       WHERE property = (SELECT id FROM properties WHERE device = :device AND name = :property)
         AND time_ms >= :fromMs AND time_ms < :toMs
       ORDER BY time_ms LIMIT :countMax`,
    ),
  };
}

function runsOf({ runs }: Pick<StreamRow, 'runs'>): readonly StreamRun[] {
  return JSON.parse(runs) as StreamRun[];
}
