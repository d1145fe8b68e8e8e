import { unreachable } from '../../basics/assert.ts';
import { type Certificate, commitFrom, entryFrom, polkaFrom } from './certificate.ts';
import type { HeightEffect, HeightInput, HeightState, JudgedProposal } from './height.ts';
import { RULES } from './height-rules.ts';
import { type RoundInput, stepRound, type TimeoutStep } from './round-machine.ts';
import { holdsCorrect, proposerOf, weightOf } from './validator-set.ts';
import {
  isSameProposal,
  isSameVote,
  NO_ROUND,
  type Proposal,
  type UnsignedProposal,
  type Vote,
} from './vote.ts';
import { countOf, keepCertificate, keepVote, quorumsFor } from './vote-keeper.ts';

interface HeightTransition {
  readonly state: HeightState;
  readonly effects: readonly HeightEffect[];
}

/** One step being taken: the state so far, and the effects so far. */
interface Turn {
  state: HeightState;
  readonly effects: HeightEffect[];
}

/**
 * One validator's step at one height: takes the input in, then lets the rules fire until none
 * holds. A decided height takes nothing more.
 */
export function stepHeight(state: HeightState, input: HeightInput): HeightTransition {
  const turn: Turn = { state, effects: [] };
  if (state.decision === undefined && takeIn(turn, input)) settle(turn);
  return turn;
}

/** Takes the input in; false where it can have enabled no rule. */
function takeIn(turn: Turn, input: HeightInput): boolean {
  const { round } = turn.state;
  switch (input.kind) {
    case 'start': // 10
      if (round.step !== 'none') return false;
      enterRound(turn, 0);
      return true;
    case 'value':
      if (!turn.state.awaitsValue || input.round !== round.round) return false;
      turn.state = { ...turn.state, awaitsValue: false };
      fire(turn, { kind: 'value-to-propose', value: input.value });
      return true;
    case 'proposal':
      return takeProposal(turn, input);
    case 'vote':
      return takeVote(turn, input.vote);
    case 'certificate':
      return takeCertificate(turn, input.certificate);
    case 'timeout': {
      const { step, round: of } = input;
      fire(turn, { kind: 'timeout', step, height: round.height, round: of });
      return true;
    }
    default:
      return unreachable(input);
  }
}

/** Lets the first rule that holds fire, again and again. A height that has not begun waits. */
function settle(turn: Turn): void {
  while (turn.state.decision === undefined && turn.state.round.step !== 'none') {
    const input = firstInput(turn.state);
    if (input === undefined) return;
    fire(turn, input);
  }
}

function firstInput(state: HeightState): RoundInput | undefined {
  for (const rule of RULES) {
    const input = rule.when(state);
    if (input !== undefined) return input;
  }
  return undefined;
}

/** Gives the round state machine an input, and carries out what comes of it. */
function fire(turn: Turn, input: RoundInput): void {
  const { state, output } = stepRound(turn.state.round, input);
  const locks = state.lockedRound !== turn.state.round.lockedRound;
  turn.state = { ...turn.state, round: state };
  switch (output.kind) {
    case 'nothing':
    case 'refused':
      return;
    case 'get-value':
      turn.state = { ...turn.state, awaitsValue: true };
      turn.effects.push({ kind: 'get-value', round: state.round });
      return;
    case 'proposal':
      propose(turn, output.proposal);
      return;
    case 'vote':
      if (locks) sendPolka(turn, state.lockedRound);
      if (isValidator(turn.state)) turn.effects.push({ kind: 'sign-vote', vote: output.vote });
      return;
    case 'schedule':
      schedule(turn, output.step);
      return;
    case 'decide':
      decide(turn, output.round, output.value);
      return;
    case 'enter':
      enterRound(turn, output.round);
      return;
    default:
      unreachable(output);
  }
}

/** Lines 11 to 21, and the far votes that are near now. */
function enterRound(turn: Turn, round: number): void {
  const { state } = turn;
  const entry = entryFrom(state.votes, round);
  turn.state = { ...state, scheduled: new Set(), awaitsValue: false, entry };
  const { self, height } = state.round;
  const proposer = proposerOf(state.validators, height, round) === self; // 14
  fire(turn, { kind: 'new-round', round, proposer });
  if (proposer) schedule(turn, 'propose');
  if (entry !== undefined) turn.effects.push({ kind: 'send', certificate: entry });
  const near = [...state.far.values()].filter((vote) => vote.round <= round + 1);
  turn.state = { ...turn.state, far: without(state.far, near) };
  for (const vote of near) takeVote(turn, vote);
}

/** A value proposed again goes with the polka for it, without which nobody could prevote it. */
function propose(turn: Turn, proposal: UnsignedProposal): void {
  if (proposal.validRound !== NO_ROUND) sendPolka(turn, proposal.validRound);
  turn.effects.push({ kind: 'sign-proposal', proposal });
}

/** The polka of that round for what is locked or valid: the others may not have seen it. */
function sendPolka(turn: Turn, round: number): void {
  const polka = polkaOf(turn.state, round);
  if (polka !== undefined) turn.effects.push({ kind: 'send', certificate: polka });
}

