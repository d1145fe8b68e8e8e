import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { Datatype } from './datatype.ts';
import type { Metric, MetricValue, PropertySet } from './metric.ts';
import { sameValue, toWireValue } from './metric-value.ts';

/** A metric that an edge node or one of its devices reports, as its birth announces it. */
export interface MetricDefinition {
  readonly name: string;
  readonly datatype: Datatype;
  /** Whether host applications may write it. */
  readonly isWritable?: boolean;
  readonly isTransient?: boolean;
  /** What does not change with the value: the unit, for instance. */
  readonly properties?: PropertySet;
}

/** Codes of Sparkplug's property `Quality` (Sparkplug 3.0, 6.4.7.1). */
export const qualityCodes = { bad: 0, good: 192, stale: 500 } as const;
export type MetricQuality = keyof typeof qualityCodes;

export interface Reading {
  readonly name: string;
  readonly value: MetricValue | null;
  /** When it was taken, milliseconds since 1970. */
  readonly timestampMs: number;
  readonly quality: MetricQuality;
  /** From before: sent as such, and never the current value. */
  readonly isHistorical?: boolean;
  /** What changes with each value; of itself no reason to say the value again. */
  readonly properties?: PropertySet;
}

export interface EdgeMetric {
  readonly definition: MetricDefinition;
  readonly alias: bigint;
  readonly current: Reading;
}

/** The metrics of the edge node itself, or of one of its devices. */
export type MetricTable = ReadonlyMap<string, EdgeMetric>;

export type ReadingFailure = Failure<'metric-unknown' | 'value-mismatch'>;

/** Errors: `metric-unknown` (no birth announced it), `value-mismatch`. */
export function checkReading(
  metrics: MetricTable,
  { name, value }: Reading,
): Result<EdgeMetric, ReadingFailure> {
  const metric = metrics.get(name);
  if (metric === undefined) {
    return fail('metric-unknown', `no birth announced ${name}; define it before reporting it`);
  }
  const wire = value === null ? undefined : toWireValue(metric.definition.datatype, value);
  if (wire?.ok === false) return fail('value-mismatch', `${name}: ${wire.error.message}`);
  return ok(metric);
}

/** Whether host applications have the reading already. */
export function isKnown({ current }: EdgeMetric, { value, quality }: Reading): boolean {
  return current.quality === quality && sameValue(current.value, value);
}

/** The metric in a message of data: by alias, without its data type. */
export function dataMetric({ definition, alias, current }: EdgeMetric, reading: Reading): Metric {
  const wasGood = current.quality === 'good' && reading.quality === 'good';
  const quality = wasGood ? [] : [qualityProperty(reading.quality)];
  const all = [...quality, ...(reading.properties ?? [])];
  return {
    alias,
    timestampMs: reading.timestampMs,
    ...(reading.isHistorical ? { isHistorical: true } : {}),
    ...(definition.isTransient ? { isTransient: true } : {}),
    ...(all.length > 0 ? { properties: all } : {}),
    value: wireValue(definition, reading),
  };
}

/** The metric in a birth: all there is to say of it. */
export function birthMetric({ definition, alias, current }: EdgeMetric): Metric {
  const { name, datatype, properties = [] } = definition;
  const quality = current.quality === 'good' ? [] : [qualityProperty(current.quality)];
  const all = [...properties, ...quality, ...(current.properties ?? [])];
  return {
    name,
    alias,
    timestampMs: current.timestampMs,
    datatype,
    ...(definition.isTransient ? { isTransient: true } : {}),
    ...(all.length > 0 ? { properties: all } : {}),
    value: wireValue(definition, current),
  };
}

function qualityProperty(quality: MetricQuality): PropertySet[number] {
  const value = { kind: 'int', value: qualityCodes[quality] } as const;
  return { key: 'Quality', datatype: 'Int32', value };
}

/** The value was checked when it was taken. */
function wireValue({ datatype }: MetricDefinition, { value }: Reading): Metric['value'] {
  if (value === null) return null;
  const wire = toWireValue(datatype, value);
  return wire.ok ? wire.value : null;
}
