import type { HeightState } from './height.ts';
import type { RoundInput } from './round-machine.ts';
import { holdsCorrect, weightOf } from './validator-set.ts';
import { NO_ROUND } from './vote.ts';
import { countOf, hasNilQuorum, hasQuorum, quorumsFor, votesOf } from './vote-keeper.ts';

/** A guard of Algorithm 1: what it tells the round state machine, once it has come true. */
export interface Rule {
  /** The line in arXiv 1807.04938. */
  readonly line: number;
  when(state: HeightState): RoundInput | undefined;
}

/**
 * The guards, the one that fires first where several hold at once. To decide ends the height; to
 * skip ends the round; a lock comes before what would give the round up. Any order is safe, but a
 * replay of the log must take the same.
 */
export const RULES: readonly Rule[] = [
  { line: 49, when: proposalAndCommit },
  { line: 55, when: laterRound },
  { line: 28, when: proposalAndEarlierPolka },
  { line: 22, when: freshProposal },
  { line: 36, when: proposalAndPolka },
  { line: 44, when: polkaNil },
  { line: 34, when: polkaAny },
  { line: 47, when: precommitAny },
];

/** The proposal and a quorum of precommits for it, in any round. */
function proposalAndCommit({ proposals, votes, validators }: HeightState): RoundInput | undefined {
  for (const { proposal, valid } of proposals) {
    const { round, value } = proposal;
    if (!valid) continue; // 50
    const count = countOf(votes, 'precommit', round);
    if (quorumsFor(count, value, validators).length === 0) continue;
    return { kind: 'proposal-and-commit', round, value };
  }
  return undefined;
}

/** Votes of a later round from more than a third; of several such rounds the last. */
function laterRound({ votes, validators, round }: HeightState): RoundInput | undefined {
  let latest = round.round;
  for (const later of votes.rounds.keys()) {
    if (later <= latest) continue;
    const { senders, prevotes, precommits } = votesOf(votes, later);
    const voters = [...senders, ...prevotes.voters, ...precommits.voters];
    if (holdsCorrect(weightOf(validators, voters), validators)) latest = later;
  }
  return latest > round.round ? { kind: 'later-round', round: latest } : undefined;
}

/** A value proposed again, and the polka that its proposer saw for it. */
function proposalAndEarlierPolka(state: HeightState): RoundInput | undefined {
  const { round, votes, validators } = state;
  if (round.step !== 'propose') return undefined;
  for (const { proposal, valid } of proposalsNow(state)) {
    const { value, validRound } = proposal;
    if (validRound < 0 || validRound >= round.round) continue;
    const earlier = countOf(votes, 'prevote', validRound);
    if (quorumsFor(earlier, value, validators).length === 0) continue;
    if (!valid) return { kind: 'proposal-invalid-and-earlier-polka' }; // 29
    return { kind: 'proposal-and-earlier-polka', value, of: validRound };
  }
  return undefined;
}

function freshProposal(state: HeightState): RoundInput | undefined {
  if (state.round.step !== 'propose') return undefined;
  const fresh = proposalsNow(state).find(({ proposal }) => proposal.validRound === NO_ROUND);
  if (fresh === undefined) return undefined;
  if (!fresh.valid || !fresh.timely) return { kind: 'proposal-invalid' }; // 23
  return { kind: 'proposal', value: fresh.proposal.value };
}

/**
 * The proposal and a quorum of prevotes for it, of this round and of the proposal's own valid
 * round. That it is the first time shows in the valid round, which is this one from then on.
 */
function proposalAndPolka(state: HeightState): RoundInput | undefined {
  const { round, votes, validators } = state;
  if (round.step !== 'prevote' && round.step !== 'precommit') return undefined;
  if (round.validRound === round.round) return undefined;
  const prevotes = countOf(votes, 'prevote', round.round);
  for (const { proposal, valid } of proposalsNow(state)) {
    const { value, validRound } = proposal;
    if (!valid) continue;
    const quorums = quorumsFor(prevotes, value, validators);
    if (!quorums.some((quorum) => quorum.validRound === validRound)) continue;
    return { kind: 'proposal-and-polka', value };
  }
  return undefined;
}

function polkaNil({ round, votes, validators }: HeightState): RoundInput | undefined {
  if (round.step !== 'prevote') return undefined;
  const prevotes = countOf(votes, 'prevote', round.round);
  return hasNilQuorum(prevotes, validators) ? { kind: 'polka-nil' } : undefined;
}

function polkaAny(state: HeightState): RoundInput | undefined {
  const { round, votes, validators, scheduled } = state;
  if (round.step !== 'prevote' || scheduled.has('prevote')) return undefined;
  const prevotes = countOf(votes, 'prevote', round.round);
  return hasQuorum(prevotes, validators) ? { kind: 'polka-any' } : undefined;
}

function precommitAny({
  round,
  votes,
  validators,
  scheduled,
}: HeightState): RoundInput | undefined {
  if (scheduled.has('precommit')) return undefined;
  const precommits = countOf(votes, 'precommit', round.round);
  return hasQuorum(precommits, validators) ? { kind: 'precommit-any' } : undefined;
}

function proposalsNow({ proposals, round }: HeightState) {
  return proposals.filter(({ proposal }) => proposal.round === round.round);
}
