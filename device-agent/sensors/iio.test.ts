import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeRoot } from './fake-root.fixture.ts';
import { findIioSensors } from './iio.ts';

async function readDevice(files: Record<string, string>) {
  const device = Object.entries({ name: 'chip\n', ...files });
  const { root } = fakeRoot(
    Object.fromEntries(device.map(([file, text]) => [`bus/iio/devices/iio:device3/${file}`, text])),
  );
  const [sensor] = findIioSensors({ root, periodMs: 1000 });
  const values = (await sensor?.read()) ?? [];
  return values.map(
    ({ property, value }, at) => `${property} ${value} ${sensor?.properties[at]?.unit}`,
  );
}

describe('IIO', () => {
  it('gives processed values in our units', async () => {
    const files = { in_pressure_input: '92.947\n', in_temp_input: '24738\n' };
    assert.deepEqual(await readDevice(files), [
      'chip/pressure 92.947 kPa',
      'chip/temperature 24.738 Cel',
    ]);
  });

  it('computes (raw + offset) x scale', async () => {
    const files = {
      in_temp_raw: '3500\n',
      in_temp_offset: '-1500\n',
      in_temp_scale: '10\n',
      in_temp_raw_available: '[0 1 4095]\n',
    };
    assert.deepEqual(await readDevice(files), ['chip/temperature 20 Cel']);
  });

  it('prefers the processed value where the driver gives both', async () => {
    const files = { in_temp_raw: '1\n', in_temp_input: '21500\n' };
    assert.deepEqual(await readDevice(files), ['chip/temperature 21.5 Cel']);
  });

  it('takes the nearest scale: its own, or the one of its type', async () => {
    const files = {
      in_accel_x_raw: '100\n',
      in_accel_y_raw: '100\n',
      in_accel_scale: '0.5\n',
      in_accel_y_scale: '0.25\n',
    };
    assert.deepEqual(await readDevice(files), [
      'chip/acceleration-x 50 m/s2',
      'chip/acceleration-y 25 m/s2',
    ]);
  });

  it('reads numbered and differential channels', async () => {
    const files = {
      in_voltage0_raw: '1000\n',
      in_voltage10_raw: '2000\n',
      in_voltage_scale: '2\n',
      'in_voltage0-voltage1_raw': '-500\n',
      'in_voltage-voltage_scale': '4\n',
    };
    assert.deepEqual((await readDevice(files)).sort(), [
      'chip/voltage-0 2 V',
      'chip/voltage-0-voltage1 -2 V',
      'chip/voltage-10 4 V',
    ]);
  });

  it('leaves out what has no known unit, and a device with nothing else', async () => {
    assert.deepEqual(await readDevice({ in_gesture_raw: '1\n', sampling_frequency: '10\n' }), []);
  });

  it('misses a device that was asked for', () => {
    const { root } = fakeRoot();
    assert.throws(
      () => findIioSensors({ root, periodMs: 1000, devices: ['bmp280'] }),
      /no IIO device bmp280 .*\(found: none\)/,
    );
  });
});
