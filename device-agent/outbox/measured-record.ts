import type { Database } from '#runtime/database/database.ts';
import { qualities, type Sample } from '#shared/twin/sample.ts';

/** One measurement as the tables keep it. */
export interface StoredValue {
  /** Its id among the outbox's properties. */
  readonly property: number;
  readonly timeMs: number;
  readonly value: number | null;
  /** Its index among the qualities. */
  readonly quality: number;
}

/** What was measured of a property, sent or not. */
export type Measurement = Pick<Sample, 'timeMs' | 'value' | 'quality'>;

interface MeasuredRow {
  /** The newest sequence of the outbox when it was measured; its own where it was sent. */
  readonly at: number;
  readonly timeMs: number;
  readonly value: number | null;
  readonly quality: number;
  readonly report: string | null;
}

interface MeasuredOptions {
  /** So many measurements that were not all sent are kept, over all properties. */
  readonly kept: number;
  readonly outbox: { counts(): { readonly produced: number } };
}

/** Before every sequence there is. */
const BEGINNING = Number.MIN_SAFE_INTEGER;

/**
 * What the device measured, in the tables of its outbox: samples that were sent, and of properties
 * that are sent in part all measurements, the newest of them. Writes belong into a transaction of
 * the outbox's.
 */
export class MeasuredRecord {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #options: MeasuredOptions;

  constructor(database: Database, options: MeasuredOptions) {
    this.#statements = prepare(database);
    this.#options = options;
  }

  /** Keeps one measurement; `produced` is the newest sequence once the transaction is through. */
  add(measurement: StoredValue, produced: number): void {
    const { lastInsertRowid } = this.#statements.insert.run({ ...measurement, produced });
    // The newest stays in any case: ids go on from it.
    const kept = Math.max(1, this.#options.kept);
    this.#statements.removeThrough.run(Number(lastInsertRowid) - kept);
  }

  /** A mark up to which the same is found again within the epoch, whatever comes behind it. */
  mark(): number {
    const { newest } = this.#statements.newestId.get() as { newest: number };
    return this.#options.outbox.counts().produced + newest;
  }

  /** The newest measurements of a property, oldest first; up to a {@link mark} where given. */
  newestOf(property: string, count: number, mark = Number.MAX_SAFE_INTEGER): Measurement[] {
    // Sequences and ids only grow, so their sum tells which of either had been given out by then.
    const { id } = this.#statements.idAtMark.get(mark) as { id: number };
    const through = mark - id;
    const measured = this.#statements.measured.all({ property, id, count }) as MeasuredRow[];
    const [last, first] = [measured[0], measured.at(-1)];
    const sent = (after: number, upTo: number) =>
      (this.#statements.sent.all({ property, after, upTo, count }) as MeasuredRow[]).filter(
        ({ report }) => report === null,
      );
    // Before the property was first sent in part, and after it was for the last time.
    const rows =
      last === undefined || first === undefined
        ? sent(BEGINNING, through)
        : [...sent(last.at, through), ...measured, ...sent(BEGINNING, Math.min(first.at, through))];
    return rows.slice(0, count).reverse().map(rowToMeasurement);
  }
}

function rowToMeasurement({ timeMs, value, quality }: MeasuredRow): Measurement {
  return { timeMs, value, quality: qualities[quality]! };
}

function prepare(database: Database) {
  const ofProperty = 'property = (SELECT id FROM properties WHERE name = :property)';
  return {
    insert: database.prepare(
      'INSERT INTO measured (property, time_ms, value, quality, produced) ' +
        'VALUES (:property, :timeMs, :value, :quality, :produced)',
    ),
    removeThrough: database.prepare('DELETE FROM measured WHERE id <= ?'),
    newestId: database.prepare('SELECT coalesce(max(id), 0) AS newest FROM measured'),
    idAtMark: database.prepare(
      `SELECT coalesce(
         (SELECT id FROM measured WHERE id + produced <= ? ORDER BY id DESC LIMIT 1), 0) AS id`,
    ),
    measured: database.prepare(
      `SELECT produced AS at, time_ms AS timeMs, value, quality, NULL AS report FROM measured
       WHERE ${ofProperty} AND id <= :id ORDER BY id DESC LIMIT :count`,
    ),
    sent: database.prepare(
      `SELECT sequence AS at, time_ms AS timeMs, value, quality, report FROM samples
       WHERE ${ofProperty} AND sequence > :after AND sequence <= :upTo
       ORDER BY sequence DESC LIMIT :count`,
    ),
  };
}
