import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commit, HEIGHT, lockedOnV, polka, proposal, trialOf, votes } from './consensus-fixture.ts';
import { messagesToResend } from './resend.ts';
import { stepHeight } from './step-height.ts';
import { createValidatorSet } from './validator-set.ts';
import type { Vote } from './vote.ts';

const NIL = { value: null };

describe('a height, what it keeps', () => {
  it('two proposals of a round, as evidence, and a third only when it may be decided', () => {
    const trial = trialOf('d').take(proposal(0, 'u'), proposal(0, 'v'));
    assert.equal(trial.said().at(-1), 'report duplicate-proposal');
    trial.take(proposal(0, 'v'), proposal(0, 'w'));
    assert.equal(trial.state.proposals.length, 2);
    trial.take(...votes('precommit', 'abc', { value: 'w' }), proposal(0, 'w'));
    assert.equal(trial.said().at(-1), 'decide 0 w');
  });

  it('two votes of a voter, as evidence, and counts the first', () => {
    const trial = trialOf('d').take({ kind: 'timeout', step: 'propose', round: 0 });
    trial.take(...votes('prevote', 'a', NIL), ...votes('prevote', 'a', NIL));
    trial.said();
    trial.take(...votes('prevote', 'a'), ...votes('prevote', 'a', { value: 'w' }));
    assert.deepEqual(trial.said(), ['report duplicate-vote']);
    assert.equal(trial.state.votes.rounds.get(0)?.prevotes.votes.length, 3);
    trial.take(...votes('prevote', 'bc'), ...votes('prevote', 'd'));
    assert.equal(trial.state.round.step, 'prevote');
  });

  it('reports an equivocator that a certificate shows', () => {
    const trial = trialOf('d').take(...votes('prevote', 'a', NIL));
    trial.said();
    trial.take({ kind: 'certificate', certificate: polka('abc') });
    assert.deepEqual(trial.said(), ['report duplicate-vote']);
    trial.take({ kind: 'certificate', certificate: polka('abc') });
    assert.deepEqual(trial.said(), []);
  });

  it('nothing of another height or of who is no validator', () => {
    const trial = trialOf('d');
    const { state } = trial;
    const other = (vote: Vote) => ({ ...vote, height: HEIGHT + 1 });
    trial.take(...votes('prevote', 'abc').map(other), ...votes('prevote', 'xyz'));
    const { votes: held, ...rest } = commit('abc');
    const certificate = { ...rest, height: HEIGHT + 1, votes: held.map(other) };
    trial.take({ kind: 'certificate', certificate });
    assert.equal(trial.state, state);
  });

  it('no vote of its own where it only follows', () => {
    const trial = trialOf('x').take(proposal(0), ...votes('prevote', 'abc'));
    assert.deepEqual(trial.said(), ['wait propose 0', 'send polka 0 by abc']);
  });

  it('waits with what comes before it starts', () => {
    const { state } = trialOf('d', createValidatorSet([['d', 1]]));
    assert.equal(state.round.step, 'propose');
  });

  it('sends again its entry, its polka, the proposals and its votes', () => {
    const trial = lockedOnV('b');
    const kinds = messagesToResend(trial.state).map((message) =>
      message.kind === 'certificate' ? message.certificate.kind : message.kind,
    );
    assert.deepEqual(kinds, ['entry', 'polka', 'proposal', 'vote']);
    const { state } = trialOf('c').take(proposal(0), ...votes('prevote', 'ab'));
    const own = messagesToResend(state).filter(({ kind }) => kind === 'vote');
    assert.deepEqual(
      own.map((message) => message.kind === 'vote' && message.vote.type),
      ['prevote', 'precommit'],
    );
  });

  it('is a pure step: the same state and input give the same', () => {
    const { state } = lockedOnV();
    const input = { kind: 'vote', vote: votes('prevote', 'a', { round: 1 })[0]! } as const;
    assert.deepEqual(stepHeight(state, input), stepHeight(state, input));
  });
});
