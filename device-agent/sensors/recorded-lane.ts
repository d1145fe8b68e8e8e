import { Handover } from './handover.ts';
import type { Lane, SamplerOptions, SensorStatistics } from './lane.ts';
import { QualityWatch } from './quality-watch.ts';
import type { Reading, RecordedSensor } from './sensor.ts';

/** The most readings handed over at once, so that catching up leaves room for other work. */
const BATCH_MAX = 500;
/** Readings nearer to each other than this are handed over together: one commit for many. */
const TICK_MS = 100;
/** How long a sink that threw is left alone. */
const RETRY_MS = 1000;
/** Timers cannot be set further ahead than 24 days; a later start is looked at again. */
const WAIT_MAX_MS = 3_600_000;

/** Hands over the readings of a record as they fall due; each stays next until the sink took it. */
export class RecordedLane implements Lane {
  readonly finished: Promise<void>;
  readonly #sensor: RecordedSensor;
  readonly #options: SamplerOptions;
  readonly #handover: Handover;
  readonly #watch: QualityWatch;
  /** Wall less monotonic time, fixed at the start: a jump of the wall clock moves nothing. */
  readonly #offsetMs: number;
  readonly #finish: () => void;
  #next: number;
  #cancelTimer: () => void;

  constructor(sensor: RecordedSensor, options: SamplerOptions) {
    this.#sensor = sensor;
    this.#options = options;
    this.#handover = new Handover(sensor.name, options);
    this.#watch = new QualityWatch(sensor.name, options.log);
    this.#offsetMs = options.clock.nowMs() - options.clock.monotonicMs();
    this.#next = sensor.from;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#finish = resolve;
    this.#cancelTimer = options.clock.after(0, () => this.#onTick());
  }

  statistics(): SensorStatistics {
    const { name, length } = this.#sensor;
    return {
      sensor: name,
      taken: this.#handover.taken,
      refused: 0,
      skipped: 0,
      latenessMs: { p50: 0, p99: 0, max: 0 },
      record: { length, remaining: Math.max(0, length - this.#next) },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelTimer();
  }

  #onTick(): void {
    const batch = this.#dueReadings();
    if (batch.length > 0 && !this.#handover.give(batch)) {
      this.#wait(RETRY_MS);
      return;
    }
    this.#next += batch.length;
    for (const { values } of batch) this.#watch.see(values);
    const following = this.#sensor.reading(this.#next);
    if (following === undefined) this.#finish();
    else this.#waitFor(following.timeMs);
  }

  #dueReadings(): Reading[] {
    const nowMs = this.#nowMs();
    const due: Reading[] = [];
    while (due.length < BATCH_MAX) {
      const reading = this.#sensor.reading(this.#next + due.length);
      if (reading === undefined || reading.timeMs > nowMs) break;
      due.push(reading);
    }
    return due;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs() + this.#offsetMs;
  }

  #waitFor(timeMs: number): void {
    const aheadMs = timeMs - this.#nowMs();
    this.#wait(aheadMs <= 0 ? 0 : Math.max(TICK_MS, aheadMs));
  }

  #wait(delayMs: number): void {
    const delay = Math.min(delayMs, WAIT_MAX_MS);
    this.#cancelTimer = this.#options.clock.after(delay, () => this.#onTick());
  }
}
