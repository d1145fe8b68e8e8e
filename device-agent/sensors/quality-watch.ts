import type { Log } from '#runtime/observe/log.ts';
import type { Quality } from '#shared/twin/sample.ts';
import type { Observation } from './sensor.ts';

/** Logs when a property of a sensor becomes unusable or usable again: once per change. */
export class QualityWatch {
  readonly #sensor: string;
  readonly #log: Log;
  readonly #qualities = new Map<string, Quality>();

  constructor(sensor: string, log: Log) {
    this.#sensor = sensor;
    this.#log = log;
  }

  see(observations: readonly Observation[]): void {
    for (const { property, value, quality, problem } of observations) {
      const before = this.#qualities.get(property) ?? 'ok';
      if (quality === before) continue;
      this.#qualities.set(property, quality);
      const facts = { sensor: this.#sensor, property, value };
      if (quality === 'ok') this.#log.info(facts, 'sensor is usable again');
      else this.#log.warn({ ...facts, quality, problem }, 'sensor is not usable');
    }
  }
}
