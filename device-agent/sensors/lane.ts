import type { Clock } from '#runtime/clock/clock.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { LatenessSummary } from './lateness.ts';
import type { Reading, Sensor } from './sensor.ts';

export interface SamplerOptions {
  /** The sampler owns them from here on and closes them. */
  readonly sensors: readonly Sensor[];
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Takes readings of one sensor, oldest first; has made them durable when it returns. Where it
   * throws, recorded readings are handed over again later and live ones are counted as refused.
   */
  readonly sink: (readings: readonly Reading[]) => void;
  /** Is told of live readings that are lost because the sink threw that. */
  readonly lost?: (readings: readonly Reading[], cause: unknown) => void;
}

export interface SensorStatistics {
  readonly sensor: string;
  /** Readings the sink has taken. */
  readonly taken: number;
  /** Live readings lost because the sink threw. */
  readonly refused: number;
  /** Live readings never made, because the one before was still under way at their time. */
  readonly skipped: number;
  /** How far behind their time live readings began. */
  readonly latenessMs: LatenessSummary;
  /** Readings a recording holds, and how many of them are still to come. */
  readonly record?: { readonly length: number; readonly remaining: number };
}

/** What drives one sensor. */
export interface Lane extends AsyncDisposable {
  readonly finished: Promise<void>;
  statistics(): SensorStatistics;
}
