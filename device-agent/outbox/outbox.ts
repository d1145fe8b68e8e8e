import { randomBytes } from 'node:crypto';
import { type Database, isDiskFull, openDatabase } from '#runtime/database/database.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { markToText } from '#shared/twin/prediction/report-chain.ts';
import { qualities, type Sample } from '#shared/twin/sample.ts';
import { type DropCount, type StreamRun, sharedThrough } from '#shared/twin/sample-stream.ts';
import { MeasuredRecord, type StoredValue } from './measured-record.ts';
import { outboxSchema } from './outbox-schema.ts';
import { prepareOutbox, rowToSample, type SampleRow, type StateRow } from './outbox-statements.ts';
import { type Dropped, Quota, type QuotaRule } from './quota.ts';
import { RunRecord } from './run-record.ts';

export type NewSample = Omit<Sample, 'sequence'>;

export interface OutboxOptions {
  readonly file: string;
  /** Wall time now, for a new outbox to remember when its epoch began. */
  readonly nowMs: number;
  /** The most unacknowledged samples it holds; beyond that some are dropped and counted. */
  readonly unacknowledgedMax: number;
  /** The most that its file may take, give or take a sixteenth; 512 MiB where left out. */
  readonly sizeBytesMax?: number;
  /** What is dropped of which property; the oldest where none matches. */
  readonly rules?: readonly QuotaRule[];
  /** How many acknowledged samples stay for learning from. */
  readonly acknowledgedKept: number;
}

export interface OutboxCounts {
  /** Samples produced in this epoch; the newest sequence. */
  readonly produced: number;
  /** Every sequence up to this one is safe at the edge node. */
  readonly acknowledged: number;
  /** The oldest sequence still to be delivered; those before are acknowledged or dropped. */
  readonly available: number;
  /** Samples of this epoch given up undelivered because outbox or disk were full. */
  readonly dropped: number;
}

/**
 * The device's durable queue of samples. What `append` has returned for survives kill -9 and power
 * loss, stays until the edge node acknowledges it or a rule gives it up, and keeps its sequence for
 * the epoch.
 */
export interface Outbox extends Disposable {
  /** 16 random hex digits: sequences count within it. Made with the file, and by `acknowledge`. */
  readonly epoch: string;
  readonly startedMs: number;
  /** How far ahead of what is acknowledged the samples may be sent. */
  readonly sendAheadMax: number;
  /**
   * Stores the samples in one transaction; values that are not finite become `null`. `measured` are
   * those of properties that are sent in part: all of them, for learning, and for nobody else.
   *
   * Errors: SQLite's; of a full disk `isDiskFull` tells.
   */
  append(samples: readonly NewSample[], measured?: readonly NewSample[]): void;
  /**
   * Counts samples that a full disk kept out, as produced and dropped by the rule `disk-full`: on
   * disk with what is stored next.
   */
  abandon(samples: readonly Pick<NewSample, 'property'>[]): void;
  /**
   * Takes note of how much is safe at the edge node; never goes back. Where the edge node has other
   * samples under these sequences (this file was brought back from an older copy), a new epoch
   * begins, which all that is not safe goes over into, and it returns true.
   */
  acknowledge(sequence: number, runs?: readonly StreamRun[]): boolean;
  /** To be told before samples up to this one are sent: what is under way is not dropped. */
  sending(sequence: number): void;
  counts(): OutboxCounts;
  /** What was dropped of this epoch; another list where something was dropped since. */
  dropped(): readonly DropCount[];
  /** The samples that follow `afterSequence`, oldest first. */
  following(afterSequence: number, countMax: number): Sample[];
  /** The run of those that come first, and them; none where they are older than runs are. */
  followingRun(
    afterSequence: number,
    countMax: number,
  ): { run: StreamRun | undefined; isNewestRun: boolean; samples: Sample[] };
  /** How many samples of one property there ever were, sent or only measured. */
  producedOf(property: string): number;
  /**
   * The newest samples of one property that are to be sent, oldest first, acknowledged or not; up
   * to the sequence `through` where it is given.
   */
  newestOf(property: string, count: number, through?: number): Sample[];
  /** The device's own record of what it measured. */
  readonly measured: MeasuredRecord;
}

const SEND_AHEAD_MAX = 4000;
const SIZE_BYTES_MAX = 512 * 2 ** 20;

/** What the file says, and what is known beyond it; replaced when a transaction is committed. */
interface State {
  readonly epoch: string;
  readonly counts: OutboxCounts;
  /** Unacknowledged samples in the file. */
  readonly held: number;
  readonly dropped: readonly DropCount[];
  /** What may have been sent: not to be dropped, for it may arrive. */
  readonly sent: number;
  readonly acknowledgedOnDisk: number;
}

