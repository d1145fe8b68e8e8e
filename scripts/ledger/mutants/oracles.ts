/**
 * What may catch a mutant, run where the mutant is: the traces, then the simulation. Prints what
 * caught it and ends with exit code 1, or with 0 where nothing did.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { runSimulation } from '../simulation/run-simulation.ts';
import { createPlan } from '../simulation/simulation-plan.ts';
import { readTrace, replayTrace } from '../trace/replay-trace.ts';

/** Seeds of the simulation, and of the control in which too many are faulty. */
const SEEDS = 1000;
const CONTROL_SEEDS = 60;
const FORKS_MIN = 5;

function caughtBy(): string | undefined {
  const fixtures = join(import.meta.dirname, '../trace/fixtures');
  for (const name of globSync('*.itf.json.gz', { cwd: fixtures }).sort()) {
    const { difference } = replayTrace(readTrace(join(fixtures, name)));
    if (difference !== undefined) return `trace ${name}`;
  }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const [failure] = runSimulation(createPlan({ seed })).failures;
    if (failure !== undefined) return `seed ${seed}: ${failure}`;
  }
  let forks = 0;
  for (let seed = 1; seed <= CONTROL_SEEDS; seed++) {
    const plan = createPlan({ seed, nodes: 4, tooManyFaulty: true });
    const { failures, forked } = runSimulation(plan);
    if (failures[0] !== undefined) return `control seed ${seed}: ${failures[0]}`;
    if (forked) forks += 1;
  }
  return forks < FORKS_MIN ? `control: ${forks} forks` : undefined;
}

try {
  const caught = caughtBy();
  if (caught !== undefined) {
    console.log(caught);
    process.exitCode = 1;
  }
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
