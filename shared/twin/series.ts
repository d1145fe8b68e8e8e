import { fail, ok, type Result } from '../basics/result.ts';

/** All times in milliseconds since 1970; from is part of the series, to is not. */
export interface SeriesRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/** One step of a series: what was measured within it, `null` where nothing usable was. */
export interface SeriesStep {
  /** Where the step begins: a multiple of its length, counted from 1970. */
  readonly timeMs: number;
  readonly count: number;
  readonly avg: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** By time; of several at one time the one that came first, or last. */
  readonly first: number | null;
  readonly last: number | null;
}

export const aggregates = ['avg', 'min', 'max', 'last', 'first', 'count'] as const;
export type Aggregate = (typeof aggregates)[number];

export type SeriesErrorCode = 'series-range' | 'series-too-long';

export const SERIES_STEPS_MAX = 10_000;

/** A sample, or several of which only a summary is left, at the time where they begin. */
export interface SeriesSample {
  readonly timeMs: number;
  /** Of a summary the mean. */
  readonly value: number | null;
  readonly summary?: { readonly count: number; readonly min: number; readonly max: number };
}

/**
 * Sums samples up by steps, in any order of their times; what has no finite value is passed over.
 * Every step that touches the range is there, empty ones too, so that a gap shows as one; the first
 * and last count only what lies within the range. Errors: `series-range` (not whole milliseconds,
 * empty, or a step below 1 ms), `series-too-long` (more than 10,000 steps).
 */
export function aggregateSeries(
  samples: Iterable<SeriesSample>,
  { fromMs, toMs, stepMs }: SeriesRange,
): Result<SeriesStep[], { code: SeriesErrorCode; message: string }> {
  if (![fromMs, toMs, stepMs].every(Number.isSafeInteger) || stepMs < 1 || toMs <= fromMs) {
    return fail(
      'series-range',
      `from ${fromMs} to ${toMs} by ${stepMs} is no series; give whole ms, from before to`,
    );
  }
  const firstStep = Math.floor(fromMs / stepMs);
  const count = Math.floor((toMs - 1) / stepMs) - firstStep + 1;
  if (count > SERIES_STEPS_MAX) {
    return fail(
      'series-too-long',
      `${count} steps of ${stepMs} ms, at most ${SERIES_STEPS_MAX}; take longer steps`,
    );
  }
  const tallies: (Tally | undefined)[] = Array.from({ length: count });
  for (const { timeMs, value, summary } of samples) {
    if (value === null || !Number.isFinite(value) || !(timeMs >= fromMs && timeMs < toMs)) continue;
    const index = Math.floor(timeMs / stepMs) - firstStep;
    const { count, min, max } = summary ?? { count: 1, min: value, max: value };
    tallies[index] = add(tallies[index], timeMs, { count, mean: value, min, max });
  }
  return ok(tallies.map((tally, index) => toStep((firstStep + index) * stepMs, tally)));
}

interface Tally {
  count: number;
  mean: number;
  min: number;
  max: number;
  first: number;
  firstMs: number;
  last: number;
  lastMs: number;
}

type Summary = Pick<Tally, 'count' | 'mean' | 'min' | 'max'>;

function add(before: Tally | undefined, timeMs: number, summary: Summary): Tally {
  const { mean: value } = summary;
  if (before === undefined) {
    return { ...summary, first: value, firstMs: timeMs, last: value, lastMs: timeMs };
  }
  const tally = before;
  tally.count += summary.count;
  // Divided before it is subtracted: the difference of two finite numbers can overflow.
  tally.mean += (value / tally.count - tally.mean / tally.count) * summary.count;
  tally.min = Math.min(tally.min, summary.min);
  tally.max = Math.max(tally.max, summary.max);
  if (timeMs < tally.firstMs) [tally.first, tally.firstMs] = [value, timeMs];
  if (timeMs >= tally.lastMs) [tally.last, tally.lastMs] = [value, timeMs];
  return tally;
}

function toStep(timeMs: number, tally: Tally | undefined): SeriesStep {
  if (tally === undefined) {
    return { timeMs, count: 0, avg: null, min: null, max: null, first: null, last: null };
  }
  const { count, mean, min, max, first, last } = tally;
  return { timeMs, count, avg: mean, min, max, first, last };
}
