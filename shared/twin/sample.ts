/** How far a reading can be trusted; anything but `ok` is left out of learning. */
export const qualities = ['ok', 'stale', 'range', 'crc', 'gap'] as const;
export type Quality = (typeof qualities)[number];

/** One timestamped reading of one property, numbered by the outbox that holds it. */
export interface Sample {
  /** 1, 2, 3, ... without a gap within one epoch of one device's outbox. */
  readonly sequence: number;
  /** `feature/property`, for instance `environment/temperature`. */
  readonly property: string;
  /** Wall time of the device, milliseconds since 1970. */
  readonly timeMs: number;
  /** `null` where the sensor gave nothing usable. */
  readonly value: number | null;
  readonly quality: Quality;
}

/** In it a device reports how far its forecast was off, in units of normal change. */
export const anomalyScoreProperty = 'forecast/anomaly-score';
