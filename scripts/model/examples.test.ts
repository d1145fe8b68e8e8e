import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  columnSpread,
  createExamples,
  exampleInputs,
  exampleTargets,
  featureMoves,
  featureSpread,
  splitExamples,
  targetLine,
  targetMoves,
} from './examples.ts';

const columns = {
  file: 'data.csv',
  values: new Map([
    ['a', Float64Array.of(1, 2, 4, 8, 16, 32)],
    ['b', Float64Array.of(0, 1, 0, 1, 0, 1)],
  ]),
  lines: [2, 3, 4, 5, 6, 8],
};
const spec = { features: ['a', 'b'], targets: ['b', 'a'], window: 2, horizon: 1 };
const examples = createExamples(columns, spec);
const all = Int32Array.of(0, 1, 2, 3);

describe('examples of a record', () => {
  it('are as many as windows with a target after them', () => {
    assert.equal(examples.count, 4);
    assert.equal(createExamples(columns, { ...spec, horizon: 0 }).count, 5);
    assert.throws(
      () => createExamples(columns, { ...spec, window: 5 }),
      /6 rows for the window of 5/,
    );
  });

  it('go in reading by reading, or feature by feature', () => {
    const last = Int32Array.of(3);
    assert.deepEqual([...exampleInputs(examples, last, 'rows')], [8, 1, 16, 0]);
    assert.deepEqual([...exampleInputs(examples, last, 'channels')], [8, 16, 1, 0]);
  });

  it('have the reading after the window for a target, and the line it is on', () => {
    assert.deepEqual([...exampleTargets(examples, Int32Array.of(0, 3))], [0, 4, 1, 32]);
    assert.deepEqual([...exampleTargets(examples, Int32Array.of(0, 3), 0)], [1, 2, 0, 16]);
    assert.equal(targetLine(examples, 3), 8);
  });

  it('are split where time goes on, or at random', () => {
    const split = { heldOut: 0.25, seed: 1 } as const;
    const byTime = splitExamples(examples, { ...split, split: 'time' });
    assert.deepEqual([[...byTime.training], [...byTime.heldOut]], [[0, 1, 2], [3]]);
    const random = splitExamples({ ...examples, count: 100 }, { ...split, split: 'random' });
    assert.equal(random.heldOut.length, 25);
    assert.equal(new Set([...random.training, ...random.heldOut]).size, 100);
    assert.ok(random.heldOut.some((example) => example < 75));
  });

  it('leave at least one on each side', () => {
    for (const heldOut of [0.001, 0.999]) {
      const { training, heldOut: kept } = splitExamples(examples, {
        heldOut,
        split: 'time',
        seed: 1,
      });
      assert.ok(training.length >= 1 && kept.length >= 1);
    }
  });
});

describe('the spread of a record', () => {
  it('is that of the examples given', () => {
    const first = Int32Array.of(0, 1);
    assert.deepEqual(featureSpread(examples, first), { mean: [3, 0.5], deviation: [1, 0.5] });
    assert.deepEqual(featureMoves(examples, first), [1.5, 1]);
    assert.deepEqual(targetMoves(examples, all), [1, (2 + 4 + 8 + 16) / 4]);
  });

  it('is 1 where nothing varies, so that nothing is divided by 0', () => {
    assert.deepEqual(columnSpread(Float64Array.of(5, 1, 5, 3), 2), {
      mean: [5, 2],
      deviation: [1, 1],
    });
    const still = { ...columns, values: new Map([['a', new Float64Array(6)]]) };
    const lone = createExamples(still, { ...spec, features: ['a'], targets: ['a'] });
    assert.deepEqual([featureMoves(lone, all), targetMoves(lone, all)], [[1], [1]]);
  });
});
