import type { SamplerOptions } from './lane.ts';
import type { Reading } from './sensor.ts';

/** Gives one sensor's readings to the sink, and logs when the sink begins and ceases to refuse. */
export class Handover {
  taken = 0;
  readonly #sensor: string;
  readonly #options: SamplerOptions;
  #refusing = false;

  constructor(sensor: string, options: SamplerOptions) {
    this.#sensor = sensor;
    this.#options = options;
  }

  /** Gives what is lost where the sink does not take it; whether it did. */
  giveOrLose(readings: readonly Reading[]): boolean {
    return this.give(readings, this.#options.lost);
  }

  /** Whether the sink took them. */
  give(readings: readonly Reading[], lost?: SamplerOptions['lost']): boolean {
    const { sink, log } = this.#options;
    const facts = { sensor: this.#sensor, readings: readings.length };
    try {
      sink(readings);
    } catch (err) {
      if (!this.#refusing) log.error({ ...facts, err }, 'readings could not be stored');
      this.#refusing = true;
      lost?.(readings, err);
      return false;
    }
    if (this.#refusing) log.info(facts, 'readings are stored again');
    this.#refusing = false;
    this.taken += readings.length;
    return true;
  }
}
