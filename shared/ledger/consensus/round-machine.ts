import { unreachable } from '../../basics/assert.ts';
import { NO_ROUND, type UnsignedProposal, type UnsignedVote, type ValueId } from './vote.ts';

/** `none` before the first round, `unstarted` between two rounds, `commit` once decided. */
export type Step = 'none' | 'unstarted' | 'propose' | 'prevote' | 'precommit' | 'commit';

export type TimeoutStep = 'propose' | 'prevote' | 'precommit';

/** One validator's part in one height: the variables of the paper's lines 2 to 9. */
export interface RoundState {
  readonly self: string;
  readonly height: number;
  readonly round: number;
  readonly step: Step;
  readonly lockedRound: number;
  readonly lockedValue: ValueId | null;
  readonly validRound: number;
  readonly validValue: ValueId | null;
}

/** Guards of the paper that have come true. What they were made of is for the driver to check. */
export type RoundInput =
  | { readonly kind: 'new-round'; readonly round: number; readonly proposer: boolean }
  | { readonly kind: 'value-to-propose'; readonly value: ValueId }
  | { readonly kind: 'proposal'; readonly value: ValueId }
  | { readonly kind: 'proposal-invalid' }
  | { readonly kind: 'proposal-and-earlier-polka'; readonly value: ValueId; readonly of: number }
  | { readonly kind: 'proposal-invalid-and-earlier-polka' }
  | { readonly kind: 'polka-any' }
  | { readonly kind: 'proposal-and-polka'; readonly value: ValueId }
  | { readonly kind: 'polka-nil' }
  | { readonly kind: 'precommit-any' }
  | { readonly kind: 'proposal-and-commit'; readonly round: number; readonly value: ValueId }
  | { readonly kind: 'later-round'; readonly round: number }
  | {
      readonly kind: 'timeout';
      readonly step: TimeoutStep;
      readonly height: number;
      readonly round: number;
    };

export type RoundOutput =
  | { readonly kind: 'nothing' }
  /** The input does not fit the state, which stays as it was. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'get-value' }
  | { readonly kind: 'proposal'; readonly proposal: UnsignedProposal }
  | { readonly kind: 'vote'; readonly vote: UnsignedVote }
  | { readonly kind: 'schedule'; readonly step: TimeoutStep }
  | { readonly kind: 'decide'; readonly round: number; readonly value: ValueId }
  | { readonly kind: 'enter'; readonly round: number };

interface RoundTransition {
  readonly state: RoundState;
  readonly output: RoundOutput;
}

export function startOfHeight(self: string, height: number): RoundState {
  return {
    self,
    height,
    round: NO_ROUND,
    step: 'none',
    lockedRound: NO_ROUND,
    lockedValue: null,
    validRound: NO_ROUND,
    validValue: null,
  };
}

/**
 * The round state machine of Tendermint, arXiv 1807.04938, Algorithm 1; the numbers are its lines.
 * Prevotes carry the proposal's valid round, as the accountable variant has it.
 */
export function stepRound(state: RoundState, input: RoundInput): RoundTransition {
  const { step, round, lockedRound, lockedValue } = state;
  switch (input.kind) {
    case 'new-round':
      return newRound(state, input);
    case 'value-to-propose': // 18
      return propose(state, input.value);
    case 'proposal': // 22
      if (step !== 'propose') return refuse(state);
      return lockedRound === NO_ROUND || lockedValue === input.value // 23
        ? prevote(state, input.value, NO_ROUND) // 24
        : prevote(state, null); // 26
    case 'proposal-invalid': // 23
      return step === 'propose' ? prevote(state, null) : refuse(state); // 26
    case 'proposal-and-earlier-polka': // 28
      if (step !== 'propose' || input.of < 0 || input.of >= round) return refuse(state);
      return lockedRound <= input.of || lockedValue === input.value // 29
        ? prevote(state, input.value, input.of) // 30
        : prevote(state, null); // 32
    case 'proposal-invalid-and-earlier-polka': // 29; that step = propose is the driver's to see to
      return prevote(state, null); // 32
    case 'polka-any': // 34
      return step === 'prevote' ? schedule(state, 'prevote') : refuse(state); // 35
    case 'proposal-and-polka':
      return polka(state, input.value);
    case 'polka-nil': // 44
      return step === 'prevote' ? precommit(state, null) : refuse(state); // 45
    case 'precommit-any': // 47
      return schedule(state, 'precommit'); // 48
    case 'proposal-and-commit': // 49
      if (step === 'commit') return refuse(state); // 50
      return {
        state: { ...state, step: 'commit' },
        output: { kind: 'decide', round: input.round, value: input.value }, // 51
      };
    case 'later-round': // 55
      return input.round > round ? leaveFor(state, input.round) : refuse(state); // 56
    case 'timeout':
      return timeout(state, input);
    default:
      return unreachable(input);
  }
}

