import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  commit,
  HEIGHT,
  intoRound,
  lockedOnV,
  polka,
  proposal,
  trialOf,
  votes,
} from './consensus-fixture.ts';

const NIL = { value: null };

describe('a height, lines 11 to 21', () => {
  it('asks the proposer for a value, and proposes it once', () => {
    const trial = trialOf('a');
    assert.deepEqual(trial.said(), ['get value 0', 'wait propose 0']);
    trial.take({ kind: 'value', round: 0, value: 'v' });
    assert.deepEqual(trial.said(), ['propose 0 v of -1', 'prevote 0 v']);
    trial.take({ kind: 'value', round: 0, value: 'w' });
    assert.deepEqual(trial.said(), []);
  });

  it('takes no value that was asked for in another round', () => {
    const trial = trialOf('a');
    intoRound(trial, 1, 'a').take({ kind: 'value', round: 0, value: 'v' });
    assert.deepEqual(trial.said(), []);
    const late = intoRound(trialOf('b'), 1, 'b').take({ kind: 'value', round: 0, value: 'v' });
    assert.deepEqual(late.said(), []);
  });

  it('lets the others wait for the proposal, and prevote nil if none comes', () => {
    const trial = trialOf('b');
    assert.deepEqual(trial.said(), ['wait propose 0']);
    trial.take({ kind: 'timeout', step: 'propose', round: 0 });
    assert.deepEqual(trial.said(), ['prevote 0 nil']);
    trial.take(proposal(0), { kind: 'timeout', step: 'propose', round: 0 });
    assert.deepEqual(trial.said(), []);
  });

  it('proposes the valid value again, with the polka for it', () => {
    const trial = trialOf('b').take(proposal(0), ...votes('prevote', 'ac'));
    trial.said();
    trial.take(...votes('precommit', 'acd', NIL), { kind: 'timeout', step: 'precommit', round: 0 });
    assert.deepEqual(trial.said(), [
      'wait precommit 0',
      'send polka 0 by bac',
      'propose 1 v of 0',
      'wait propose 1',
      'send entry 1 by bacd',
      'prevote 1 v of 0',
    ]);
  });

  it('starts once, and knows no timeout of another round', () => {
    const trial = trialOf('b').take({ kind: 'start' });
    trial.take({ kind: 'timeout', step: 'propose', round: 1 });
    assert.deepEqual(trial.said(), ['wait propose 0']);
  });
});

describe('a height, line 22', () => {
  for (const [name, judged] of [
    ['not valid', { valid: false, timely: true }],
    ['not timely', { valid: true, timely: false }],
  ] as const) {
    it(`prevotes nil for what is ${name}`, () => {
      const trial = trialOf('d');
      trial.said();
      trial.take({ kind: 'proposal', proposal: proposal(0), ...judged });
      assert.deepEqual(trial.said(), ['prevote 0 nil']);
    });
  }

  it('prevotes nil for another value than it is locked on, and that one again', () => {
    const trial = lockedOnV().take(proposal(1, 'w'));
    assert.deepEqual(trial.said(), ['prevote 1 nil']);
    assert.deepEqual(lockedOnV().take(proposal(1, 'v')).said(), ['prevote 1 v']);
  });

  it('knows no proposal of another proposer, height, or valid in no earlier round', () => {
    const trial = trialOf('d');
    trial.said();
    trial.take({ ...proposal(0), proposer: 'c' }, { ...proposal(0), height: HEIGHT + 4 });
    trial.take({ ...proposal(0), validRound: 0 }, { ...proposal(0), validRound: -2 });
    assert.deepEqual(trial.said(), []);
    assert.equal(trial.state.proposals.length, 0);
  });

  it('keeps what comes for the next round, and nothing beyond it', () => {
    const trial = trialOf('d').take(proposal(1, 'w'), proposal(2, 'x'));
    assert.deepEqual(
      trial.state.proposals.map((known) => known.proposal.value),
      ['w'],
    );
    assert.deepEqual(intoRound(trial, 1, 'd').state.round.step, 'prevote');
  });
});

