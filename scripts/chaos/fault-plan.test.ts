import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { faultKinds, planFaults } from './fault-plan.ts';

describe('fault plan', () => {
  const size = { seed: 1, seconds: 300, devices: 3 };

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(planFaults(size), planFaults(size));
    assert.notDeepEqual(planFaults(size), planFaults({ ...size, seed: 2 }));
  });

  it('has at least 50 faults in five minutes, of every kind, in order and in time', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const faults = planFaults({ ...size, seed });
      assert.ok(faults.length >= 60, `${faults.length}`);
      assert.equal(new Set(faults.map(({ kind }) => kind)).size, faultKinds.length);
      assert.deepEqual(
        faults,
        faults.toSorted((a, b) => a.atMs - b.atMs),
      );
      assert.ok(faults.every(({ atMs, device }) => atMs < 300_000 && device < 3));
      assert.equal(new Set(faults.map(({ device }) => device)).size, 3);
    }
  });

  it('fills a short run too', () => {
    assert.ok(planFaults({ ...size, seconds: 20 }).length >= faultKinds.length - 3);
  });
});
