import { assert } from '../../basics/assert.ts';
import type { Commit, Polka } from './certificate.ts';
import { createHeight, type HeightEffect, type HeightInput, type HeightState } from './height.ts';
import { stepHeight } from './step-height.ts';
import { createValidatorSet, type ValidatorSet } from './validator-set.ts';
import type { Proposal, Vote, VoteType } from './vote.ts';

/** Four validators of one weight, one of them faulty at most; a proposes first, then b, c, d. */
export const four: ValidatorSet = createValidatorSet(['a', 'b', 'c', 'd'].map((name) => [name, 1]));
/** A height at which a is the first to propose. */
export const HEIGHT = 4;

interface VoteFixture {
  readonly round?: number;
  readonly value?: string | null;
  readonly validRound?: number;
}

/** The vote of each named validator, of round 0 for `v` where nothing else is said. */
export function votes(type: VoteType, voters: string, choice: VoteFixture = {}): Vote[] {
  const { round = 0, value = 'v', validRound = -1 } = choice;
  return [...voters].map((voter) => ({
    ...{ type, height: HEIGHT, round, value, validRound, voter },
    signature: `${voter} ${type} ${round} ${value} ${validRound}`,
  }));
}

/** The proposal of its round's proposer. */
export function proposal(round: number, value = 'v', validRound = -1): Proposal {
  const proposer = four.schedule[round % 4]!;
  const signature = `${proposer} ${round} ${value} ${validRound}`;
  return { height: HEIGHT, round, value, validRound, proposer, signature };
}

export function polka(voters: string, choice: VoteFixture = {}): Polka {
  const { round = 0, value = 'v', validRound = -1 } = choice;
  return {
    ...{ kind: 'polka', height: HEIGHT, round, value: value!, validRound },
    votes: votes('prevote', voters, choice),
  };
}

export function commit(voters: string, choice: VoteFixture = {}): Commit {
  const { round = 0, value = 'v' } = choice;
  return {
    ...{ kind: 'commit', height: HEIGHT, round, value: value! },
    votes: votes('precommit', voters, choice),
  };
}

/** What has happened to one validator, and what it does; its own votes come back to it at once. */
export interface Trial {
  readonly state: HeightState;
  /** Since the last call of {@link Trial.said}, each in a word or two. */
  said(): string[];
  take(...inputs: readonly (HeightInput | Vote | Proposal)[]): Trial;
}

/** A trial of the validator at {@link HEIGHT}, started. */
export function trialOf(self: string, validators = four): Trial {
  let state = createHeight(self, HEIGHT, validators);
  let said: string[] = [];
  const trial: Trial = {
    get state() {
      return state;
    },
    said() {
      const words = said;
      said = [];
      return words;
    },
    take(...inputs) {
      for (const input of inputs) take(toInput(input));
      return trial;
    },
  };
  return trial.take({ kind: 'start' });

  function take(input: HeightInput): void {
    const { state: next, effects } = stepHeight(state, input);
    state = next;
    said.push(...effects.map(wordsOf));
    for (const own of effects.flatMap((effect) => signed(self, effect))) take(own);
  }
}

/** A validator that is locked on v since round 0, and is in round 1 now. */
export function lockedOnV(self = 'd'): Trial {
  const others = [...'abcd'].filter((name) => name !== self).join('');
  const trial = trialOf(self).take(proposal(0), ...votes('prevote', others.slice(0, 2)));
  return intoRound(trial, 1, self);
}

/** Goes on to the next round because the others precommit nil. */
export function intoRound(trial: Trial, round: number, self: string): Trial {
  const others = [...'abcd'].filter((name) => name !== self).join('');
  trial.take(...votes('precommit', others, { round: round - 1, value: null }), {
    kind: 'timeout',
    step: 'precommit',
    round: round - 1,
  });
  assert(trial.state.round.round === round, 'the trial is in the round');
  trial.said();
  return trial;
}

function signed(self: string, effect: HeightEffect): HeightInput[] {
  const signature = `${self} signs`;
  if (effect.kind === 'sign-vote') {
    return [{ kind: 'vote', vote: { ...effect.vote, signature } }];
  }
  if (effect.kind !== 'sign-proposal') return [];
  const proposal = { ...effect.proposal, signature };
  return [{ kind: 'proposal', proposal, valid: true, timely: true }];
}

function toInput(input: HeightInput | Vote | Proposal): HeightInput {
  if ('kind' in input) return input;
  if ('voter' in input) return { kind: 'vote', vote: input };
  return { kind: 'proposal', proposal: input, valid: true, timely: true };
}

function wordsOf(effect: HeightEffect): string {
  switch (effect.kind) {
    case 'sign-vote': {
      const { type, round, value, validRound } = effect.vote;
      const earlier = validRound < 0 ? '' : ` of ${validRound}`;
      return `${type} ${round} ${value ?? 'nil'}${earlier}`;
    }
    case 'sign-proposal': {
      const { round, value, validRound } = effect.proposal;
      return `propose ${round} ${value} of ${validRound}`;
    }
    case 'schedule':
      return `wait ${effect.step} ${effect.round}`;
    case 'send': {
      const { kind, round, votes: held } = effect.certificate;
      return `send ${kind} ${round} by ${held.map(({ voter }) => voter).join('')}`;
    }
    case 'report':
      return `report ${effect.evidence.kind}`;
    case 'get-value':
      return `get value ${effect.round}`;
    case 'decide':
      return `decide ${effect.certificate.round} ${effect.proposal.value}`;
  }
}