describe('a height, line 28', () => {
  const again = proposal(2, 'w', 1);
  const atRound2 = () => intoRound(lockedOnV(), 2, 'd');

  it('unlocks for the polka of a round after its lock', () => {
    const trial = atRound2().take(again);
    assert.deepEqual(trial.said(), []);
    trial.take(...votes('prevote', 'abc', { round: 1, value: 'w' }));
    assert.deepEqual(trial.said(), ['prevote 2 w of 1']);
  });

  it('does so for a certificate of that polka too', () => {
    const certificate = polka('abc', { round: 1, value: 'w' });
    const trial = atRound2().take(again, { kind: 'certificate', certificate });
    assert.deepEqual(trial.said(), ['prevote 2 w of 1']);
  });

  it('keeps its lock against the polka of an earlier round', () => {
    const trial = intoRound(trialOf('d'), 1, 'd');
    trial.take(proposal(1), ...votes('prevote', 'ab', { round: 1 }));
    assert.equal(trial.state.round.lockedRound, 1);
    intoRound(trial, 2, 'd').take(proposal(2, 'w', 0));
    trial.take(...votes('prevote', 'abc', { value: 'w' }));
    assert.deepEqual(trial.said(), ['prevote 2 nil']);
  });

  it('takes the value of its lock with the polka of an earlier round', () => {
    const trial = intoRound(trialOf('d'), 1, 'd');
    trial.take(proposal(1), ...votes('prevote', 'ab', { round: 1 }));
    intoRound(trial, 2, 'd').take(proposal(2, 'v', 0), ...votes('prevote', 'abc'));
    assert.deepEqual(trial.said(), ['prevote 2 v of 0']);
  });

  it('asks for a quorum of one valid round', () => {
    const trial = atRound2().take(again);
    trial.take(...votes('prevote', 'ab', { round: 1, value: 'w' }));
    trial.take(...votes('prevote', 'c', { round: 1, value: 'w', validRound: 0 }));
    assert.deepEqual(trial.said(), []);
  });

  it('prevotes nil for what is not valid', () => {
    const trial = intoRound(intoRound(trialOf('d'), 1, 'd'), 2, 'd');
    trial.take({ kind: 'proposal', proposal: again, valid: false, timely: true });
    assert.deepEqual(trial.said(), []);
    trial.take(...votes('prevote', 'abc', { round: 1, value: 'w' }));
    assert.deepEqual(trial.said(), ['prevote 2 nil']);
  });

  it('does not ask whether it is timely', () => {
    const trial = atRound2().take(...votes('prevote', 'abc', { round: 1, value: 'w' }));
    trial.take({ kind: 'proposal', proposal: again, valid: true, timely: false });
    assert.deepEqual(trial.said(), ['prevote 2 w of 1']);
  });
});