/** The polka that made the valid value valid in that round. */
export function polkaOf({ round: own, votes, validators }: HeightState, round: number) {
  const value = own.validValue;
  if (value === null || own.validRound !== round) return undefined;
  const [quorum] = quorumsFor(countOf(votes, 'prevote', round), value, validators);
  if (quorum === undefined) return undefined;
  return polkaFrom(votes, { round, value, validRound: quorum.validRound });
}

function schedule(turn: Turn, step: TimeoutStep): void {
  const scheduled = new Set(turn.state.scheduled).add(step);
  turn.state = { ...turn.state, scheduled };
  turn.effects.push({ kind: 'schedule', step, round: turn.state.round.round });
}

function decide(turn: Turn, round: number, value: string): void {
  const { votes, proposals } = turn.state;
  const certificate = commitFrom(votes, round, value);
  const { proposal } = proposals.find(
    (known) => known.proposal.round === round && known.proposal.value === value,
  )!;
  turn.state = { ...turn.state, decision: certificate };
  turn.effects.push({ kind: 'decide', certificate, proposal });
}

/**
 * Keeps a proposal of its round's proposer. A faulty one can make many: two are kept, which is
 * evidence, and any that a quorum has voted for, which may have to be decided.
 */
function takeProposal(turn: Turn, { proposal, valid, timely }: JudgedProposal): boolean {
  const { state } = turn;
  const { height, round, proposer, validRound } = proposal;
  if (height !== state.round.height || validRound >= round || validRound < NO_ROUND) return false;
  if (proposer !== proposerOf(state.validators, height, round)) return false;
  const wanted = isWanted(state, proposal);
  if (round > state.round.round + 1 && !wanted) return false;
  const others = state.proposals
    .map((known) => known.proposal)
    .filter((other) => other.round === round);
  if (others.some((other) => isSameProposal(other, proposal))) return false;
  if (others.length >= 2 && !wanted) return false;
  turn.state = { ...state, proposals: [...state.proposals, { proposal, valid, timely }] };
  if (others.length === 1) {
    const evidence = { kind: 'duplicate-proposal', proposals: [others[0]!, proposal] } as const;
    turn.effects.push({ kind: 'report', evidence });
  }
  return true;
}

function isWanted({ votes, validators }: HeightState, { round, value }: Proposal): boolean {
  return (['prevote', 'precommit'] as const).some(
    (type) => quorumsFor(countOf(votes, type, round), value, validators).length > 0,
  );
}

/** Keeps a vote of a validator: of each at most two of one type and round, which is evidence. */
function takeVote(turn: Turn, vote: Vote): boolean {
  const { state } = turn;
  if (vote.height !== state.round.height || !state.validators.weights.has(vote.voter)) return false;
  if (vote.round > state.round.round + 1) return takeFarVote(turn, vote);
  const { votes } = countOf(state.votes, vote.type, vote.round);
  const theirs = votes.filter(({ voter }) => voter === vote.voter);
  if (theirs.length >= 2 || theirs.some((other) => isSameVote(other, vote))) return false;
  const { keeper, reached } = keepVote(state.votes, vote, state.round.round);
  turn.state = { ...state, votes: keeper };
  if (theirs.length === 1) {
    const evidence = { kind: 'duplicate-vote', votes: [theirs[0]!, vote] } as const;
    turn.effects.push({ kind: 'report', evidence });
  }
  return reached !== undefined;
}

/**
 * Keeps a voter's newest vote of a round beyond the next. Once more than a third are at one such
 * round, its votes go to the others, for line 55 to find.
 */
function takeFarVote(turn: Turn, vote: Vote): boolean {
  const { far, validators } = turn.state;
  const place = `${vote.voter} ${vote.type}`;
  const known = far.get(place);
  if (known !== undefined && known.round >= vote.round) return false;
  const grown = new Map(far).set(place, vote);
  turn.state = { ...turn.state, far: grown };
  const there = [...grown.values()].filter(({ round }) => round === vote.round);
  const voters = there.map(({ voter }) => voter);
  if (!holdsCorrect(weightOf(validators, voters), validators)) return false;
  let { votes } = turn.state;
  for (const other of there) votes = keepVote(votes, other, turn.state.round.round).keeper;
  turn.state = { ...turn.state, votes, far: without(grown, there) };
  return true;
}

function takeCertificate(turn: Turn, certificate: Certificate): boolean {
  const { state } = turn;
  if (certificate.height !== state.round.height) return false;
  if (certificate.kind === 'entry') {
    let enabled = false;
    for (const vote of certificate.votes) enabled = takeVote(turn, vote) || enabled;
    return enabled;
  }
  turn.state = { ...state, votes: keepCertificate(state.votes, certificate.votes) };
  for (const [key, [first, ...others]] of turn.state.votes.conflicts) {
    if (state.votes.conflicts.has(key)) continue;
    const evidence = { kind: 'duplicate-vote', votes: [first!, others.at(-1)!] } as const;
    turn.effects.push({ kind: 'report', evidence });
  }
  return true;
}

function isValidator({ validators, round }: HeightState): boolean {
  return validators.weights.has(round.self);
}

function without(
  far: ReadonlyMap<string, Vote>,
  votes: readonly Vote[],
): ReadonlyMap<string, Vote> {
  return new Map([...far].filter(([, vote]) => !votes.includes(vote)));
}
