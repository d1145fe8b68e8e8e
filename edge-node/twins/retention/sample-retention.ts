import type { Database } from '#runtime/database/database.ts';
import { type RetentionConfig, retentionRules } from './retention-config.ts';

/** A mark says what had come by when; between two of them nobody knows. */
const MARK_PERIOD_MS = 3_600_000;
const MARK_PERIOD_SAMPLES = 2000;
/** Rows looked at in one transaction: it must not hold up those that acknowledge. */
const SLICE_ROWS = 500;
/** Of each property so many of the newest stay, whatever their age: predictions begin with them. */
const NEWEST_KEPT = 100;

/** Samples of one step, of which nothing else is left. */
export interface RollUp {
  readonly timeMs: number;
  readonly stepMs: number;
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
}

interface Mark {
  readonly stream: number;
  readonly sequence: number;
  readonly receivedMs: number;
}

interface SampleRow {
  readonly sequence: number;
  readonly property: number;
  readonly timeMs: number;
  readonly value: number | null;
}

/** The oldest sample of a property that stays in any case. */
type Kept = Pick<SampleRow, 'timeMs' | 'sequence'> & { readonly stream: number };

/** By time of measurement; where the device's clock stood still, by the order they came in. */
function isBefore(stream: number, { timeMs, sequence }: SampleRow, kept: Kept): boolean {
  if (timeMs !== kept.timeMs) return timeMs < kept.timeMs;
  return stream === kept.stream ? sequence < kept.sequence : stream < kept.stream;
}

/** How far a rule has been carried out: through the marks in their order, or within one of them. */
type Progress = Mark;

const BEGINNING: Progress = { receivedMs: -1, stream: -1, sequence: 0 };

/**
 * Takes samples out of the twin store's file again, by age and by size, and keeps of them what
 * {@link RollUp} says. An age counts from when the samples came, whatever the device's clock said.
 * Only what is committed has a mark, and nothing before a mark is waited for. Writes belong into a
 * transaction of the caller's.
 */
export class SampleRetention {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #config: RetentionConfig;
  readonly #rules: ReturnType<typeof retentionRules>;
  /** The newest mark of each device. */
  readonly #marked = new Map<string, { epoch: string; sequence: number; atMs: number }>();
  readonly #progressKeys: readonly string[];
  /** When the streams were last looked through for what came behind their newest marks. */
  #tailsMs = Number.NEGATIVE_INFINITY;

  constructor(database: Database, config: RetentionConfig) {
    this.#statements = prepare(database);
    this.#config = config;
    this.#rules = retentionRules(config);
    // Of other rules than these nothing is known: they begin at the beginning.
    const all = JSON.stringify([config.rules, config.ageHours ?? null]);
    this.#progressKeys = this.#rules.map((_, index) => `${index} of ${all}`);
    this.#statements.forgetProgress.run(JSON.stringify(this.#progressKeys));
  }

  /** To be told of what is committed, in its transaction. */
  note(device: string, committed: { epoch: string; sequence: number }, nowMs: number): void {
    const { epoch, sequence } = committed;
    const known = this.#marked.get(device);
    const isDue =
      known?.epoch !== epoch ||
      sequence - known.sequence >= MARK_PERIOD_SAMPLES ||
      nowMs - known.atMs >= MARK_PERIOD_MS;
    if (!isDue || sequence === 0) return;
    this.#statements.mark.run({ device, epoch, sequence, nowMs });
    this.#marked.set(device, { epoch, sequence, atMs: nowMs });
  }

