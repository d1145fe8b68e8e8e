import type { MetricDefinition, MetricQuality, Reading } from '#shared/sparkplug/edge-metrics.ts';
import type { Property, PropertySet } from '#shared/sparkplug/metric.ts';
import type { Quality } from '#shared/twin/sample.ts';
import { sequenceProperty } from '#shared/wire/live-state.ts';
import type { NewSample } from '../outbox/outbox.ts';
import type { PropertyDescriptor } from '../sensors/sensor.ts';

const qualityOf: Readonly<Record<Quality, MetricQuality>> = {
  ok: 'good',
  stale: 'stale',
  range: 'bad',
  crc: 'bad',
  gap: 'bad',
};

/** The metrics of the Sparkplug devices, by device. */
export type DeviceMetrics = ReadonlyMap<string, readonly MetricDefinition[]>;

/**
 * The metrics of each Sparkplug device: a feature is one, `feature/property` its metric `property`.
 * What a sensor gives is a Double, what an output takes a Boolean that may be written (where a
 * sensor gives it as well, the sensor's Double). Their properties are named as Ignition's tags name
 * them: `engUnit` (the UCUM code), `engLow` and `engHigh` where there is a range, `readOnly`.
 */
export function featureMetrics(
  properties: readonly PropertyDescriptor[],
  outputs: readonly string[],
): DeviceMetrics {
  const devices = new Map<string, MetricDefinition[]>();
  const add = (property: string, definition: Omit<MetricDefinition, 'name'>) => {
    const [feature, name] = splitProperty(property);
    const metrics = devices.get(feature) ?? [];
    devices.set(feature, metrics);
    metrics.push({ name, ...definition });
  };
  for (const { property, unit, range } of properties) {
    const isWritable = outputs.includes(property);
    const all = [...unitProperties(unit, range), readOnly(!isWritable)];
    add(property, { datatype: 'Double', ...(isWritable ? { isWritable } : {}), properties: all });
  }
  const measured = new Set(properties.map(({ property }) => property));
  for (const property of outputs) {
    if (measured.has(property)) continue;
    add(property, { datatype: 'Boolean', isWritable: true, properties: [readOnly(false)] });
  }
  return devices;
}

/** What was measured; with a sequence where the outbox took it. */
export type Measured = NewSample & { readonly sequence?: number };

/** What was measured as readings, in its order, by the Sparkplug device it belongs to. */
export function measuredReadings(samples: readonly Measured[]): ReadonlyMap<string, Reading[]> {
  const devices = new Map<string, Reading[]>();
  for (const { property, value, quality, timeMs, sequence } of samples) {
    const [feature, name] = splitProperty(property);
    const readings = devices.get(feature) ?? [];
    devices.set(feature, readings);
    // As the outbox keeps it, which has no number for what is not finite.
    const isKept = value !== null && Number.isFinite(value);
    readings.push({
      ...{ name, value: isKept ? value : null, timestampMs: Math.max(0, Math.round(timeMs)) },
      quality: !isKept && quality === 'ok' ? 'bad' : qualityOf[quality],
      ...(sequence === undefined ? {} : { properties: [sequenceProperty(sequence)] }),
    });
  }
  return devices;
}

/** Feature and property of `feature/property`. */
export function splitProperty(property: string): readonly [string, string] {
  const [feature = '', name = ''] = property.split('/');
  return [feature, name];
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

function readOnly(value: boolean): Property {
  return { key: 'readOnly', datatype: 'Boolean', value: { kind: 'boolean', value } };
}
