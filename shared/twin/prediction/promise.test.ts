import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { qualities } from '../sample.ts';
import { type Forecast, forecastToCourse, POINTS_MAX, type Point } from './predictor.ts';
import {
  type Observed,
  type ReportingPolicy,
  type ReportingState,
  startReporting,
  stepReporting,
  withPredictor,
} from './reporting.ts';
import {
  awaitsCourse,
  isInStep,
  observe,
  predictedAt,
  type Report,
  type Track,
  trackOf,
  withCourse,
} from './track.ts';

const learned = `learned:${'5c'.repeat(32)}`;
const predictors = ['hold', 'linear', 'damped', learned] as const;

/** Stands in for a model. */
function forecast(points: readonly Point[]): Forecast {
  const last = points.at(-1)!.value;
  const mean = points.reduce((sum, { value }) => sum + value / points.length, 0);
  const changes = [1, 2, 3, 4].map((step) => ((mean - last) * step) / 4);
  return { stepMs: 40, changes };
}

/** `apart`: by how many units another machine's course differs, change by change. */
function completed(track: Track, { tolerance }: ReportingPolicy, apart = [0]): Track {
  if (!awaitsCourse(track)) return track;
  const course = forecastToCourse(forecast(track.points), tolerance);
  const changes = course.changes.map((change, i) => change + apart[i % apart.length]!);
  return withCourse(track, { ...course, changes });
}

interface Move {
  /** Milliseconds after the sample before. */
  readonly afterMs: number;
  /** A value of its own, or so far from what the twin predicts: tolerances, and ulps beyond. */
  readonly value: number | null | { readonly tolerances: number; readonly ulps: number };
  readonly quality: Observed['quality'];
  /** The predictor chosen before this sample. */
  readonly choose?: (typeof predictors)[number] | undefined;
  readonly lost: boolean;
}

const anyMove: fc.Arbitrary<Move> = fc.record({
  afterMs: fc.oneof(
    { weight: 8, arbitrary: fc.nat(100) },
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -200, max: 2000 }) },
  ),
  value: fc.oneof(
    { weight: 4, arbitrary: fc.double({ min: -50, max: 50, noNaN: true }) },
    {
      weight: 8,
      arbitrary: fc.record({
        tolerances: fc.constantFrom(-1, -0.96875, 0, 0.5, 0.96875, 1),
        ulps: fc.integer({ min: -2, max: 2 }),
      }),
    },
    { weight: 1, arbitrary: fc.double() },
    { weight: 1, arbitrary: fc.constantFrom(null, -0, 0, Number.MAX_VALUE, -Number.MAX_VALUE) },
  ),
  quality: fc.oneof(
    { weight: 12, arbitrary: fc.constant('ok' as const) },
    { weight: 1, arbitrary: fc.constantFrom(...qualities) },
  ),
  choose: fc.option(fc.constantFrom(...predictors), { nil: undefined, freq: 6 }),
  lost: fc.nat(9).map((die) => die === 0),
});

const anyPolicy = fc.record({
  tolerance: fc.oneof(
    fc.constantFrom(0, 0.1, 0.3, 1),
    fc.double({ min: 1e-3, max: 20, noNaN: true }),
  ),
  heartbeatMs: fc.constantFrom(200, 1500),
});

const anyMoves = fc.array(anyMove, { maxLength: 120, size: 'max' });

function shifted(value: number, ulps: number): number {
  let shiftedValue = value;
  const ulp = Math.max(Math.abs(value), Number.MIN_VALUE) * 2 ** -52;
  for (let i = 0; i < Math.abs(ulps); i++) shiftedValue += Math.sign(ulps) * ulp;
  return shiftedValue;
}

/** A series made against the device: its values lie at the edge of what needs no report. */
function sampleOf(state: ReportingState, { afterMs, value, quality }: Move): Observed {
  const timeMs = Math.max(0, state.seenMs + afterMs);
  if (value === null || typeof value === 'number') return { timeMs, value, quality };
  const predicted = (state.track && predictedAt(state.track, timeMs)) ?? 1;
  const edge = predicted + value.tolerances * state.policy.tolerance;
  return { timeMs, value: shifted(edge, value.ulps), quality };
}

interface Turn {
  readonly sample: Observed;
  readonly report: Report | undefined;
  readonly state: ReportingState;
  readonly move: Move;
}

