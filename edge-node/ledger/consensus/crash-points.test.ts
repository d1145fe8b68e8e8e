import { describe, it } from 'node:test';
import { countPoints, crashAt, losses } from './crash-points.contract.ts';

describe('a validator that is stopped and started again', () => {
  for (const loss of losses) {
    it(`signs nothing twice: ${loss} at some points`, async () => {
      const points = await countPoints();
      for (let point = 3; point <= points; point += 37) await crashAt(point, loss);
    });
  }
});
