import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Certificate, checkCertificate, entryFrom, polkaFrom } from './certificate.ts';
import { commit, four, HEIGHT, polka, votes } from './consensus-fixture.ts';
import type { Vote } from './vote.ts';
import { createVoteKeeper, keepVote } from './vote-keeper.ts';

function codeOf(certificate: Certificate, isSigned: (vote: Vote) => boolean = () => true) {
  const checked = checkCertificate(certificate, four, isSigned);
  return checked.ok ? 'ok' : checked.error.code;
}

function entry(round: number, held: readonly Vote[]): Certificate {
  return { kind: 'entry', height: HEIGHT, round, votes: held };
}

describe('a certificate', () => {
  const sound = [
    polka('abc', { round: 2, validRound: 1 }),
    commit('abd'),
    entry(1, [...votes('precommit', 'ab'), ...votes('precommit', 'c', { value: null })]),
    entry(3, [...votes('precommit', 'a', { round: 3 }), ...votes('prevote', 'b', { round: 3 })]),
  ];

  for (const certificate of sound) {
    const { kind, round, votes: held } = certificate;
    const bad = (changes: Partial<Vote>) => ({
      ...certificate,
      votes: [{ ...held[0]!, ...changes }, ...held.slice(1)],
    });

    it(`of ${kind} ${round} is sound with enough votes, and with no fewer`, () => {
      assert.equal(codeOf(certificate), 'ok');
      assert.equal(codeOf({ ...certificate, votes: held.slice(1) }), 'too-little-weight');
      assert.equal(codeOf({ ...certificate, votes: [] }), 'wrong-votes');
    });

    it(`of ${kind} ${round} takes no repeated, unknown, foreign or unsigned vote`, () => {
      assert.equal(codeOf(bad({ voter: held[1]!.voter })), 'repeated-voter');
      assert.equal(codeOf(bad({ voter: 'x' })), 'unknown-voter');
      assert.equal(codeOf(bad({ height: 9 })), 'wrong-votes');
      assert.equal(codeOf(bad({ round: 7 })), 'wrong-votes');
      assert.equal(
        codeOf(certificate, ({ voter }) => voter !== 'a'),
        'wrong-signature',
      );
    });

    if (kind === 'entry') continue;
    it(`of ${kind} ${round} holds votes of one type, value and valid round`, () => {
      const type = kind === 'polka' ? 'precommit' : 'prevote';
      assert.equal(codeOf(bad({ type })), 'wrong-votes');
      assert.equal(codeOf(bad({ value: 'w' })), 'wrong-votes');
      assert.equal(codeOf(bad({ value: null })), 'wrong-votes');
      assert.equal(codeOf(bad({ validRound: 0 })), 'wrong-votes');
    });
  }

  it('of entry takes precommits only from the round before', () => {
    assert.equal(codeOf(entry(1, votes('prevote', 'abc'))), 'wrong-votes');
    assert.equal(codeOf(entry(2, votes('precommit', 'abc'))), 'wrong-votes');
  });

  it('is made of the votes kept, each voter once', () => {
    let keeper = createVoteKeeper(HEIGHT, four);
    const held = [
      ...votes('prevote', 'abc'),
      ...votes('prevote', 'a', { validRound: 0 }),
      ...votes('precommit', 'ab', { value: null }),
      ...votes('precommit', 'bc'),
      ...votes('precommit', 'ab', { round: 1 }),
      ...votes('prevote', 'b', { round: 1 }),
    ];
    for (const vote of held) keeper = keepVote(keeper, vote, 0).keeper;
    assert.deepEqual(polkaFrom(keeper, { round: 0, value: 'v', validRound: -1 }), polka('abc'));
    assert.equal(entryFrom(keeper, 0), undefined);
    const first = entryFrom(keeper, 1)!;
    assert.deepEqual(codeOf(first), 'ok');
    assert.deepEqual(
      first.votes.map(({ voter, round }) => voter + round),
      ['a0', 'b0', 'c0'],
    );
    const ahead = keepVote(createVoteKeeper(HEIGHT, four), held[8]!, 0).keeper;
    assert.equal(codeOf(entryFrom(ahead, 1)!), 'too-little-weight');
    assert.equal(codeOf(entryFrom(keepVote(ahead, held[10]!, 0).keeper, 1)!), 'ok');
  });
});
