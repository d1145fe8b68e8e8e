import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { areaUnderCurve } from './ranking.ts';

it('area under the curve is the chance that a positive outranks a negative', () => {
  const item = fc.record({ score: fc.nat(8), positive: fc.boolean() });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 40 }), (items) => {
      const positives = items.filter(({ positive }) => positive);
      const negatives = items.filter(({ positive }) => !positive);
      const area = areaUnderCurve(items);
      if (positives.length === 0 || negatives.length === 0) {
        assert.equal(area, undefined);
        return;
      }
      let wins = 0;
      for (const { score } of positives) {
        for (const other of negatives) {
          if (score > other.score) wins += 1;
          else if (score === other.score) wins += 0.5;
        }
      }
      assert.ok(Math.abs(area! - wins / (positives.length * negatives.length)) < 1e-12);
    }),
  );
});
