import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Lateness } from './lateness.ts';

describe('lateness', () => {
  it('is nothing before anything was late', () => {
    assert.deepEqual(new Lateness().summary(), { p50: 0, p99: 0, max: 0 });
  });

  it('gives quantiles to within a bucket, and the greatest exactly', () => {
    const lateness = new Lateness();
    for (let ms = 1; ms <= 1000; ms++) lateness.record(ms);
    const { p50, p99, max } = lateness.summary();
    assert.ok(p50 >= 500 && p50 < 500 * 1.19, `${p50}`);
    assert.ok(p99 >= 990 && p99 <= 1000, `${p99}`);
    assert.equal(max, 1000);
  });

  it('does not let one that is very late move the median', () => {
    const lateness = new Lateness();
    for (let i = 0; i < 99; i++) lateness.record(0);
    lateness.record(60_000);
    const { p50, p99, max } = lateness.summary();
    assert.deepEqual([p50, p99, max], [0.125, 0.125, 60_000]);
  });
});
