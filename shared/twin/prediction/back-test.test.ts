import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../basics/seeded-random.ts';
import { type BackTest, backTest } from './back-test.ts';
import { type Course, forecastToCourse, type Point } from './predictor.ts';
import { choosePredictor } from './predictor-choice.ts';
import type { Observed } from './reporting.ts';

const policy = { tolerance: 0.5, heartbeatMs: 1e9 };
const learned = `learned:${'ab'.repeat(32)}`;

function series(count: number, value: (index: number) => number): Observed[] {
  return Array.from({ length: count }, (_, i) => ({
    timeMs: i * 10,
    value: value(i),
    quality: 'ok',
  }));
}

function tested(
  samples: readonly Observed[],
  predictor: string,
  course?: (points: readonly Point[]) => Course | undefined,
): BackTest {
  const test = backTest(samples, policy, predictor);
  let turn = test.next();
  while (!turn.done) turn = test.next(turn.value && course?.(turn.value));
  return turn.value;
}

const ramp = series(640, (i) => i / 8);

describe('back-test', () => {
  it('counts the reports, the same each time', () => {
    assert.equal(tested(ramp, 'hold').reports, 128);
    assert.ok(tested(ramp, 'linear').reports < 20);
    assert.deepEqual(tested(ramp, 'linear'), tested(ramp, 'linear'));
  });

  it('tells how far the twin goes astray in silence', () => {
    // After k samples hold is off by k/8, and by what it was off when the silence began: 0 to 1/2.
    const { errors } = tested(ramp, 'hold');
    assert.equal(errors.length, 5);
    for (const { silentMs, error } of errors) {
      const samples = Math.ceil(silentMs / 10);
      assert.equal(error, samples / 8 + 0.5);
    }
    assert.equal(errors.at(-1)?.silentMs, 6390 / 4);
  });

  it('gives errors that do not fall', () => {
    const random = seededRandom(4);
    const bounded = series(500, () => random());
    const { errors } = tested(bounded, 'hold');
    const sorted = errors.toSorted((a, b) => a.error - b.error || a.silentMs - b.silentMs);
    assert.deepEqual(errors, sorted);
  });

  it('says nothing of silences it has seen too few of', () => {
    assert.deepEqual(tested([], 'hold'), { predictor: 'hold', reports: 0, errors: [] });
    assert.deepEqual(tested(ramp.slice(0, 19), 'hold').errors, []);
    const unusable = ramp.map((sample) => ({ ...sample, value: null }));
    assert.deepEqual(tested(unusable, 'hold').errors, []);
    const atOnce = ramp.map((sample) => ({ ...sample, timeMs: 5 }));
    assert.deepEqual(tested(atOnce, 'hold').errors, []);
    const backwards = ramp.toReversed();
    assert.deepEqual(tested(backwards, 'hold').errors, []);
  });

  it('asks for the course of a learned model after each report', () => {
    const slope = Array.from({ length: 640 }, (_, i) => (i + 1) / 8);
    const right = () => forecastToCourse({ stepMs: 10, changes: slope }, policy.tolerance);
    assert.equal(tested(ramp, learned, right).reports, 1);
    assert.equal(tested(ramp, learned).reports, 640, 'nothing is promised without a model');
  });
});

describe('choice of predictor', () => {
  const result = (predictor: string, reports: number): BackTest => ({
    predictor,
    reports,
    errors: [],
  });

  it('takes the cheapest, of equals the first', () => {
    const tests = [result('hold', 20), result('linear', 10), result('damped', 10)];
    assert.equal(choosePredictor('hold', tests), 'linear');
    assert.equal(choosePredictor('learned:gone', tests), 'linear');
  });

  it('stays with what it has unless a tenth and two reports are saved', () => {
    const others = (reports: number) => [result('hold', 100), result('linear', reports)];
    assert.equal(choosePredictor('hold', others(91)), 'hold');
    assert.equal(choosePredictor('hold', others(90)), 'linear');
    assert.equal(choosePredictor('hold', [result('hold', 3), result('linear', 2)]), 'hold');
    assert.equal(choosePredictor('hold', [result('hold', 3), result('linear', 1)]), 'linear');
    assert.equal(choosePredictor('hold', []), 'hold');
  });

  it('finds line and level by their signals', () => {
    const random = seededRandom(7);
    const noise = series(640, () => 2 * random());
    const choice = (samples: Observed[], present: string) =>
      choosePredictor(
        present,
        ['hold', 'linear', 'damped'].map((name) => tested(samples, name)),
      );
    assert.equal(choice(ramp, 'hold'), 'linear');
    assert.equal(choice(noise, 'linear'), 'hold');
  });
});
