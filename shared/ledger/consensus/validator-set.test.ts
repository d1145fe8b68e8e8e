import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  createValidatorSet,
  holdsCorrect,
  isQuorum,
  proposerOf,
  weightOf,
} from './validator-set.ts';

const sets = fc
  .array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 })
  .map((weights) => createValidatorSet(weights.map((weight, i) => [`n${i}`, weight])));

describe('a validator set', () => {
  it('asks for more than two thirds, and for more than one third', () => {
    const six = createValidatorSet([
      ['a', 2],
      ['b', 3],
      ['c', 1],
    ]);
    assert.deepEqual(
      [0, 4, 5, 6].map((weight) => isQuorum(weight, six)),
      [false, false, true, true],
    );
    assert.deepEqual(
      [0, 2, 3].map((weight) => holdsCorrect(weight, six)),
      [false, false, true],
    );
  });

  it('has quorums that share more than what may be faulty', () => {
    fc.assert(
      fc.property(sets, fc.nat(), fc.nat(), (set, a, b) => {
        const { totalWeight } = set;
        const [one, other] = [a % (totalWeight + 1), b % (totalWeight + 1)];
        if (!isQuorum(one, set) || !isQuorum(other, set)) return;
        assert.ok(holdsCorrect(one + other - totalWeight, set));
      }),
    );
  });

  it('counts each voter once, and strangers not at all', () => {
    const set = createValidatorSet([
      ['a', 2],
      ['b', 3],
    ]);
    assert.equal(weightOf(set, ['a', 'b', 'a', 'x']), 5);
  });

  it('lets everybody propose by its weight, and by turns', () => {
    fc.assert(
      fc.property(sets, fc.nat({ max: 1000 }), (set, height) => {
        const turns = Array.from({ length: set.totalWeight }, (_, r) => proposerOf(set, height, r));
        for (const [name, weight] of set.weights) {
          assert.equal(turns.filter((proposer) => proposer === name).length, weight);
        }
        assert.equal(proposerOf(set, height + 1, 0), proposerOf(set, height, 1));
      }),
    );
    const set = createValidatorSet([
      ['a', 3],
      ['b', 1],
      ['c', 2],
    ]);
    assert.equal([0, 1, 2, 3, 4, 5].map((round) => proposerOf(set, 0, round)).join(''), 'acabca');
  });

  it('does not depend on the order of its members', () => {
    const members = [
      ['a', 3],
      ['b', 1],
      ['c', 2],
    ] as const;
    assert.deepEqual(createValidatorSet(members), createValidatorSet(members.toReversed()));
  });

  for (const weight of [0, -1, 1.5, 1001, Number.NaN]) {
    it(`refuses a weight of ${weight}`, () => {
      assert.throws(() => createValidatorSet([['a', weight]]), /whole number/);
    });
  }
});
