import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type BackTest, backTest } from '#shared/twin/prediction/back-test.ts';
import { plainPredictors } from '#shared/twin/prediction/predictor.ts';
import { choosePredictor } from '#shared/twin/prediction/predictor-choice.ts';
import {
  type Observed,
  type ReportingPolicy,
  startReporting,
  stepReporting,
  withPredictor,
} from '#shared/twin/prediction/reporting.ts';
import { observe, predictedAt, type Report, type Track } from '#shared/twin/prediction/track.ts';
import { originalPeriodMs, readMotes } from '../trial/motes.ts';

const heartbeatMs = 600_000;
const tolerances = { temperature: 0.1, humidity: 0.5 } as const;
/** Two hours of samples, looked at anew every quarter of an hour. */
const windowSamples = 1440;
const betweenChoices = 180;

const motes = readMotes();
const seriesOfMotes = [...motes.readings].flatMap(([mote, readings]) =>
  (['temperature', 'humidity'] as const).map((property) => ({
    name: `mote ${mote} ${property}`,
    policy: { tolerance: tolerances[property], heartbeatMs },
    samples: readings.map(
      (reading, index): Observed => ({
        timeMs: index * originalPeriodMs,
        value: reading[property],
        quality: 'ok',
      }),
    ),
  })),
);

interface Drive {
  readonly policy: ReportingPolicy;
  readonly predictor: string;
  readonly adaptive: boolean;
}

/** Counts the reports, and holds a twin that sees nothing else to every original sample. */
function drive(samples: readonly Observed[], { policy, predictor, adaptive }: Drive): number {
  let device = startReporting(policy, predictor);
  let twin: Track | undefined;
  let reports = 0;
  for (const [index, sample] of samples.entries()) {
    if (adaptive && index > 0 && index % betweenChoices === 0) {
      const window = samples.slice(Math.max(0, index - windowSamples), index);
      device = withPredictor(device, choosePredictor(device.chosen, backTests(window, policy)));
    }
    const { state, report } = stepReporting(device, sample);
    device = state;
    if (report !== undefined) {
      twin = observe(twin, JSON.parse(JSON.stringify(report)) as Report);
      reports += 1;
    }
    const error = Math.abs(predictedAt(twin!, sample.timeMs)! - sample.value!);
    assert.ok(error <= policy.tolerance, `sample ${index}: off by ${error}`);
  }
  return reports;
}

function backTests(samples: readonly Observed[], policy: ReportingPolicy): BackTest[] {
  return plainPredictors.map(({ name }) => {
    const test = backTest(samples, policy, name);
    let turn = test.next();
    while (!turn.done) turn = test.next();
    return turn.value;
  });
}

it('the motes say less, and the twin is within the tolerance at every original sample', (t) => {
  let samplesTotal = 0;
  const totals = { hold: 0, linear: 0, damped: 0, chosen: 0 };
  for (const { name, policy, samples } of seriesOfMotes) {
    const fixed = (predictor: string) => drive(samples, { policy, predictor, adaptive: false });
    const counts = {
      hold: fixed('hold'),
      linear: fixed('linear'),
      damped: fixed('damped'),
      chosen: drive(samples, { policy, predictor: 'hold', adaptive: true }),
    };
    const saved = Object.entries(counts).map(
      ([predictor, count]) => `${predictor} ${count} (1/${(samples.length / count).toFixed(0)})`,
    );
    t.diagnostic(`${name}, ${samples.length} samples: ${saved.join(', ')}`);
    samplesTotal += samples.length;
    for (const key of ['hold', 'linear', 'damped', 'chosen'] as const) totals[key] += counts[key];
  }
  t.diagnostic(`all, ${samplesTotal} samples: ${JSON.stringify(totals)}`);
  assert.ok(totals.hold * 25 < samplesTotal);
  assert.ok(totals.damped < totals.hold && totals.chosen < totals.hold);
});
