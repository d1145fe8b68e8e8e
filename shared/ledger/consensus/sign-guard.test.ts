import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { proposal, votes } from './consensus-fixture.ts';
import { guardSignature, type LastSigned, placeOf, type SignPlace } from './sign-guard.ts';

const last: LastSigned = { height: 5, round: 2, step: 1, digest: 'd', signature: 's' };

function answer(place: SignPlace, digest = 'other') {
  const guarded = guardSignature(last, place, digest);
  return guarded.ok ? (guarded.value ?? 'sign') : guarded.error.code;
}

describe('the sign guard', () => {
  it('lets sign what comes after the last signature, and anything at first', () => {
    assert.equal(answer({ height: 5, round: 2, step: 2 }), 'sign');
    assert.equal(answer({ height: 5, round: 3, step: 0 }), 'sign');
    assert.equal(answer({ height: 6, round: 0, step: 0 }), 'sign');
    assert.deepEqual(guardSignature(undefined, last, 'd'), { ok: true, value: undefined });
  });

  it('refuses what comes before it', () => {
    assert.equal(answer({ height: 5, round: 2, step: 0 }, 'd'), 'sign-regression');
    assert.equal(answer({ height: 5, round: 1, step: 2 }, 'd'), 'sign-regression');
    assert.equal(answer({ height: 4, round: 9, step: 2 }, 'd'), 'sign-regression');
  });

  it('gives the same signature for the same bytes, and none for others', () => {
    assert.equal(answer(last, 'd'), 's');
    assert.equal(answer(last), 'sign-conflict');
  });

  it('has the proposal before the prevote before the precommit', () => {
    const messages = [proposal(0), ...votes('prevote', 'a'), ...votes('precommit', 'a')];
    assert.deepEqual(
      messages.map((message) => placeOf(message).step),
      [0, 1, 2],
    );
  });
});
