import { randomBytes } from 'node:crypto';
import { type Database, openDatabase } from '#runtime/database/database.ts';
import { ok, type Result } from '#shared/basics/result.ts';
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
import { SampleStore, type StreamPosition } from './sample-store.ts';
import { ThingHistory } from './thing-history.ts';
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
}

/**
 * The things and every sample and revision behind them, in one SQLite file with one writer. What a
 * method has returned for, or a listener is told of, is committed.
 */
export class TwinStore implements Disposable {
  readonly samples: SampleStore;
  readonly history: ThingHistory;
  readonly #group: string;
  readonly #database: Database;
  readonly #saveThing: (device: string, thing: Thing) => void;
  /** Also what was deleted, for what must be remembered of it. */
  readonly #things = new Map<string, Thing>();
  /** Their devices in order; of an earlier time where there are fewer than things. */
  #devices: readonly string[] = [];
  readonly #sampleCounts: Map<string, number>;
  readonly #listeners = new Set<(committed: CommittedStep) => void>();
  /** Committed, and not yet told: a listener may change a thing itself. */
  readonly #untold: CommittedStep[] = [];
  #telling = false;

  /** Errors (exit 78): as {@link openDatabase}. */
  constructor(file: string, { group, nowMs }: TwinStoreOptions) {
    this.#group = group;
    this.#database = openDatabase(file, twinSchema);
    const save = this.#database.prepare(
      'INSERT INTO things VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET state = excluded.state',
    );
    this.#saveThing = (device, thing) => save.run(device, JSON.stringify(thing));
    this.samples = new SampleStore(this.#database);
    this.history = new ThingHistory(this.#database);
    this.#database.transaction(() => this.#load(nowMs))();
    this.#sampleCounts = this.samples.counts();
  }

  /** All things that exist, in the order of their devices' names. */
  all(): Thing[] {
    if (this.#devices.length !== this.#things.size) {
      this.#devices = [...this.#things.keys()].sort();
    }
    return this.#devices.map((device) => this.#things.get(device)!).filter(({ exists }) => exists);
  }

  /** The thing of a device, where it exists. */
  get(device: string): Thing | undefined {
    const thing = this.#things.get(device);
    return thing?.exists === true ? thing : undefined;
  }

  /** Things it holds, those included that were deleted. */
  get size(): number {
    return this.#things.size;
  }

  /** The thing of a device, be it one that was deleted. */
  current(device: string): Thing | undefined {
    return this.#things.get(device);
  }

  /** How many samples of a device the file holds. */
  samplesOf(device: string): number {
    return this.#sampleCounts.get(device) ?? 0;
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
      return this.#report([...reports.values()], nowMs);
    });
    for (const [device, count] of counts) {
      this.#sampleCounts.set(device, this.samplesOf(device) + count);
    }
    this.#publish(steps);
    return [...acknowledgements.values()];
  }

  /**
   * Shows newer state of things than their streams have brought yet, in one transaction; it is no
   * sample, and the stream brings it once more. Reports of devices that are not known are left out.
   */
  showAhead(reports: readonly StateReport[], nowMs: number): void {
    const known = reports.filter(({ device }) => this.#things.has(device));
    this.#publish(this.#inTransaction(() => this.#report(known, nowMs)));
  }

  /** Commits one change of a thing that is not made of samples; what changes nothing is not one. */
  change(device: string, input: ThingInput): Result<Thing, ThingRejection> {
    const stepped = stepThing(this.#thingOf(device), input);
    if (!stepped.ok) return stepped;
    const step = { device, ...stepped.value };
    this.#inTransaction(() => this.#save(step));
    this.#publish([step]);
    return ok(step.thing);
  }

  /** `listener` is told of every step that had an effect, in their order; the result ends that. */
  onCommit(listener: (committed: CommittedStep) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #load(nowMs: number): void {
    const thingIdOf = (device: string) => `${this.#group}:${device}`;
    const rows = this.#database.prepare('SELECT device, state FROM things').all();
    for (const { device, state } of rows as { device: string; state: string }[]) {
      const thing = { ...(JSON.parse(state) as Thing), thingId: thingIdOf(device) };
      this.#things.set(device, thing);
      // Nobody is connected to a node that has just started; presence will tell.
      if (!thing.presence.online) continue;
      const offline = stepThing(thing, { kind: 'presence', online: false, units: {}, nowMs });
      if (!offline.ok) continue;
      this.#save({ device, ...offline.value });
      this.#things.set(device, offline.value.thing);
    }
    const old = { samples: this.samples, thingIdOf, newEpoch };
    for (const { device, thing } of takeOldTwins(this.#database, old)) {
      this.#things.set(device, thing);
      this.#saveThing(device, thing);
      this.history.snapshot(device, thing);
    }
  }

  #thingOf(device: string): Thing {
    return this.#things.get(device) ?? newThing(`${this.#group}:${device}`, newEpoch());
  }

  #report(reports: readonly StateReport[], nowMs: number): CommittedStep[] {
    const changed = new Map<string, Thing>();
    return reports.flatMap(({ device, ...report }) => {
      if (report.samples.length === 0) return [];
      const thing = changed.get(device) ?? this.#thingOf(device);
      const stepped = stepThing(thing, { kind: 'reported', nowMs, ...report });
      if (!stepped.ok) return [];
      const step = { device, ...stepped.value };
      changed.set(device, step.thing);
      this.#save(step);
      return [step];
    });
  }

  #save({ device, thing, effects }: CommittedStep): void {
    const entries = effects.flatMap((effect) => (effect.kind === 'record' ? [effect.entry] : []));
    if (entries.length === 0) return;
    this.#saveThing(device, thing);
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

  #publish(steps: readonly CommittedStep[]): void {
    for (const step of steps) {
      if (step.effects.length === 0) continue;
      this.#things.set(step.device, step.thing);
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

function newEpoch(): string {
  return randomBytes(8).toString('hex');
}
