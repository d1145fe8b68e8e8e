import { type Digest, digestOfPlain } from '../identity/digest.ts';
import { keyIdOf, type PublicKey } from '../identity/keys.ts';
import { createValidatorSet, type ValidatorSet } from './consensus/validator-set.ts';
import type { Validator } from './genesis.ts';

/** Who takes part at a height. */
export interface Roster {
  /** Validators and followers, by name. */
  readonly members: readonly Validator[];
  readonly digest: Digest;
  /** Those with a weight, by key id. */
  readonly validators: ValidatorSet;
  /** The keys of those with a weight, by key id. */
  readonly keys: ReadonlyMap<string, PublicKey>;
}

/** The roster of these members, one of whom has a weight, in whatever order they come. */
export function rosterOf(members: Iterable<Validator>): Roster {
  const sorted = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
  const voters = sorted.filter(({ weight }) => weight > 0);
  const ids = voters.map((voter) => [keyIdOf(voter.publicKey), voter] as const);
  return {
    members: sorted,
    digest: digestOfPlain(sorted),
    validators: createValidatorSet(ids.map(([id, { weight }]) => [id, weight])),
    keys: new Map(ids.map(([id, { publicKey }]) => [id, publicKey])),
  };
}
