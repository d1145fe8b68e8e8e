import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { featureMetrics, measuredReadings } from './feature-metrics.ts';

const text = (key: string, value: string) => {
  return { key, datatype: 'String', value: { kind: 'string', value } };
};
const double = (key: string, value: number) => {
  return { key, datatype: 'Double', value: { kind: 'double', value } };
};
const readOnly = (value: boolean) => {
  return { key: 'readOnly', datatype: 'Boolean', value: { kind: 'boolean', value } };
};

describe('features as devices of Sparkplug', () => {
  it('have their properties as metrics, with unit and range', () => {
    const devices = featureMetrics(
      [
        { property: 'air/temperature', unit: 'Cel', range: [-40, 85] },
        { property: 'cpu/load', unit: '1' },
        { property: 'air/humidity', unit: '%' },
      ],
      [],
    );
    const names = [...devices].map(([device, metrics]) => [device, metrics.map((m) => m.name)]);
    assert.deepEqual(names, [
      ['air', ['temperature', 'humidity']],
      ['cpu', ['load']],
    ]);
    assert.deepEqual(devices.get('air')?.[0], {
      name: 'temperature',
      datatype: 'Double',
      properties: [
        text('engUnit', 'Cel'),
        double('engLow', -40),
        double('engHigh', 85),
        readOnly(true),
      ],
    });
  });

  it('have outputs as metrics that may be written, also where a sensor gives them', () => {
    const valve = { property: 'valve/open', unit: '1' };
    const devices = featureMetrics([valve], ['led/on', 'valve/open']);
    const properties = [readOnly(false)];
    assert.deepEqual(devices.get('led'), [
      { name: 'on', datatype: 'Boolean', isWritable: true, properties },
    ]);
    const measured = [text('engUnit', '1'), readOnly(false)];
    assert.deepEqual(devices.get('valve'), [
      { name: 'open', datatype: 'Double', isWritable: true, properties: measured },
    ]);
  });

  it('are told what was measured, as the outbox keeps it, by its sequence', () => {
    const told = measuredReadings([
      { property: 'air/temperature', timeMs: 1000.6, value: 21, quality: 'ok', sequence: 7 },
      { property: 'cpu/load', timeMs: 1000, value: Number.NaN, quality: 'ok', sequence: 8 },
      { property: 'air/humidity', timeMs: -5, value: null, quality: 'gap', sequence: 9 },
      { property: 'cpu/heat', timeMs: 1000, value: 2, quality: 'stale' },
    ]);
    const sequence = (value: bigint) => [
      { key: 'sequence', datatype: 'Int64', value: { kind: 'long', value } },
    ];
    const at = (timestampMs: number, value: bigint) => {
      return { timestampMs, properties: sequence(value) };
    };
    assert.deepEqual(Object.fromEntries(told), {
      air: [
        { name: 'temperature', value: 21, quality: 'good', ...at(1001, 7n) },
        { name: 'humidity', value: null, quality: 'bad', ...at(0, 9n) },
      ],
      cpu: [
        { name: 'load', value: null, quality: 'bad', ...at(1000, 8n) },
        { name: 'heat', value: 2, quality: 'stale', timestampMs: 1000 },
      ],
    });
  });
});
