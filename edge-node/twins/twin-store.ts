import { type Database, openDatabase } from '#runtime/database/database.ts';
import { qualities, type Sample } from '#shared/twin/sample.ts';
import { admitSamples, emptyStream } from '#shared/twin/sample-stream.ts';
import { newTwin, reduceTwin, type Twin, type TwinInput } from '#shared/twin/twin.ts';
import type { CommittedMessage, DataMessage } from '#shared/wire/telemetry.ts';
import { twinSchema } from './twin-schema.ts';

/** A device that invents names without end must not grow its twin without end. */
const PROPERTIES_PER_DEVICE_MAX = 1000;

export interface Delivery {
  readonly device: string;
  readonly message: DataMessage;
}

export interface Acknowledgement {
  readonly device: string;
  readonly committed: CommittedMessage;
}

interface StreamRow {
  id: number;
  committed: number;
  absent: number;
}

/**
 * The twins and every sample behind them, in one SQLite file with one writer. What a method has
 * returned for is committed.
 */
export class TwinStore implements Disposable {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #twins = new Map<string, Twin>();
  readonly #propertyIds = new Map<string, Map<string, number>>();
  readonly #samplesByDevice: Map<string, number>;

  constructor(file: string) {
    this.#database = openDatabase(file, twinSchema);
    this.#statements = prepare(this.#database);
    for (const { state } of this.#statements.twins.all() as { state: string }[]) {
      const twin = JSON.parse(state) as Twin;
      // Nobody is connected to a node that has just started; presence will tell.
      this.#twins.set(twin.device, { ...twin, online: false });
    }
    const counts = this.#statements.sampleCounts.all() as { device: string; count: number }[];
    this.#samplesByDevice = new Map(counts.map(({ device, count }) => [device, count]));
  }

  /** All twins, in the order of their devices' names. */
  all(): Twin[] {
    return [...this.#twins.values()].sort((a, b) => (a.device < b.device ? -1 : 1));
  }

  get(device: string): Twin | undefined {
    return this.#twins.get(device);
  }

  get size(): number {
    return this.#twins.size;
  }

  /** How many samples of a device the file holds. */
  samplesOf(device: string): number {
    return this.#samplesByDevice.get(device) ?? 0;
  }

  /** How far one epoch of a device's outbox is committed. */
  committed(device: string, epoch: string): CommittedMessage {
    const row = this.#statements.stream.get(device, epoch) as StreamRow | undefined;
    return { v: 1, epoch, sequence: row?.committed ?? 0 };
  }

  /**
   * Commits deliveries with the twins they change, in one transaction; each sample once, however
   * often it comes. Returns the newest acknowledgement per device and epoch. Samples of more than
   * 1,000 properties a device are not stored: they count as absent.
   */
  commit(deliveries: readonly Delivery[], nowMs: number): Acknowledgement[] {
    const changed = new Map<string, Twin>();
    const acknowledgements = new Map<string, Acknowledgement>();
    const stored = new Map<string, number>();
    this.#inTransaction(() => {
      for (const { device, message } of deliveries) {
        const { samples, committed } = this.#store(device, message);
        if (samples.length > 0) {
          const before = changed.get(device) ?? this.#twins.get(device) ?? newTwin(device);
          changed.set(device, reduceTwin(before, { kind: 'samples', samples, nowMs }));
        }
        stored.set(device, (stored.get(device) ?? 0) + samples.length);
        acknowledgements.set(`${device}/${message.epoch}`, {
          device,
          committed: { v: 1, epoch: message.epoch, sequence: committed },
        });
      }
      for (const twin of changed.values()) this.#save(twin);
    });
    for (const [device, twin] of changed) this.#twins.set(device, twin);
    for (const [device, count] of stored) {
      this.#samplesByDevice.set(device, this.samplesOf(device) + count);
    }
    return [...acknowledgements.values()];
  }

  /** Commits one change of a twin that is not made of samples. */
  change(device: string, input: TwinInput): Twin {
    const twin = reduceTwin(this.#twins.get(device) ?? newTwin(device), input);
    this.#save(twin);
    this.#twins.set(device, twin);
    return twin;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #inTransaction(work: () => void): void {
    try {
      this.#database.transaction(work)();
    } catch (error) {
      this.#propertyIds.clear(); // some of them may have been rolled back
      throw error;
    }
  }

  #store(device: string, message: DataMessage): { samples: Sample[]; committed: number } {
    const { epoch } = message;
    this.#statements.beginStream.run({ device, epoch, ...emptyStream });
    const row = this.#statements.stream.get(device, epoch) as StreamRow;
    const { stream, fresh } = admitSamples(row, message);
    const samples = fresh.filter((sample) => this.#insert(row.id, device, sample));
    const absent = stream.absent + fresh.length - samples.length;
    this.#statements.saveStream.run(stream.committed, absent, row.id);
    return { samples, committed: stream.committed };
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

  #save(twin: Twin): void {
    this.#statements.saveTwin.run(twin.device, JSON.stringify(twin));
  }
}

function prepare(database: Database) {
  return {
    twins: database.prepare('SELECT state FROM twins'),
    sampleCounts: database.prepare(
      'SELECT device, sum(committed - absent) AS count FROM streams GROUP BY device',
    ),
    stream: database.prepare(
      'SELECT id, committed, absent FROM streams WHERE device = ? AND epoch = ?',
    ),
    beginStream: database.prepare(
      'INSERT OR IGNORE INTO streams (device, epoch, committed, absent) ' +
        'VALUES (:device, :epoch, :committed, :absent)',
    ),
    saveStream: database.prepare('UPDATE streams SET committed = ?, absent = ? WHERE id = ?'),
    properties: database.prepare('SELECT id, name FROM properties WHERE device = ?'),
    insertProperty: database.prepare('INSERT INTO properties (device, name) VALUES (?, ?)'),
    insertSample: database.prepare(
      'INSERT INTO samples VALUES (:stream, :sequence, :property, :timeMs, :value, :quality)',
    ),
    saveTwin: database.prepare(
      'INSERT INTO twins VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET state = excluded.state',
    ),
  };
}
