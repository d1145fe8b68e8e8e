import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inputLayout } from './input-layout.ts';

function layoutOf(
  shape: readonly (number | null)[],
  [window, features]: readonly [number, number],
  wanted?: 'rows' | 'channels',
) {
  const port = { name: 'x', type: 1, shape: [null, ...shape] };
  const found = inputLayout(port, { window, features }, wanted);
  return found.ok ? [found.value.layout, ...found.value.dimensions] : found.error.code;
}

describe('how an input takes readings', () => {
  it('is told by its shape', () => {
    assert.deepEqual(layoutOf([8, 2], [8, 2]), ['rows', 8, 2]);
    assert.deepEqual(layoutOf([2, 8], [8, 2]), ['channels', 2, 8]);
    assert.deepEqual(layoutOf([null, 2], [8, 2]), ['rows', 8, 2]);
    assert.deepEqual(layoutOf([2, null], [8, 2]), ['channels', 2, 8]);
    assert.deepEqual(layoutOf([16], [8, 2]), ['flat', 16]);
    assert.deepEqual(layoutOf([null], [8, 2]), ['flat', 16]);
    assert.deepEqual(layoutOf([1, 8, 2], [8, 2]), ['flat', 1, 8, 2]);
    assert.deepEqual(layoutOf([], [1, 1]), ['flat']);
    assert.deepEqual(layoutOf([1, 1], [1, 1]), ['rows', 1, 1]);
  });

  it('must be told where both fit', () => {
    assert.equal(layoutOf([3, 3], [3, 3]), 'layout-ambiguous');
    assert.equal(layoutOf([null, null], [8, 2]), 'layout-ambiguous');
    assert.deepEqual(layoutOf([3, 3], [3, 3], 'channels'), ['channels', 3, 3]);
    assert.deepEqual(layoutOf([null, null], [8, 2], 'rows'), ['rows', 8, 2]);
  });

  it('must fit', () => {
    assert.equal(layoutOf([16], [8, 3]), 'input-misfit');
    assert.equal(layoutOf([8, 2], [8, 2], 'channels'), 'input-misfit');
    assert.equal(layoutOf([null, 3], [8, 2]), 'input-misfit');
  });
});
