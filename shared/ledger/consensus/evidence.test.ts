import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commit, four, polka, proposal, votes } from './consensus-fixture.ts';
import { accused, type Evidence, findEvidence, isAnswered, isEvidence } from './evidence.ts';
import type { Vote } from './vote.ts';

const everything = { vote: () => true, proposal: () => true };
const nothing = { vote: () => false, proposal: () => false };
const LATER = { round: 2, value: 'w' };

function amnesia(later: Parameters<typeof polka>[1] = LATER) {
  return { kind: 'amnesia', commit: commit('abc'), polka: polka('bcd', later) } as const;
}

function named(held: readonly Vote[]): string[] {
  return [...new Set(findEvidence(held, four).flatMap(accused))].sort();
}

describe('evidence', () => {
  const [first] = votes('prevote', 'a');
  const other = (changes: Partial<Vote>): Evidence => ({
    kind: 'duplicate-vote',
    votes: [first!, { ...first!, ...changes }],
  });

  it('of two votes names their voter', () => {
    for (const changes of [{ value: 'w' }, { value: null }, { validRound: -1, value: 'x' }]) {
      assert.ok(isEvidence(other(changes), four, everything));
    }
    assert.deepEqual(accused(other({ value: 'w' })), ['a']);
  });

  for (const [name, changes] of [
    ['the same vote signed twice', { signature: 'another' }],
    ['votes of two voters', { voter: 'b', value: 'w' }],
    ['votes of two rounds', { round: 1, value: 'w' }],
    ['votes of two heights', { height: 9, value: 'w' }],
    ['votes of two types', { type: 'precommit', value: 'w' }],
  ] as const) {
    it(`are not ${name}`, () => assert.ok(!isEvidence(other(changes), four, everything)));
  }

  it('of two proposals names their proposer', () => {
    const two = (second = proposal(0, 'w')) =>
      ({ kind: 'duplicate-proposal', proposals: [proposal(0), second] }) as const;
    assert.ok(isEvidence(two(), four, everything));
    assert.deepEqual(accused(two()), ['a']);
    assert.ok(!isEvidence(two(), four, nothing));
    assert.ok(!isEvidence(two(proposal(0)), four, everything));
    assert.ok(!isEvidence(two({ ...proposal(0, 'w'), round: 4 }), four, everything));
    assert.ok(!isEvidence(two({ ...proposal(0, 'w'), proposer: 'b' }), four, everything));
  });

  it('holds only with signatures, of validators', () => {
    assert.ok(!isEvidence(other({ value: 'w' }), four, nothing));
    assert.ok(!isEvidence(amnesia(), four, nothing));
    const stranger = votes('prevote', 'x')[0]!;
    const twice = [stranger, { ...stranger, value: 'w' }] as const;
    assert.ok(!isEvidence({ kind: 'duplicate-vote', votes: twice }, four, everything));
  });

  it('of amnesia names who is in the commit and in the later polka', () => {
    assert.ok(isEvidence(amnesia(), four, everything));
    assert.deepEqual(accused(amnesia()), ['b', 'c']);
  });

  for (const [name, later] of [
    ['for the same value', { round: 2, value: 'v' }],
    ['of the same round', { round: 0, value: 'w' }],
    ['that comes from a polka of the commit’s round', { ...LATER, validRound: 0 }],
    ['that comes from a polka after the commit', { ...LATER, validRound: 1 }],
  ] as const) {
    it(`of amnesia is not a polka ${name}`, () => {
      assert.ok(!isEvidence(amnesia(later), four, everything));
    });
  }

  it('of amnesia needs a sound commit and a sound polka', () => {
    const thin = { ...amnesia(), polka: polka('bc', LATER) };
    assert.ok(!isEvidence(thin, four, everything));
    assert.ok(!isEvidence({ ...amnesia(), commit: commit('ab') }, four, everything));
  });

  it('of amnesia is answered by a polka in between, for the later value', () => {
    assert.ok(isAnswered(amnesia(), polka('bcd', { round: 1, value: 'w' })));
    assert.ok(!isAnswered(amnesia(), polka('bcd', { round: 1, value: 'v' })));
    assert.ok(!isAnswered(amnesia(), polka('bcd', { round: 2, value: 'w' })));
    assert.ok(!isAnswered(amnesia(), polka('bcd', { round: 0, value: 'w' })));
    const elsewhere = { ...polka('bcd', { round: 1, value: 'w' }), height: 9 };
    assert.ok(!isAnswered(amnesia(), elsewhere));
  });
});

describe('evidence after a fork', () => {
  it('names those that voted twice', () => {
    const held = [...votes('precommit', 'abc'), ...votes('precommit', 'bcd', { value: 'w' })];
    assert.deepEqual(named(held), ['b', 'c']);
  });

  it('names those that forgot a commit, where nobody voted twice', () => {
    const held = [
      ...votes('prevote', 'abc'),
      ...votes('precommit', 'abc'),
      ...votes('prevote', 'bcd', { round: 1, value: 'w' }),
      ...votes('precommit', 'bcd', { round: 1, value: 'w' }),
    ];
    assert.deepEqual(named(held), ['b', 'c']);
    assert.deepEqual(named([...held, ...held].reverse()), ['b', 'c']);
  });

  it('names nobody that a polka led from its lock to another', () => {
    // a and b are faulty. c decides v. The polka of round 1 leads c, which has not heard of d, from
    // v to w; in round 2 c prevotes w again, for which it has every reason.
    const held = [
      ...votes('prevote', 'abc'),
      ...votes('precommit', 'abc'),
      ...votes('prevote', 'abd', { round: 1, value: 'w' }),
      ...votes('prevote', 'abc', { round: 2, value: 'w' }),
    ];
    assert.deepEqual(named(held), ['a', 'b']);
  });

  it('names nobody where nobody was faulty', () => {
    const held = [
      ...votes('prevote', 'abc'),
      ...votes('precommit', 'ab'),
      ...votes('precommit', 'cd', { value: null }),
      ...votes('prevote', 'bcd', { round: 1, value: 'w' }),
      ...votes('prevote', 'abcd', { round: 2, value: 'w', validRound: 1 }),
      ...votes('precommit', 'abcd', { round: 2, value: 'w' }),
    ];
    assert.deepEqual(named(held), []);
  });
});
