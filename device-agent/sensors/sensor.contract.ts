import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { qualities } from '#shared/twin/sample.ts';
import { propertySchema } from '#shared/wire/names.ts';
import type { LiveSensor, Observation, RecordedSensor, Sensor } from './sensor.ts';

export interface SensorUnderTest<S extends Sensor> {
  readonly sensor: S;
  /** Takes the hardware away. */
  readonly unplug?: () => void;
}

function describesItself({ name, periodMs, properties }: Sensor): void {
  assert.notEqual(name, '');
  assert.ok(periodMs > 0);
  assert.ok(properties.length > 0);
  for (const { property, unit, range } of properties) {
    assert.equal(propertySchema.safeParse(property).error, undefined, property);
    assert.match(unit, /^[\w%/.[\]]+$/);
    if (range !== undefined) assert.ok(range[0] < range[1]);
  }
  const ids = properties.map(({ property }) => property);
  assert.equal(new Set(ids).size, ids.length, 'no property twice');
}

function coversEveryProperty(values: readonly Observation[], sensor: Sensor): void {
  assert.deepEqual(
    values.map(({ property }) => property),
    sensor.properties.map(({ property }) => property),
  );
  for (const [at, { value, quality, problem }] of values.entries()) {
    assert.ok(qualities.includes(quality));
    assert.equal(quality === 'ok', problem === undefined, 'a problem where it is not ok');
    if (quality !== 'ok') continue;
    assert.ok(Number.isFinite(value));
    const [least, greatest] = sensor.properties[at]!.range ?? [-Infinity, Infinity];
    assert.ok(value! >= least && value! <= greatest);
  }
}

/** What every live sensor keeps. */
export function liveSensorContract(
  name: string,
  create: () => Promise<SensorUnderTest<LiveSensor>>,
): void {
  describe(`sensor: ${name}`, () => {
    it('describes itself', async () => {
      const { sensor } = await create();
      describesItself(sensor);
      sensor.close?.();
    });

    it('observes every property at every reading', async () => {
      const { sensor } = await create();
      for (let i = 0; i < 3; i++) {
        const values = await sensor.read();
        coversEveryProperty(values, sensor);
        assert.ok(values.every(({ quality }) => quality === 'ok'));
      }
      sensor.close?.();
    });

    it('says so when the hardware is gone, and gives no value', async () => {
      const { sensor, unplug } = await create();
      assert.ok(unplug !== undefined);
      unplug();
      const outcome = await sensor.read().catch((error) => error);
      if (!(outcome instanceof Error)) {
        coversEveryProperty(outcome, sensor);
        for (const { value, quality } of outcome) {
          assert.deepEqual({ value, quality }, { value: null, quality: 'gap' });
        }
      }
      sensor.close?.();
    });
  });
}

/** What every recording keeps. */
export function recordedSensorContract(name: string, create: () => RecordedSensor): void {
  describe(`sensor: ${name}`, () => {
    it('describes itself', () => describesItself(create()));

    it('gives the same reading for the same index, however often it is opened', () => {
      const [one, other] = [create(), create()];
      assert.equal(one.length, other.length);
      for (let i = 0; i < one.length; i++) assert.deepEqual(one.reading(i), other.reading(i));
    });

    it('observes every property, at times that never go back', () => {
      const sensor = create();
      assert.ok(sensor.length > 1);
      let before = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < sensor.length; i++) {
        const { timeMs, values } = sensor.reading(i)!;
        coversEveryProperty(values, sensor);
        assert.ok(Number.isInteger(timeMs) && timeMs >= before);
        before = timeMs;
      }
    });

    it('ends', () => {
      const sensor = create();
      assert.equal(sensor.reading(sensor.length), undefined);
    });
  });
}