/** Lines 11 to 21. */
function newRound(
  state: RoundState,
  { round, proposer }: { readonly round: number; readonly proposer: boolean },
): RoundTransition {
  const between = state.step === 'none' || state.step === 'unstarted';
  if (!between || round <= state.round) return refuse(state);
  const entered: RoundState = { ...state, round, step: 'propose' }; // 12, 13
  if (!proposer) return schedule(entered, 'propose'); // 21
  if (state.validValue !== null) return propose(entered, state.validValue); // 14, 15, 16
  return { state: entered, output: { kind: 'get-value' } }; // 18
}

/** Line 36. */
function polka(state: RoundState, value: ValueId): RoundTransition {
  const valid = { ...state, validValue: value, validRound: state.round }; // 42, 43
  if (state.step === 'precommit') return { state: valid, output: { kind: 'nothing' } };
  if (state.step !== 'prevote') return refuse(state); // 37
  const locked = { ...valid, lockedValue: value, lockedRound: state.round }; // 38, 39
  return precommit(locked, value); // 40, 41
}

/** Lines 57, 61, 65. */
function timeout(
  state: RoundState,
  { step, height, round }: Extract<RoundInput, { kind: 'timeout' }>,
): RoundTransition {
  if (height !== state.height || round !== state.round) return refuse(state); // 58, 62, 66
  switch (step) {
    case 'propose': // 57
      return state.step === 'propose' ? prevote(state, null) : refuse(state); // 59, 60
    case 'prevote': // 61
      return state.step === 'prevote' ? precommit(state, null) : refuse(state); // 63, 64
    case 'precommit': // 65
      return leaveFor(state, round + 1); // 67
    default:
      return unreachable(step);
  }
}

function refuse(state: RoundState): RoundTransition {
  return { state, output: { kind: 'refused' } };
}

function schedule(state: RoundState, step: TimeoutStep): RoundTransition {
  return { state, output: { kind: 'schedule', step } };
}

function leaveFor(state: RoundState, round: number): RoundTransition {
  return { state: { ...state, step: 'unstarted' }, output: { kind: 'enter', round } };
}

/** Line 19. */
function propose(state: RoundState, value: ValueId): RoundTransition {
  const { height, round, validRound, self: proposer } = state;
  const proposal = { height, round, value, validRound, proposer };
  return { state, output: { kind: 'proposal', proposal } };
}

function prevote(state: RoundState, value: ValueId | null, validRound = NO_ROUND): RoundTransition {
  const { height, round, self: voter } = state;
  return {
    state: { ...state, step: 'prevote' }, // 27, 33, 60
    output: {
      kind: 'vote',
      vote: { type: 'prevote', height, round, value, validRound, voter },
    },
  };
}

function precommit(state: RoundState, value: ValueId | null): RoundTransition {
  const { height, round, self: voter } = state;
  return {
    state: { ...state, step: 'precommit' }, // 41, 46, 64
    output: {
      kind: 'vote',
      vote: { type: 'precommit', height, round, value, validRound: NO_ROUND, voter },
    },
  };
}