/** Opens a device's outbox, and makes it where the file is new; errors of `openDatabase`. */
export function openOutbox(options: OutboxOptions): Outbox {
  const database = openDatabase(options.file, outboxSchema);
  return new SqliteOutbox(database, options);
}

class SqliteOutbox implements Outbox {
  readonly startedMs: number;
  readonly sendAheadMax: number;
  readonly measured: MeasuredRecord;
  readonly #database: Database;
  readonly #options: OutboxOptions;
  readonly #statements: ReturnType<typeof prepareOutbox>;
  readonly #quota: Quota;
  readonly #runs: RunRecord;
  readonly #propertyIds = new Map<string, number>();
  /** What a full disk kept out and is still to be counted, by property. */
  readonly #abandoned = new Map<string, number>();
  #state: State;

  constructor(database: Database, options: OutboxOptions) {
    const { unacknowledgedMax, sizeBytesMax = SIZE_BYTES_MAX, rules = [] } = options;
    this.#database = database;
    this.#options = options;
    this.#statements = prepareOutbox(database);
    this.#quota = new Quota(database, { unacknowledgedMax, sizeBytesMax, rules });
    this.#runs = new RunRecord(database);
    this.measured = new MeasuredRecord(database, { kept: options.acknowledgedKept, outbox: this });
    this.sendAheadMax = Math.min(SEND_AHEAD_MAX, Math.floor(unacknowledgedMax / 4));
    this.#statements.begin.run(newEpoch(), options.nowMs);
    this.startedMs = (this.#statements.state.get() as StateRow).started_ms;
    this.#state = this.#load();
  }

  get epoch(): string {
    return this.#state.epoch;
  }

  append(samples: readonly NewSample[], measured: readonly NewSample[] = []): void {
    const begun = this.#runs.begun;
    try {
      this.#state = this.#database.transaction(() => this.#store(samples, measured))();
      this.#abandoned.clear();
    } catch (error) {
      this.#propertyIds.clear(); // some of them may have been rolled back
      this.#runs.rolledBack(begun);
      if (isDiskFull(error)) this.#reuseLog();
      throw error;
    }
  }

  abandon(samples: readonly Pick<NewSample, 'property'>[]): void {
    for (const { property } of samples) {
      this.#abandoned.set(property, (this.#abandoned.get(property) ?? 0) + 1);
    }
  }

  acknowledge(sequence: number, runs: readonly StreamRun[] = []): boolean {
    const { counts, held, acknowledgedOnDisk } = this.#state;
    const { acknowledged } = counts;
    const ours = { ...counts, runs: this.#runs.since(acknowledged) };
    const shared = sharedThrough(ours, { committed: sequence, runs });
    if (shared !== undefined) {
      this.#beginEpoch(shared);
      return true;
    }
    if (sequence <= acknowledged) return false;
    this.#state = {
      ...this.#state,
      counts: {
        ...counts,
        acknowledged: sequence,
        available: Math.max(counts.available, sequence + 1),
      },
      held: held - (this.#statements.countBetween.get(acknowledged, sequence) as number),
    };
    // Mostly stored with the next append: an acknowledgement lost in a crash only has the samples
    // behind it sent once more.
    if (sequence - acknowledgedOnDisk >= this.sendAheadMax) this.#saveAcknowledged();
    return false;
  }

  sending(sequence: number): void {
    this.#state = { ...this.#state, sent: Math.max(this.#state.sent, sequence) };
  }

  counts(): OutboxCounts {
    return this.#state.counts;
  }

  dropped(): readonly DropCount[] {
    return this.#state.dropped;
  }

  following(afterSequence: number, countMax: number): Sample[] {
    const rows = this.#statements.following.all(afterSequence, countMax) as SampleRow[];
    return rows.map(rowToSample);
  }

  followingRun(afterSequence: number, countMax: number) {
    const samples = this.following(afterSequence, countMax);
    const first = samples[0]?.sequence ?? 0;
    const { run, next } = this.#runs.at(first);
    // Thinned samples lie far apart, and what may be under way is known by their sequences.
    const ahead = this.#state.counts.acknowledged + this.sendAheadMax;
    const last = Math.max(first, Math.min(ahead, (next?.first ?? Number.POSITIVE_INFINITY) - 1));
    const isNewestRun = next === undefined;
    return { run, isNewestRun, samples: samples.filter(({ sequence }) => sequence <= last) };
  }

  producedOf(property: string): number {
    const row = this.#statements.producedOf.get(property) as { produced: number } | undefined;
    return (row?.produced ?? 0) + (this.#abandoned.get(property) ?? 0);
  }

  newestOf(property: string, count: number, through = Number.MAX_SAFE_INTEGER): Sample[] {
    const rows = this.#statements.newestOf.all(property, through, count) as SampleRow[];
    return rows.reverse().map(rowToSample);
  }

  [Symbol.dispose](): void {
    try {
      this.#database.transaction(() => this.#store([]))();
    } catch (error) {
      if (!isDiskFull(error)) throw error; // what is not on disk is counted by nobody then
    } finally {
      this.#database.close();
    }
  }

  #load(): State {
    const { epoch, produced, acknowledged, dropped } = this.#statements.state.get() as StateRow;
    const available = this.#oldestAfter(acknowledged) ?? produced + 1;
    return {
      epoch,
      counts: { produced, acknowledged, available, dropped },
      held: this.#statements.countBetween.get(acknowledged, produced) as number,
      dropped: this.#statements.dropped.all(epoch) as DropCount[],
      // The acknowledgement on disk may be one such stretch behind, and another may be under way;
      // counted in samples, for those that dropped ones leave may lie far apart.
      sent: (this.#statements.heldAt.get(acknowledged, 2 * this.sendAheadMax) ??
        produced) as number,
      acknowledgedOnDisk: acknowledged,
    };
  }

  #store(samples: readonly NewSample[], measured: readonly NewSample[] = []): State {
    const { epoch, counts, sent, ...before } = this.#state;
    const { acknowledged } = counts;
    const kept = this.#countAbandoned();
    const base = counts.produced + total(kept);
    const produced = base + samples.length;
    if (samples.length > 0) this.#runs.begin(base + 1, acknowledged);
    for (const [index, sample] of samples.entries()) this.#insert(base + 1 + index, sample);
    for (const each of measured) this.measured.add(this.#stored(each), produced);
    const held = before.held + samples.length;
    const backlog = { after: Math.max(acknowledged, sent), before: produced, held };
    const cleared = this.#quota.makeRoom(backlog);
    const dropped = [...kept, ...cleared];
    for (const each of dropped) this.#statements.addDropped.run({ epoch, ...each });
    // Those before the oldest that is held are acknowledged.
    const spent = Math.min(acknowledged, produced - this.#options.acknowledgedKept);
    this.#statements.removeThrough.run(spent);
    const oldestChanged = before.held === 0 || cleared.length > 0;
    const oldest = oldestChanged ? this.#oldestAfter(acknowledged) : counts.available;
    const after = {
      produced,
      acknowledged,
      available: oldest ?? produced + 1,
      dropped: counts.dropped + total(dropped),
    };
    this.#statements.save.run(after);
    const droppedNow =
      dropped.length === 0 ? before.dropped : (this.#statements.dropped.all(epoch) as DropCount[]);
    return {
      ...{ epoch, counts: after, sent, dropped: droppedNow, acknowledgedOnDisk: acknowledged },
      held: held - total(cleared),
    };
  }

  /** Counts them with their properties; to be forgotten once that is committed. */
  #countAbandoned(): Dropped[] {
    return [...this.#abandoned].map(([name, count]) => {
      const property = this.#propertyId(name);
      this.#statements.addProduced.run(count, property);
      return { property, rule: 'disk-full', count };
    });
  }

  /**
   * Writes back what is in the write-ahead log, which then begins again at its start: on a full
   * disk the room it has is all there is, and no commit comes to do this.
   */
  #reuseLog(): void {
    try {
      this.#database.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      if (!isDiskFull(error)) throw error; // not even that: the next append tries again
    }
  }

  #saveAcknowledged(): void {
    try {
      this.#statements.save.run(this.#state.counts);
      this.#state = { ...this.#state, acknowledgedOnDisk: this.#state.counts.acknowledged };
    } catch (error) {
      if (!isDiskFull(error)) throw error; // it is stored with what comes next
    }
  }

  /**
   * Goes on under a new name: all up to `shared` is at the edge node, the rest is numbered from 1
   * as if it had just been produced. What is acknowledged and kept gets numbers below.
   */
  #beginEpoch(shared: number): void {
    const { epoch, counts } = this.#state;
    this.#database.transaction(() => {
      this.#statements.shift.run({ shared });
      const carried = this.#statements.sequencesAfter.all(0) as number[];
      for (const [index, sequence] of carried.entries()) {
        if (sequence !== index + 1) this.#statements.renumber.run(index + 1, sequence);
      }
      const produced = counts.produced - carried.length;
      this.#statements.addPastEpoch.run({ epoch, produced, shared });
      this.#statements.setEpoch.run(newEpoch());
      const after = { produced: carried.length, acknowledged: 0, available: 1, dropped: 0 };
      this.#statements.save.run(after);
      this.#statements.resetThinned.run();
      this.#runs.beginAnew();
    })();
    this.#state = { ...this.#load(), sent: 0 };
  }

  #oldestAfter(sequence: number): number | undefined {
    return (this.#statements.oldestAfter.get(sequence) as number | null) ?? undefined;
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
}

function newEpoch(): string {
  return bytesToHex(randomBytes(8));
}

function total(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}
