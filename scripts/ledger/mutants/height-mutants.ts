import { type Mutant, mutantsOf } from './mutant.ts';

const RULES = mutantsOf('shared/ledger/consensus/height-rules.ts', [
  [
    'line 49: decides without a commit',
    'if (quorumsFor(count, value, validators).length === 0) continue;',
    'if (count.votes.length === 0) continue;',
  ],
  [
    'line 49: decides on prevotes',
    "countOf(votes, 'precommit', round);\n    if (quorumsFor(count",
    "countOf(votes, 'prevote', round);\n    if (quorumsFor(count",
  ],
  ['line 50: decides what is not valid', 'if (!valid) continue; // 50', ''],
  ['line 49: never decides', '  { line: 49, when: proposalAndCommit },\n', ''],
  ['line 55: never skips', '  { line: 55, when: laterRound },\n', ''],
  [
    'line 28: never takes a value proposed again',
    '  { line: 28, when: proposalAndEarlierPolka },\n',
    '',
  ],
  ['line 22: never prevotes a fresh value', '  { line: 22, when: freshProposal },\n', ''],
  ['line 36: never locks', '  { line: 36, when: proposalAndPolka },\n', ''],
  ['line 44: waits for what nil has decided', '  { line: 44, when: polkaNil },\n', ''],
  ['line 34: never waits for prevotes', '  { line: 34, when: polkaAny },\n', ''],
  ['line 47: never waits for precommits', '  { line: 47, when: precommitAny },\n', ''],
  [
    'line 28: asks for no polka',
    'if (quorumsFor(earlier, value, validators).length === 0) continue;',
    '',
  ],
  [
    'line 28: takes the polka of another round',
    "countOf(votes, 'prevote', validRound)",
    "countOf(votes, 'prevote', round.round)",
  ],
  [
    'line 29: prevotes what is not valid',
    "if (!valid) return { kind: 'proposal-invalid-and-earlier-polka' }; // 29",
    '',
  ],
  [
    'line 22: takes a value proposed again for a fresh one',
    'proposal.validRound === NO_ROUND',
    'proposal.validRound >= NO_ROUND',
  ],
  [
    'line 23: prevotes what is not valid',
    'if (!fresh.valid || !fresh.timely)',
    'if (!fresh.timely)',
  ],
  [
    'line 23: prevotes what is not timely',
    'if (!fresh.valid || !fresh.timely)',
    'if (!fresh.valid)',
  ],
  [
    'line 36: locks without a polka',
    'if (!quorums.some((quorum) => quorum.validRound === validRound)) continue;',
    '',
  ],
  [
    'line 36: takes a polka of any valid round',
    'quorum.validRound === validRound',
    'quorum.validRound >= -1',
  ],
  ['line 36: locks what is not valid', 'if (!valid) continue;\n    const quorums', 'const quorums'],
  [
    'line 36: notes no valid value once it has precommitted',
    "if (round.step !== 'prevote' && round.step !== 'precommit')",
    "if (round.step !== 'prevote')",
  ],
  [
    'line 36: takes proposals of other rounds',
    '({ proposal }) => proposal.round === round.round',
    '({ proposal }) => proposal.round >= 0',
  ],
]);

const HEIGHT = mutantsOf('shared/ledger/consensus/step-height.ts', [
  [
    'decision: a decided height goes on',
    'if (state.decision === undefined && takeIn',
    'if (takeIn',
  ],
  ['line 14: everybody proposes', 'round) === self; // 14', "round) !== ''; // 14"],
  [
    'line 16: the polka does not go with the value',
    'if (proposal.validRound !== NO_ROUND) sendPolka(turn, proposal.validRound);',
    '',
  ],
  ['lock: the polka is not sent', 'if (locks) sendPolka(turn, state.lockedRound);', ''],
  [
    'entry: it is not sent',
    "if (entry !== undefined) turn.effects.push({ kind: 'send', certificate: entry });",
    '',
  ],
  [
    'proposal: of whoever',
    'if (proposer !== proposerOf(state.validators, height, round)) return false;',
    '',
  ],
  [
    'proposal: of any height',
    'if (height !== state.round.height || validRound >= round',
    'if (validRound >= round',
  ],
  ['proposal: valid in its own round', '|| validRound >= round ||', '||'],
  [
    'proposal: only the first of a round',
    'if (others.length >= 2 && !wanted) return false;',
    'if (others.length >= 1) return false;',
  ],
  [
    'proposal: a third is dropped, even where it is decided',
    'if (others.length >= 2 && !wanted) return false;',
    'if (others.length >= 2) return false;',
  ],
  ['proposal: as many as come', 'if (others.length >= 2 && !wanted) return false;', ''],
  [
    'proposal: of any later round',
    'if (round > state.round.round + 1 && !wanted) return false;',
    '',
  ],
  ['proposal: two are no evidence', 'if (others.length === 1) {', 'if (others.length === 9) {'],
  ['vote: of any height', 'if (vote.height !== state.round.height || !', 'if (!'],
  [
    'vote: of who is no validator',
    '|| !state.validators.weights.has(vote.voter)) return false',
    ') return false',
  ],
  [
    'vote: of any later round is kept',
    'if (vote.round > state.round.round + 1) return takeFarVote(turn, vote);',
    '',
  ],
  ['vote: of a later round is dropped', 'return takeFarVote(turn, vote);', 'return false;'],
  ['vote: as many as come', 'theirs.length >= 2 || theirs.some', 'theirs.some'],
  ['vote: two are no evidence', 'if (theirs.length === 1) {', 'if (theirs.length === 9) {'],
  [
    'far vote: an older one replaces a newer',
    'known !== undefined && known.round >= vote.round',
    'known !== undefined && known.round < 0',
  ],
  [
    'far vote: one is enough to skip',
    'if (!holdsCorrect(weightOf(validators, voters), validators)) return false;\n  let',
    'let',
  ],
  [
    'certificate: of any height',
    'if (certificate.height !== state.round.height) return false;',
    '',
  ],
  [
    'certificate: polkas and commits are not taken',
    'turn.state = { ...state, votes: keepCertificate(state.votes, certificate.votes) };',
    '',
  ],
  [
    'certificate: an equivocator found by it is not reported',
    'if (state.votes.conflicts.has(key)) continue;',
    'if (key) continue;',
  ],
  ['observer: votes without being a validator', 'if (isValidator(turn.state)) turn', 'turn'],
  ['value: comes twice', 'if (!turn.state.awaitsValue || input.round', 'if (input.round'],
  ['value: comes late', '|| input.round !== round.round) return false', ') return false'],
  [
    'line 12: a new round has asked for its timeouts already',
    'scheduled: new Set(), awaitsValue',
    'scheduled: state.scheduled, awaitsValue',
  ],
]);

/** The guards of the rules, and what a height takes in and sends. */
export const HEIGHT_MUTANTS: readonly Mutant[] = [...RULES, ...HEIGHT];
