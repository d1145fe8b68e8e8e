import type { Course, Point } from './predictor.ts';
import {
  type Observed,
  type ReportingPolicy,
  type ReportingState,
  startReporting,
  stepReporting,
} from './reporting.ts';
import { awaitsCourse, predictedAt, type Track, withCourse } from './track.ts';

/** How far the twin was off once it had heard nothing for so long. */
export interface SilenceError {
  readonly silentMs: number;
  /** 95 of 100 errors were no larger. Does not fall from one silence to the next longer one. */
  readonly error: number;
}

export interface BackTest {
  readonly predictor: string;
  /** How many of the samples it would have reported. */
  readonly reports: number;
  /** From short to long; a silence that the samples say too little of is left out. */
  readonly errors: readonly SilenceError[];
}

/** The longest silence tried is a quarter of the samples' span; each before is half as long. */
const SILENCES = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4];
const QUANTILE = 0.95;
/** Fewer errors have no 95th percentile. */
const ERRORS_MIN = 20;
/** Samples looked at between two pauses. */
const SLICE = 128;

/**
 * Reports the device's own newest samples anew, by the rule and the predictor given, and then
 * cuts the link at every sample in turn to see how far the twin goes astray. The bound holds by
 * construction: it is `stepReporting` that is run. Yields points where it needs the course of a
 * learned model, and `undefined` now and then, so that whoever runs it can do something else. Takes
 * time in proportion to the number of samples; the same samples give the same result everywhere.
 */
export function* backTest(
  samples: readonly Observed[],
  policy: ReportingPolicy,
  predictor: string,
): Generator<readonly Point[] | undefined, BackTest, Course | undefined> {
  let state: ReportingState = startReporting(policy, predictor);
  let reports = 0;
  const tracks: (Track | undefined)[] = [];
  for (const [index, sample] of samples.entries()) {
    if (index % SLICE === SLICE - 1) yield;
    const step = stepReporting(state, sample);
    state = step.state;
    if (step.report !== undefined) {
      reports += 1;
      state = { ...state, track: yield* courseAdded(state.track) };
    }
    tracks.push(state.track);
  }
  return { predictor, reports, errors: yield* silenceErrors(samples, tracks) };
}

function* courseAdded(
  track: Track | undefined,
): Generator<readonly Point[], Track | undefined, Course | undefined> {
  if (track === undefined || !awaitsCourse(track)) return track;
  const course = yield track.points;
  return course === undefined ? track : withCourse(track, course);
}

function* silenceErrors(
  samples: readonly Observed[],
  tracks: readonly (Track | undefined)[],
): Generator<undefined, SilenceError[]> {
  const spanMs = (samples.at(-1)?.timeMs ?? 0) - (samples[0]?.timeMs ?? 0);
  const found: SilenceError[] = [];
  for (const share of SILENCES) {
    const silentMs = share * spanMs;
    const errors = (yield* errorsAfter(silentMs, samples, tracks)).sort((a, b) => a - b);
    if (!(silentMs > 0) || errors.length < ERRORS_MIN) continue;
    const error = errors[Math.ceil(QUANTILE * errors.length) - 1]!;
    found.push({ silentMs, error: Math.max(error, found.at(-1)?.error ?? 0) });
  }
  return found;
}

/** The error at the first sample that is `silentMs` or more after each sample. */
function* errorsAfter(
  silentMs: number,
  samples: readonly Observed[],
  tracks: readonly (Track | undefined)[],
): Generator<undefined, number[]> {
  const errors: number[] = [];
  let later = 0;
  for (const [index, { timeMs }] of samples.entries()) {
    if (index % SLICE === SLICE - 1) yield;
    while (later < samples.length && samples[later]!.timeMs < timeMs + silentMs) later++;
    const sample = samples[later];
    const track = tracks[index];
    if (sample === undefined) break;
    if (sample.value === null || track === undefined) continue;
    const predicted = predictedAt(track, sample.timeMs);
    if (predicted !== undefined) errors.push(Math.abs(predicted - sample.value));
  }
  return errors;
}