describe('a height, line 36', () => {
  it('locks, precommits, and sends the polka, in that order of what matters', () => {
    const trial = trialOf('d').take(proposal(0));
    trial.said();
    trial.take(...votes('prevote', 'ab'));
    assert.deepEqual(trial.said(), ['send polka 0 by dab', 'precommit 0 v']);
    const { lockedValue, lockedRound, validValue, validRound } = trial.state.round;
    assert.deepEqual([lockedValue, lockedRound, validValue, validRound], ['v', 0, 'v', 0]);
  });

  it('asks that the prevotes have the valid round of the proposal', () => {
    const trial = lockedOnV().take(proposal(1, 'v', 0));
    assert.deepEqual(trial.said(), ['prevote 1 v of 0']);
    trial.take(...votes('prevote', 'abc', { round: 1 }));
    assert.deepEqual(trial.said(), ['wait prevote 1']);
    const sound = lockedOnV().take(proposal(1, 'v', 0));
    sound.take(...votes('prevote', 'ab', { round: 1, validRound: 0 }));
    assert.deepEqual(sound.said().at(-1), 'precommit 1 v');
  });

  it('does not lock before it has prevoted', () => {
    const trial = trialOf('d').take(...votes('prevote', 'abc'));
    assert.equal(trial.state.round.lockedRound, -1);
    trial.take(proposal(0));
    assert.deepEqual(trial.said().slice(-3), [
      'prevote 0 v',
      'send polka 0 by abc',
      'precommit 0 v',
    ]);
  });

  it('notes the valid value, and does not lock, once it has precommitted', () => {
    const trial = trialOf('d').take(proposal(0), ...votes('prevote', 'ab', NIL));
    trial.take({ kind: 'timeout', step: 'prevote', round: 0 });
    assert.equal(trial.said().at(-1), 'precommit 0 nil');
    trial.take({ kind: 'certificate', certificate: polka('abc') });
    const { lockedRound, validValue, validRound } = trial.state.round;
    assert.deepEqual([lockedRound, validValue, validRound], [-1, 'v', 0]);
  });

  it('locks nothing that is not valid', () => {
    const trial = trialOf('d');
    trial.take({ kind: 'proposal', proposal: proposal(0), valid: false, timely: true });
    trial.take(...votes('prevote', 'abc'));
    assert.equal(trial.state.round.validRound, -1);
  });

  it('locks what is valid though it was not timely', () => {
    const trial = trialOf('d');
    trial.take({ kind: 'proposal', proposal: proposal(0), valid: true, timely: false });
    trial.take(...votes('prevote', 'abc'));
    assert.equal(trial.state.round.lockedValue, 'v');
  });

  it('takes no proposal of another round for this one’s polka', () => {
    const trial = lockedOnV().take({ kind: 'timeout', step: 'propose', round: 1 });
    trial.take(...votes('prevote', 'abc', { round: 1 }));
    assert.equal(trial.state.round.validRound, 0);
  });
});

describe('a height, lines 34, 44, 47 and their timeouts', () => {
  it('waits for more prevotes once a quorum has voted for this and that', () => {
    const trial = trialOf('d').take(proposal(0), ...votes('prevote', 'a'));
    trial.said();
    trial.take(...votes('prevote', 'b', NIL));
    assert.deepEqual(trial.said(), ['wait prevote 0']);
    trial.take(...votes('prevote', 'c', { value: 'w' }));
    assert.deepEqual(trial.said(), []);
    trial.take({ kind: 'timeout', step: 'prevote', round: 0 });
    assert.deepEqual(trial.said(), ['precommit 0 nil']);
    trial.take({ kind: 'timeout', step: 'prevote', round: 0 });
    assert.deepEqual(trial.said(), []);
  });

  it('does not wait before it has prevoted', () => {
    const trial = trialOf('d').take(...votes('prevote', 'ab'), ...votes('prevote', 'c', NIL));
    assert.deepEqual(trial.said(), ['wait propose 0']);
  });

  it('gives the round up at once where a quorum prevotes nil', () => {
    const trial = trialOf('d').take({ kind: 'timeout', step: 'propose', round: 0 });
    trial.said();
    trial.take(...votes('prevote', 'ab', NIL));
    assert.deepEqual(trial.said(), ['precommit 0 nil']);
  });

  it('waits for more precommits in any step, and once in every round', () => {
    const trial = trialOf('d').take(...votes('precommit', 'ab', NIL));
    trial.said();
    trial.take(...votes('precommit', 'c'));
    assert.deepEqual(trial.said(), ['wait precommit 0']);
    trial.take({ kind: 'timeout', step: 'precommit', round: 0 });
    assert.deepEqual(trial.said(), ['wait propose 1', 'send entry 1 by abc']);
    trial.take(...votes('precommit', 'abc', { round: 1, value: null }));
    assert.deepEqual(trial.said(), ['wait precommit 1']);
  });
});

