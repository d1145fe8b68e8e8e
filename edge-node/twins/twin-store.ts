import { randomBytes } from 'node:crypto';
import { type Database, openDatabase } from '#runtime/database/database.ts';
import { fail, ok, type Result } from '#shared/basics/result.ts';
import { stepThing } from '#shared/twin/document/step-thing.ts';
import { newThing, type Thing } from '#shared/twin/document/thing.ts';
import type {
  ReportedSample,
  ThingEffect,
  ThingInput,
  ThingRejection,
} from '#shared/twin/document/thing-step.ts';
import type { CommittedMessage, DataMessage } from '#shared/wire/telemetry.ts';
import { takeOldTwins } from './carry-over.ts';
import { type ChangeOutcome, ChangeQueue, type PendingChange } from './change-queue.ts';
import { TwinTracks } from './prediction/twin-tracks.ts';
import { type RetentionConfig, retentionSchema } from './retention/retention-config.ts';
import { SampleRetention } from './retention/sample-retention.ts';
import { SampleStore, type StreamPosition } from './sample-store.ts';
import { ThingHistory } from './thing-history.ts';
import { withoutGrowth } from './thing-room.ts';
import { ThingTable } from './thing-table.ts';
import { twinSchema } from './twin-schema.ts';

export interface Delivery {
  readonly device: string;
  readonly message: DataMessage;
}

export interface Acknowledgement {
  readonly device: string;
  readonly committed: CommittedMessage;
}

/** What one committed step made of a thing, and what is to be done about it. */
export interface CommittedStep {
  readonly device: string;
  readonly thing: Thing;
  readonly effects: readonly ThingEffect[];
}

export interface TwinStoreOptions {
  /** The namespace of its things. */
  readonly group: string;
  readonly nowMs: number;
  /** How long samples and revisions stay; by default as the configuration's defaults say. */
  readonly retention?: RetentionConfig;
  /** Characters of all things as JSON; what would be more is refused. */
  readonly sizeBytesMax?: number;
}

/** In memory they take some three times that. */
const SIZE_BYTES_MAX = 128 * 2 ** 20;

/**
 * The things and every sample and revision behind them, in one SQLite file with one writer. What a
 * method has returned for, or a listener is told of, is committed.
 */
export class TwinStore implements Disposable {
  readonly samples: SampleStore;
  readonly history: ThingHistory;
  readonly retention: SampleRetention;
  readonly #retention: RetentionConfig;
  readonly tracks: TwinTracks;
  readonly #group: string;
  readonly #database: Database;
  readonly #saveThing: (device: string, state: string) => void;
  readonly #things: ThingTable;
  readonly #sampleCounts: Map<string, number>;
  readonly #queue = new ChangeQueue((changes) => this.#changeAll(changes));
  readonly #waiting = new Map<string, number>();
  readonly #listeners = new Set<(committed: CommittedStep) => void>();
  /** Committed, and not yet told: a listener may change a thing itself. */
  readonly #untold: CommittedStep[] = [];
  #telling = false;

