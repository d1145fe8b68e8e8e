import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { seededRandom } from '#shared/basics/seeded-random.ts';
import { chainTrack } from '#shared/twin/prediction/report-chain.ts';
import { predictedAt } from '#shared/twin/prediction/track.ts';
import type { Sample } from '#shared/twin/sample.ts';
import { type Outbox, openOutbox } from '../outbox/outbox.ts';
import type { Reading } from '../sensors/sensor.ts';
import { Reporter } from './reporter.ts';
import type { PropertyPlan } from './reporting-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-reporter-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let files = 0;
beforeEach(() => {
  file = join(folder, `outbox-${files++}.sqlite`);
});

function open(acknowledgedKept = 1000): Outbox {
  return openOutbox({ file, nowMs: 0, unacknowledgedMax: 10_000, acknowledgedKept });
}

const tolerance = 0.5;

function plan(predictor = 'auto', policy = { tolerance, heartbeatMs: 1000 }) {
  return new Map<string, PropertyPlan>([['a/x', { policy, predictor }]]);
}

function reading(timeMs: number, value: number): Reading {
  const values = ['a/x', 'b/y'].map((property) => ({ property, value, quality: 'ok' as const }));
  return { timeMs, values };
}

function store(outbox: Outbox, reporter: Reporter, readings: readonly Reading[]): void {
  const step = reporter.take(readings);
  outbox.append(step.taken, step.kept);
  reporter.keep(step);
}

function reports(outbox: Outbox): Sample[] {
  return outbox.following(0, 5000).filter(({ property }) => property === 'a/x');
}

/** A walk, the same every time. */
function walk(count: number): Reading[] {
  const random = seededRandom(7);
  let value = 20;
  return Array.from({ length: count }, (_, i) => {
    value += random() - 0.5;
    return reading(10 * i, value);
  });
}

/** Every reading against what a twin would say that has had the reports up to then. */
function assertKept(outbox: Outbox, readings: readonly Reading[]): void {
  const sent = reports(outbox);
  for (const { timeMs, values } of readings) {
    const track = chainTrack(sent.filter((each) => each.timeMs <= timeMs).slice(-8))!;
    const error = Math.abs(predictedAt(track, timeMs)! - values[0]!.value!);
    assert.ok(error <= tolerance, `off by ${error} at ${timeMs}`);
  }
}

describe('the reporter', () => {
  it('sends in part what has a plan, and all of the rest', () => {
    using outbox = open();
    const reporter = new Reporter(plan(), outbox);
    const readings = walk(400);
    store(outbox, reporter, readings);
    const sent = reports(outbox);
    assert.ok(sent.length < 200 && sent.length > 10, `${sent.length}`);
    assert.deepEqual(
      sent.map(({ report }) => report?.ordinal),
      sent.map((_, index) => index + 1),
    );
    assert.equal(outbox.producedOf('b/y'), 400);
    assert.equal(outbox.producedOf('a/x'), 400);
    assert.equal(outbox.measured.newestOf('a/x', 999).length, 400);
    assertKept(outbox, readings);
  });

  for (const predictor of ['hold', 'linear', 'damped']) {
    it(`goes on where it was after any restart: ${predictor}`, () => {
      const readings = walk(300);
      for (let from = 0; from < readings.length; from += 9) {
        using outbox = open();
        store(outbox, new Reporter(plan(predictor), outbox), readings.slice(from, from + 9));
      }
      using outbox = open();
      assertKept(outbox, readings);
      const whole = openOutbox({
        ...{ file: `${file}.whole`, nowMs: 0, unacknowledgedMax: 10_000, acknowledgedKept: 1000 },
      });
      store(whole, new Reporter(plan(predictor), whole), readings);
      const marks = (from: Outbox) =>
        reports(from).map(({ timeMs, report }) => ({ timeMs, report }));
      assert.deepEqual(marks(outbox), marks(whole), 'as if it had never ended');
      whole[Symbol.dispose]();
    });
  }

  it('keeps nothing of what the outbox did not take', () => {
    using outbox = open();
    const reporter = new Reporter(plan(), outbox);
    reporter.take([reading(0, 1)]);
    store(outbox, reporter, [reading(0, 1)]);
    assert.equal(reports(outbox).length, 1);
    assert.equal(reports(outbox)[0]?.report?.ordinal, 1);
  });

  it('tells of another policy with its next sample', () => {
    using outbox = open();
    store(outbox, new Reporter(plan(), outbox), [reading(0, 1), reading(1, 1)]);
    const loose = { tolerance: 2, heartbeatMs: 1000 };
    store(outbox, new Reporter(plan('auto', loose), outbox), [reading(2, 1), reading(3, 1)]);
    assert.deepEqual(
      reports(outbox).map(({ report }) => [report?.tolerance, report?.ordinal, report?.depth]),
      [
        [0.5, 1, 1],
        [2, 2, 1],
      ],
    );
  });

  it('takes the predictor of the newest report up again, or the one that is set', () => {
    using outbox = open();
    const reporter = new Reporter(plan(), outbox);
    reporter.choose('a/x', 'damped');
    store(outbox, reporter, [reading(0, 1)]);
    assert.equal(new Reporter(plan(), outbox).chosenOf('a/x'), 'damped');
    assert.equal(new Reporter(plan('linear'), outbox).chosenOf('a/x'), 'linear');
  });

  it('begins anew where the outbox has its reports no longer', () => {
    using outbox = open(0);
    store(outbox, new Reporter(plan('linear'), outbox), walk(50));
    outbox.acknowledge(outbox.counts().produced);
    outbox.append([{ property: 'b/y', timeMs: 0, value: 0, quality: 'ok' }]);
    assert.deepEqual(outbox.newestOf('a/x', 9), []);
    store(outbox, new Reporter(plan('linear'), outbox), [reading(500, 20)]);
    assert.equal(reports(outbox)[0]?.report?.depth, 1);
  });

  it('begins anew after a loss, and says that what was promised until then does not hold', () => {
    using outbox = open();
    const reporter = new Reporter(plan('hold'), outbox);
    store(outbox, reporter, [reading(0, 20)]);
    reporter.take([reading(10, 30)]); // which a full disk kept out
    reporter.beginAnew(['a/x', 'b/y']);
    store(outbox, reporter, [reading(20, 20)]);
    store(outbox, reporter, [reading(30, 20)]);
    const marks = reports(outbox).map(({ timeMs, report }) => [timeMs, report?.ordinal]);
    assert.deepEqual(marks, [
      [0, 1],
      [20, 3],
    ]);
  });
});
