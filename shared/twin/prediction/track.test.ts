import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { POINTS_MAX } from './predictor.ts';
import {
  awaitsCourse,
  isInStep,
  observe,
  predictedAt,
  type Report,
  trackOf,
  withCourse,
} from './track.ts';

const learned = `learned:${'00'.repeat(32)}`;

function report(timeMs: number, value: number | null, other: Partial<Report> = {}): Report {
  const depth = value === null ? 0 : Math.min(timeMs, POINTS_MAX);
  return { timeMs, value, quality: 'ok', predictor: 'linear', depth, ...other };
}

describe('track', () => {
  it('holds as many points as the device predicts from', () => {
    const reports = Array.from({ length: 20 }, (_, i) => report(i + 1, i));
    const track = trackOf(reports)!;
    assert.equal(track.points.length, POINTS_MAX);
    assert.deepEqual(track, trackOf(reports.slice(-POINTS_MAX)));
    const anew = observe(track, report(21, 5, { depth: 1 }));
    assert.deepEqual(anew.points, [{ timeMs: 21, value: 5 }]);
    assert.deepEqual(observe(track, report(21, null)).points, []);
  });

  it('is bounded whatever depth a report claims', () => {
    let track = trackOf([report(1, 1)]);
    for (let i = 2; i < 50; i++) track = observe(track, report(i, i, { depth: 1e9 }));
    assert.equal(track?.points.length, POINTS_MAX);
    assert.equal(observe(track, report(50, 1, { depth: -5 })).points.length, 1);
  });

  it('is in step after a gap once it has what its predictor looks at', () => {
    assert.equal(isInStep(observe(undefined, report(5, 1))), false);
    assert.equal(isInStep(observe(undefined, report(5, 1, { predictor: 'hold' }))), true);
    assert.equal(isInStep(observe(undefined, report(1, 1))), true, 'began anew');
    assert.equal(isInStep(trackOf([report(5, 1), report(6, 1)])!), true);
    assert.equal(isInStep(observe(undefined, report(5, null))), true);
    assert.equal(isInStep(observe(undefined, report(1, 1, { predictor: 'newer' }))), false);
  });

  it('is in step with a learned predictor only once its course is there', () => {
    const track = trackOf([report(1, 4, { predictor: learned })])!;
    assert.deepEqual([awaitsCourse(track), isInStep(track)], [true, false]);
    assert.deepEqual([predictedAt(track, 1), predictedAt(track, 2)], [4, undefined]);
    const complete = withCourse(track, { stepMs: 1, unit: 1, changes: [1] });
    assert.deepEqual([awaitsCourse(complete), isInStep(complete)], [false, true]);
    assert.equal(predictedAt(complete, 2), 5);
    const next = observe(complete, report(2, 4, { predictor: learned }));
    assert.equal(next.course, undefined, 'the course was of the points before');
    assert.equal(awaitsCourse(trackOf([report(1, null, { predictor: learned })])!), false);
  });

  it('gives back the reported value exactly, even where a line would overflow', () => {
    const track = trackOf([report(1, -Number.MAX_VALUE), report(2, Number.MAX_VALUE)])!;
    assert.equal(predictedAt(track, 2), Number.MAX_VALUE);
    assert.equal(predictedAt(track, 3), Number.MAX_VALUE);
    assert.equal(predictedAt(track, 0), Number.MAX_VALUE);
  });
});