  /** Does a small piece of what is to be done; whether there may be more. */
  sweep(nowMs: number): boolean {
    if (Math.abs(nowMs - this.#tailsMs) >= MARK_PERIOD_MS) {
      // A stream that has ended, with its device or its epoch, gets no mark by what comes next.
      this.#statements.markTails.run(nowMs);
      this.#tailsMs = nowMs;
    }
    const byAge = this.#rules.map((_, index) => this.#sweepByAge(index, nowMs));
    if (byAge.includes(true)) return true;
    this.#forgetMarks();
    return this.usedBytes() > this.#config.sizeBytesMax && this.#sweepBySize();
  }

  /** How many samples were removed over all devices. */
  removed(): number {
    return this.#statements.removed.get() as number;
  }

  /** Bytes of the database that hold something. */
  usedBytes(): number {
    return this.#statements.usedBytes.get() as number;
  }

  /** Bytes of the file; what is not used is used again. */
  fileBytes(): number {
    return this.#statements.fileBytes.get() as number;
  }

  /** What is left of one property's removed samples, by time; `countMax` steps at most. */
  rollUps(
    { device, property }: { device: string; property: string },
    { fromMs, toMs, countMax }: { fromMs: number; toMs: number; countMax: number },
  ): RollUp[] {
    const range = { device, property, fromMs, toMs, countMax };
    return this.#statements.rollUps.all(range) as RollUp[];
  }

  #sweepByAge(rule: number, nowMs: number): boolean {
    const { ageMs } = this.#rules[rule]!;
    if (!Number.isFinite(ageMs)) return false;
    const key = this.#progressKeys[rule]!;
    const progress = (this.#statements.progress.get(key) as Progress | undefined) ?? BEGINNING;
    const due = { ...progress, dueMs: nowMs - ageMs };
    const mark = this.#statements.nextMark.get(due) as Mark | undefined;
    if (mark === undefined) return false;
    const isBegun = progress.stream === mark.stream && progress.receivedMs === mark.receivedMs;
    const after = isBegun ? progress.sequence : this.#markBefore(mark);
    const reached = this.#removeSlice(mark, after, (name) => this.#ruleOf(name) === rule);
    this.#statements.saveProgress.run({ key, ...mark, sequence: reached });
    return true;
  }

  #sweepBySize(): boolean {
    const mark = this.#statements.oldestMark.get() as Mark | undefined;
    if (mark === undefined) return false;
    const progress = this.#statements.progress.get('size') as Progress | undefined;
    const after = progress?.stream === mark.stream ? progress.sequence : 0;
    const reached = this.#removeSlice(mark, after, () => true);
    const isDone = reached === mark.sequence;
    if (isDone) this.#statements.dropMark.run(mark);
    const next = isDone ? BEGINNING : { ...mark, sequence: reached };
    this.#statements.saveProgress.run({ key: 'size', ...next });
    return true;
  }

  #markBefore({ stream, sequence }: Mark): number {
    return this.#statements.markBefore.get(stream, sequence) as number;
  }

  /** Up to which sequence it is done. */
  #removeSlice(
    { stream, sequence }: Mark,
    after: number,
    isMeant: (property: string) => boolean,
  ): number {
    const rows = this.#statements.slice.all(stream, after, sequence, SLICE_ROWS) as SampleRow[];
    let removed = 0;
    for (const [property, samples] of Map.groupBy(rows, (row) => row.property)) {
      const name = this.#statements.propertyName.get(property) as string;
      if (!isMeant(name)) continue;
      const kept = this.#statements.keptFrom.get(property, NEWEST_KEPT - 1) as Kept | undefined;
      const old = kept === undefined ? [] : samples.filter((each) => isBefore(stream, each, kept));
      this.#rollUp(property, old, this.#rules[this.#ruleOf(name)]!.stepMs);
      for (const each of old) this.#statements.remove.run(stream, each.sequence);
      removed += old.length;
    }
    if (removed > 0) this.#statements.countRemoved.run(removed, stream);
    return rows.length < SLICE_ROWS ? sequence : rows.at(-1)!.sequence;
  }

  #rollUp(property: number, samples: readonly SampleRow[], stepMs: number): void {
    const steps = Map.groupBy(samples, ({ timeMs }) => Math.floor(timeMs / stepMs) * stepMs);
    for (const [timeMs, within] of steps) {
      const values = within.flatMap(({ value }) => (value === null ? [] : [value]));
      if (values.length === 0) continue;
      const mean = values.reduce((sum, value) => sum + value / values.length, 0);
      const [min, max] = [Math.min(...values), Math.max(...values)];
      const row = { property, timeMs, stepMs, count: values.length, mean, min, max };
      this.#statements.addRollUp.run(row);
    }
  }

  #ruleOf(property: string): number {
    return this.#rules.findIndex(({ matches }) => matches(property));
  }

  /** Marks that every rule has passed: no rule comes to them again. */
  #forgetMarks(): void {
    if (this.#rules.some(({ ageMs }) => !Number.isFinite(ageMs))) return;
    const all = this.#progressKeys.map(
      (key) => (this.#statements.progress.get(key) as Progress | undefined) ?? BEGINNING,
    );
    const receivedMs = Math.min(...all.map((progress) => progress.receivedMs));
    if (this.#statements.hasMarkBefore.get(receivedMs) === 1) {
      this.#statements.dropMarksBefore.run(receivedMs);
    }
  }
}

