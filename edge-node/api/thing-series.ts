import { isoTime } from '#shared/twin/document/iso-time.ts';
import type { JsonObject } from '#shared/twin/document/json.ts';
import {
  type Aggregate,
  aggregateSeries,
  aggregates,
  type SeriesSample,
} from '#shared/twin/series.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { readDuration, readTime } from './request-facts.ts';

/** Samples that one answer is made of; reading them holds up everything else. */
const SAMPLES_MAX = 200_000;
/** Samples that are shown one by one. */
const POINTS_MAX = 10_000;
const RANGE_DEFAULT_MS = 3_600_000;

export interface SeriesQuery {
  readonly device: string;
  /** `feature/property`. */
  readonly property: string;
  readonly nowMs: number;
}

/**
 * One property's samples, of the last hour where `from` and `to` are left out: one by one, or with
 * `step` summed up by `agg` (all of `avg min max last first count` where left out).
 */
export function thingSeries(
  twins: TwinStore,
  { device, property, nowMs }: SeriesQuery,
  query: URLSearchParams,
): JsonObject {
  const toMs = readTime(query, 'to') ?? nowMs + 1;
  const fromMs = readTime(query, 'from') ?? toMs - RANGE_DEFAULT_MS;
  const stepMs = readDuration(query, 'step', 1000);
  const shown = readAggregates(query);
  const countMax = stepMs === undefined ? POINTS_MAX : SAMPLES_MAX;
  const range = { fromMs, toMs, countMax: countMax + 1 };
  const samples = twins.samples.between({ device, property }, range);
  const head = { property, from: isoTime(fromMs), to: isoTime(toMs) };
  if (samples.length > countMax) {
    throw new ApiFailure(apiErrors.seriesTooLong(`more than ${countMax} samples`));
  }
  if (stepMs === undefined) {
    const points = samples.map(({ timeMs, value }) => ({ time: isoTime(timeMs), value }));
    return { ...head, data: points };
  }
  // What retention has taken out goes in by its roll-ups.
  const left = twins.retention
    .rollUps({ device, property }, range)
    .map(({ timeMs, mean, ...summary }): SeriesSample => ({ timeMs, value: mean, summary }));
  const series = aggregateSeries([...left, ...samples], { fromMs, toMs, stepMs });
  if (!series.ok) {
    const { code, message } = series.error;
    if (code === 'series-too-long') throw new ApiFailure(apiErrors.seriesTooLong(message));
    throw new ApiFailure(apiErrors.queryInvalid('range', message));
  }
  const steps = series.value.map(({ timeMs, ...step }) => ({
    time: isoTime(timeMs),
    ...Object.fromEntries(shown.map((name) => [name, step[name]])),
  }));
  return { ...head, stepMs, data: steps };
}

function readAggregates(query: URLSearchParams): readonly Aggregate[] {
  const text = query.get('agg');
  if (text === null) return aggregates;
  const names = text.split(',');
  const known = aggregates.filter((name) => names.includes(name));
  if (known.length === names.length) return known;
  throw new ApiFailure(apiErrors.queryInvalid('agg', `use some of ${aggregates.join(',')}`));
}
