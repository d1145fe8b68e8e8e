import { isDiskFull } from '#runtime/database/database.ts';
import type { Log } from '#runtime/observe/log.ts';
import {
  type FeatureVector,
  forecastError,
  forecastInputs,
  writeWindow,
} from '#shared/federation/forecast.ts';
import { anomalyScoreProperty } from '#shared/twin/sample.ts';
import type { TaskDefinition } from '#shared/wire/learning.ts';
import type { NewSample, Outbox } from '../outbox/outbox.ts';
import type { Reading } from '../sensors/sensor.ts';
import type { Trainer } from '../training/trainer.ts';
import { type FeatureReading, recallFeatures, usableVector } from './feature-history.ts';

/** Readings that wait while the worker is busy; beyond, the oldest go without a forecast. */
const WAITING_MAX = 4000;
const BATCH_MAX = 500;

export interface ForecasterOptions {
  readonly outbox: Outbox;
  readonly trainer: Trainer;
  readonly log: Log;
  /** Scores that the outbox has just taken. */
  readonly onScores: (scores: readonly NewSample[]) => void;
  /** The digest of the model in use; `undefined` while there is none. */
  readonly onModel?: (digest: string | undefined) => void;
}

/**
 * Runs the newest model on live data: forecasts each reading from those before it, and puts the
 * error into the outbox as the reading's anomaly score.
 */
export class Forecaster {
  readonly #outbox: Outbox;
  readonly #trainer: Trainer;
  readonly #log: Log;
  readonly #onScores: (scores: readonly NewSample[]) => void;
  readonly #onModel: (digest: string | undefined) => void;
  #task: TaskDefinition | undefined;
  #hasModel = false;
  /** The window behind the oldest waiting reading, then the waiting readings. */
  #readings: FeatureReading[] = [];
  #running: Promise<void> | undefined;

  constructor(options: ForecasterOptions) {
    this.#outbox = options.outbox;
    this.#trainer = options.trainer;
    this.#log = options.log;
    this.#onScores = options.onScores;
    this.#onModel = options.onModel ?? (() => undefined);
  }

  /** Forecasts are for this task from now on; none before it has a model. */
  setTask(task: TaskDefinition): void {
    this.#task = task;
    this.#hasModel = false;
    this.#onModel(undefined);
    this.#readings = recallFeatures(this.#outbox, task, { count: task.window });
  }

  /** The trainer has the model of that digest in use. */
  modelReady(digest: string): void {
    this.#hasModel = true;
    this.#onModel(digest);
  }

  /** Takes what the outbox has just stored. */
  observe(readings: readonly Reading[]): void {
    const task = this.#task;
    if (task === undefined) return;
    for (const { timeMs, values } of readings) {
      const byProperty = new Map(values.map((each) => [each.property, each]));
      const vector = usableVector(task.features.map(({ property }) => byProperty.get(property)));
      if (vector !== undefined) this.#readings.push({ timeMs, vector });
    }
    const kept = this.#hasModel ? task.window + WAITING_MAX : task.window;
    if (this.#readings.length > kept) this.#readings.splice(0, this.#readings.length - kept);
    if (this.#hasModel) this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves when no forecast is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (await this.#forecastNext());
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, 'forecast failed');
    }
  }

  async #forecastNext(): Promise<boolean> {
    const task = this.#task;
    if (task === undefined) return false;
    const count = Math.min(BATCH_MAX, this.#readings.length - task.window);
    if (count <= 0) return false;
    const readings = this.#readings.slice(0, task.window + count);
    this.#readings.splice(0, count);
    const vectors = readings.map(({ vector }) => vector);
    const forecast = await this.#trainer.predict({ inputs: windows(task, vectors, count), count });
    if (!forecast.ok) throw new Error(forecast.error.message);
    if (this.#task !== task) return true; // these were another task's windows
    const found = scores(task, readings, forecast.value);
    this.#store(found);
    this.#onScores(found);
    return true;
  }

  #store(samples: readonly NewSample[]): void {
    try {
      this.#outbox.append(samples);
    } catch (error) {
      if (isDiskFull(error)) this.#outbox.abandon(samples);
      throw error;
    }
  }
}

function windows(
  task: TaskDefinition,
  readings: readonly FeatureVector[],
  count: number,
): Float32Array<ArrayBuffer> {
  const width = forecastInputs(task);
  const inputs = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    const end = row + task.window - 1;
    writeWindow(task, { readings, end }, { into: inputs, offset: row * width });
  }
  return inputs;
}

function scores(
  task: TaskDefinition,
  readings: readonly FeatureReading[],
  outputs: Float32Array,
): NewSample[] {
  const width = task.features.length;
  return readings.slice(task.window).map(({ timeMs, vector }, row) => {
    const change = { from: readings[row + task.window - 1]!.vector, to: vector };
    const forecast = outputs.subarray(row * width, (row + 1) * width);
    const value = forecastError(task, change, forecast);
    return { property: anomalyScoreProperty, timeMs, value, quality: 'ok' };
  });
}
