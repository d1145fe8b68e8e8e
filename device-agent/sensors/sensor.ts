import type { Quality } from '#shared/twin/sample.ts';

export interface PropertyDescriptor {
  /** `feature/property`, for instance `environment/temperature`. */
  readonly property: string;
  /** UCUM code, for instance `Cel`, `kPa`, `%`; `1` where it has none. */
  readonly unit: string;
  /** Least and greatest credible value; what lies outside is marked `range`. */
  readonly range?: readonly [number, number];
}

/** What a sensor says of one of its properties. */
export interface Observation {
  readonly property: string;
  /** `null` where the sensor gave nothing usable. */
  readonly value: number | null;
  readonly quality: Quality;
  /** Why the quality is not `ok`, for the log. */
  readonly problem?: string;
}

/** All properties of one sensor at one time. */
export interface Reading {
  /** Wall time, milliseconds since 1970. */
  readonly timeMs: number;
  readonly values: readonly Observation[];
}

interface SensorBasis {
  /** For logs and statistics. */
  readonly name: string;
  readonly properties: readonly PropertyDescriptor[];
  /** May be fractional. */
  readonly periodMs: number;
}

/** A part that is asked for its present state once every `periodMs`. */
export interface LiveSensor extends SensorBasis {
  readonly kind: 'live';
  /**
   * One observation per property, in the order of `properties`. Rejects where nothing can be read
   * at all. Must not block the event loop for longer than a fast sysfs attribute does.
   */
  read(): Promise<readonly Observation[]>;
  close?(): void;
}

/** Readings taken before, whose times are fixed: the same index is the same reading for ever. */
export interface RecordedSensor extends SensorBasis {
  readonly kind: 'recorded';
  /** Readings in the record. */
  readonly length: number;
  /** Index of the first reading still to be given. */
  readonly from: number;
  /** The reading due at its own `timeMs`; `undefined` past the end. */
  reading(index: number): Reading | undefined;
}

/** The port of everything that measures. */
export type Sensor = LiveSensor | RecordedSensor;

/** A value judged by its descriptor: `range` where it is not finite or lies outside the range. */
export function observe({ property, range }: PropertyDescriptor, value: number): Observation {
  if (!Number.isFinite(value)) {
    return { property, value: null, quality: 'range', problem: `not a finite number: ${value}` };
  }
  if (range !== undefined && (value < range[0] || value > range[1])) {
    const problem = `${value} is outside ${range[0]} to ${range[1]}`;
    return { property, value, quality: 'range', problem };
  }
  return { property, value, quality: 'ok' };
}

/** A property that could not be read this time. */
export function gap({ property }: PropertyDescriptor, cause: unknown): Observation {
  const problem = cause instanceof Error ? cause.message : String(cause);
  return { property, value: null, quality: 'gap', problem };
}
