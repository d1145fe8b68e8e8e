import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Answer, answerAt, type Question } from './answer.ts';
import { observe, type Report, trackOf } from './track.ts';

const policy = { tolerance: 0.1, heartbeatMs: 1000 };
const report: Report = {
  timeMs: 10_000,
  value: 20,
  quality: 'ok',
  predictor: 'hold',
  depth: 1,
};
const track = observe(undefined, report);
const errors = [
  { silentMs: 100, error: 0.3 },
  { silentMs: 200, error: 0.5 },
];

function ask(timeMs: number, other: Partial<Question> = {}): Answer {
  return answerAt(track, { timeMs, heardMs: timeMs, policy, errors, ...other });
}

function expected(timeMs: number, other: Partial<Question> = {}) {
  const { expectedError, errorBasis } = ask(timeMs, other);
  return [expectedError, errorBasis];
}

describe('answer', () => {
  it('is exact at the time of a report', () => {
    assert.deepEqual(ask(10_000), {
      value: 20,
      quality: 'ok',
      timeMs: 10_000,
      origin: 'reported',
      reportedMs: 10_000,
      ageMs: 0,
      expectedError: 0,
      errorBasis: 'reported',
    });
  });

  it('is within the tolerance while silence means agreement', () => {
    const answer = ask(11_400);
    assert.deepEqual([answer.origin, answer.ageMs, answer.value], ['predicted', 1400, 20]);
    assert.deepEqual(expected(11_400), [0.1, 'tolerance']);
  });

  it('is less and less sure once the link is down', () => {
    const down = { heardMs: 10_500 };
    assert.deepEqual(expected(10_500, down), [0.1, 'tolerance']);
    assert.deepEqual(expected(10_550, down), [0.2, 'back-test']);
    assert.deepEqual(expected(10_650, down), [0.4, 'back-test']);
    assert.deepEqual(expected(10_700, down), [0.5, 'back-test']);
    assert.deepEqual(expected(10_900, down), [1, 'beyond']);
    assert.deepEqual(expected(10_900, { ...down, errors: [] }), [null, 'untested']);
  });

  it('counts the silence from the newest report where that came after the link was lost', () => {
    assert.deepEqual(expected(10_100, { heardMs: 3 }), [0.3, 'back-test']);
  });

  it('does not believe in a silence that outlasts the heartbeat by half', () => {
    assert.deepEqual(expected(11_500), [0.1, 'tolerance']);
    assert.deepEqual(expected(11_600), [0.3, 'back-test']);
  });

  it('never claims less than the tolerance', () => {
    const calm = { heardMs: 10_000, errors: [{ silentMs: 100, error: 0 }] };
    assert.deepEqual(expected(10_100, calm), [0.1, 'back-test']);
    assert.deepEqual(expected(10_101, calm), [0.1, 'beyond']);
  });

  it('promises nothing out of step or before the newest report', () => {
    const line = observe(undefined, { ...report, predictor: 'linear', depth: 5 });
    const answer = answerAt(line, { timeMs: 10_001, heardMs: 10_001, policy });
    assert.deepEqual([answer.value, answer.expectedError], [20, null]);
    assert.equal(answer.errorBasis, 'out-of-step');
    const foreign = observe(undefined, { ...report, predictor: 'of-a-newer-version' });
    assert.equal(answerAt(foreign, { timeMs: 10_001, heardMs: 10_001, policy }).value, 20);
    assert.deepEqual(expected(9_999), [null, 'out-of-step']);
    assert.equal(ask(9_999).ageMs, -1);
  });

  it('predicts by the predictor that the device named', () => {
    const line = { ...report, predictor: 'linear' };
    const both = trackOf([line, { ...line, timeMs: 10_100, value: 21, depth: 2 }])!;
    assert.equal(answerAt(both, { timeMs: 10_150, heardMs: 10_150, policy }).value, 21.5);
  });

  it('has no value where the newest report has none', () => {
    const gone = observe(track, { ...report, timeMs: 10_100, value: null, quality: 'gap' });
    const answer = answerAt(gone, { timeMs: 10_200, heardMs: 10_200, policy, errors });
    assert.deepEqual(
      [answer.value, answer.quality, answer.origin, answer.expectedError, answer.errorBasis],
      [null, 'gap', 'reported', null, 'no-value'],
    );
  });
});