/** Runs the device; its reports have been through JSON as on the wire. */
function* device(policy: ReportingPolicy, moves: readonly Move[]): Generator<Turn> {
  let state = startReporting(policy, 'hold');
  for (const move of moves) {
    if (move.choose !== undefined) state = withPredictor(state, move.choose);
    const sample = sampleOf(state, move);
    const step = stepReporting(state, sample);
    state = step.state;
    if (state.track !== undefined) {
      state = { ...state, track: completed(state.track, policy) };
    }
    const report = step.report && (JSON.parse(JSON.stringify(step.report)) as Report);
    yield { sample, report, state, move };
  }
}

function assertKept(track: Track, { value, timeMs, quality }: Observed, tolerance: number): void {
  const usable = value !== null && Number.isFinite(value);
  const expected = !usable && quality === 'ok' ? 'range' : quality;
  assert.equal(track.newest.quality, expected);
  const predicted = predictedAt(track, timeMs);
  if (!usable) assert.equal(predicted, undefined);
  else assert.ok(Math.abs(predicted! - value) <= tolerance, `${predicted} is not ${value}`);
}

describe('the promise', () => {
  it('holds at every sample of any series, for any tolerance and any change of predictor', () => {
    fc.assert(
      fc.property(anyPolicy, anyMoves, (policy, moves) => {
        let twin: Track | undefined;
        for (const { sample, report, state } of device(policy, moves)) {
          if (report !== undefined) twin = completed(observe(twin, report), policy);
          assert.deepEqual(twin, state.track, 'device and twin hold the same bits');
          assert.ok(isInStep(twin!));
          assertKept(twin!, sample, policy.tolerance);
        }
      }),
      { numRuns: 800 },
    );
  });

  it('holds where the twin runs the model on another kind of machine', () => {
    const alwaysLearned = anyMoves.map((moves) => moves.map((m) => ({ ...m, choose: learned })));
    const neighbours = fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 4, maxLength: 4 });
    // What a unit of the course is worth has to be above the rounding of the values.
    const sane = alwaysLearned.map((moves) =>
      moves.filter(({ value }) => typeof value !== 'number' || Math.abs(value) < 1e6),
    );
    const rough = anyPolicy.filter(({ tolerance }) => tolerance > 0);
    fc.assert(
      fc.property(rough, sane, neighbours, (policy, moves, apart) => {
        let twin: Track | undefined;
        for (const { sample, report } of device(policy, moves as Move[])) {
          if (report !== undefined) twin = completed(observe(twin, report), policy, apart);
          assertKept(twin!, sample, policy.tolerance);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('holds after lost reports as soon as the twin calls itself in step, and it does', () => {
    fc.assert(
      fc.property(anyPolicy, anyMoves, (policy, moves) => {
        let twin: Track | undefined;
        let afterGap = 0;
        let gap = false;
        for (const { sample, report, move } of device(policy, moves)) {
          if (report !== undefined && move.lost) {
            gap = true;
          } else if (report !== undefined) {
            twin = completed(observe(gap ? undefined : twin, report), policy);
            afterGap = gap ? 1 : afterGap + 1;
            gap = false;
          }
          if (gap || twin === undefined) continue;
          if (afterGap >= POINTS_MAX) assert.ok(isInStep(twin));
          if (isInStep(twin)) assertKept(twin, sample, policy.tolerance);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('can be looked up for any time, from the newest few reports alone', () => {
    fc.assert(
      fc.property(anyPolicy, anyMoves, (policy, moves) => {
        const reports: Report[] = [];
        for (const { report, state } of device(policy, moves)) {
          if (report !== undefined) reports.push(report);
          const track = trackOf(reports.slice(-POINTS_MAX))!;
          assert.deepEqual(completed(track, policy), state.track);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('bounds the silence, and breaks it for a reason only', () => {
    fc.assert(
      fc.property(anyPolicy, anyMoves, (policy, moves) => {
        let state = startReporting(policy, 'hold');
        for (const move of moves) {
          if (move.choose !== learned) state = withPredictor(state, move.choose ?? 'linear');
          const sample = sampleOf(state, { ...move, quality: 'ok' });
          const { track, seenMs } = state;
          const { report, cause, state: next } = stepReporting(state, sample);
          state = next;
          const silentMs = sample.timeMs - next.track!.newest.timeMs;
          assert.ok(silentMs < policy.heartbeatMs, 'silence is bounded');
          if (cause === 'error') {
            const error = Math.abs(predictedAt(track!, sample.timeMs)! - report!.value!);
            assert.ok(error > policy.tolerance);
          } else if (cause === 'heartbeat') {
            assert.ok(sample.timeMs - track!.newest.timeMs >= policy.heartbeatMs);
          } else if (cause === 'clock') {
            assert.ok(sample.timeMs < seenMs);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
