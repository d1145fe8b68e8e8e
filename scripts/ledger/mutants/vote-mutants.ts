import { type Mutant, mutantsOf } from './mutant.ts';

const VALIDATORS = mutantsOf('shared/ledger/consensus/validator-set.ts', [
  [
    'quorum: two thirds are enough',
    '3 * weight > 2 * totalWeight',
    '3 * weight >= 2 * totalWeight',
  ],
  ['quorum: half is enough', '3 * weight > 2 * totalWeight', '2 * weight > totalWeight'],
  ['quorum: everybody is needed', '3 * weight > 2 * totalWeight', 'weight === totalWeight'],
  ['f + 1: a third is enough', '3 * weight > totalWeight', '3 * weight >= totalWeight'],
  ['f + 1: one is enough', '3 * weight > totalWeight', 'weight > 0'],
  ['f + 1: a quorum is needed', '3 * weight > totalWeight', '3 * weight > 2 * totalWeight'],
  ['weights: a voter counts as often as it stands', 'of new Set(voters)', 'of voters'],
  ['proposer: always the same', '(height + round) % schedule.length', '0'],
  ['proposer: does not move on with the round', '(height + round) %', 'height %'],
  ['proposer: weights do not matter', 'j < weight; j++', 'j < 1; j++'],
]);

const VOTES = mutantsOf('shared/ledger/consensus/vote-keeper.ts', [
  [
    'votes: an equivocator counts twice',
    'if (count.voters.has(vote.voter)) return { ...count, votes };',
    '',
  ],
  [
    'votes: prevotes of other valid rounds count together',
    "return value === null ? 'nil' :",
    "return value === null ? 'nil' : value ??",
  ],
  [
    'votes: nil counts for every value',
    "return value === null ? 'nil' :",
    "return value === null ? '-1 v' :",
  ],
  [
    'votes: prevotes count as precommits',
    "return type === 'prevote' ? votes.prevotes : votes.precommits",
    'return type ? votes.prevotes : votes.precommits',
  ],
  [
    'votes: a threshold is told again and again',
    'if (!skips && reached !== undefined && before',
    'if (skips && reached !== undefined && before',
  ],
  ['line 55: votes of this round make it skip', 'vote.round > currentRound &&', ''],
  [
    'votes: a certificate does not count who equivocated',
    'addTally(tallies, vote, keeper.validators);\n  const count',
    'before.voters.has(vote.voter) || addTally(tallies, vote, keeper.validators);\n  const count',
  ],
  [
    'votes: a certificate replaces what was there',
    'const all = [...before.votes, ...fresh];',
    'const all = [...votes];',
  ],
  [
    'evidence: conflicts are not kept',
    'if (theirs.length > 1 && !conflicts.has(key))',
    'if (theirs.length > 9 && !conflicts.has(key))',
  ],
  [
    'line 34: a quorum for whatever is a quorum for one value',
    'return isQuorum(sum, validators);',
    'return sum > 0;',
  ],
]);

const PROOF = mutantsOf('shared/ledger/consensus/certificate.ts', [
  [
    'certificate: holds votes for something else',
    'if (votes.length === 0 || !votes.every((vote) => fits(vote, certificate))) {',
    'if (votes.length === 0) {',
  ],
  ['certificate: counts a voter twice', '.size !== votes.length', '.size < 0'],
  [
    'certificate: counts strangers',
    'if (!votes.every(({ voter }) => validators.weights.has(voter))) {',
    'if (votes.length < 0) {',
  ],
  [
    'certificate: needs no weight',
    'if (!suffices(certificate, validators)) {',
    'if (votes.length < 0) {',
  ],
  ['certificate: needs no signatures', 'if (!votes.every(isSigned)) {', 'if (votes.length < 0) {'],
  [
    'certificate: a polka mixes valid rounds',
    'vote.validRound === validRound\n  );',
    'vote.validRound >= -1\n  );',
  ],
]);

const EVIDENCE = mutantsOf('shared/ledger/consensus/evidence.ts', [
  [
    'evidence: a polka that knew the commit is amnesia',
    'polka.validRound < commit.round',
    'polka.validRound <= polka.round',
  ],
  ['evidence: no amnesia', 'polka.validRound < commit.round', 'polka.validRound < -1'],
  [
    'evidence: later polkas than the earliest count',
    'if (polka.round !== earliest || !isForgetful',
    'if (!isForgetful',
  ],
  [
    'evidence: the same vote twice is a duplicate',
    'return samePlace && !isSameVote(a, b);',
    'return samePlace;',
  ],
  ['evidence: names who is in the commit only', '.filter((voter) => later.has(voter))', ''],
]);

const GUARD = mutantsOf('shared/ledger/consensus/sign-guard.ts', [
  ['signer: goes back', 'if (order < 0) return', 'if (order < -999_999) return'],
  [
    'signer: signs other bytes for the same place',
    'if (digest === last.digest) return ok(last.signature);\n',
    'if (digest !== last.digest) return ok(undefined);\n',
  ],
]);

const RESEND = mutantsOf('shared/ledger/consensus/resend.ts', [
  [
    'resend: own votes only',
    'const certificates = [entry, polkaOf(state, round.validRound)];',
    'const certificates = [undefined, polkaOf(state, -9)];',
  ],
  ['resend: no votes', '...own.map((vote)', '...own.slice(9).map((vote)'],
]);

/** Weights, counts, certificates, evidence, the signer's guard, what is sent again. */
export const VOTE_MUTANTS: readonly Mutant[] = [
  ...VALIDATORS,
  ...VOTES,
  ...PROOF,
  ...EVIDENCE,
  ...GUARD,
  ...RESEND,
];
