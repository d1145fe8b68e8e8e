import { Handover } from './handover.ts';
import type { Lane, SamplerOptions, SensorStatistics } from './lane.ts';
import { Lateness } from './lateness.ts';
import { QualityWatch } from './quality-watch.ts';
import { gap, type LiveSensor, type Observation } from './sensor.ts';

/** Reads one live sensor at fixed times; never two reads at once. */
export class LiveLane implements Lane {
  /** A live sensor has always more to say. */
  readonly finished = new Promise<void>(() => undefined);
  readonly #sensor: LiveSensor;
  readonly #options: SamplerOptions;
  readonly #handover: Handover;
  readonly #watch: QualityWatch;
  readonly #lateness = new Lateness();
  readonly #startMs: number;
  #tick = 0;
  #refused = 0;
  #skipped = 0;
  #cancelTimer: () => void;
  #reading: Promise<void> = Promise.resolve();
  #disposed = false;

  constructor(sensor: LiveSensor, options: SamplerOptions) {
    this.#sensor = sensor;
    this.#options = options;
    this.#handover = new Handover(sensor.name, options);
    this.#watch = new QualityWatch(sensor.name, options.log);
    this.#startMs = options.clock.monotonicMs();
    this.#cancelTimer = options.clock.after(0, () => this.#onTick());
  }

  statistics(): SensorStatistics {
    return {
      sensor: this.#sensor.name,
      taken: this.#handover.taken,
      refused: this.#refused,
      skipped: this.#skipped,
      latenessMs: this.#lateness.summary(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#cancelTimer();
    await this.#reading;
    this.#sensor.close?.();
  }

  #onTick(): void {
    const lateMs = this.#options.clock.monotonicMs() - this.#deadlineMs();
    this.#lateness.record(Math.max(0, lateMs));
    this.#reading = this.#readOnce();
  }

  async #readOnce(): Promise<void> {
    const timeMs = Math.round(this.#options.clock.nowMs());
    const values = await readWhatThereIs(this.#sensor);
    this.#watch.see(values);
    if (!this.#handover.giveOrLose([{ timeMs, values }])) this.#refused += 1;
    if (!this.#disposed) this.#scheduleNext();
  }

  #scheduleNext(): void {
    const { clock } = this.#options;
    const periodsGone = (clock.monotonicMs() - this.#startMs) / this.#sensor.periodMs;
    const next = Math.max(this.#tick + 1, Math.ceil(periodsGone));
    this.#skipped += next - this.#tick - 1;
    this.#tick = next;
    this.#cancelTimer = clock.after(this.#deadlineMs() - clock.monotonicMs(), () => this.#onTick());
  }

  #deadlineMs(): number {
    return this.#startMs + this.#tick * this.#sensor.periodMs;
  }
}

async function readWhatThereIs(sensor: LiveSensor): Promise<readonly Observation[]> {
  try {
    return await sensor.read();
  } catch (error) {
    return sensor.properties.map((descriptor) => gap(descriptor, error));
  }
}
