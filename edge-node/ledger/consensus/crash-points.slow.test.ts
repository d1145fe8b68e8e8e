import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countPoints, crashAt, losses } from './crash-points.contract.ts';

/** Every call of a port and every boundary of a transaction, over three heights. */
const POINTS_MIN = 100;

describe('a validator that is stopped and started again', () => {
  for (const loss of losses) {
    it(`signs nothing twice: ${loss} at every point`, async () => {
      const points = await countPoints();
      assert.ok(points >= POINTS_MIN, `${points} points`);
      for (let point = 1; point <= points; point++) await crashAt(point, loss);
    });
  }
});
