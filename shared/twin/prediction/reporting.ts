import { assert } from '../../basics/assert.ts';
import type { Sample } from '../sample.ts';
import { POINTS_MAX, predictorNamed } from './predictor.ts';
import { isWhole, observe, predictedAt, type Report, type Track } from './track.ts';

export interface ReportingPolicy {
  /** How far the twin may be off at any sample, in the property's unit of measure; 0 or more. */
  readonly tolerance: number;
  /** The first sample so long after a report is reported in any case. */
  readonly heartbeatMs: number;
}

/** One property's side of the bargain on the device; survives as JSON. */
export interface ReportingState {
  readonly policy: ReportingPolicy;
  /** What the twin knows once it has received every report. */
  readonly track: Track | undefined;
  /** Time of the newest sample, reported or not. */
  readonly seenMs: number;
  /** The predictor that takes over with the next report. */
  readonly chosen: string;
}

/** A sample as it comes from a sensor; the value may still be NaN or infinite. */
export type Observed = Pick<Sample, 'timeMs' | 'value' | 'quality'>;

/** Why a sample was reported; `error`: the twin would have been off by more than the tolerance. */
export type ReportCause = 'first' | 'quality' | 'not-finite' | 'clock' | 'error' | 'heartbeat';

export interface ReportingStep {
  readonly state: ReportingState;
  readonly report?: Report;
  readonly cause?: ReportCause;
}

/**
 * The state before the first sample of a run. `track` is that of the newest `POINTS_MAX` reports in
 * the outbox, of the same epoch; where the outbox holds them no longer, the device begins anew, and
 * the next report says so. A new tolerance starts here too, with the track as it is.
 */
export function startReporting(
  policy: ReportingPolicy,
  predictor: string,
  track?: Track,
): ReportingState {
  const fresh = { policy, track: undefined, seenMs: 0, chosen: predictor };
  if (track === undefined || !isWhole(track)) return fresh;
  // Without its course, whose unit is a share of the tolerance.
  const { newest, points } = track;
  return { ...fresh, track: { newest, points }, seenMs: newest.timeMs };
}

/** The state with another predictor from the next report on; it takes no report of its own. */
export function withPredictor(state: ReportingState, predictor: string): ReportingState {
  return { ...state, chosen: predictor };
}

/**
 * Takes a sample, in the order of production. The promise: once the report is delivered, if there
 * is one, the twin's `predictedAt` the sample's time is within the tolerance of its value, in that
 * function's own float64 arithmetic; quality, and whether there is a usable value at all, are
 * exactly the sample's. Silence lasts no longer than the heartbeat and one sampling period.
 *
 * A report must be in the outbox before the new state is kept. Where its track `awaitsCourse`, that
 * is due before the next sample; without one every sample is reported.
 */
export function stepReporting(state: ReportingState, observed: Observed): ReportingStep {
  assert(Number.isSafeInteger(observed.timeMs), 'a sample has a time in whole milliseconds');
  const sample = asStored(observed);
  const notFinite = observed.value !== null && sample.value === null;
  const cause = causeOf(state, sample) ?? (notFinite ? 'not-finite' : undefined);
  const seen = { ...state, seenMs: sample.timeMs };
  if (cause === undefined) return { state: seen };
  const report = {
    ...sample,
    predictor: state.chosen,
    depth: depthOf(state.track, sample),
  };
  return { state: { ...seen, track: observe(state.track, report) }, report, cause };
}

/** The sample as outbox and wire carry it: nothing for what is not finite, and one zero. */
function asStored({ timeMs, value, quality }: Observed): Observed {
  if (value !== null && Number.isFinite(value)) return { timeMs, value: value + 0, quality };
  return { timeMs, value: null, quality: quality === 'ok' ? 'range' : quality };
}

function causeOf(
  { policy, track, seenMs }: ReportingState,
  { timeMs, value, quality }: Observed,
): ReportCause | undefined {
  if (track === undefined) return 'first';
  const { newest } = track;
  if (quality !== newest.quality || (value === null) !== (newest.value === null)) return 'quality';
  if (timeMs < seenMs) return 'clock';
  if (value !== null && !isWithin(track, policy, { timeMs, value })) return 'error';
  return timeMs - newest.timeMs >= policy.heartbeatMs ? 'heartbeat' : undefined;
}

function isWithin(
  track: Track,
  { tolerance }: ReportingPolicy,
  { timeMs, value }: { timeMs: number; value: number },
): boolean {
  const predicted = predictedAt(track, timeMs);
  if (predicted === undefined) return false;
  const margin = predictorNamed(track.newest.predictor)?.margin ?? 0;
  return Math.abs(predicted - value) <= tolerance * (1 - margin);
}

/** Points of another quality, or from before the clock was set back, foretell nothing. */
function depthOf(track: Track | undefined, { timeMs, value, quality }: Observed): number {
  if (value === null) return 0;
  if (track === undefined || quality !== track.newest.quality) return 1;
  return timeMs <= track.newest.timeMs ? 1 : Math.min(track.points.length + 1, POINTS_MAX);
}
