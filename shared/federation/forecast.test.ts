import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forecastError, forecastInputs, trainingWindows } from './forecast.ts';

const task = {
  window: 3,
  features: [
    { property: 'a/x', scale: 0.5 },
    { property: 'a/y', scale: 2 },
  ],
};

describe('forecast windows', () => {
  const readings = [
    [0, 0],
    [1, 2],
    [1, 6],
    [3, 6],
    [3, 0],
  ];

  it('are changes in units of the scale, with the change that follows as target', () => {
    const { inputs, targets, count } = trainingWindows(task, readings);
    assert.equal(forecastInputs(task), 4);
    assert.equal(count, 2);
    assert.deepEqual([...inputs], [2, 1, 0, 2, 0, 2, 3, 0]);
    assert.deepEqual([...targets], [3, 0, 0, -3]);
  });

  it('cut wild changes', () => {
    const { targets } = trainingWindows(task, [...readings.slice(0, 3), [1000, -1000]]);
    assert.deepEqual([...targets], [3, -3]);
  });

  it('are none where the record is too short', () => {
    assert.equal(trainingWindows(task, readings.slice(0, 3)).count, 0);
  });

  it('measure a forecast against what came', () => {
    const change = { from: [0, 0], to: [1, 4] };
    assert.equal(forecastError(task, change, [2, 2]), 0);
    assert.equal(forecastError(task, change, [0, 0]), 2);
  });
});
