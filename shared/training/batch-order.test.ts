import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../basics/seeded-random.ts';
import { shuffledBatches } from './batch-order.ts';

describe('shuffled batches', () => {
  it('hold every example once and fill up the last batch with -1', () => {
    const order = [...shuffledBatches(10, 4, seededRandom(1))].map(Number);
    assert.equal(order.length, 12);
    assert.deepEqual(order.slice(10), [-1, -1]);
    const rows = order.slice(0, 10);
    assert.notDeepEqual(rows, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(
      rows.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
  });

  it('are the same for the same seed, and new in each epoch', () => {
    const random = seededRandom(7);
    const first = shuffledBatches(20, 5, random);
    assert.deepEqual(shuffledBatches(20, 5, seededRandom(7)), first);
    assert.notDeepEqual(shuffledBatches(20, 5, random), first);
  });
});
