import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { four, HEIGHT, votes } from './consensus-fixture.ts';
import type { Vote } from './vote.ts';
import {
  countOf,
  createVoteKeeper,
  hasNilQuorum,
  keepCertificate,
  keepVote,
  quorumsFor,
  type VoteKeeper,
} from './vote-keeper.ts';

function keep(held: readonly Vote[], currentRound = 0) {
  let keeper: VoteKeeper = createVoteKeeper(HEIGHT, four);
  const reached: (string | undefined)[] = [];
  for (const vote of held) {
    const kept = keepVote(keeper, vote, currentRound);
    keeper = kept.keeper;
    reached.push(kept.reached?.kind);
  }
  return { keeper, reached };
}

// What the specification's traces cannot show: valid rounds, and certificates against equivocators.
describe('the vote keeper', () => {
  it('counts prevotes of each valid round by themselves', () => {
    const held = [...votes('prevote', 'ab'), ...votes('prevote', 'cd', { validRound: 0 })];
    const { keeper, reached } = keep(held);
    assert.deepEqual(reached, [undefined, undefined, 'polka-any', undefined]);
    assert.deepEqual(quorumsFor(countOf(keeper, 'prevote', 0), 'v', four), []);
  });

  it('counts nil whatever the values', () => {
    const { keeper } = keep([
      ...votes('prevote', 'abc', { value: null }),
      ...votes('prevote', 'd'),
    ]);
    assert.ok(hasNilQuorum(countOf(keeper, 'prevote', 0), four));
    assert.ok(!hasNilQuorum(countOf(keeper, 'precommit', 0), four));
    assert.deepEqual(quorumsFor(countOf(keeper, 'prevote', 0), 'v', four), []);
  });

  it('counts who votes twice for its first vote, and keeps both', () => {
    const { keeper } = keep([
      ...votes('prevote', 'aabc', { value: 'w' }),
      ...votes('prevote', 'abc'),
    ]);
    const { tallies, votes: held } = countOf(keeper, 'prevote', 0);
    assert.deepEqual(
      [...tallies.values()].map(({ value, weight }) => [value, weight]),
      [['w', 3]],
    );
    assert.equal(held.length, 6);
    assert.equal(keeper.conflicts.size, 3);
  });

  it('counts who votes twice for both values where a certificate has one of them', () => {
    const { keeper } = keep([...votes('precommit', 'ad', { value: null })]);
    const certified = keepCertificate(keeper, votes('precommit', 'abc'));
    const count = countOf(certified, 'precommit', 0);
    assert.deepEqual(
      quorumsFor(count, 'v', four).map(({ weight }) => weight),
      [3],
    );
    assert.equal(count.votes.length, 5);
    assert.deepEqual([...count.voters].sort(), ['a', 'b', 'c', 'd']);
    assert.deepEqual(keepCertificate(certified, votes('precommit', 'abc')), certified);
  });

  it('tells of each threshold once', () => {
    const held = [...votes('precommit', 'abc'), ...votes('precommit', 'd')];
    assert.deepEqual(keep(held).reached, [undefined, undefined, 'commit', undefined]);
  });

  it('tells of votes of a later round from more than a third, and not of this one', () => {
    const held = votes('prevote', 'ab', { round: 1 });
    assert.deepEqual(keep(held, 0).reached, [undefined, 'skip']);
    assert.deepEqual(keep(held, 1).reached, [undefined, undefined]);
  });
});
