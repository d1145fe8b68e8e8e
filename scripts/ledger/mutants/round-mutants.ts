import { mutantsOf } from './mutant.ts';

/** The branches of the round state machine, by the lines of the paper. */
export const ROUND_MUTANTS = mutantsOf('shared/ledger/consensus/round-machine.ts', [
  ['line 11: a round is entered twice', '|| round <= state.round', ''],
  ['line 11: a round is entered in the midst of one', 'if (!between || round', 'if (round'],
  ['line 14: who is not proposer proposes', 'if (!proposer) return', 'if (false) return'],
  [
    'line 15: the valid value is not proposed again',
    'if (state.validValue !== null)',
    'if (state.validValue === undefined)',
  ],
  [
    'line 19: the valid round is left out',
    'round, value, validRound, proposer };',
    'round, value, validRound: -1, proposer };',
  ],
  [
    'line 22: prevotes twice',
    "if (step !== 'propose') return refuse(state);\n      return lockedRound",
    'return lockedRound',
  ],
  [
    'line 23: prevotes against the lock',
    'lockedRound === NO_ROUND || lockedValue === input.value',
    'lockedRound === NO_ROUND || input.value !== null',
  ],
  [
    'line 23: refuses what it is locked on',
    'lockedRound === NO_ROUND || lockedValue === input.value',
    'lockedRound === NO_ROUND',
  ],
  [
    'line 26: prevotes twice for nil',
    "return step === 'propose' ? prevote(state, null)",
    'return step ? prevote(state, null)',
  ],
  ['line 28: takes a polka of this or a later round', '|| input.of >= round', ''],
  [
    'line 29: unlocks for any earlier polka',
    'lockedRound <= input.of || lockedValue',
    'lockedRound >= -1 || lockedValue',
  ],
  [
    'line 29: does not unlock for a later polka',
    'lockedRound <= input.of || lockedValue',
    'lockedRound === -1 || lockedValue',
  ],
  [
    'line 30: the valid round is left out of the prevote',
    'prevote(state, input.value, input.of)',
    'prevote(state, input.value)',
  ],
  [
    'line 34: waits in every step',
    "return step === 'prevote' ? schedule",
    'return step ? schedule',
  ],
  [
    'line 37: precommits before it has prevoted',
    "if (state.step !== 'prevote') return refuse(state); // 37",
    '',
  ],
  [
    'line 38: locks on nothing',
    'lockedValue: value, lockedRound',
    'lockedValue: state.lockedValue, lockedRound',
  ],
  [
    'line 39: does not note the round of its lock',
    'lockedRound: state.round }',
    'lockedRound: state.lockedRound }',
  ],
  [
    'line 42: does not note the valid value',
    'validValue: value, validRound',
    'validValue: state.validValue, validRound',
  ],
  [
    'line 43: does not note the valid round',
    'validRound: state.round };',
    'validRound: state.validRound };',
  ],
  [
    'line 44: precommits nil twice',
    "return step === 'prevote' ? precommit",
    'return step ? precommit',
  ],
  ['line 50: decides twice', "if (step === 'commit') return refuse(state); // 50", ''],
  [
    'line 55: goes back to an earlier round',
    'input.round > round ? leaveFor',
    'input.round >= 0 ? leaveFor',
  ],
  [
    'line 57: prevotes nil after another prevote',
    "state.step === 'propose' ? prevote",
    'state.step ? prevote',
  ],
  [
    'line 58: takes timeouts of other rounds',
    '|| round !== state.round) return refuse',
    ') return refuse',
  ],
  ['line 58: takes timeouts of other heights', 'height !== state.height || round', 'round'],
  [
    'line 61: precommits nil after another precommit',
    "state.step === 'prevote' ? precommit(state, null) : refuse(state); // 63",
    'state.step ? precommit(state, null) : refuse(state); // 63',
  ],
  ['line 67: stays in its round', 'leaveFor(state, round + 1)', 'leaveFor(state, round)'],
  [
    'line 46: stays in the step prevote',
    "state: { ...state, step: 'precommit' }",
    'state: { ...state }',
  ],
  [
    'line 27: stays in the step propose',
    "state: { ...state, step: 'prevote' }",
    'state: { ...state }',
  ],
]);
