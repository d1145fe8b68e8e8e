import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { aggregateSeries, SERIES_STEPS_MAX, type SeriesRange } from './series.ts';

interface Dot {
  readonly timeMs: number;
  readonly value: number | null;
}

function steps(samples: readonly Dot[], range: SeriesRange) {
  const result = aggregateSeries(samples, range);
  assert.ok(result.ok);
  return result.value;
}

function code(range: SeriesRange) {
  const result = aggregateSeries([], range);
  return result.ok ? 'ok' : result.error.code;
}

const empty = { count: 0, avg: null, min: null, max: null, first: null, last: null };

describe('series', () => {
  it('sums up step by step, and shows gaps', () => {
    const samples = [
      { timeMs: 10, value: 1 },
      { timeMs: 14, value: 4 },
      { timeMs: 19, value: 1 },
      { timeMs: 30, value: -2 },
      { timeMs: 31, value: null },
      { timeMs: 32, value: Number.NaN },
    ];
    assert.deepEqual(steps(samples, { fromMs: 10, toMs: 40, stepMs: 10 }), [
      { timeMs: 10, count: 3, avg: 2, min: 1, max: 4, first: 1, last: 1 },
      { timeMs: 20, ...empty },
      { timeMs: 30, count: 1, avg: -2, min: -2, max: -2, first: -2, last: -2 },
    ]);
  });

  it('aligns its steps, and takes from the outer ones what lies in the range', () => {
    const samples = [14, 15, 25, 26].map((timeMs) => ({ timeMs, value: timeMs }));
    const found = steps(samples, { fromMs: 15, toMs: 26, stepMs: 10 });
    assert.deepEqual(
      found.map(({ timeMs, first, last }) => [timeMs, first, last]),
      [
        [10, 15, 15],
        [20, 25, 25],
      ],
    );
    assert.deepEqual(steps([], { fromMs: -5, toMs: 5, stepMs: 10 }), [
      { timeMs: -10, ...empty },
      { timeMs: 0, ...empty },
    ]);
  });

  it('goes by time for first and last, by order where times are equal', () => {
    const samples = [5, 3, 3, 9, 9].map((timeMs, value) => ({ timeMs, value }));
    const [step] = steps(samples, { fromMs: 0, toMs: 10, stepMs: 10 });
    assert.deepEqual([step?.first, step?.last], [1, 4]);
  });

  it('refuses what is no range, and what is too long', () => {
    const range = { fromMs: 0, toMs: SERIES_STEPS_MAX, stepMs: 1 };
    assert.equal(code(range), 'ok');
    assert.equal(code({ ...range, toMs: SERIES_STEPS_MAX + 1 }), 'series-too-long');
    assert.equal(code({ ...range, toMs: 0 }), 'series-range');
    assert.equal(code({ ...range, stepMs: 0 }), 'series-range');
    assert.equal(code({ ...range, stepMs: 0.5 }), 'series-range');
    assert.equal(code({ ...range, fromMs: Number.NaN }), 'series-range');
    assert.equal(code({ ...range, toMs: Number.POSITIVE_INFINITY }), 'series-range');
    const wide = { fromMs: Number.MIN_SAFE_INTEGER, toMs: Number.MAX_SAFE_INTEGER, stepMs: 1 };
    assert.equal(code(wide), 'series-too-long');
  });

  it('agrees with sums over each step, for any samples in any order', () => {
    const anySample = fc.record({
      timeMs: fc.integer({ min: -50, max: 150 }),
      value: fc.oneof(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.constant(null)),
    });
    const anyRange = fc.record({
      fromMs: fc.integer({ min: -20, max: 60 }),
      toMs: fc.integer({ min: 61, max: 120 }),
      stepMs: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(anySample), anyRange, (samples, range) => {
        const { fromMs, toMs, stepMs } = range;
        const found = steps(samples, range);
        assert.ok(found[0]!.timeMs <= fromMs && found.at(-1)!.timeMs + stepMs >= toMs);
        for (const step of found) {
          assert.equal(Math.abs(step.timeMs % stepMs), 0);
          const values = samples
            .filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs)
            .filter(({ timeMs }) => timeMs >= step.timeMs && timeMs < step.timeMs + stepMs)
            .map(({ value }) => value)
            .filter((value) => value !== null);
          assert.equal(step.count, values.length);
          if (step.count === 0) continue;
          assert.deepEqual([step.min, step.max], [Math.min(...values), Math.max(...values)]);
          const avg = values.reduce((a, b) => a + b) / values.length;
          assert.ok(Math.abs(step.avg! - avg) <= 1e-6);
        }
        assert.equal(new Set(found.map(({ timeMs }) => timeMs)).size, found.length);
      }),
    );
  });

  it('keeps the mean within least and greatest, however large they are', () => {
    const { MAX_VALUE } = Number;
    const anyFinite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(anyFinite), (values) => {
        const samples = [MAX_VALUE, -MAX_VALUE, ...values].map((value) => ({ timeMs: 0, value }));
        const [step] = steps(samples, { fromMs: 0, toMs: 1, stepMs: 1 });
        assert.ok(step!.min! <= step!.avg! && step!.avg! <= step!.max!);
      }),
    );
    const [same] = steps(
      Array.from({ length: 7 }, () => ({ timeMs: 0, value: 0.1 })),
      { fromMs: 0, toMs: 1, stepMs: 1 },
    );
    assert.equal(same?.avg, 0.1);
  });

  it('counts a summary as all that is in it', () => {
    const summary = { count: 3, min: 1, max: 9 };
    const samples = [
      { timeMs: 0, value: 4, summary },
      { timeMs: 5, value: 8 },
    ];
    const series = aggregateSeries(samples, { fromMs: 0, toMs: 10, stepMs: 10 });
    assert.deepEqual(series, {
      ok: true,
      value: [{ timeMs: 0, count: 4, avg: 5, min: 1, max: 9, first: 4, last: 8 }],
    });
  });
});
