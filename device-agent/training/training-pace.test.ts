import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '#runtime/clock/manual-clock.ts';
import { createTemperatureLimit } from './temperature-limit.ts';
import { createTrainingPace } from './training-pace.ts';

const never = new AbortController().signal;

/** Whether a rest has ended, as far as can be told without time passing. */
async function hasEnded(rest: Promise<void>): Promise<boolean> {
  let ended = false;
  void rest.then(() => {
    ended = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return ended;
}

describe('the pace of training', () => {
  for (const [cpuShare, restMs] of [
    [0.25, 300],
    [0.5, 100],
    [0.8, 25],
  ] as const) {
    it(`rests ${restMs} ms after 100 for a share of ${cpuShare}`, async () => {
      const clock = createManualClock();
      const rest = createTrainingPace(clock, cpuShare).rest(100, never);
      clock.advance(restMs - 1);
      assert.equal(await hasEnded(rest), false);
      clock.advance(1.01);
      assert.equal(await hasEnded(rest), true);
    });
  }

  it('does not rest where it may take everything', async () => {
    assert.ok(await hasEnded(createTrainingPace(createManualClock(), 1).rest(100, never)));
  });

  it('rests for as long as it is held', async () => {
    const clock = createManualClock();
    const pace = createTrainingPace(clock, 0.5);
    pace.hold(true);
    const rest = pace.rest(10, never);
    clock.advance(1_000_000);
    assert.equal(await hasEnded(rest), false);
    pace.hold(true);
    assert.equal(await hasEnded(rest), false);
    pace.hold(false);
    assert.equal(await hasEnded(rest), true);
  });

  it('does not rest less because it is let go', async () => {
    const clock = createManualClock();
    const pace = createTrainingPace(clock, 0.5);
    const rest = pace.rest(10, never);
    pace.hold(false);
    assert.equal(await hasEnded(rest), false);
    clock.advance(10);
    assert.equal(await hasEnded(rest), true);
  });

  it('stops resting when the run is cancelled', async () => {
    const pace = createTrainingPace(createManualClock(), 0.5);
    for (const isHeld of [false, true]) {
      const cancel = new AbortController();
      pace.hold(isHeld);
      const rest = pace.rest(isHeld ? 0 : 10, cancel.signal);
      assert.equal(await hasEnded(rest), false);
      cancel.abort();
      assert.equal(await hasEnded(rest), true);
      assert.equal(await hasEnded(pace.rest(10, cancel.signal)), true);
    }
  });
});

describe('a temperature limit', () => {
  it('stops above it and goes on when it has cooled down', () => {
    let celsius: number | undefined = 70;
    const mayTrain = createTemperatureLimit({ readCelsius: () => celsius, celsiusMax: 70 });
    const answers = [70, 70.1, 69, 65.1, undefined, 65, undefined, 70].map((reading) => {
      celsius = reading;
      return mayTrain();
    });
    assert.deepEqual(answers, [true, false, false, false, false, true, true, true]);
  });
});
