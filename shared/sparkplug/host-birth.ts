import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { Datatype } from './datatype.ts';
import type { MetaData, Metric, MetricValue, Payload, PropertySet } from './metric.ts';
import { readValue } from './metric-value.ts';

/** A metric as a birth announced it. */
export interface BornMetric {
  readonly name: string;
  readonly datatype: Datatype;
  readonly alias?: bigint;
  /** Whether the birth says that host applications may write it: `readOnly` is false. */
  readonly isWritable?: true;
}

/** The metrics of an edge node or a device by name. */
export type BornMetrics = ReadonlyMap<string, BornMetric>;

/** What an alias stands for; `device` is absent for metrics of the edge node itself. */
export interface AliasOwner {
  readonly device: string | undefined;
  readonly name: string;
}
export type Aliases = ReadonlyMap<bigint, AliasOwner>;

/** A value as it was reported, its metric and type resolved. */
export interface ReportedValue {
  readonly name: string;
  readonly datatype: Datatype;
  readonly value: MetricValue | null;
  /** When it was taken; when it was sent where the sender did not say. */
  readonly timestampMs: number;
  readonly isHistorical: boolean;
  readonly isTransient: boolean;
  readonly properties?: PropertySet;
  readonly metadata?: MetaData;
}

export type HostFailure = Failure<
  | 'birth-malformed'
  | 'death-malformed'
  | 'message-malformed'
  | 'message-retained'
  /** One alias for two metrics, or a name with the alias of another. */
  | 'alias-conflict'
  /** Data of a device, name or alias that no birth announced. */
  | 'metric-unknown'
  | 'value-mismatch'
  | 'node-too-large'
  | 'too-many-nodes'
  /** Two messages of one number: two clients may be using one id. */
  | 'sequence-conflict'
  | 'sequence-gap'
  | 'birth-doubtful'
>;

export interface Birth {
  readonly metrics: BornMetrics;
  readonly aliases: Aliases;
  readonly values: readonly ReportedValue[];
}

/**
 * What a birth announces; `others` are the aliases that are taken already. The metric bdSeq is
 * left out.
 *
 * Errors: `birth-malformed` (a metric without name, data type or value, a name twice),
 * `alias-conflict`, `value-mismatch`.
 */
export function readBirth(
  payload: Payload,
  { device, others }: { device: string | undefined; others: Aliases },
): Result<Birth, HostFailure> {
  const metrics = new Map<string, BornMetric>();
  const aliases = new Map(others);
  const values: ReportedValue[] = [];
  for (const metric of payload.metrics) {
    const { name, datatype, alias } = metric;
    if (device === undefined && name === 'bdSeq') continue;
    if (name === undefined || datatype === undefined || metrics.has(name)) {
      return fail('birth-malformed', `${label(metric)} has no name or data type, or comes twice`);
    }
    const value = reported(metric, datatype, payload);
    if (!value.ok) return value;
    if (alias !== undefined) {
      const other = aliases.get(alias);
      if (other !== undefined) {
        return fail('alias-conflict', `alias ${alias} is of ${name} and of ${other.name}`);
      }
      aliases.set(alias, { device, name });
    }
    metrics.set(name, {
      ...{ name, datatype },
      ...(alias === undefined ? {} : { alias }),
      ...(isWritable(metric) ? { isWritable: true } : {}),
    });
    values.push({ ...value.value, name });
  }
  return ok({ metrics, aliases, values });
}

function isWritable({ properties = [] }: Metric): boolean {
  const readOnly = properties.find(({ key }) => key === 'readOnly')?.value;
  return readOnly?.kind === 'boolean' && !readOnly.value;
}

/** The aliases without those of a device. */
export function aliasesWithout(aliases: Aliases, device: string): Aliases {
  return new Map([...aliases].filter(([, owner]) => owner.device !== device));
}

/**
 * The metric that data name, by alias or by name.
 *
 * Errors: `metric-unknown`, `alias-conflict`.
 */
export function resolveMetric(
  metric: Metric,
  born: { metrics: BornMetrics; aliases: Aliases; device: string | undefined },
): Result<BornMetric, HostFailure> {
  const owner = metric.alias === undefined ? undefined : born.aliases.get(metric.alias);
  const name = metric.alias === undefined ? metric.name : owner?.name;
  const found = name === undefined ? undefined : born.metrics.get(name);
  if (found === undefined || (owner !== undefined && owner.device !== born.device)) {
    return fail('metric-unknown', `${label(metric)} was not announced by a birth`);
  }
  if (metric.name !== undefined && metric.name !== found.name) {
    return fail('alias-conflict', `alias ${metric.alias} is of ${found.name}, not ${metric.name}`);
  }
  return ok(found);
}

/** The value of a metric of that type. Errors: `value-mismatch`. */
export function reported(
  metric: Metric,
  datatype: Datatype,
  { timestampMs }: Payload,
): Result<ReportedValue, HostFailure> {
  const { value: wire, properties, metadata } = metric;
  if (wire === undefined) return fail('value-mismatch', `${label(metric)} has no value`);
  const value = wire === null ? ok(null) : readValue(datatype, wire);
  if (!value.ok) return fail('value-mismatch', `${label(metric)}: ${value.error.message}`);
  return ok({
    name: metric.name ?? '',
    datatype,
    value: value.value,
    timestampMs: metric.timestampMs ?? timestampMs ?? 0,
    isHistorical: metric.isHistorical ?? false,
    isTransient: metric.isTransient ?? false,
    ...(properties === undefined ? {} : { properties }),
    ...(metadata === undefined ? {} : { metadata }),
  });
}

/** The number by which a death belongs to a birth; `undefined` where there is none. */
export function bdSeqOf({ metrics }: Payload): number | undefined {
  const value = metrics.find(({ name }) => name === 'bdSeq')?.value;
  if (value?.kind !== 'long' && value?.kind !== 'int') return undefined;
  const bdSeq = Number(value.value);
  return bdSeq <= 255 ? bdSeq : undefined;
}

function label({ name, alias }: Metric): string {
  return name === undefined ? `alias ${alias ?? 'none'}` : `the metric ${name.slice(0, 100)}`;
}
