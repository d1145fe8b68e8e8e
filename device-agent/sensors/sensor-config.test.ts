import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { loadConfig } from '#runtime/config/load-config.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import { fakeRoot } from './fake-root.fixture.ts';
import { chipFiles, fakeOnoff } from './gpio.fixture.ts';
import { createSensors, sensorSchema } from './sensor-config.ts';

const fake = fakeRoot({
  'record.csv': 'mote,temperature\n1,20\n2,30\n1,21\n',
  'class/thermal/thermal_zone0/type': 'cpu-thermal\n',
  'class/thermal/thermal_zone0/temp': '25178\n',
  ...chipFiles(512, 'pinctrl-rp1'),
  'class/gpio/gpio529/value': '1\n',
});

const replay = `[[sensors]]
kind = "replay"
file = "${fake.root}/record.csv"
filter = { column = "mote", value = 1 }
columns = [{ column = "temperature", property = "environment/temperature", unit = "Cel" }]
periodMs = 9.5
`;

function load(text: string) {
  const file = join(fake.root, 'device.toml');
  writeFileSync(file, text);
  return loadConfig(file, z.strictObject({ sensors: z.array(sensorSchema) })).sensors;
}

const onoff = fakeOnoff(fake.root);
const context = {
  startedMs: 7000,
  producedOf: (property: string) => (property === 'environment/temperature' ? 1 : 0),
  loadGpioModule: async () => onoff.module,
};
const create = async (text: string) => createSensors(load(text), context);
const refusal = (pattern: RegExp) => (error: unknown) =>
  error instanceof ProgramError && error.exit === 78 && pattern.test(error.message);

describe('sensor configuration', () => {
  it('fills in what may be left out', () => {
    const text = ['host', 'hwmon', 'one-wire'].map((kind) => `[[sensors]]\nkind = "${kind}"\n`);
    assert.deepEqual(load(text.join('')), [
      { kind: 'host', periodMs: 1000, procRoot: '/proc' },
      { kind: 'hwmon', periodMs: 1000, root: '/sys' },
      { kind: 'one-wire', periodMs: 10_000, root: '/sys' },
    ]);
  });

  it('refuses an unknown kind, an unknown key, and what is no property', () => {
    const wrong = (text: string, pattern: RegExp) =>
      assert.throws(() => load(text), refusal(pattern));
    wrong('[[sensors]]\nkind = "hoast"\n', /sensors\[0\]\.kind: /);
    wrong('[[sensors]]\nkind = "host"\nperiod = 5\n', /unknown key sensors\[0\]\.period/);
    wrong(replay.replace('environment/temperature', 'Temperature'), /use feature\/property/);
    wrong(replay.replace('9.5', '0'), /sensors\[0\]\.periodMs/);
    wrong(replay.replace('periodMs = 9.5', ''), /missing key sensors\[0\]\.periodMs/);
  });

  it('lets a recording begin with the outbox and go on where it stopped', async () => {
    const [sensor] = await create(replay);
    assert.ok(sensor?.kind === 'recorded');
    assert.deepEqual([sensor.length, sensor.from], [2, 1]);
    assert.equal(sensor.reading(1)?.timeMs, 7010);
    const [other] = await create(`${replay}startMs = 100\n`);
    assert.ok(other?.kind === 'recorded');
    assert.equal(other.reading(0)?.timeMs, 100);
  });

  it('makes the sensors that are there, and none where there is no hardware', async () => {
    const kinds = ['hwmon', 'thermal', 'iio', 'one-wire'];
    const text = kinds.map((kind) => `[[sensors]]\nkind = "${kind}"\nroot = "${fake.root}"\n`);
    const sensors = await create(text.join(''));
    assert.deepEqual(
      sensors.map(({ name }) => name),
      ['thermal'],
    );
  });

  it('refuses a property given twice, and lets go of what it had opened', async () => {
    const gpio = `[[sensors]]
      kind = "gpio"
      root = "${fake.root}"
      line = 17
      property = "environment/temperature"
    `;
    await assert.rejects(
      create(gpio + replay),
      refusal(/gpio 17 and replay both give environment\/temperature/),
    );
    assert.equal(onoff.lines.length, 1);
    assert.equal(onoff.lines[0]?.exported, false);
  });
});
