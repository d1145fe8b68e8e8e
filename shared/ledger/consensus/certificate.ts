import { err, type Failure, ok, type Result } from '../../basics/result.ts';
import { holdsCorrect, isQuorum, type ValidatorSet, weightOf } from './validator-set.ts';
import type { ValueId, Vote } from './vote.ts';
import { countOf, type VoteKeeper, votesOf } from './vote-keeper.ts';

/** A quorum of prevotes for one value, all of one valid round. */
export interface Polka {
  readonly kind: 'polka';
  readonly height: number;
  readonly round: number;
  readonly value: ValueId;
  readonly validRound: number;
  readonly votes: readonly Vote[];
}

/** A quorum of precommits for one value: what makes it decided. */
export interface Commit {
  readonly kind: 'commit';
  readonly height: number;
  readonly round: number;
  readonly value: ValueId;
  readonly votes: readonly Vote[];
}

/**
 * Why `round` may be entered: a quorum of precommits of the round before, for whatever (line 47),
 * or votes of that round from more than a third (line 55).
 */
export interface RoundEntry {
  readonly kind: 'entry';
  readonly height: number;
  readonly round: number;
  readonly votes: readonly Vote[];
}

export type Certificate = Polka | Commit | RoundEntry;

type CertificateFailure = Failure<
  'wrong-votes' | 'repeated-voter' | 'unknown-voter' | 'too-little-weight' | 'wrong-signature'
>;

/** The quorum of prevotes for the value with that valid round, out of the votes kept. */
export function polkaFrom(
  keeper: VoteKeeper,
  { round, value, validRound }: Pick<Polka, 'round' | 'value' | 'validRound'>,
): Polka {
  const votes = countOf(keeper, 'prevote', round).votes.filter(
    (vote) => vote.value === value && vote.validRound === validRound,
  );
  return { kind: 'polka', height: keeper.height, round, value, validRound, votes };
}

/** The quorum of precommits for the value, out of the votes kept. */
export function commitFrom(keeper: VoteKeeper, round: number, value: ValueId): Commit {
  const votes = countOf(keeper, 'precommit', round).votes.filter((vote) => vote.value === value);
  return { kind: 'commit', height: keeper.height, round, value, votes };
}

/** What of the votes kept lets one enter the round; nothing for the first. */
export function entryFrom(keeper: VoteKeeper, round: number): RoundEntry | undefined {
  if (round === 0) return undefined;
  const before = oneEach(countOf(keeper, 'precommit', round - 1).votes);
  const { prevotes, precommits } = votesOf(keeper, round);
  const enough = isQuorum(weightOfVotes(before, keeper.validators), keeper.validators);
  const votes = enough ? before : oneEach([...prevotes.votes, ...precommits.votes]);
  return { kind: 'entry', height: keeper.height, round, votes };
}

/**
 * Whether the votes make the certificate: each fits it, each voter stands once and is a validator,
 * their weight suffices, and `isSigned` says so of each.
 */
export function checkCertificate(
  certificate: Certificate,
  validators: ValidatorSet,
  isSigned: (vote: Vote) => boolean,
): Result<undefined, CertificateFailure> {
  const { kind, height, round, votes } = certificate;
  const refuse = (code: CertificateFailure['code'], what: string) =>
    err({ code, message: `the ${kind} of height ${height}, round ${round}: ${what}` });
  if (votes.length === 0 || !votes.every((vote) => fits(vote, certificate))) {
    return refuse('wrong-votes', 'holds votes for something else');
  }
  if (new Set(votes.map(({ voter }) => voter)).size !== votes.length) {
    return refuse('repeated-voter', 'counts a voter twice');
  }
  if (!votes.every(({ voter }) => validators.weights.has(voter))) {
    return refuse('unknown-voter', 'holds a vote of who is no validator');
  }
  if (!suffices(certificate, validators)) {
    return refuse('too-little-weight', 'has too few votes');
  }
  if (!votes.every(isSigned)) {
    return refuse('wrong-signature', 'holds a vote that its voter did not sign');
  }
  return ok(undefined);
}

function fits(vote: Vote, certificate: Certificate): boolean {
  if (vote.height !== certificate.height) return false;
  if (certificate.kind === 'entry') {
    const { round, votes } = certificate;
    return votes[0]!.round === round - 1
      ? vote.round === round - 1 && vote.type === 'precommit'
      : vote.round === round;
  }
  const type = certificate.kind === 'polka' ? 'prevote' : 'precommit';
  const validRound = certificate.kind === 'polka' ? certificate.validRound : -1;
  return (
    vote.type === type &&
    vote.round === certificate.round &&
    vote.value === certificate.value &&
    vote.validRound === validRound
  );
}

function suffices(certificate: Certificate, validators: ValidatorSet): boolean {
  const { kind, round, votes } = certificate;
  const weight = weightOfVotes(votes, validators);
  const skipped = kind === 'entry' && votes[0]!.round === round;
  return skipped ? holdsCorrect(weight, validators) : isQuorum(weight, validators);
}

function weightOfVotes(votes: readonly Vote[], validators: ValidatorSet): number {
  return weightOf(
    validators,
    votes.map(({ voter }) => voter),
  );
}

function oneEach(votes: readonly Vote[]): Vote[] {
  const first = new Map<string, Vote>();
  for (const vote of votes) if (!first.has(vote.voter)) first.set(vote.voter, vote);
  return [...first.values()];
}
