import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Course, forecastToCourse, type Point, predictorNamed } from './predictor.ts';

const ramp: readonly Point[] = [
  { timeMs: 0, value: 10 },
  { timeMs: 100, value: 20 },
];

const learned = predictorNamed(`learned:${'0a'.repeat(32)}`)!;

function predicted(name: string, points: readonly Point[], timeMs: number) {
  return predictorNamed(name)?.predict({ points }, timeMs);
}

describe('predictors', () => {
  it('hold stays where it is', () => {
    assert.equal(predicted('hold', ramp, 1e9), 20);
  });

  it('linear follows the line for as long as it was seen, then stays', () => {
    assert.deepEqual(
      [100, 150, 200, 201, 1e9].map((timeMs) => predicted('linear', ramp, timeMs)),
      [20, 25, 30, 30, 30],
    );
  });

  it('damped leaves with the slope of the line and never goes half as far again', () => {
    assert.deepEqual(
      [100, 150, 250].map((timeMs) => predicted('damped', ramp, timeMs)),
      [20, 22.5, 23.75],
    );
    const start = (predicted('damped', ramp, 100.001)! - 20) / 0.001;
    assert.ok(Math.abs(start - 0.1) < 1e-4);
    const end = predicted('damped', ramp, 1e12)!;
    assert.ok(end < 25 && end > 24.99);
  });

  it('all stay where there is but one point', () => {
    for (const name of ['hold', 'linear', 'damped']) {
      assert.equal(predicted(name, [{ timeMs: 5, value: -3 }], 77), -3);
    }
  });

  it('is unknown by any other name', () => {
    for (const name of ['', 'Hold', 'constructor', 'learned:0a']) {
      assert.equal(predictorNamed(name), undefined);
    }
  });
});

describe('a course', () => {
  const points = [{ timeMs: 1000, value: 7 }];
  const along = (course: Course | undefined, timeMs: number) =>
    learned.predict(course === undefined ? { points } : { points, course }, timeMs);

  it('goes straight from step to step and level after the last', () => {
    const course = { stepMs: 10, unit: 0.5, changes: [2, -4] };
    assert.deepEqual(
      [1000, 1005, 1010, 1015, 1020, 9999].map((timeMs) => along(course, timeMs)),
      [7, 7.5, 8, 6.5, 5, 5],
    );
  });

  it('is nothing without the model, or with a step that is none', () => {
    assert.equal(along(undefined, 1005), undefined);
    for (const stepMs of [0, -1, Number.NaN]) {
      assert.equal(along({ stepMs, unit: 1, changes: [1] }, 1005), undefined);
    }
  });

  it('ends before the first change that is no number, and after 1,024', () => {
    const course = forecastToCourse({ stepMs: 1, changes: [1, -0.001, Number.NaN, 2] }, 64);
    assert.deepEqual(course, { stepMs: 1, unit: 1, changes: [1, 0] });
    assert.deepEqual(forecastToCourse({ stepMs: 1, changes: [1, 2] }, 0).changes, []);
    const long = forecastToCourse({ stepMs: 1, changes: new Array(5000).fill(1) }, 64);
    assert.equal(long.changes.length, 1024);
  });

  it('of two machines differs by no more than the margin kept back', () => {
    const change = fc.double({ min: -1e3, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(change, fc.double({ min: -1e-6, max: 1e-6, noNaN: true }))),
        fc.double({ min: 0.001, max: 100, noNaN: true }),
        fc.nat(100),
        (changes, tolerance, afterMs) => {
          const [here, there] = [0, 1].map((machine) => {
            const floats = changes.map(([value, blur]) => value + machine * blur);
            const course = forecastToCourse({ stepMs: 7, changes: floats }, tolerance);
            return along(course, 1000 + afterMs)!;
          }) as [number, number];
          assert.ok(Math.abs(here - there) <= learned.margin * tolerance);
        },
      ),
    );
  });
});