  /** Errors (exit 78): as {@link openDatabase}. */
  constructor(file: string, { group, nowMs, retention, sizeBytesMax }: TwinStoreOptions) {
    this.#things = new ThingTable(sizeBytesMax ?? SIZE_BYTES_MAX);
    this.#group = group;
    this.#retention = retention ?? retentionSchema.parse(undefined);
    this.#database = openDatabase(file, twinSchema);
    const save = this.#database.prepare(
      'INSERT INTO things VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET state = excluded.state',
    );
    this.#saveThing = (device, state) => save.run(device, state);
    this.samples = new SampleStore(this.#database);
    this.history = new ThingHistory(this.#database);
    this.retention = new SampleRetention(this.#database, this.#retention);
    this.tracks = new TwinTracks(this.#database);
    this.#database.transaction(() => this.#load(nowMs))();
    this.#sampleCounts = this.samples.counts();
  }

  /** All things that exist, in the order of their devices' names; the same until one changes. */
  all(): readonly Thing[] {
    return this.#things.all();
  }

  /** The thing of a device, where it exists. */
  get(device: string): Thing | undefined {
    const thing = this.#things.get(device);
    return thing?.exists === true ? thing : undefined;
  }

  /** Things that exist. */
  get size(): number {
    return this.#things.existing;
  }

  /** The thing of a device, be it one that was deleted. */
  current(device: string): Thing | undefined {
    return this.#things.get(device);
  }

  /** How many samples of a device the file holds. */
  samplesOf(device: string): number {
    return this.#sampleCounts.get(device) ?? 0;
  }

  /** How many samples a device is known to have that its stream has not brought. */
  waitingOf(device: string): number {
    return this.#waiting.get(device) ?? 0;
  }

  /** How far one epoch of a device's outbox is committed. */
  committed(device: string, epoch: string): CommittedMessage {
    return committedMessage(epoch, this.samples.position(device, epoch));
  }

  /** Makes an epoch the device's newest; its reports win over those of all epochs before. */
  beginEpoch(device: string, epoch: string): void {
    if (this.samples.newestEpoch(device)?.epoch === epoch) return;
    this.#inTransaction(() => this.samples.beginEpoch(device, epoch));
  }

  /**
   * Commits deliveries with the things they change, in one transaction and one revision for each
   * device and epoch; each sample once, however often it comes. Returns the newest acknowledgement
   * per device and epoch. Samples of more than 1,000 properties a device are not stored: they count
   * as absent.
   */
  commit(deliveries: readonly Delivery[], nowMs: number): Acknowledgement[] {
    const acknowledgements = new Map<string, Acknowledgement>();
    const counts = new Map<string, number>();
    const steps = this.#inTransaction(() => {
      const reports = new Map<string, Report>();
      for (const { device, message } of deliveries) {
        const { epoch } = message;
        const { samples, committed, runs, generation } = this.samples.store(device, message);
        const key = `${device}/${epoch}`;
        const report = reports.get(key) ?? { device, epoch, generation, samples: [] };
        reports.set(key, report);
        for (const sample of samples) report.samples.push(sample);
        counts.set(device, (counts.get(device) ?? 0) + samples.length);
        const position = { sequence: committed, runs };
        acknowledgements.set(key, { device, committed: committedMessage(epoch, position) });
      }
      for (const { device, committed } of acknowledgements.values()) {
        this.retention.note(device, committed, nowMs);
      }
      return this.#report([...reports.values()], nowMs);
    });
    for (const [device, count] of counts) {
      this.#sampleCounts.set(device, this.samplesOf(device) + count);
    }
    for (const { device, message } of deliveries) {
      const { sequence } = acknowledgements.get(`${device}/${message.epoch}`)!.committed;
      const refused = (message.samples.at(-1)?.sequence ?? 0) - sequence;
      this.#waiting.set(device, Math.max(0, refused) + (message.waiting ?? 0));
    }
    this.#publish(steps);
    return [...acknowledgements.values()];
  }

  /**
   * Shows newer state of things than their streams have brought yet, in one transaction; it is no
   * sample, and the stream brings it once more. Reports of devices that are not known are left out.
   */
  showAhead(reports: readonly StateReport[], nowMs: number): void {
    const known = reports.filter(({ device }) => this.#things.get(device) !== undefined);
    this.#publish(this.#inTransaction(() => this.#report(known, nowMs)));
  }

  /** Commits one change of a thing that is not made of samples; what changes nothing is not one. */
  change(device: string, input: ThingInput): Result<Thing, ThingRejection> {
    const stepped = this.#step(device, this.#thingOf(device), input);
    if (!stepped.ok) return stepped;
    this.#inTransaction(() => this.#save(stepped.value));
    this.#publish([stepped.value]);
    return ok(stepped.value.thing);
  }

  /**
   * As {@link change}, in one commit with all that are asked for in the same turn of the event
   * loop; `decide` is asked when they are made. Rejects with what it throws, and where the commit
   * fails.
   */
  changeSoon(
    device: string,
    decide: PendingChange['decide'],
  ): Promise<Result<Thing, ThingRejection>> {
    return this.#queue.add({ device, decide });
  }

  /**
   * Removes a little of what need not be kept any longer, in a transaction of its own; whether
   * there may be more.
   */
  sweep(nowMs: number): boolean {
    const oldest = this.#things.oldestDeleted();
    const isMore = this.#inTransaction(() => {
      if (oldest !== undefined) this.#forget(oldest);
      const bySize = this.history.shrink(this.#retention.historySizeBytesMax);
      return this.retention.sweep(nowMs) || bySize || oldest !== undefined;
    });
    if (oldest !== undefined) this.#things.delete(oldest);
    return isMore;
  }

  /** `listener` is told of every step that had an effect, in their order; the result ends that. */
  onCommit(listener: (committed: CommittedStep) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#queue.flush();
    this.#database.close();
  }

  #load(nowMs: number): void {
    const thingIdOf = (device: string) => `${this.#group}:${device}`;
    const rows = this.#database.prepare('SELECT device, state FROM things').all();
    for (const { device, state } of rows as { device: string; state: string }[]) {
      const thing = { ...(JSON.parse(state) as Thing), thingId: thingIdOf(device) };
      this.#things.set(device, thing, state);
      // Nobody is connected to a node that has just started; presence will tell.
      if (!thing.presence.online) continue;
      const offline = stepThing(thing, { kind: 'presence', online: false, units: {}, nowMs });
      if (!offline.ok) continue;
      const step = { device, ...offline.value, state: JSON.stringify(offline.value.thing) };
      this.#save(step);
      this.#things.set(device, step.thing, step.state);
    }
    const old = { samples: this.samples, thingIdOf, newEpoch };
    for (const { device, thing } of takeOldTwins(this.#database, old)) {
      const state = JSON.stringify(thing);
      this.#things.set(device, thing, state);
      this.#saveThing(device, state);
      this.history.snapshot(device, thing);
    }
  }

  #forget(device: string): void {
    this.#database.prepare('DELETE FROM things WHERE device = ?').run(device);
    this.history.forget(device);
  }

