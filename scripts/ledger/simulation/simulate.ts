import { exitCode } from '#runtime/process/program-error.ts';
import { runSimulation } from './run-simulation.ts';
import { ATTACKS, createPlan, type FaultName } from './simulation-plan.ts';

export interface SimulateOptions {
  readonly seeds: number;
  readonly firstSeed: number;
  readonly nodes: number | undefined;
  readonly faults: readonly FaultName[];
}

/** Seeds with too many faulty, of which one at least must fork. */
const FORK_SEEDS = 50;

/** What many seeds came to. */
interface Tally {
  readonly seeds: number;
  readonly events: number;
  readonly decided: number;
  readonly forks: number;
  /** Forks that evidence of amnesia had a part in explaining. */
  readonly byAmnesia: number;
  readonly failures: readonly { readonly seed: number; readonly failure: string }[];
}

/** Runs a seed after the other; more than `failuresMax` failures are not looked for. */
export function simulateSeeds(
  { seeds, firstSeed, nodes, faults }: SimulateOptions,
  tooManyFaulty = false,
  failuresMax = 10,
): Tally {
  const failures: { seed: number; failure: string }[] = [];
  let [done, events, decided, forks, byAmnesia] = [0, 0, 0, 0, 0];
  const options = { faults, tooManyFaulty, ...(nodes === undefined ? {} : { nodes }) };
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const outcome = runSimulation(createPlan({ ...options, seed }));
    done += 1;
    events += outcome.events;
    decided += outcome.decided;
    if (outcome.forked) forks += 1;
    if (outcome.forked && outcome.evidence.has('amnesia')) byAmnesia += 1;
    if (outcome.failures[0] !== undefined) failures.push({ seed, failure: outcome.failures[0] });
    if (failures.length >= failuresMax) break;
  }
  return { seeds: done, events, decided, forks, byAmnesia, failures };
}

/**
 * `diten ledger simulate`: many networks of validators, each from its seed, with no more faulty
 * ones than there may be; then a tenth as many with enough of them to fork, where forks must come
 * and evidence must name whom they are owed to.
 */
export function runSimulate(options: SimulateOptions): number {
  const sound = simulateSeeds(options);
  console.log(
    `${sound.seeds} seeds, ${sound.events} events, ${sound.decided} heights decided, ` +
      `${sound.failures.length} failures`,
  );
  report(sound, options);
  // Three validators need each other for a quorum: they stop, and never fork.
  const mayFork = (options.nodes ?? 4) >= 4;
  if (!mayFork || !ATTACKS.some((attack) => options.faults.includes(attack))) {
    return sound.failures.length === 0 ? exitCode.ok : exitCode.failed;
  }
  const seeds = Math.max(20, Math.ceil(options.seeds / 10));
  const control = simulateSeeds({ ...options, seeds, nodes: options.nodes ?? 4 }, true);
  console.log(
    `too many faulty: ${control.seeds} seeds, ${control.forks} forks, ` +
      `${control.byAmnesia} of them with amnesia, ${control.failures.length} failures`,
  );
  report(control, options);
  const tooWeak = control.forks === 0 && control.seeds >= FORK_SEEDS;
  if (tooWeak) console.log('too many faulty, and no fork: the attack is too weak');
  const clean = sound.failures.length + control.failures.length === 0 && !tooWeak;
  return clean ? exitCode.ok : exitCode.failed;
}

function report({ failures }: Tally, { nodes, faults }: SimulateOptions): void {
  for (const { seed, failure } of failures) {
    console.log(`FAILED  seed ${seed}: ${failure}`);
    const size = nodes === undefined ? '' : ` --nodes ${nodes}`;
    console.log(
      `        again: diten ledger simulate --seeds 1 --first-seed ${seed}${size} ` +
        `--faults ${faults.join(',')}`,
    );
  }
}
