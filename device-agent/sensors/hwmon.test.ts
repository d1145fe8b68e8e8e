import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProgramError } from '#runtime/process/program-error.ts';
import { fakeRoot } from './fake-root.fixture.ts';
import { findHwmonSensors } from './hwmon.ts';

async function readAll(root: string, chips?: string[]) {
  const sensors = findHwmonSensors({ root, periodMs: 1000, chips });
  const readings = await Promise.all(sensors.map((sensor) => sensor.read()));
  const units = sensors.flatMap(({ properties }) => properties.map(({ unit }) => unit));
  assert.equal(new Set(readings.flat().map(({ property }) => property)).size, units.length);
  return Object.fromEntries(
    readings.flat().map(({ property, value }, at) => [property, `${value} ${units[at]}`]),
  );
}

describe('hwmon', () => {
  it('gives every kind of channel in its unit', async () => {
    const { root } = fakeRoot({
      'class/hwmon/hwmon0/name': 'chip_x\n',
      'class/hwmon/hwmon0/temp1_input': '-5250\n',
      'class/hwmon/hwmon0/temp1_label': 'CPU die\n',
      'class/hwmon/hwmon0/temp1_max': '90000\n',
      'class/hwmon/hwmon0/in0_input': '3301\n',
      'class/hwmon/hwmon0/curr2_input': '120\n',
      'class/hwmon/hwmon0/power1_input': '5400000\n',
      'class/hwmon/hwmon0/power1_average': '1\n',
      'class/hwmon/hwmon0/power2_average': '2500000\n',
      'class/hwmon/hwmon0/fan1_input': '2400\n',
      'class/hwmon/hwmon0/humidity1_input': '45930\n',
      'class/hwmon/hwmon0/intrusion0_input': '1\n',
    });
    assert.deepEqual(await readAll(root), {
      'chip-x/cpu-die-temperature': '-5.25 Cel',
      'chip-x/voltage-0': '3.301 V',
      'chip-x/current-2': '0.12 A',
      'chip-x/power-1': '5.4 W',
      'chip-x/power-2': '2.5 W',
      'chip-x/speed-1': '2400 /min',
      'chip-x/humidity-1': '45.93 %',
    });
  });

  it("names a Jetson's power rails and knows its shunt voltages", async () => {
    const { root } = fakeRoot({
      'class/hwmon/hwmon3/name': 'ina3221\n',
      'class/hwmon/hwmon3/in1_label': 'VDD_IN\n',
      'class/hwmon/hwmon3/in1_input': '5040\n',
      'class/hwmon/hwmon3/curr1_input': '1200\n',
      'class/hwmon/hwmon3/in4_input': '6000\n',
    });
    assert.deepEqual(await readAll(root), {
      'ina3221/vdd-in-voltage': '5.04 V',
      'ina3221/vdd-in-current': '1.2 A',
      'ina3221/shunt-voltage-4': '0.006 V',
    });
  });

  it('calls a chip the same whatever its number, and tells chips of one name apart', async () => {
    const chip = (device: string, number: number, value: string) => {
      const path = `devices/i2c-1/${device}/hwmon/hwmon${number}`;
      return { [`${path}/name`]: 'tmp102\n', [`${path}/temp1_input`]: `${value}\n` };
    };
    const boot = (first: number, second: number) => {
      const fake = fakeRoot({
        ...chip('1-0048', first, '1000'),
        ...chip('1-0049', second, '2000'),
      });
      fake.link(`class/hwmon/hwmon${first}`, `devices/i2c-1/1-0048/hwmon/hwmon${first}`);
      fake.link(`class/hwmon/hwmon${second}`, `devices/i2c-1/1-0049/hwmon/hwmon${second}`);
      return fake.root;
    };
    const expected = {
      'tmp102-1-0048/temperature-1': '1 Cel',
      'tmp102-1-0049/temperature-1': '2 Cel',
    };
    assert.deepEqual(await readAll(boot(0, 1)), expected);
    assert.deepEqual(await readAll(boot(7, 2)), expected);
  });

  it('leaves the other channels be where one cannot be read', async () => {
    const fake = fakeRoot({
      'class/hwmon/hwmon0/name': 'x\n',
      'class/hwmon/hwmon0/temp1_input': '1000\n',
      'class/hwmon/hwmon0/temp2_input': 'not available\n',
    });
    assert.deepEqual(await readAll(fake.root), {
      'x/temperature-1': '1 Cel',
      'x/temperature-2': 'null Cel',
    });
  });

  it('finds nothing on a machine without it, but misses what was asked for', async () => {
    const none = fakeRoot();
    assert.deepEqual(await readAll(none.root), {});
    const { root } = fakeRoot({
      'class/hwmon/hwmon0/name': 'nvme\n',
      'class/hwmon/hwmon0/temp1_input': '1000\n',
      'class/hwmon/hwmon1/name': 'mute\n',
    });
    assert.deepEqual(await readAll(root, ['nvme']), { 'nvme/temperature-1': '1 Cel' });
    for (const absent of ['tmp105', 'mute']) {
      assert.throws(
        () => findHwmonSensors({ root, periodMs: 1000, chips: ['nvme', absent] }),
        (error) =>
          error instanceof ProgramError &&
          error.exit === 78 &&
          error.message.includes(`no hwmon chip ${absent} in`) &&
          error.message.includes('(found: nvme)'),
      );
    }
  });
});
