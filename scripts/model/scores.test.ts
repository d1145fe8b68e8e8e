import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { measures } from './scores.ts';

describe('scores', () => {
  it('of values are errors in their own units', () => {
    const scores = measures.mse.score([1, 2, 3, 4], Float64Array.of(1, 2, 3, 0));
    assert.deepEqual(scores, { rmse: 2, mae: 1 });
  });

  it('of classes are the share of right answers', () => {
    const logits = [0, 2, 1, 5, 4, 3, 0, 0, 1];
    const { accuracy } = measures['cross-entropy'].score(logits, Float64Array.of(1, 0, 1));
    assert.equal(accuracy, 2 / 3);
  });

  it('of yes and no are the share of right answers', () => {
    const scores = measures['binary-cross-entropy'].score(
      [1, -1, 3, 0],
      Float64Array.of(1, 0, 0, 0),
    );
    assert.deepEqual(scores, { accuracy: 0.75 });
  });
});
