import type { Lane, SamplerOptions, SensorStatistics } from './lane.ts';
import { LiveLane } from './live-lane.ts';
import { RecordedLane } from './recorded-lane.ts';

export interface Sampler extends AsyncDisposable {
  statistics(): SensorStatistics[];
  /** Resolves when no sensor will give another reading: never, where one of them is live. */
  readonly finished: Promise<void>;
}

/**
 * Drives sensors until disposed of: live ones at t0 + k period on the monotonic clock, so that they
 * never drift, with missed times left out; recorded ones at the times in their record, with all
 * that is overdue handed over. A sensor or a sink that fails is logged and tried again.
 */
export function startSampler(options: SamplerOptions): Sampler {
  const lanes = options.sensors.map(
    (sensor): Lane =>
      sensor.kind === 'live' ? new LiveLane(sensor, options) : new RecordedLane(sensor, options),
  );
  return {
    statistics: () => lanes.map((lane) => lane.statistics()),
    finished: Promise.all(lanes.map((lane) => lane.finished)).then(() => undefined),
    async [Symbol.asyncDispose]() {
      await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
    },
  };
}
