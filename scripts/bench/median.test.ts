import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median } from './median.ts';

describe('the median', () => {
  it('is the middle value, or the mean of the middle two', () => {
    assert.equal(median([9]), 9);
    assert.equal(median([10, 9, 100]), 10);
    assert.equal(median([4, 1, 100, 2]), 3);
  });
});
