import { startOfHeight, stepRound } from '#shared/ledger/consensus/round-machine.ts';
import {
  createVoteKeeper,
  keepVote,
  type VoteKeeper,
} from '#shared/ledger/consensus/vote-keeper.ts';
import { differenceOf, type Term, type Trace, textOf } from './itf.ts';
import { outputTerm, roundTerm, toRoundInput, withoutWording } from './round-terms.ts';
import { field, integer, list, text, variant } from './term-reading.ts';
import { keeperTerm, thresholdTerm, toValidators, toVote } from './vote-terms.ts';

type States = Trace['states'];

/** A trace of the specification's consensus module, against the round state machine. */
export function* replayRoundMachine(states: States): Generator<string | undefined> {
  const [first, ...rest] = states;
  const start = field(first, 'state');
  let state = startOfHeight(text(field(start, 'p')), integer(field(start, 'height')));
  yield differenceOf(
    first!,
    {
      state: roundTerm(state),
      input: { tag: 'NoConsensusInput' },
      output: { tag: 'NoConsensusOutput' },
    },
    '',
  );
  for (const [index, next] of rest.entries()) {
    const input = field(next, 'input');
    // The specification answers the input of its initial state with an error like any other.
    const fired =
      variant(input).tag === 'NoConsensusInput'
        ? { state, output: { kind: 'refused' } as const }
        : stepRound(state, toRoundInput(input));
    const actual = {
      state: roundTerm(fired.state),
      input,
      output: outputTerm(fired.output, fired.state),
    };
    const output = withoutWording(field(next, 'output'));
    const difference = differenceOf({ ...next, output }, actual, '');
    if (difference !== undefined && isStutter(states[index]!, next)) {
      yield undefined;
      continue;
    }
    yield difference;
    state = fired.state;
  }
}

/** A trace of the specification's votekeeper module, against the vote keeper. */
export function* replayVoteKeeper(states: States): Generator<string | undefined> {
  const [first, ...rest] = states;
  const start = field(first, 'bookkeeper');
  const validators = toValidators(field(start, 'validatorSet'));
  let keeper = createVoteKeeper(integer(field(start, 'height')), validators);
  yield differenceOf(first!, keeperState(keeper, { tag: 'NoWeightedVote' }, undefined), '');
  for (const [index, next] of rest.entries()) {
    const input = variant(field(next, 'weightedVote'));
    if (isStutter(states[index]!, next) && input.tag === 'NoWeightedVote') {
      yield undefined;
      continue;
    }
    const [voteTerm, , currentRound] = list(input.value);
    const vote = toVote(voteTerm!);
    const kept = keepVote(keeper, vote, integer(currentRound));
    const weight = validators.weights.get(vote.voter) ?? 0;
    const weighted = { tag: 'WV', value: [voteTerm!, weight, currentRound!] };
    const difference = differenceOf(next, keeperState(kept.keeper, weighted, kept.reached), '');
    if (difference !== undefined && isStutter(states[index]!, next)) {
      yield undefined;
      continue;
    }
    yield difference;
    keeper = kept.keeper;
  }
}

function keeperState(
  keeper: VoteKeeper,
  weightedVote: Term,
  reached: Parameters<typeof thresholdTerm>[0],
): Record<string, Term> {
  return { weightedVote, bookkeeper: keeperTerm(keeper), lastEmitted: thresholdTerm(reached) };
}

/** Whether nothing happened: a run may leave all its variables as they are. */
function isStutter(before: Readonly<Record<string, Term>>, after: Readonly<Record<string, Term>>) {
  return textOf(before) === textOf(after);
}
