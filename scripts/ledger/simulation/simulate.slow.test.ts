import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulateSeeds } from './simulate.ts';
import { FAULTS } from './simulation-plan.ts';

describe('many simulated networks', () => {
  it('keep what they must in each of 1,000 seeds', () => {
    const options = { seeds: 1000, firstSeed: 100_000, nodes: undefined, faults: FAULTS };
    assert.deepEqual(simulateSeeds(options).failures, []);
  });

  it('keep it with ten validators, of whom three may be faulty', () => {
    const options = { seeds: 60, firstSeed: 1, nodes: 10, faults: FAULTS };
    assert.deepEqual(simulateSeeds(options).failures, []);
  });

  for (const nodes of [4, 7]) {
    it(`name whom a fork is owed to, with too many faulty of ${nodes}`, () => {
      const options = { seeds: 200, firstSeed: 1, nodes, faults: FAULTS };
      const { failures, forks, byAmnesia } = simulateSeeds(options, true);
      assert.deepEqual(failures, []);
      assert.ok(forks >= 10);
      assert.ok(byAmnesia >= 1);
    });
  }
});
