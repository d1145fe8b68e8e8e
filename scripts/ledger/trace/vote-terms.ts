import type { Certificate } from '#shared/ledger/consensus/certificate.ts';
import type { ValidatorSet } from '#shared/ledger/consensus/validator-set.ts';
import type { UnsignedProposal, UnsignedVote, Vote } from '#shared/ledger/consensus/vote.ts';
import type {
  RoundVotes,
  Threshold,
  VoteCount,
  VoteKeeper,
} from '#shared/ledger/consensus/vote-keeper.ts';
import { map, set, type Term, TraceError } from './itf.ts';
import { entries, field, integer, members, text, variant } from './term-reading.ts';

/**
 * Between our votes and those of Malachite's specification (specs/consensus/quint). That one is of
 * plain Tendermint: its prevotes have no valid round, so ours stay at -1 here and it is left out.
 */
export function toValue(term: Term): string | null {
  const { tag, value } = variant(term);
  if (tag === 'Nil') return null;
  if (tag === 'Val') return text(value);
  throw new TraceError(`${tag} is neither a value nor nil`);
}

export function valueTerm(value: string | null): Term {
  return value === null ? { tag: 'Nil' } : { tag: 'Val', value };
}

export function toVote(term: Term): Vote {
  const { tag } = variant(field(term, 'voteType'));
  if (tag !== 'Prevote' && tag !== 'Precommit') throw new TraceError(`${tag} is no type of vote`);
  return {
    type: tag === 'Prevote' ? 'prevote' : 'precommit',
    height: integer(field(term, 'height')),
    round: integer(field(term, 'round')),
    value: toValue(field(term, 'valueId')),
    validRound: -1,
    voter: text(field(term, 'srcAddress')),
    signature: '',
  };
}

export function voteTerm({ type, height, round, value, voter }: UnsignedVote): Term {
  return {
    voteType: { tag: type === 'prevote' ? 'Prevote' : 'Precommit' },
    height,
    round,
    valueId: valueTerm(value),
    srcAddress: voter,
  };
}

export function proposalTerm(proposal: UnsignedProposal): Term {
  const { height, round, value, validRound, proposer } = proposal;
  return { height, round, proposal: value, validRound, srcAddress: proposer };
}

/** The votes as a certificate; undefined where they are not all for one value. */
export function toCertificate(term: Term): Certificate | undefined {
  const votes = members(term).map(toVote);
  const [first] = votes;
  if (first === undefined || first.value === null) return undefined;
  const { type, height, round, value } = first;
  if (type === 'precommit') return { kind: 'commit', height, round, value, votes };
  return { kind: 'polka', height, round, value, validRound: -1, votes };
}

/** The specification leaves the proposer to its driver, so there is no schedule. */
export function toValidators(term: Term): ValidatorSet {
  const weights = new Map(entries(term).map(([name, weight]) => [text(name), integer(weight)]));
  const totalWeight = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  return { weights, totalWeight, schedule: [...weights.keys()].sort() };
}

export function thresholdTerm(threshold: Threshold | undefined): Term {
  if (threshold === undefined) return { tag: 'NoVKOutput' };
  const { kind, round } = threshold;
  switch (kind) {
    case 'polka':
      return { tag: 'PolkaValueVKOutput', value: [round, threshold.value] };
    case 'commit':
      return { tag: 'PrecommitValueVKOutput', value: [round, threshold.value] };
    case 'polka-any':
      return { tag: 'PolkaAnyVKOutput', value: round };
    case 'polka-nil':
      return { tag: 'PolkaNilVKOutput', value: round };
    case 'precommit-any':
      return { tag: 'PrecommitAnyVKOutput', value: round };
    case 'skip':
      return { tag: 'SkipVKOutput', value: round };
  }
}

/** The vote keeper as the specification's Bookkeeper. */
export function keeperTerm({ height, validators, rounds, conflicts }: VoteKeeper): Term {
  return {
    height,
    validatorSet: map(validators.weights),
    rounds: map([...rounds].map(([round, votes]) => [round, roundTerm(round, votes)])),
    evidence: set([...conflicts.values()].map((votes) => set(votes.map(voteTerm)))),
  };

  function roundTerm(round: number, votes: RoundVotes): Term {
    return {
      height,
      round,
      prevotes: countTerm(votes.prevotes),
      precommits: countTerm(votes.precommits),
      emittedOutputs: set([...votes.reached.values()].map(thresholdTerm)),
      votesAddressesWeights: map(
        [...votes.senders].map((sender) => [sender, validators.weights.get(sender) ?? 0]),
      ),
    };
  }

  function countTerm({ tallies, voters, votes }: VoteCount): Term {
    return {
      totalWeight: validators.totalWeight,
      valuesWeights: map(
        [...tallies.values()].map(({ value, weight }) => [valueTerm(value), weight]),
      ),
      votesAddresses: set(voters),
      receivedVotes: set(votes.map(voteTerm)),
    };
  }
}
