import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, quantile } from './median.ts';

describe('the median', () => {
  it('is the middle value, or the mean of the middle two', () => {
    assert.equal(median([9]), 9);
    assert.equal(median([10, 9, 100]), 10);
    assert.equal(median([4, 1, 100, 2]), 3);
  });
});

describe('a quantile', () => {
  it('is the least value that so many do not exceed', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    assert.deepEqual(
      [quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)],
      [50, 99, 100],
    );
    assert.deepEqual([quantile([7], 0), quantile([7], 0.99)], [7, 7]);
  });
});
