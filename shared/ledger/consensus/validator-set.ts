import { assert } from '../../basics/assert.ts';

/** Weights beyond this would make the proposers' schedule long; they are shares, not stakes. */
const WEIGHT_MAX = 1000;

/** Who votes at one height, and with what weight. */
export interface ValidatorSet {
  readonly weights: ReadonlyMap<string, number>;
  readonly totalWeight: number;
  /** Who proposes, one turn after the other, and then again from the start. */
  readonly schedule: readonly string[];
}

/** The set of these validators; each weight is a whole number, 1 to 1000. */
export function createValidatorSet(members: Iterable<readonly [string, number]>): ValidatorSet {
  const weights = new Map([...members].sort(([a], [b]) => (a < b ? -1 : 1)));
  let totalWeight = 0;
  for (const weight of weights.values()) {
    const sound = Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX;
    assert(sound, `a validator's weight is a whole number from 1 to ${WEIGHT_MAX}, not ${weight}`);
    totalWeight += weight;
  }
  assert(weights.size > 0, 'a validator set has a validator');
  return { weights, totalWeight, schedule: proposerSchedule(weights) };
}

/** The weight of these voters together, each once; who is no validator has none. */
export function weightOf({ weights }: ValidatorSet, voters: Iterable<string>): number {
  let sum = 0;
  for (const voter of new Set(voters)) sum += weights.get(voter) ?? 0;
  return sum;
}

/** More than two thirds, the paper's 2f + 1: two such quorums share a correct validator. */
export function isQuorum(weight: number, { totalWeight }: ValidatorSet): boolean {
  return 3 * weight > 2 * totalWeight;
}

/** More than one third, the paper's f + 1: a correct validator is among them. */
export function holdsCorrect(weight: number, { totalWeight }: ValidatorSet): boolean {
  return 3 * weight > totalWeight;
}

/** The paper's proposer(h, round): a weighted round robin that moves on with height and round. */
export function proposerOf({ schedule }: ValidatorSet, height: number, round: number): string {
  return schedule[(height + round) % schedule.length]!;
}

/**
 * Every validator as often as its weight, spread evenly: its turn j of w is due at (2j + 1) / 2w of
 * the cycle, and who is due first goes first. Compared across, so in whole numbers.
 */
function proposerSchedule(weights: ReadonlyMap<string, number>): readonly string[] {
  const turns: { voter: string; due: number; of: number }[] = [];
  for (const [voter, weight] of weights) {
    for (let j = 0; j < weight; j++) turns.push({ voter, due: 2 * j + 1, of: 2 * weight });
  }
  // The sort is stable: equals stay in the order of their names.
  turns.sort((a, b) => a.due * b.of - b.due * a.of);
  return turns.map(({ voter }) => voter);
}
