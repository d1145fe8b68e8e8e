import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Observed, ReportCause } from './reporting.ts';
import { startReporting, stepReporting, withPredictor } from './reporting.ts';
import { awaitsCourse, observe, type Report, trackOf, withCourse } from './track.ts';

const policy = { tolerance: 0.5, heartbeatMs: 1000 };

function ok(timeMs: number, value: number | null): Observed {
  return { timeMs, value, quality: 'ok' };
}

/** Why each of the samples was reported, and the reports. */
function run(samples: readonly Observed[], predictor = 'hold') {
  let state = startReporting(policy, predictor);
  const causes: (ReportCause | undefined)[] = [];
  const reports: Report[] = [];
  for (const sample of samples) {
    const step = stepReporting(state, sample);
    state = step.state;
    causes.push(step.cause);
    if (step.report !== undefined) reports.push(step.report);
  }
  return { causes, reports, state };
}

describe('reporting', () => {
  it('speaks only where the twin would be off by more than the tolerance', () => {
    const samples = [ok(0, 10), ok(1, 10.5), ok(2, 9.5), ok(3, 10.500000000000002), ok(4, 10.6)];
    assert.deepEqual(run(samples).causes, ['first', undefined, undefined, 'error', undefined]);
  });

  it('speaks once a heartbeat when nothing happens', () => {
    const { reports } = run(Array.from({ length: 101 }, (_, i) => ok(i * 30, 7)));
    assert.deepEqual(
      reports.map(({ timeMs }) => timeMs),
      [0, 1020, 2040],
    );
  });

  it('reports every change of quality, and between a value and none', () => {
    const samples: Observed[] = [
      ok(0, 1),
      { timeMs: 1, value: 1, quality: 'stale' },
      { timeMs: 2, value: 1, quality: 'stale' },
      { timeMs: 3, value: null, quality: 'stale' },
      { timeMs: 4, value: null, quality: 'stale' },
      { timeMs: 5, value: null, quality: 'gap' },
      ok(6, 1),
    ];
    const { causes, reports } = run(samples);
    const q = 'quality';
    assert.deepEqual(causes, ['first', q, undefined, q, undefined, q, q]);
    assert.deepEqual(
      reports.map(({ depth }) => depth),
      [1, 1, 0, 0, 1],
    );
  });

  it('reports whatever is not finite, each time, as the outbox stores it', () => {
    const { causes, reports } = run([
      ok(0, Number.NaN),
      ok(1, Number.NaN),
      ok(2, null),
      ok(3, Number.NEGATIVE_INFINITY),
      { timeMs: 4, value: Number.NaN, quality: 'crc' },
    ]);
    assert.deepEqual(causes, ['first', 'not-finite', undefined, 'not-finite', 'quality']);
    const stored = reports.map(({ value, quality }) => [value, quality]);
    assert.deepEqual(stored, [
      [null, 'range'],
      [null, 'range'],
      [null, 'range'],
      [null, 'crc'],
    ]);
  });

  it('begins anew when the clock is set back, and at a second value of one time', () => {
    const samples = [ok(100, 1), ok(200, 3), ok(200, 3.1), ok(200, 5), ok(300, 9), ok(150, 9)];
    const { causes, reports } = run(samples, 'linear');
    assert.deepEqual(causes, ['first', 'error', undefined, 'error', 'error', 'clock']);
    assert.deepEqual(
      reports.map(({ depth }) => depth),
      [1, 2, 1, 2, 1],
    );
  });

  it('a clock set back within a silence does not lengthen it', () => {
    const samples = [ok(0, 1), ok(900, 1), ok(100, 1), ok(1000, 1), ok(1100, 1)];
    const { causes } = run(samples);
    assert.deepEqual(causes, ['first', undefined, 'clock', undefined, 'heartbeat']);
  });

  it('a steady ramp costs linear ever fewer reports, hold ever the same', () => {
    const samples = Array.from({ length: 900 }, (_, i) => ok(i, i / 8));
    assert.equal(run(samples).reports.length, 180);
    assert.ok(run(samples, 'linear').reports.length < 20);
    assert.ok(run(samples, 'damped').reports.length < 170);
  });

  it('hands over to another predictor with the next report, not before', () => {
    let { state } = run([ok(0, 0), ok(10, 1)]);
    state = withPredictor(state, 'linear');
    const silent = stepReporting(state, ok(11, 1.4));
    assert.equal(silent.report, undefined);
    assert.equal(silent.state.track?.newest.predictor, 'hold');
    const spoken = stepReporting(silent.state, ok(20, 2));
    assert.deepEqual([spoken.cause, spoken.report?.predictor], ['error', 'linear']);
    assert.equal(stepReporting(spoken.state, ok(30, 3)).report, undefined);
  });

  it('goes on after a restart where the outbox still has its reports, else anew', () => {
    const { reports, state } = run([ok(0, 0), ok(10, 1), ok(20, 2), ok(30, 9)], 'linear');
    assert.deepEqual(startReporting(policy, 'linear', trackOf(reports)), state);
    const purged = startReporting(policy, 'linear', trackOf(reports.slice(1)));
    const step = stepReporting(purged, ok(40, 9));
    assert.deepEqual([step.cause, step.report?.depth], ['first', 1]);
    const twin = observe(trackOf(reports), step.report!);
    assert.deepEqual(twin, step.state.track, 'the twin forgets what the device forgot');
  });

  it('forgets the course with the tolerance that it was made for', () => {
    const { state } = run([ok(0, 1)], `learned:${'ff'.repeat(32)}`);
    const track = withCourse(state.track!, { stepMs: 1, unit: 1, changes: [1] });
    const strict = startReporting({ ...policy, tolerance: 0.1 }, state.chosen, track);
    assert.equal(awaitsCourse(strict.track!), true);
  });

  it('reports every sample while a learned model has no course', () => {
    const samples = [ok(0, 1), ok(1, 1), ok(2, 1)];
    const { causes } = run(samples, `learned:${'ff'.repeat(32)}`);
    assert.deepEqual(causes, ['first', 'error', 'error']);
  });

  it('treats a tolerance that is no number as none, and an infinite one as such', () => {
    const samples = [ok(0, 1), ok(1, 1), ok(2, 1e300)];
    const count = (tolerance: number) => {
      let state = startReporting({ ...policy, tolerance }, 'hold');
      let reports = 0;
      for (const sample of samples) {
        const step = stepReporting(state, sample);
        state = step.state;
        if (step.report !== undefined) reports++;
      }
      return reports;
    };
    assert.deepEqual([Number.NaN, 0, Number.POSITIVE_INFINITY].map(count), [3, 2, 1]);
  });
});
