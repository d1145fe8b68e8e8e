import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import { type Random, seededRandom, shuffledIndices } from '#shared/basics/seeded-random.ts';
import { createValidatorSet, type ValidatorSet } from '#shared/ledger/consensus/validator-set.ts';
import { STRATEGIES, type StrategyName } from './adversary.ts';

const NETWORK_FAULTS = ['loss', 'delay', 'partition', 'crash'] as const;

export type NetworkFault = (typeof NETWORK_FAULTS)[number];
/** `twins`: two correct instances hold one faulty validator's key. */
export type FaultName = NetworkFault | StrategyName | 'twins';

export const ATTACKS: readonly (StrategyName | 'twins')[] = [
  ...(Object.keys(STRATEGIES) as StrategyName[]),
  'twins',
];

export const FAULTS: readonly FaultName[] = [...NETWORK_FAULTS, ...ATTACKS];

/** Names of faults, separated by commas. */
export function parseFaults(text: string): FaultName[] {
  return text.split(',').map((name) => {
    const fault = FAULTS.find((known) => known === name.trim());
    if (fault !== undefined) return fault;
    const message = `no fault is called ${name}; there are ${FAULTS.join(', ')}`;
    throw new ProgramError('unknown-fault', message, { exit: exitCode.usage });
  });
}

/** What a run is: all of it follows from the seed and these options. */
export interface PlanOptions {
  readonly seed: number;
  /** Validators; undefined lets the seed choose. */
  readonly nodes?: number;
  readonly faults?: readonly FaultName[];
  /** So many are faulty that forks must come, and evidence of them. */
  readonly tooManyFaulty?: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly random: Random;
  readonly validators: ValidatorSet;
  readonly faulty: readonly string[];
  readonly tooManyFaulty: boolean;
  readonly network: ReadonlySet<NetworkFault>;
  readonly strategies: readonly StrategyName[];
  readonly twins: boolean;
  /** When the network heals and nothing crashes any more. */
  readonly healsAtTick: number;
}

export function createPlan(options: PlanOptions): Plan {
  const { seed, faults = FAULTS, tooManyFaulty = false } = options;
  const random = seededRandom(seed);
  const count = options.nodes ?? pick([4, 4, 4, 4, 5, 6, 7], random);
  const weighted = !tooManyFaulty && random() < 0.25;
  const validators = createValidatorSet(
    Array.from({ length: count }, (_, i) => [`n${i}`, weighted ? 1 + Math.floor(random() * 4) : 1]),
  );
  // With too many faulty it is the attack that is tried, not what it could be lost in.
  const network = NETWORK_FAULTS.filter(
    (fault) => !tooManyFaulty && faults.includes(fault) && random() < 0.6,
  );
  const attacks = pickAttacks(faults, random, tooManyFaulty);
  return {
    seed,
    random,
    validators,
    faulty: attacks.length === 0 ? [] : pickFaulty(validators, random, tooManyFaulty),
    tooManyFaulty,
    network: new Set(network),
    strategies: attacks.filter((attack) => attack !== 'twins'),
    twins: attacks.includes('twins'),
    healsAtTick: 200 + Math.floor(random() * 800),
  };
}

/** Often two at once: one brings about what the other lives on. */
function pickAttacks(
  faults: readonly FaultName[],
  random: Random,
  tooMany: boolean,
): readonly (StrategyName | 'twins')[] {
  const attacks = ATTACKS.filter((attack) => faults.includes(attack));
  if (attacks.length === 0 || (!tooMany && random() < 0.1)) return [];
  const first = pick(attacks, random);
  if (first === 'twins') return [first];
  const second = pick(attacks, random);
  return second === 'twins' || random() < 0.3 ? [first] : [first, second];
}

/**
 * As many as there may be; or as few as can make a fork, which is what two quorums share at least:
 * f + 1 where there are 3f + 1 of one weight.
 */
function pickFaulty(
  { weights, totalWeight }: ValidatorSet,
  random: Random,
  tooMany: boolean,
): readonly string[] {
  const quorum = Math.floor((2 * totalWeight) / 3) + 1;
  const most = tooMany ? 2 * quorum - totalWeight : Math.ceil(totalWeight / 3) - 1;
  const names = [...weights.keys()];
  const faulty: string[] = [];
  let weight = 0;
  for (const index of shuffledIndices(names.length, random)) {
    const name = names[index]!;
    if (weight + weights.get(name)! > most) continue;
    faulty.push(name);
    weight += weights.get(name)!;
  }
  return faulty;
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)]!;
}