describe('a height, line 49', () => {
  it('decides with the proposal and a commit, whichever comes last', () => {
    const first = trialOf('d').take(proposal(0), ...votes('precommit', 'ab'));
    first.said();
    assert.deepEqual(first.take(...votes('precommit', 'c')).said(), ['decide 0 v']);
    const last = trialOf('d').take(...votes('precommit', 'abc'));
    last.said();
    assert.equal(last.take(proposal(0)).said().at(-1), 'decide 0 v');
  });

  it('decides by a certificate, of an earlier round and of a later one', () => {
    const early = trialOf('d').take(proposal(0), ...votes('precommit', 'ab', { round: 1 }));
    assert.equal(early.state.round.round, 1);
    early.said();
    early.take({ kind: 'certificate', certificate: commit('abc') });
    assert.deepEqual(early.said(), ['decide 0 v']);
    const certificate = commit('abc', { round: 7, value: 'w' });
    const late = trialOf('d').take({ kind: 'certificate', certificate }, proposal(7, 'w'));
    assert.equal(late.said().at(-1), 'decide 7 w');
  });

  it('decides nothing on prevotes, on too few precommits, or what is not valid', () => {
    const trial = trialOf('d').take(proposal(0), ...votes('precommit', 'a'));
    trial.take(...votes('precommit', 'c', { value: 'w' }), ...votes('prevote', 'abc'));
    assert.equal(trial.state.decision, undefined);
    const wrong = trialOf('d');
    wrong.take({ kind: 'proposal', proposal: proposal(0), valid: false, timely: true });
    wrong.take(...votes('precommit', 'abc'));
    assert.equal(wrong.state.decision, undefined);
  });

  it('does nothing more once it is decided', () => {
    const trial = trialOf('d').take(proposal(0), ...votes('precommit', 'abc'));
    const { state } = trial;
    assert.ok(state.decision);
    trial.take(...votes('prevote', 'abc', NIL), proposal(1), {
      ...{ kind: 'timeout', step: 'precommit', round: 0 },
    });
    assert.equal(trial.state, state);
  });

  it('takes the value of a commit that an equivocator was counted against', () => {
    const trial = trialOf('d').take(proposal(0), ...votes('precommit', 'a', NIL));
    trial.take(...votes('precommit', 'abc'));
    assert.equal(trial.state.decision, undefined);
    trial.said();
    trial.take({ kind: 'certificate', certificate: commit('abc') });
    assert.deepEqual(trial.said(), ['decide 0 v']);
  });
});

describe('a height, line 55', () => {
  it('skips to the next round with votes of more than a third, and says why', () => {
    const trial = trialOf('d');
    trial.said();
    trial.take(...votes('prevote', 'a', { round: 1 }));
    assert.deepEqual(trial.said(), []);
    trial.take(...votes('precommit', 'a', { round: 1 }));
    assert.deepEqual(trial.said(), []);
    trial.take(...votes('precommit', 'b', { round: 1 }));
    assert.deepEqual(trial.said(), ['wait propose 1', 'send entry 1 by ab']);
  });

  it('skips to a far round, and keeps one far vote of each voter and type', () => {
    const trial = trialOf('d').take(...votes('prevote', 'a', { round: 8 }));
    trial.take(...votes('prevote', 'a', { round: 9 }), ...votes('prevote', 'b', { round: 8 }));
    trial.take(...votes('prevote', 'a', { round: 8 }));
    assert.equal(trial.state.round.round, 0);
    assert.equal(trial.state.far.size, 2);
    assert.equal(trial.state.votes.rounds.size, 0);
    trial.take(...votes('prevote', 'c', { round: 9 }));
    assert.equal(trial.state.round.round, 9);
    assert.deepEqual(
      [...trial.state.far.values()].map(({ round }) => round),
      [],
    );
  });

  it('counts far votes that have come near', () => {
    const trial = trialOf('d').take(...votes('prevote', 'a', { round: 2 }));
    intoRound(trial, 1, 'd');
    assert.equal(trial.state.far.size, 0);
    trial.take(...votes('prevote', 'b', { round: 2 }));
    assert.equal(trial.state.round.round, 2);
  });

  it('does not go back, and takes each round once', () => {
    const trial = intoRound(lockedOnV(), 2, 'd');
    trial.take(...votes('prevote', 'abc', { round: 1, value: null }));
    assert.equal(trial.state.round.round, 2);
    assert.deepEqual(trial.said(), []);
  });

  it('follows a certificate of entry', () => {
    const { entry } = intoRound(trialOf('a'), 1, 'a').state;
    const trial = trialOf('d').take({ kind: 'certificate', certificate: entry! });
    assert.equal(trial.said().at(-1), 'wait precommit 0');
  });
});
