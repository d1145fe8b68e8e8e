import type { Quality } from '../sample.ts';
import { type Course, POINTS_MAX, type Point, predictorNamed } from './predictor.ts';

/**
 * What a device says when it speaks of a property. The value is finite, and travels as float64:
 * in float32 device and twin would predict from different points.
 */
export interface Report {
  /** Wall time of the device, whole milliseconds since 1970. */
  readonly timeMs: number;
  readonly value: number | null;
  readonly quality: Quality;
  /** By which predictor the twin answers from here on. */
  readonly predictor: string;
  /**
   * How many points, this one among them, the device predicts from: 0 without a value, 1 where it
   * begins anew, up to `POINTS_MAX`. A twin that holds fewer knows that it missed some.
   */
  readonly depth: number;
}

/**
 * What a property's reports so far come to. It follows from the newest `POINTS_MAX` of them alone,
 * so that either side finds it again in its database, for now or for any earlier time.
 */
export interface Track {
  readonly newest: Report;
  /** Usable values, oldest first. */
  readonly points: readonly Point[];
  /** See `withCourse`. */
  readonly course?: Course;
}

/**
 * The track after one more report, in the order of their sequences. `track` is `undefined` for the
 * first report of an epoch, and for the first after a gap: what is then missing, `inStep` tells.
 */
export function observe(track: Track | undefined, report: Report): Track {
  const { timeMs, value, depth } = report;
  if (value === null) return { newest: report, points: [] };
  const kept = Math.max(0, Math.min(depth, POINTS_MAX) - 1);
  const before = kept === 0 ? [] : (track?.points.slice(-kept) ?? []);
  return { newest: report, points: [...before, { timeMs, value }] };
}

/** The track after consecutive reports, oldest first; `undefined` without any. */
export function trackOf(reports: Iterable<Report>): Track | undefined {
  let track: Track | undefined;
  for (const report of reports) track = observe(track, report);
  return track;
}

/** Whether the track holds all that the device predicts from. */
export function isWhole({ newest, points }: Track): boolean {
  return points.length === newest.depth;
}

/** Whether the track predicts what the device believes it does. */
export function isInStep(track: Track): boolean {
  const { newest, points } = track;
  if (newest.value === null) return true;
  const window = predictorNamed(newest.predictor)?.window;
  if (window === undefined || points.length < Math.min(newest.depth, window)) return false;
  return predictedAt(track, newest.timeMs + 1) !== undefined;
}

/** Whether `withCourse` is wanted before the next sample or answer. */
export function awaitsCourse({ newest, points, course }: Track): boolean {
  return newest.predictor.startsWith('learned:') && points.length > 0 && course === undefined;
}

/**
 * The track with what the learned model expects from its points. The device adds it before it takes
 * the next sample, the twin before it answers: which course holds must not depend on timing.
 */
export function withCourse(track: Track, course: Course): Track {
  return { ...track, course };
}

/**
 * What the twin takes the value to be: exactly the reported one at its own time and before;
 * `undefined` without a usable value, and where the predictor or its course is not there.
 * Arithmetic that ends outside the finite numbers counts as no change.
 */
export function predictedAt(track: Track, timeMs: number): number | undefined {
  const last = track.points.at(-1);
  if (last === undefined || timeMs <= last.timeMs) return last?.value;
  const predicted = predictorNamed(track.newest.predictor)?.predict(track, timeMs);
  if (predicted === undefined) return undefined;
  return Number.isFinite(predicted) ? predicted : last.value;
}
