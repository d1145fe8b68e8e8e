import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chainTrack, markToText, type StoredSample, textToMark } from './report-chain.ts';
import { isInStep } from './track.ts';

const policy = { tolerance: 0.1, heartbeatMs: 1000 };

function report(ordinal: number, depth = ordinal, predictor = 'linear'): StoredSample {
  const mark = { predictor, depth, ordinal, ...policy };
  return { timeMs: 10 * ordinal, value: ordinal, quality: 'ok', report: mark };
}

function pointTimes(samples: readonly StoredSample[]): number[] | undefined {
  return chainTrack(samples)?.points.map(({ timeMs }) => timeMs);
}

describe('the track of stored samples', () => {
  it('is made of as many points as the device has', () => {
    assert.deepEqual(pointTimes([report(1), report(2), report(3)]), [10, 20, 30]);
    assert.deepEqual(pointTimes([report(1), report(2), report(3, 2)]), [20, 30]);
    assert.equal(chainTrack([]), undefined);
  });

  it('leaves out what lies behind a missing report, and knows that it does', () => {
    const track = chainTrack([report(1), report(2), report(4)])!;
    assert.deepEqual(pointTimes([report(1), report(2), report(4)]), [40]);
    assert.equal(isInStep(track), false);
    assert.equal(isInStep(chainTrack([report(4), report(5)])!), true);
  });

  it('holds a sample that is no report', () => {
    const plain: StoredSample = { timeMs: 50, value: 7, quality: 'ok' };
    const track = chainTrack([report(1), report(2), plain])!;
    assert.deepEqual(track.points, [{ timeMs: 50, value: 7 }]);
    assert.equal(track.newest.predictor, 'hold');
    assert.deepEqual(pointTimes([report(1), plain, report(2)]), [20]);
    assert.deepEqual(pointTimes([{ ...plain, value: null }]), []);
  });

  it('survives as text, to the bit', () => {
    const { report: mark } = report(3);
    const odd = { ...mark!, tolerance: 0.1 + 0.2 };
    assert.deepEqual(textToMark(markToText(odd)), { report: odd });
    assert.deepEqual(textToMark(markToText(undefined)), {});
  });
});
