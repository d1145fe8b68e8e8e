import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { silentLog } from '#runtime/observe/log.ts';
import type { Measurement } from '../outbox/measured-record.ts';
import type { NewSample } from '../outbox/outbox.ts';
import { PredictorChooser } from './predictor-chooser.ts';
import { Reporter } from './reporter.ts';

const policy = { tolerance: 0.5, heartbeatMs: 1e9 };

/** A reporter with a record in memory, and the chooser beside it. */
function start(predictor: string, clock = createManualClock()) {
  const record: NewSample[] = [];
  const newestOf = (_: string, count: number): Measurement[] => record.slice(-count);
  const plans = new Map([['a/x', { policy, predictor }]]);
  const reporter = new Reporter(plans, { newestOf: () => [] });
  let told = 0;
  const chooser = new PredictorChooser({
    ...{ reporter, clock, log: silentLog },
    outbox: { measured: { newestOf } as never },
    onTest: () => {
      told += 1;
    },
  });
  const measure = (count: number) => {
    for (let i = 0; i < count; i++) {
      const values = [{ property: 'a/x', value: record.length / 8, quality: 'ok' as const }];
      const step = reporter.take([{ timeMs: record.length * 10, values }]);
      record.push(...step.kept);
      reporter.keep(step);
    }
  };
  const wait = async (seconds: number) => {
    for (let i = 0; i < 20 * seconds; i++) {
      clock.advance(50);
      await turn();
    }
  };
  return { reporter, chooser, measure, wait, told: () => told };
}

describe('the choice of a predictor', () => {
  it('falls on what would have said the least, once there is enough to test', async () => {
    const { reporter, chooser, measure, wait, told } = start('auto');
    measure(60);
    await wait(5);
    assert.equal(told(), 0);
    measure(300);
    await wait(8);
    assert.equal(told(), 1);
    assert.equal(reporter.chosenOf('a/x'), 'linear');
    const [test] = chooser.tests();
    assert.equal(test?.predictor, 'linear');
    assert.ok(test!.errors.length >= 3);
    chooser[Symbol.dispose]();
  });

  it('is made anew after so many samples and so much time, not before', async () => {
    const { chooser, measure, wait, told } = start('auto');
    measure(100);
    await wait(12);
    assert.equal(told(), 1);
    measure(100);
    await wait(12);
    assert.equal(told(), 1);
    measure(100);
    await wait(12);
    assert.equal(told(), 2);
    chooser[Symbol.dispose]();
  });

  it('leaves a predictor that is set, and tests it', async () => {
    const { reporter, chooser, measure, wait } = start('hold');
    measure(300);
    await wait(8);
    assert.equal(reporter.chosenOf('a/x'), 'hold');
    assert.equal(chooser.tests()[0]?.predictor, 'hold');
    chooser[Symbol.dispose]();
  });

  it('ends in the middle of a test', async () => {
    const { chooser, measure, wait, told } = start('auto');
    measure(700);
    await wait(1.05);
    chooser[Symbol.dispose]();
    await wait(20);
    assert.equal(told(), 0);
  });
});
