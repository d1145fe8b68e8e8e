import type {
  RoundInput,
  RoundOutput,
  RoundState,
  Step,
  TimeoutStep,
} from '#shared/ledger/consensus/round-machine.ts';
import { type Term, TraceError } from './itf.ts';
import { integer, list, text, variant } from './term-reading.ts';
import { proposalTerm, toValue, valueTerm, voteTerm } from './vote-terms.ts';

const STEPS: Record<Step, string> = {
  none: 'NoStep',
  unstarted: 'UnstartedStep',
  propose: 'ProposeStep',
  prevote: 'PrevoteStep',
  precommit: 'PrecommitStep',
  commit: 'CommitStep',
};

const TIMEOUTS: Record<TimeoutStep, string> = {
  propose: 'ProposeTimeout',
  prevote: 'PrevoteTimeout',
  precommit: 'PrecommitTimeout',
};

/** What each input of the specification's consensus module is to our round state machine. */
const INPUTS: Readonly<Record<string, (payload: Term | undefined) => RoundInput>> = {
  NewRoundCInput: (round) => ({ kind: 'new-round', round: integer(round), proposer: false }),
  NewRoundProposerCInput: (round) => ({ kind: 'new-round', round: integer(round), proposer: true }),
  ProposeValueCInput: (value) => ({ kind: 'value-to-propose', value: text(value) }),
  ProposalCInput: (payload) => ({ kind: 'proposal', value: proposedValue(list(payload)[1]) }),
  ProposalAndPolkaPreviousAndValidCInput: (payload) => {
    const [value, round] = list(payload);
    return { kind: 'proposal-and-earlier-polka', value: proposedValue(value), of: integer(round) };
  },
  ProposalInvalidCInput: () => ({ kind: 'proposal-invalid' }),
  PolkaNilCInput: () => ({ kind: 'polka-nil' }),
  PolkaAnyCInput: () => ({ kind: 'polka-any' }),
  ProposalAndPolkaAndValidCInput: (value) => ({
    kind: 'proposal-and-polka',
    value: proposedValue(value),
  }),
  ProposalAndPolkaAndInvalidCInput: () => ({ kind: 'proposal-invalid-and-earlier-polka' }),
  PrecommitAnyCInput: () => ({ kind: 'precommit-any' }),
  ProposalAndCommitAndValidCInput: (payload) => {
    const [round, value] = list(payload);
    return { kind: 'proposal-and-commit', round: integer(round), value: text(value) };
  },
  RoundSkipCInput: (round) => ({ kind: 'later-round', round: integer(round) }),
  TimeoutProposeCInput: (payload) => timeout('propose', payload),
  TimeoutPrevoteCInput: (payload) => timeout('prevote', payload),
  TimeoutPrecommitCInput: (payload) => timeout('precommit', payload),
};

export function toRoundInput(term: Term): RoundInput {
  const { tag, value } = variant(term);
  const read = INPUTS[tag];
  if (read === undefined) throw new TraceError(`${tag} is no input of the consensus module`);
  return read(value);
}

export function roundTerm(state: RoundState): Term {
  const { self, height, round, step, lockedRound, lockedValue, validRound, validValue } = state;
  return {
    p: self,
    height,
    round,
    step: stepTerm(step),
    lockedRound,
    lockedValue: valueTerm(lockedValue),
    validRound,
    validValue: valueTerm(validValue),
  };
}

export function stepTerm(step: Step): Term {
  return { tag: STEPS[step] };
}

/** An output as the specification has it, of the state after it. */
export function outputTerm(output: RoundOutput, { height, round }: RoundState): Term {
  switch (output.kind) {
    case 'nothing':
      return { tag: 'NoConsensusOutput' };
    case 'refused':
      return { tag: 'ErrorOutput' };
    case 'get-value':
      return {
        tag: 'GetValueAndScheduleTimeoutOutput',
        value: [height, round, { tag: TIMEOUTS.propose }],
      };
    case 'proposal':
      return { tag: 'ProposalOutput', value: proposalTerm(output.proposal) };
    case 'vote':
      return { tag: 'VoteOutput', value: voteTerm(output.vote) };
    case 'schedule':
      return { tag: 'TimeoutOutput', value: [round, { tag: TIMEOUTS[output.step] }] };
    case 'decide':
      return { tag: 'DecidedOutput', value: [output.round, output.value] };
    case 'enter':
      return { tag: 'SkipRoundOutput', value: output.round };
  }
}

/** The trace's output without the wording of an error, which is the specification's own. */
export function withoutWording(term: Term): Term {
  const { tag } = variant(term);
  return tag === 'ErrorOutput' ? { tag } : term;
}

function timeout(step: TimeoutStep, payload: Term | undefined): RoundInput {
  const [height, round] = list(payload);
  return { kind: 'timeout', step, height: integer(height), round: integer(round) };
}

/** A proposed value, which is never nil. */
function proposedValue(term: Term | undefined): string {
  const value = term === undefined ? null : toValue(term);
  if (value === null) throw new TraceError('a proposal of nil');
  return value;
}
