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
  /** Only where the device does not send every sample of the property. */
  readonly report?: ReportMark;
}

/** What a report says beside its sample: all that the twin needs to predict what comes after. */
export interface ReportMark {
  /** By which predictor the twin answers from here on. */
  readonly predictor: string;
  /** How many points the device predicts from, this one among them. */
  readonly depth: number;
  /** 1, 2, 3, ... counts the property's reports: where it jumps, the twin misses some. */
  readonly ordinal: number;
  /** How far the twin may be off at a sample not sent, in the property's unit of measure. */
  readonly tolerance: number;
  /** The longest silence, but for one sampling period. */
  readonly heartbeatMs: number;
}

/** In it a device reports how far its forecast was off, in units of normal change. */
export const anomalyScoreProperty = 'forecast/anomaly-score';
