import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runSimulation } from './run-simulation.ts';
import { simulateSeeds } from './simulate.ts';
import { ATTACKS, createPlan, FAULTS, type FaultName } from './simulation-plan.ts';

const OPTIONS = { seeds: 25, firstSeed: 1, nodes: undefined, faults: FAULTS } as const;

describe('a simulated network', () => {
  it('decides where nothing goes wrong', () => {
    const { failures, decided } = simulateSeeds({ ...OPTIONS, faults: [] });
    assert.deepEqual(failures, []);
    assert.ok(decided >= 25 * 3);
  });

  for (const attack of ATTACKS) {
    it(`agrees, goes on and accuses no one correct: ${attack}`, () => {
      const faults: FaultName[] = ['loss', 'delay', 'partition', 'crash', attack];
      assert.deepEqual(simulateSeeds({ ...OPTIONS, faults }).failures, []);
    });
  }

  it('is the same for the same seed', () => {
    const run = (seed: number) => runSimulation(createPlan({ seed }));
    assert.deepEqual(run(7), run(7));
    assert.notDeepEqual(run(7), run(8));
  });

  for (const attack of ['equivocate', 'lone-decider'] as const) {
    it(`forks where too many ${attack}, and evidence names them`, () => {
      const options = { ...OPTIONS, seeds: 50, nodes: 4, faults: [attack] };
      const { failures, forks, byAmnesia } = simulateSeeds(options, true);
      assert.deepEqual(failures, []);
      assert.ok(forks >= 5);
      if (attack === 'lone-decider') assert.ok(byAmnesia >= 5);
    });
  }
});