  #changeAll(changes: readonly PendingChange[]): ChangeOutcome[] {
    const steps: SavedStep[] = [];
    const outcomes = this.#inTransaction(() => {
      const changed = new Map<string, Thing>();
      let thingCount = this.#things.existing;
      return changes.map(({ device, decide }): ChangeOutcome => {
        const before = changed.get(device) ?? this.#thingOf(device);
        let input: ThingInput;
        try {
          input = decide({ thing: before.exists ? before : undefined, thingCount });
        } catch (error) {
          // A full disk has ended the transaction: none of it may go on without.
          if (!this.#database.inTransaction) throw error;
          return { error };
        }
        const stepped = this.#step(device, before, input);
        if (!stepped.ok) return { result: stepped };
        const step = stepped.value;
        this.#save(step);
        steps.push(step);
        changed.set(device, step.thing);
        thingCount += Number(step.thing.exists) - Number(before.exists);
        return { result: ok(step.thing) };
      });
    });
    this.#publish(steps);
    return outcomes;
  }

  #step(device: string, thing: Thing, input: ThingInput): Result<SavedStep, ThingRejection> {
    const stepped = stepThing(thing, input);
    if (!stepped.ok) return stepped;
    const isChanged = stepped.value.effects.length > 0;
    const state = isChanged ? JSON.stringify(stepped.value.thing) : '';
    const step = { device, ...stepped.value, state };
    if (this.#things.room.admits(device, step.state.length)) return ok(step);
    const smaller = withoutGrowth(thing, input);
    if (smaller !== undefined) return this.#step(device, thing, smaller);
    return fail('no-room', 'all things together are as large as this node lets them be');
  }

  #thingOf(device: string): Thing {
    return this.#things.get(device) ?? newThing(`${this.#group}:${device}`, newEpoch());
  }

  #report(reports: readonly StateReport[], nowMs: number): SavedStep[] {
    const changed = new Map<string, Thing>();
    return reports.flatMap(({ device, ...report }) => {
      if (report.samples.length === 0) return [];
      const thing = changed.get(device) ?? this.#thingOf(device);
      const input = { kind: 'reported', nowMs, ...report } as const;
      const stepped = this.#step(device, thing, input);
      if (!stepped.ok) return [];
      changed.set(device, stepped.value.thing);
      this.#save(stepped.value);
      return [stepped.value];
    });
  }

  #save({ device, thing, effects, state }: SavedStep): void {
    const entries = effects.flatMap((effect) => (effect.kind === 'record' ? [effect.entry] : []));
    if (entries.length === 0) return;
    this.#saveThing(device, state);
    for (const entry of entries) this.history.record(device, entry, thing);
  }

  #inTransaction<T>(work: () => T): T {
    try {
      return this.#database.transaction(work)();
    } catch (error) {
      this.samples.forgetNames();
      throw error;
    }
  }

  #publish(steps: readonly SavedStep[]): void {
    for (const step of steps) {
      if (step.effects.length === 0) continue;
      this.#things.set(step.device, step.thing, step.state);
      this.#untold.push(step);
    }
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let step = this.#untold.shift(); step !== undefined; step = this.#untold.shift()) {
        for (const listener of this.#listeners) listener(step);
      }
    } finally {
      this.#telling = false;
    }
  }
}

/** Samples of one device and epoch, as its thing takes them. */
export interface StateReport {
  readonly device: string;
  readonly epoch: string;
  readonly generation: number;
  readonly samples: readonly ReportedSample[];
}

type Report = StateReport & { readonly samples: ReportedSample[] };

function committedMessage(epoch: string, { sequence, runs }: StreamPosition): CommittedMessage {
  return { v: 1, epoch, sequence, ...(runs.length === 0 ? {} : { runs }) };
}

/** A step with the thing as the file has it; empty where there is no change. */
interface SavedStep extends CommittedStep {
  readonly state: string;
}

function newEpoch(): string {
  return randomBytes(8).toString('hex');
}
