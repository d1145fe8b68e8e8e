import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeTensors } from '../codec/tensor.ts';
import { type Contribution, federatedAverage } from './fed-avg.ts';

function contribution(contributor: string, sampleCount: number, values: number[]): Contribution {
  const data = Float32Array.from(values);
  return { contributor, sampleCount, parameters: [{ name: 'w', shape: [data.length], data }] };
}

describe('federated averaging', () => {
  it('weighs by sample count', () => {
    const averaged = federatedAverage([contribution('a', 1, [0, 4]), contribution('b', 3, [4, 0])]);
    assert.ok(averaged.ok);
    assert.deepEqual([...averaged.value[0]!.data], [3, 1]);
  });

  it('gives the same bytes in whatever order the updates came', () => {
    const updates = fc.uniqueArray(
      fc.record({
        name: fc.string({ minLength: 1 }),
        count: fc.integer({ min: 1, max: 1000 }),
        values: fc.tuple(
          fc.double({ min: -1e6, max: 1e6, noNaN: true }),
          fc.double({ min: -1, max: 1, noNaN: true }),
        ),
      }),
      { minLength: 1, maxLength: 6, selector: ({ name }) => name },
    );
    fc.assert(
      fc.property(updates, fc.infiniteStream(fc.nat()), (list, keys) => {
        const contributions = list.map((u) => contribution(u.name, u.count, u.values));
        const shuffled = contributions
          .map((item) => ({ item, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ item }) => item);
        const one = federatedAverage(contributions);
        const other = federatedAverage(shuffled);
        assert.ok(one.ok && other.ok);
        assert.deepEqual(encodeTensors(one.value), encodeTensors(other.value));
      }),
    );
  });

  it('refuses parameters of another model', () => {
    const averaged = federatedAverage([contribution('a', 1, [1, 2]), contribution('b', 1, [1])]);
    assert.ok(!averaged.ok && averaged.error.code === 'update-mismatch');
  });
});
