import { type Commit, checkCertificate, type Polka } from './certificate.ts';
import { isQuorum, type ValidatorSet, weightOf } from './validator-set.ts';
import { isSameProposal, isSameVote, type Proposal, type Vote } from './vote.ts';

/** Two signed votes, of which a correct validator signs one at most. */
interface DuplicateVote {
  readonly kind: 'duplicate-vote';
  readonly votes: readonly [Vote, Vote];
}

/** Two signed proposals for one round. */
interface DuplicateProposal {
  readonly kind: 'duplicate-proposal';
  readonly proposals: readonly [Proposal, Proposal];
}

/**
 * A commit of one value, and a polka of another in a later round whose valid round is before the
 * commit: who is in both forgot its lock, or locked anew in between.
 */
interface Amnesia {
  readonly kind: 'amnesia';
  readonly commit: Commit;
  readonly polka: Polka;
}

export type Evidence = DuplicateVote | DuplicateProposal | Amnesia;

/** Says of signed things whether their makers signed them. */
export interface SignatureCheck {
  vote(vote: Vote): boolean;
  proposal(proposal: Proposal): boolean;
}

/** Whom the evidence names, in order; it is not checked here. */
export function accused(evidence: Evidence): readonly string[] {
  switch (evidence.kind) {
    case 'duplicate-vote':
      return [evidence.votes[0].voter];
    case 'duplicate-proposal':
      return [evidence.proposals[0].proposer];
    case 'amnesia': {
      const later = new Set(evidence.polka.votes.map(({ voter }) => voter));
      return evidence.commit.votes
        .map(({ voter }) => voter)
        .filter((voter) => later.has(voter))
        .sort();
    }
  }
}

/**
 * Whether evidence from somebody else is what it says, down to each signature. Duplicates then
 * stand for themselves. Amnesia has one answer, which the accused must be given time for: a polka
 * of the same value in a round between the two; see {@link isAnswered}.
 */
export function isEvidence(
  evidence: Evidence,
  validators: ValidatorSet,
  isSigned: SignatureCheck,
): boolean {
  switch (evidence.kind) {
    case 'duplicate-vote': {
      const [a, b] = evidence.votes;
      return (
        isDuplicate(a, b) && validators.weights.has(a.voter) && evidence.votes.every(isSigned.vote)
      );
    }
    case 'duplicate-proposal': {
      const [a, b] = evidence.proposals;
      const sameRound = a.proposer === b.proposer && a.height === b.height && a.round === b.round;
      if (!sameRound || isSameProposal(a, b)) return false;
      return validators.weights.has(a.proposer) && evidence.proposals.every(isSigned.proposal);
    }
    case 'amnesia': {
      const { commit, polka } = evidence;
      const sound = (certificate: Commit | Polka) =>
        checkCertificate(certificate, validators, isSigned.vote).ok;
      return isForgetful(commit, polka) && sound(commit) && sound(polka);
    }
  }
}

/**
 * Whether the polka excuses those that the evidence of amnesia names: a lock that they took
 * between the two certificates, on what they prevoted later.
 */
export function isAnswered({ commit, polka }: Amnesia, answer: Polka): boolean {
  return (
    answer.height === commit.height &&
    answer.value === polka.value &&
    answer.round > commit.round &&
    answer.round < polka.round
  );
}

/**
 * What the votes of one height prove, those of all correct validators laid together. After a fork
 * with fewer than two thirds of the weight faulty it names more than a third, and no one who was
 * correct: Malachite, specs/consensus/accountable-tm. Of the polkas that conflict with a commit
 * only the earliest counts. The published rule takes any, and so would blame a correct validator
 * that was led by that earliest one from its lock to another.
 */
export function findEvidence(votes: Iterable<Vote>, validators: ValidatorSet): Evidence[] {
  const distinct = distinctVotes(votes);
  const evidence: Evidence[] = duplicates(distinct);
  const polkas: Polka[] = quorums(distinct, 'prevote', validators).map((group) => {
    const { height, round, value, validRound } = group[0]!;
    return { kind: 'polka', height, round, value: value!, validRound, votes: group };
  });
  for (const group of quorums(distinct, 'precommit', validators)) {
    const { height, round, value } = group[0]!;
    const commit: Commit = { kind: 'commit', height, round, value: value!, votes: group };
    const later = polkas.filter((polka) => polka.round > round && polka.value !== value);
    const earliest = Math.min(...later.map((polka) => polka.round));
    for (const polka of later) {
      if (polka.round !== earliest || !isForgetful(commit, polka)) continue;
      evidence.push({ kind: 'amnesia', commit, polka });
    }
  }
  return evidence;
}

/** Whether one voter signed both and they differ, of one type and round. */
function isDuplicate(a: Vote, b: Vote): boolean {
  const samePlace =
    a.voter === b.voter && a.type === b.type && a.height === b.height && a.round === b.round;
  return samePlace && !isSameVote(a, b);
}

function isForgetful(commit: Commit, polka: Polka): boolean {
  return (
    commit.height === polka.height &&
    commit.value !== polka.value &&
    polka.round > commit.round &&
    polka.validRound < commit.round
  );
}

function duplicates(votes: readonly Vote[]): Evidence[] {
  const first = new Map<string, Vote>();
  const found: Evidence[] = [];
  for (const vote of votes) {
    const place = `${vote.voter} ${vote.type} ${vote.height} ${vote.round}`;
    const other = first.get(place);
    if (other === undefined) first.set(place, vote);
    else found.push({ kind: 'duplicate-vote', votes: [other, vote] });
  }
  return found;
}

/** The votes of that type for one value, round and valid round, wherever they are a quorum. */
function quorums(votes: readonly Vote[], type: Vote['type'], validators: ValidatorSet): Vote[][] {
  const choices = new Map<string, Vote[]>();
  for (const vote of votes) {
    if (vote.type !== type || vote.value === null) continue;
    const choice = `${vote.height} ${vote.round} ${vote.validRound} ${vote.value}`;
    const group = choices.get(choice);
    if (group === undefined) choices.set(choice, [vote]);
    else group.push(vote);
  }
  return [...choices.values()].filter((group) =>
    isQuorum(
      weightOf(
        validators,
        group.map(({ voter }) => voter),
      ),
      validators,
    ),
  );
}

function distinctVotes(votes: Iterable<Vote>): Vote[] {
  const seen = new Map<string, Vote>();
  for (const vote of votes) {
    const { type, height, round, value, validRound, voter } = vote;
    seen.set(`${voter} ${type} ${height} ${round} ${validRound} ${value}`, vote);
  }
  return [...seen.values()];
}
