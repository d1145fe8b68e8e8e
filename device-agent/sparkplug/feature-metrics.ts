import type { MetricDefinition, MetricQuality, Reading } from '#shared/sparkplug/edge-metrics.ts';
import type { PropertySet } from '#shared/sparkplug/metric.ts';
import type { Quality } from '#shared/twin/sample.ts';
import type { PropertyDescriptor, Reading as SensorReading } from '../sensors/sensor.ts';

const qualityOf: Readonly<Record<Quality, MetricQuality>> = {
  ok: 'good',
  stale: 'stale',
  range: 'bad',
  crc: 'bad',
  gap: 'bad',
};

/**
 * The metrics of each Sparkplug device: a feature is one, `feature/property` its metric `property`,
 * a Double whose properties are named as Ignition's tags name them: `engUnit` (the UCUM code),
 * `engLow` and `engHigh` where there is a range.
 */
export function featureMetrics(
  properties: readonly PropertyDescriptor[],
): ReadonlyMap<string, readonly MetricDefinition[]> {
  const devices = new Map<string, MetricDefinition[]>();
  for (const { property, unit, range } of properties) {
    const [feature, name] = split(property);
    const metrics = devices.get(feature) ?? [];
    devices.set(feature, metrics);
    metrics.push({ name, datatype: 'Double', properties: unitProperties(unit, range) });
  }
  return devices;
}

/** What a sensor measured, by the Sparkplug device it belongs to. */
export function featureReadings({
  timeMs,
  values,
}: SensorReading): ReadonlyMap<string, readonly Reading[]> {
  const devices = new Map<string, Reading[]>();
  const timestampMs = Math.max(0, Math.round(timeMs));
  for (const { property, value, quality } of values) {
    const [feature, name] = split(property);
    const readings = devices.get(feature) ?? [];
    devices.set(feature, readings);
    readings.push({ name, value, timestampMs, quality: qualityOf[quality] });
  }
  return devices;
}

function unitProperties(unit: string, range: PropertyDescriptor['range']): PropertySet {
  const text = { kind: 'string', value: unit } as const;
  const bounds = (range ?? []).map((value, i) => ({
    key: i === 0 ? 'engLow' : 'engHigh',
    datatype: 'Double' as const,
    value: { kind: 'double', value } as const,
  }));
  return [{ key: 'engUnit', datatype: 'String', value: text }, ...bounds];
}

function split(property: string): readonly [string, string] {
  const [feature = '', name = ''] = property.split('/');
  return [feature, name];
}
