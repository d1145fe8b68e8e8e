import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeRoot } from './fake-root.fixture.ts';
import { findThermalSensors } from './thermal.ts';

describe('thermal zones', () => {
  const fake = fakeRoot({
    'class/thermal/thermal_zone0/type': 'cpu-thermal\n',
    'class/thermal/thermal_zone0/temp': '25178\n',
    'class/thermal/thermal_zone2/type': 'acpitz\n',
    'class/thermal/thermal_zone2/temp': '27800\n',
    'class/thermal/thermal_zone10/type': 'acpitz\n',
    'class/thermal/thermal_zone10/temp': '-274000\n',
    'class/thermal/cooling_device0/type': 'Fan\n',
  });

  it('gives each zone by its type', async () => {
    const [sensor] = findThermalSensors({ root: fake.root, periodMs: 1000 });
    const values = await sensor!.read();
    assert.deepEqual(
      values.map(({ property, value, quality }) => `${property} ${value} ${quality}`),
      ['thermal/cpu-thermal 25.178 ok', 'thermal/acpitz 27.8 ok', 'thermal/acpitz-2 -274 range'],
    );
  });

  it('takes only the zones asked for, and misses what is not there', () => {
    const find = (zones: string[]) =>
      findThermalSensors({ root: fake.root, periodMs: 1000, zones });
    assert.deepEqual(
      find(['cpu-thermal'])[0]?.properties.map(({ property }) => property),
      ['thermal/cpu-thermal'],
    );
    assert.throws(() => find(['gpu-thermal']), /no thermal zone gpu-thermal .*found: cpu-thermal/);
  });

  it('finds nothing on a machine without zones', () => {
    assert.deepEqual(findThermalSensors({ root: fakeRoot().root, periodMs: 1000 }), []);
  });
});