function prepare(database: Database) {
  const pages = (count: string) =>
    database.prepare(`SELECT (${count}) * page_size FROM pragma_page_size`).pluck();
  return {
    ...prepareMarks(database),
    ...prepareSamples(database),
    usedBytes: pages(
      `(SELECT page_count FROM pragma_page_count)
       - (SELECT freelist_count FROM pragma_freelist_count)`,
    ),
    fileBytes: pages('SELECT page_count FROM pragma_page_count'),
  };
}

function prepareMarks(database: Database) {
  const mark = 'stream, sequence, received_ms AS receivedMs';
  return {
    mark: database.prepare(
      `INSERT INTO marks (stream, sequence, received_ms)
       SELECT id, :sequence, :nowMs FROM streams WHERE device = :device AND epoch = :epoch
       ON CONFLICT DO NOTHING`,
    ),
    markTails: database.prepare(
      `INSERT INTO marks (stream, sequence, received_ms)
       SELECT id, committed, ? FROM (
         SELECT id, committed,
           (SELECT coalesce(max(sequence), 0) FROM marks WHERE stream = streams.id) AS marked
         FROM streams
       ) WHERE committed > marked
         AND EXISTS (SELECT 1 FROM samples WHERE stream = id AND sequence > marked)`,
    ),
    nextMark: database.prepare(
      `SELECT ${mark} FROM marks
       WHERE (received_ms, stream, sequence) > (:receivedMs, :stream, :sequence)
         AND received_ms <= :dueMs
       ORDER BY received_ms, stream, sequence LIMIT 1`,
    ),
    oldestMark: database.prepare(
      `SELECT ${mark} FROM marks ORDER BY received_ms, stream, sequence LIMIT 1`,
    ),
    markBefore: database
      .prepare('SELECT coalesce(max(sequence), 0) FROM marks WHERE stream = ? AND sequence < ?')
      .pluck(),
    dropMark: database.prepare(
      'DELETE FROM marks WHERE stream = :stream AND sequence <= :sequence',
    ),
    hasMarkBefore: database
      .prepare('SELECT EXISTS (SELECT 1 FROM marks WHERE received_ms < ?)')
      .pluck(),
    // The newest of a stream says how far its samples have marks.
    dropMarksBefore: database.prepare(
      `DELETE FROM marks WHERE received_ms < ? AND sequence <
         (SELECT max(sequence) FROM marks AS newer WHERE newer.stream = marks.stream)`,
    ),
    progress: database.prepare(
      `SELECT received_ms AS receivedMs, stream, sequence FROM retention_progress WHERE rule = ?`,
    ),
    saveProgress: database.prepare(
      `INSERT OR REPLACE INTO retention_progress VALUES (:key, :receivedMs, :stream, :sequence)`,
    ),
    forgetProgress: database.prepare(
      `DELETE FROM retention_progress WHERE rule <> 'size'
       AND rule NOT IN (SELECT value FROM json_each(?))`,
    ),
  };
}

function prepareSamples(database: Database) {
  const sample = 'sequence, property, time_ms AS timeMs, value';
  return {
    slice: database.prepare(
      `SELECT ${sample} FROM samples WHERE stream = ? AND sequence > ? AND sequence <= ?
       ORDER BY sequence LIMIT ?`,
    ),
    propertyName: database.prepare('SELECT name FROM properties WHERE id = ?').pluck(),
    keptFrom: database.prepare(
      `SELECT time_ms AS timeMs, stream, sequence FROM samples WHERE property = ?
       ORDER BY time_ms DESC, stream DESC, sequence DESC LIMIT 1 OFFSET ?`,
    ),
    remove: database.prepare('DELETE FROM samples WHERE stream = ? AND sequence = ?'),
    countRemoved: database.prepare('UPDATE streams SET removed = removed + ? WHERE id = ?'),
    removed: database.prepare('SELECT coalesce(sum(removed), 0) FROM streams').pluck(),
    addRollUp: database.prepare(
      `INSERT INTO roll_ups VALUES (:property, :timeMs, :stepMs, :count, :mean, :min, :max)
       ON CONFLICT DO UPDATE SET
         mean = mean + (excluded.mean - mean) * excluded.count / (count + excluded.count),
         count = count + excluded.count,
         min = min(min, excluded.min), max = max(max, excluded.max)`,
    ),
    rollUps: database.prepare(
      `SELECT time_ms AS timeMs, step_ms AS stepMs, count, mean, min, max FROM roll_ups
       WHERE property = (SELECT id FROM properties WHERE device = :device AND name = :property)
         AND time_ms >= :fromMs AND time_ms < :toMs
       ORDER BY time_ms LIMIT :countMax`,
    ),
  };
}
